//! An average of the weights over the steps of a run, which often judges better than the last weights do (Polyak and Juditsky,
//! 1992).
//!
//! Buffers are averaged too: running statistics of other weights would not fit the averaged ones.

use super::{RestoreError, walk};
use crate::backend::Backend;
use crate::net::named_shapes;
use crate::weights::{Entry, StateDict};
use dfdx::prelude::*;
use std::marker::PhantomData;

/// An exponential moving average of all parameters and buffers of a network.
#[derive(Debug, Clone)]
pub struct Ema<N, D> {
    decay: f64,
    updates: u64,
    names: Vec<(String, Vec<usize>)>,
    values: Vec<Vec<f32>>,
    network: PhantomData<fn(&mut N, D)>,
}

impl<N: TensorCollection<f32, D>, D: Backend<f32>> Ema<N, D> {
    /// An average of networks like this one. The first updates decay faster, so that the beginning is soon forgotten: by
    /// `(1 + n) / (10 + n)` where that is less than `decay`.
    pub fn new(net: &N, decay: f64) -> Self {
        let names = named_shapes(net);
        let values = crate::net::named_tensors(net).into_iter().map(|tensor| tensor.values).collect();
        Ema { decay, updates: 0, names, values, network: PhantomData }
    }

    /// Takes in the network as it is now.
    pub fn update(&mut self, net: &mut N) {
        let n = self.updates as f64;
        let keep = self.decay.min((1.0 + n) / (10.0 + n)) as f32;
        self.updates += 1;
        each(net, &mut self.values, |param, average| {
            for (average, x) in average.iter_mut().zip(param) {
                *average = keep * *average + (1.0 - keep) * *x;
            }
        });
    }

    /// Exchanges the network's values with the average.
    pub fn swap(&mut self, net: &mut N) {
        each(net, &mut self.values, |param, average| param.swap_with_slice(average));
    }

    /// All of it, to be saved.
    pub fn state(&self) -> StateDict {
        let entries = self.names.iter().zip(&self.values);
        let entries = entries.map(|((name, shape), values)| Entry::from_f32(name.as_str(), shape, values)).collect();
        StateDict { entries, metadata: [("updates".to_string(), self.updates.to_string())].into() }
    }

    /// Takes it back.
    ///
    /// # Errors
    /// When it is not of a network like this one; then nothing has changed.
    pub fn restore(&mut self, state: &StateDict) -> Result<(), RestoreError> {
        let found =
            self.names.iter().map(|(name, shape)| super::numbers_of(state, name, shape)).collect::<Result<_, _>>()?;
        self.updates = super::count_of(state, "updates")?;
        self.values = found;
        Ok(())
    }
}

/// Calls `f` with the numbers of each tensor of the network and those that belong to it.
fn each<N: TensorCollection<f32, D>, D: Backend<f32>>(
    net: &mut N,
    values: &mut [Vec<f32>],
    f: impl Fn(&mut [f32], &mut [f32]),
) {
    let mut values = values.iter_mut();
    // The walk itself cannot fail, since nothing in it does.
    let _ = walk::each(net, &mut Gradients::leaky(), |_, slot| {
        if let Some(values) = values.next() {
            slot.numbers(&mut |param| f(param, values));
        }
        Ok(())
    });
}
