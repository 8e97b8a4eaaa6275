//! `convnet predict`

use crate::common::{self, Outcome, RunOn, Task, print, say};
use crate::load::Loading;
use crate::network::{self, Network, Sizes};
use crate::progress::Bar;
use crate::trained::{Preparing, Trained};
use convnet::backend::Backend;
use convnet::data::{decode, images_below};
use convnet::device::DeviceChoice;
use convnet::graph::Graph;
use convnet::net::AnyNetwork;
use convnet::train::predict;
use serde::Serialize;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  convnet predict lenet5 three.png seven.jpg --top 2\n  convnet predict mine.safetensors photos --csv\n  \
                  find . -name '*.jpg' | convnet predict mine.safetensors -"
)]
pub struct Arguments {
    /// The network (a name that `models` lists, a .cnn file or a weights file) and the images: [MODEL] IMAGE...; without a
    /// network, the program's own, or lenet5. An image may also be a folder, for all images in it and below it, or -, for the paths on the lines of
    /// standard input
    #[arg(required = true, value_name = "[MODEL] IMAGE")]
    model_and_images: Vec<String>,
    #[command(flatten)]
    sizes: Sizes,
    /// The trained network [default: MODEL.safetensors]
    #[arg(long)]
    weights: Option<PathBuf>,
    #[command(flatten)]
    loading: Loading,
    /// How many classes to show
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    #[command(flatten)]
    preparing: Preparing,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Print the result as CSV: image, rank, class, probability
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    #[command(flatten)]
    on: RunOn,
}

pub fn run(mut arguments: Arguments) -> Outcome {
    let words = std::mem::take(&mut arguments.model_and_images);
    let Split { model, images, note } = split(words);
    if let Some(note) = note {
        say(&format!("note: {note}"))?;
    }
    if images.is_empty() {
        return Err("no image given; name PNG or JPEG files after the network".into());
    }
    let (images, failed) = listed(images)?;
    let network = Network::find_trained(&model, &arguments.sizes, arguments.weights.as_deref())?;
    let on = arguments.on.clone();
    common::run(network, &on, 0, Predict { arguments, images, failed })
}

/// What the words of the command line stand for.
struct Split {
    model: String,
    images: Vec<PathBuf>,
    note: Option<String>,
}

/// The first word is a network if one has that name, whatever lies in the folder, or if it is the name of a .cnn file or a weights file;
/// else it is an image if it looks like one, and else the name of a network that there is not.
fn split(mut words: Vec<String>) -> Split {
    let first = words.first().cloned().unwrap_or_default();
    let path = Path::new(&first);
    let is_named = network::is_named(&first);
    let is_network = is_named || network::is_cnn(path) || network::is_weights(path);
    let is_image = first == "-" || path.is_file() || first.contains(['.', '/', '\\']);
    let note = (is_named && path.is_file()).then(|| {
        format!("`{first}` is taken for the network of that name, not for the file; for the file write ./{first}")
    });
    let model = if is_network || !is_image && !words.is_empty() { words.remove(0) } else { network::usual() };
    Split { model, images: words.into_iter().map(PathBuf::from).collect(), note }
}

/// The images that words stand for: files, what is in folders, and what standard input lists; and how many folders hold none.
fn listed(words: Vec<PathBuf>) -> Result<(Vec<PathBuf>, usize), Box<dyn Error>> {
    let (mut images, mut failed) = (Vec::new(), 0);
    for word in words {
        if word == Path::new("-") {
            let before = images.len();
            for line in io::stdin().lock().lines() {
                let line = line.map_err(|error| format!("cannot read the list on standard input: {error}"))?;
                images.extend(Some(PathBuf::from(line)).filter(|path| !path.as_os_str().is_empty()));
            }
            if images.len() == before {
                return Err("standard input lists no image; it must have a path on each line".into());
            }
        } else if word.is_dir() {
            let (found, notes) = images_below(&word)?;
            notes.iter().try_for_each(|note| say(&format!("note: {note}")))?;
            if found.is_empty() {
                failed += 1;
                say(&format!("error: {} holds no image that can be read", word.display()))?;
            }
            images.extend(found);
        } else {
            images.push(word);
        }
    }
    Ok((images, failed))
}

