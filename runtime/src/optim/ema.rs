//! An average of the weights over the steps of a run, which often judges better than the last weights do (Polyak and Juditsky,
//! 1992).
//!
//! Buffers are averaged too: running statistics of other weights would not fit the averaged ones.

use super::{OptimError, RestoreError, fits};
use crate::backend::Backend;
use crate::net::{AnyNetwork, named_tensors};
use crate::weights::{Entry, StateDict};

/// An exponential moving average of all parameters and buffers of a network.
#[derive(Debug, Clone)]
pub struct Ema {
    decay: f64,
    updates: u64,
    names: Vec<(String, Vec<usize>)>,
    values: Vec<Vec<f32>>,
    /// Which of them are frozen: such a tensor is its own average, which rounding would move.
    frozen: Vec<bool>,
}

impl Ema {
    /// An average of networks like this one. The first updates decay faster, so that the beginning is soon forgotten: by
    /// `(1 + n) / (10 + n)` where that is less than `decay`.
    ///
    /// # Errors
    /// When the device runs out of memory.
    pub fn new<D: Backend<f32>>(net: &dyn AnyNetwork<f32, D>, decay: f64) -> Result<Self, OptimError> {
        let tensors = named_tensors(net).map_err(|error| OptimError::Device(format!("{error:?}")))?;
        let (names, values) = tensors.into_iter().map(|tensor| ((tensor.name, tensor.shape), tensor.values)).unzip();
        let values: Vec<Vec<f32>> = values;
        Ok(Ema { decay, updates: 0, names, frozen: vec![false; values.len()], values })
    }

    /// The same average, which leaves the tensors alone that are frozen by their names.
    pub(crate) fn with_frozen(mut self, is_frozen: impl Fn(&str) -> bool) -> Self {
        self.frozen = self.names.iter().map(|(name, _)| is_frozen(name)).collect();
        self
    }

    /// Takes in the network as it is now.
    ///
    /// # Errors
    /// When `net` is not like the network that this was made for.
    pub fn update<D: Backend<f32>>(&mut self, net: &mut dyn AnyNetwork<f32, D>) -> Result<(), OptimError> {
        let n = self.updates as f64;
        let keep = self.decay.min((1.0 + n) / (10.0 + n)) as f32;
        self.each(net, |param, average, frozen| {
            for (average, x) in average.iter_mut().zip(param).filter(|_| !frozen) {
                *average = keep * *average + (1.0 - keep) * *x;
            }
        })?;
        self.updates += 1;
        Ok(())
    }

    /// Exchanges the network's values with the average.
    ///
    /// # Errors
    /// When `net` is not like the network that this was made for.
    pub fn swap<D: Backend<f32>>(&mut self, net: &mut dyn AnyNetwork<f32, D>) -> Result<(), OptimError> {
        self.each(net, |param, average, _| param.swap_with_slice(average))
    }

    /// Calls `f` with the numbers of each tensor of the network and those that belong to it.
    fn each<D: Backend<f32>>(
        &mut self,
        net: &mut dyn AnyNetwork<f32, D>,
        f: impl Fn(&mut [f32], &mut [f32], bool),
    ) -> Result<(), OptimError> {
        fits(net, self.names.iter().map(|(name, shape)| (&**name, &**shape)))?;
        let mut values = self.values.iter_mut().zip(&self.frozen);
        net.tensors_mut(&mut |_, tensor| {
            if let Some((values, frozen)) = values.next() {
                tensor.numbers(&mut |param| f(param, values, *frozen));
            }
        });
        Ok(())
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
