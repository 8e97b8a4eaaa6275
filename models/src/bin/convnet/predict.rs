//! `convnet predict`

use crate::common::{self, Outcome, RunOn, Task, print, say};
use convnet::backend::Backend;
use convnet::checkpoint;
use convnet::data::{Batch, mnist, placed};
use convnet::device::DeviceChoice;
use convnet::train::predict;
use convnet_models::Model;
use image::imageops::FilterType;
use image::{ImageReader, Limits};
use serde::Serialize;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "Example:\n  convnet predict lenet5 three.png seven.jpg --top 2")]
pub struct Arguments {
    /// The network and the pictures: [MODEL] IMAGE...; without a model, lenet5
    #[arg(required = true, value_name = "[MODEL] IMAGE")]
    model_and_images: Vec<String>,
    /// The trained network [default: MODEL.safetensors]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// How many classes to show
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    /// Turn dark digits on a bright ground into bright ones on a dark ground: auto, yes or no
    #[arg(long, default_value = "auto")]
    invert: Invert,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    on: RunOn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Invert {
    /// If the border of the picture is bright
    Auto,
    /// Always
    Yes,
    /// Never
    No,
}

pub fn run(mut arguments: Arguments) -> Outcome {
    // The first word is a network unless it looks like a file.
    let is_file = |word: &String| Path::new(word).exists() || word.contains(['.', '/']);
    let model = match arguments.model_and_images.first() {
        Some(first) if !is_file(first) => arguments.model_and_images.remove(0),
        _ => "lenet5".to_string(),
    };
    let images: Vec<PathBuf> = arguments.model_and_images.drain(..).map(PathBuf::from).collect();
    if images.is_empty() {
        return Err("no picture given; name PNG or JPEG files after the network".into());
    }
    let on = arguments.on.clone();
    common::run(&model, &on, 0, Predict { arguments, images })
}

struct Predict {
    arguments: Arguments,
    images: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Answer {
    image: PathBuf,
    inverted: bool,
    classes: Vec<Class>,
}

#[derive(Serialize)]
struct Class {
    class: String,
    probability: f32,
}

impl Task for Predict {
    fn run<N: Model, D: Backend<f32>>(self, name: &'static str, device: D, _: DeviceChoice) -> Outcome {
        let Predict { arguments, images } = self;
        let weights = arguments.weights.clone().unwrap_or_else(|| common::default_weights(name));
        let mut net = common::build::<N, D>(name, &device)?;
        let about = checkpoint::load::<_, f32, D>(&mut net, &weights)?;
        let names: Vec<String> = match about.get("classes") {
            Some(names) => names.split(',').map(String::from).collect(),
            None => (0..N::GRAPH.output_shape().len()).map(|class| class.to_string()).collect(),
        };
        let shape = N::GRAPH.input().chw();
        let mut answers = Vec::new();
        let mut failed = 0;
        for path in images {
            match read(&path, shape, arguments.invert) {
                Ok((pixels, inverted)) => {
                    let batch = Batch { pixels, labels: Vec::new() };
                    let top = predict(&net, &device, &batch)?.first().map(|p| p.top(arguments.top.into()));
                    let name = |class: usize| names.get(class).cloned().unwrap_or_else(|| class.to_string());
                    let classes = top.unwrap_or_default().into_iter();
                    let classes =
                        classes.map(|(class, probability)| Class { class: name(class), probability }).collect();
                    answers.push(Answer { image: path, inverted, classes });
                }
                Err(error) => {
                    failed += 1;
                    say(&format!("error: {}: {error}", path.display()))?;
                }
            }
        }
        if arguments.json {
            common::print_json(&answers)?;
        } else {
            answers.iter().try_for_each(|answer| print(&text(answer)))?;
        }
        match failed {
            0 => Ok(()),
            n => Err(format!("{n} of the pictures could not be read").into()),
        }
    }
}

fn text(answer: &Answer) -> String {
    let classes = answer.classes.iter().map(|class| format!("{} ({:.1} %)", class.class, class.probability * 100.0));
    let note = if answer.inverted { "  [inverted: bright ground]" } else { "" };
    format!("{}: {}{note}", answer.image.display(), classes.collect::<Vec<_>>().join(", "))
}

/// A picture in shades of grey as the digits for training are: scaled to their size (or the network's, if that is smaller), in
/// the middle of its input, and normalised. Says whether it was inverted, too.
fn read(path: &Path, shape: [usize; 3], invert: Invert) -> Result<(Vec<f32>, bool), Box<dyn std::error::Error>> {
    // By content: a name may lie.
    let mut reader = ImageReader::new(BufReader::new(File::open(path)?)).with_guessed_format()?;
    if reader.format().is_none() {
        return Err("not a picture that can be read; expected PNG or JPEG".into());
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(20_000);
    limits.max_image_height = Some(20_000);
    limits.max_alloc = Some(1 << 30);
    reader.limits(limits);
    let picture = reader.decode()?;
    // See-through parts are ground, and ground is black here.
    let grey = picture.to_luma_alpha8();
    let mut grey = image::GrayImage::from_fn(grey.width(), grey.height(), |x, y| {
        let [shade, alpha] = grey.get_pixel(x, y).0;
        image::Luma([(u16::from(shade) * u16::from(alpha) / 255) as u8])
    });
    let inverted = match invert {
        Invert::Yes => true,
        Invert::No => false,
        Invert::Auto => border_is_bright(&grey),
    };
    if inverted {
        image::imageops::invert(&mut grey);
    }
    let [height, width] = [shape[1].min(28), shape[2].min(28)];
    if grey.dimensions() != (width as u32, height as u32) {
        grey = image::imageops::resize(&grey, width as u32, height as u32, FilterType::Triangle);
    }
    let pixels: Vec<f32> = grey.pixels().map(|pixel| mnist::NORMALISATION.apply(pixel.0[0])).collect();
    let placed = placed(&pixels, [1, height, width], shape, mnist::NORMALISATION.apply(0));
    Ok((placed.ok_or("it does not go into the network's input")?, inverted))
}

fn border_is_bright(picture: &image::GrayImage) -> bool {
    let (width, height) = picture.dimensions();
    let border = picture.enumerate_pixels().filter(|(x, y, _)| *x == 0 || *y == 0 || x + 1 == width || y + 1 == height);
    let (sum, n) = border.fold((0_u64, 0_u64), |(sum, n), (_, _, pixel)| (sum + u64::from(pixel.0[0]), n + 1));
    sum > 127 * n
}
