//! Images without targets, in a folder and below it.

use super::DataError;
use super::files::{FileParts, Part};
use super::folder::{beside_training, one_of, parts_among};
use super::listing::{self, images_below};
use std::path::{Path, PathBuf};

/// All images in a folder and below it; in parts, if it has a folder for training.
///
/// # Errors
/// When there are none, or a folder cannot be read.
pub(super) fn open(root: &Path) -> Result<FileParts<()>, DataError> {
    let nothing = |path: &Path, problem: String| DataError::Nothing { path: path.to_owned(), problem };
    let (parts, others) = parts_among(listing::list(root)?.folders);
    let mut folders: Vec<(Part, PathBuf)> = vec![(Part::Train, root.to_owned())];
    let mut notes = Vec::new();
    if let Some(train) = one_of(root, &parts, Part::Train)? {
        folders = vec![(Part::Train, train)];
        for part in [Part::Validation, Part::Test] {
            folders.extend(one_of(root, &parts, part)?.map(|folder| (part, folder)));
        }
        notes.extend(beside_training(root, &others)?);
    }
    let mut files = Vec::new();
    for (part, folder) in folders {
        let (images, left_out) = images_below(&folder)?;
        notes.extend(left_out);
        match (images.is_empty(), part) {
            (false, _) => files.extend(images.into_iter().map(|image| (part, image, ()))),
            (true, Part::Train) => {
                let endings = listing::endings();
                return Err(nothing(&folder, format!("has no images in it or below; images end in {endings}")));
            }
            (true, _) => notes.push(format!("{} has no images, so it is left out", folder.display())),
        }
    }
    FileParts::of(&[], files, notes).checked(root)
}
