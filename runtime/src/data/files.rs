//! Images that are files, in the parts that a folder or a list may have; and what is looked at in all such parts alike.

use super::phrase::{classes_called, number_of};
use super::{DataError, Dataset, Image, decode};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Images that are files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Each image with its class.
    pub images: Vec<(PathBuf, usize)>,
}

impl Dataset for Files {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, i: usize) -> usize {
        self.images[i].1
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
pub struct FileParts {
    /// What a network learns from; all images, if there are no other parts.
    pub train: Files,
    /// What epochs are evaluated on, if there is such a part.
    pub validation: Option<Files>,
    /// What a network is evaluated on in the end, if there is such a part.
    pub test: Option<Files>,
    /// What was left out or guessed, and what looks like a mistake: a plain sentence each.
    pub notes: Vec<String>,
}

impl FileParts {
    /// Looks at what no part alone shows: classes without images, and files that are in two places.
    pub(super) fn checked(mut self, path: &Path) -> Result<Self, DataError> {
        let without = classes_without(&self.train);
        if !without.is_empty() {
            let problem = format!("has no image to train on of {}", classes_called(&without));
            return Err(DataError::Nothing { path: path.to_owned(), problem });
        }
        let held_out = [(Part::Validation, &self.validation), (Part::Test, &self.test)];
        let held_out: Vec<(Part, &Files)> =
            held_out.into_iter().filter_map(|(p, files)| Some((p, files.as_ref()?))).collect();
        let mut parts = vec![(Part::Train, &self.train)];
        parts.extend(held_out);
        let notes = in_two_places(&parts).into_iter().map(|note| format!("{}: {note}", path.display()));
        self.notes.extend(notes);
        Ok(self)
    }
}

/// The classes of which a dataset has no image.
pub(super) fn classes_without(data: &dyn Dataset) -> Vec<String> {
    let mut has = vec![false; data.classes().len()];
    (0..data.len()).for_each(|i| has[data.label(i)] = true);
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

/// Sentences on files that are in two parts, have two classes or are named twice.
fn in_two_places(parts: &[(Part, &Files)]) -> Vec<String> {
    // For each file, the first place where it was met.
    let mut first: HashMap<_, (Part, usize)> = HashMap::new();
    let mut notes = Vec::new();
    for (part, files) in parts {
        let (mut shared, mut classes, mut twice) = (Vec::new(), Vec::new(), Vec::new());
        for (path, class) in &files.images {
            let Some(identity) = identity(path) else { continue };
            match first.get(&identity) {
                None => drop(first.insert(identity, (*part, *class))),
                Some((other, _)) if other != part => shared.push((*other, path)),
                Some((_, other)) if other != class => classes.push(path),
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
        for (paths, what) in [(classes, "with two classes"), (twice, "named twice")] {
            if let Some(example) = paths.first() {
                let images = number_of(paths.len(), "image", "images");
                notes.push(format!("{text} has {images} {what}, such as {}", example.display()));
            }
        }
    }
    notes.sort();
    notes
}
