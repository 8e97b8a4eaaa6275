//! Where images come from: what `train`, `eval` and `data` have in common.

use crate::common::say;
use crate::progress::Bar;
use convnet::data::{Dataset, DatasetKind, Opened, Split, Subset, TargetKind, open};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

/// Options about data.
#[derive(clap::Args, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// Folder or CSV list of images: MNIST, Fashion-MNIST, EMNIST, CIFAR, a folder for each class (below train, val and test,
    /// where there are such parts), a folder of images beside one of their masks, or a list of images with classes, several
    /// labels, masks or numbers; without it, the digits that the program carries
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// What it is, if it cannot be told by looking: mnist, fashion-mnist, emnist, cifar10, cifar100, folder (a folder for each
    /// class), manifest (a list with a class for each image), labels (a list with several labels for each), numbers (a list with
    /// numbers for each), masks (folders or a list) or images (a folder or a list, and nothing to learn from but the images)
    #[arg(long, value_name = "KIND")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
}

impl Source {
    /// Opens it; what is in one piece is split by `seed`.
    pub fn open(&self, seed: u64) -> Result<Opened, Box<dyn Error>> {
        let kind = self.dataset.as_deref().map_or(Ok(DatasetKind::Auto), str::parse)?;
        let _bar = self.data.as_ref().map(|path| Bar::new(format!("looking through {}", path.display())));
        Ok(open(kind, self.data.as_deref(), seed)?)
    }
}

/// Says on standard error what was left out, guessed or split in opening data.
pub fn say_notes(opened: &Opened) -> std::io::Result<()> {
    opened.notes.iter().try_for_each(|note| say(&format!("note: {note}")))
}

/// Parts of the training set.
#[derive(clap::Args, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Parts {
    /// Use only N training images: the first ones where classes lie mixed, as in MNIST's files, else some of each class, or of
    /// all where images have no class, drawn by the random seed
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Evaluate epochs on this share of the training images, held out for it, and not on the test set, which is then measured once, at
    /// the end
    #[arg(long, value_name = "SHARE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
    /// Use as many training images of each class as the smallest one has
    #[arg(long)]
    pub even_classes: bool,
}

impl Parts {
    /// The parts of a dataset that are wanted: what to train on and what to evaluate epochs on; and the test set, where it is to be
    /// measured once at the end.
    pub fn of(&self, opened: Opened, seed: u64) -> Result<(Split, Option<Arc<dyn Dataset>>), Box<dyn Error>> {
        let Opened { mut train, validation, test, .. } = opened;
        if let Some(limit) = self.limit {
            train = Arc::new(Subset::limited(train, limit as usize, seed));
        }
        if self.even_classes {
            let kind = train.target_kind();
            if kind != TargetKind::Class {
                return Err(format!("--even-classes needs one class for each image, and the data has {kind}").into());
            }
            train = Arc::new(Subset::balanced(train, seed));
        }
        match (self.validation, validation) {
            (None, None) => Ok((Split { train, test }, None)),
            (None, Some(validation)) => Ok((Split { train, test: validation }, Some(test))),
            (Some(share), None) if share > 0.0 && share < 1.0 => {
                let (train, held_out) = Subset::split(train, share, seed);
                Ok((Split { train, test: held_out }.shared(), Some(test)))
            }
            (Some(share), None) => Err(format!("--validation is {share}; it must be a number between 0 and 1").into()),
            (Some(_), Some(_)) => {
                Err("the data has a validation set of its own, so --validation SHARE has nothing to hold out".into())
            }
        }
    }
}
