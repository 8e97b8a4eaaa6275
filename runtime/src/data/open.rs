//! A dataset, whatever kind it is.

use super::manifest::Listed;
use super::{DataError, Dataset, Split, Subset, cifar, folder, manifest, mnist, word};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// What a folder or file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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

/// Where Debian's package `dataset-fashion-mnist` puts its files.
const FASHION: &str = "/usr/share/datasets/fashion-mnist";

/// The share of a dataset without a test set that becomes one.
const TEST_SHARE: f64 = 0.2;

/// A dataset that has been opened, in its parts.
#[derive(Clone)]
#[non_exhaustive]
pub struct Opened {
    /// What a network learns from.
    pub train: Arc<dyn Dataset>,
    /// What epochs are judged by, where the source has images for training, for validation and for a test.
    pub validation: Option<Arc<dyn Dataset>>,
    /// What the network is judged by in the end.
    pub test: Arc<dyn Dataset>,
    /// Whether the source was in one piece, so that the test set was drawn from it here by a random seed.
    pub divided: bool,
    /// What was left out, guessed or split: a plain sentence each.
    pub notes: Vec<String>,
}

impl Opened {
    /// The training and the test set alone.
    pub fn into_split(self) -> Split {
        Split { train: self.train, test: self.test }
    }

    fn of(split: Split) -> Self {
        Opened { train: split.train, validation: None, test: split.test, divided: false, notes: Vec::new() }
    }
}

/// Opens a dataset; without a path, MNIST is the copy that comes with the crate, and Fashion-MNIST that of Debian's package.
/// A dataset in one piece is split by `seed`: a fifth of each class becomes the test set.
///
/// # Errors
/// When there is nothing of that kind, or it cannot be read.
pub fn open(kind: Kind, path: Option<&Path>, seed: u64) -> Result<Opened, DataError> {
    let kind = match (kind, path) {
        (Kind::Auto, None) => Kind::Mnist,
        (Kind::Auto, Some(path)) => detect(path)?,
        (kind, _) => kind,
    };
    let fashion = PathBuf::from(FASHION);
    let path = match (kind, path) {
        (Kind::Mnist, None) => return Ok(Opened::of(mnist::bundled()?.shared())),
        (Kind::FashionMnist, None) if fashion.is_dir() => fashion.as_path(),
        (_, Some(path)) => path,
        (kind, None) => {
            let problem = match kind {
                Kind::FashionMnist => {
                    "is not there: install Debian's package dataset-fashion-mnist, or say where its files are".into()
                }
                kind => format!("say where the files of {kind} are"),
            };
            return Err(DataError::Nothing {
                path: if kind == Kind::FashionMnist { fashion } else { "the data".into() },
                problem,
            });
        }
    };
    let opened = match kind {
        Kind::Auto | Kind::Mnist => Opened::of(mnist::open(path)?.shared()),
        Kind::FashionMnist => Opened::of(mnist::open_fashion(path)?.shared()),
        Kind::Emnist => Opened::of(mnist::open_emnist(path)?.shared()),
        Kind::Cifar10 => Opened::of(cifar::open_10(path)?.shared()),
        Kind::Cifar100 => Opened::of(cifar::open_100(path)?.shared()),
        Kind::Folder => folders(path, seed)?,
        Kind::Manifest => match manifest::open(path)? {
            Listed::Split(split) => Opened::of(split.shared()),
            Listed::Whole(files) => divided(path, Arc::new(files), seed),
        },
    };
    let [train, test] = [&opened.train, &opened.test].map(|part| part.len());
    if train == 0 || test == 0 {
        let problem = format!("has {train} pictures to train on and {test} to judge by; there should be some of both");
        return Err(DataError::Nothing { path: path.to_owned(), problem });
    }
    if opened.train.classes().len() < 2 {
        let only = opened.train.classes().join("");
        let problem = format!("has one class (`{only}`); there is nothing to tell it from");
        return Err(DataError::Nothing { path: path.to_owned(), problem });
    }
    Ok(opened)
}

/// What a path holds, by the names of its files.
fn detect(path: &Path) -> Result<Kind, DataError> {
    let metadata = std::fs::metadata(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    if metadata.is_file() {
        let is_list = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        let problem = "is a file, but no CSV list of pictures".to_string();
        return if is_list { Ok(Kind::Manifest) } else { Err(DataError::Nothing { path: path.to_owned(), problem }) };
    }
    if mnist::found_in(path) {
        let fashion = path.to_string_lossy().to_lowercase().contains("fashion");
        return Ok(if fashion { Kind::FashionMnist } else { Kind::Mnist });
    }
    if mnist::emnist_in(path)?.is_some() {
        return Ok(Kind::Emnist);
    }
    if let Some(kind) = cifar::found_in(path) {
        return Ok(kind);
    }
    let entries = std::fs::read_dir(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    if entries.flatten().any(|entry| entry.path().is_dir()) {
        return Ok(Kind::Folder);
    }
    let problem = "holds no dataset; looked for MNIST's files (train-images-idx3-ubyte ...), EMNIST's \
                   (emnist-*-train-images-idx3-ubyte), CIFAR's (data_batch_1.bin or train.bin ...) and folders named after \
                   classes"
        .into();
    Err(DataError::Nothing { path: path.to_owned(), problem })
}

fn folders(path: &Path, seed: u64) -> Result<Opened, DataError> {
    let train = path.join("train");
    if !train.is_dir() {
        return Ok(divided(path, Arc::new(folder::classes_in(path, None)?), seed));
    }
    let train = folder::classes_in(&train, None)?;
    let held_out = ["test", "val", "validation"].map(|name| path.join(name)).into_iter().find(|path| path.is_dir());
    match held_out {
        Some(test) => {
            let test = folder::classes_in(&test, Some(&train.classes))?;
            Ok(Opened::of(Split { train, test }.shared()))
        }
        None => Ok(divided(path, Arc::new(train), seed)),
    }
}

/// A source in one piece: a part of each class is kept for the test.
fn divided(path: &Path, data: Arc<dyn Dataset>, seed: u64) -> Opened {
    let (train, test) = Subset::split(data, TEST_SHARE, seed);
    let note = format!(
        "{} has no test set; a fifth of each class, drawn by random seed {seed}, is kept for it",
        path.display()
    );
    Opened { divided: true, notes: vec![note], ..Opened::of(Split { train, test }.shared()) }
}
