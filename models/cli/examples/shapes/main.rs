//! Draws a dataset to try the program with: images of five shapes, a folder for each class; or scenes of several shapes with masks, labels or numbers.
//!
//! ```text
//! cargo run --release -p convnet-cli --example shapes -- shapes
//! cargo run --release -- data info --data shapes
//! ```

mod draw;
mod scene;

use clap::Parser;
use std::path::PathBuf;

/// Draw images of circles, crosses, squares, stars and triangles, as FOLDER/CLASS/NNN.png, or for another task.
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
    /// classes: a folder for each shape; masks: scenes with a mask each (images/, masks/, classes.txt); multi-label: scenes and
    /// a list of the shapes that are there (list.csv); numbers: a circle, and a list of its centre and radius
    #[arg(long, default_value = "classes")]
    task: Task,
    /// Random seed; the same one gives the same images
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Task {
    Classes,
    Masks,
    MultiLabel,
    Numbers,
}

fn main() -> std::process::ExitCode {
    let Arguments { folder, count, size, task, seed } = Arguments::parse();
    if std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        eprintln!("error: {} is not empty", folder.display());
        return std::process::ExitCode::FAILURE;
    }
    let draw = match task {
        Task::Classes => draw::dataset,
        Task::Masks => scene::masks,
        Task::MultiLabel => scene::labels,
        Task::Numbers => scene::numbers,
    };
    if let Err(error) = draw(&folder, count, size, seed) {
        eprintln!("error: {}: {error}", folder.display());
        return std::process::ExitCode::FAILURE;
    }
    println!("{count} images of {} shapes are in {}", draw::SHAPES.len(), folder.display());
    std::process::ExitCode::SUCCESS
}
