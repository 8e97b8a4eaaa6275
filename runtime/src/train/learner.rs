//! A network at work, without its type: all that the training loop asks of it.
//!
//! [`Learner`] is the line between what knows devices and dfdx (this file) and what does not (everything else in this folder).
//! Tensors become vectors here, so the loop, the checkpoints and callbacks know no dfdx.

use super::front::Front;
use super::hyperparameters::Hyperparameters;
use super::variance::has_variance;
use super::{TrainError, loss};
use crate::backend::{Backend, Map, NetTape, Placed, Which};
use crate::distributed::Communicator;
use crate::graph::{Graph, Node, Subgraph};
use crate::net::{AnyNetwork, Outputs, evaluate, gradients, params, train_part};
use crate::objective::{Objective, doubled};
use crate::optim::{Ema, OptimError, Optimizer, ParamInfo, ParamOptions, RestoreError, Step, StepReport};
use crate::weights;
use crate::weights::StateDict;
use dfdx::prelude::*;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// What a pass is for.
#[derive(Clone, Copy)]
pub struct Goal<'a> {
    /// What the network is to learn.
    pub objective: &'a dyn Objective,
    /// `[N, T]`: a row of targets for each image, in the form that the objective takes.
    pub targets: &'a [f32],
    /// What the images of the whole step count together, by which the sum of their losses is divided.
    pub total: f64,
    /// How many images the whole step has.
    pub images: usize,
}

/// What a pass has shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PassReport {
    /// The sum of the losses of its images, divided by what those of the whole step count; auxiliary heads included.
    pub loss: f64,
    /// The sum of the images' scores.
    pub score: f64,
}

/// A network that can learn.
pub trait Learner {
    /// What it is.
    fn graph(&self) -> &Graph;

    /// Starts to learn by these rules.
    ///
    /// # Errors
    /// When the device fails.
    fn begin(&mut self, rules: Hyperparameters) -> Result<(), TrainError>;

    /// How many numbers of each image there are at the end of what is frozen in front of all that learns; none where nothing is.
    fn front(&self) -> Option<usize> {
        None
    }

    /// These numbers for images, `[N, front]`. They are the same each time, whatever else is in the batch. Asked for only where there
    /// is a [`Learner::front`], as are the two methods with `behind_front` in their names.
    ///
    /// # Errors
    /// When the device fails, or the learner has no front.
    fn front_values(&self, pixels: Vec<f32>) -> Result<Vec<f32>, TrainError> {
        let _ = pixels;
        Err(TrainError::NotBegun)
    }

    /// [`Learner::pass`] from such numbers, with the same result as from the pixels.
    ///
    /// # Errors
    /// When the device fails, or the learner has no front.
    fn pass_behind_front(&mut self, values: Vec<f32>, goal: Goal<'_>, seed: u64) -> Result<PassReport, TrainError> {
        let _ = (values, goal, seed);
        Err(TrainError::NotBegun)
    }

    /// [`Learner::outputs`] from such numbers, with the same result as from the pixels.
    ///
    /// # Errors
    /// When the device fails, or the learner has no front.
    fn outputs_behind_front(&self, values: Vec<f32>) -> Result<Vec<f32>, TrainError> {
        let _ = values;
        Err(TrainError::NotBegun)
    }

