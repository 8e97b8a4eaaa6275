//! What a device has to do for a network, and the words in which that is said: the line between networks and executors.
//!
//! [`crate::net`] asks, [`crate::device`] answers: with the engine for `f32` on the CPU, with `portable` everywhere else.

mod kept;

use crate::graph::{Graph, Subgraph};
use convnet_engine::Cache;
use dfdx::prelude::*;
use kept::Slot;
use num_traits::Float;
use rand_distr::uniform::SampleUniform;
use std::fmt;

/// A tensor `[N, C, H, W]` with sizes known at run time; vectors are `[N, C, 1, 1]`.
pub type Map<E, D, T = NoneTape> = Tensor<(usize, usize, usize, usize), E, D, T>;

/// The floating-point types a network can be built with: `f32` and `f64`.
pub trait Real: Dtype + Float + SampleUniform {}
impl<E: Dtype + Float + SampleUniform> Real for E {}

/// dfdx's tapes. Both implement `Debug`, which is how [`forward_mut`](crate::net::forward_mut) sees whether the input is a leaf.
pub trait NetTape<E: Dtype, D: Device<E>>: Tape<E, D> + fmt::Debug {}
impl<E: Dtype, D: Device<E>, T: Tape<E, D> + fmt::Debug> NetTape<E, D> for T {}

/// What executors keep between calls. A clone starts empty.
#[derive(Default)]
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

/// What an executor gives back.
pub struct Outcome<E: Dtype, D: Storage<E>, T> {
    /// The values that were wanted, each `[N, C, H, W]`.
    pub outputs: Vec<Map<E, D>>,
    /// The tape, with everything that was done.
    pub tape: T,
    /// New values of running statistics, with their index in [`Graph::params`].
    pub running: Vec<(usize, Vec<E>)>,
}

/// A device that can run a network.
pub trait Backend<E: Real>: Device<E> {
    /// Computes `part` of `graph` from the values of its inputs (each `[N, C, H, W]`), with `params` in
    /// [`Graph::params`] order, on `tape`.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn run<T: NetTape<E, Self>>(
        graph: &Graph,
        state: &State,
        part: &Subgraph,
        params: Vec<Map<E, Self>>,
        inputs: Vec<Map<E, Self>>,
        tape: T,
        pass: Pass,
    ) -> Result<Outcome<E, Self, T>, Self::Err>;

    /// Lets `f` change the numbers of a tensor.
    fn numbers<S: Shape>(tensor: &mut Tensor<S, E, Self>, f: impl FnOnce(&mut [E])) {
        numbers_of_a_copy(tensor, f);
    }

    /// Lets `f` read the gradient of a parameter.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn gradient<S: Shape>(
        param: &Tensor<S, E, Self>,
        gradients: &mut Gradients<E, Self>,
        f: impl FnOnce(&[E]),
    ) -> Result<(), Self::Err> {
        // Allocated, should it not be there.
        gradients.get_or_alloc_mut(param)?;
        f(&gradients.get(param).as_vec());
        Ok(())
    }

    /// Lets `f` change the gradient of a parameter.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn change_gradient<S: Shape>(
        param: &Tensor<S, E, Self>,
        gradients: &mut Gradients<E, Self>,
        f: impl FnOnce(&mut [E]),
    ) -> Result<(), Self::Err> {
        let mut wanted = Vec::new();
        Self::gradient(param, gradients, |gradient| wanted.extend_from_slice(gradient))?;
        f(&mut wanted);
        param.device().try_fill_with_zeros(gradients.get_or_alloc_mut(param)?)?;
        // dfdx lets nobody write to a gradient, but adds to it what a backward pass gives: here that of sum(param * wanted).
        let len = wanted.len();
        let wanted = param.device().try_tensor_from_vec(wanted, (len,))?;
        let traced = param.clone().trace(std::mem::replace(gradients, Gradients::leaky()));
        let sum = traced.try_reshape_like(&(len,))?.try_mul(wanted)?.try_sum::<Rank0, _>()?;
        *gradients = sum.try_backward()?;
        Ok(())
    }

    /// Lets `f` change the numbers of a parameter by its gradient, which `f` has to set to zero.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn descend<S: Shape>(
        param: &mut Tensor<S, E, Self>,
        gradients: &mut Gradients<E, Self>,
        f: impl FnOnce(&mut [E], &mut [E]),
    ) -> Result<(), Self::Err> {
        // Allocated, should it not be there.
        gradients.get_or_alloc_mut(param)?;
        let mut gradient = gradients.get(param).as_vec();
        Self::numbers(param, |param| f(param, &mut gradient));
        param.device().try_fill_with_zeros(gradients.get_or_alloc_mut(param)?)
    }
}

/// [`Backend::numbers`] for numbers that cannot be had in place.
pub(crate) fn numbers_of_a_copy<E: Dtype, D: Device<E>, S: Shape>(
    tensor: &mut Tensor<S, E, D>,
    f: impl FnOnce(&mut [E]),
) {
    let mut copy = tensor.as_vec();
    f(&mut copy);
    tensor.copy_from(&copy);
}
