//! The options of a training run.
//!
//! [`OPTIONS`] is the one list of them: keys of a TOML file, flags of the program and their help come from it, and a test
//! holds it against the fields of [`Config`]. Values are checked here, before anything is read or computed.

use super::schedule::{Course, Schedule};
use serde::{Deserialize, Serialize};

/// The options of a training run. All have defaults, which train LeNet-5 on MNIST to 99 % in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // `OPTIONS` explains them, for the help of the program too.
pub struct Config {
    pub epochs: usize,
    pub batch: usize,
    pub accumulate: usize,
    pub optimizer: String,
    pub lr: f64,
    pub momentum: f64,
    pub nesterov: bool,
    pub betas: Vec<f64>,
    pub alpha: f64,
    pub eps: Option<f64>,
    pub weight_decay: f64,
    pub decay_all: bool,
    pub schedule: String,
    pub warmup: f64,
    pub step_every: Option<f64>,
    pub factor: f64,
    pub patience: usize,
    pub clip_norm: Option<f64>,
    pub clip_value: Option<f64>,
    pub label_smoothing: f64,
    pub class_weights: Vec<f64>,
    pub balance: String,
    pub head_weights: Vec<f64>,
    pub ema: Option<f64>,
    pub early_stop: Option<usize>,
    pub freeze: Vec<String>,
    pub seed: u64,
    pub augment: Vec<String>,
    pub fit: String,
    pub normalisation: String,
    pub on_bad: String,
    pub workers: Option<usize>,
    pub drop_last: bool,
    pub checkpoint_every: usize,
    pub keep: usize,
}

/// What the loss of an auxiliary head counts (Szegedy et al., 2014, section 5).
pub const HEAD_WEIGHT: f64 = 0.3;

impl Default for Config {
    fn default() -> Self {
        Config {
            epochs: 8,
            batch: 64,
            accumulate: 1,
            optimizer: "sgd".into(),
            lr: 0.03,
            momentum: 0.9,
            nesterov: false,
            betas: vec![0.9, 0.999],
            alpha: 0.99,
            eps: None,
            weight_decay: 5e-4,
            decay_all: false,
            schedule: "cosine".into(),
            warmup: 0.0,
            step_every: None,
            factor: 0.1,
            patience: 3,
            clip_norm: None,
            clip_value: None,
            label_smoothing: 0.0,
            class_weights: Vec::new(),
            balance: "none".into(),
            head_weights: Vec::new(),
            ema: None,
            early_stop: None,
            freeze: Vec::new(),
            seed: 1,
            augment: Vec::new(),
            fit: "auto".into(),
            normalisation: "auto".into(),
            on_bad: "stop".into(),
            workers: None,
            drop_last: false,
            checkpoint_every: 0,
            keep: 2,
        }
    }
}

/// What values an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A whole number from 0 on.
    Integer,
    /// A number.
    Number,
    /// A word.
    Text,
    /// True or false.
    Switch,
    /// Numbers.
    Numbers,
    /// Words.
    Texts,
}

/// An option, for a help text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionInfo {
    /// Its key in a file, with `_`; the program's flag has `-` instead.
    pub key: &'static str,
    /// What values it takes.
    pub kind: ValueKind,
    /// What it does.
    pub help: &'static str,
    /// Whether a run that goes on after an interruption may have another value.
    pub free: bool,
}

const fn option(key: &'static str, kind: ValueKind, help: &'static str) -> OptionInfo {
    OptionInfo { key, kind, help, free: false }
}

const fn free(key: &'static str, kind: ValueKind, help: &'static str) -> OptionInfo {
    OptionInfo { key, kind, help, free: true }
}

