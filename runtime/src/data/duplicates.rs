//! Images that two datasets have in common, by what is in them.

use super::{DataError, Dataset};
use crate::regular_file;
use std::collections::{HashMap, HashSet};

/// The images of `other` that are in `one` too, each with its number in `other` and that of the first such image in `one`. For
/// images in files, the files are compared byte by byte, for images in memory their pixels. Files whose size no file of the other
/// dataset has are not opened.
///
/// # Errors
/// When a file cannot be read.
pub fn in_common(one: &dyn Dataset, other: &dyn Dataset) -> Result<Vec<(usize, usize)>, DataError> {
    let sizes = |data: &dyn Dataset| -> HashSet<Option<u64>> { (0..data.len()).map(|i| size(data, i)).collect() };
    let (in_one, in_other) = (sizes(one), sizes(other));
    let mut first: HashMap<blake3::Hash, usize> = HashMap::new();
    for i in (0..one.len()).filter(|i| in_other.contains(&size(one, *i))) {
        if let Some(hash) = hash(one, i)? {
            first.entry(hash).or_insert(i);
        }
    }
    let mut common = Vec::new();
    for i in (0..other.len()).filter(|i| in_one.contains(&size(other, *i))) {
        common.extend(hash(other, i)?.and_then(|hash| Some((i, *first.get(&hash)?))));
    }
    Ok(common)
}

/// Bytes of an image's file; nothing if it is in memory.
fn size(data: &dyn Dataset, i: usize) -> Option<u64> {
    data.file(i).and_then(|path| std::fs::metadata(path).ok()).map(|metadata| metadata.len())
}

/// What tells contents apart; nothing where an image would have to be made first.
fn hash(data: &dyn Dataset, i: usize) -> Result<Option<blake3::Hash>, DataError> {
    match data.file(i) {
        Some(path) => {
            let bytes = regular_file::read(path);
            let bytes = bytes.map_err(|source| DataError::Io { path: path.to_owned(), source })?;
            Ok(Some(blake3::hash(&bytes)))
        }
        None if data.in_memory() => Ok(Some(blake3::hash(&data.image(i)?.pixels))),
        None => Ok(None),
    }
}
