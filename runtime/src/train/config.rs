//! The options of a training run. Values are checked here, before anything is read or computed; [`OPTIONS`] lists them.

use super::balance::Balance;
use super::config_error::ConfigError;
use super::epoch::Epoch;
use super::options::OPTIONS;
use super::pattern::scale;
use super::schedule::{LearningRateCurve, Schedule};
use super::text;
use crate::data::augment::Augment;
use crate::data::fit::Fit;
use crate::data::{Dataset, NormalisationKind, OnBad, TargetKind};
use crate::objective::{Loss, Task};
use crate::optim::OptimizerKind;
use serde::{Deserialize, Serialize};

/// The options of a training run. All have defaults, which train LeNet-5 on MNIST to 99 % in seconds. Each field is also a key of
/// a TOML file and a flag of the program ([`OPTIONS`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Passes over the training set. Default: 8; at least 1.
    pub epochs: usize,
    /// Images in a batch. Default: 64; from 1 to 1048576.
    pub batch: usize,
    /// Batches whose gradients are added up for one step. Default: 1; at least 1.
    pub accumulate: usize,
    /// The optimiser: `sgd`, `adam`, `adamw` or `rmsprop`. Default: `sgd`.
    #[serde(with = "text")]
    pub optimizer: OptimizerKind,
    /// The learning rate at its highest. Default: 0.03; above 0.
    pub lr: f64,
    /// The share of the last step that goes on, for `sgd` and `rmsprop`. Default: 0.9; from 0 to below 1.
    pub momentum: f64,
    /// Whether `sgd` takes Nesterov's momentum. Default: false.
    pub nesterov: bool,
    /// Decay of the first and the second moment of `adam` and `adamw` for each step. Default: [0.9, 0.999]; two numbers from 0 to
    /// below 1.
    pub betas: [f64; 2],
    /// Decay of the mean square of `rmsprop` for each step. Default: 0.99; from 0 to below 1.
    pub alpha: f64,
    /// Added to the denominator by `adam`, `adamw` and `rmsprop`. Default: none, which means 1e-8; above 0.
    pub eps: Option<f64>,
    /// Weight decay: an L2 penalty on the weights, with `adamw` decoupled from the gradient. Default: 0.0005; from 0 on.
    pub weight_decay: f64,
    /// Whether biases and the parameters of normalisations decay too. Default: false.
    pub decay_all: bool,
    /// How the learning rate changes: `constant`, `cosine`, `step`, `one-cycle` or `plateau` ([`Schedule`]). Default: `cosine`.
    #[serde(with = "text")]
    pub schedule: Schedule,
    /// Epochs over which the learning rate rises from nothing, before the schedule begins. Default: 0; from 0 to below `epochs`.
    pub warmup: f64,
    /// Epochs between two drops of the schedule `step`. Default: none, which means a third of the run after the warm-up; above 0.
    pub step_every: Option<f64>,
    /// What a drop of `step` and `plateau` multiplies the learning rate by. Default: 0.1; above 0 and below 1.
    pub factor: f64,
    /// Epochs without a lower test loss before `plateau` drops the learning rate. Default: 3; at least 1.
    pub patience: usize,
    /// The largest norm of the whole gradient; a longer one is scaled down to it. Default: none, no clipping; above 0.
    pub clip_norm: Option<f64>,
    /// The largest absolute value of an element of the gradient. Default: none, no clipping; above 0.
    pub clip_value: Option<f64>,
    /// What the network's output means: `auto` (told from the data and the output's shape), `classes`, `multi-label`, `masks`, `numbers` or `itself`
    /// ([`Task`]). Default: `auto`.
    #[serde(with = "text")]
    pub task: Task,
    /// What the network learns by ([`Loss`]): `auto`, `cross-entropy`, `focal(2)`, `dice`, `cross-entropy+dice`, `binary-cross-entropy`, `mse`, `mae` or
    /// `huber(1)`, as far as the task has it. Default: `auto`, which is cross-entropy, binary cross-entropy or the squared error.
    #[serde(with = "text")]
    pub loss: Loss,
    /// The number of a class of masks whose pixels have no part in the loss and the metrics, counted from 0; pixels of 255 never have. Default: none.
    pub ignore: Option<usize>,
    /// The metric on the test set by which the best epoch is chosen, by which `plateau` lowers the learning rate and by which `early_stop` ends the run;
    /// or `loss`. Default: none, which means the task's main metric for the best epoch, and the test loss for the others.
    pub monitor: Option<String>,
    /// The share of a label that is spread evenly over all classes (Szegedy et al., 2015). Default: 0; from 0 to below 1.
    pub label_smoothing: f64,
    /// The weight of an image in the loss, for each class, in the order of the classes. Default: [], all weigh the same; from 0 on.
    pub class_weights: Vec<f64>,
    /// What is done about classes of unequal size: `none`, `loss` (images of small classes weigh more) or `sampling` (they are drawn
    /// more often). Default: `none`.
    #[serde(with = "text")]
    pub balance: Balance,
    /// The weight of each auxiliary head's loss, in the order of the heads. Default: [], which means [`HEAD_WEIGHT`] for each; from 0
    /// on.
    pub head_weights: Vec<f64>,
    /// Decay of an exponential moving average of the weights for each step; the average is evaluated and saved instead of the weights.
    /// Default: none, no average; from 0 to below 1.
    pub ema: Option<f64>,
    /// Epochs without a lower test loss after which training ends. Default: none, all epochs; at least 1.
    pub early_stop: Option<usize>,
    /// Parameters that keep their values: names of layers or parameters, in which `*` stands for anything. Default: [], none.
    pub freeze: Vec<String>,
    /// Shares of the learning rate, as `pattern=share`, for layers or parameters: `features.*=0.1`; of several that fit the last one holds.
    /// Default: [], all have the whole rate; shares from 0 on.
    pub lr_scale: Vec<String>,
    /// Epochs of the run in which only the head learns, at the whole learning rate and before the schedule begins; in the others everything
    /// learns, more slowly towards the input (a hundredth of the rate there), where `lr_scale` does not say otherwise. Default: none, no
    /// fine-tuning; from 1 to `epochs`.
    pub fine_tune: Option<usize>,
    /// The random seed of weights, order, augmentation and dropout. Default: 1; any whole number from 0 on.
    pub seed: u64,
    /// What is done to training images at random, in order ([`crate::data::augment::Word`]): `crop(pad = 2)`, `mixup(0.2)`. Default: [],
    /// nothing.
    #[serde(with = "text::list")]
    pub augment: Vec<Augment>,
    /// How images of another size become the network's: `auto`, `pad`, `resize` or `crop` ([`Fit`]). Default: `auto`.
    #[serde(with = "text")]
    pub fit: Fit,
    /// The mean and standard deviation that pixels are normalised by: `auto` (computed from the training set), `none`, or those of
    /// `mnist`, `fashion-mnist`, `cifar10`, `cifar100` or `imagenet`. Default: `auto`.
    #[serde(with = "text")]
    pub normalisation: NormalisationKind,
    /// What happens when an image cannot be read: `stop`, the run ends, or `skip`, the image is left out. Default: `stop`.
    #[serde(with = "text")]
    pub on_bad: OnBad,
    /// Threads that read images; with 0 the training thread reads them itself. Default: none, as many as are needed; from 0 on.
    pub workers: Option<usize>,
    /// Whether the last batch of an epoch is left out where it is not full. Default: false.
    pub drop_last: bool,
    /// Steps between two checkpoints; 0 means one after each epoch. Default: 0; from 0 on.
    pub checkpoint_every: usize,
    /// Checkpoints that are kept, beside that of the best epoch. Default: 2; at least 1.
    pub keep: usize,
}

