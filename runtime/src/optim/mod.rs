//! Optimisers that go over each parameter once, on all of the engine's threads, and whose state can be saved.
//!
//! dfdx's optimisers work on the same networks; they run on one thread, need a second pass that sets the gradients to zero,
//! and keep their state to themselves, so that no run could go on where another one ended. [`Optimizer`] has the
//! [`Method`]s, [`Ema`] an average of the weights.

mod ema;
mod method;
mod share;
mod walk;

pub use ema::Ema;
pub use method::{Method, OptimizerKind, UnknownMethod};

use crate::backend::Backend;
use crate::net::{AnyNetwork, named_shapes};
use crate::weights::{Entry, StateDict};
use convnet_engine as engine;
use dfdx::prelude::*;
pub(crate) use method::{Move, apply};

/// A parameter, as it is told to the rule that gives its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParamInfo<'a> {
    /// Its key: `conv1.weight`.
    pub name: &'a str,
    /// Its shape.
    pub shape: &'a [usize],
}

impl ParamInfo<'_> {
    /// Whether it is a kernel or a matrix: biases and the parameters of normalisation are vectors, and are usually not
    /// decayed.
    pub fn is_weight(&self) -> bool {
        self.shape.len() > 1
    }
}

/// What an optimiser does to a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParamOptions {
    /// Times the learning rate.
    pub lr_scale: f64,
    /// L2 penalty; decoupled with AdamW.
    pub weight_decay: f64,
    /// Keeps its values.
    pub frozen: bool,
}

impl Default for ParamOptions {
    fn default() -> Self {
        ParamOptions { lr_scale: 1.0, weight_decay: 0.0, frozen: false }
    }
}

/// The options of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Learning rate.
    pub lr: f64,
    /// The longest gradient, as the norm of all of it (Pascanu et al., 2012).
    pub clip_norm: Option<f64>,
    /// The largest number of a gradient.
    pub clip_value: Option<f64>,
}

impl Step {
    /// A step that clips nothing.
    pub fn new(lr: f64) -> Self {
        Step { lr, clip_norm: None, clip_value: None }
    }
}

/// What a step has seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// The norm of the whole gradient before clipping, where that was asked for.
    pub grad_norm: Option<f64>,
    /// Whether all gradients were finite numbers.
    pub finite: bool,
}

/// Why there was no step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptimError {
    /// The device failed, most likely for want of memory.
    #[error("the device failed: {0}")]
    Device(String),
    /// The network is not like the one that the optimiser, or the average, was made for.
    #[error("{network} has other tensors than the network that this optimiser was made for, first {tensor}")]
    OtherNetwork {
        /// Name of the network.
        network: String,
        /// The first tensor that differs, with its shape.
        tensor: String,
    },
}

/// A state that does not belong to a network or an optimiser.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// Something is not there.
    #[error("it has no `{0}`")]
    Missing(String),
    /// Something has another shape or type.
    #[error("`{name}` is {found}, not {expected}")]
    Other {
        /// What.
        name: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
}

/// An optimiser at work on a network.
///
/// ```
/// use convnet::optim::{Method, Optimizer, ParamOptions, Step};
/// use convnet::prelude::*;
///
/// cnn! { struct Net: [1, 4, 4] -> [3] { flatten; linear(3); } }
///
/// let dev = Cpu::default();
/// let mut net = dev.build_module::<Net, f32>();
/// let method = Method::Sgd { momentum: 0.9, nesterov: false };
/// let mut optimizer = Optimizer::new(&net, method, |param| ParamOptions {
///     weight_decay: if param.is_weight() { 1e-4 } else { 0.0 },
///     ..ParamOptions::default()
/// });
/// let mut gradients = net.alloc_grads();
/// for _ in 0..3 {
///     let x: Tensor<Rank4<2, 1, 4, 4>, f32, _> = dev.sample_normal();
///     let loss = net.forward_mut(x.traced(gradients)).square().mean();
///     gradients = loss.backward();
///     optimizer.step(&mut net, &mut gradients, &Step::new(0.1))?;
/// }
/// # Ok::<(), convnet::optim::OptimError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Optimizer {
    method: Method,
    steps: u64,
    /// The state of all tensors of the network, in the order of a walk; buffers have no slots.
    params: Vec<Known>,
}