    /// Adds the gradients of a batch's loss to those that are there. `pixels` is `[N, C, H, W]`; `seed` is that of the dropout masks.
    ///
    /// # Errors
    /// When the device fails.
    fn pass(&mut self, pixels: Vec<f32>, goal: Goal<'_>, seed: u64) -> Result<PassReport, TrainError>;

    /// Adds up the gradients of all ranks, and takes the mean of their buffers (running statistics).
    ///
    /// # Errors
    /// When the device fails.
    fn share(&mut self, ranks: &dyn Communicator) -> Result<(), TrainError>;

    /// A step of the optimiser with the gradients that are there; they are zero afterwards.
    ///
    /// # Errors
    /// When the device fails.
    fn update(&mut self, step: &Step) -> Result<StepReport, TrainError>;

    /// What the network gives in evaluation mode, `[N, ...]`; several outputs of an image stand one after the other.
    ///
    /// # Errors
    /// When the device fails.
    fn outputs(&self, pixels: Vec<f32>) -> Result<Vec<f32>, TrainError>;

    /// Takes the average of the weights into the network, or back out of it; nothing if there is none.
    ///
    /// # Errors
    /// When the device fails.
    fn swap_average(&mut self) -> Result<(), TrainError>;

    /// Parameters and buffers.
    ///
    /// # Errors
    /// When the device fails.
    fn weights(&self) -> Result<StateDict, TrainError>;

    /// Parameters and buffers, the optimiser and the average: all that learning depends on.
    ///
    /// # Errors
    /// When the device fails.
    fn state(&self) -> Result<StateDict, TrainError>;

    /// Goes back to a [`Learner::state`].
    ///
    /// # Errors
    /// When it is not one of this network, learning by these rules.
    fn restore(&mut self, state: &StateDict) -> Result<(), StateError>;

    /// The first layer or parameter, in the order of the network, that has a value which is no finite number, for these
    /// images.
    fn fault(&self, pixels: &[f32]) -> Option<String>;
}

/// Why a learner cannot go back to a state.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Its parameters are not those of the network.
    #[error(transparent)]
    Weights(#[from] weights::Mismatch),
    /// The optimiser or the average is another one.
    #[error(transparent)]
    Optimizer(#[from] RestoreError),
    /// A learner of another kind says why.
    #[error("{0}")]
    Other(String),
}

/// A network on its device, at work.
pub struct NetworkLearner<'a>(Box<dyn Learner + 'a>);

/// A network that is lent to a learner, and its device.
struct Lent<'a>(PhantomData<&'a ()>);

impl<'a> Placed for Lent<'a> {
    type On<D: Backend<f32>> = (&'a mut dyn AnyNetwork<f32, D>, D);
    type Made = Box<dyn Learner + 'a>;

    fn make<D: Backend<f32>>((net, device): Self::On<D>) -> Self::Made {
        Box::new(Bound::new(net, device))
    }
}

impl<'a> NetworkLearner<'a> {
    /// `net` on its device.
    pub fn new<D: Backend<f32>>(net: &'a mut dyn AnyNetwork<f32, D>, device: D) -> Self {
        NetworkLearner(boxed(D::which((net, device))))
    }

    pub(super) fn into_inner(self) -> Box<dyn Learner + 'a> {
        self.0
    }
}

/// Not generic, so it is compiled here.
#[inline(never)]
fn boxed<'a>(lent: Which<Lent<'a>>) -> Box<dyn Learner + 'a> {
    lent.made()
}

impl<'a> Deref for NetworkLearner<'a> {
    type Target = dyn Learner + 'a;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl DerefMut for NetworkLearner<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut *self.0
    }
}

/// A network bound to a device that is known by its type.
struct Bound<'a, D: Backend<f32>> {
    net: &'a mut dyn AnyNetwork<f32, D>,
    device: D,
    gradients: Option<Gradients<f32, D>>,
    learning: Option<Learning>,
}

struct Learning {
    optimizer: Optimizer,
    average: Option<Ema>,
    rules: Hyperparameters,
    front: Front,
}

impl<'a, D: Backend<f32>> Bound<'a, D> {
    fn new(net: &'a mut dyn AnyNetwork<f32, D>, device: D) -> Self {
        Bound { net, device, gradients: None, learning: None }
    }

    fn batch(&self, pixels: Vec<f32>) -> Result<(Map<f32, D>, usize), TrainError> {
        let [c, h, w] = self.net.graph().input().chw();
        let images = pixels.len() / (c * h * w);
        Ok((self.device.try_tensor_from_vec(pixels, (images, c, h, w)).map_err(failed)?, images))
    }

