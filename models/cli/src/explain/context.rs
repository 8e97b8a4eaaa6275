//! What all methods share: the network, the images to look at, the choice of layers and units, a progress bar.

use super::Arguments;
use super::said::Said;
use crate::progress::Bar;
use convnet::data::{Dataset, Loader, LoaderOptions, Preparation, Sampling, Subset, classes};
use convnet::explain::{ExplainError, Inspectable, Place, Unit, Volume, last_map, layer, narrowest_map, strongest};
use convnet::graph::{Graph, Shape};
use convnet::objective::{Numbers, Task};
use convnet::report::paint;
use image::RgbImage;
use std::error::Error;
use std::sync::Arc;

/// An image to look at.
pub struct Shown {
    /// For names of files.
    pub name: String,
    /// `[C, H, W]`, as the network takes it.
    pub image: Volume,
    /// What the network says.
    pub said: Said,
}

/// Everything that a method may ask for.
pub struct Context<'a> {
    pub arguments: &'a Arguments,
    pub network: &'a dyn Inspectable,
    /// Names of the classes, the labels or the numbers.
    pub classes: Vec<String>,
    /// What the output means.
    pub task: Task,
    /// How numbers are told from the output.
    pub numbers: Option<Numbers>,
    pub preparation: Preparation,
    pub images: Vec<Shown>,
    /// A test set with the network's classes, where there is one.
    pub data: Option<Arc<dyn Dataset>>,
}

