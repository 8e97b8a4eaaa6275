//! `convnet explain`: what a network has learned, as images, numbers and one page.
//!
//! The methods are the library's; here are only the choice of what to look at and the words around it. Everything below
//! `Task::run` sees the network as a [`convnet::explain::Inspectable`] and is compiled once.

mod attribution;
mod concepts;
mod context;
mod folder;
mod images;
mod layers;
mod said;

use crate::common::{self, Outcome, RunOn, Task, print, say};
use crate::load::Loading;
use crate::network::{self, Network, Sizes};
use crate::own;
use crate::progress::Bar;
use crate::source::Source;
use crate::trained::{Labelling, Preparing, Trained};
use clap::ValueEnum;
use context::Context;
use convnet::atomic_file;
use convnet::backend::Backend;
use convnet::data::NormalisationKind;
use convnet::device::DeviceChoice;
use convnet::explain::backprop::Rule;
use convnet::explain::{ExplainError, Inspectable, NetworkView};
use convnet::net::AnyNetwork;
use convnet::objective::{Numbers, Prediction, Task as Meaning};
use convnet::report::{Finding, Table, findings_page};
use convnet::train::{self, Config, Event, Flow, Trainer};
use convnet::wording::counted;
use folder::OutputFolder;
use std::error::Error;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  convnet explain\n  convnet explain grad-cam resnet18 --weights resnet18.pth --image cat.jpg\n  \
    convnet explain deconvnet lenet5 --layer conv2 --channel 3\n  convnet explain dissect lenet5 --layer conv2 --concepts folder"
)]
pub struct Arguments {
    /// The method
    #[arg(value_enum, default_value = "all")]
    method: Method,
    /// The network: a name that `models` lists, a .cnn file or a weights file
    #[arg(default_value_t = network::usual())]
    model: String,
    #[command(flatten)]
    sizes: Sizes,
    /// The weights file of the trained network [default: MODEL.safetensors]
    #[arg(long)]
    weights: Option<PathBuf>,
    #[command(flatten)]
    loading: Loading,
    /// An image, PNG or JPEG; may be given several times [default: some of the test set]
    #[arg(long)]
    image: Vec<PathBuf>,
    /// An image of the test set, by its number counted from 0; may be given several times
    #[arg(long, value_name = "NUMBER")]
    index: Vec<usize>,
    /// The layer; `summary MODEL` lists them [default: depends on the method]
    #[arg(long)]
    pub layer: Option<String>,
    /// The channel of the layer, counted from 0 [default: the strongest for the image]
    #[arg(long)]
    pub channel: Option<usize>,
    /// The unit of the channel, by its row and column in the feature map; of a mask, the pixel [default: depends on the method; of masks, all
    /// pixels where the network sees the class]
    #[arg(long, value_name = "ROW,COLUMN", value_parser = position)]
    pub at: Option<[usize; 2]>,
    /// The class, label or number that is asked about, by name or number [default: the most probable class or label, the first number, and of
    /// masks the class with the most pixels, the first one left out]
    #[arg(long)]
    pub class: Option<String>,
    /// Folder of concepts: CONCEPT/*.png, or CONCEPT/images and CONCEPT/masks with files of the same names [default: the classes]
    #[arg(long)]
    pub concepts: Option<PathBuf>,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    labelling: Labelling,
    #[command(flatten)]
    preparing: Preparing,
    /// Number of images of the test set, for methods that look at many
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..))]
    pub limit: u32,
    /// Steps of maximise, invert and integrated [default: depends on the method]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: Option<u32>,
    /// Side of the square that occlusion hides, in pixels [default: a fourteenth of the image, at least 4]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub patch: Option<u32>,
    /// Distance between these squares, in pixels [default: half of their side]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub stride: Option<u32>,
    /// Random seed of the methods that draw random numbers
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Refuse images of another size or colour instead of fitting them
    #[arg(long)]
    strict: bool,
    /// The folder for images, numbers (.npz) and index.html; what an earlier run has written into it is replaced
    #[arg(long, default_value = "explained")]
    out: PathBuf,
    #[command(flatten)]
    on: RunOn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Method {
    /// All methods that fit the network, on one page
    All,
    /// The filters of a convolution, and the images that drive its channels most
    Filters,
    /// The feature maps of a layer
    Activations,
    /// The share of zeros in the activations of each layer
    Sparsity,
    /// Nearest neighbours of an image in the feature space of a layer
    Neighbours,
    /// What made a unit respond, projected back by a deconvnet
    Deconvnet,
    /// What made a unit respond, by guided backpropagation
    Guided,
    /// The image that activates a class or a channel most
    Maximise,
    /// The gradient of a class with respect to the pixels
    Gradient,
    /// The gradient times the pixels
    GradientInput,
    /// SmoothGrad: the mean gradient over noisy copies of the image
    SmoothGrad,
    /// Integrated gradients from a black image
    Integrated,
    /// Grad-CAM: where a layer has seen the class
    GradCam,
    /// How much the class loses when a part of the image is hidden
    Occlusion,
    /// Code inversion: an image made from the activations of a layer
    Invert,
    /// Network dissection: which channel detects which concept
    Dissect,
    /// TCAV: which concepts a class depends on
    Tcav,
    /// The theoretical and the effective receptive field of a unit
    Field,
    /// How much shifting and turning the image changes a layer, before and after pooling
    Invariance,
}

