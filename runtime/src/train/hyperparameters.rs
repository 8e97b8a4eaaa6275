//! How a network is to learn, from the options of a run.

use super::config::Config;
use super::config_error::ConfigError;
use super::fine_tune::{self, Phase};
use super::pattern::{matches, scale, unmatched};
use crate::graph::{Graph, Param};
use crate::optim::{Method, OptimizerKind, ParamInfo, ParamOptions};

/// How a network is to learn.
#[derive(Debug, Clone)]
pub struct Hyperparameters {
    /// The optimiser.
    pub method: Method,
    /// For each parameter of [`Graph::params`], what the optimiser does to it.
    pub params: Vec<ParamOptions>,
    /// Decay of the average of the weights, if there is one.
    pub ema: Option<f64>,
    /// What the loss of each auxiliary head counts.
    pub head_weights: Vec<f64>,
    /// Images that a frozen front is computed of at once. It is always as many, since the engine chooses its algorithms by the batch: so an
    /// image has the same values, to the bit, whatever it is together with.
    pub front_batch: usize,
}

/// The most images for [`Hyperparameters::front_batch`].
const FRONT_BATCH: usize = 32;

impl Hyperparameters {
    /// The hyper-parameters that the options ask for in the first epoch.
    ///
    /// # Errors
    /// When one has no meaning for this network.
    pub fn new(config: &Config, graph: &Graph) -> Result<Self, ConfigError> {
        Self::of(config, graph, Phase::of(config, 1))
    }

    /// The hyper-parameters of a phase of the run.
    pub(super) fn of(config: &Config, graph: &Graph, phase: Phase) -> Result<Self, ConfigError> {
        Ok(Hyperparameters {
            method: method(config),
            params: param_options(config, graph, phase)?,
            ema: config.ema,
            head_weights: config.weights_of(graph.heads.len())?,
            front_batch: config.batch.min(FRONT_BATCH),
        })
    }
}

/// The optimiser that the options ask for.
fn method(config: &Config) -> Method {
    let (betas, eps) = (config.betas, config.eps.unwrap_or(1e-8));
    match config.optimizer {
        OptimizerKind::Sgd => Method::Sgd { momentum: config.momentum, nesterov: config.nesterov },
        OptimizerKind::Adam => Method::Adam { betas, eps },
        OptimizerKind::AdamW => Method::AdamW { betas, eps },
        OptimizerKind::RmsProp => Method::RmsProp { alpha: config.alpha, eps, momentum: config.momentum },
    }
}

/// What is done to each parameter and buffer of a network, in the order of [`Graph::params`].
fn param_options(config: &Config, graph: &Graph, phase: Phase) -> Result<Vec<ParamOptions>, ConfigError> {
    let scales = config.lr_scale.iter().map(|text| scale(text)).collect::<Result<Vec<_>, _>>()?;
    let freeze = config.freeze.iter().map(|pattern| ("freeze", pattern.as_str()));
    for (option, pattern) in freeze.chain(scales.iter().map(|(pattern, _)| ("lr_scale", *pattern))) {
        if !graph.params.iter().any(|param| matches(pattern, &param.name)) {
            return Err(unmatched(option, pattern, graph));
        }
    }
    let head = fine_tune::head(graph);
    let rates = if config.fine_tune.is_some() { fine_tune::rates(graph) } else { vec![1.0; graph.params.len()] };
    let options = |(index, param): (usize, &Param)| {
        let decays = config.decay_all || ParamInfo { name: &param.name, shape: &param.shape }.is_weight();
        let scale = scales.iter().rev().find(|(pattern, _)| matches(pattern, &param.name)).map(|(_, scale)| *scale);
        let frozen = config.freeze.iter().any(|pattern| matches(pattern, &param.name));
        ParamOptions {
            lr_scale: scale.unwrap_or(rates[index]),
            weight_decay: if decays { config.weight_decay } else { 0.0 },
            frozen: frozen || phase == Phase::Head && !head[index],
        }
    };
    Ok(graph.params.iter().enumerate().map(options).collect())
}