    fn learning(&self) -> Result<&Learning, TrainError> {
        self.learning.as_ref().ok_or(TrainError::NotBegun)
    }

    /// The values that the part that learns reads, computed from pixels, and the number of images.
    fn inputs(&self, pixels: Vec<f32>) -> Result<(Vec<Map<f32, D>>, usize), TrainError> {
        match self.learning()?.front.exists() {
            true => self.at_ends(&self.front_values(pixels)?),
            false => self.batch(pixels).map(|(x, images)| (vec![x], images)),
        }
    }

    /// The same from rows of numbers, one row for each image, as [`Learner::front_values`] gives them.
    fn at_ends(&self, rows: &[f32]) -> Result<(Vec<Map<f32, D>>, usize), TrainError> {
        let (graph, front) = (self.net.graph(), &self.learning()?.front);
        let len = front.len(graph);
        let (images, mut start, mut inputs) = (rows.len() / len, 0, Vec::new());
        for id in &front.ends {
            let [c, h, w] = graph.nodes[*id].shape.chw();
            let end = start + c * h * w;
            let own: Vec<f32> = rows.chunks_exact(len).flat_map(|row| &row[start..end]).copied().collect();
            inputs.push(self.device.try_tensor_from_vec(own, (images, c, h, w)).map_err(failed)?);
            start = end;
        }
        Ok((inputs, images))
    }

    /// What the network gives, computed from the values that the part that learns reads.
    fn outputs_from(&self, (inputs, images): (Vec<Map<f32, D>>, usize)) -> Result<Vec<f32>, TrainError> {
        let rest = self.learning()?.front.rest(self.net.graph(), false);
        let outcome = evaluate(&*self.net, &rest, inputs, NoneTape).map_err(failed)?;
        Ok(rows(&outcome.outputs.iter().map(|output| output.as_vec()).collect::<Vec<_>>(), images))
    }

    /// A pass, computed from the values that the part that learns reads, and their number of images.
    fn pass_from(
        &mut self,
        (mut inputs, images): (Vec<Map<f32, D>>, usize),
        goal: Goal<'_>,
        seed: u64,
    ) -> Result<PassReport, TrainError> {
        let Learning { rules, front, .. } = self.learning.as_ref().ok_or(TrainError::NotBegun)?;
        has_variance(self.net.graph(), images, &front.fixed)?;
        let gradients = self.gradients.take().unwrap_or_else(Gradients::leaky);
        let (first, tape) = inputs.remove(0).traced(gradients).split_tape();
        inputs.insert(0, first);
        // A layer all of whose parameters are frozen keeps its running statistics, too.
        let updates = |index: usize| !rules.params[index].frozen;
        let rest = front.rest(self.net.graph(), true);
        let outputs = train_part(self.net, &rest, inputs, tape, seed, &front.fixed, &updates).map_err(failed)?;
        let graph = self.net.graph();
        let lens: Vec<usize> = graph.outputs.iter().map(|output| graph.nodes[output.node].shape.len()).collect();
        let (report, slope) =
            judged(outputs, (images, &lens), goal, &rules.head_weights, &self.device).map_err(failed)?;
        self.gradients = Some(slope.try_backward().map_err(failed)?);
        Ok(report)
    }
}

/// The numbers of each image together, of several outputs that each have `images` rows.
fn rows(outputs: &[Vec<f32>], images: usize) -> Vec<f32> {
    match outputs {
        [one] => one.clone(),
        several => {
            let row = |image: usize| several.iter().flat_map(move |output| share(output, image, images));
            (0..images).flat_map(row).copied().collect()
        }
    }
}

/// What belongs to one of so many images.
fn share(values: &[f32], image: usize, images: usize) -> &[f32] {
    let len = values.len() / images.max(1);
    &values[image * len..(image + 1) * len]
}

