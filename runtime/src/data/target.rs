//! What a dataset says of each image: what a network is to answer.
//!
//! One enum for all tasks, and not a type parameter of [`Dataset`](super::Dataset): loaders, subsets and the program handle every dataset alike, and
//! only an objective looks at what the targets mean.

use super::{DataError, Dataset, Image};
use std::borrow::Cow;
use std::fmt;

/// The value of a mask's pixel that belongs to no class: it counts neither in losses nor in metrics.
pub const IGNORED: u8 = 255;

/// Which kind of target a dataset has for each of its images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum TargetKind {
    /// The one class that the image is of.
    #[default]
    Class,
    /// For each class whether it is in the image.
    Labels,
    /// A class for each pixel.
    Mask,
    /// Numbers, one for each name of [`Dataset::classes`](super::Dataset::classes).
    Numbers,
    /// Nothing: images alone.
    Nothing,
}

/// The kind as the end of the sentence "the data has ...".
impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TargetKind::Class => "one class for each image",
            TargetKind::Labels => "several labels for each image",
            TargetKind::Mask => "a mask for each image",
            TargetKind::Numbers => "numbers for each image",
            TargetKind::Nothing => "images alone",
        })
    }
}

/// What a dataset says of one image.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Target<'a> {
    /// Its class.
    Class(usize),
    /// For each class whether it is there.
    Labels(Cow<'a, [bool]>),
    /// `[1, H, W]`, of the image's own height and width: the class of each pixel, or [`IGNORED`].
    Mask(Image<'a>),
    /// A number for each name.
    Numbers(Cow<'a, [f32]>),
    /// Nothing.
    Nothing,
}

/// How many numbers say what a network with an input `[C, H, W]` is to answer for one image of a dataset.
pub(super) fn row_len(data: &dyn Dataset, [_, height, width]: [usize; 3]) -> usize {
    match data.target_kind() {
        TargetKind::Class | TargetKind::Labels | TargetKind::Numbers => data.classes().len(),
        TargetKind::Mask => height * width,
        TargetKind::Nothing => 0,
    }
}

/// The class of image `i`; 0 where the targets are no classes.
pub(super) fn label(data: &dyn Dataset, i: usize) -> usize {
    if data.target_kind() == TargetKind::Class { data.label(i) } else { 0 }
}

/// The target of image `i`, of the dataset's kind and with classes that there are: what a program says of its own data is looked at once,
/// so that nobody has to look again.
///
/// # Errors
/// When it cannot be read, or is something else.
pub(super) fn of(data: &dyn Dataset, i: usize) -> Result<Target<'_>, DataError> {
    let (kind, names) = (data.target_kind(), data.classes().len());
    let as_many = |found: usize| match found == names {
        true => Ok(()),
        false => Err(DataError::unnamed(format!("has {found} values, where there are {names} names"))),
    };
    let target = match kind {
        TargetKind::Class => Target::Class(data.label(i)),
        TargetKind::Nothing => Target::Nothing,
        TargetKind::Labels | TargetKind::Mask | TargetKind::Numbers => data.target(i)?,
    };
    match (kind, &target) {
        (TargetKind::Class, Target::Class(class)) if *class >= names => {
            Err(DataError::unnamed(format!("is of class {class}, where there are {names} classes")))?;
        }
        (TargetKind::Labels, Target::Labels(labels)) => as_many(labels.len())?,
        (TargetKind::Numbers, Target::Numbers(numbers)) => as_many(numbers.len())?,
        (TargetKind::Mask, Target::Mask(mask)) => check_mask(mask, names)?,
        (TargetKind::Class, Target::Class(_)) | (TargetKind::Nothing, Target::Nothing) => {}
        _ => Err(DataError::unnamed(format!("has another target, where the data has {kind}")))?,
    }
    Ok(target)
}

impl Target<'_> {
    /// Puts the numbers that stand for it behind `to`, where the dataset has so many `names`.
    pub(super) fn extend(&self, names: usize, to: &mut Vec<f32>) {
        match self {
            Target::Class(class) => {
                let start = to.len();
                to.resize(start + names, 0.0);
                // It is below the number of names.
                to[start + class] = 1.0;
            }
            Target::Labels(labels) => to.extend(labels.iter().map(|label| f32::from(u8::from(*label)))),
            Target::Mask(mask) => to.extend(mask.pixels.iter().map(|class| f32::from(*class))),
            Target::Numbers(numbers) => to.extend_from_slice(numbers),
            Target::Nothing => {}
        }
    }
}

/// Checks that a mask has a class, of so many, or [`IGNORED`] for each of its pixels.
fn check_mask(mask: &Image<'_>, classes: usize) -> Result<(), DataError> {
    well_formed(mask)?;
    match mask.pixels.iter().find(|class| usize::from(**class) >= classes && **class != IGNORED) {
        Some(class) => {
            Err(DataError::unnamed(format!("has the class {class} in its mask, where there are {classes} classes")))
        }
        None => Ok(()),
    }
}

/// Checks that a mask is as large as its image.
pub(super) fn check_size(mask: &Image<'_>, image: &Image<'_>) -> Result<(), DataError> {
    let ([_, h, w], [_, height, width]) = (mask.shape, image.shape);
    match [h, w] == [height, width] {
        true => Ok(()),
        false => Err(DataError::unnamed(format!("is {width} x {height} pixels, and its mask {w} x {h}"))),
    }
}

/// Checks that a mask has as many values as its shape says.
pub(super) fn well_formed(mask: &Image<'_>) -> Result<(), DataError> {
    let (shape, len) = (mask.shape, mask.pixels.len());
    match shape[0] == 1 && shape[1].checked_mul(shape[2]) == Some(len) {
        true => Ok(()),
        false => Err(DataError::unnamed(format!("has a mask of shape {shape:?} with {len} values"))),
    }
}
