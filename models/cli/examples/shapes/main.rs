//! Draws a dataset to try the program with: images of five shapes, a folder for each class.
//!
//! ```text
//! cargo run --release -p convnet-cli --example shapes -- shapes
//! cargo run --release -- data info --data shapes
//! ```

mod draw;

use clap::Parser;
use std::path::PathBuf;

/// Draw images of circles, crosses, squares, stars and triangles, as FOLDER/CLASS/NNN.png.
#[derive(Parser)]
struct Arguments {
    /// Where to; it has to be empty, or not to be there yet
    folder: PathBuf,
    /// How many images in all
    #[arg(long, default_value_t = 1500)]
    count: usize,
    /// Their width and height in pixels
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(8..=1024))]
    size: u32,
    /// Random seed; the same one gives the same images
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

fn main() -> std::process::ExitCode {
    let Arguments { folder, count, size, seed } = Arguments::parse();
    if std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        eprintln!("error: {} is not empty", folder.display());
        return std::process::ExitCode::FAILURE;
    }
    if let Err(error) = draw::dataset(&folder, count, size, seed) {
        eprintln!("error: {}: {error}", folder.display());
        return std::process::ExitCode::FAILURE;
    }
    println!("{count} images of {} shapes are in {}", draw::SHAPES.len(), folder.display());
    std::process::ExitCode::SUCCESS
}
