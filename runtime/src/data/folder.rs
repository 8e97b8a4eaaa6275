//! Images in folders, one a class: `train/CLASS/*.png|jpg|jpeg` beside `val/` and `test/`, or the classes alone.
//!
//! Names are sorted, so that the order of images does not depend on the file system. Images stay on the disk until they are
//! wanted. Symbolic links are followed; folders below a class are not looked into, so no link can lead in circles.

use super::files::{FileParts, Files, Part, classes_without};
use super::listing::{self, Listing};
use super::phrase::{classes_called, number_of, some_of};
use super::{DataError, classes};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How a folder may be called that holds all images of a test set, whose classes nobody told.
const UNLABELLED: [&str; 9] =
    ["test", "testing", "unknown", "unlabeled", "unlabelled", "images", "imgs", "pictures", "all"];

/// The parts of a folder: what `train`, `val` and `test` hold, under those names or others of the same sense; or, without a
/// folder for training, all classes that it has.
///
/// # Errors
/// When there are no classes, a class has no image that can be read, or a class is not among those to train on.
pub fn open(root: &Path) -> Result<FileParts, DataError> {
    let listing = listing::list(root)?;
    let mut notes = Vec::new();
    let (parts, others) = parts_among(listing.folders);
    let train = one_of(root, &parts, Part::Train)?.filter(|train| others.is_empty() || !is_class(train));
    let Some(train) = train else {
        if let Some((_, path)) = parts.iter().find(|(part, path)| *part != Part::Train && !is_class(path)) {
            let name = name_of(path)?;
            let problem = format!("has a folder `{name}`, but none that is called `train`");
            return Err(DataError::Nothing { path: root.to_owned(), problem });
        }
        let train = classes_in(root, None, &mut notes)?;
        return FileParts { train, validation: None, test: None, notes }.checked(root);
    };
    for special in &listing.special {
        notes.push(format!("{}: left out: {special}", root.display()));
    }
    notes.extend(beside_training(root, &others)?);
    let train = classes_in(&train, None, &mut notes)?;
    let mut held_out = |part| match one_of(root, &parts, part)? {
        Some(folder) => held_out(&folder, &train.classes, &mut notes),
        None => Ok(None),
    };
    let (validation, test) = (held_out(Part::Validation)?, held_out(Part::Test)?);
    FileParts { train, validation, test, notes }.checked(root)
}

/// Whether a folder looks like a dataset: it has a folder for training, or at least `classes` folders that hold images.
pub(super) fn found_in(root: &Path, classes: usize) -> bool {
    let Ok(listing) = listing::list(root) else { return false };
    let is_train =
        |path: &PathBuf| path.file_name().and_then(|name| Part::named(&name.to_string_lossy())) == Some(Part::Train);
    let has_images = |path: &&PathBuf| listing::list(path).is_ok_and(|class| !class.images.is_empty());
    listing.folders.iter().any(is_train) || listing.folders.iter().filter(has_images).take(classes).count() == classes
}

/// Folders that are parts by their names, and all others.
pub(super) fn parts_among(folders: Vec<PathBuf>) -> (Vec<(Part, PathBuf)>, Vec<PathBuf>) {
    let (mut parts, mut others) = (Vec::new(), Vec::new());
    for path in folders {
        match path.file_name().and_then(|name| Part::named(&name.to_string_lossy())) {
            Some(part) => parts.push((part, path)),
            None => others.push(path),
        }
    }
    (parts, others)
}

/// A note on folders beside that of the training set.
pub(super) fn beside_training(root: &Path, others: &[PathBuf]) -> Result<Option<String>, DataError> {
    let names = others.iter().map(|path| name_of(path)).collect::<Result<Vec<_>, _>>()?;
    let is = if names.len() == 1 { "is" } else { "are" };
    let note = || format!("{}: {} beside the training set {is} not looked at", root.display(), some_of(&names));
    Ok((!names.is_empty()).then(note))
}

