//! The options of a training run, and the optimiser that they ask for.

use crate::backend::Backend;
use crate::data::Normalisation;
use crate::net::Network;
use crate::optim::Sgd;
use dfdx::optim::{Adam, AdamConfig, Momentum, Optimizer as _, SgdConfig, WeightDecay};
use dfdx::prelude::*;
use std::fmt;
use std::str::FromStr;

/// The options of a training run.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Passes over the training set.
    pub epochs: usize,
    /// Pictures in a step; the last step of an epoch may have fewer.
    pub batch: usize,
    /// Which optimiser.
    pub optimizer: Optimizer,
    /// Learning rate at its highest.
    pub lr: f64,
    /// Momentum of SGD; not used by Adam.
    pub momentum: f64,
    /// L2 penalty, as PyTorch's `weight_decay`.
    pub weight_decay: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Of the order of pictures. Weights start from the device's seed.
    pub seed: u64,
    /// Of pixels.
    pub normalisation: Normalisation,
    /// What the loss of each auxiliary head counts beside that of the output; if empty, [`HEAD_WEIGHT`] each.
    pub head_weights: Vec<f64>,
}

/// What the loss of an auxiliary head counts (Szegedy et al., 2014, section 5).
pub const HEAD_WEIGHT: f64 = 0.3;

/// An optimiser of dfdx's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Adam (Kingma and Ba, 2014).
    Adam,
}

/// How the learning rate changes over a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Not at all.
    Constant,
    /// Along half a cosine down to zero (Loshchilov and Hutter, 2016).
    Cosine,
    /// To a tenth after each third of the run.
    Step,
}

/// An option without a meaning.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{option} is {found}; it must be {expected}")]
pub struct ConfigError {
    /// Which option.
    pub option: &'static str,
    /// Its value.
    pub found: String,
    /// What it may be.
    pub expected: &'static str,
}

impl FromStr for Optimizer {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text {
            "sgd" => Ok(Optimizer::Sgd),
            "adam" => Ok(Optimizer::Adam),
            _ => Err(ConfigError { option: "the optimizer", found: format!("`{text}`"), expected: "sgd or adam" }),
        }
    }
}

impl fmt::Display for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Optimizer::Sgd => "sgd",
            Optimizer::Adam => "adam",
        })
    }
}

impl FromStr for Schedule {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let expected = "constant, cosine or step";
        match text {
            "constant" => Ok(Schedule::Constant),
            "cosine" => Ok(Schedule::Cosine),
            "step" => Ok(Schedule::Step),
            _ => Err(ConfigError { option: "the schedule", found: format!("`{text}`"), expected }),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Schedule::Constant => "constant",
            Schedule::Cosine => "cosine",
            Schedule::Step => "step",
        })
    }
}

impl Config {
    /// Checks that every option has a meaning.
    ///
    /// # Errors
    /// The first that has none.
    pub fn check(&self) -> Result<(), ConfigError> {
        let need = |ok: bool, option, found: String, expected| {
            if ok { Ok(()) } else { Err(ConfigError { option, found, expected }) }
        };
        need(self.epochs > 0, "the number of epochs", self.epochs.to_string(), "at least 1")?;
        need(self.batch > 0, "the batch size", self.batch.to_string(), "at least 1")?;
        let positive = self.lr.is_finite() && self.lr > 0.0;
        need(positive, "the learning rate", self.lr.to_string(), "a number above 0")?;
        let fraction = (0.0..1.0).contains(&self.momentum);
        need(fraction, "the momentum", self.momentum.to_string(), "a number from 0 to below 1")?;
        let decay = self.weight_decay.is_finite() && self.weight_decay >= 0.0;
        need(decay, "the weight decay", self.weight_decay.to_string(), "a number from 0 on")?;
        let weights = self.head_weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
        need(weights, "the weight of a head", format!("{:?}", self.head_weights), "a number from 0 on")?;
        let std = self.normalisation.std;
        need(std.is_finite() && std > 0.0, "the standard deviation of pixels", std.to_string(), "a number above 0")
    }