struct Predict {
    arguments: Arguments,
    images: Vec<PathBuf>,
    /// Folders without images.
    failed: usize,
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
    fn run<D: Backend<f32>>(self, network: Network, device: D, _: DeviceChoice) -> Outcome {
        let Predict { arguments, images, mut failed } = self;
        let mut net = network.build(&device)?;
        let (weights, loading) = (arguments.weights.as_deref(), &arguments.loading);
        let trained = Trained::load(&network, &mut *net, weights, loading, arguments.preparing)?;
        let (mut answers, bar) = (Vec::new(), Bar::new("looking at the images"));
        let mut done = 0;
        for part in images.chunks(batch(&network.graph)) {
            let (answered, missing) = answered(&mut *net, &device, part, &trained, arguments.top, &bar)?;
            answers.extend(answered);
            failed += missing;
            done += part.len();
            bar.at(done, images.len());
        }
        drop(bar);
        match () {
            () if arguments.json => common::print_json(&answers)?,
            () if arguments.csv => print_csv(&answers)?,
            () if answers.len() > 1 => print(&table(&answers))?,
            () => answers.iter().try_for_each(|answer| print(&text(answer)))?,
        }
        match failed {
            0 => Ok(()),
            1 => Err("there is no answer for one of the images".into()),
            n => Err(format!("there is no answer for {n} of the images").into()),
        }
    }
}

/// How many images are given to the network at once: several at a time are faster, as far as memory goes.
fn batch(graph: &Graph) -> usize {
    const MOST: usize = 32;
    const NUMBERS: usize = 1 << 27;
    (NUMBERS / graph.peak_activations.max(1)).clamp(1, MOST)
}

/// What the network says about some images, and how many of them have no answer, which is said.
fn answered<D: Backend<f32>>(
    net: &mut dyn AnyNetwork<f32, D>,
    device: &D,
    images: &[PathBuf],
    trained: &Trained,
    top: u16,
    bar: &Bar,
) -> Result<(Vec<Answer>, usize), Box<dyn Error>> {
    let (mut pixels, mut readable) = (Vec::new(), Vec::new());
    for image in images {
        match read(image, trained) {
            Ok((of_image, inverted)) => {
                pixels.extend(of_image);
                readable.push((image, inverted));
            }
            Err(error) => bar.say(&format!("error: {error}"))?,
        }
    }
    let predictions = if readable.is_empty() { Vec::new() } else { predict(net, device, &pixels)? };
    let mut answers = Vec::new();
    for ((image, inverted), prediction) in readable.into_iter().zip(predictions) {
        let named = |(class, probability): (usize, f32)| {
            let class = trained.classes.names()[class].clone();
            Class { class, probability }
        };
        let classes: Vec<Class> = prediction.top(top.into()).into_iter().map(named).collect();
        match classes.is_empty() {
            true => bar.say(&format!("error: {}: the network gives values that are not numbers", image.display()))?,
            false => answers.push(Answer { image: image.clone(), inverted, classes }),
        }
    }
    let missing = images.len() - answers.len();
    Ok((answers, missing))
}

fn print_csv(answers: &[Answer]) -> Outcome {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["image", "rank", "class", "probability"])?;
    for Answer { image, classes, .. } in answers {
        for (rank, Class { class, probability }) in classes.iter().enumerate() {
            table.write_record([
                &image.to_string_lossy(),
                (rank + 1).to_string().as_str(),
                class,
                &probability.to_string(),
            ])?;
        }
    }
    Ok(io::stdout().lock().write_all(&table.into_inner()?)?)
}

/// A line for each answer below one that says what is in it, aligned.
fn table(answers: &[Answer]) -> String {
    let mut rows = vec![vec![String::from("image")]];
    let most = answers.iter().map(|answer| answer.classes.len()).max().unwrap_or(0);
    (1..=most).for_each(|rank| rows[0].extend([format!("class {rank}"), String::new()]));
    for Answer { image, inverted, classes } in answers {
        let mut row = vec![image.display().to_string()];
        for Class { class, probability } in classes {
            row.extend([class.clone(), format!("{:5.1} %", probability * 100.0)]);
        }
        row.extend(inverted.then(|| "[inverted]".into()));
        rows.push(row);
    }
    common::aligned(&rows)
}

fn text(answer: &Answer) -> String {
    let classes = answer.classes.iter().map(|class| format!("{} ({:.1} %)", class.class, class.probability * 100.0));
    let note = if answer.inverted { "  [inverted]" } else { "" };
    common::printable(&format!("{}: {}{note}", answer.image.display(), classes.collect::<Vec<_>>().join(", ")))
}

/// The image as the network takes it, and whether dark and bright have changed places in it.
fn read(path: &Path, trained: &Trained) -> Result<(Vec<f32>, bool), Box<dyn Error>> {
    let image = decode::read(path)?;
    let pixels = trained.preparation.pixels(&image).map_err(|error| error.of(path))?;
    Ok((pixels, trained.preparation.inverts(&image)))
}
