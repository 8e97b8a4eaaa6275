//! `convnet train --find-lr` and `--overfit`: two questions before a long run.

use crate::common::{self, Outcome, print};
use convnet::data::Split;
use convnet::train::{self, Config, Learner, Trial};
use convnet::wording::counted;
use serde::Serialize;

/// Steps of the two probes.
const PROBE: usize = 200;
/// A loss at which a batch is known by heart.
const ENOUGH: f64 = 0.01;

/// What `--find-lr --json` prints.
#[derive(Serialize)]
struct FindLr<'a> {
    model: &'a str,
    /// The learning rate at which the loss fell fastest; none if it never fell.
    steepest: Option<f64>,
    trials: Vec<Step>,
}

/// What `--overfit --json` prints.
#[derive(Serialize)]
struct Overfit<'a> {
    model: &'a str,
    learnt: bool,
    steps: usize,
    loss: f64,
    trials: Vec<Step>,
}

#[derive(Serialize)]
struct Step {
    lr: f64,
    loss: f64,
}

fn steps(trials: &[Trial]) -> Vec<Step> {
    trials.iter().map(|trial| Step { lr: trial.lr, loss: trial.loss }).collect()
}

pub fn find_lr(name: &str, learner: &mut dyn Learner, data: &Split, config: &Config, json: bool) -> Outcome {
    let (trials, steepest) = train::find_lr(learner, data, config, PROBE)?;
    if json {
        return common::print_json(&FindLr { model: name, steepest, trials: steps(&trials) });
    }
    print("learning rate        loss")?;
    for trial in trials.iter().step_by((trials.len() / 24).max(1)) {
        print(&format!("{:13.2e}  {:10.4}", trial.lr, trial.loss))?;
    }
    print(&match steepest {
        Some(lr) => {
            format!("the loss fell fastest at {lr:.2e}; something between {:.2e} and that is a good choice", lr / 10.0)
        }
        None => "the loss never fell".into(),
    })?;
    Ok(())
}

pub fn overfit(name: &str, learner: &mut dyn Learner, data: &Split, config: &Config, json: bool) -> Outcome {
    let trials = train::overfit(learner, data, config, 5 * PROBE, ENOUGH)?;
    let Some(last) = trials.last() else { return Err("there is no batch".into()) };
    let learnt = last.loss < ENOUGH;
    if json {
        let (steps, trials) = (trials.len(), steps(&trials));
        common::print_json(&Overfit { model: name, learnt, steps, loss: last.loss, trials })?;
    } else if learnt {
        print(&format!(
            "one batch is learnt by heart after {} (loss {:.4})",
            counted(trials.len(), "step"),
            last.loss
        ))?;
    }
    match learnt {
        true => Ok(()),
        false => Err(format!(
            "the network cannot learn one batch by heart: after {} the loss is {:.4}; try another learning rate, and see \
             whether labels belong to their images",
            counted(trials.len(), "step"),
            last.loss
        )
        .into()),
    }
}
