//! A trained network: its weights, and what their file says about images, classes and the data that it has seen.

use crate::common::say;
use crate::load::Loading;
use crate::network::{self, Network};
use crate::own::program;
use crate::source::{self, Source};
use convnet::backend::Backend;
use convnet::data::{Classes, DataError, Dataset, Invert, Normalisation, Opened, Preparation, Relabelled};
use convnet::graph::Graph;
use convnet::net::AnyNetwork;
use convnet::objective::{self, Objective, ObjectiveError, Task};
use convnet::train::Config;
use convnet::weights::{Metadata, WeightsError};
use convnet_models::{Entry, find, pretrained};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Options about how images are prepared, for commands that look at images with a trained network.
#[derive(clap::Args, Clone, Copy)]
pub struct Preparing {
    /// Turn dark on bright into bright on dark. auto: images with a bright border, if all images in training were grey with a dark one, as
    /// MNIST's digits are; yes: all images; no: none
    #[arg(long, default_value = "auto", value_name = "WHEN")]
    invert: When,
    /// Resize the shorter side of each image to this before the middle is cut out, as 232 for torchvision's second weights of ResNet-50
    /// (IMAGENET1K_V2) [default: what the weights say, or 256 for 224x224 where they are torchvision's]
    #[arg(long, value_name = "PIXELS")]
    resize: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum When {
    Auto,
    Yes,
    No,
}

/// Options about labels, for commands that hold the labels of a dataset against a trained network.
#[derive(clap::Args, Clone, Copy)]
pub struct Labelling {
    /// Take the classes of the data for those of the network in their order, whatever their names
    #[arg(long)]
    classes_by_order: bool,
}

/// What is known about a trained network beside its weights.
pub struct Trained {
    pub weights: PathBuf,
    pub preparation: Preparation,
    pub classes: Classes,
    pub about: Metadata,
    /// What its output means.
    pub task: Task,
    pub objective: Arc<dyn Objective>,
}

/// Says how data in one piece was split: by a seed, or not at all; and how many images it had.
const SPLIT: &str = "split";
const IMAGES: &str = "split_images";
const GIVEN: &str = "given";

/// What a weights file is to remember of the data that it was trained on, so that it is not evaluated on any of that later.
pub fn about_split(opened: &Opened, seed: u64) -> Metadata {
    let split = if opened.divided { seed.to_string() } else { GIVEN.into() };
    [(SPLIT, split), (IMAGES, images(opened).to_string())].map(|(key, value)| (key.into(), value)).into()
}

fn images(opened: &Opened) -> usize {
    let validation = opened.validation.as_ref().map_or(0, |part| part.len());
    opened.train.len() + validation + opened.test.len()
}

/// Says in what the data of a run differs from what the weights that it starts from were trained on.
pub fn say_about_start(
    weights: &Path,
    of_weights: &Metadata,
    graph: &Graph,
    classes: &[String],
    of_data: &Metadata,
) -> std::io::Result<()> {
    let weights = weights.display();
    // A new head, with classes of its own, has none of the weights' outputs.
    if let Ok(known) = Classes::of(of_weights, graph) {
        let differ = |what: String| format!("note: {weights}: {what}; the network learns the data's, output by output");
        match known.matched(classes) {
            Ok(matching) => matching
                .note
                .iter()
                .try_for_each(|note| say(&differ(note.replace("; they are matched by name", ""))))?,
            Err(error) => say(&differ(error.to_string()))?,
        }
    }
    let [before, now] = [of_weights, of_data].map(|about| about.get(SPLIT).filter(|split| *split != GIVEN));
    match (before, now) {
        (Some(before), Some(now)) if before != now && of_weights.get(IMAGES) == of_data.get(IMAGES) => say(&format!(
            "note: {weights} was trained on a split by the random seed {before}, and the data is split by {now} here; if it is the same \
             data, the network has been trained on images that it is evaluated on now (--seed {before} splits it as before)"
        )),
        _ => Ok(()),
    }
}

impl Trained {
    /// Reads the weights of `net` from the file that was named, or from the one that `train` writes.
    pub fn load<D: Backend<f32>>(
        network: &Network,
        net: &mut dyn AnyNetwork<f32, D>,
        weights: Option<&Path>,
        loading: &Loading,
        preparing: Preparing,
    ) -> Result<Self, Box<dyn Error>> {
        let weights = weights.or(network.weights.as_deref());
        let given = weights.is_some();
        let weights = weights.map_or_else(|| network::default_weights(&network.name), Path::to_owned);
        let loaded = loading.load(net, &weights);
        let loaded = loaded.map_err(|error| if given { error } else { hinted(error, &network.word).into() })?;
        if let Some(tensor) = loaded.not_finite.first() {
            let what = "the weights hold values that are not finite numbers (NaN or infinite)";
            return Err(format!("{}: {what}, first in {tensor}", weights.display()).into());
        }
        Trained::new(network, weights, loaded.metadata, preparing)
    }

