//! One walk over a network's tensors, for all that optimisers do to them.
//!
//! dfdx gives each tensor to a visitor with its shape as a type, which a closure cannot take; [`Slot`] is what such a tensor
//! is once that type is forgotten.

use crate::backend::Backend;
use dfdx::nn::tensor_collection::{RecursiveWalker, TensorOptions, TensorVisitor, ViewTensorMut};
use dfdx::prelude::*;

/// A tensor of a network, with its gradient if it is a parameter.
pub(super) trait Slot<Err> {
    /// Whether it is a parameter, and not a buffer.
    fn is_param(&self) -> bool;
    /// [`Backend::numbers`]
    fn numbers(&mut self, f: &mut dyn FnMut(&mut [f32]));
    /// [`Backend::gradient`]
    fn gradient(&mut self, f: &mut dyn FnMut(&[f32])) -> Result<(), Err>;
    /// [`Backend::change_gradient`]
    fn change_gradient(&mut self, f: &mut dyn FnMut(&mut [f32])) -> Result<(), Err>;
    /// [`Backend::descend`]
    fn descend(&mut self, f: &mut dyn FnMut(&mut [f32], &mut [f32])) -> Result<(), Err>;
}

struct Place<'a, S: Shape, D: Backend<f32>> {
    tensor: &'a mut Tensor<S, f32, D>,
    gradients: &'a mut Gradients<f32, D>,
    is_param: bool,
}

impl<S: Shape, D: Backend<f32>> Slot<D::Err> for Place<'_, S, D> {
    fn is_param(&self) -> bool {
        self.is_param
    }

    fn numbers(&mut self, f: &mut dyn FnMut(&mut [f32])) {
        D::numbers(self.tensor, f);
    }

    fn gradient(&mut self, f: &mut dyn FnMut(&[f32])) -> Result<(), D::Err> {
        D::gradient(self.tensor, self.gradients, f)
    }

    fn change_gradient(&mut self, f: &mut dyn FnMut(&mut [f32])) -> Result<(), D::Err> {
        D::change_gradient(self.tensor, self.gradients, f)
    }

    fn descend(&mut self, f: &mut dyn FnMut(&mut [f32], &mut [f32])) -> Result<(), D::Err> {
        D::descend(self.tensor, self.gradients, f)
    }
}

/// Calls `f` with each tensor of the network and its index, in the same order each time.
pub(super) fn each<N: TensorCollection<f32, D>, D: Backend<f32>>(
    net: &mut N,
    gradients: &mut Gradients<f32, D>,
    f: impl FnMut(usize, &mut dyn Slot<D::Err>) -> Result<(), D::Err>,
) -> Result<(), D::Err> {
    struct Walk<'a, D: Backend<f32>, F> {
        gradients: &'a mut Gradients<f32, D>,
        index: usize,
        f: F,
    }
    impl<D: Backend<f32>, F> TensorVisitor<f32, D> for Walk<'_, D, F>
    where
        F: FnMut(usize, &mut dyn Slot<D::Err>) -> Result<(), D::Err>,
    {
        type Viewer = ViewTensorMut;
        type Err = D::Err;
        type E2 = f32;
        type D2 = D;

        fn visit<S: Shape>(
            &mut self,
            options: TensorOptions<S, f32, D>,
            tensor: &mut Tensor<S, f32, D>,
        ) -> Result<Option<Tensor<S, f32, D>>, D::Err> {
            let mut place = Place { tensor, gradients: self.gradients, is_param: options.do_gradient_update };
            (self.f)(self.index, &mut place)?;
            self.index += 1;
            Ok(None)
        }
    }
    N::iter_tensors(&mut RecursiveWalker { m: net, f: &mut Walk { gradients, index: 0, f } }).map(|_| ())
}
