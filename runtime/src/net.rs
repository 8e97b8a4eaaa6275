//! What a network that `cnn!` defines is to the rest of the crate, and how it runs.
//!
//! A generated struct holds typed layers and implements [`Network`]; its `Module` and `ModuleMut` impls are one call to
//! [`forward`] or [`forward_mut`]. From there on shapes are run-time numbers: every value is a tensor of four `usize`
//! dimensions ([`Map`]), because the macro has already checked them. dfdx's `reshape_like` gives a tensor another shape
//! under the same identity, so gradients still arrive at the typed tensors.

use crate::backend::Backend;
use crate::engine;
use crate::graph::Graph;
use dfdx::prelude::*;
use num_traits::Float;
use rand_distr::uniform::SampleUniform;
use std::fmt;

/// A tensor `[N, C, H, W]` with sizes known at run time; vectors are `[N, C, 1, 1]`.
pub type Map<E, D, T = NoneTape> = Tensor<(usize, usize, usize, usize), E, D, T>;

/// The floating-point types a network can be built with: `f32` and `f64`.
pub trait Real: Dtype + Float + SampleUniform {}
impl<E: Dtype + Float + SampleUniform> Real for E {}

/// dfdx's tapes. Both implement `Debug`, which is how [`forward_mut`] sees whether the input is a leaf.
pub trait NetTape<E: Dtype, D: Device<E>>: Tape<E, D> + fmt::Debug {}
impl<E: Dtype, D: Device<E>, T: Tape<E, D> + fmt::Debug> NetTape<E, D> for T {}

/// A network defined by `cnn!`.
pub trait Network<E: Real, D: Device<E>>: TensorCollection<E, D> {
    /// Its nodes, parameters and costs.
    const GRAPH: &'static Graph;

    /// What executors keep between calls (plans and memory); not part of the network's value.
    fn state(&self) -> &State;
}

/// What executors keep between calls. A clone starts empty.
#[derive(Default)]
pub struct State(pub(crate) engine::Cache);

impl Clone for State {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State")
    }
}

/// How a pass through a network is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Batch statistics instead of running statistics.
    pub training: bool,
    /// Drop elements, by this seed.
    pub dropout: Option<u64>,
    /// Record the gradient of the input.
    pub input_grad: bool,
}

impl Pass {
    /// Evaluation, with a gradient at the input if there is a tape.
    pub const EVAL: Pass = Pass { training: false, dropout: None, input_grad: true };
}

/// What an executor gives back.
pub struct Outcome<E: Dtype, D: Storage<E>, T> {
    /// The network's output `[N, C, H, W]`.
    pub output: Map<E, D, T>,
    /// New values of running statistics, with their index in [`Graph::params`].
    pub running: Vec<(usize, Vec<E>)>,
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
    let x = batched(N::GRAPH, x, batch)?;
    D::run(N::GRAPH, net.state(), params(net), x, Pass::EVAL)?.output.try_reshape_like(&shape)
}

/// Training: batch statistics (the running ones are updated) and dropout, seeded from the device's random numbers.
///
/// The gradient of the input is recorded only if the input was itself computed on the tape: the first layer of a
/// network never needs it to train.
///
/// # Errors
/// When the device runs out of memory.
pub fn forward_mut<N, E, D, T, I, O>(
    net: &mut N,
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
    let x = batched(N::GRAPH, x, batch)?;
    let dropout = Some(x.device().random_u64());
    let (x, tape) = x.split_tape();
    let pass = Pass { training: true, dropout, input_grad: !is_empty(&tape) };
    let outcome = D::run(N::GRAPH, net.state(), params(net), x.put_tape(tape), pass)?;
    set_params(net, &outcome.running);
    outcome.output.try_reshape_like(&shape)
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

/// The parameters and buffers of a network in [`Graph::params`] order, padded with ones to four dimensions. They share
/// identity and data with the network's own tensors.
pub fn params<N: TensorCollection<E, D>, E: Dtype, D: Device<E>>(net: &N) -> Vec<Map<E, D>> {
    struct Collect<E: Dtype, D: Storage<E>>(Vec<Map<E, D>>);
    impl<E: Dtype, D: Device<E>> TensorVisitor<E, D> for Collect<E, D> {
        type Viewer = ViewTensorRef;
        type Err = D::Err;
        type E2 = E;
        type D2 = D;

        fn visit<S: dfdx::shapes::Shape>(
            &mut self,
            _: TensorOptions<S, E, D>,
            t: &Tensor<S, E, D>,
        ) -> Result<Option<Tensor<S, E, D>>, D::Err> {
            let mut dims = [1; 4];
            for (dim, size) in dims.iter_mut().zip(t.shape().concrete()) {
                *dim = size;
            }
            let [a, b, c, d] = dims;
            self.0.push(t.clone().try_reshape_like(&(a, b, c, d))?);
            Ok(None)
        }
    }
    let mut collect = Collect(Vec::new());
    // Only a copy of a strided tensor could fail, and parameters are contiguous.
    let _ = N::iter_tensors(&mut RecursiveWalker { m: net, f: &mut collect });
    collect.0
}

/// Writes new values into parameters or buffers, given by their index in [`Graph::params`]. Each vector must have the
/// parameter's length.
pub fn set_params<N: TensorCollection<E, D>, E: Dtype, D: Device<E>>(net: &mut N, values: &[(usize, Vec<E>)]) {
    struct Assign<'a, E> {
        next: usize,
        values: &'a [(usize, Vec<E>)],
    }
    impl<E: Dtype, D: Device<E>> TensorVisitor<E, D> for Assign<'_, E> {
        type Viewer = ViewTensorMut;
        type Err = D::Err;
        type E2 = E;
        type D2 = D;

        fn visit<S: dfdx::shapes::Shape>(
            &mut self,
            _: TensorOptions<S, E, D>,
            t: &mut Tensor<S, E, D>,
        ) -> Result<Option<Tensor<S, E, D>>, D::Err> {
            if let Some((_, values)) = self.values.iter().find(|(index, _)| *index == self.next) {
                t.copy_from(values);
            }
            self.next += 1;
            Ok(None)
        }
    }
    if !values.is_empty() {
        let _ = N::iter_tensors(&mut RecursiveWalker { m: net, f: &mut Assign { next: 0, values } });
    }
}
