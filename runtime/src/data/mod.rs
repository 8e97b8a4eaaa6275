//! From files to batches: `files -> Dataset -> Pipeline -> Loader -> Batch`.
//!
//! * [`open()`] finds out what a folder holds: `idx` files of the MNIST family ([`mnist`]), CIFAR, an image folder, a
//!   list, masks; `classes` says how their classes are sorted; [`Subset`] takes a part of any of them;
//! * [`decode`] turns an image file into bytes and trusts nothing in it;
//! * [`Preparation`] is the one way from an image to what a network takes: decided in training, kept in weights files, used by all;
//! * [`Pipeline`] is that with [`augment`] in it, for training;
//! * [`Classes`] brings the classes of a dataset to those of a trained network;
//! * [`Loader`] shuffles, and does all that on threads of its own.

pub mod augment;
mod bare;
mod batch;
mod cifar;
#[doc(hidden)]
pub mod classes;
mod columns;
pub mod decode;
mod decode_mask;
mod duplicates;
mod files;
pub mod fit;
mod folder;
mod frame;
#[doc(hidden)]
pub mod idx;
mod intact;
mod kind;
mod known;
mod labels;
mod listing;
mod loader;
mod manifest;
mod mask;
mod mask_folders;
mod mask_place;
pub mod mnist;
mod normalisation;
mod open;
mod opened;
mod options;
mod phrase;
mod pipeline;
mod preparation;
mod queue;
mod resample;
mod sheet;
mod subset;
mod survey;
mod table;
mod target;

pub use batch::Batch;
#[doc(hidden)]
pub use duplicates::in_common;
#[doc(hidden)]
pub use files::FileTarget;
pub use files::Files;
pub use kind::DatasetKind;
pub(crate) use known::KnownValues;
pub use labels::{Classes, ClassesDiffer};
#[doc(hidden)]
pub use labels::{Matching, Relabelled};
#[doc(hidden)]
pub use listing::images_below;
pub(crate) use loader::EVALUATION_BATCH;
pub use loader::{Batches, Loader};
#[doc(hidden)]
pub use mask::MaskFile;
pub(crate) use normalisation::Statistics;
pub use normalisation::{Normalisation, NormalisationKind};
pub use open::open;
pub use opened::Opened;
pub use options::{LoaderOptions, OnBad, Sampling};
pub use pipeline::Pipeline;
pub use preparation::{Invert, Preparation};
#[doc(hidden)]
pub use sheet::{Sample, samples};
pub use subset::Subset;
pub use target::{IGNORED, Target, TargetKind};

use crate::wording::{did_you_mean, either, meaning};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Images of any size with what is known of them, in memory or not.
pub trait Dataset: Send + Sync {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there is no image.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names of the classes; of the numbers, where the targets are [`TargetKind::Numbers`].
    fn classes(&self) -> &[String];

    /// The class of image `i`, below the number of classes; 0 where the targets are something else.
    fn label(&self, i: usize) -> usize;

    /// Which kind of target each image has.
    fn target_kind(&self) -> TargetKind {
        TargetKind::Class
    }

    /// The target of image `i`, of the dataset's one kind.
    ///
    /// # Errors
    /// When it cannot be read or decoded.
    fn target(&self, i: usize) -> Result<Target<'_>, DataError> {
        Ok(Target::Class(self.label(i)))
    }

    /// Image `i`.
    ///
    /// # Errors
    /// When it cannot be read or decoded.
    fn image(&self, i: usize) -> Result<Image<'_>, DataError>;

    /// The file of image `i`, if it is one.
    fn file(&self, _i: usize) -> Option<&Path> {
        None
    }

    /// Whether images are at hand, so that threads that read ahead would be of no use.
    fn in_memory(&self) -> bool {
        false
    }
}

/// What a network learns from, and what it is evaluated on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split<T = Arc<dyn Dataset>> {
    /// What a network learns from.
    pub train: T,
    /// What it is evaluated on.
    pub test: T,
}

impl<T: Dataset + 'static> Split<T> {
    /// The same, whatever kind of dataset it is.
    pub fn shared(self) -> Split {
        Split { train: Arc::new(self.train), test: Arc::new(self.test) }
    }
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image<'a> {
    /// `[C, H, W]`; one channel is grey, three are red, green and blue.
    pub shape: [usize; 3],
    /// `[C, H, W]`, 0 to 255.
    pub pixels: Cow<'a, [u8]>,
}

/// Labelled images of one size, as bytes in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// `[C, H, W]` of one image.
    pub shape: [usize; 3],
    /// `[N, C, H, W]`, 0 to 255.
    pub pixels: Vec<u8>,
    /// One an image, below the number of classes.
    pub labels: Vec<u8>,
    /// Names of the classes.
    pub classes: Vec<String>,
}

