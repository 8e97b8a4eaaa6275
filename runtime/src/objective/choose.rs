//! The objective of a network and a dataset: told by the task, or by the kind of targets and the shape of the output.

use super::classes::Classes;
use super::labels::Labels;
use super::masks::{IGNORE, Masks};
use super::numbers::{self, Numbers};
use super::{Itself, Loss, Metric, Objective, ObjectiveError, Task};
use crate::data::{DataError, Dataset, Target, TargetKind};
use crate::graph::{Graph, Shape};
use crate::weights::Metadata;
use crate::wording::counted;
use std::sync::Arc;

/// What is wanted of an objective; without a word, the usual.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// What the output means.
    pub task: Task,
    /// What the network learns by.
    pub loss: Loss,
    /// The share of a label that is spread evenly over all classes.
    pub smoothing: f64,
    /// What each class counts in the loss; empty where all count the same. For labels, what an image that has one counts beside one that has not.
    pub weights: Vec<f64>,
    /// A class of masks whose pixels are ignored.
    pub ignore: Option<usize>,
    /// The standard deviation that each channel of an image, from 0 to 1, is divided by.
    pub std: Vec<f32>,
}

/// The objective for a network on a dataset.
///
/// # Errors
/// When the network has several outputs, the task needs other targets than the dataset has, the network's output does not fit them, an option has no meaning for the task, or numbers of
/// the dataset cannot be read.
pub fn choose(options: &Options, data: &dyn Dataset, graph: &Graph) -> Result<Arc<dyn Objective>, Error> {
    ObjectiveError::of_one_output(graph)?;
    let kind = data.target_kind();
    let task = match options.task {
        Task::Auto => told(kind, data.classes().len(), graph),
        task => task,
    };
    if let Some(wanted) = task.target_kind().filter(|wanted| *wanted != kind) {
        return Err(ObjectiveError::Targets { task: task.to_string(), wanted, found: kind }.into());
    }
    fits(task, data, graph)?;
    let scale = if task == Task::Numbers { Some(scale(data)?) } else { None };
    Ok(made(task, options, data.classes().len(), scale)?)
}

/// Why there is no objective.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The network and the dataset do not go together.
    #[error(transparent)]
    Objective(#[from] ObjectiveError),
    /// The dataset cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// What is most likely meant.
fn told(kind: TargetKind, classes: usize, graph: &Graph) -> Task {
    let like_input = graph.output_shape() == graph.input();
    match kind {
        TargetKind::Class if like_input && graph.output_shape() != Shape::Vector(classes) => Task::Itself,
        TargetKind::Class => Task::Classes,
        TargetKind::Labels => Task::MultiLabel,
        TargetKind::Mask => Task::Masks,
        TargetKind::Numbers => Task::Numbers,
        TargetKind::Nothing => Task::Itself,
    }
}

/// Whether the output has the shape of the targets.
fn fits(task: Task, data: &dyn Dataset, graph: &Graph) -> Result<(), ObjectiveError> {
    let (output, input, classes) = (graph.output_shape(), graph.input(), data.classes().len());
    let [_, height, width] = input.chw();
    let of_map = |channels: usize| Shape::Map([channels, height, width]);
    let (wanted, found) = match task {
        Task::Masks => (of_map(classes), format!("masks of {}", counted(classes, "class"))),
        Task::Itself => (input, format!("{}, which the network is to give back as they are", data.target_kind())),
        Task::Numbers => (Shape::Vector(classes), format!("{} for each image", counted(classes, "number"))),
        Task::MultiLabel => (Shape::Vector(classes), format!("{} for each image", counted(classes, "label"))),
        Task::Auto | Task::Classes => (Shape::Vector(classes), counted(classes, "class")),
    };
    // A map of one pixel is as good as a vector, and a vector as a map of one pixel.
    let same = output == wanted
        || output.len() == wanted.len() && matches!(wanted, Shape::Vector(_)) && output.chw()[0] == wanted.len();
    if same {
        return Ok(());
    }
    let fix = match (task, output) {
        (Task::Masks, Shape::Map([c, h, w])) if [h, w] == [height, width] => {
            format!("its last layer must give {classes} channels, one for each class, and not {c}")
        }
        (Task::Masks, Shape::Map([c, ..])) if c == classes => {
            format!(
                "end it with `upsample(size = [{height}, {width}], bilinear)`, so that each pixel of the input gets its classes"
            )
        }
        _ => format!("it must give {wanted}"),
    };
    Err(ObjectiveError::Output { found, network: graph.name.to_string(), output: output.to_string(), fix })
}

fn made(
    task: Task,
    options: &Options,
    classes: usize,
    scale: Option<[Vec<f64>; 2]>,
) -> Result<Arc<dyn Objective>, ObjectiveError> {
    let Options { smoothing, weights, ignore, .. } = options.clone();
    let loss = options.loss.of(task)?;
    let without = |option: &str, given: bool| match given {
        true => Err(ObjectiveError::Option {
            what: option.into(),
            found: format!("it has no meaning for the task `{task}`"),
            expected: "leave it out".into(),
        }),
        false => Ok(()),
    };
    if !matches!(task, Task::Auto | Task::Classes | Task::Masks) {
        without("label_smoothing", smoothing > 0.0)?;
    }
    without("ignore", ignore.is_some() && task != Task::Masks)?;
    if matches!(task, Task::Numbers | Task::Itself) {
        without("class_weights or balance", !weights.is_empty())?;
    }
    if let Some(class) = ignore.filter(|class| *class >= classes) {
        return Err(ObjectiveError::Option {
            what: "ignore".into(),
            found: format!("there is no class {class}"),
            expected: format!("it must be below {classes}, the number of classes"),
        });
    }
    Ok(match task {
        Task::Auto | Task::Classes => Arc::new(Classes { loss, smoothing, weights, classes }),
        Task::MultiLabel => Arc::new(Labels { positive: weights, labels: classes }),
        Task::Masks => Arc::new(Masks { loss, smoothing, weights, classes, ignore }),
        Task::Numbers => {
            let [mean, std] = scale.unwrap_or_else(|| [vec![0.0; classes], vec![1.0; classes]]);
            Arc::new(Numbers { loss, mean, std })
        }
        Task::Itself => Arc::new(Itself { loss, std: options.std.iter().map(|x| f64::from(*x)).collect() }),
    })
}

/// The objective of a network that has been trained, from the metadata of its weights; without a word there, one of classes. `std` is as in [`Options`].
///
/// # Errors
/// When the metadata says something that has no meaning, or a task that this program does not know.
pub fn of_weights(about: &Metadata, graph: &Graph, std: &[f32]) -> Result<(Task, Arc<dyn Objective>), ObjectiveError> {
    let task = Task::of(about)?;
    let outputs = graph.output_shape().chw()[0];
    let wrong = |key: &'static str, expected: String| ObjectiveError::Metadata {
        key,
        found: about.get(key).cloned().unwrap_or_default(),
        expected,
    };
    let ignore = about.get(IGNORE).filter(|_| task == Task::Masks).map(|text| {
        let found = text.parse().ok().filter(|class| *class < outputs);
        found.ok_or_else(|| wrong(IGNORE, format!("a class below {outputs}")))
    });
    let scale = match task {
        Task::Numbers => Some(numbers::scale(about, outputs)?),
        _ => None,
    };
    let options = Options { task, ignore: ignore.transpose()?, std: std.to_vec(), ..Options::default() };
    Ok((task, made(task, &options, outputs, scale)?))
}

