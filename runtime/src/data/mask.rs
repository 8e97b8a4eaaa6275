//! Masks that are files: which value is which class, and whether a mask fits its image.

use super::decode::{self, bad};
use super::decode_mask::{self, RawMask};
use super::files::{FileParts, FileTarget, Part};
use super::phrase::{number_of, some_of};
use super::{DataError, IGNORED, Image, Target, TargetKind, classes};
use crate::regular_file;
use image::{DynamicImage, GrayImage};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// How a file beside masks may be called that names their classes, one a line.
const NAMES: [&str; 3] = ["classes.txt", "class_names.txt", "labels.txt"];

/// A mask that is a PNG file. Made where a dataset is opened, which knows the values of all masks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskFile {
    path: PathBuf,
    values: Values,
}

/// What the values of a dataset's masks mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Values {
    /// How many classes there are.
    classes: usize,
    /// Whether 255 is class 1 in a grey mask, as in masks of black and white.
    white: bool,
}

impl MaskFile {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl FileTarget for MaskFile {
    const KIND: TargetKind = TargetKind::Mask;

    fn target(&self, image: &Path) -> Result<Target<'_>, DataError> {
        let mask = decode_mask::read(&self.path)?;
        let mut mask = self.fitting(mask, image)?;
        for value in &mut mask.values {
            *value = self.values.class(*value, mask.grey);
            if usize::from(*value) >= self.values.classes && *value != IGNORED {
                let problem = format!("has the value {value}, and there are {} classes", self.values.classes);
                return Err(bad(&self.path, problem));
            }
        }
        Ok(Target::Mask(Image { shape: [1, mask.height, mask.width], pixels: mask.values.into() }))
    }
}

impl MaskFile {
    /// The mask as its image is seen. One that has the size of an image before that is turned upright is turned as the image is.
    fn fitting(&self, mask: RawMask, image: &Path) -> Result<RawMask, DataError> {
        let ([width, height], orientation) = decode::header(image)?;
        let stored = [width as usize, height as usize];
        let mut probe = DynamicImage::ImageLuma8(GrayImage::new(1, 2));
        probe.apply_orientation(orientation);
        let upright = if probe.width() == 2 { [stored[1], stored[0]] } else { stored };
        let size = [mask.width, mask.height];
        if size == upright {
            return Ok(mask);
        }
        let wrong = || {
            let problem = format!(
                "has {} x {} pixels, but its image {} has {} x {}",
                size[0],
                size[1],
                image.display(),
                upright[0],
                upright[1]
            );
            bad(&self.path, problem)
        };
        if size != stored {
            return Err(wrong());
        }
        let grey = GrayImage::from_raw(width, height, mask.values).ok_or_else(wrong)?;
        let mut turned = DynamicImage::ImageLuma8(grey);
        turned.apply_orientation(orientation);
        Ok(RawMask { width: upright[0], height: upright[1], values: turned.into_luma8().into_raw(), grey: mask.grey })
    }
}

impl Values {
    /// The class that a value stands for, or [`IGNORED`].
    fn class(self, value: u8, grey: bool) -> u8 {
        if self.white && grey && value == u8::MAX { 1 } else { value }
    }
}

/// Which values a mask has.
#[derive(Clone)]
struct Seen {
    values: [bool; 256],
    grey: bool,
}

impl Seen {
    fn of(path: &Path) -> Result<Seen, DataError> {
        let mask = decode_mask::read(path)?;
        let mut values = [false; 256];
        mask.values.iter().for_each(|value| values[usize::from(*value)] = true);
        Ok(Seen { values, grey: mask.grey })
    }

    /// The classes that occur.
    fn classes(&self, values: Values) -> impl Iterator<Item = usize> + '_ {
        let class = move |value: usize| u8::try_from(value).map_or(value, |v| values.class(v, self.grey).into());
        let there = (0..self.values.len()).filter(|value| self.values[*value]);
        there.map(class).filter(|class| *class != usize::from(IGNORED))
    }
}