/// The weight of an auxiliary head's loss, unless `head_weights` says otherwise (Szegedy et al., 2014, section 5).
pub const HEAD_WEIGHT: f64 = 0.3;

impl Default for Config {
    fn default() -> Self {
        Config {
            epochs: 8,
            batch: 64,
            accumulate: 1,
            optimizer: OptimizerKind::Sgd,
            lr: 0.03,
            momentum: 0.9,
            nesterov: false,
            betas: [0.9, 0.999],
            alpha: 0.99,
            eps: None,
            weight_decay: 5e-4,
            decay_all: false,
            schedule: Schedule::Cosine,
            warmup: 0.0,
            step_every: None,
            factor: 0.1,
            patience: 3,
            clip_norm: None,
            clip_value: None,
            task: Task::Auto,
            loss: Loss::Auto,
            ignore: None,
            monitor: None,
            label_smoothing: 0.0,
            class_weights: Vec::new(),
            balance: Balance::None,
            head_weights: Vec::new(),
            ema: None,
            early_stop: None,
            freeze: Vec::new(),
            lr_scale: Vec::new(),
            fine_tune: None,
            seed: 1,
            augment: Vec::new(),
            fit: Fit::Auto,
            normalisation: NormalisationKind::Auto,
            on_bad: OnBad::Stop,
            workers: None,
            drop_last: false,
            checkpoint_every: 0,
            keep: 2,
        }
    }
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
        self.betas.iter().try_for_each(|beta| fraction("betas", *beta))?;
        from_zero("weight_decay", self.weight_decay)?;
        from_zero("warmup", self.warmup)?;
        if let Some(head) = self.fine_tune {
            let expected = format!("from 1 to the number of epochs, {}", self.epochs);
            need((1..=self.epochs).contains(&head), "fine_tune", head.to_string(), &expected)?;
        }
        let end = self.epochs - self.fine_tune.unwrap_or(0);
        let (fits, expected) = (self.warmup == 0.0 || self.warmup < end as f64, "less than the epochs of the schedule");
        need(fits, "warmup", self.warmup.to_string(), &format!("{expected}, {end}"))?;
        self.lr_scale.iter().try_for_each(|text| scale(text).map(|_| ()))?;
        self.head_weights.iter().try_for_each(|weight| from_zero("head_weights", *weight))?;
        self.class_weights.iter().try_for_each(|weight| from_zero("class_weights", *weight))?;
        let both = self.balance == Balance::Loss && !self.class_weights.is_empty();
        need(!both, "balance", "`loss` beside class_weights".into(), "none, or class_weights empty")?;
        need(self.monitor.as_deref() != Some(""), "monitor", "``".into(), "`loss` or the name of a metric")
    }

    /// The weight of each of `heads` auxiliary heads.
    ///
    /// # Errors
    /// When other than as many weights, or none, are given.
    pub fn weights_of(&self, heads: usize) -> Result<Vec<f64>, ConfigError> {
        match self.head_weights.len() {
            0 => Ok(vec![HEAD_WEIGHT; heads]),
            given if given == heads => Ok(self.head_weights.clone()),
            given => {
                let expected = format!("{heads}, one for each auxiliary head of the network, or none");
                Err(ConfigError::value("the number of head_weights", given.to_string(), &expected))
            }
        }
    }

    /// What the loss of an image, or of a pixel of a mask, counts by its class, given how many of each there are; nothing where all count the same. Of
    /// labels, what an image that has one counts beside one that has not.
    ///
    /// # Errors
    /// When other than as many weights as classes are given.
    pub(super) fn loss_weights(&self, counts: &[usize], data: &dyn Dataset) -> Result<Vec<f64>, ConfigError> {
        if self.balance == Balance::Loss && data.target_kind() == TargetKind::Labels {
            let weight = |n: &usize| (data.len() - n.min(&data.len())) as f64 / *n.max(&1) as f64;
            return Ok(counts.iter().map(weight).collect());
        }
        if self.balance == Balance::Loss {
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
    pub(super) fn compared(&self, before: &Config) -> Result<Vec<String>, String> {
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

    /// The epochs among those that are done in which everything has learned: the schedule and early stopping look at no others.
    pub(super) fn scheduled<'a>(&self, done: &'a [Epoch]) -> &'a [Epoch] {
        done.get(self.fine_tune.unwrap_or(0)..).unwrap_or_default()
    }

    /// The schedule over a run of so many steps an epoch.
    pub(super) fn curve(&self, steps_per_epoch: u64) -> LearningRateCurve {
        let steps = |epochs: f64| (epochs * steps_per_epoch as f64).round() as u64;
        let head = self.fine_tune.unwrap_or(0);
        let epochs = (self.epochs - head.min(self.epochs)) as f64;
        let drop_after = self.step_every.unwrap_or((epochs - self.warmup) / 3.0);
        LearningRateCurve {
            schedule: self.schedule,
            lr: self.lr,
            warmup: steps(self.warmup),
            begins: steps(head as f64),
            steps: steps(epochs),
            every: steps(drop_after).max(1),
            factor: self.factor,
        }
    }
}