/// The only folder for a part.
pub(super) fn one_of(root: &Path, parts: &[(Part, PathBuf)], wanted: Part) -> Result<Option<PathBuf>, DataError> {
    let found: Vec<&PathBuf> = parts.iter().filter(|(part, _)| *part == wanted).map(|(_, path)| path).collect();
    match found[..] {
        [] => Ok(None),
        [path] => Ok(Some(path.clone())),
        _ => {
            let names = found.iter().map(|path| name_of(path)).collect::<Result<Vec<_>, _>>()?;
            let problem = format!("has several folders for {}: {}; keep one of them", wanted.text(), some_of(&names));
            Err(DataError::Nothing { path: root.to_owned(), problem })
        }
    }
}

/// Whether a folder holds images and no folders, as a class does.
fn is_class(path: &Path) -> bool {
    listing::list(path).is_ok_and(|listing| listing.folders.is_empty() && !listing.images.is_empty())
}

/// The images of a part to evaluate on; nothing, with a note, where they are in no folders of classes.
fn held_out(folder: &Path, classes: &[String], notes: &mut Vec<String>) -> Result<Option<Files>, DataError> {
    let listing = listing::list(folder)?;
    let mut flat = listing.images.len();
    let mut has_classes = false;
    for path in &listing.folders {
        let name = name_of(path)?;
        let images = listing::list(path)?.images.len();
        let unlabelled = listing.folders.len() == 1
            && UNLABELLED.contains(&name.to_lowercase().as_str())
            && classes::position(classes, &name).is_none();
        match unlabelled {
            true => flat += images,
            false => has_classes |= images > 0,
        }
    }
    if has_classes {
        return classes_in(folder, Some(classes), notes).map(Some);
    }
    let what = match flat {
        0 => "holds no images in folders of classes".into(),
        n => format!("holds {}, but not in folders named after classes", number_of(n, "image", "images")),
    };
    notes.push(format!("{} {what}, so it cannot be evaluated on and is left out", folder.display()));
    Ok(None)
}

/// A folder's classes: names in Unicode's form NFC, each with its folders. There is more than one only where names differ in
/// their form alone.
fn named(folders: Vec<PathBuf>) -> Result<Vec<(String, PathBuf)>, DataError> {
    folders.into_iter().map(|path| Ok((classes::normal(&name_of(&path)?), path))).collect()
}

/// The images below a folder that has a folder for each class. With `known`, the folders have to be among those classes. What is
/// left out goes into `notes`.
fn classes_in(folder: &Path, known: Option<&[String]>, notes: &mut Vec<String>) -> Result<Files, DataError> {
    let nothing = |problem: String| DataError::Nothing { path: folder.to_owned(), problem };
    let listing = listing::list(folder)?;
    if listing.folders.is_empty() {
        return Err(nothing(match listing.images.len() {
            0 => "has no folders, and each class should be one".into(),
            n => format!(
                "has {}, but no folders; each class should be a folder with its images",
                number_of(n, "image", "images")
            ),
        }));
    }
    let mut left_out = LeftOut::default();
    left_out.beside(&listing);
    let named = named(listing.folders)?;
    let classes = known.map_or_else(
        || {
            let mut names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
            classes::sort(&mut names);
            names
        },
        <[String]>::to_vec,
    );
    let mut images = Vec::new();
    let mut empty = Vec::new();
    for (name, path) in named {
        let class = listing::list(&path)?;
        if class.images.is_empty() {
            empty.push(format!("`{name}` {}", why_empty(&class)));
        }
        let number = classes::position(&classes, &name);
        if number.is_none() && !class.images.is_empty() {
            return Err(nothing(unknown(&name, &classes)));
        }
        left_out.within(&name, &class);
        images.extend(class.images.into_iter().filter_map(|path| Some((path, number?))));
    }
    // Images of one class from several folders lie together.
    images.sort_by_key(|(_, class)| *class);
    let files = Files { classes, images };
    if known.is_none() && !classes_without(&files).is_empty() {
        return Err(nothing(format!(
            "has folders without an image that can be read, so their classes could not be learnt: {}. Images end in {}; take \
             such folders away, or put images in them",
            empty.join("; "),
            listing::endings()
        )));
    }
    left_out.notes(folder, notes);
    Ok(files)
}