fn position(text: &str) -> Result<[usize; 2], String> {
    let numbers: Vec<usize> = text.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    match numbers[..] {
        [row, column] if text.split(',').count() == 2 => Ok([row, column]),
        _ => Err("it must be a row and a column, as in 3,4".into()),
    }
}

/// In the order of the page.
const ALL: [Method; 18] = [
    Method::Filters,
    Method::Activations,
    Method::Sparsity,
    Method::Gradient,
    Method::GradientInput,
    Method::SmoothGrad,
    Method::Integrated,
    Method::GradCam,
    Method::Occlusion,
    Method::Deconvnet,
    Method::Guided,
    Method::Maximise,
    Method::Invert,
    Method::Neighbours,
    Method::Dissect,
    Method::Tcav,
    Method::Field,
    Method::Invariance,
];

pub fn run(arguments: Arguments) -> Outcome {
    let network = Network::find_trained(&arguments.model, &arguments.sizes, arguments.weights.as_deref())?;
    let on = arguments.on.clone();
    common::run(network, &on, arguments.seed, Explain(arguments))
}

struct Explain(Arguments);

impl Task for Explain {
    fn run<D: Backend<f32>>(self, network: Network, device: D, _: DeviceChoice) -> Outcome {
        let Explain(arguments) = self;
        let mut net = network.build(&device)?;
        let (weights, loading) = (arguments.weights.as_deref(), &arguments.loading);
        let default = network::default_weights(&network.name);
        let trained = match weights.or(network.weights.as_deref()).is_some()
            || default.exists()
            || !images::takes_digits(&network.graph)
        {
            true => Trained::load(&network, &mut *net, weights, loading, arguments.preparing)?,
            false => trained_briefly(&network, &mut *net, &device, default, arguments.preparing)?,
        };
        explain(&arguments, &*NetworkView::new(&*net, &device), trained)
    }
}

/// Trains a network of digits, for want of weights.
fn trained_briefly<D: Backend<f32>>(
    network: &Network,
    net: &mut dyn AnyNetwork<f32, D>,
    device: &D,
    weights: PathBuf,
    preparing: Preparing,
) -> Result<Trained, Box<dyn Error>> {
    let name = &network.word;
    say(&format!(
        "{} is not there: training {name} for two epochs on the digits that the program carries; for a better network run \
         `{} train {name}` first",
        weights.display(),
        own::program()
    ))?;
    let config = Config { epochs: 2, normalisation: NormalisationKind::Mnist, ..Config::default() };
    let bar = Bar::new("training");
    let trainer = Trainer::new(net, device).config(config).callback(|_: Event<'_>, run: &train::Run<'_>| {
        bar.at(run.progress.step as usize, run.steps as usize * run.config.epochs);
        Ok(Flow::Continue)
    });
    let summary = trainer.train(&convnet::data::mnist::bundled()?.shared())?;
    drop(bar);
    say(&format!("test accuracy {:.2} %", summary.evaluation.accuracy() * 100.0))?;
    Trained::new(network, weights, summary.metadata, preparing)
}

