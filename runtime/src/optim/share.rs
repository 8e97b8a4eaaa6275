//! The gradients of several processes become those of one.
//!
//! All gradients are copied into one vector, which the communicator moves in pieces. The engine's backward pass is one
//! operation, so there is no moment between two layers at which a piece could leave earlier.

use super::Optimizer;
use crate::backend::Backend;
use crate::distributed::Communicator;
use dfdx::nn::tensor_collection::{RecursiveWalker, TensorOptions, TensorVisitor, ViewTensorMut};
use dfdx::prelude::*;

impl<N: TensorCollection<f32, D>, D: Backend<f32>> Optimizer<N, D> {
    /// Adds up the gradients that the ranks have of parameters that are not frozen, and takes the mean of their buffers: with
    /// the running statistics of all of them a checkpoint is that of any rank.
    ///
    /// # Errors
    /// When the device runs out of memory.
    pub fn share(
        &self,
        net: &mut N,
        gradients: &mut Gradients<f32, D>,
        ranks: &dyn Communicator,
    ) -> Result<(), D::Err> {
        let (mut all, mut buffers) = (Vec::new(), Vec::new());
        each(net, gradients, |index, kind, values| match kind {
            Kind::Gradient if self.params[index].options.frozen => {}
            Kind::Gradient => all.extend_from_slice(values),
            // As f64, in which the mean of equal numbers is that number for any count of ranks.
            Kind::Buffer => buffers.extend(values.iter().map(|x| f64::from(*x))),
        })?;
        ranks.sum(&mut all);
        let buffers = ranks.total(&buffers);
        let (mut gradient, mut buffer) = (&all[..], &buffers[..]);
        each(net, gradients, |index, kind, values| match kind {
            Kind::Gradient if self.params[index].options.frozen => {}
            Kind::Gradient => {
                let (own, rest) = gradient.split_at(values.len());
                values.copy_from_slice(own);
                gradient = rest;
            }
            Kind::Buffer => {
                let (own, rest) = buffer.split_at(values.len());
                values.iter_mut().zip(own).for_each(|(x, sum)| *x = (sum / ranks.size() as f64) as f32);
                buffer = rest;
            }
        })
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Gradient,
    Buffer,
}

/// Calls `f` with the index of each tensor of the network, and with its gradient if it has one or else with its numbers.
fn each<N: TensorCollection<f32, D>, D: Backend<f32>>(
    net: &mut N,
    gradients: &mut Gradients<f32, D>,
    f: impl FnMut(usize, Kind, &mut [f32]),
) -> Result<(), D::Err> {
    struct Walk<'a, D: Storage<f32>, F> {
        gradients: &'a mut Gradients<f32, D>,
        index: usize,
        f: F,
    }
    impl<D: Backend<f32>, F: FnMut(usize, Kind, &mut [f32])> TensorVisitor<f32, D> for Walk<'_, D, F> {
        type Viewer = ViewTensorMut;
        type Err = D::Err;
        type E2 = f32;
        type D2 = D;

        fn visit<S: Shape>(
            &mut self,
            options: TensorOptions<S, f32, D>,
            param: &mut Tensor<S, f32, D>,
        ) -> Result<Option<Tensor<S, f32, D>>, D::Err> {
            let Walk { gradients, index, f } = self;
            if options.do_gradient_update {
                D::change_gradient(param, gradients, |gradient| f(*index, Kind::Gradient, gradient))?;
            } else {
                D::numbers(param, |numbers| f(*index, Kind::Buffer, numbers));
            }
            *index += 1;
            Ok(None)
        }
    }
    N::iter_tensors(&mut RecursiveWalker { m: net, f: &mut Walk { gradients, index: 0, f } }).map(|_| ())
}