    /// What the metadata of a weights file says; says what it leaves open.
    pub fn new(
        network: &Network,
        weights: PathBuf,
        about: Metadata,
        preparing: Preparing,
    ) -> Result<Self, Box<dyn Error>> {
        let graph = &*network.graph;
        let of_file = |error: DataError| format!("{}: {error}", weights.display());
        say_sizes(network, &weights, &about)?;
        let given = Preparation::of(&about, graph).map_err(of_file)?;
        let named = Classes::of(&about, graph).map_err(of_file)?;
        let (stored, classes) = presumed(network, given.clone(), named.clone());
        let known = stored.is_some();
        let mut preparation = stored.unwrap_or_else(|| Preparation::assumed(graph));
        if let Some(resize) = preparing.resize {
            preparation = preparation.resized_to(resize).map_err(|error| format!("--{error}"))?;
        }
        let (mut open, mut taken) = (Vec::new(), Vec::new());
        if given.is_none() {
            open.push("how its images were prepared");
            taken.push(if known { words(&preparation) } else { Preparation::assumption(graph).into() });
        }
        if classes != named {
            open.push("what its classes are called");
            taken.push("ImageNet's names are used".into());
        }
        if !open.is_empty() {
            let [open, taken] = [open.join(" nor "), taken.join(", and ")];
            say(&format!("note: {} does not say {open}; {taken}", weights.display()))?;
        }
        let unsaid = given.is_some() && !Preparation::says_ground(&about);
        if unsaid && graph.input().chw()[0] == 1 && preparing.invert == When::Auto {
            let weights = weights.display();
            say(&format!(
                "note: {weights} does not say whether its images had a dark ground; none is inverted (--invert yes inverts all)"
            ))?;
        }
        match preparing.invert {
            When::Auto => {}
            When::Yes => preparation.invert = Invert::Always,
            When::No => preparation.invert = Invert::Never,
        }
        let std = &preparation.normalisation.std;
        let of_file = |error: ObjectiveError| format!("{}: {error}", weights.display());
        let (task, objective) = objective::of_weights(&about, graph, std).map_err(of_file)?;
        Ok(Trained { weights, preparation, classes, about, task, objective })
    }

    /// The test set of a source. What is in one piece is split as it was in training, so that the network is not evaluated on what it was trained on.
    pub fn test(&self, source: &Source, labelling: Labelling) -> Result<Arc<dyn Dataset>, Box<dyn Error>> {
        let split = self.about.get(SPLIT).map(String::as_str);
        let number = |key: &str| -> Result<Option<u64>, String> {
            let wrong = |text: &String| {
                format!("{}: the metadata says {key} = `{text}`; expected a whole number", self.weights.display())
            };
            self.about.get(key).map(|text| text.parse().map_err(|_| wrong(text))).transpose()
        };
        let known = if matches!(split, Some(split) if split != GIVEN) { number(SPLIT)? } else { None };
        // Older files have the seed of the run, which was that of the split.
        let seed = known.or(number("seed").unwrap_or(None)).unwrap_or(Config::default().seed);
        let opened = source.open(seed)?;
        source::say_notes(&opened)?;
        if opened.divided {
            let had = number(IMAGES)?;
            self.say_about_split(
                known.is_some() || split.is_none() && self.about.contains_key("seed"),
                had,
                images(&opened),
                seed,
            )?;
        }
        self.labelled(opened.test, labelling)
    }

