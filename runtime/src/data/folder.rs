//! Pictures in folders, one a class: `train/CLASS/*.png|jpg|jpeg` beside `test/` or `val/`, or the classes alone.
//!
//! Names are sorted, so that the order of pictures does not depend on the file system. Pictures stay on the disk until they
//! are wanted. Symbolic links to files are followed; folders below a class are not looked into, so no link can lead in circles.

use super::{DataError, Dataset, Picture, decode};
use std::path::{Path, PathBuf};

/// Pictures that are files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Each picture with its class.
    pub pictures: Vec<(PathBuf, usize)>,
}

impl Dataset for Files {
    fn len(&self) -> usize {
        self.pictures.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, i: usize) -> usize {
        self.pictures[i].1
    }

    fn picture(&self, i: usize) -> Result<Picture<'_>, DataError> {
        decode::read(&self.pictures[i].0)
    }
}

const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// The pictures below a folder that has a folder for each class. With `classes`, the folders have to be among them.
///
/// # Errors
/// When there are no classes or no pictures, or a class is not among the known ones.
pub fn classes_in(folder: &Path, classes: Option<&[String]>) -> Result<Files, DataError> {
    let mut named = Vec::new();
    for path in sorted(folder)? {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden {
            named.push((name_of(&path)?, path));
        }
    }
    let nothing = |problem: String| DataError::Nothing { path: folder.to_owned(), problem };
    if named.is_empty() {
        return Err(nothing("has no folders, and each class should be one".into()));
    }
    let classes = classes.map_or_else(|| named.iter().map(|(name, _)| name.clone()).collect(), <[String]>::to_vec);
    let mut pictures = Vec::new();
    for (name, path) in named {
        let Some(class) = classes.iter().position(|class| *class == name) else {
            let known = classes.join(", ");
            return Err(nothing(format!("has the class `{name}`, which is not among those to train on: {known}")));
        };
        for file in sorted(&path)? {
            if !file.is_dir() && has_ending(&file) {
                pictures.push((file, class));
            }
        }
    }
    if pictures.is_empty() {
        return Err(nothing(format!(
            "has classes, but no pictures in them (files that end in {})",
            ENDINGS.join(", ")
        )));
    }
    Ok(Files { classes, pictures })
}

fn has_ending(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let io = |source| DataError::Io { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(io)?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(io)?;
    paths.sort();
    Ok(paths)
}

/// The name of a class. It goes into checkpoints and reports, so it has to be text.
fn name_of(path: &Path) -> Result<String, DataError> {
    let name = path.file_name().and_then(|name| name.to_str()).map(String::from);
    let problem = "the name of a class has to be UTF-8".into();
    name.ok_or_else(|| DataError::Nothing { path: path.to_owned(), problem })
}
