//! Where pictures come from: what `train`, `eval` and `data` have in common.

use convnet::data::{Dataset, Kind, Split, Subset, open};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

/// Options about data.
#[derive(clap::Args, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// Folder or CSV file with pictures: MNIST, Fashion-MNIST, EMNIST, CIFAR, a folder for each class, or a list; without it, the
    /// digits that the program carries
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// What it is, if it cannot be told from the names of files: mnist, fashion-mnist, emnist, cifar10, cifar100, folder or
    /// manifest
    #[arg(long, value_name = "KIND")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
}

impl Source {
    /// Opens it; what is in one piece is split by `seed`.
    pub fn open(&self, seed: u64) -> Result<Split, Box<dyn Error>> {
        let kind = self.dataset.as_deref().map_or(Ok(Kind::Auto), str::parse)?;
        Ok(open(kind, self.data.as_deref(), seed)?)
    }
}

/// Parts of the training set.
#[derive(clap::Args, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Parts {
    /// Use only the first N training pictures
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Judge epochs by this share of the training pictures, not by the test set, which is then measured once, at the end
    #[arg(long, value_name = "SHARE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
    /// Use as many training pictures of each class as the smallest one has
    #[arg(long)]
    pub even_classes: bool,
}

impl Parts {
    /// The parts of a split that are wanted, and the test set if it has been set aside.
    pub fn of(&self, mut split: Split, seed: u64) -> Result<(Split, Option<Arc<dyn Dataset>>), Box<dyn Error>> {
        if let Some(limit) = self.limit {
            split.train = Arc::new(Subset::first(split.train, limit as usize));
        }
        if self.even_classes {
            split.train = Arc::new(Subset::balanced(split.train, seed));
        }
        let Some(share) = self.validation else { return Ok((split, None)) };
        if !(share > 0.0 && share < 1.0) {
            return Err(format!("validation is {share}; it must be a number between 0 and 1").into());
        }
        let (train, held_out) = Subset::split(split.train, share, seed);
        Ok((Split { train, test: held_out }.shared(), Some(split.test)))
    }
}
