//! `convnet predict`

use crate::common::{self, Outcome, RunOn, Task, print, say};
use crate::load::Loading;
use convnet::backend::Backend;
use convnet::data::{Picture, Pipeline, decode, fit};
use convnet::device::DeviceChoice;
use convnet::train::predict;
use convnet_models::Model;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
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
    #[command(flatten)]
    loading: Loading,
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
pub enum Invert {
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
        let about = arguments.loading.load::<N, D>(&mut net, &weights)?.metadata;
        let names = common::classes(N::GRAPH, &about);
        let pipeline = common::pipeline(N::GRAPH, &about)?;
        let picture = about.get("picture").and_then(|shape| serde_json::from_str(shape).ok());
        let mut answers = Vec::new();
        let mut failed = 0;
        for path in images {
            match read(&path, &pipeline, picture, arguments.invert) {
                Ok((pixels, inverted)) => {
                    let top = predict(&mut net, &device, &pixels)?.first().map(|p| p.top(arguments.top.into()));
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

/// A picture as those for training were. If they were grey ones of one size, `data`, it is brought to that first and, where its
/// ground is bright, inverted. Says whether it was, too.
pub fn read(
    path: &Path,
    pipeline: &Pipeline,
    data: Option<[usize; 3]>,
    invert: Invert,
) -> Result<(Vec<f32>, bool), Box<dyn std::error::Error>> {
    let mut picture = decode::read(path)?;
    let grey = data.map_or(pipeline.shape[0], |shape| shape[0]) == 1;
    if grey {
        picture = fit::coloured(picture, 1)?;
    }
    let inverted = match invert {
        Invert::Yes => true,
        Invert::No => false,
        Invert::Auto => grey && border_is_bright(&picture),
    };
    if inverted {
        picture.pixels.to_mut().iter_mut().for_each(|x| *x = 255 - *x);
    }
    let [channels, height, width] = pipeline.shape;
    let shape = data.unwrap_or([1, height.min(28), width.min(28)]);
    if grey && [picture.shape[1], picture.shape[2]] != [shape[1], shape[2]] {
        picture = fit::resized(&picture, shape[1], shape[2]);
    }
    let mut pixels = Vec::with_capacity(channels * height * width);
    // Nothing is drawn, so any generator will do.
    pipeline.extend(picture, &mut ChaCha8Rng::seed_from_u64(0), &mut pixels)?;
    Ok((pixels, inverted))
}

fn border_is_bright(picture: &Picture<'_>) -> bool {
    let [_, height, width] = picture.shape;
    let border = (0..height * width).filter(|i| {
        let (y, x) = (i / width, i % width);
        y == 0 || x == 0 || y + 1 == height || x + 1 == width
    });
    let (sum, n) = border.fold((0_u64, 0_u64), |(sum, n), i| (sum + u64::from(picture.pixels[i]), n + 1));
    sum > 127 * n
}