fn explain(arguments: &Arguments, network: &dyn Inspectable, trained: Trained) -> Outcome {
    let data = images::dataset(arguments, network.graph(), &trained)?;
    let Trained { preparation, classes, task, about, .. } = trained;
    let classes = classes.names().to_vec();
    let numbers = (task == Meaning::Numbers).then(|| Numbers::of(&about, classes.len())).transpose()?;
    let mut context = Context { arguments, network, classes, task, numbers, preparation, images: Vec::new(), data };
    let notes = images::choose(&mut context)?;
    for note in &notes {
        say(&format!("note: {note}"))?;
    }
    let mut folder = OutputFolder::open(&arguments.out)?;
    let chosen = if arguments.method == Method::All { &ALL[..] } else { std::slice::from_ref(&arguments.method) };
    let mut findings = Vec::new();
    for method in chosen {
        let finding = match find(&context, *method) {
            Ok(finding) => finding,
            // On the page of all, a method that does not fit the network says why and gives its place to the next.
            Err(error) if arguments.method == Method::All && misfits(error.as_ref()) => {
                say(&format!("note: {}: {error}", word(*method)))?;
                continue;
            }
            Err(error) => return Err(error),
        };
        for note in &finding.notes {
            say(&format!("note: {note}"))?;
        }
        folder.add(&finding.write(&arguments.out)?)?;
        if arguments.method == Method::All {
            say(&word(*method))?;
        }
        findings.push(finding);
    }
    let said = context.images.iter().map(|shown| context.says(shown)).collect::<Vec<_>>().join("; ");
    let notes: String = notes.iter().map(|note| format!(" {note}.")).collect();
    let graph = network.graph();
    let lead = format!("{} ({}) on {said}.{notes}", graph.name, counted(graph.param_count(), "parameter"));
    let index = folder.join("index.html");
    let title = format!("What {} has learned", graph.name);
    atomic_file::write(&index, findings_page(&title, &lead, &findings).as_bytes())
        .map_err(|error| format!("cannot write {}: {error}", index.display()))?;
    folder.add(std::slice::from_ref(&index))?;
    if let Some(note) = folder.close()? {
        say(&format!("note: {note}"))?;
    }
    for finding in &findings {
        finding.tables.iter().filter(|_| arguments.method != Method::All).try_for_each(|table| print(&text(table)))?;
    }
    Ok(print(&format!("{} and the images and numbers beside it", index.display()))?)
}

fn find(context: &Context<'_>, method: Method) -> Result<Finding, Box<dyn Error>> {
    match method {
        Method::Filters => layers::filters(context),
        Method::Activations => layers::activations(context),
        Method::Sparsity => layers::sparsity(context),
        Method::Neighbours => concepts::neighbours(context),
        Method::Deconvnet => attribution::backward(context, Rule::Deconvnet),
        Method::Guided => attribution::backward(context, Rule::Guided),
        Method::Maximise => layers::maximise(context),
        Method::Gradient | Method::GradientInput | Method::SmoothGrad | Method::Integrated => {
            attribution::gradients(context, method)
        }
        Method::GradCam => attribution::grad_cam(context),
        Method::Occlusion => attribution::occlusion(context),
        Method::Invert => layers::invert(context),
        Method::Dissect => concepts::dissect(context),
        Method::Tcav => concepts::tcav(context),
        Method::Field => layers::field(context),
        Method::Invariance => layers::invariance(context),
        Method::All => Err("each method by itself".into()),
    }
}

/// Whether an error says that a method has no meaning for this network or data, which is no failure.
fn misfits(error: &(dyn Error + 'static)) -> bool {
    match error.downcast_ref() {
        Some(ExplainError::Method { .. } | ExplainError::TooFew(_)) => true,
        Some(_) => false,
        None => error.to_string().contains("--data"),
    }
}

fn word(method: Method) -> String {
    method.to_possible_value().map_or(String::new(), |value| value.get_name().to_string())
}

pub fn softmax(logits: &[f32]) -> Vec<f32> {
    Prediction::from_logits(logits).probabilities
}

fn text(table: &Table) -> String {
    let rows: Vec<Vec<String>> = std::iter::once(&table.head).chain(&table.rows).cloned().collect();
    format!("{}\n{}", table.caption, common::aligned(&rows))
}
