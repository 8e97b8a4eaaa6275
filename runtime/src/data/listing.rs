//! What a folder holds, sorted by name and told apart without opening anything.

use super::DataError;
use crate::wording::counted;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// Endings of images that are read, in small letters.
const READ: [&str; 5] = ["png", "jpg", "jpeg", "jpe", "jfif"];

/// Endings of images that are not, in small letters.
const UNREAD: [&str; 27] = [
    "webp", "gif", "bmp", "dib", "tif", "tiff", "heic", "heif", "avif", "jp2", "j2k", "jxl", "ico", "svg", "tga",
    "ppm", "pgm", "pbm", "pnm", "dds", "exr", "hdr", "psd", "dng", "cr2", "nef", "npy",
];

/// Names of folders that systems make for themselves, in small letters; beside them, all that start with a dot.
const SYSTEM: [&str; 5] = ["__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"];

/// What is in a folder.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Folders, or links to some, that are not a system's own.
    pub folders: Vec<PathBuf>,
    /// Files that are images by their names.
    pub images: Vec<PathBuf>,
    /// Images by their names whose name starts with a dot, such as macOS's `._1.png`, which is no image.
    pub hidden: Vec<PathBuf>,
    /// How many files have the ending of an image format that is not read.
    pub unread: BTreeMap<String, usize>,
    /// What is neither file nor folder, or a link that leads nowhere: `1.png, which is no regular file`.
    pub special: Vec<String>,
    /// Folders that are a system's own.
    pub system: Vec<String>,
    /// Other files.
    pub other: usize,
}

/// Looks into a folder.
pub(super) fn list(folder: &Path) -> Result<Listing, DataError> {
    let io = |source| DataError::Io { path: folder.to_owned(), source };
    let mut entries = std::fs::read_dir(folder).map_err(io)?.collect::<Result<Vec<_>, _>>().map_err(io)?;
    entries.sort_by_key(std::fs::DirEntry::path);
    let mut listing = Listing::default();
    for entry in entries {
        listing.add(entry.path());
    }
    Ok(listing)
}

/// The images in a folder and in all folders below it, sorted by their paths, and what was left out, in sentences.
///
/// # Errors
/// When a folder cannot be read.
#[doc(hidden)]
pub fn images_below(folder: &Path) -> Result<(Vec<PathBuf>, Vec<String>), DataError> {
    let (mut images, mut notes) = (Vec::new(), Vec::new());
    let (mut open, mut seen) = (vec![folder.to_owned()], HashSet::new());
    while let Some(folder) = open.pop() {
        // A link may lead to a folder that it is in.
        let real = folder.canonicalize().map_err(|source| DataError::Io { path: folder.clone(), source })?;
        if !seen.insert(real) {
            continue;
        }
        let listing = list(&folder)?;
        images.extend(listing.images);
        open.extend(listing.folders);
        notes.extend(listing.special.iter().map(|special| format!("left out {special}")));
        for (ending, count) in listing.unread {
            let files = counted(count, "file");
            notes.push(format!("{}: left out {files} with the ending .{ending}, which is not read", folder.display()));
        }
    }
    images.sort();
    Ok((images, notes))
}

impl Listing {
    fn add(&mut self, path: PathBuf) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let ending = ending(&path);
        let is_image = READ.contains(&ending.as_str());
        let metadata = std::fs::metadata(&path);
        if metadata.as_ref().is_ok_and(std::fs::Metadata::is_dir) {
            match () {
                () if name.starts_with('.') || SYSTEM.contains(&name.to_lowercase().as_str()) => self.system.push(name),
                () => self.folders.push(path),
            }
            return;
        }
        match metadata {
            _ if name.starts_with('.') && is_image => self.hidden.push(path),
            _ if name.starts_with('.') => self.other += 1,
            Err(error) => self.special.push(format!("{}, which cannot be reached ({error})", path.display())),
            Ok(metadata) if !metadata.is_file() => {
                self.special.push(format!("{}, which is no regular file", path.display()));
            }
            Ok(_) if is_image => self.images.push(path),
            Ok(_) if UNREAD.contains(&ending.as_str()) => *self.unread.entry(ending).or_default() += 1,
            Ok(_) => self.other += 1,
        }
    }
}

/// The ending of a file's name in small letters; nothing if it has none.
pub(super) fn ending(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// The endings of images that are read, for a sentence.
pub(super) fn endings() -> String {
    READ.map(|ending| format!(".{ending}")).join(", ")
}
