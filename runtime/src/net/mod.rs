//! What a network that `cnn!` defines is to the rest of the crate, and how it runs.
//!
//! A generated struct holds typed layers and implements [`Network`]; its `Module` and `ModuleMut` impls are one call to
//! [`forward`] or [`forward_mut`]. From there on shapes are run-time numbers: every value is a tensor of four `usize`
//! dimensions ([`Map`]), because the macro has already checked them. dfdx's `reshape_like` gives a tensor another shape
//! under the same identity, so gradients still arrive at the typed tensors.

mod params;
mod stages;
mod tap;

pub use crate::backend::{Map, NetTape, Outcome, Pass, Real, State};
pub use params::{NamedTensor, named_shapes, named_tensors, params, set_named_tensors, set_params};
pub use tap::{At, Batched, Branch, Features, Probe, Tap, Trunk};

use crate::backend::Backend;
use crate::graph::{Graph, Subgraph};
use dfdx::prelude::*;
use stages::Stages;
use std::fmt;

/// A network defined by `cnn!`.
pub trait Network<E: Real, D: Backend<E>>: TensorCollection<E, D> {
    /// The same network with the default dtype and device, which [`Tap`]s name it by.
    type Plain;
    /// Shape of one image's input.
    type Input: Features;
    /// Shape of one image's output.
    type Output: Features;
    /// The tree of its taps, which `taps()` gives: a field for each layer, under the layer's name.
    type Taps: Copy;

    /// Its nodes, parameters and costs.
    const GRAPH: &Graph;

    /// The network with the blocks that it uses, as source of the language `cnn!`, which can be read at run time with other
    /// sizes. None with `custom` modules, which are Rust.
    const SOURCE: Option<&'static str>;

    /// What executors keep between calls (plans and memory); not part of the network's value.
    fn state(&self) -> &State;

    /// Runs the `custom` module with this index in evaluation mode.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn custom<T: NetTape<E, D>>(&self, index: usize, x: Map<E, D, T>) -> Result<Map<E, D, T>, D::Err> {
        let _ = index;
        Ok(x)
    }

    /// Runs the `custom` module with this index in training mode.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn custom_mut<T: NetTape<E, D>>(&mut self, index: usize, x: Map<E, D, T>) -> Result<Map<E, D, T>, D::Err> {
        let _ = index;
        Ok(x)
    }
}

/// Evaluation: running statistics, no dropout; with a tape, gradients of parameters and input are recorded.
///
/// `x` holds `batch` images; the output takes `shape`.
///
/// # Errors
/// When the device runs out of memory.
pub fn forward<N, E, D, T, I, O>(
    net: &N,
    x: Tensor<I, E, D, T>,
    batch: usize,
    shape: O,
) -> Result<Tensor<O, E, D, T>, D::Err>
where
    N: Network<E, D>,
    E: Real,
    D: Backend<E>,
    T: NetTape<E, D>,
    I: dfdx::shapes::Shape,
    O: dfdx::shapes::Shape,
{
    let (x, tape) = batched(N::GRAPH, x, batch)?.split_tape();
    let outcome = evaluate(net, &Subgraph::whole(N::GRAPH, false), vec![x], tape)?;
    Outputs::new(outcome).next(shape)
}

/// Computes any part of a network in evaluation mode.
///
/// # Errors
/// When the device runs out of memory.
pub fn evaluate<N: Network<E, D>, E: Real, D: Backend<E>, T: NetTape<E, D>>(
    net: &N,
    part: &Subgraph,
    inputs: Vec<Map<E, D>>,
    tape: T,
) -> Result<Outcome<E, D, T>, D::Err> {
    let stages = Stages { graph: N::GRAPH, state: net.state(), params: params(net), pass: Pass::EVAL };
    stages.run(part, inputs, tape, |index, x| net.custom(index, x))
}

/// Training: batch statistics (the running ones are updated) and dropout, seeded from the device's random numbers. Gives
/// the output and the auxiliary heads.
///
/// The gradient of the input is recorded only if the input was itself computed on the tape: the first layer of a
/// network never needs it to train.
///
/// # Errors
/// When the device runs out of memory.
pub fn forward_mut<N, E, D, T, I>(net: &mut N, x: Tensor<I, E, D, T>, batch: usize) -> Result<Outputs<E, D, T>, D::Err>
where
    N: Network<E, D>,
    E: Real,
    D: Backend<E>,
    T: NetTape<E, D>,
    I: dfdx::shapes::Shape,
{
    let seed = x.device().random_u64();
    forward_seeded(net, x, batch, seed, |_| true)
}

