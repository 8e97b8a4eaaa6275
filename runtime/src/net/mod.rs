//! What a network that `cnn!` defines is to the rest of the crate, and how it runs.
//!
//! A generated struct holds typed layers and implements [`Network`]; its `Module` and `ModuleMut` impls are one call to
//! [`forward`] or [`forward_mut`]. From there on shapes are run-time numbers: every value is a tensor of four `usize`
//! dimensions ([`Map`]), because the macro has already checked them. dfdx's `reshape_like` gives a tensor another shape
//! under the same identity, so gradients still arrive at the typed tensors.

mod any;
mod custom;
mod leaf;
mod params;
mod stages;
mod tap;
mod untyped;

#[doc(hidden)]
pub use crate::backend::{AnyTensor, Job, Map, Outcome, Pass, Recording, State};
pub use crate::backend::{NetTape, Real};
#[doc(hidden)]
pub use crate::walk::{Reader, Slot, Writer};
pub use any::AnyNetwork;
#[doc(hidden)]
pub use any::Traced;
pub use custom::Custom;
#[doc(hidden)]
pub use custom::{Images, Part, reshape};
pub use leaf::gradients;
pub use params::{NamedTensor, named_tensors, set_named_tensors};
#[doc(hidden)]
pub use params::{named_shapes, params, set_params};
pub use tap::{At, Branch, Features, Inspect, Tap, Trunk};
#[doc(hidden)]
pub use tap::{Batched, OneOrMany};
pub use untyped::{BuildError, DynNetwork};

use crate::backend::Backend;
use crate::graph::{Graph, Subgraph};
use dfdx::prelude::*;
use std::fmt;

/// A network defined by `cnn!`: what its type says of it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a network of `cnn!` with `{E}` numbers on `{D}`",
    label = "a network that `cnn!` declares is expected here"
)]
pub trait Network<E: Real, D: Backend<E>>: AnyNetwork<E, D> + TensorCollection<E, D> {
    /// The same network with the default dtype and device, which [`Tap`]s name it by.
    type Plain;
    /// Shape of one image's input.
    type Input: Features;
    /// Shape of one image's output, the first one where there are several.
    type Output: Features;
    /// The tree of its taps, which `taps()` gives: a field for each layer, under the layer's name.
    type Taps: Copy;

    /// Its nodes, parameters and costs.
    const GRAPH: &Graph;

    /// The network with the blocks that it uses, as source of the language `cnn!`, which can be read at run time with other
    /// sizes. None with `custom` modules, which are Rust.
    const SOURCE: Option<&'static str>;

    /// What the lints of `cnn!` find in it, a line each, which [`Graph::summary`] shows by [`Summary::notes`](crate::graph::Summary::notes).
    const NOTES: &'static [&'static str] = &[];
}

/// Evaluation: running statistics, no dropout; with a tape, gradients of parameters and input are recorded.
///
/// `x` holds `batch` images; the output takes `shape`.
///
/// # Errors
/// When the device runs out of memory.
pub fn forward<E, D, T, I, O>(
    net: &dyn AnyNetwork<E, D>,
    x: Tensor<I, E, D, T>,
    batch: usize,
    shape: O,
) -> Result<Tensor<O, E, D, T>, D::Err>
where
    E: Real,
    D: Backend<E>,
    T: NetTape<E, D>,
    I: dfdx::shapes::Shape,
    O: dfdx::shapes::Shape,
{
    forward_all(net, x, batch)?.next(shape)
}

/// [`forward`] for a network with several outputs: the first one and those that `output` declares, in this order.
///
/// # Errors
/// When the device runs out of memory.
#[doc(hidden)]
pub fn forward_all<E, D, T, I>(
    net: &dyn AnyNetwork<E, D>,
    x: Tensor<I, E, D, T>,
    batch: usize,
) -> Result<Outputs<E, D, T>, D::Err>
where
    E: Real,
    D: Backend<E>,
    T: NetTape<E, D>,
    I: dfdx::shapes::Shape,
{
    let (x, tape) = batched(net.graph(), x, batch)?.split_tape();
    Ok(Outputs::new(evaluate(net, &Subgraph::whole(net.graph(), false), vec![x], tape)?))
}

/// Computes any part of a network in evaluation mode.
///
/// # Errors
/// When the device runs out of memory.
#[doc(hidden)]
pub fn evaluate<E: Real, D: Backend<E>, T: NetTape<E, D>>(
    net: &dyn AnyNetwork<E, D>,
    part: &Subgraph,
    inputs: Vec<Map<E, D>>,
    tape: T,
) -> Result<Outcome<E, D, T>, D::Err> {
    Ok(stages::evaluate(net, part, inputs, tape.into_recording())?.taped())
}

