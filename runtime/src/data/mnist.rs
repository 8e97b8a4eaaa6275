//! MNIST's handwritten digits (LeCun, Cortes and Burges): 60,000 pictures to train on and 10,000 to test on, 28 x 28.

use super::{DataError, Pictures, idx};
use std::path::{Path, PathBuf};

/// A train and a test set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// What a network learns from.
    pub train: Pictures,
    /// What it is judged by.
    pub test: Pictures,
}

/// Mean and standard deviation of the pixels of the training set, of pixels between 0 and 1.
pub const NORMALISATION: super::Normalisation = super::Normalisation { mean: 0.1307, std: 0.3081 };

const PARTS: [(&str, &str); 2] = [("train", "training set"), ("t10k", "test set")];

/// The four files of `folder`, compressed or not: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
/// `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, each with or without `.gz`, with `-idx` or `.idx`.
///
/// # Errors
/// When a file is missing or is not what its name says.
pub fn open(folder: &Path) -> Result<Split, DataError> {
    std::fs::read_dir(folder).map_err(|source| DataError::Io { path: folder.to_owned(), source })?;
    let [train, test] = PARTS.map(|(prefix, _)| {
        let (images_path, labels_path) = (
            find(folder, prefix, "images", 3, "file of images")?,
            find(folder, prefix, "labels", 1, "file of labels")?,
        );
        let images = idx::read(&images_path, 3, "images")?;
        let labels = idx::read(&labels_path, 1, "labels")?;
        dataset(images, &images_path, labels, &labels_path)
    });
    Ok(Split { train: train?, test: test? })
}

fn find(folder: &Path, prefix: &str, kind: &str, rank: u8, what: &'static str) -> Result<PathBuf, DataError> {
    let spellings = ["-", "."].map(|dot| format!("{prefix}-{kind}{dot}idx{rank}-ubyte"));
    let names: Vec<String> = spellings.iter().flat_map(|name| [name.clone(), format!("{name}.gz")]).collect();
    let found = names.iter().map(|name| folder.join(name)).find(|path| path.exists());
    found.ok_or(DataError::Missing { folder: folder.to_owned(), what, looked_for: names })
}

/// The copy that is compiled into the program.
///
/// # Errors
/// None unless the crate was built from damaged files.
pub fn bundled() -> Result<Split, DataError> {
    let part = |images: &[u8], labels: &[u8], name: &str| {
        let paths = ["images-idx3", "labels-idx1"].map(|kind| PathBuf::from(format!("bundled {name}-{kind}-ubyte.gz")));
        let images = idx::parse(images, &paths[0], 3, "images")?;
        let labels = idx::parse(labels, &paths[1], 1, "labels")?;
        dataset(images, &paths[0], labels, &paths[1])
    };
    Ok(Split {
        train: part(
            include_bytes!("../../../data/mnist/train-images-idx3-ubyte.gz"),
            include_bytes!("../../../data/mnist/train-labels-idx1-ubyte.gz"),
            "train",
        )?,
        test: part(
            include_bytes!("../../../data/mnist/t10k-images-idx3-ubyte.gz"),
            include_bytes!("../../../data/mnist/t10k-labels-idx1-ubyte.gz"),
            "t10k",
        )?,
    })
}

fn dataset(images: idx::Idx, images_path: &Path, labels: idx::Idx, labels_path: &Path) -> Result<Pictures, DataError> {
    let (count, label_count) = (images.dims[0], labels.dims[0]);
    if count != label_count {
        let (images_path, labels_path) = (images_path.to_owned(), labels_path.to_owned());
        return Err(DataError::Counts { images_path, images: count, labels_path, labels: label_count });
    }
    if let Some((i, label)) = labels.bytes.iter().enumerate().find(|(_, label)| **label > 9) {
        return Err(DataError::Format {
            path: labels_path.to_owned(),
            offset: 8 + i as u64,
            what: "a label",
            expected: "a digit from 0 to 9".into(),
            found: label.to_string(),
        });
    }
    Ok(Pictures {
        shape: [1, images.dims[1], images.dims[2]],
        pixels: images.bytes,
        labels: labels.bytes,
        classes: (0..10).map(|digit| digit.to_string()).collect(),
    })
}