/// All options, in the order of a help text.
pub const OPTIONS: &[OptionInfo] = &[
    option("epochs", ValueKind::Integer, "Passes over the training set"),
    option("batch", ValueKind::Integer, "Pictures in a step"),
    option("accumulate", ValueKind::Integer, "Batches whose gradients are added up for one step"),
    option("optimizer", ValueKind::Text, "sgd, adam, adamw or rmsprop"),
    option("lr", ValueKind::Number, "Learning rate at its highest"),
    option("momentum", ValueKind::Number, "Momentum of sgd and rmsprop"),
    option("nesterov", ValueKind::Switch, "Nesterov's momentum (sgd)"),
    option("betas", ValueKind::Numbers, "Decay of the two moments (adam, adamw)"),
    option("alpha", ValueKind::Number, "Decay of the mean square (rmsprop)"),
    option("eps", ValueKind::Number, "Added to a denominator [default: 1e-8]"),
    option("weight_decay", ValueKind::Number, "L2 penalty; decoupled with adamw"),
    option("decay_all", ValueKind::Switch, "Decay biases and the parameters of normalisation too"),
    option("schedule", ValueKind::Text, "How the learning rate changes: constant, cosine, step, one-cycle or plateau"),
    option("warmup", ValueKind::Number, "Epochs over which the learning rate rises from nothing"),
    option("step_every", ValueKind::Number, "Epochs between two drops (step) [default: a third of the run]"),
    option("factor", ValueKind::Number, "What a drop multiplies the learning rate by (step, plateau)"),
    option("patience", ValueKind::Integer, "Epochs without improvement before a drop (plateau)"),
    option("clip_norm", ValueKind::Number, "Longest gradient, as the norm of all of it"),
    option("clip_value", ValueKind::Number, "Largest number in a gradient"),
    option(
        "label_smoothing",
        ValueKind::Number,
        "Share of a label that is spread over all classes (Szegedy et al., 2015)",
    ),
    option("class_weights", ValueKind::Numbers, "What the loss of a picture counts, by class"),
    option("balance", ValueKind::Text, "Against classes of unequal size: none, loss (weights) or sampling"),
    option("head_weights", ValueKind::Numbers, "What the loss of each auxiliary head counts [default: 0.3 each]"),
    option(
        "ema",
        ValueKind::Number,
        "Decay of an average of the weights, which is evaluated and saved instead (0.999, say)",
    ),
    option("early_stop", ValueKind::Integer, "Epochs without improvement after which training ends"),
    option("freeze", ValueKind::Texts, "Parameters that keep their values: names with *, such as features.*"),
    option(
        "seed",
        ValueKind::Integer,
        "Of weights, order, augmentation and dropout; the same seed gives the same network",
    ),
    option(
        "augment",
        ValueKind::Texts,
        "What is done to training pictures, in order: crop(pad = 2), flip, rotate(10), cutout(8), mixup(0.2) ...",
    ),
    option("fit", ValueKind::Text, "How pictures of another size become the network's: auto, pad, resize or crop"),
    option(
        "normalisation",
        ValueKind::Text,
        "Of pixels: auto (computed), none, mnist, fashion-mnist, cifar10, cifar100 or imagenet",
    ),
    option("on_bad", ValueKind::Text, "What a picture that cannot be read does: stop or skip"),
    free(
        "workers",
        ValueKind::Integer,
        "Threads that read pictures; 0: none beside the training itself [default: by need]",
    ),
    option("drop_last", ValueKind::Switch, "Leave out an epoch's last batch where it is not full"),
    free("checkpoint_every", ValueKind::Integer, "Steps between checkpoints; 0: one an epoch"),
    free("keep", ValueKind::Integer, "Checkpoints that are kept beside the best"),
];

/// An option without a meaning.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{option} is {found}; it must be {expected}")]
pub struct ConfigError {
    /// Which option.
    pub option: String,
    /// Its value.
    pub found: String,
    /// What it may be.
    pub expected: String,
}