/// What an objective says of the outputs of a pass, each `[N, len]`, and a sum on their tape whose gradient is that of the loss: of the outputs of the
/// network together, and of its auxiliary heads, each times its weight.
fn judged<D: Backend<f32>, T: NetTape<f32, D>>(
    mut outputs: Outputs<f32, D, T>,
    (images, lens): (usize, &[usize]),
    goal: Goal<'_>,
    head_weights: &[f64],
    device: &D,
) -> Result<(PassReport, Tensor<Rank0, f32, D, T>), D::Err> {
    let len = lens.iter().sum();
    if let Some(targets) = goal.objective.softmax_targets(goal.targets, goal.total / goal.images as f64) {
        let targets = device.try_tensor_from_vec(targets, (images, len))?;
        let (logits, loss) = loss(outputs, targets, head_weights)?;
        let share = images as f32 / goal.images as f32;
        let value = f64::from(loss.as_vec().first().copied().unwrap_or(f32::NAN));
        let report = PassReport { loss: value * f64::from(share), score: scored(&logits, len, goal) };
        return Ok((report, if share == 1.0 { loss } else { loss.try_mul(share)? }));
    }
    let mut slopes = Vec::new();
    let mut next = |weight: f64| {
        let parts = lens.iter().map(|len| outputs.next((images, *len))).collect::<Result<Vec<_>, D::Err>>()?;
        let values: Vec<Vec<f32>> = parts.iter().map(|part| part.as_vec()).collect();
        let (report, gradient) = of_output(&rows(&values, images), len, goal, weight);
        let mut start = 0;
        for (part, own_len) in parts.into_iter().zip(lens) {
            let own = gradient.chunks_exact(len).flat_map(|row| &row[start..start + own_len]);
            let own = device.try_tensor_from_vec(own.copied().collect(), (images, *own_len))?;
            slopes.push(part.try_mul(own)?.try_sum()?);
            start += own_len;
        }
        Ok::<_, D::Err>(report)
    };
    let mut report = next(1.0)?;
    for weight in head_weights {
        report.loss += next(*weight)?.loss;
    }
    let sum = slopes.into_iter().map(Ok).reduce(|sum, slope| sum?.try_add(slope?));
    Ok((report, sum.unwrap_or_else(|| unreachable!("a network has an output"))?))
}

/// The sum of the scores of an output's images, `[N, len]`.
fn scored(output: &[f32], len: usize, Goal { objective, targets, .. }: Goal<'_>) -> f64 {
    let (mut row, width) = (Vec::new(), targets.len() * len / output.len().max(1));
    let score = |(image, own): (usize, &[f32])| {
        doubled(own, &mut row);
        objective.score(&row, &targets[image * width..(image + 1) * width])
    };
    output.chunks_exact(len).enumerate().map(score).sum()
}

/// What an objective says of an output `[N, len]`, and the gradient of the loss, both times `weight`.
fn of_output(output: &[f32], len: usize, goal: Goal<'_>, weight: f64) -> (PassReport, Vec<f32>) {
    let Goal { objective, targets, total, .. } = goal;
    let width = targets.len() * len / output.len().max(1);
    let (mut row, mut slope, mut gradient) = (Vec::new(), vec![0.0; len], Vec::with_capacity(output.len()));
    let mut report = PassReport { loss: 0.0, score: scored(output, len, goal) };
    for (image, own) in output.chunks_exact(len).enumerate() {
        let target = &targets[image * width..(image + 1) * width];
        doubled(own, &mut row);
        report.loss += objective.loss(&row, target, &mut slope) * weight / total;
        gradient.extend(slope.iter().map(|x| (x * weight / total) as f32));
    }
    (report, gradient)
}

const PARTS: [&str; 3] = ["model.", "optimizer.", "average."];

