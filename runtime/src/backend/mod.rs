//! What a device has to do for a network, and the words in which that is said: the line between networks and executors.
//!
//! [`crate::net`] asks, [`crate::device`] answers: with the engine for `f32` on the CPU, with `portable` everywhere else.

mod kept;
mod located;

#[doc(hidden)]
pub use located::{Located, Placed, Which};

use crate::graph::{Graph, Subgraph};
use convnet_engine::Cache;
use dfdx::prelude::*;
use kept::Slot;
use num_traits::Float;
use rand_distr::uniform::SampleUniform;
use std::fmt;

/// A tensor `[N, C, H, W]` with sizes known at run time; vectors are `[N, C, 1, 1]`.
#[doc(hidden)]
pub type Map<E, D, T = NoneTape> = Tensor<(usize, usize, usize, usize), E, D, T>;

/// The floating-point types a network can be built with: `f32` and `f64`.
#[diagnostic::on_unimplemented(
    message = "a network does not compute with `{Self}`",
    note = "generic code says that it does: `E: convnet::net::Real`"
)]
pub trait Real: Dtype + Float + SampleUniform {}
#[diagnostic::do_not_recommend]
impl<E: Dtype + Float + SampleUniform> Real for E {}

/// dfdx's two tapes: below a network's own `forward`, what is recorded is a value ([`Recording`]) and no type, so that code is
/// compiled once for both.
pub trait NetTape<E: Dtype, D: Device<E>>: Tape<E, D> {
    /// The tape, if this is one.
    fn into_recording(self) -> Recording<E, D>;

    /// The other way round; a tape begins where there is none and one is needed.
    fn from_recording(recording: Recording<E, D>) -> Self;
}

/// The tape of a pass whose gradients are wanted.
#[doc(hidden)]
pub type Recording<E, D> = Option<OwnedTape<E, D>>;

impl<E: Dtype, D: Device<E>> NetTape<E, D> for NoneTape {
    fn into_recording(self) -> Recording<E, D> {
        None
    }

    fn from_recording(_: Recording<E, D>) -> Self {
        NoneTape
    }
}

impl<E: Dtype, D: Device<E>> NetTape<E, D> for OwnedTape<E, D> {
    fn into_recording(self) -> Recording<E, D> {
        Some(self)
    }

    fn from_recording(recording: Recording<E, D>) -> Self {
        recording.unwrap_or_default()
    }
}

/// A shape padded with ones to the four dimensions of a [`Map`]; dimensions beyond the fourth, which only a `custom` module's tensor
/// can have, become one with it.
#[doc(hidden)]
pub fn padded(shape: impl IntoIterator<Item = usize>) -> (usize, usize, usize, usize) {
    let mut dims = [1; 4];
    shape.into_iter().enumerate().for_each(|(axis, size)| dims[axis.min(3)] *= size);
    let [a, b, c, d] = dims;
    (a, b, c, d)
}

/// A tensor of a network, of any shape: what can be done to it without knowing the shape as a type.
#[doc(hidden)]
pub trait AnyTensor<E: Real, D: Backend<E>> {
    /// The same tensor, with the same identity on a tape and sharing its numbers, padded with ones to four dimensions. As long as
    /// it lives, whoever writes to the tensor writes to a copy.
    ///
    /// # Errors
    /// When the device runs out of memory; only a tensor that is not row-major needs any.
    fn share(&self) -> Result<Map<E, D>, D::Err>;

    /// Its shape, row-major.
    fn dims(&self) -> Vec<usize>;

    /// Lets `f` change the numbers.
    fn numbers(&mut self, f: &mut dyn FnMut(&mut [E]));
}

impl<S: Shape, E: Real, D: Backend<E>> AnyTensor<E, D> for Tensor<S, E, D> {
    fn share(&self) -> Result<Map<E, D>, D::Err> {
        self.clone().try_reshape_like(&padded(self.shape().concrete()))
    }

    fn dims(&self) -> Vec<usize> {
        self.shape().concrete().into()
    }

    fn numbers(&mut self, f: &mut dyn FnMut(&mut [E])) {
        D::numbers(self, f);
    }
}

/// What executors keep between calls. A clone starts empty.
#[derive(Default)]
#[doc(hidden)]
pub struct State {
    /// Plans and memory of the engine.
    pub(crate) engine: Cache,
    /// What another executor keeps.
    pub(crate) kept: Slot,
}

impl State {
    /// The same plans and memory, for a call that holds the network mutably.
    pub(crate) fn share(&self) -> Self {
        State { engine: self.engine.clone(), kept: self.kept.clone() }
    }
}

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
#[doc(hidden)]
pub struct Pass {
    /// Batch statistics instead of running statistics.
    pub training: bool,
    /// Drop elements, by this seed.
    pub dropout: Option<u64>,
    /// Record the gradient of what goes in.
    pub input_grad: bool,
}

impl Pass {
    /// Evaluation, with a gradient at the input if there is a tape.
    pub const EVAL: Pass = Pass { training: false, dropout: None, input_grad: true };
}

