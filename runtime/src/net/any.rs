//! A network whatever its type: what training, optimisers, weights, explanations and reports take.
//!
//! [`AnyNetwork`] is object-safe, so what is written for it is compiled once and not for every network. Typed networks implement
//! it by code that `cnn!` generates, [`DynNetwork`](super::DynNetwork) by lists. Tensors are lent for the time of one call: a
//! handle that is kept would share the numbers, and whoever writes to shared numbers writes to a copy.

use crate::backend::{Backend, Map, Real, State};
use crate::graph::Graph;
use crate::walk::{Reader, Writer};
use dfdx::prelude::OwnedTape;

/// A network of some type, with parameters of dtype `E` on a device `D`.
pub trait AnyNetwork<E: Real, D: Backend<E>> {
    /// Its nodes, parameters and costs.
    fn graph(&self) -> &Graph;

    /// What executors keep between calls (plans and memory); not part of the network's value.
    fn state(&self) -> &State;

    /// Calls `f` with each tensor, in the same order each time, which is that of [`Graph::params`].
    fn tensors(&self, f: &mut Reader<'_, E, D>);

    /// The same, to change the tensors.
    fn tensors_mut(&mut self, f: &mut Writer<'_, E, D>);

    /// Runs the `custom` module with this index in evaluation mode.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn custom(&self, index: usize, x: Map<E, D>) -> Result<Map<E, D>, D::Err> {
        let _ = index;
        Ok(x)
    }

    /// The same on a tape.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn custom_traced(&self, index: usize, x: Traced<E, D>) -> Result<Traced<E, D>, D::Err> {
        let _ = index;
        Ok(x)
    }

    /// Runs the `custom` module with this index in training mode.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn custom_mut(&mut self, index: usize, x: Map<E, D>) -> Result<Map<E, D>, D::Err> {
        let _ = index;
        Ok(x)
    }

    /// The same on a tape.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn custom_mut_traced(&mut self, index: usize, x: Traced<E, D>) -> Result<Traced<E, D>, D::Err> {
        let _ = index;
        Ok(x)
    }
}

/// A value `[N, C, H, W]` on a tape.
pub type Traced<E, D> = Map<E, D, OwnedTape<E, D>>;
