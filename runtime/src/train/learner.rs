//! A network at work, without its type: all that the training loop asks of it.
//!
//! [`Learner`] is the line between what knows devices and dfdx (this file) and what does not (everything else in this folder).
//! Tensors become vectors here, so the loop, the checkpoints and callbacks know no dfdx.

use super::hyperparameters::Hyperparameters;
use super::variance::has_variance;
use super::{TrainError, loss};
use crate::backend::{Backend, Map, Placed, Which};
use crate::distributed::Communicator;
use crate::graph::{Graph, Node, Subgraph};
use crate::net::{AnyNetwork, evaluate, forward, forward_seeded, gradients, params};
use crate::optim::{Ema, OptimError, Optimizer, ParamInfo, ParamOptions, RestoreError, Step, StepReport};
use crate::weights;
use crate::weights::StateDict;
use dfdx::prelude::*;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// What a pass has shown.
#[derive(Debug, Clone, PartialEq)]
pub struct PassReport {
    /// `[N, classes]`
    pub logits: Vec<f32>,
    /// Mean loss.
    pub loss: f32,
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

    /// Adds the gradients of a batch's mean loss, times `scale`, to those that are there. `pixels` is `[N, C, H, W]`, `targets`
    /// `[N, classes]`; `seed` is that of the dropout masks.
    ///
    /// # Errors
    /// When the device fails.
    fn pass(&mut self, pixels: Vec<f32>, targets: Vec<f32>, scale: f32, seed: u64) -> Result<PassReport, TrainError>;

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

    /// Logits `[N, classes]` in evaluation mode.
    ///
    /// # Errors
    /// When the device fails.
    fn logits(&self, pixels: Vec<f32>) -> Result<Vec<f32>, TrainError>;

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
        let average = rules.ema.map(|decay| Ema::new(self.net, decay)).transpose().map_err(stopped)?;
        self.gradients = Some(gradients(self.net).map_err(failed)?);
        self.learning = Some(Learning { optimizer, average, rules });
        Ok(())
    }

    fn pass(&mut self, pixels: Vec<f32>, targets: Vec<f32>, scale: f32, seed: u64) -> Result<PassReport, TrainError> {
        let (x, images) = self.batch(pixels)?;
        has_variance(self.net.graph(), images)?;
        let classes = self.net.graph().output_shape().len();
        let targets = self.device.try_tensor_from_vec(targets, (images, classes)).map_err(failed)?;
        let gradients = self.gradients.take().unwrap_or_else(Gradients::leaky);
        let Learning { rules, .. } = self.learning.as_ref().ok_or(TrainError::NotBegun)?;
        // A layer all of whose parameters are frozen keeps its running statistics, too.
        let updates = |index: usize| !rules.params[index].frozen;
        let outputs = forward_seeded(self.net, x.traced(gradients), images, seed, &updates).map_err(failed)?;
        let (logits, loss) = loss(outputs, targets, &rules.head_weights).map_err(failed)?;
        let value = loss.as_vec().first().copied().unwrap_or(f32::NAN);
        let loss = if scale == 1.0 { loss } else { loss.try_mul(scale).map_err(failed)? };
        self.gradients = Some(loss.try_backward().map_err(failed)?);
        Ok(PassReport { logits, loss: value })
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

    fn logits(&self, pixels: Vec<f32>) -> Result<Vec<f32>, TrainError> {
        let (x, images) = self.batch(pixels)?;
        let classes = self.net.graph().output_shape().len();
        Ok(forward(&*self.net, x, images, (images, classes)).map_err(failed)?.as_vec())
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
