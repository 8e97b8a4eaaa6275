//! `linear`: a fully connected layer is dfdx's own, whose names, layout and initialisation are PyTorch's already.

pub use dfdx::nn::modules::{Linear, UnbiasedLinear};

use crate::backend::{Backend, Real};
use crate::walk::{Walk, WalkMut, Walked};

impl<const I: usize, const O: usize, E: Real, D: Backend<E>> Walked<E, D> for Linear<I, O, E, D> {
    fn walk(&self, walk: &mut Walk<'_, '_, E, D>) {
        walk.tensor("weight", true, &self.weight);
        walk.tensor("bias", true, &self.bias);
    }

    fn walk_mut(&mut self, walk: &mut WalkMut<'_, '_, E, D>) {
        walk.tensor("weight", true, &mut self.weight);
        walk.tensor("bias", true, &mut self.bias);
    }
}

impl<const I: usize, const O: usize, E: Real, D: Backend<E>> Walked<E, D> for UnbiasedLinear<I, O, E, D> {
    fn walk(&self, walk: &mut Walk<'_, '_, E, D>) {
        walk.tensor("weight", true, &self.weight);
    }

    fn walk_mut(&mut self, walk: &mut WalkMut<'_, '_, E, D>) {
        walk.tensor("weight", true, &mut self.weight);
    }
}