impl<D: Backend<f32>> Learner for Bound<'_, D> {
    fn graph(&self) -> &Graph {
        self.net.graph()
    }

    fn begin(&mut self, rules: Hyperparameters) -> Result<(), TrainError> {
        let names: Vec<&str> = self.net.graph().params.iter().map(|param| &*param.name).collect();
        let known = |name: &str| names.iter().position(|known| *known == name);
        let options = |info: &ParamInfo<'_>| known(info.name).map_or_else(ParamOptions::default, |i| rules.params[i]);
        let optimizer = Optimizer::new(self.net, rules.method, options);
        let front = Front::of(self.net.graph(), &rules.params);
        // Running statistics of a normalisation that is frozen do not change either.
        let nodes = &self.net.graph().nodes;
        let fixed: Vec<usize> = front.fixed.iter().flat_map(|id| nodes[*id].param_ids()).collect();
        let is_frozen = |name: &str| known(name).is_some_and(|i| rules.params[i].frozen || fixed.contains(&i));
        let average = rules.ema.map(|decay| Ema::new(self.net, decay)).transpose().map_err(stopped)?;
        let average = average.map(|average| average.with_frozen(is_frozen));
        self.gradients = Some(gradients(self.net).map_err(failed)?);
        self.learning = Some(Learning { optimizer, average, rules, front });
        Ok(())
    }

    fn front(&self) -> Option<usize> {
        let front = self.learning.as_ref().map(|learning| &learning.front);
        front.filter(|front| front.exists()).map(|front| front.len(self.net.graph()))
    }

    fn front_values(&self, pixels: Vec<f32>) -> Result<Vec<f32>, TrainError> {
        let Learning { front, rules, .. } = self.learning()?;
        let (numbers, batch) = (self.net.graph().input().len(), rules.front_batch);
        let mut rows = Vec::new();
        for some in pixels.chunks(batch * numbers) {
            let images = some.len() / numbers;
            let mut filled = some.to_vec();
            filled.resize(batch * numbers, 0.0);
            let (x, _) = self.batch(filled)?;
            let ends = evaluate(&*self.net, &front.part(), vec![x], NoneTape).map_err(failed)?.outputs;
            let ends: Vec<Vec<f32>> = ends.iter().map(|end| end.as_vec()).collect();
            for image in 0..images {
                for end in &ends {
                    let len = end.len() / batch;
                    rows.extend_from_slice(&end[image * len..(image + 1) * len]);
                }
            }
        }
        Ok(rows)
    }

    fn pass(&mut self, pixels: Vec<f32>, goal: Goal<'_>, seed: u64) -> Result<PassReport, TrainError> {
        let inputs = self.inputs(pixels)?;
        self.pass_from(inputs, goal, seed)
    }

    fn pass_behind_front(&mut self, values: Vec<f32>, goal: Goal<'_>, seed: u64) -> Result<PassReport, TrainError> {
        let inputs = self.at_ends(&values)?;
        self.pass_from(inputs, goal, seed)
    }

    fn share(&mut self, ranks: &dyn Communicator) -> Result<(), TrainError> {
        let gradients = self.gradients.as_mut().ok_or(TrainError::NotBegun)?;
        let learning = self.learning.as_ref().ok_or(TrainError::NotBegun)?;
        learning.optimizer.share(self.net, gradients, ranks).map_err(stopped)
    }

    fn update(&mut self, step: &Step) -> Result<StepReport, TrainError> {
        let mut gradients = self.gradients.take().unwrap_or_else(Gradients::leaky);
        let learning = self.learning.as_mut().ok_or(TrainError::NotBegun)?;
        let report = learning.optimizer.step(self.net, &mut gradients, step).map_err(stopped)?;
        self.gradients = Some(gradients);
        if let Some(average) = &mut learning.average {
            average.update(self.net).map_err(stopped)?;
        }
        Ok(report)
    }

    fn outputs(&self, pixels: Vec<f32>) -> Result<Vec<f32>, TrainError> {
        // What has not begun to learn can be asked, too.
        if self.learning.is_some() {
            return self.outputs_from(self.inputs(pixels)?);
        }
        let (x, images) = self.batch(pixels)?;
        let whole = Subgraph::whole(self.net.graph(), false);
        let outcome = evaluate(&*self.net, &whole, vec![x], NoneTape).map_err(failed)?;
        Ok(rows(&outcome.outputs.iter().map(|output| output.as_vec()).collect::<Vec<_>>(), images))
    }

    fn outputs_behind_front(&self, values: Vec<f32>) -> Result<Vec<f32>, TrainError> {
        self.outputs_from(self.at_ends(&values)?)
    }

    fn swap_average(&mut self) -> Result<(), TrainError> {
        match &mut self.learning {
            Some(Learning { average: Some(average), .. }) => average.swap(self.net).map_err(stopped),
            _ => Ok(()),
        }
    }

    fn weights(&self) -> Result<StateDict, TrainError> {
        Ok(weights::state_dict(&*self.net)?)
    }

    fn state(&self) -> Result<StateDict, TrainError> {
        let mut state = StateDict::default();
        let mut add = |prefix: &str, part: StateDict| {
            state.entries.extend(part.entries.into_iter().map(|mut entry| {
                entry.name.insert_str(0, prefix);
                entry
            }));
            let prefixed = part.metadata.into_iter().map(|(key, value)| (format!("{prefix}{key}"), value));
            state.metadata.extend(prefixed);
        };
        add(PARTS[0], self.weights()?);
        if let Some(learning) = &self.learning {
            add(PARTS[1], learning.optimizer.state());
            if let Some(average) = &learning.average {
                add(PARTS[2], average.state());
            }
        }
        Ok(state)
    }

    fn restore(&mut self, state: &StateDict) -> Result<(), StateError> {
        let part = |prefix: &str| {
            let mut part = StateDict::default();
            for entry in &state.entries {
                if let Some(name) = entry.name.strip_prefix(prefix) {
                    part.entries.push(crate::weights::Entry { name: name.into(), ..entry.clone() });
                }
            }
            for (key, value) in &state.metadata {
                if let Some(key) = key.strip_prefix(prefix) {
                    part.metadata.insert(key.into(), value.clone());
                }
            }
            part
        };
        weights::set(self.net, &part(PARTS[0]))?;
        if let Some(learning) = &mut self.learning {
            learning.optimizer.restore(&part(PARTS[1]))?;
            if let Some(average) = &mut learning.average {
                average.restore(&part(PARTS[2]))?;
            }
        }
        Ok(())
    }

    fn fault(&self, pixels: &[f32]) -> Option<String> {
        let bad = |values: &[f32]| values.iter().any(|x| !x.is_finite());
        if bad(pixels) {
            return Some("the input".into());
        }
        let (graph, params) = (self.net.graph(), params(&*self.net).ok()?);
        let nodes = &graph.nodes;
        let broken = |node: &Node| node.param_ids().find(|i| bad(&params[*i].as_vec())).map(|i| &graph.params[i].name);
        let outputs: Vec<usize> = (1..nodes.len()).filter(|i| !nodes[*i].auxiliary).collect();
        let (x, _) = self.batch(pixels.to_vec()).ok()?;
        let part = Subgraph { inputs: vec![0], outputs: outputs.clone() };
        let outcome = evaluate(&*self.net, &part, vec![x], NoneTape).ok()?;
        for (index, value) in outputs.into_iter().zip(outcome.outputs) {
            if let Some(param) = broken(&nodes[index]) {
                return Some(format!("`{param}`, a parameter"));
            }
            if bad(&value.as_vec()) {
                return Some(format!("the output of `{}`", nodes[index].name));
            }
        }
        None
    }
}

fn failed(error: impl std::fmt::Debug) -> TrainError {
    TrainError::Device(format!("{error:?}"))
}

fn stopped(error: OptimError) -> TrainError {
    match error {
        OptimError::Device(problem) => TrainError::Device(problem),
        error => TrainError::Optim(error),
    }
}