    /// What is known about whether images of data in one piece were trained on.
    fn say_about_split(&self, known: bool, had: Option<u64>, has: usize, seed: u64) -> std::io::Result<()> {
        let weights = self.weights.display();
        let doubt = "images of the test set may have been trained on";
        if !known {
            return say(&format!(
                "note: {weights} does not say that data in one piece was split in training; it is split by the random seed {seed} here, and {doubt}"
            ));
        }
        match had {
            Some(had) if had != has as u64 => say(&format!(
                "note: the data has {has} images, and there were {had} when {weights} was trained; if it is the same data, {doubt}"
            )),
            _ => say(&format!(
                "note: the network is evaluated on the images that were set aside when {weights} was trained (random seed {seed})"
            )),
        }
    }

    /// A dataset with the network's classes in place of its own; says how they were matched, if they are not the same.
    fn labelled(&self, data: Arc<dyn Dataset>, labelling: Labelling) -> Result<Arc<dyn Dataset>, Box<dyn Error>> {
        let kind = data.target_kind();
        if let Some(wanted) = self.task.target_kind().filter(|wanted| *wanted != kind) {
            let (weights, task) = (self.weights.display(), self.task);
            return Err(format!(
                "{weights} was trained for the task `{task}`, which needs {wanted}; the data has {kind}"
            )
            .into());
        }
        if self.task == Task::Itself {
            return Ok(data);
        }
        let matching = match labelling.classes_by_order {
            true => self.classes.by_order(data.classes())?,
            false => self.classes.matched(data.classes()).map_err(|error| {
                let weights = self.weights.display();
                format!("{weights}: {error}; with --classes-by-order the data's are taken in their order")
            })?,
        };
        match &matching.note {
            Some(note) => say(&format!("note: {note}"))?,
            None => return Ok(data),
        }
        Ok(Arc::new(Relabelled::new(data, &self.classes, &matching)))
    }
}

/// How images are prepared and what classes are called, as a weights file says; where it does not, for a network of the zoo as torchvision's
/// weights of it want.
fn presumed(network: &Network, given: Option<Preparation>, named: Classes) -> (Option<Preparation>, Classes) {
    match zoo(network).and_then(|entry| entry.pretrained) {
        Some(pretrained) => (
            given.or_else(|| pretrained.preparation(&network.graph)),
            named.or_assumed(pretrained::classes(&network.graph)),
        ),
        None => (given, named),
    }
}

/// How images are prepared for a network of which no weights file says it.
pub fn assumed(network: &Network) -> Preparation {
    let pretrained = zoo(network).and_then(|entry| entry.pretrained?.preparation(&network.graph));
    pretrained.unwrap_or_else(|| Preparation::assumed(&network.graph))
}

/// The zoo's entry of a network, unless it is one of that name in a file of somebody's.
fn zoo(network: &Network) -> Option<&'static Entry> {
    let named = find(&network.name).ok()?;
    (named.graph.name == network.graph.name && !network::is_cnn(Path::new(&network.word))).then_some(named)
}

/// What torchvision does to images, after what a file does not say.
fn words(Preparation { shape: [_, height, width], resize, normalisation, .. }: &Preparation) -> String {
    let Normalisation { mean, std } = normalisation;
    let [mean, std] = [mean, std].map(|list| list.iter().map(f32::to_string).collect::<Vec<_>>().join(", "));
    format!(
        "ImageNet's preparation as torchvision does it is used: the shorter side resized to {}, the middle of {height}x{width}, mean \
         {mean}, deviation {std}",
        resize.unwrap_or_default()
    )
}

/// Says which sizes the weights have given to a network of the zoo, where they are not its own.
fn say_sizes(network: &Network, weights: &Path, about: &Metadata) -> std::io::Result<()> {
    let sizes = |graph: &Graph| (graph.input().chw(), graph.output_shape().len());
    let (input, classes) = sizes(&network.graph);
    match zoo(network) {
        Some(entry) if network::says_source(about) && sizes(entry.graph) != (input, classes) => {
            let [c, h, w] = input;
            let weights = weights.display();
            say(&format!("note: {weights} is of {} for {classes} classes, with an input of {c}x{h}x{w}", entry.name))
        }
        _ => Ok(()),
    }
}

/// The error with a way to get weights, if there are none.
fn hinted(error: Box<dyn Error>, word: &str) -> String {
    match error.downcast_ref() {
        Some(WeightsError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            format!("{error}: train the network with `{} train {word}`, or name a file by --weights", program())
        }
        _ => error.to_string(),
    }
}
