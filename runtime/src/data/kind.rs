//! The kinds of datasets, and the words for them.

use super::{DataError, word};
use std::fmt;
use std::str::FromStr;

/// What a folder or file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DatasetKind {
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
    /// A CSV list with one class for each image.
    Manifest,
    /// Images with a mask for each: in folders, or by a CSV list.
    Masks,
    /// A CSV list with several labels for each image.
    Labels,
    /// A CSV list with numbers for each image.
    Numbers,
    /// Images without targets: those in a folder and below it, or of a CSV list.
    Images,
}

const NAMES: [(&str, DatasetKind); 12] = [
    ("auto", DatasetKind::Auto),
    ("mnist", DatasetKind::Mnist),
    ("fashion-mnist", DatasetKind::FashionMnist),
    ("emnist", DatasetKind::Emnist),
    ("cifar10", DatasetKind::Cifar10),
    ("cifar100", DatasetKind::Cifar100),
    ("folder", DatasetKind::Folder),
    ("manifest", DatasetKind::Manifest),
    ("masks", DatasetKind::Masks),
    ("labels", DatasetKind::Labels),
    ("numbers", DatasetKind::Numbers),
    ("images", DatasetKind::Images),
];

impl FromStr for DatasetKind {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        word("kind of dataset", &NAMES, text)
    }
}

impl fmt::Display for DatasetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name))
    }
}
