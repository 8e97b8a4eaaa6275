//! Which pictures are looked at, and how they come to be what the network takes.

use super::context::{Context, Shown};
use super::{Arguments, softmax};
use crate::{predict, source};
use convnet::checkpoint::Metadata;
use convnet::data::{Split, decode};
use convnet::explain::{ExplainError, Subject, Volume};
use convnet::graph::Graph;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::error::Error;
use std::path::Path;

/// Pictures of the test set that are shown, unless the user says which.
const SHOWN: usize = 3;

/// Takes the pictures that were named or, where none were, some of the dataset. Says what had to be done to them.
pub fn choose(context: &mut Context<'_>, about: &Metadata) -> Result<Vec<String>, Box<dyn Error>> {
    let arguments = context.arguments;
    let mut notes = Vec::new();
    for path in &arguments.image {
        let (picture, note) = read(path, context, about, arguments.strict)?;
        notes.extend(note);
        let stem = path.file_stem().map_or("picture".into(), |name| name.to_string_lossy().into_owned());
        // Pictures of one name from several folders get files of their own.
        let taken = |name: &String| context.pictures.iter().any(|shown| shown.name == *name);
        let numbered = (2..).map(|n| format!("{stem}-{n}"));
        let name = std::iter::once(stem.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(stem);
        context.pictures.push(shown(context.subject, name, picture)?);
    }
    for (index, picture) in of_dataset(arguments, context)? {
        context.pictures.push(shown(context.subject, format!("picture-{index}"), picture)?);
    }
    match context.pictures.is_empty() {
        true => Err("there is no picture to explain: name one by --image FILE, or a dataset by --data".into()),
        false => Ok(notes),
    }
}

/// Whether a network could be one of the bundled digits.
pub fn takes_digits(graph: &Graph) -> bool {
    let [channels, height, width] = graph.input().chw();
    channels == 1 && height.min(width) >= 28 && graph.output_shape().len() == 10
}

/// The dataset that was named or, for networks of digits, the bundled one.
pub fn dataset(arguments: &Arguments, graph: &Graph) -> Result<Option<Split>, Box<dyn Error>> {
    match arguments.source.data.is_some() || takes_digits(graph) {
        true => {
            let opened = arguments.source.open(0)?;
            source::say_notes(&opened)?;
            Ok(Some(opened.into_split()))
        }
        false => Ok(None),
    }
}

/// The pictures of the test set to show: those that were asked for, or one of each of the first classes.
fn of_dataset(arguments: &Arguments, context: &Context<'_>) -> Result<Vec<(usize, Volume)>, Box<dyn Error>> {
    let Some(data) = &context.data else {
        return match arguments.index.is_empty() {
            true => Ok(Vec::new()),
            false => Err("--index names pictures of a dataset: name that by --data".into()),
        };
    };
    let test = &data.test;
    let mut indices = arguments.index.clone();
    if let Some(index) = indices.iter().find(|index| **index >= test.len()) {
        return Err(format!("the test set has {} pictures, so there is no number {index}", test.len()).into());
    }
    if indices.is_empty() && arguments.image.is_empty() {
        let mut classes = Vec::new();
        let wanted = SHOWN.min(test.classes().len());
        indices = (0..test.len())
            .filter(|i| {
                let new = !classes.contains(&test.label(*i));
                classes.push(test.label(*i));
                new
            })
            .take(wanted)
            .collect();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut read = |index: usize| {
        let mut pixels = Vec::new();
        context.pipeline.extend(test.picture(index)?, &mut rng, &mut pixels)?;
        Ok((index, Volume::new(context.pipeline.shape, pixels)))
    };
    indices.into_iter().map(&mut read).collect()
}

/// A picture from a file, and what had to be done to it.
fn read(
    path: &Path,
    context: &Context<'_>,
    about: &Metadata,
    strict: bool,
) -> Result<(Volume, Option<String>), Box<dyn Error>> {
    let shape = context.pipeline.shape;
    let found = decode::read(path)?.shape;
    let form =
        |[c, h, w]: [usize; 3]| format!("{h}x{w} in {}", if c == 1 { "grey".into() } else { format!("{c} colours") });
    let differs = found != shape;
    if differs && strict {
        let (found, shape) = (form(found), form(shape));
        return Err(format!("{}: is {found}, and the network takes {shape}", path.display()).into());
    }
    let trained_on = about.get("picture").and_then(|shape| serde_json::from_str(shape).ok());
    let (pixels, inverted) = predict::read(path, &context.pipeline, trained_on, predict::Invert::Auto)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let mut done = Vec::new();
    if differs {
        done.push(format!("is {}, brought to {}", form(found), form(shape)));
    }
    if inverted {
        done.push("has a bright ground, inverted".into());
    }
    let note = (!done.is_empty()).then(|| format!("{} {}", path.display(), done.join(" and ")));
    Ok((Volume::new(shape, pixels), note))
}

fn shown(subject: &dyn Subject, name: String, picture: Volume) -> Result<Shown, ExplainError> {
    let logits = subject.values(&[(0, &picture.values)], &[subject.graph().output])?.remove(0);
    let probabilities = softmax(&logits);
    let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap_or(0);
    Ok(Shown { name, picture, said: (best, probabilities[best]) })
}