fn need(ok: bool, option: &str, found: String, expected: &str) -> Result<(), ConfigError> {
    if ok { Ok(()) } else { Err(ConfigError::value(option, found, expected)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Images;

    /// Images of one class each.
    fn images() -> Images {
        Images { shape: [1, 1, 1], pixels: Vec::new(), labels: Vec::new(), classes: Vec::new() }
    }

    /// Each field's comment says the default that it has.
    #[test]
    fn every_option_is_documented_with_its_default() {
        let source = include_str!("config.rs").replace("    #[serde(with = \"text\")]\n", "");
        let source = source.replace("    #[serde(with = \"text::list\")]\n", "");
        let defaults = toml::Table::try_from(Config::default()).unwrap();
        for option in OPTIONS {
            let (before, _) = source.split_once(&format!("    pub {}: ", option.key)).unwrap();
            let doc: Vec<&str> = before.lines().rev().take_while(|line| line.trim().starts_with("///")).collect();
            let doc: String = doc.into_iter().rev().map(|line| line.trim().trim_start_matches("///")).collect();
            let default = match defaults.get(option.key) {
                None => "none".to_string(),
                Some(toml::Value::String(text)) => format!("`{text}`"),
                Some(toml::Value::Float(x)) => x.to_string(),
                Some(value) => value.to_string(),
            };
            assert!(doc.contains(&format!("Default: {default}")), "{}: {doc}, not {default}", option.key);
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
            Config { betas: [0.9, 1.0], ..config() },
            Config { warmup: 8.0, ..config() },
            Config { clip_norm: Some(0.0), ..config() },
            Config { ema: Some(1.0), ..config() },
            Config { balance: Balance::Loss, class_weights: vec![1.0], ..config() },
        ];
        for bad in bad {
            let error = bad.check().unwrap_err().to_string();
            assert!(error.contains("must be"), "{error}");
        }
    }

    #[test]
    fn balanced_weights_are_those_of_scikit_learn() {
        // sklearn.utils.class_weight.compute_class_weight("balanced", classes=[0, 1, 2], y=[0, 0, 0, 1, 2, 2])
        let config = Config { balance: Balance::Loss, ..Config::default() };
        let weights = config.loss_weights(&[3, 1, 2], &images()).unwrap();
        for (weight, expected) in weights.iter().zip([0.666_666_666, 2.0, 1.0]) {
            assert!((weight - expected).abs() < 1e-8);
        }
        assert!(
            Config { class_weights: vec![1.0; 2], ..Config::default() }.loss_weights(&[1, 1, 1], &images()).is_err()
        );
    }
}
