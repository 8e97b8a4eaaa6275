//! Images in one folder and a mask for each in another: `images/` beside `masks/`, also below `train`, `val` and `test`, or
//! with those folders within both.

use super::DataError;
use super::files::{FileParts, Part};
use super::folder::{beside_training, one_of, parts_among};
use super::listing::{self, images_below};
use super::mask::{self, MaskFile};
use super::phrase::{number_of, some_of};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// How the folder of images may be called, in small letters.
const IMAGES: [&str; 7] = ["images", "imgs", "image", "jpegimages", "pictures", "photos", "img"];

/// How the folder of masks may be called.
const MASKS: [&str; 11] = [
    "masks",
    "mask",
    "annotations",
    "labels",
    "label",
    "segmentationclass",
    "gt",
    "groundtruth",
    "ground_truth",
    "trimaps",
    "labelids",
];

/// What the name of a mask may have behind that of its image, in small letters.
const BEHIND: [&str; 7] = ["_mask", "-mask", ".mask", "_gt", "_seg", "_label", "_labelids"];

/// A folder of images and the folder of their masks.
struct Pair {
    part: Part,
    images: PathBuf,
    masks: PathBuf,
}

/// Whether a folder has images and masks of them in folders with such names.
pub(super) fn found_in(root: &Path) -> bool {
    let is_pair = |pair: &Pair| matched(pair).is_ok_and(|matched| !matched.pairs.is_empty());
    pairs_in(root, &mut Vec::new()).is_ok_and(|pairs| pairs.iter().any(is_pair))
}

/// The images of a folder that have masks, in the parts that it has.
///
/// # Errors
/// When there are no such folders, no image has a mask, one has two, or a mask cannot be used.
pub(super) fn open(root: &Path) -> Result<FileParts<MaskFile>, DataError> {
    let nothing = |problem: String| DataError::Nothing { path: root.to_owned(), problem };
    let mut notes = Vec::new();
    let pairs = pairs_in(root, &mut notes)?;
    if !pairs.iter().any(|pair| pair.part == Part::Train) {
        return Err(nothing(
            "has no folder of images beside a folder of their masks; there should be `images` and `masks`, or both in \
             `train` (and in `val` and `test`), or `train` (and `val` and `test`) in both; and masks are PNG files"
                .into(),
        ));
    }
    let mut files = Vec::new();
    for pair in pairs {
        let matched = matched(&pair)?;
        if matched.pairs.is_empty() {
            let problem = format!(
                "none of the {} in {} has a mask in {}; a mask is a PNG file with the name of its image, perhaps with {} behind it",
                number_of(matched.images, "image", "images"),
                pair.images.display(),
                pair.masks.display(),
                BEHIND[..4].join(", ")
            );
            return Err(nothing(problem));
        }
        notes.extend(matched.notes);
        files.extend(matched.pairs.into_iter().map(|(image, mask)| (pair.part, image, mask)));
    }
    mask::parts(root, files, notes)?.checked(root)
}

/// The folders of images and masks of each part. What is left out goes into `notes`.
fn pairs_in(root: &Path, notes: &mut Vec<String>) -> Result<Vec<Pair>, DataError> {
    let folders = listing::list(root)?.folders;
    if let Some((images, masks)) = pair_among(root, &folders)? {
        return divided(root, images, masks, notes);
    }
    let (parts, others) = parts_among(folders);
    let mut pairs = Vec::new();
    for part in [Part::Train, Part::Validation, Part::Test] {
        let Some(folder) = one_of(root, &parts, part)? else { continue };
        match pair_among(&folder, &listing::list(&folder)?.folders)? {
            Some((images, masks)) => pairs.push(Pair { part, images, masks }),
            None => {
                let folder = folder.display();
                notes.push(format!("{folder} has no folder of images beside one of their masks, so it is left out"));
            }
        }
    }
    notes.extend(beside_training(root, &others)?);
    Ok(pairs)
}

/// The parts of a folder of images and of one of masks, which may have folders for them or be for training as a whole.
fn divided(root: &Path, images: PathBuf, masks: PathBuf, notes: &mut Vec<String>) -> Result<Vec<Pair>, DataError> {
    let (of_images, _) = parts_among(listing::list(&images)?.folders);
    let (of_masks, _) = parts_among(listing::list(&masks)?.folders);
    let has_training = |parts: &[(Part, PathBuf)]| parts.iter().any(|(part, _)| *part == Part::Train);
    if !has_training(&of_images) || !has_training(&of_masks) {
        return Ok(vec![Pair { part: Part::Train, images, masks }]);
    }
    let mut pairs = Vec::new();
    for part in [Part::Train, Part::Validation, Part::Test] {
        match (one_of(root, &of_images, part)?, one_of(root, &of_masks, part)?) {
            (Some(images), Some(masks)) => pairs.push(Pair { part, images, masks }),
            (None, None) => {}
            (Some(alone), None) => {
                notes.push(format!("{} has no masks in {}, so it is left out", alone.display(), masks.display()));
            }
            (None, Some(alone)) => {
                notes.push(format!("{} has no images in {}, so it is left out", alone.display(), images.display()));
            }
        }
    }
    Ok(pairs)
}