/// The parts of a dataset of images with masks. All masks are read once, to know their classes and that every value is one.
///
/// # Errors
/// When a mask cannot be read or has a value that is no class, or the file with the names of classes has none.
pub(super) fn parts(
    path: &Path,
    pairs: Vec<(Part, PathBuf, PathBuf)>,
    mut notes: Vec<String>,
) -> Result<FileParts<MaskFile>, DataError> {
    let seen = all_seen(&pairs)?;
    let named = names_beside(path)?;
    let of_training: Vec<&Seen> =
        pairs.iter().zip(&seen).filter(|((part, ..), _)| *part == Part::Train).map(|(_, seen)| seen).collect();
    let occurs = |value: usize| of_training.iter().any(|seen| seen.values[value]);
    let black_and_white = of_training.iter().all(|seen| seen.grey)
        && (0..256).all(|value| occurs(value) == [0, 255].contains(&value))
        && named.as_ref().is_none_or(|(_, names)| names.len() == 2);
    let names = match &named {
        Some((_, names)) => names.clone(),
        None if black_and_white => ["background", "foreground"].map(String::from).to_vec(),
        None => {
            let largest = (0..usize::from(IGNORED)).rev().find(|value| occurs(*value));
            let Some(largest) = largest else {
                let problem = "has no mask to train on with a pixel of any class; 255 is no class".into();
                return Err(DataError::Nothing { path: path.to_owned(), problem });
            };
            (0..=largest).map(|class| class.to_string()).collect()
        }
    };
    let values = Values { classes: names.len(), white: black_and_white };
    let mut trained = vec![false; 256];
    of_training.iter().for_each(|seen| seen.classes(values).for_each(|class| trained[class] = true));
    for ((part, _, mask), seen) in pairs.iter().zip(&seen) {
        let (beyond, untrained): (Vec<usize>, Vec<usize>) = seen
            .classes(values)
            .filter(|class| !trained[*class] || *class >= names.len())
            .partition(|c| *c >= names.len());
        if let Some(class) = beyond.first() {
            return Err(bad(mask, beyond_names(*class, *part, named.as_ref(), names.len())));
        }
        if let Some(class) = untrained.first() {
            let (name, part) = (&names[*class], part.text());
            return Err(bad(mask, format!("is a mask of {part} with the class `{name}`, which no training mask has")));
        }
    }
    if black_and_white {
        let (black, white) = (&names[0], &names[1]);
        notes.push(format!(
            "{}: its training masks hold only 0 and 255, so 0 is the class `{black}` and 255 the class `{white}`",
            path.display()
        ));
    }
    let missing: Vec<&String> =
        names.iter().zip(&trained).filter(|(_, there)| !**there).map(|(name, _)| name).collect();
    if !missing.is_empty() {
        let classes = number_of(missing.len(), "class", "classes");
        let (path, names) = (path.display(), some_of(&missing));
        notes.push(format!("{path}: no training mask has a pixel of {classes}, which cannot be learnt: {names}"));
    }
    let files = pairs.into_iter().map(|(part, image, path)| (part, image, MaskFile { path, values })).collect();
    Ok(FileParts::of(&names, files, notes))
}

/// What to say of a class beyond those that there are.
fn beyond_names(class: usize, part: Part, named: Option<&(PathBuf, Vec<String>)>, count: usize) -> String {
    match named {
        Some((file, _)) => format!(
            "has the value {class}, but {} names {}, which are the values 0 to {}; 255 is for pixels that do not count",
            file.display(),
            number_of(count, "class", "classes"),
            count - 1
        ),
        None => format!(
            "is a mask of {} with the value {class}, but training masks have no class above {}",
            part.text(),
            count - 1
        ),
    }
}

/// Reads all masks on a few threads; the first error, in the order of the masks, is the one that is given back.
fn all_seen(pairs: &[(Part, PathBuf, PathBuf)]) -> Result<Vec<Seen>, DataError> {
    const MOST_THREADS: usize = 8;
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(MOST_THREADS).min(pairs.len());
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((i, (.., mask))) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, pairs.get(i)?)))
        {
            let seen = Seen::of(mask);
            if seen.is_err() {
                // Those before it are being read already.
                next.store(pairs.len(), Ordering::Relaxed);
            }
            found.lock().unwrap_or_else(PoisonError::into_inner).push((i, seen));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // Where there can be no more threads, this one does it all.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(i, _)| *i);
    found.into_iter().map(|(_, seen)| seen).collect()
}

/// The names of classes in a file within a folder, or beside a list, and that file.
fn names_beside(path: &Path) -> Result<Option<(PathBuf, Vec<String>)>, DataError> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) };
    let Some(file) = NAMES.iter().map(|name| folder.join(name)).find(|file| file.is_file()) else { return Ok(None) };
    let text = regular_file::read_to_string(&file).map_err(|source| DataError::Io { path: file.clone(), source })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).trim_end();
    let names: Vec<String> = text.lines().map(|line| classes::normal(line.trim())).collect();
    let nothing = |problem: String| Err(DataError::Nothing { path: file.clone(), problem });
    if names.is_empty() {
        return nothing("names no classes; it should have one name on each line".into());
    }
    if names.len() > usize::from(IGNORED) {
        return nothing(format!("names {} classes; a mask can tell {IGNORED} apart", names.len()));
    }
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() {
            return nothing(format!("has nothing on line {}; each line should name the class of that number", i + 1));
        }
        if let Some(first) = names[..i].iter().position(|other| other == name) {
            return nothing(format!("names the class `{name}` twice, on lines {} and {}", first + 1, i + 1));
        }
    }
    Ok(Some((file, names)))
}
