//! Two questions before a long run: which learning rate, and can the network learn at all?

use super::TrainError;
use super::config::Config;
use super::feed::{self, Loaders};
use super::hyperparameters::Hyperparameters;
use super::learner::{Goal, Learner};
use crate::data::{Batch, Split};
use crate::objective::Objective;
use crate::optim::Step;
use crate::weights::StateDict;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What one step of a trial run has shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// The learning rate.
    pub lr: f64,
    /// The loss before the step; that of the learning rate finder is smoothed.
    pub loss: f64,
}

/// Steps over which the fall of a loss is measured.
const SPAN: usize = 9;

/// The learning rate range test (Smith, 2015): a short run whose learning rate grows from 1e-6 to 10 over `steps` steps, or until
/// the loss explodes. Gives all steps and the rate at which the loss fell fastest, a tenth of which to a whole is a good
/// choice. The network is afterwards what it was before.
///
/// # Errors
/// As [`super::Trainer::train`].
pub fn find_lr(
    learner: &mut dyn Learner,
    data: &Split,
    config: &Config,
    steps: usize,
) -> Result<(Vec<Trial>, Option<f64>), TrainError> {
    let Begun { before, loaders, objective } = begin(learner, data, config)?;
    let mut probes: Vec<Trial> = Vec::new();
    let (mut mean, mut best, keep) = (0.0, f64::INFINITY, 0.9_f64);
    let batches = (1..).flat_map(|epoch| loaders.train.epoch(epoch, 0));
    for (step, batch) in batches.take(steps.max(2)).enumerate() {
        let lr = 1e-6 * 1e7_f64.powf(step as f64 / (steps.max(2) - 1) as f64);
        let loss = one(learner, &*objective, batch?, config, lr, step as u64)?;
        // The mean forgets its start at zero, as Adam's moments do.
        mean = keep * mean + (1.0 - keep) * loss;
        let smooth = mean / (1.0 - keep.powi(step as i32 + 1));
        if !smooth.is_finite() || smooth > 4.0 * best {
            break;
        }
        best = best.min(smooth);
        probes.push(Trial { lr, loss: smooth });
    }
    learner.restore(&before).map_err(|error| TrainError::Device(error.to_string()))?;
    // Over some steps each, and not where the mean has hardly seen a batch: single steps are noise.
    let fall = |part: &[Trial]| match part {
        [first, .., last] => (last.loss - first.loss) / (last.lr / first.lr).ln(),
        _ => 0.0,
    };
    let settled = probes.get(SPAN..).unwrap_or_default();
    let steepest = settled.windows(SPAN).filter(|part| fall(part) < 0.0).min_by(|a, b| fall(a).total_cmp(&fall(b)));
    let steepest = steepest.map(|part| part[SPAN / 2].lr);
    Ok((probes, steepest))
}

/// Learns one batch by heart: a network, a loss and an optimiser that are wired right get its loss near to zero. Gives the
/// steps, of which the last one has a loss below `enough` if that was reached within `steps`. The network is afterwards what
/// it was before.
///
/// # Errors
/// As [`super::Trainer::train`].
pub fn overfit(
    learner: &mut dyn Learner,
    data: &Split,
    config: &Config,
    steps: usize,
    enough: f64,
) -> Result<Vec<Trial>, TrainError> {
    // Whatever keeps a network from learning by heart is left out.
    let config = Config { augment: Vec::new(), label_smoothing: 0.0, weight_decay: 0.0, ..config.clone() };
    let Begun { before, loaders, objective } = begin(learner, data, &config)?;
    let mut probes = Vec::new();
    if let Some(batch) = loaders.train.epoch(1, 0).next().transpose()? {
        for step in 0..steps {
            let loss = one(learner, &*objective, batch.clone(), &config, config.lr, step as u64)?;
            probes.push(Trial { lr: config.lr, loss });
            if !loss.is_finite() || loss < enough {
                break;
            }
        }
    }
    learner.restore(&before).map_err(|error| TrainError::Device(error.to_string()))?;
    Ok(probes)
}

/// A trial that has begun.
struct Begun {
    /// The state to go back to.
    before: StateDict,
    loaders: Loaders,
    objective: Arc<dyn Objective>,
}

/// Begins to learn.
fn begin(learner: &mut dyn Learner, data: &Split, config: &Config) -> Result<Begun, TrainError> {
    config.check()?;
    let graph = learner.graph();
    let objective = feed::objective(config, data.train.as_ref(), "training", graph, &[])?;
    let loaders = feed::loaders(graph, data, config, [0, 1], &AtomicBool::new(false), &*objective)?;
    let objective = feed::with_normalisation(objective, config, &loaders, data, graph)?;
    learner.begin(Hyperparameters { ema: None, ..Hyperparameters::new(config, graph)? })?;
    Ok(Begun { before: learner.state()?, loaders, objective })
}

fn one(
    learner: &mut dyn Learner,
    objective: &dyn Objective,
    mut batch: Batch,
    config: &Config,
    lr: f64,
    step: u64,
) -> Result<f64, TrainError> {
    let total = feed::weight(&batch, objective);
    let (targets, images) = (feed::targets(&mut batch, objective), batch.indices.len());
    let goal = Goal { objective, targets: &targets, total, images };
    let pass = learner.pass(batch.pixels, goal, feed::dropout_seed(config.seed, step, 0))?;
    learner.update(&Step { clip_norm: config.clip_norm, clip_value: config.clip_value, ..Step::new(lr) })?;
    Ok(pass.loss)
}
