//! Which images are looked at, and how they come to be what the network takes.

use super::Arguments;
use super::context::{Context, Shown};
use super::said::Said;
use crate::common::say;
use crate::progress::Bar;
use crate::trained::Trained;
use convnet::data::{Dataset, decode};
use convnet::explain::Volume;
use convnet::graph::Graph;
use convnet::objective::Task;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

/// Images of the test set that are shown, unless the user says which.
const SHOWN: usize = 3;

/// Takes the images that were named or, where none were, some of the dataset. Says what had to be done to them.
pub fn choose(context: &mut Context<'_>) -> Result<Vec<String>, Box<dyn Error>> {
    let arguments = context.arguments;
    let mut notes = Vec::new();
    let bar = Bar::new("reading images");
    for (i, path) in arguments.image.iter().enumerate() {
        bar.at(i, arguments.image.len());
        let (image, note) = read(path, context, arguments.strict)?;
        notes.extend(note);
        let stem = path.file_stem().map_or("image".into(), |name| name.to_string_lossy().into_owned());
        // Images of one name from several folders get files of their own.
        let taken = |name: &String| context.images.iter().any(|shown| shown.name == *name);
        let numbered = (2..).map(|n| format!("{stem}-{n}"));
        let name = std::iter::once(stem.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(stem);
        context.images.push(shown(context, name, image)?);
    }
    for (index, image) in of_dataset(arguments, context)? {
        context.images.push(shown(context, format!("image-{index}"), image)?);
    }
    match context.images.is_empty() {
        true => Err("there is no image to explain: name one by --image FILE, or a dataset by --data".into()),
        false => Ok(notes),
    }
}

/// Whether a network could be one of the bundled digits.
pub fn takes_digits(graph: &Graph) -> bool {
    let [channels, height, width] = graph.input().chw();
    channels == 1 && height.min(width) >= 28 && graph.output_shape().len() == 10
}

/// The test set of the dataset that was named or, for networks of digits, of the bundled one.
pub fn dataset(
    arguments: &Arguments,
    graph: &Graph,
    trained: &Trained,
) -> Result<Option<Arc<dyn Dataset>>, Box<dyn Error>> {
    let named = arguments.source.data.is_some() || arguments.source.dataset.is_some();
    let digits = || (0..10).map(|digit| digit.to_string());
    match takes_digits(graph) && !named {
        true if trained.classes.names().iter().cloned().ne(digits()) => {
            let classes = trained.classes.names().join(", ");
            say(&format!("note: the network distinguishes {classes}, not digits; name a dataset of these by --data"))?;
            Ok(None)
        }
        digits => (named || digits).then(|| trained.test(&arguments.source, arguments.labelling)).transpose(),
    }
}

/// The images of the test set to show: those that were asked for, or one of each of the first classes.
fn of_dataset(arguments: &Arguments, context: &Context<'_>) -> Result<Vec<(usize, Volume)>, Box<dyn Error>> {
    let Some(test) = &context.data else {
        return match arguments.index.is_empty() {
            true => Ok(Vec::new()),
            false => Err("--index names images of a dataset: name that by --data".into()),
        };
    };
    let mut indices = arguments.index.clone();
    if let Some(index) = indices.iter().find(|index| **index >= test.len()) {
        return Err(format!("the test set has {} images, so there is no number {index}", test.len()).into());
    }
    if indices.is_empty() && arguments.image.is_empty() && context.task != Task::Classes {
        indices = (0..test.len().min(SHOWN)).collect();
    } else if indices.is_empty() && arguments.image.is_empty() {
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
    let read = |index: usize| {
        let pixels = context.preparation.pixels(&test.image(index)?)?;
        Ok((index, Volume::new(context.preparation.shape, pixels)))
    };
    indices.into_iter().map(read).collect()
}

/// An image from a file, and what had to be done to it.
fn read(path: &Path, context: &Context<'_>, strict: bool) -> Result<(Volume, Option<String>), Box<dyn Error>> {
    let shape = context.preparation.shape;
    let image = decode::read(path)?;
    let found = image.shape;
    let form =
        |[c, h, w]: [usize; 3]| format!("{h}x{w} in {}", if c == 1 { "grey".into() } else { format!("{c} colours") });
    let differs = found != shape;
    if differs && strict {
        let (found, shape) = (form(found), form(shape));
        return Err(format!("{}: is {found}, and the network takes {shape}", path.display()).into());
    }
    let pixels = context.preparation.pixels(&image).map_err(|error| error.of(path))?;
    let mut done = Vec::new();
    if differs {
        done.push(format!("is {}, brought to {}", form(found), form(shape)));
    }
    if context.preparation.inverts(&image) {
        done.push("inverted".into());
    }
    let note = (!done.is_empty()).then(|| format!("{} {}", path.display(), done.join(" and ")));
    Ok((Volume::new(shape, pixels), note))
}

fn shown(context: &Context<'_>, name: String, image: Volume) -> Result<Shown, Box<dyn Error>> {
    let graph = context.graph();
    let output = context.network.values(&[(0, &image.values)], &[graph.output()])?.remove(0);
    let said = Said::of(context.task, graph, &context.classes, context.numbers.as_ref(), &output);
    let said = said.ok_or_else(|| format!("{name}: the network gives values that are not numbers"))?;
    Ok(Shown { name, image, said })
}
