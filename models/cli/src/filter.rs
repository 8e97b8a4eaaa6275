//! `convnet filter`: an image through a convolution made by hand.

use crate::common::{Outcome, print};
use convnet::atomic_file;
use convnet::data::{decode, fit};
use convnet::explain::Volume;
use convnet::explain::kernel::Kernel;
use convnet::report::{paint, png};
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  convnet filter photo.jpg --kernel \"1 -1\"\n  convnet filter photo.jpg --kernel sobel-x --colour\n  \
    convnet filter photo.jpg --kernel \"0 1 0; 1 -4 1; 0 1 0\" --out edges.png"
)]
pub struct Arguments {
    /// The image, a PNG or JPEG file
    image: PathBuf,
    /// The filter: rows of numbers between semicolons, or a name: edge-vertical, edge-horizontal, sobel-x, sobel-y, laplace, blur, mean, sharpen, emboss
    #[arg(long, allow_hyphen_values = true)]
    kernel: String,
    /// Filter red, green and blue each by itself, and write a colour image
    #[arg(long)]
    colour: bool,
    /// Put zeros around the image, so that the result has its size
    #[arg(long)]
    pad: bool,
    /// The PNG file to write
    #[arg(long, default_value = "filtered.png")]
    out: PathBuf,
}

pub fn run(arguments: Arguments) -> Outcome {
    let kernel: Kernel = arguments.kernel.parse()?;
    let mut image = decode::read(&arguments.image)?;
    if !arguments.colour {
        image = fit::coloured(image, 1)?;
    }
    let values = image.pixels.iter().map(|x| f32::from(*x) / 255.0).collect();
    let found = kernel.apply(&Volume::new(image.shape, values), arguments.pad)?;
    let [low, high] = found.range();
    // What has no negative values can be shown as an image; else red is positive and blue negative.
    let image = match arguments.colour || low >= 0.0 {
        true => paint::stretched(&found),
        false => paint::signed(&found),
    };
    atomic_file::write(&arguments.out, &png(&image))
        .map_err(|error| format!("cannot write {}: {error}", arguments.out.display()))?;
    if low == high {
        print(&format!("note: the result is {low} everywhere"))?;
    }
    let ([_, height, width], [kh, kw]) = (found.shape, kernel.size);
    Ok(print(&format!(
        "{}: {height}x{width} pixels from a {kh}x{kw} filter, values from {low:.3} to {high:.3}",
        arguments.out.display()
    ))?)
}