impl Dataset for Images {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, i: usize) -> usize {
        usize::from(self.labels[i])
    }

    fn image(&self, i: usize) -> Result<Image<'_>, DataError> {
        Ok(Image { shape: self.shape, pixels: Cow::Borrowed(self.bytes(i)) })
    }

    fn in_memory(&self) -> bool {
        true
    }
}

impl Images {
    /// The bytes `[C, H, W]` of image `i`.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn bytes(&self, i: usize) -> &[u8] {
        let len = self.shape.iter().product::<usize>();
        &self.pixels[i * len..(i + 1) * len]
    }

    /// The first `n` images, or all if there are fewer.
    pub fn first(mut self, n: usize) -> Self {
        let n = n.min(self.len());
        self.pixels.truncate(n * self.shape.iter().product::<usize>());
        self.labels.truncate(n);
        self
    }
}

/// What a word stands for, among those that there are.
fn word<T: Copy>(what: &str, all: &[(&str, T)], text: &str) -> Result<T, DataError> {
    meaning(all, text).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        unknown(what, text, &names)
    })
}

/// The error about a word that is none of those that there are.
fn unknown(what: &str, text: &str, names: &[&str]) -> DataError {
    DataError::Option {
        what: what.into(),
        found: format!("there is no `{text}`"),
        expected: format!("it must be {}{}", either(names), did_you_mean(text, names)),
    }
}

/// What image `i` is called in errors: its file or, where it has none, its number.
fn name_of(data: &dyn Dataset, i: usize) -> PathBuf {
    data.file(i).map_or_else(|| format!("image {i} of the data").into(), Path::to_owned)
}

/// Stands for the path of an image until somebody who knows it gives it a name.
const UNNAMED: &str = "an image";

impl DataError {
    /// About an image by whoever does not know which one it is.
    fn unnamed(problem: String) -> Self {
        DataError::Image { path: UNNAMED.into(), problem }
    }

    /// The same about the image in this file, if the error comes from where it was not known which image it is.
    #[must_use]
    pub fn of(self, path: &Path) -> Self {
        self.about(|| path.to_owned())
    }

    /// The same about the image of this name, if it has none yet.
    fn about(self, name: impl FnOnce() -> PathBuf) -> Self {
        match self {
            DataError::Image { path, problem } if path.as_os_str() == UNNAMED => {
                DataError::Image { path: name(), problem }
            }
            other => other,
        }
    }
}

/// Why data could not be read. Each variant says in which file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file or folder could not be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A folder has none of the names that a file may have.
    #[error("{}: no {what} here; looked for {}", folder.display(), looked_for.join(", "))]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// Under which names.
        looked_for: Vec<String>,
    },
    /// Compressed data is damaged.
    #[error("{}: damaged gzip data: {source}", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {what} at byte {offset}: expected {expected}, found {found}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where, in the uncompressed data.
        offset: u64,
        /// Which part of the file.
        what: &'static str,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Two files do not fit together.
    #[error("{} has {images} images, but {} has {labels} labels", images_path.display(), labels_path.display())]
    Counts {
        /// The file of images.
        images_path: PathBuf,
        /// How many it has.
        images: usize,
        /// The file of labels.
        labels_path: PathBuf,
        /// How many it has.
        labels: usize,
    },
    /// There is nothing to learn from.
    #[error("{}: {problem}", path.display())]
    Nothing {
        /// File or folder.
        path: PathBuf,
        /// What is missing, and what there should be.
        problem: String,
    },
    /// An image cannot be used.
    #[error("{}: {problem}", path.display())]
    Image {
        /// The file, or what stands for it.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A word that means nothing here.
    #[error("{what}: {found}; {expected}")]
    Option {
        /// What was being read.
        what: String,
        /// What is wrong.
        found: String,
        /// What there is.
        expected: String,
    },
    /// What a weights file says about its images or classes has no meaning.
    #[error("the metadata says {key} = `{found}`; expected {expected}")]
    Metadata {
        /// The key.
        key: &'static str,
        /// What it says.
        found: String,
        /// What it might say.
        expected: String,
    },
    /// A weights file says nothing about its images, and there is nobody who could say it on the command line.
    #[error(
        "{file} does not say how images are prepared, as weights that convnet has trained do; make the network's input by a \
         `Preparation` of your own (for torchvision's, `Preparation::assumed` with `Fit::Crop`)"
    )]
    Unprepared {
        /// The file.
        file: String,
    },
    /// The classes of the data are not those of the network.
    #[error(transparent)]
    Classes(#[from] ClassesDiffer),
    /// Code that reads or changes images has panicked.
    #[error("reading image {index} has panicked: {message}")]
    Panic {
        /// Which one.
        index: usize,
        /// What it said.
        message: String,
    },
}