impl Config {
    /// Checks that every option has a meaning.
    ///
    /// # Errors
    /// The first that has none.
    pub fn check(&self) -> Result<(), ConfigError> {
        let whole =
            |ok: bool, option: &str, found: usize, expected: &str| need(ok, option, found.to_string(), expected);
        whole(self.epochs > 0, "epochs", self.epochs, "at least 1")?;
        whole((1..=1 << 20).contains(&self.batch), "batch", self.batch, "from 1 to 1048576")?;
        whole(self.accumulate > 0, "accumulate", self.accumulate, "at least 1")?;
        whole(self.patience > 0, "patience", self.patience, "at least 1")?;
        whole(self.keep > 0, "keep", self.keep, "at least 1")?;
        whole(self.early_stop != Some(0), "early_stop", 0, "at least 1")?;
        let positive = |option: &str, x: f64| need(x.is_finite() && x > 0.0, option, x.to_string(), "a number above 0");
        let from_zero =
            |option: &str, x: f64| need(x.is_finite() && x >= 0.0, option, x.to_string(), "a number from 0 on");
        let fraction =
            |option: &str, x: f64| need((0.0..1.0).contains(&x), option, x.to_string(), "a number from 0 to below 1");
        positive("lr", self.lr)?;
        for (option, x) in [
            ("eps", self.eps),
            ("step_every", self.step_every),
            ("clip_norm", self.clip_norm),
            ("clip_value", self.clip_value),
        ] {
            x.map_or(Ok(()), |x| positive(option, x))?;
        }
        positive("factor", self.factor)?;
        need(self.factor < 1.0, "factor", self.factor.to_string(), "a number below 1")?;
        fraction("momentum", self.momentum)?;
        need(!self.nesterov || self.momentum > 0.0, "momentum", "0 with nesterov".into(), "above 0")?;
        fraction("alpha", self.alpha)?;
        fraction("label_smoothing", self.label_smoothing)?;
        self.ema.map_or(Ok(()), |ema| fraction("ema", ema))?;
        need(self.betas.len() == 2, "betas", format!("{:?}", self.betas), "two numbers")?;
        self.betas.iter().try_for_each(|beta| fraction("betas", *beta))?;
        from_zero("weight_decay", self.weight_decay)?;
        from_zero("warmup", self.warmup)?;
        let end = self.epochs as f64;
        need(self.warmup < end, "warmup", self.warmup.to_string(), "less than the number of epochs")?;
        self.head_weights.iter().try_for_each(|weight| from_zero("head_weights", *weight))?;
        self.class_weights.iter().try_for_each(|weight| from_zero("class_weights", *weight))?;
        self.schedule.parse::<Schedule>()?;
        let known = ["none", "loss", "sampling"].contains(&self.balance.as_str());
        need(known, "balance", format!("`{}`", self.balance), "none, loss or sampling")?;
        let both = self.balance == "loss" && !self.class_weights.is_empty();
        need(!both, "balance", "`loss` beside class_weights".into(), "none, or class_weights empty")
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
                option: "the number of head_weights".into(),
                found: given.to_string(),
                expected: format!("{heads}, one for each auxiliary head of the network, or none"),
            }),
        }
    }

    /// What the loss of a picture counts by its class, given how many pictures of each there are; nothing where all count
    /// the same.
    ///
    /// # Errors
    /// When other than as many weights as classes are given.
    pub fn loss_weights(&self, counts: &[usize]) -> Result<Vec<f64>, ConfigError> {
        if self.balance == "loss" {
            // As scikit-learn's `balanced`: all classes weigh the same together.
            let total: usize = counts.iter().sum();
            let weight = |n: &usize| total as f64 / (counts.len() * n.max(&1)) as f64;
            return Ok(counts.iter().map(weight).collect());
        }
        let (given, classes) = (self.class_weights.len(), counts.len());
        let expected = format!("{classes}, one for each class, or none");
        need(given == 0 || given == classes, "the number of class_weights", given.to_string(), &expected)?;
        Ok(self.class_weights.clone())
    }

    /// Compares the options of a run with those of the session before: what a user should know where the difference is none
    /// that matters.
    ///
    /// # Errors
    /// When an option that matters has another value.
    pub fn compared(&self, before: &Config) -> Result<Vec<String>, String> {
        let [now, then] = [self, before].map(|config| serde_json::to_value(config).unwrap_or_default());
        let (mut notes, mut changed) = (Vec::new(), Vec::new());
        for option in OPTIONS.iter().filter(|option| now[option.key] != then[option.key]) {
            let difference = format!("{} was {} and is now {}", option.key, then[option.key], now[option.key]);
            if option.free { notes.push(difference) } else { changed.push(difference) }
        }
        match changed.is_empty() {
            true => Ok(notes),
            false => Err(format!(
                "it was made with other options: {}; leave them as they were, or start another run with these weights",
                changed.join("; ")
            )),
        }
    }

    /// The schedule over a run of so many steps an epoch.
    ///
    /// # Errors
    /// When it has no such name.
    pub fn course(&self, steps_per_epoch: u64) -> Result<Course, ConfigError> {
        let steps = |epochs: f64| (epochs * steps_per_epoch as f64).round() as u64;
        let drop_after = self.step_every.unwrap_or((self.epochs as f64 - self.warmup) / 3.0);
        Ok(Course {
            schedule: self.schedule.parse()?,
            lr: self.lr,
            warmup: steps(self.warmup),
            steps: steps(self.epochs as f64),
            every: steps(drop_after).max(1),
            factor: self.factor,
        })
    }
}