/// What an executor is to compute: `part` of `graph` from the values of its inputs.
#[doc(hidden)]
pub struct Job<'a, E: Dtype, D: Storage<E>> {
    /// The network.
    pub graph: &'a Graph,
    /// What is to be computed of it.
    pub part: &'a Subgraph,
    /// In [`Graph::params`] order, padded with ones to four dimensions.
    pub params: Vec<Map<E, D>>,
    /// The values of the part's inputs, each `[N, C, H, W]`.
    pub inputs: Vec<Map<E, D>>,
    /// How.
    pub pass: Pass,
    /// Nodes that do not learn: executors may leave out their gradients, and batch normalisations among them take running statistics in
    /// training, too.
    pub fixed: &'a [usize],
}

/// What an executor gives back.
#[doc(hidden)]
pub struct Outcome<E: Dtype, D: Storage<E>, T = Recording<E, D>> {
    /// The values that were wanted, each `[N, C, H, W]`.
    pub outputs: Vec<Map<E, D>>,
    /// The tape, with everything that was done.
    pub tape: T,
    /// New values of running statistics, with their index in [`Graph::params`].
    pub running: Vec<(usize, Vec<E>)>,
}

impl<E: Real, D: Device<E>> Outcome<E, D> {
    /// The same with a tape of dfdx.
    pub fn taped<T: NetTape<E, D>>(self) -> Outcome<E, D, T> {
        let Outcome { outputs, tape, running } = self;
        Outcome { outputs, tape: T::from_recording(tape), running }
    }
}

/// A device that can run a network.
#[diagnostic::on_unimplemented(
    message = "a network does not run on `{Self}`",
    note = "generic code says that it does: `E: convnet::net::Real, D: convnet::backend::Backend<E>`"
)]
pub trait Backend<E: Real>: Device<E> + Located {
    /// Does the job, on the tape if there is one.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn run(job: Job<'_, E, Self>, state: &State, tape: Recording<E, Self>) -> Result<Outcome<E, Self>, Self::Err>;

    /// Lets `f` change the numbers of a tensor.
    fn numbers<S: Shape>(tensor: &mut Tensor<S, E, Self>, f: &mut dyn FnMut(&mut [E])) {
        numbers_of_a_copy(tensor, f);
    }

    /// Lets `f` read the gradient of a tensor.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn gradient(
        tensor: &dyn AnyTensor<E, Self>,
        gradients: &mut Gradients<E, Self>,
        f: &mut dyn FnMut(&[E]),
    ) -> Result<(), Self::Err> {
        let tensor = tensor.share()?;
        // Allocated, should it not be there.
        gradients.get_or_alloc_mut(&tensor)?;
        f(&gradients.get(&tensor).as_vec());
        Ok(())
    }

    /// Lets `f` change the gradient of a tensor.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn change_gradient(
        tensor: &dyn AnyTensor<E, Self>,
        gradients: &mut Gradients<E, Self>,
        f: &mut dyn FnMut(&mut [E]),
    ) -> Result<(), Self::Err> {
        let mut wanted = Vec::new();
        Self::gradient(tensor, gradients, &mut |gradient| wanted.extend_from_slice(gradient))?;
        f(&mut wanted);
        let tensor = tensor.share()?;
        tensor.device().try_fill_with_zeros(gradients.get_or_alloc_mut(&tensor)?)?;
        // dfdx lets nobody write to a gradient, but adds to it what a backward pass gives: here that of sum(tensor * wanted).
        let len = wanted.len();
        let wanted = tensor.device().try_tensor_from_vec(wanted, (len,))?;
        let traced = tensor.trace(std::mem::replace(gradients, Gradients::leaky()));
        let sum = traced.try_reshape_like(&(len,))?.try_mul(wanted)?.try_sum::<Rank0, _>()?;
        *gradients = sum.try_backward()?;
        Ok(())
    }

    /// Lets `f` change the numbers of a parameter by its gradient, which `f` has to set to zero.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn descend(
        param: &mut dyn AnyTensor<E, Self>,
        gradients: &mut Gradients<E, Self>,
        f: &mut dyn FnMut(&mut [E], &mut [E]),
    ) -> Result<(), Self::Err> {
        let mut gradient = Vec::new();
        Self::gradient(param, gradients, &mut |found| gradient.extend_from_slice(found))?;
        param.numbers(&mut |param| f(param, &mut gradient));
        let param = param.share()?;
        param.device().try_fill_with_zeros(gradients.get_or_alloc_mut(&param)?)
    }
}

/// [`Backend::numbers`] for numbers that cannot be had in place.
pub(crate) fn numbers_of_a_copy<E: Dtype, D: Device<E>, S: Shape>(
    tensor: &mut Tensor<S, E, D>,
    f: &mut dyn FnMut(&mut [E]),
) {
    let mut copy = tensor.as_vec();
    f(&mut copy);
    tensor.copy_from(&copy);
}
