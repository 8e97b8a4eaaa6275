//! The kinds of datasets, and the words for them.

use super::{DataError, word};
use std::fmt;
use std::str::FromStr;

/// What a folder or file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Kind {
    /// To be found out.
    #[default]
    Auto,
    /// MNIST's four files of digits.
    Mnist,
    /// Fashion-MNIST, in files of the same names.
    FashionMnist,
    /// EMNIST, whose files have names of their own.
    Emnist,
    /// CIFAR-10 in its binary form.
    Cifar10,
    /// CIFAR-100 in its binary form.
    Cifar100,
    /// A folder for each class.
    Folder,
    /// A CSV file.
    Manifest,
}

const NAMES: [(&str, Kind); 8] = [
    ("auto", Kind::Auto),
    ("mnist", Kind::Mnist),
    ("fashion-mnist", Kind::FashionMnist),
    ("emnist", Kind::Emnist),
    ("cifar10", Kind::Cifar10),
    ("cifar100", Kind::Cifar100),
    ("folder", Kind::Folder),
    ("manifest", Kind::Manifest),
];

impl FromStr for Kind {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        word("kind of dataset", &NAMES, text)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name))
    }
}