/// What is known of a parameter.
#[derive(Debug, Clone)]
struct Known {
    name: String,
    shape: Vec<usize>,
    options: ParamOptions,
    /// What the method remembers, made with the first step.
    slots: Vec<Vec<f32>>,
}

impl Optimizer {
    /// For networks like this one; `options` says what is done to each parameter.
    pub fn new<D: Backend<f32>>(
        net: &dyn AnyNetwork<f32, D>,
        method: Method,
        options: impl Fn(&ParamInfo<'_>) -> ParamOptions,
    ) -> Self {
        let known = |(name, shape): (String, Vec<usize>)| {
            let options = options(&ParamInfo { name: &name, shape: &shape });
            Known { name, shape, options, slots: Vec::new() }
        };
        let params = named_shapes(net).into_iter().map(known).collect();
        Optimizer { method, steps: 0, params }
    }

    /// Updates the parameters of `net` that are not frozen, and sets all `gradients` to zero, for the next step. The same
    /// numbers give the same bits for any number of threads.
    ///
    /// # Errors
    /// When the device runs out of memory, or `net` is not like the network that this was made for.
    pub fn step<D: Backend<f32>>(
        &mut self,
        net: &mut dyn AnyNetwork<f32, D>,
        gradients: &mut Gradients<f32, D>,
        step: &Step,
    ) -> Result<StepReport, OptimError> {
        self.fits(net)?;
        let (mut scale, mut grad_norm) = (1.0, None);
        if let Some(longest) = step.clip_norm {
            let mut sum = 0.0;
            each_gradient(net, gradients, &mut |index, gradient| {
                if !self.params[index].options.frozen {
                    sum += engine::sum_of_squares(gradient, method::squares);
                }
            })?;
            let norm = sum.sqrt();
            // As PyTorch's `clip_grad_norm_`.
            scale = (longest / (norm + 1e-6)).min(1.0);
            grad_norm = Some(norm);
        }
        self.steps += 1;
        let (method, steps, params) = (self.method, self.steps, &mut self.params);
        let limit = step.clip_value.map_or(f32::INFINITY, |limit| limit as f32);
        let mut finite = grad_norm.is_none_or(f64::is_finite);
        walk::each(net, gradients, &mut |index, held| {
            let Known { options, slots, .. } = &mut params[index];
            if !held.trainable {
                return Ok(());
            }
            held.descend(&mut |param, gradient| {
                if options.frozen {
                    gradient.fill(0.0);
                    return;
                }
                slots.resize_with(method.slots().len(), || vec![0.0; gradient.len()]);
                let (lr, weight_decay) = (step.lr * options.lr_scale, options.weight_decay);
                let rule = Move { method, step: steps, lr, weight_decay, scale: scale as f32, limit };
                finite &= engine::update(param, gradient, slots, |param, gradient, slots| {
                    method::apply(&rule, param, gradient, slots)
                });
            })
        })?;
        Ok(StepReport { grad_norm, finite })
    }

    fn fits<D: Backend<f32>>(&self, net: &dyn AnyNetwork<f32, D>) -> Result<(), OptimError> {
        fits(net, self.params.iter().map(|param| (&*param.name, &*param.shape)))
    }

    /// What it remembers, to be saved: `velocity.conv1.weight` ... and the number of steps.
    pub fn state(&self) -> StateDict {
        let mut entries = Vec::new();
        for param in &self.params {
            for (slot, values) in self.method.slots().iter().zip(&param.slots) {
                entries.push(Entry::from_f32(format!("{slot}.{}", param.name), &param.shape, values));
            }
        }
        let metadata = [("method".to_string(), self.method.to_string()), ("steps".into(), self.steps.to_string())];
        StateDict { entries, metadata: metadata.into() }
    }

    /// Takes it back; steps are then those that would have followed.
    ///
    /// # Errors
    /// When it is of another network or another method; then nothing has changed.
    pub fn restore(&mut self, state: &StateDict) -> Result<(), RestoreError> {
        let method = state.metadata.get("method").cloned().ok_or_else(|| RestoreError::Missing("method".into()))?;
        if method != self.method.to_string() {
            let expected = self.method.to_string();
            return Err(RestoreError::Other { name: "method".into(), expected, found: method });
        }
        let steps = count_of(state, "steps")?;
        let mut all = Vec::new();
        for param in &self.params {
            let name = |slot: &str| format!("{slot}.{}", param.name);
            // Buffers and frozen parameters have none, nor has anything before the first step.
            let any = |slot: &&str| state.entries.iter().any(|entry| entry.name == name(slot));
            let slots = match self.method.slots().iter().any(any) {
                true => self
                    .method
                    .slots()
                    .iter()
                    .map(|slot| numbers_of(state, &name(slot), &param.shape))
                    .collect::<Result<_, _>>()?,
                false => Vec::new(),
            };
            all.push(slots);
        }
        for (param, slots) in self.params.iter_mut().zip(all) {
            param.slots = slots;
        }
        self.steps = steps;
        Ok(())
    }
}

/// Whether the tensors of a network are these.
fn fits<'a, D: Backend<f32>>(
    net: &dyn AnyNetwork<f32, D>,
    mut known: impl Iterator<Item = (&'a str, &'a [usize])>,
) -> Result<(), OptimError> {
    let mut other = None;
    net.tensors(&mut |slot, _| {
        if known.next() != Some((slot.name, slot.shape)) && other.is_none() {
            other = Some(format!("`{}` {:?}", slot.name, slot.shape));
        }
    });
    let other = other.or_else(|| known.next().map(|(name, shape)| format!("`{name}` {shape:?}, which it lacks")));
    match other {
        None => Ok(()),
        Some(tensor) => Err(OptimError::OtherNetwork { network: net.graph().name.to_string(), tensor }),
    }
}

