//! The gradients of several processes become those of one.
//!
//! All gradients are copied into one vector, which the communicator moves in pieces. The engine's backward pass is one
//! operation, so there is no moment between two layers at which a piece could leave earlier.

use super::{OptimError, Optimizer, walk};
use crate::backend::Backend;
use crate::distributed::Communicator;
use crate::net::AnyNetwork;
use dfdx::prelude::*;

impl Optimizer {
    /// Adds up the gradients that the ranks have of parameters that are not frozen, and takes the mean of their buffers: with
    /// the running statistics of all of them a checkpoint is that of any rank.
    ///
    /// # Errors
    /// When the device runs out of memory, or `net` is not like the network that this was made for.
    pub fn share<D: Backend<f32>>(
        &self,
        net: &mut dyn AnyNetwork<f32, D>,
        gradients: &mut Gradients<f32, D>,
        ranks: &dyn Communicator,
    ) -> Result<(), OptimError> {
        self.fits(net)?;
        let sent = |index: usize| !self.params[index].options.frozen;
        let (mut all, mut buffers) = (Vec::new(), Vec::new());
        walk::each(net, gradients, &mut |index, held| {
            if !held.trainable {
                // As f64, in which the mean of equal numbers is that number for any count of ranks.
                held.numbers(&mut |values| buffers.extend(values.iter().map(|x| f64::from(*x))));
            } else if sent(index) {
                held.gradient(&mut |gradient| all.extend_from_slice(gradient))?;
            }
            Ok(())
        })?;
        ranks.sum(&mut all);
        let buffers = ranks.total(&buffers);
        let (mut sums, mut totals) = (&all[..], &buffers[..]);
        walk::each(net, gradients, &mut |index, held| {
            if !held.trainable {
                held.numbers(&mut |values| {
                    let (own, rest) = totals.split_at(values.len());
                    values.iter_mut().zip(own).for_each(|(x, sum)| *x = (sum / ranks.size() as f64) as f32);
                    totals = rest;
                });
            } else if sent(index) {
                held.change_gradient(&mut |gradient| {
                    let (own, rest) = sums.split_at(gradient.len());
                    gradient.copy_from_slice(own);
                    sums = rest;
                })?;
            }
            Ok(())
        })
    }
}