/// The folder of images and that of masks among folders, if both are there.
fn pair_among(root: &Path, folders: &[PathBuf]) -> Result<Option<(PathBuf, PathBuf)>, DataError> {
    let called = |names: &[&str]| -> Vec<PathBuf> {
        let is = |path: &&PathBuf| {
            path.file_name().is_some_and(|name| names.contains(&name.to_string_lossy().to_lowercase().as_str()))
        };
        folders.iter().filter(is).cloned().collect()
    };
    let holds_some = |path: &PathBuf| images_below(path).is_ok_and(|(images, _)| !images.is_empty());
    let images = called(&IMAGES);
    if images.is_empty() {
        return Ok(None);
    }
    // Pascal VOC has a folder `Annotations` of other things beside the masks.
    let masks = called(&MASKS).into_iter().map(innermost).filter(holds_some).collect();
    let only = |found: Vec<PathBuf>, what: &str| match found.len() {
        0 | 1 => Ok(found.into_iter().next()),
        _ => {
            let names: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
            let problem = format!("has several folders of {what}: {}; keep one of them", some_of(&names));
            Err(DataError::Nothing { path: root.to_owned(), problem })
        }
    };
    let Some(masks) = only(masks, "masks")? else { return Ok(None) };
    Ok(only(images, "images")?.map(|images| (images, masks)))
}

/// The folder of masks within a folder that holds nothing else of interest, as `annotations/trimaps`.
fn innermost(folder: PathBuf) -> PathBuf {
    let Ok(listing) = listing::list(&folder) else { return folder };
    let is_masks = |path: &&PathBuf| {
        path.file_name().is_some_and(|name| MASKS.contains(&name.to_string_lossy().to_lowercase().as_str()))
    };
    let found: Vec<&PathBuf> = listing.folders.iter().filter(is_masks).collect();
    match found[..] {
        [only] if listing.images.is_empty() => only.clone(),
        _ => folder,
    }
}

/// Images with their masks.
struct Matched {
    pairs: Vec<(PathBuf, PathBuf)>,
    /// How many images there are, with a mask or not.
    images: usize,
    notes: Vec<String>,
}

/// Finds the mask of each image by its name.
fn matched(pair: &Pair) -> Result<Matched, DataError> {
    let (images, mut notes) = images_below(&pair.images)?;
    let (masks, left_out) = images_below(&pair.masks)?;
    notes.extend(left_out);
    let names: HashSet<PathBuf> = images.iter().map(|image| name(image, &pair.images)).collect();
    let mut of_name: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for mask in masks {
        let own = name(&mask, &pair.masks);
        // An image may be called `street_gt` itself.
        let name = if names.contains(&own) { own } else { without_ending(&own).unwrap_or(own) };
        of_name.entry(name).or_default().push(mask);
    }
    let count = images.len();
    let (mut pairs, mut alone) = (Vec::new(), Vec::new());
    for image in images {
        match of_name.get(&name(&image, &pair.images)).map(Vec::as_slice) {
            None => alone.push(image),
            Some([mask]) => pairs.push((image, mask.clone())),
            Some(several) => {
                let several: Vec<String> = several.iter().map(|mask| mask.display().to_string()).collect();
                let problem = format!("has {} masks: {}; keep one of them", several.len(), some_of(&several));
                return Err(DataError::Image { path: image, problem });
            }
        }
    }
    let unused = of_name.into_iter().filter(|(name, _)| !names.contains(name)).flat_map(|(_, masks)| masks);
    let unused: Vec<PathBuf> = unused.collect();
    let mut left_out = |files: &[PathBuf], folder: &Path, one: &str, many: &str, lacks: &str| {
        if !files.is_empty() {
            let (files, names) = (number_of(files.len(), one, many), some_of(&file_names(files)));
            notes.push(format!("{}: left out: {files} without {lacks}: {names}", folder.display()));
        }
    };
    left_out(&alone, &pair.images, "image", "images", "a mask");
    left_out(&unused, &pair.masks, "mask", "masks", "an image");
    Ok(Matched { pairs, images: count, notes })
}

fn file_names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned()).collect()
}

/// What an image and its mask have in common: the path within the folder, without the ending.
fn name(file: &Path, folder: &Path) -> PathBuf {
    file.strip_prefix(folder).unwrap_or(file).with_extension("")
}

/// A mask's name without what says that it is one.
fn without_ending(name: &Path) -> Option<PathBuf> {
    let text = name.file_name()?.to_str()?;
    let stem = BEHIND.iter().find_map(|behind| {
        let (stem, end) = text.split_at_checked(text.len().checked_sub(behind.len())?)?;
        (end.eq_ignore_ascii_case(behind) && !stem.is_empty()).then_some(stem)
    })?;
    Some(name.with_file_name(stem))
}
