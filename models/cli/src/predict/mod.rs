//! `convnet predict`

mod answer;

use crate::common::{self, Outcome, RunOn, Task, print, say};
use crate::load::Loading;
use crate::network::{self, Network, Sizes};
use crate::progress::Bar;
use crate::trained::{Preparing, Trained};
use answer::{Answer, Writer};
use convnet::backend::Backend;
use convnet::data::{Image, decode, images_below};
use convnet::device::DeviceChoice;
use convnet::graph::Graph;
use convnet::net::AnyNetwork;
use convnet::train::NetworkLearner;
use std::error::Error;
use std::io::{self, BufRead};
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
    /// How many classes to show, where an image has one
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    #[command(flatten)]
    preparing: Preparing,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Print the result as CSV: image, rank, class, probability; of labels image, label, probability; of numbers a column for each
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Folder for the pictures of a network that gives masks (NAME.png, whose pixels are numbers of classes, and NAME-overlay.png) or images
    /// (NAME.png) [default: predictions]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
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

impl Task for Predict {
    fn run<D: Backend<f32>>(self, network: Network, device: D, _: DeviceChoice) -> Outcome {
        let Predict { arguments, images, mut failed } = self;
        let mut net = network.build(&device)?;
        let (weights, loading) = (arguments.weights.as_deref(), &arguments.loading);
        let trained = Trained::load(&network, &mut *net, weights, loading, arguments.preparing)?;
        if network.graph.outputs.len() > 1 {
            let (name, outputs) = (&network.name, network.graph.outputs_in_words());
            say(&format!("note: {name} gives {outputs}; the answers are those of the first output"))?;
        }
        let mut writer = Writer::new(&trained, arguments.top, arguments.out.as_deref())?;
        let (mut answers, bar) = (Vec::new(), Bar::new("looking at the images"));
        let mut done = 0;
        for part in images.chunks(batch(&network.graph)) {
            let (answered, missing) = answered(&mut *net, &device, part, &mut writer, &bar)?;
            answers.extend(answered);
            failed += missing;
            done += part.len();
            bar.at(done, images.len());
        }
        drop(bar);
        match () {
            () if arguments.json => common::print_json(&answers)?,
            () if arguments.csv => answer::print_csv(&answers)?,
            () if answers.len() > 1 => print(&answer::table(&answers))?,
            () => answers.iter().try_for_each(|answer| print(&answer::text(answer)))?,
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
    writer: &mut Writer<'_>,
    bar: &Bar,
) -> Result<(Vec<Answer>, usize), Box<dyn Error>> {
    let (mut pixels, mut readable) = (Vec::new(), Vec::new());
    for path in images {
        match read(path, writer.trained) {
            Ok((of_image, inverted, image)) => {
                pixels.extend(of_image);
                readable.push((path, inverted, image));
            }
            Err(error) => bar.say(&format!("error: {error}"))?,
        }
    }
    let outputs = match readable.is_empty() {
        true => Vec::new(),
        false => NetworkLearner::new(&mut *net, device.clone()).outputs(pixels.clone())?,
    };
    let [given, all] = [pixels.len(), outputs.len()].map(|numbers| numbers / readable.len().max(1));
    let len = net.graph().output_shape().len();
    let mut answers = Vec::new();
    for (place, (path, inverted, image)) in readable.into_iter().enumerate() {
        // The answer is of the first output.
        let output = &outputs[place * all..][..len];
        if output.iter().any(|x| x.is_nan()) {
            bar.say(&format!("error: {}: the network gives values that are not numbers", path.display()))?;
            continue;
        }
        let said = writer.said(path, &image, &pixels[place * given..(place + 1) * given], output)?;
        answers.push(Answer { image: path.clone(), inverted, said });
    }
    let missing = images.len() - answers.len();
    Ok((answers, missing))
}

/// The image as the network takes it, whether dark and bright have changed places in it, and the image itself.
fn read(path: &Path, trained: &Trained) -> Result<(Vec<f32>, bool, Image<'static>), Box<dyn Error>> {
    let image = decode::read(path)?;
    let pixels = trained.preparation.pixels(&image).map_err(|error| error.of(path))?;
    let inverted = trained.preparation.inverts(&image);
    Ok((pixels, inverted, image))
}