/// Training: batch statistics (the running ones are updated) and dropout, seeded from the device's random numbers. Gives
/// the outputs and the auxiliary heads.
///
/// The gradient of the input is recorded only if the input was itself computed on the tape: the first layer of a
/// network never needs it to train.
///
/// # Errors
/// When the device runs out of memory.
pub fn forward_mut<E, D, T, I>(
    net: &mut dyn AnyNetwork<E, D>,
    x: Tensor<I, E, D, T>,
    batch: usize,
) -> Result<Outputs<E, D, T>, D::Err>
where
    E: Real,
    D: Backend<E>,
    T: NetTape<E, D>,
    I: dfdx::shapes::Shape,
{
    let seed = x.device().random_u64();
    forward_seeded(net, x, batch, seed)
}

/// [`forward_mut`] with the seed of the dropout masks given, so that a step can be repeated.
///
/// # Errors
/// When the device runs out of memory.
#[doc(hidden)]
pub fn forward_seeded<E, D, T, I>(
    net: &mut dyn AnyNetwork<E, D>,
    x: Tensor<I, E, D, T>,
    batch: usize,
    seed: u64,
) -> Result<Outputs<E, D, T>, D::Err>
where
    E: Real,
    D: Backend<E>,
    T: NetTape<E, D>,
    I: dfdx::shapes::Shape,
{
    let (x, tape) = batched(net.graph(), x, batch)?.split_tape();
    let tape = tape.into_recording();
    let pass = Pass { training: true, dropout: Some(seed), input_grad: tape.as_ref().is_some_and(has_operations) };
    let whole = Subgraph::whole(net.graph(), true);
    let outcome = stages::train(net, &whole, vec![x], tape, pass, &[])?;
    set_params(net, &outcome.running);
    Ok(Outputs::new(outcome.taped()))
}

/// Computes any part of a network in training mode, with dropout masks by `seed`, for the gradients of its parameters alone. The nodes
/// that are `fixed` do not learn: their parameters need no gradient, and batch normalisations among them take running statistics.
/// The others' running statistics are updated where `updates` says so, given their index in [`Graph::params`].
///
/// # Errors
/// When the device runs out of memory.
pub(crate) fn train_part<E: Real, D: Backend<E>>(
    net: &mut dyn AnyNetwork<E, D>,
    part: &Subgraph,
    inputs: Vec<Map<E, D>>,
    tape: OwnedTape<E, D>,
    seed: u64,
    fixed: &[usize],
    updates: &dyn Fn(usize) -> bool,
) -> Result<Outputs<E, D, OwnedTape<E, D>>, D::Err> {
    let pass = Pass { training: true, dropout: Some(seed), input_grad: false };
    let mut outcome = stages::train(net, part, inputs, Some(tape), pass, fixed)?;
    outcome.running.retain(|(index, _)| updates(*index));
    set_params(net, &outcome.running);
    Ok(Outputs::new(outcome.taped()))
}

/// The outputs of a pass, to be taken one after the other. The first one carries the tape.
pub struct Outputs<E: Dtype, D: Storage<E>, T> {
    values: std::vec::IntoIter<Map<E, D>>,
    tape: T,
}

impl<E: Real, D: Device<E>, T: NetTape<E, D>> Outputs<E, D, T> {
    /// The outputs of an executor.
    pub fn new(outcome: Outcome<E, D, T>) -> Self {
        Outputs { values: outcome.outputs.into_iter(), tape: outcome.tape }
    }

    /// The next output, as a tensor of `shape`.
    ///
    /// # Errors
    /// When the device runs out of memory.
    ///
    /// # Panics
    /// If there are no more, or `shape` has another number of elements.
    pub fn next<O: dfdx::shapes::Shape>(&mut self, shape: O) -> Result<Tensor<O, E, D, T>, D::Err> {
        let Some(value) = self.values.next() else { panic!("this network has no more outputs") };
        value.put_tape(std::mem::take(&mut self.tape)).try_reshape_like(&shape)
    }
}

fn batched<E: Real, D: Device<E>, T: Tape<E, D>, I: dfdx::shapes::Shape>(
    graph: &Graph,
    x: Tensor<I, E, D, T>,
    batch: usize,
) -> Result<Map<E, D, T>, D::Err> {
    let [c, h, w] = graph.input().chw();
    x.try_reshape_like(&(batch, c, h, w))
}

/// Whether something has been recorded. dfdx tells the number of operations only through `Debug`; the writer stops the formatting
/// right after that number, before it comes to the gradients.
fn has_operations<E: Dtype, D: Device<E>>(tape: &OwnedTape<E, D>) -> bool {
    struct Head(String);
    impl fmt::Write for Head {
        fn write_str(&mut self, s: &str) -> fmt::Result {
            self.0.push_str(s);
            if self.0.contains(',') { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut head = Head(String::new());
    let _ = fmt::write(&mut head, format_args!("{tape:?}"));
    match head.0.split_once("num_operations: ") {
        Some((_, rest)) => !(rest.starts_with("0,") || rest == "0"),
        None => false,
    }
}