fn need(ok: bool, option: &str, found: String, expected: &str) -> Result<(), ConfigError> {
    if ok { Ok(()) } else { Err(ConfigError { option: option.into(), found, expected: expected.into() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_every_option_and_no_other() {
        let all = Config {
            eps: Some(1.0),
            step_every: Some(1.0),
            clip_norm: Some(1.0),
            clip_value: Some(1.0),
            ..Config::default()
        };
        let all = Config { ema: Some(0.5), early_stop: Some(1), workers: Some(1), ..all };
        let value = serde_json::to_value(&all).unwrap();
        let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let mut listed: Vec<&str> = OPTIONS.iter().map(|option| option.key).collect();
        keys.sort_unstable();
        listed.sort_unstable();
        assert_eq!(keys, listed);
        for option in OPTIONS {
            let value = &value[option.key];
            let fits = match option.kind {
                ValueKind::Integer => value.is_u64(),
                ValueKind::Number => value.is_f64(),
                ValueKind::Text => value.is_string(),
                ValueKind::Switch => value.is_boolean(),
                ValueKind::Numbers | ValueKind::Texts => value.is_array(),
            };
            assert!(fits, "{} is listed as {:?}", option.key, option.kind);
        }
    }

    #[test]
    fn options_without_a_meaning_are_errors() {
        let config = Config::default;
        assert_eq!(config().check(), Ok(()));
        let bad = [
            Config { epochs: 0, ..config() },
            Config { batch: 0, ..config() },
            Config { accumulate: 0, ..config() },
            Config { lr: 0.0, ..config() },
            Config { lr: f64::NAN, ..config() },
            Config { momentum: 1.0, ..config() },
            Config { momentum: 0.0, nesterov: true, ..config() },
            Config { weight_decay: -1.0, ..config() },
            Config { betas: vec![0.9], ..config() },
            Config { warmup: 8.0, ..config() },
            Config { clip_norm: Some(0.0), ..config() },
            Config { ema: Some(1.0), ..config() },
            Config { balance: "yes".into(), ..config() },
            Config { balance: "loss".into(), class_weights: vec![1.0], ..config() },
            Config { schedule: "cos".into(), ..config() },
        ];
        for bad in bad {
            let error = bad.check().unwrap_err().to_string();
            assert!(error.contains("must be"), "{error}");
        }
    }

    #[test]
    fn balanced_weights_are_those_of_scikit_learn() {
        // sklearn.utils.class_weight.compute_class_weight("balanced", classes=[0, 1, 2], y=[0, 0, 0, 1, 2, 2])
        let config = Config { balance: "loss".into(), ..Config::default() };
        let weights = config.loss_weights(&[3, 1, 2]).unwrap();
        for (weight, expected) in weights.iter().zip([0.666_666_666, 2.0, 1.0]) {
            assert!((weight - expected).abs() < 1e-8);
        }
        assert!(Config { class_weights: vec![1.0; 2], ..Config::default() }.loss_weights(&[1, 1, 1]).is_err());
    }
}