    /// The weight of each of `heads` auxiliary heads.
    ///
    /// # Errors
    /// When other than as many weights, or none, are given.
    pub fn weights_of(&self, heads: usize) -> Result<Vec<f64>, ConfigError> {
        match self.head_weights.len() {
            0 => Ok(vec![HEAD_WEIGHT; heads]),
            given if given == heads => Ok(self.head_weights.clone()),
            given => Err(ConfigError {
                option: "the number of head weights",
                found: given.to_string(),
                expected: "one for each auxiliary head of the network, or none",
            }),
        }
    }

    /// The learning rate of step `step` of `steps`, counted from 0.
    pub fn lr_at(&self, step: usize, steps: usize) -> f64 {
        let progress = step as f64 / steps.max(1) as f64;
        self.lr
            * match self.schedule {
                Schedule::Constant => 1.0,
                Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
                Schedule::Step => 0.1_f64.powi((3.0 * progress) as i32),
            }
    }
}

/// An optimiser at work on a network.
pub(super) enum Update<N, D: Storage<f32>> {
    Sgd(Sgd<N, D>),
    Adam(Adam<N, f32, D>),
}

impl<N: Network<f32, D>, D: Backend<f32>> Update<N, D> {
    pub fn new(net: &N, config: &Config) -> Self {
        let weight_decay = (config.weight_decay > 0.0).then_some(WeightDecay::L2(config.weight_decay));
        match config.optimizer {
            Optimizer::Sgd => {
                let momentum = (config.momentum > 0.0).then_some(Momentum::Classic(config.momentum));
                Update::Sgd(Sgd::new(net, SgdConfig { lr: config.lr, momentum, weight_decay }))
            }
            Optimizer::Adam => {
                Update::Adam(Adam::new(net, AdamConfig { lr: config.lr, weight_decay, ..AdamConfig::default() }))
            }
        }
    }

    /// Updates the parameters and sets their gradients to zero.
    pub fn step(&mut self, net: &mut N, gradients: &mut Gradients<f32, D>, lr: f64) -> Result<(), String> {
        match self {
            Update::Sgd(sgd) => {
                sgd.config.lr = lr;
                sgd.step(net, gradients).map_err(|error| format!("{error:?}"))
            }
            Update::Adam(adam) => {
                adam.cfg.lr = lr;
                adam.update(net, gradients).map_err(|error| format!("{error:?}"))?;
                net.try_zero_grads(gradients).map_err(|error| format!("{error:?}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            epochs: 3,
            batch: 8,
            optimizer: Optimizer::Sgd,
            lr: 0.1,
            momentum: 0.9,
            weight_decay: 0.0,
            schedule: Schedule::Cosine,
            seed: 0,
            normalisation: Normalisation { mean: 0.0, std: 1.0 },
            head_weights: Vec::new(),
        }
    }

    #[test]
    fn schedules_start_at_the_learning_rate_and_end_low() {
        for (schedule, middle, end) in
            [(Schedule::Constant, 0.1, 0.1), (Schedule::Cosine, 0.05, 0.0), (Schedule::Step, 0.01, 0.001)]
        {
            let config = Config { schedule, ..config() };
            assert_eq!(config.lr_at(0, 300), 0.1);
            assert!((config.lr_at(150, 300) - middle).abs() < 1e-9, "{schedule}");
            assert!((config.lr_at(299, 300) - end).abs() < 1e-4, "{schedule}");
        }
    }

    #[test]
    fn options_without_a_meaning_are_errors() {
        assert_eq!(config().check(), Ok(()));
        let bad = [
            Config { epochs: 0, ..config() },
            Config { batch: 0, ..config() },
            Config { lr: 0.0, ..config() },
            Config { lr: f64::NAN, ..config() },
            Config { momentum: 1.0, ..config() },
            Config { weight_decay: -1.0, ..config() },
        ];
        for bad in bad {
            let error = bad.check().unwrap_err().to_string();
            assert!(error.contains("must be"), "{error}");
        }
    }
}
