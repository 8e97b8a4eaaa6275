//! Images that are files, in the parts that a folder or a list may have; and what is looked at in all such parts alike.

use super::phrase::{classes_called, number_of};
use super::{DataError, Dataset, Image, Target, TargetKind, decode};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Images that are files, each with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files<T = usize> {
    /// Names of the classes; of the numbers, where images have numbers.
    pub classes: Vec<String>,
    /// Each image with its class, or with whatever else is known of it.
    pub images: Vec<(PathBuf, T)>,
}

/// What is known of an image that is a file: its class (`usize`), for each class whether it is there (`Vec<bool>`), numbers (`Vec<f32>`),
/// a mask ([`MaskFile`](super::MaskFile)) or nothing (`()`).
pub trait FileTarget: PartialEq + Send + Sync + 'static {
    /// Which kind of target it is.
    const KIND: TargetKind;

    /// The class, where there is one; otherwise 0.
    fn class(&self) -> usize {
        0
    }

    /// What the dataset says of the image in this file.
    ///
    /// # Errors
    /// When it has to be read from a file, and that does not work.
    fn target(&self, image: &Path) -> Result<Target<'_>, DataError>;
}

impl FileTarget for usize {
    const KIND: TargetKind = TargetKind::Class;

    fn class(&self) -> usize {
        *self
    }

    fn target(&self, _: &Path) -> Result<Target<'_>, DataError> {
        Ok(Target::Class(*self))
    }
}

impl FileTarget for Vec<bool> {
    const KIND: TargetKind = TargetKind::Labels;

    fn target(&self, _: &Path) -> Result<Target<'_>, DataError> {
        Ok(Target::Labels(self.into()))
    }
}

impl FileTarget for Vec<f32> {
    const KIND: TargetKind = TargetKind::Numbers;

    fn target(&self, _: &Path) -> Result<Target<'_>, DataError> {
        Ok(Target::Numbers(self.into()))
    }
}

impl FileTarget for () {
    const KIND: TargetKind = TargetKind::Nothing;

    fn target(&self, _: &Path) -> Result<Target<'_>, DataError> {
        Ok(Target::Nothing)
    }
}

impl<T: FileTarget> Dataset for Files<T> {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, i: usize) -> usize {
        self.images[i].1.class()
    }

    fn target_kind(&self) -> TargetKind {
        T::KIND
    }

    fn target(&self, i: usize) -> Result<Target<'_>, DataError> {
        let (image, target) = &self.images[i];
        target.target(image)
    }

    fn image(&self, i: usize) -> Result<Image<'_>, DataError> {
        decode::read(&self.images[i].0)
    }

    fn file(&self, i: usize) -> Option<&Path> {
        self.images.get(i).map(|(path, _)| path.as_path())
    }
}

/// A part of a dataset, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Train,
    Validation,
    Test,
}

/// How folders and the column of a list may call a part, in small letters.
const PARTS: [(Part, &[&str]); 3] = [
    (Part::Train, &["train", "training", "trainset", "train_set", "training_set", "train-set", "training-set"]),
    (
        Part::Validation,
        &[
            "val",
            "valid",
            "validation",
            "dev",
            "eval",
            "evaluation",
            "valset",
            "val_set",
            "validation_set",
            "val-set",
            "validation-set",
        ],
    ),
    (Part::Test, &["test", "testing", "testset", "test_set", "testing_set", "test-set", "testing-set"]),
];

impl Part {
    /// The part that is called so, in letters of any case.
    pub(super) fn named(name: &str) -> Option<Part> {
        let name = name.to_lowercase();
        PARTS.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(part, _)| *part)
    }

    /// The part in a sentence.
    pub(super) fn text(self) -> &'static str {
        match self {
            Part::Train => "the training set",
            Part::Validation => "the validation set",
            Part::Test => "the test set",
        }
    }
}

/// The parts of a dataset whose images are files.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileParts<T = usize> {
    /// What a network learns from; all images, if there are no other parts.
    pub train: Files<T>,
    /// What epochs are evaluated on, if there is such a part.
    pub validation: Option<Files<T>>,
    /// What a network is evaluated on in the end, if there is such a part.
    pub test: Option<Files<T>>,
    /// What was left out or guessed, and what looks like a mistake: a plain sentence each.
    pub notes: Vec<String>,
}

