//! MNIST's handwritten digits (LeCun, Cortes and Burges): 60,000 images to train on and 10,000 to test on, 28 x 28; and
//! the datasets that came after it in the same format, Fashion-MNIST (Xiao et al., 2017) and EMNIST (Cohen et al., 2017).

use super::{DataError, Images, Split, idx};
use std::path::{Path, PathBuf};

const DIGITS: &str = "0123456789";

const FASHION: [&str; 10] =
    ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

/// The parts of EMNIST with the characters of their classes; `letters` counts from 1, the others from 0.
const EMNIST: [(&str, &str, u8); 6] = [
    ("balanced", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt", 0),
    ("byclass", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 0),
    ("bymerge", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt", 0),
    ("letters", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", 1),
    ("digits", DIGITS, 0),
    ("mnist", DIGITS, 0),
];

fn characters(text: &str) -> Vec<String> {
    text.chars().map(String::from).collect()
}

/// The four files of `folder`, compressed or not: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
/// `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, each with or without `.gz`, with `-idx` or `.idx`.
///
/// # Errors
/// When a file is missing or is not what its name says.
pub fn open(folder: &Path) -> Result<Split<Images>, DataError> {
    family(folder, ["train", "t10k"], &characters(DIGITS), 0)
}

/// Fashion-MNIST: files of the same names, with clothes instead of digits.
///
/// # Errors
/// As [`open`].
pub(super) fn open_fashion(folder: &Path) -> Result<Split<Images>, DataError> {
    family(folder, ["train", "t10k"], &FASHION.map(String::from), 0)
}

/// EMNIST: files called `emnist-PART-train-images-idx3-ubyte` and so on, of one of its six parts. Its images lie on their
/// side in the files and are put upright.
///
/// # Errors
/// As [`open`], and when there are files of several parts.
pub(super) fn open_emnist(folder: &Path) -> Result<Split<Images>, DataError> {
    let names = EMNIST.map(|(name, ..)| format!("emnist-{name}-train-images-idx3-ubyte")).to_vec();
    let what = "part of EMNIST";
    let missing = || DataError::Missing { folder: folder.to_owned(), what, looked_for: names };
    let (name, classes, first) = emnist_in(folder)?.ok_or_else(missing)?;
    let prefixes = ["train", "test"].map(|part| format!("emnist-{name}-{part}"));
    let split = family(folder, prefixes.each_ref().map(String::as_str), &characters(classes), first)?;
    Ok(Split { train: upright(split.train), test: upright(split.test) })
}

/// The part of EMNIST whose files are in a folder.
pub(super) fn emnist_in(folder: &Path) -> Result<Option<(&'static str, &'static str, u8)>, DataError> {
    let there = |part: &&(&str, &str, u8)| find(folder, &format!("emnist-{}-train", part.0), "images", 3, "").is_ok();
    let found: Vec<_> = EMNIST.iter().filter(there).collect();
    match found[..] {
        [] => Ok(None),
        [part] => Ok(Some(*part)),
        _ => {
            let names = found.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
            let problem = format!("holds several parts of EMNIST ({names}); put one of them into a folder of its own");
            Err(DataError::Nothing { path: folder.to_owned(), problem })
        }
    }
}

/// Whether a folder has MNIST's first file.
pub(super) fn found_in(folder: &Path) -> bool {
    find(folder, "train", "images", 3, "").is_ok()
}

fn family(folder: &Path, prefixes: [&str; 2], classes: &[String], first: u8) -> Result<Split<Images>, DataError> {
    std::fs::read_dir(folder).map_err(|source| DataError::Io { path: folder.to_owned(), source })?;
    let [train, test] = prefixes.map(|prefix| {
        let (images_path, labels_path) = (
            find(folder, prefix, "images", 3, "file of images")?,
            find(folder, prefix, "labels", 1, "file of labels")?,
        );
        let images = idx::read(&images_path, 3, "images")?;
        let labels = idx::read(&labels_path, 1, "labels")?;
        dataset(images, &images_path, labels, &labels_path, classes, first)
    });
    Ok(Split { train: train?, test: test? })
}

/// Rows for columns.
fn upright(mut data: Images) -> Images {
    let [_, height, width] = data.shape;
    for image in data.pixels.chunks_exact_mut((height * width).max(1)) {
        let lying = image.to_vec();
        for (i, pixel) in image.iter_mut().enumerate() {
            *pixel = lying[i % height * width + i / height];
        }
    }
    data.shape = [1, width, height];
    data
}

fn find(folder: &Path, prefix: &str, kind: &str, rank: u8, what: &'static str) -> Result<PathBuf, DataError> {
    let spellings = ["-", "."].map(|dot| format!("{prefix}-{kind}{dot}idx{rank}-ubyte"));
    let names: Vec<String> = spellings.iter().flat_map(|name| [name.clone(), format!("{name}.gz")]).collect();
    // Some archives put each file into a folder of the same name. A folder without it is an error once it is opened.
    let places: Vec<PathBuf> =
        names.iter().flat_map(|name| [folder.join(name).join(name), folder.join(name)]).collect();
    let is_file = |path: &&PathBuf| std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_dir());
    let found = places.iter().find(is_file).or_else(|| places.iter().find(|path| path.exists())).cloned();
    found.ok_or(DataError::Missing { folder: folder.to_owned(), what, looked_for: names })
}

/// The copy that is compiled into the program with this crate's feature `mnist`: 11 MB.
///
/// # Errors
/// Without that feature.
#[cfg(feature = "mnist")]
pub fn bundled() -> Result<Split<Images>, DataError> {
    let part = |images: &[u8], labels: &[u8], name: &str| {
        let paths = ["images-idx3", "labels-idx1"].map(|kind| PathBuf::from(format!("bundled {name}-{kind}-ubyte.gz")));
        let images = idx::parse(images, &paths[0], 3, "images")?;
        let labels = idx::parse(labels, &paths[1], 1, "labels")?;
        dataset(images, &paths[0], labels, &paths[1], &characters(DIGITS), 0)
    };
    Ok(Split {
        train: part(convnet_mnist_train::IMAGES, convnet_mnist_train::LABELS, "train")?,
        test: part(convnet_mnist_test::IMAGES, convnet_mnist_test::LABELS, "t10k")?,
    })
}

/// The copy that would be compiled into the program with this crate's feature `mnist`: 11 MB.
///
/// # Errors
/// Always, since this program was built without that feature.
#[cfg(not(feature = "mnist"))]
pub fn bundled() -> Result<Split<Images>, DataError> {
    let problem = "are not in this program: build it with the feature `mnist` of the crate `convnet`, or name a folder with \
                   MNIST's files";
    Err(DataError::Nothing { path: "MNIST's digits".into(), problem: problem.into() })
}

fn dataset(
    images: idx::Idx,
    images_path: &Path,
    mut labels: idx::Idx,
    labels_path: &Path,
    classes: &[String],
    first: u8,
) -> Result<Images, DataError> {
    let (count, label_count) = (images.dims[0], labels.dims[0]);
    if count != label_count {
        let (images_path, labels_path) = (images_path.to_owned(), labels_path.to_owned());
        return Err(DataError::Counts { images_path, images: count, labels_path, labels: label_count });
    }
    let known = usize::from(first)..usize::from(first) + classes.len();
    if let Some((i, label)) = labels.bytes.iter().enumerate().find(|(_, label)| !known.contains(&usize::from(**label)))
    {
        return Err(DataError::Format {
            path: labels_path.to_owned(),
            offset: 8 + i as u64,
            what: "a label",
            expected: format!("a number from {} to {}", known.start, known.end - 1),
            found: label.to_string(),
        });
    }
    labels.bytes.iter_mut().for_each(|label| *label -= first);
    Ok(Images {
        shape: [1, images.dims[1], images.dims[2]],
        pixels: images.bytes,
        labels: labels.bytes,
        classes: classes.to_vec(),
    })
}
