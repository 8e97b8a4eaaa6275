//! The losses, and the words for them.

use super::{ObjectiveError, Task};
use crate::wording::either;
use std::fmt;
use std::str::FromStr;

/// What a network learns by.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Loss {
    /// The usual one of the task: cross-entropy, binary cross-entropy, or the mean squared error.
    #[default]
    Auto,
    /// Cross-entropy of the softmax over classes, for classes and masks.
    CrossEntropy,
    /// The same, times `(1 - p)^gamma`, where `p` is the probability of the right class (Lin et al., 2017, section 3.2).
    Focal(f64),
    /// One minus the Dice coefficient of probabilities and mask, averaged over classes, of each image (Milletari et al., 2016, section 3).
    Dice,
    /// The sum of cross-entropy and Dice (Isensee et al., 2021).
    CrossEntropyDice,
    /// Cross-entropy of each label by itself.
    BinaryCrossEntropy,
    /// The mean squared error.
    Mse,
    /// The mean absolute error.
    Mae,
    /// Half the squared error up to `delta`, and beyond it linear (Huber, 1964).
    Huber(f64),
}

/// The words without the number that two of them take.
const WORDS: [&str; 9] =
    ["auto", "cross-entropy", "focal", "dice", "cross-entropy+dice", "binary-cross-entropy", "mse", "mae", "huber"];

/// What the words for losses are, for help and documentation.
pub(crate) const HELP: &str = "What the network learns by: auto; cross-entropy or focal(2) (classes, masks), dice or cross-entropy+dice (masks), \
     binary-cross-entropy (multi-label), mse, mae or huber(1) (numbers, itself)";

impl Loss {
    /// This loss for a task, or the task's usual one.
    ///
    /// # Errors
    /// When the loss has no meaning for the task.
    pub(super) fn of(self, task: Task) -> Result<Loss, ObjectiveError> {
        let known: &[&str] = match task {
            Task::Auto | Task::Classes => &["cross-entropy", "focal"],
            Task::MultiLabel => &["binary-cross-entropy"],
            Task::Masks => &["cross-entropy", "focal", "dice", "cross-entropy+dice"],
            Task::Numbers | Task::Itself => &["mse", "mae", "huber"],
        };
        match self {
            Loss::Auto => known[0].parse(),
            loss if known.contains(&loss.word()) => Ok(loss),
            loss => {
                let (loss, task) = (loss.word().to_string(), task.to_string());
                Err(ObjectiveError::Loss { loss, task, known: either(known) })
            }
        }
    }

    fn word(self) -> &'static str {
        match self {
            Loss::Auto => WORDS[0],
            Loss::CrossEntropy => WORDS[1],
            Loss::Focal(_) => WORDS[2],
            Loss::Dice => WORDS[3],
            Loss::CrossEntropyDice => WORDS[4],
            Loss::BinaryCrossEntropy => WORDS[5],
            Loss::Mse => WORDS[6],
            Loss::Mae => WORDS[7],
            Loss::Huber(_) => WORDS[8],
        }
    }
}

impl FromStr for Loss {
    type Err = ObjectiveError;

    /// `dice`, `focal`, `focal(1.5)`, `huber(delta = 2)`.
    fn from_str(text: &str) -> Result<Self, ObjectiveError> {
        let (word, number) = match text.trim().split_once('(') {
            None => (text.trim(), None),
            Some((word, rest)) => {
                let inside = rest.trim_end().strip_suffix(')').unwrap_or(rest);
                (word.trim(), Some(inside.rsplit('=').next().unwrap_or(inside).trim()))
            }
        };
        let number = |usual: f64, name: &str, least: f64| match number {
            None => Ok(usual),
            Some(given) => given.parse().ok().filter(|x: &f64| x.is_finite() && *x >= least).ok_or_else(|| {
                ObjectiveError::Option {
                    what: "loss".into(),
                    found: format!("{name} is `{given}`"),
                    expected: format!("it must be a number of at least {least}, as in {word}({usual})"),
                }
            }),
        };
        match word {
            "auto" => Ok(Loss::Auto),
            "cross-entropy" => Ok(Loss::CrossEntropy),
            "focal" => Ok(Loss::Focal(number(2.0, "gamma", 0.0)?)),
            "dice" => Ok(Loss::Dice),
            "cross-entropy+dice" => Ok(Loss::CrossEntropyDice),
            "binary-cross-entropy" => Ok(Loss::BinaryCrossEntropy),
            "mse" => Ok(Loss::Mse),
            "mae" => Ok(Loss::Mae),
            "huber" => Ok(Loss::Huber(number(1.0, "delta", 1e-6)?)),
            other => Err(ObjectiveError::word("loss", other, &WORDS)),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Loss::Focal(number) | Loss::Huber(number) => write!(f, "{}({number})", self.word()),
            other => f.write_str(other.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_back_and_what_means_nothing_is_explained() {
        for word in WORDS {
            let loss: Loss = word.parse().unwrap();
            assert_eq!((loss.to_string().parse(), loss.word()), (Ok(loss), word));
            assert!(HELP.contains(word), "{word}");
        }
        assert_eq!("focal(1.5)".parse(), Ok(Loss::Focal(1.5)));
        assert_eq!("huber(delta = 2)".parse(), Ok(Loss::Huber(2.0)));
        let error = |text: &str| text.parse::<Loss>().unwrap_err().to_string();
        assert!(error("dise").contains("did you mean `dice`"), "{}", error("dise"));
        assert!(error("focal(x)").contains("gamma is `x`"), "{}", error("focal(x)"));
        assert_eq!(Loss::Auto.of(Task::Numbers), Ok(Loss::Mse));
        let error = Loss::Dice.of(Task::Classes).unwrap_err().to_string();
        assert_eq!(error, "loss: there is no `dice` for the task `classes`; it must be cross-entropy or focal");
    }
}