impl<T: FileTarget> FileParts<T> {
    /// Parts of a dataset by the part that each of its images is in.
    pub(super) fn of(classes: &[String], images: Vec<(Part, PathBuf, T)>, notes: Vec<String>) -> Self {
        let [mut train, mut validation, mut test] =
            [(); 3].map(|()| Files { classes: classes.to_vec(), images: Vec::new() });
        for (part, path, target) in images {
            let files = match part {
                Part::Train => &mut train,
                Part::Validation => &mut validation,
                Part::Test => &mut test,
            };
            files.images.push((path, target));
        }
        let some = |files: Files<T>| (!files.images.is_empty()).then_some(files);
        FileParts { train, validation: some(validation), test: some(test), notes }
    }

    /// Looks at what no part alone shows: classes without images, and files that are in two places.
    pub(super) fn checked(mut self, path: &Path) -> Result<Self, DataError> {
        let without = classes_without(&self.train);
        if !without.is_empty() {
            let problem = format!("has no image to train on of {}", classes_called(&without));
            return Err(DataError::Nothing { path: path.to_owned(), problem });
        }
        let held_out = [(Part::Validation, &self.validation), (Part::Test, &self.test)];
        let held_out: Vec<(Part, &Files<T>)> =
            held_out.into_iter().filter_map(|(p, files)| Some((p, files.as_ref()?))).collect();
        let mut parts = vec![(Part::Train, &self.train)];
        parts.extend(held_out);
        let notes = in_two_places(&parts).into_iter().map(|note| format!("{}: {note}", path.display()));
        self.notes.extend(notes);
        Ok(self)
    }
}

/// The classes of which a dataset has no image; none where images have neither a class nor labels.
pub(super) fn classes_without(data: &dyn Dataset) -> Vec<String> {
    let mut has = vec![false; data.classes().len()];
    for i in 0..data.len() {
        match data.target_kind() {
            TargetKind::Class => has[data.label(i)] = true,
            TargetKind::Labels => {
                if let Ok(Target::Labels(labels)) = data.target(i) {
                    has.iter_mut().zip(labels.iter()).for_each(|(has, label)| *has |= label);
                }
            }
            TargetKind::Mask | TargetKind::Numbers | TargetKind::Nothing => return Vec::new(),
        }
    }
    data.classes().iter().zip(has).filter(|(_, has)| !has).map(|(class, _)| class.clone()).collect()
}

/// What tells files apart: links to one file have the same.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok()
}

/// Sentences on files that are in two parts, have two different targets or are named twice.
fn in_two_places<T: FileTarget>(parts: &[(Part, &Files<T>)]) -> Vec<String> {
    let two_targets = match T::KIND {
        TargetKind::Class => "with two classes",
        TargetKind::Labels => "named twice with different labels",
        TargetKind::Mask => "with two masks",
        TargetKind::Numbers => "named twice with different numbers",
        TargetKind::Nothing => "with two targets",
    };
    // For each file, the first place where it was met.
    let mut first: HashMap<_, (Part, &T)> = HashMap::new();
    let mut notes = Vec::new();
    for (part, files) in parts {
        let (mut shared, mut different, mut twice) = (Vec::new(), Vec::new(), Vec::new());
        for (path, target) in &files.images {
            let Some(identity) = identity(path) else { continue };
            match first.get(&identity) {
                None => drop(first.insert(identity, (*part, target))),
                Some((other, _)) if other != part => shared.push((*other, path)),
                Some((_, other)) if *other != target => different.push(path),
                Some(_) => twice.push(path),
            }
        }
        let (text, all) = (part.text(), files.images.len());
        for other in shared.iter().map(|(other, _)| *other).collect::<HashSet<_>>() {
            let paths: Vec<_> = shared.iter().filter(|(part, _)| *part == other).map(|(_, path)| *path).collect();
            let images = number_of(all, "image", "images");
            let how_many =
                if paths.len() == all { format!("all {images}") } else { format!("{} of the {images}", paths.len()) };
            let example = paths[0].display();
            notes.push(format!(
                "{how_many} of {text} can be found in {} too, such as {example}; results on them say little",
                other.text()
            ));
        }
        for (paths, what) in [(different, two_targets), (twice, "named twice")] {
            if let Some(example) = paths.first() {
                let images = number_of(paths.len(), "image", "images");
                notes.push(format!("{text} has {images} {what}, such as {}", example.display()));
            }
        }
    }
    notes.sort();
    notes
}
