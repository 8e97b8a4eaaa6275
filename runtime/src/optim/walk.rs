//! A network's tensors together with their gradients, for all that optimisers do to them.

use super::OptimError;
use crate::backend::{AnyTensor, Backend};
use crate::net::{AnyNetwork, Slot};
use dfdx::prelude::*;

/// A tensor of a network, with its gradient if it is a parameter.
pub(super) struct Held<'a, D: Backend<f32>> {
    tensor: &'a mut dyn AnyTensor<f32, D>,
    gradients: &'a mut Gradients<f32, D>,
    /// Whether it is a parameter, and not a buffer.
    pub trainable: bool,
}

impl<D: Backend<f32>> Held<'_, D> {
    /// [`Backend::numbers`]
    pub fn numbers(&mut self, f: &mut dyn FnMut(&mut [f32])) {
        self.tensor.numbers(f);
    }

    /// [`Backend::gradient`]
    pub fn gradient(&mut self, f: &mut dyn FnMut(&[f32])) -> Result<(), D::Err> {
        D::gradient(self.tensor, self.gradients, f)
    }

    /// [`Backend::change_gradient`]
    pub fn change_gradient(&mut self, f: &mut dyn FnMut(&mut [f32])) -> Result<(), D::Err> {
        D::change_gradient(self.tensor, self.gradients, f)
    }

    /// [`Backend::descend`]
    pub fn descend(&mut self, f: &mut dyn FnMut(&mut [f32], &mut [f32])) -> Result<(), D::Err> {
        D::descend(self.tensor, self.gradients, f)
    }
}

/// Calls `f` with each tensor of the network and its index, in the same order each time, until it fails.
pub(super) fn each<D: Backend<f32>>(
    net: &mut dyn AnyNetwork<f32, D>,
    gradients: &mut Gradients<f32, D>,
    f: &mut dyn FnMut(usize, &mut Held<'_, D>) -> Result<(), D::Err>,
) -> Result<(), OptimError> {
    let (mut index, mut outcome) = (0, Ok(()));
    net.tensors_mut(&mut |slot: &Slot<'_>, tensor: &mut dyn AnyTensor<f32, D>| {
        if outcome.is_ok() {
            outcome = f(index, &mut Held { tensor, gradients, trainable: slot.trainable });
        }
        index += 1;
    });
    outcome.map_err(|error| OptimError::Device(format!("{error:?}")))
}