/// The mean and the standard deviation of each number of a dataset.
fn scale(data: &dyn Dataset) -> Result<[Vec<f64>; 2], DataError> {
    let names = data.classes().len();
    let (mut sums, mut squares) = (vec![0.0; names], vec![0.0; names]);
    let rows = (0..data.len()).map(|i| match data.target(i)? {
        Target::Numbers(numbers) => Ok(numbers.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>()),
        _ => Ok(vec![0.0; names]),
    });
    let rows = rows.collect::<Result<Vec<_>, DataError>>()?;
    let images = rows.len().max(1) as f64;
    rows.iter().for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x / images));
    // Around the mean, lest the squares of large numbers eat up what differs.
    for row in &rows {
        squares.iter_mut().zip(row).zip(&sums).for_each(|((square, x), mean)| *square += (x - mean).powi(2) / images);
    }
    let std = squares.into_iter().map(|square| if square > 0.0 { square.sqrt() } else { 1.0 });
    Ok([sums, std.collect()])
}

/// How often each class is there: images of it, images that have the label, or pixels.
///
/// # Errors
/// When a mask cannot be read.
pub fn counts(data: &dyn Dataset) -> Result<Vec<usize>, DataError> {
    let names = data.classes().len();
    let mut counts = vec![0; names];
    for i in 0..data.len() {
        match data.target(i)? {
            Target::Class(class) => counts[class] += 1,
            Target::Labels(labels) => {
                counts.iter_mut().zip(labels.iter()).for_each(|(n, there)| *n += usize::from(*there))
            }
            Target::Mask(mask) => {
                for class in mask.pixels.iter().map(|class| usize::from(*class)).filter(|class| *class < names) {
                    counts[class] += 1;
                }
            }
            Target::Numbers(_) | Target::Nothing => {}
        }
    }
    Ok(counts)
}

/// The main metric of a task, by its name; none, if it is one of somebody's own.
#[doc(hidden)]
pub fn main_metric(task: &str) -> Option<Metric> {
    let (_, task) = Task::NAMES.into_iter().find(|(name, _)| *name == task)?;
    let objective = made(task, &Options::default(), 2, None).ok()?;
    objective.metrics().into_iter().next()
}