fn unknown(name: &str, classes: &[String]) -> String {
    let alike = classes.iter().find(|class| class.to_lowercase() == name.to_lowercase());
    let alike = alike.map_or(String::new(), |class| format!(" (there is `{class}`)"));
    format!("has the class `{name}`{alike}, which is not among those to train on: {}", some_of(classes))
}

/// Why a class has no image.
fn why_empty(class: &Listing) -> String {
    let other = class.hidden.len() + class.special.len() + class.other;
    match () {
        () if !class.unread.is_empty() => {
            format!("has only files in formats that are not read ({})", formats(&class.unread))
        }
        () if !class.folders.is_empty() => "has images only in folders below it, if at all".into(),
        () if !class.special.is_empty() => format!("has nothing but {}", class.special[0]),
        () if other > 0 => format!("has no image by its name among {}", number_of(other, "file", "files")),
        () => "is empty".into(),
    }
}

fn formats(endings: &BTreeMap<String, usize>) -> String {
    endings.iter().map(|(ending, n)| format!("{n} .{ending}")).collect::<Vec<_>>().join(", ")
}

/// What was left out of a folder with classes.
#[derive(Default)]
struct LeftOut {
    hidden: Vec<PathBuf>,
    special: Vec<String>,
    unread: BTreeMap<String, usize>,
    below: Vec<String>,
    system: Vec<String>,
    beside: usize,
}

impl LeftOut {
    /// What lies beside the classes.
    fn beside(&mut self, listing: &Listing) {
        self.beside = listing.images.len();
        self.system.extend(listing.system.iter().cloned());
        self.special.extend(listing.special.iter().cloned());
    }

    /// What lies within a class.
    fn within(&mut self, name: &str, class: &Listing) {
        self.hidden.extend(class.hidden.iter().cloned());
        self.special.extend(class.special.iter().cloned());
        class.unread.iter().for_each(|(ending, n)| *self.unread.entry(ending.clone()).or_default() += n);
        if !class.folders.is_empty() && !class.images.is_empty() {
            self.below.push(name.to_string());
        }
    }

    fn notes(&self, folder: &Path, notes: &mut Vec<String>) {
        let mut note = |text: String| notes.push(format!("{}: {text}", folder.display()));
        if self.beside > 0 {
            let images = number_of(self.beside, "image", "images");
            note(format!("left out beside the folders of classes: {images}"));
        }
        if let Some(first) = self.hidden.first() {
            let files = number_of(self.hidden.len(), "hidden file", "hidden files");
            note(format!("left out: {files}, such as {}", first.display()));
        }
        if !self.unread.is_empty() {
            let (found, read) = (formats(&self.unread), listing::endings());
            note(format!("left out, in formats that are not read: {found}; images end in {read}"));
        }
        if let Some(first) = self.special.first() {
            let entries = number_of(self.special.len(), "entry", "entries");
            note(format!("left out: {entries} that can be no image or class, such as {first}"));
        }
        if !self.below.is_empty() {
            note(format!("left out: folders within {}", classes_called(&self.below)));
        }
        if !self.system.is_empty() {
            note(format!("left out: {}, which systems and programs make for themselves", some_of(&self.system)));
        }
    }
}

/// The name of a class. It goes into checkpoints and reports, so it has to be text.
fn name_of(path: &Path) -> Result<String, DataError> {
    let name = path.file_name().and_then(|name| name.to_str()).map(String::from);
    let problem = "the name of a class has to be UTF-8".into();
    name.ok_or_else(|| DataError::Nothing { path: path.to_owned(), problem })
}