/// [`forward_mut`] with the seed of the dropout masks given, so that a step can be repeated, and with the running statistics
/// updated only where `updates` says so, given their index in [`Graph::params`].
///
/// # Errors
/// When the device runs out of memory.
pub fn forward_seeded<N, E, D, T, I>(
    net: &mut N,
    x: Tensor<I, E, D, T>,
    batch: usize,
    seed: u64,
    updates: impl Fn(usize) -> bool,
) -> Result<Outputs<E, D, T>, D::Err>
where
    N: Network<E, D>,
    E: Real,
    D: Backend<E>,
    T: NetTape<E, D>,
    I: dfdx::shapes::Shape,
{
    let (x, tape) = batched(N::GRAPH, x, batch)?.split_tape();
    let pass = Pass { training: true, dropout: Some(seed), input_grad: !is_empty(&tape) };
    let state = net.state().share();
    let stages = Stages { graph: N::GRAPH, state: &state, params: params(net), pass };
    let mut outcome =
        stages.run(&Subgraph::whole(N::GRAPH, true), vec![x], tape, |index, x| net.custom_mut(index, x))?;
    outcome.running.retain(|(index, _)| updates(*index));
    set_params(net, &outcome.running);
    Ok(Outputs::new(outcome))
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

/// Whether nothing has been recorded yet. dfdx tells the number of operations only through `Debug`; the writer stops
/// the formatting right after that number, before it comes to the gradients.
fn is_empty(tape: &impl fmt::Debug) -> bool {
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
        Some((_, rest)) => rest.starts_with("0,") || rest == "0",
        None => true,
    }
}

/// What a `custom` module has to be, in the network's dtype and on its device: a dfdx module that turns images of shape
/// `I` into images of shape `O`.
#[diagnostic::on_unimplemented(
    message = "this `custom` module does not turn `{I}` into `{O}`",
    label = "not a module from the shape at this point to the declared one",
    note = "the shape after `->` has to be what the module really gives for the shape before it; a network of `cnn!` is written with its dtype and device: `Name<E, D>`"
)]
pub trait Custom<I: Features, O: Features, E: Real, D: Device<E>, T: NetTape<E, D>> {
    /// In evaluation mode.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn run(&self, x: Images<I, E, D, T>) -> Result<Images<O, E, D, T>, D::Err>;

    /// In training mode.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn run_mut(&mut self, x: Images<I, E, D, T>) -> Result<Images<O, E, D, T>, D::Err>;
}

/// A batch of images of shape `F`.
pub type Images<F, E, D, T> = Tensor<<F as Features>::Batched<usize>, E, D, T>;

#[diagnostic::do_not_recommend]
impl<M, I, O, E, D, T> Custom<I, O, E, D, T> for M
where
    I: Features,
    O: Features,
    E: Real,
    D: Device<E>,
    T: NetTape<E, D>,
    M: Module<Images<I, E, D, T>, Output = Images<O, E, D, T>, Error = D::Err>
        + ModuleMut<Images<I, E, D, T>, Output = Images<O, E, D, T>, Error = D::Err>,
{
    fn run(&self, x: Images<I, E, D, T>) -> Result<Images<O, E, D, T>, D::Err> {
        self.try_forward(x)
    }

    fn run_mut(&mut self, x: Images<I, E, D, T>) -> Result<Images<O, E, D, T>, D::Err> {
        self.try_forward_mut(x)
    }
}

/// A value between typed and untyped: same elements, same identity on the tape.
///
/// # Errors
/// When the device runs out of memory.
pub fn reshape<A, B, E, D, T>(x: Tensor<A, E, D, T>, shape: B) -> Result<Tensor<B, E, D, T>, D::Err>
where
    A: dfdx::shapes::Shape,
    B: dfdx::shapes::Shape,
    E: Real,
    D: Device<E>,
    T: NetTape<E, D>,
{
    x.try_reshape_like(&shape)
}