impl Context<'_> {
    pub fn graph(&self) -> &Graph {
        self.network.graph()
    }

    /// The layer that was asked for, or another one.
    pub fn layer_or(&self, other: usize) -> Result<usize, ExplainError> {
        self.arguments.layer.as_ref().map_or(Ok(other), |name| layer(self.graph(), name))
    }

    /// The last feature map of more than one pixel; of a network that gives a map itself, the last of its smallest ones.
    pub fn last_map(&self) -> Result<usize, ExplainError> {
        let found = match self.task {
            Task::Masks | Task::Itself => narrowest_map(self.graph()),
            _ => None,
        };
        found.or_else(|| last_map(self.graph())).ok_or_else(|| ExplainError::Method {
            method: "this method",
            needs: "needs feature maps",
            found: format!("{} has none of more than one pixel", self.graph().name),
            fits: ["gradient", "integrated", "maximise"].map(String::from).into(),
        })
    }

    /// The class that was asked for, by name or number.
    pub fn asked_class(&self) -> Result<Option<usize>, Box<dyn Error>> {
        let Some(class) = &self.arguments.class else { return Ok(None) };
        if let Some(index) = classes::position(&self.classes, class) {
            return Ok(Some(index));
        }
        match class.parse() {
            Ok(index) => Ok(Some(Unit::class(self.graph(), index)?.channel)),
            Err(_) => {
                let some: Vec<&str> = self.classes.iter().take(20).map(String::as_str).collect();
                Err(format!("no class is called `{class}`; there are {}", some.join(", ")).into())
            }
        }
    }

    /// What is asked about an image: a channel of the layer if one was named, else a class; with words for it.
    pub fn unit(&self, shown: &Shown) -> Result<(Unit, String), Box<dyn Error>> {
        if self.arguments.layer.is_none() && self.arguments.channel.is_none() {
            return self.output(shown);
        }
        self.neuron(shown, self.last_map()?)
    }

    /// What is asked about the network's output: the class, label or number that was named, or what the network says of the image; of a mask, at the
    /// pixel that was named, or at all where the network sees the class.
    pub fn output(&self, shown: &Shown) -> Result<(Unit, String), Box<dyn Error>> {
        let (graph, asked) = (self.graph(), self.asked_class()?.unwrap_or(shown.said.asked));
        let name = self.class(asked);
        Ok(match (self.task, self.arguments.at) {
            (Task::Masks | Task::Itself, Some([y, x])) => {
                let unit = Unit::new(graph, graph.output(), asked, Place::At([y, x]))?;
                let what = if self.task == Task::Masks { format!("class {name}") } else { format!("channel {asked}") };
                (unit, format!("{what} at row {y}, column {x} of the output"))
            }
            (Task::Masks, None) => {
                let unit = Unit::new(graph, graph.output(), asked, Place::Region)?;
                (unit, format!("class {name}, where the network sees it"))
            }
            (Task::Itself, None) => (Unit::class(graph, asked)?, format!("the mean of channel {asked} of the output")),
            (Task::MultiLabel, _) => (Unit::class(graph, asked)?, format!("label {name}")),
            (Task::Numbers, _) => (Unit::class(graph, asked)?, format!("the number {name}")),
            _ => (Unit::class(graph, asked)?, format!("class {name}")),
        })
    }

    /// An error for methods that look at images of classes, if this network's are none.
    pub fn only_classes(&self, method: &'static str) -> Result<(), ExplainError> {
        if self.task == Task::Classes {
            return Ok(());
        }
        Err(ExplainError::Method {
            method,
            needs: "looks at images of classes",
            found: format!("the task of {} is `{}`", self.graph().name, self.task),
            fits: ["gradient", "grad-cam", "occlusion"].map(String::from).into(),
        })
    }

    /// A neuron of the layer that was asked for, or of `other`: in the channel that was asked for or is strongest, at the place that was
    /// asked for or is strongest.
    pub fn neuron(&self, shown: &Shown, other: usize) -> Result<(Unit, String), Box<dyn Error>> {
        let (graph, node) = (self.graph(), self.layer_or(other)?);
        let place = self.arguments.at.map_or(Place::Strongest, Place::At);
        let channel = match self.arguments.channel {
            Some(channel) => channel,
            None => {
                let values = self.network.values(&[(0, &shown.image.values)], &[node])?.remove(0);
                let [_, height, width] = graph.nodes[node].shape.chw();
                strongest(&values) / (height * width)
            }
        };
        let unit = Unit::new(graph, node, channel, place)?;
        let at = match (place, graph.nodes[node].shape) {
            (_, Shape::Vector(_)) => String::new(),
            (Place::At([y, x]), _) => format!(" at row {y}, column {x}"),
            _ => ", strongest unit".into(),
        };
        Ok((unit, format!("{}, channel {channel}{at}", self.name(node))))
    }

    /// A layer in words: one without a name of its own is called by its place, which says little.
    pub fn name(&self, node: usize) -> String {
        let node = &self.graph().nodes[node];
        let number = |name: &str| name.parse::<usize>().is_ok();
        match node.name.rsplit('.').next() {
            _ if number(&node.name) => format!("layer {} ({})", node.name, node.op.word()),
            Some(last) if number(last) => format!("{} ({})", node.name, node.op.word()),
            _ => node.name.to_string(),
        }
    }

    pub fn class(&self, class: usize) -> String {
        self.classes.get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    /// The image in its own colours.
    pub fn photo(&self, shown: &Shown) -> RgbImage {
        paint::photo(&shown.image, &self.preparation.normalisation)
    }

    /// What the image is, in words.
    pub fn says(&self, shown: &Shown) -> String {
        format!("{}: {}", shown.name, shown.said.text)
    }

    /// The test set.
    pub fn test(&self) -> Result<&Arc<dyn Dataset>, Box<dyn Error>> {
        let missing = "this method looks at many images: name a dataset by --data";
        self.data.as_ref().ok_or_else(|| missing.into())
    }

    /// As many images of the test set as were asked for.
    pub fn loader(&self) -> Result<Loader, Box<dyn Error>> {
        let data: Arc<dyn Dataset> = Arc::new(Subset::limited(self.test()?.clone(), self.arguments.limit as usize, 0));
        let options = LoaderOptions { batch: 64, sampling: Sampling::InOrder, ..LoaderOptions::default() };
        Ok(Loader::new(data, self.preparation.clone().into(), options))
    }

    /// Images of the test set with their classes, as many as were asked for or `most`.
    pub fn many(&self, most: usize) -> Result<Vec<(Volume, usize)>, Box<dyn Error>> {
        let shape = self.graph().input().chw();
        let (mut many, bar) = (Vec::new(), Bar::new("reading images"));
        for batch in self.loader()?.epoch(0, 0) {
            let batch = batch?;
            let images = batch.pixels.chunks_exact(shape.iter().product());
            many.extend(images.zip(&batch.labels).map(|(x, label)| (Volume { shape, values: x.to_vec() }, *label)));
            bar.at(many.len(), most.min(self.arguments.limit as usize));
            if many.len() >= most {
                break;
            }
        }
        many.truncate(most);
        Ok(many)
    }

    /// Calls `work` with something to tell its progress to; a bar is shown once it has taken a second.
    pub fn watched<T>(&self, what: &str, work: impl FnOnce(&mut dyn FnMut(usize, usize)) -> T) -> T {
        let bar = Bar::new(what);
        work(&mut |done, total| bar.at(done, total))
    }

    /// The images to look at, with a bar for methods that ask the network once or twice for each.
    pub fn each(&self, what: &str) -> Box<dyn Iterator<Item = &Shown> + '_> {
        let (bar, all) = (Bar::new(what), self.images.len());
        Box::new(self.images.iter().enumerate().map(move |(i, shown)| {
            bar.at(i, all);
            shown
        }))
    }
}
