//! The one list of a run's options: keys of a TOML file, flags of the program and their help come from it, and a test holds
//! it against the fields of [`super::Config`].

use super::balance::Balance;
use super::config_error::ConfigError;
use super::pattern::scale;
use super::schedule::Schedule;
use crate::data::augment::Augment;
use crate::data::fit::Fit;
use crate::data::{DataError, NormalisationKind, OnBad};
use crate::objective::{Loss, Task};
use crate::optim::OptimizerKind;

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
    /// Two numbers.
    Pair,
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

impl OptionInfo {
    /// The words that there are for it; none where it takes others than those.
    fn words(&self) -> Vec<&'static str> {
        fn names<T>(words: &[(&'static str, T)]) -> Vec<&'static str> {
            words.iter().map(|(name, _)| *name).collect()
        }
        match self.key {
            "optimizer" => names(&OptimizerKind::NAMES),
            "schedule" => names(&Schedule::NAMES),
            "balance" => names(&Balance::NAMES),
            "fit" => names(&Fit::NAMES),
            "normalisation" => names(&NormalisationKind::NAMES),
            "on_bad" => names(&OnBad::NAMES),
            "task" => names(&Task::NAMES),
            _ => Vec::new(),
        }
    }

    /// Checks a word of the option, before a file is read as a whole, so that an error can tell where it stands.
    ///
    /// # Errors
    /// When it stands for nothing.
    pub fn check(&self, word: &str) -> Result<(), ConfigError> {
        let words = self.words();
        if !words.is_empty() && !words.contains(&word) {
            return Err(ConfigError::word(self.key, word, &words));
        }
        if self.key == "loss" {
            word.parse::<Loss>().map_err(|error| {
                let problem = error.to_string().trim_start_matches("loss: ").to_string();
                ConfigError::Form { option: self.key.into(), found: format!("`{word}`"), problem }
            })?;
        }
        if self.key == "lr_scale" {
            scale(word)?;
        }
        if self.key == "augment" {
            word.parse::<Augment>().map_err(|error| {
                let problem = match error {
                    DataError::Option { found, expected, .. } => format!("{found}; {expected}"),
                    other => other.to_string(),
                };
                ConfigError::Form { option: self.key.into(), found: format!("`{word}`"), problem }
            })?;
        }
        Ok(())
    }
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
    option("batch", ValueKind::Integer, "Images in a batch"),
    option("accumulate", ValueKind::Integer, "Batches whose gradients are added up for one step"),
    option("optimizer", ValueKind::Text, "Optimiser: sgd, adam, adamw or rmsprop"),
    option("lr", ValueKind::Number, "Learning rate at its highest"),
    option("momentum", ValueKind::Number, "Momentum of sgd and rmsprop"),
    option("nesterov", ValueKind::Switch, "Use Nesterov's momentum (sgd)"),
    option("betas", ValueKind::Pair, "Decay of the first and the second moment (adam, adamw)"),
    option("alpha", ValueKind::Number, "Decay of the mean square (rmsprop)"),
    option("eps", ValueKind::Number, "Added to the denominator (adam, adamw, rmsprop) [default: 1e-8]"),
    option("weight_decay", ValueKind::Number, "Weight decay: an L2 penalty on the weights, decoupled with adamw"),
    option("decay_all", ValueKind::Switch, "Let biases and the parameters of normalisations decay too"),
    option("schedule", ValueKind::Text, "How the learning rate changes: constant, cosine, step, one-cycle or plateau"),
    option("warmup", ValueKind::Number, "Epochs over which the learning rate rises from nothing"),
    option(
        "step_every",
        ValueKind::Number,
        "Epochs between two drops of the learning rate (step) [default: a third of the run]",
    ),
    option("factor", ValueKind::Number, "What a drop multiplies the learning rate by (step, plateau)"),
    option("patience", ValueKind::Integer, "Epochs without a lower test loss before a drop (plateau)"),
    option(
        "clip_norm",
        ValueKind::Number,
        "Scale the gradient down to this norm where it is longer [default: no clipping]",
    ),
    option(
        "clip_value",
        ValueKind::Number,
        "Clip each element of the gradient to this absolute value [default: no clipping]",
    ),
    option(
        "task",
        ValueKind::Text,
        "What the network's output means: auto (told from the data), classes, multi-label, masks, numbers or itself",
    ),
    option("loss", ValueKind::Text, crate::objective::LOSSES),
    option(
        "ignore",
        ValueKind::Integer,
        "Number of a class of masks whose pixels count neither in the loss nor in the metrics [default: none]",
    ),
    option(
        "monitor",
        ValueKind::Text,
        "Metric, or loss, that chooses the best epoch, ends training early and lowers the rate on a plateau [default: the main \
         metric for the best epoch, the test loss for the others]",
    ),
    option(
        "label_smoothing",
        ValueKind::Number,
        "Share of a label that is spread evenly over all classes (Szegedy et al., 2015)",
    ),
    option("class_weights", ValueKind::Numbers, "Weight of an image in the loss, for each class [default: 1 each]"),
    option("balance", ValueKind::Text, "What to do about classes of unequal size: none, loss (weights) or sampling"),
    option("head_weights", ValueKind::Numbers, "Weight of each auxiliary head's loss [default: 0.3 each]"),
    option(
        "ema",
        ValueKind::Number,
        "Decay of a moving average of the weights, which is evaluated and saved instead, such as 0.999 [default: no average]",
    ),
    option(
        "early_stop",
        ValueKind::Integer,
        "Epochs without a lower test loss after which training ends [default: never]",
    ),
    option(
        "freeze",
        ValueKind::Texts,
        "Layers or parameters that keep their values; * stands for anything, as in features.* [default: none]",
    ),
    option(
        "lr_scale",
        ValueKind::Texts,
        "Shares of the learning rate for layers or parameters, as in features.*=0.1; the last one that fits holds [default: none]",
    ),
    option(
        "fine_tune",
        ValueKind::Integer,
        "Epochs in which the head alone learns, before the others, in which layers learn more slowly the nearer they are to the input [default: none]",
    ),
    option(
        "seed",
        ValueKind::Integer,
        "Random seed of weights, order, augmentation and dropout; the same seed gives the same network",
    ),
    option(
        "augment",
        ValueKind::Texts,
        "What to do to training images at random, in order: crop(pad = 2), flip, rotate(10), cutout(8), mixup(0.2) ... [default: nothing]",
    ),
    option("fit", ValueKind::Text, "How images of another size become the network's: auto, pad, resize or crop"),
    option(
        "normalisation",
        ValueKind::Text,
        "Mean and standard deviation for pixels: auto (computed), none, mnist, fashion-mnist, cifar10, cifar100 or imagenet",
    ),
    option("on_bad", ValueKind::Text, "What to do when an image cannot be read: stop, or skip it"),
    free(
        "workers",
        ValueKind::Integer,
        "Threads that read images; with 0 the training thread reads them itself [default: as many as are needed]",
    ),
    option("drop_last", ValueKind::Switch, "Leave out an epoch's last batch where it is not full"),
    free("checkpoint_every", ValueKind::Integer, "Steps between two checkpoints; 0 means one after each epoch"),
    free("keep", ValueKind::Integer, "Checkpoints that are kept, beside that of the best epoch"),
];

#[cfg(test)]
mod tests {
    use super::super::Config;
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
        let all = Config { ema: Some(0.5), early_stop: Some(1), fine_tune: Some(1), workers: Some(1), ..all };
        let all = Config { ignore: Some(0), monitor: Some("loss".into()), ..all };
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
                ValueKind::Numbers | ValueKind::Pair | ValueKind::Texts => value.is_array(),
            };
            assert!(fits, "{} is listed as {:?}", option.key, option.kind);
        }
    }

    fn listed(key: &str) -> &'static OptionInfo {
        OPTIONS.iter().find(|option| option.key == key).unwrap()
    }

    #[test]
    fn words_that_are_none_are_named_with_the_option_and_what_there_is() {
        for (key, word, expected) in [
            ("optimizer", "adma", "optimizer is `adma`; it must be sgd, adam, adamw or rmsprop; did you mean `adam`?"),
            (
                "schedule",
                "cos",
                "schedule is `cos`; it must be constant, cosine, step, one-cycle or plateau; did you mean `cosine`?",
            ),
            ("balance", "sample", "balance is `sample`; it must be none, loss or sampling; did you mean `sampling`?"),
            ("fit", "padd", "fit is `padd`; it must be auto, pad, resize or crop; did you mean `pad`?"),
            (
                "normalisation",
                "nist",
                "normalisation is `nist`; it must be auto, none, mnist, fashion-mnist, cifar10, cifar100 or imagenet; did you mean \
                 `mnist`?",
            ),
            ("on_bad", "ski", "on_bad is `ski`; it must be stop or skip; did you mean `skip`?"),
            (
                "augment",
                "flop",
                "augment is `flop`: there is no `flop`; it must be crop, flip, resized_crop, rotate, color, pca, erase, cutout, mixup \
                 or cutmix; did you mean `flip`?",
            ),
            ("augment", "rotate(200)", "augment is `rotate(200)`: degrees is 200; it must be from 0 to 180"),
            (
                "loss",
                "dise",
                "loss is `dise`: there is no `dise`; it must be auto, cross-entropy, focal, dice, cross-entropy+dice, \
                 binary-cross-entropy, mse, mae or huber; did you mean `dice`?",
            ),
            (
                "task",
                "mask",
                "task is `mask`; it must be auto, classes, multi-label, masks, numbers or itself; did you mean `masks`?",
            ),
            ("optimizer", "lion", "optimizer is `lion`; it must be sgd, adam, adamw or rmsprop"),
        ] {
            let error = listed(key).check(word).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert_eq!(error.option(), key);
        }
        assert_eq!(listed("freeze").check("conv*"), Ok(()));
    }

    /// What an option's check lets through, reading lets through, and both know the same words.
    #[test]
    fn words_are_read_as_they_are_checked_and_written_as_they_are_read() {
        // A loss may have a number, and which metrics there are depends on the task.
        let closed =
            |option: &&OptionInfo| option.kind == ValueKind::Text && !["loss", "monitor"].contains(&option.key);
        for option in OPTIONS.iter().filter(closed) {
            for word in option.words() {
                let text = format!("{} = \"{word}\"", option.key);
                let config: Config = toml::from_str(&text).unwrap();
                assert_eq!(toml::Table::try_from(config).unwrap()[option.key].as_str(), Some(word));
            }
            assert!(option.words().len() > 1 && option.check("of no kind").is_err(), "{}", option.key);
            assert!(toml::from_str::<Config>(&format!("{} = \"of no kind\"", option.key)).is_err());
        }
    }
}