/// Calls `f` with the index, among all tensors of the network, and the gradient of each parameter.
///
/// # Errors
/// When the device runs out of memory.
#[doc(hidden)]
pub fn each_gradient<D: Backend<f32>>(
    net: &mut dyn AnyNetwork<f32, D>,
    gradients: &mut Gradients<f32, D>,
    f: &mut dyn FnMut(usize, &[f32]),
) -> Result<(), OptimError> {
    walk::each(net, gradients, &mut |index, held| match held.trainable {
        true => held.gradient(&mut |gradient| f(index, gradient)),
        false => Ok(()),
    })
}

/// The numbers of a tensor of a state.
fn numbers_of(state: &StateDict, name: &str, shape: &[usize]) -> Result<Vec<f32>, RestoreError> {
    let entry = state.entries.iter().find(|entry| entry.name == name);
    let entry = entry.ok_or_else(|| RestoreError::Missing(name.into()))?;
    let other = |found: String| RestoreError::Other { name: name.into(), expected: format!("{shape:?}"), found };
    if entry.shape != shape {
        return Err(other(format!("{:?}", entry.shape)));
    }
    entry.to_f32().ok_or_else(|| other(entry.dtype.to_string()))
}

fn count_of(state: &StateDict, name: &str) -> Result<u64, RestoreError> {
    let text = state.metadata.get(name).ok_or_else(|| RestoreError::Missing(name.into()))?;
    let other = || RestoreError::Other { name: name.into(), expected: "a number".into(), found: text.clone() };
    text.parse().map_err(|_| other())
}
