//! Images a second that the loader makes batches of: a folder of files, decoded, the shorter side resized to 256, the middle 224 of it, normalised.
//! `peers/epochs.py` compares it with torchvision's `ImageFolder` and PyTorch's `DataLoader`.

use clap::Parser;
use convnet::data::fit::Fit;
use convnet::data::{DatasetKind, Loader, LoaderOptions, Normalisation, Preparation, open};
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

/// Time how fast batches are made of the images of a folder, and print one JSON object.
#[derive(Parser)]
struct Arguments {
    /// A folder for each class
    folder: PathBuf,
    /// Threads that make batches
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

/// Epochs, the first of which is not timed.
const EPOCHS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { folder, workers } = Arguments::parse();
    let preparation =
        Preparation::plain([3, 224, 224], Fit::Crop, Normalisation::named("imagenet", 3)?).resized_to(256)?;
    let images = open(DatasetKind::Auto, Some(&folder), 0)?.train;
    let count = images.len();
    let options = LoaderOptions { workers: Some(workers), ..LoaderOptions::default() };
    let loader = Loader::new(images, preparation.into(), options);
    let mut rates = Vec::new();
    for epoch in 0..EPOCHS {
        let start = Instant::now();
        for batch in loader.epoch(epoch, 0) {
            batch?;
        }
        rates.push(count as f64 / start.elapsed().as_secs_f64());
    }
    rates.remove(0);
    rates.sort_by(f64::total_cmp);
    println!("\n{{\"images_per_second\": {}, \"images\": {count}}}", rates[rates.len() / 2]);
    Ok(())
}
