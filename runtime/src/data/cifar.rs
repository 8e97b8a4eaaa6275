//! CIFAR-10 and CIFAR-100 (Krizhevsky, 2009) in their binary form: a byte or two of labels, then the 3 x 32 x 32 bytes of an
//! image, without a header.
//!
//! With no header, the length of a file is all that can be checked, and each label.

use super::{DataError, Images, Split};
use crate::regular_file;
use std::path::Path;

const SHAPE: [usize; 3] = [3, 32, 32];
const PIXELS: usize = 3 * 32 * 32;

const CLASSES_10: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// What tells the two apart.
struct Form {
    train: &'static [&'static str],
    test: &'static str,
    /// Bytes in front of an image; the last one is its label.
    labels: usize,
    classes: usize,
    names: &'static str,
}

const CIFAR_10: Form = Form {
    train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
    test: "test_batch.bin",
    labels: 1,
    classes: 10,
    names: "batches.meta.txt",
};

/// The first byte is the label of twenty coarse classes.
const CIFAR_100: Form =
    Form { train: &["train.bin"], test: "test.bin", labels: 2, classes: 100, names: "fine_label_names.txt" };

/// CIFAR-10 in a folder with its six `.bin` files.
///
/// # Errors
/// When one is missing, or is not what its name says.
pub fn open_10(folder: &Path) -> Result<Split<Images>, DataError> {
    open(folder, &CIFAR_10)
}

/// CIFAR-100 in a folder with `train.bin` and `test.bin`; its hundred fine classes.
///
/// # Errors
/// When one is missing, or is not what its name says.
pub fn open_100(folder: &Path) -> Result<Split<Images>, DataError> {
    open(folder, &CIFAR_100)
}

fn open(folder: &Path, form: &Form) -> Result<Split<Images>, DataError> {
    let classes = class_names(folder, form)?;
    let part = |files: &[&str]| {
        let mut part = Images { shape: SHAPE, pixels: Vec::new(), labels: Vec::new(), classes: classes.clone() };
        files.iter().try_for_each(|file| read(&folder.join(file), form, &mut part)).map(|()| part)
    };
    Ok(Split { train: part(form.train)?, test: part(&[form.test])? })
}

/// Names from the file that comes with the data, or those that are known.
fn class_names(folder: &Path, form: &Form) -> Result<Vec<String>, DataError> {
    let path = folder.join(form.names);
    let text = match regular_file::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(DataError::Io { path, source }),
    };
    let names: Vec<String> = text.lines().map(|line| line.trim().to_string()).filter(|line| !line.is_empty()).collect();
    match (names.len(), form.classes) {
        (0, 10) => Ok(CLASSES_10.map(String::from).to_vec()),
        (0, classes) => Ok((0..classes).map(|class| class.to_string()).collect()),
        (found, classes) if found == classes => Ok(names),
        (found, classes) => {
            let (what, found) = ("names of classes", found.to_string());
            Err(DataError::Format { path, offset: 0, what, expected: classes.to_string(), found })
        }
    }
}

fn read(path: &Path, form: &Form, to: &mut Images) -> Result<(), DataError> {
    let bytes = regular_file::read(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    let record = form.labels + PIXELS;
    let error = |offset: usize, what, expected: String, found: String| DataError::Format {
        path: path.to_owned(),
        offset: offset as u64,
        what,
        expected,
        found,
    };
    if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
        let expected = format!("a multiple of {record} bytes, which an image takes");
        return Err(error(bytes.len(), "the end", expected, format!("{} bytes", bytes.len())));
    }
    for (i, record_bytes) in bytes.chunks_exact(record).enumerate() {
        let label = record_bytes[form.labels - 1];
        if usize::from(label) >= form.classes {
            let expected = format!("a class from 0 to {}", form.classes - 1);
            return Err(error(i * record + form.labels - 1, "a label", expected, label.to_string()));
        }
        to.labels.push(label);
        to.pixels.extend_from_slice(&record_bytes[form.labels..]);
    }
    Ok(())
}

/// Whether a folder holds one of the two, and which.
pub(super) fn found_in(folder: &Path) -> Option<super::DatasetKind> {
    let has = |form: &Form| folder.join(form.train[0]).is_file() && folder.join(form.test).is_file();
    match () {
        () if has(&CIFAR_10) => Some(super::DatasetKind::Cifar10),
        () if has(&CIFAR_100) => Some(super::DatasetKind::Cifar100),
        () => None,
    }
}

/// Whether a folder holds one of the two in the form that Python's `pickle` writes.
pub(super) fn python_in(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).is_file();
    has("data_batch_1") || (has("train") && has("meta"))
}
