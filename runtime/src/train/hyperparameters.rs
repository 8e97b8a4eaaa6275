//! How a network is to learn, from the options of a run.

use super::config::Config;
use super::config_error::ConfigError;
use crate::graph::{Graph, Param};
use crate::optim::{Method, OptimizerKind, ParamInfo, ParamOptions};
use crate::wording::did_you_mean;

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
}

impl Hyperparameters {
    /// Those that the options ask for.
    ///
    /// # Errors
    /// When one has no meaning for this network.
    pub fn new(config: &Config, graph: &Graph) -> Result<Self, ConfigError> {
        Ok(Hyperparameters {
            method: method(config),
            params: param_options(config, graph)?,
            ema: config.ema,
            head_weights: config.weights_of(graph.heads.len())?,
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
fn param_options(config: &Config, graph: &Graph) -> Result<Vec<ParamOptions>, ConfigError> {
    for pattern in &config.freeze {
        if !graph.params.iter().any(|param| matches(pattern, &param.name)) {
            return Err(unmatched(pattern, graph));
        }
    }
    let options = |param: &Param| {
        let decays = config.decay_all || ParamInfo { name: &param.name, shape: &param.shape }.is_weight();
        ParamOptions {
            lr_scale: 1.0,
            weight_decay: if decays { config.weight_decay } else { 0.0 },
            frozen: config.freeze.iter().any(|pattern| matches(pattern, &param.name)),
        }
    };
    Ok(graph.params.iter().map(options).collect())
}

/// The error about a pattern that no parameter matches.
fn unmatched(pattern: &str, graph: &Graph) -> ConfigError {
    let names: Vec<&str> = graph.params.iter().map(|param| &*param.name).collect();
    // A layer's name is a pattern as well.
    let layers: Vec<&str> = names.iter().filter_map(|name| name.rsplit_once('.').map(|(layer, _)| layer)).collect();
    let hint = did_you_mean(pattern, &[&layers[..], &names[..]].concat());
    let some = names.iter().take(6).copied().collect::<Vec<_>>().join(", ");
    let more = if names.len() > 6 { " ..." } else { "" };
    let expected = format!("a pattern that a parameter of {} matches: {some}{more}{hint}", graph.name);
    ConfigError::value("freeze", format!("`{pattern}`"), &expected)
}

/// Whether a name is as a pattern says, in which `*` stands for anything. The name of a layer stands for all its parameters.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        last = Some(part);
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    match last {
        None => rest.is_empty() || rest.starts_with('.'),
        Some(part) => rest.is_empty() || part.is_empty() || name.ends_with(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_a_shell_would() {
        for (pattern, name, expected) in [
            ("conv1.weight", "conv1.weight", true),
            ("conv1", "conv1.weight", true),
            ("conv1", "conv10.weight", false),
            ("features.*", "features.0.bias", true),
            ("*.bias", "fc.bias", true),
            ("*.bias", "fc.bias.weight", false),
            ("layer*.conv*.weight", "layer1.0.conv2.weight", true),
            ("layer*.conv*.weight", "layer1.0.bn2.weight", false),
            ("*", "anything", true),
            ("", "conv1.weight", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
