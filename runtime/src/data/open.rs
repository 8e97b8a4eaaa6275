//! A dataset, whatever kind it is.

use super::files::{Part, classes_without};
use super::kind::DatasetKind;
use super::opened::Opened;
use super::phrase::{classes_called, number_of, some_of};
use super::{DataError, TargetKind, bare, cifar, folder, listing, manifest, mask_folders, mnist};
use crate::regular_file;
use std::path::{Path, PathBuf};

/// Where Debian's package `dataset-fashion-mnist` puts its files.
const FASHION: &str = "/usr/share/datasets/fashion-mnist";

/// Opens a dataset; without a path, MNIST is the copy that the feature `mnist` compiles in, and Fashion-MNIST that of Debian's package.
/// Where a folder holds no dataset itself, the folders below it are looked into. A dataset in one piece is split by `seed`: a
/// fifth of each class, or of all images where they have no class, becomes the test set.
///
/// # Errors
/// When there is nothing of that kind, or it cannot be read.
pub fn open(kind: DatasetKind, path: Option<&Path>, seed: u64) -> Result<Opened, DataError> {
    let path = match (kind, path) {
        (DatasetKind::Auto | DatasetKind::Mnist, None) => return Ok(Opened::of(mnist::bundled()?.shared())),
        (_, Some(path)) => path,
        (DatasetKind::FashionMnist, None) if Path::new(FASHION).is_dir() => Path::new(FASHION),
        (DatasetKind::FashionMnist, None) => {
            let problem = "is not there: install Debian's package dataset-fashion-mnist, or say where its files are";
            return Err(nothing(Path::new(FASHION), problem.into()));
        }
        (kind, None) => {
            return Err(nothing(Path::new("the data"), format!("say where the files of {kind} are")));
        }
    };
    let Place { kind, path, mut notes } = place(kind, path)?;
    let path = path.as_path();
    let mut opened = match kind {
        DatasetKind::Masks if path.is_dir() => Opened::of_files(path, mask_folders::open(path)?, seed),
        DatasetKind::Images if path.is_dir() => Opened::of_files(path, bare::open(path)?, seed),
        DatasetKind::Auto
        | DatasetKind::Manifest
        | DatasetKind::Masks
        | DatasetKind::Labels
        | DatasetKind::Numbers
        | DatasetKind::Images => manifest::open(path, kind, seed)?,
        DatasetKind::Mnist => Opened::of(mnist::open(path)?.shared()),
        DatasetKind::FashionMnist => Opened::of(mnist::open_fashion(path)?.shared()),
        DatasetKind::Emnist => Opened::of(mnist::open_emnist(path)?.shared()),
        DatasetKind::Cifar10 => Opened::of(cifar::open_10(path)?.shared()),
        DatasetKind::Cifar100 => Opened::of(cifar::open_100(path)?.shared()),
        DatasetKind::Folder => Opened::of_files(path, folder::open(path)?, seed),
    };
    let [train, test] = [&opened.train, &opened.test].map(|part| part.len());
    let tells_apart = matches!(opened.train.target_kind(), TargetKind::Class | TargetKind::Mask);
    if tells_apart && opened.train.classes().len() < 2 {
        let only = opened.train.classes().join("");
        let problem = format!("has one class (`{only}`); there is nothing to tell it from{}", lists_in(path));
        return Err(nothing(path, problem));
    }
    if train == 0 || test == 0 {
        let problem = format!("has {train} images to train on and {test} to evaluate on; there should be some of both");
        return Err(nothing(path, problem));
    }
    notes.append(&mut opened.notes);
    let validation = opened.validation.iter().map(|part| (Part::Validation, part));
    for (name, part) in [(Part::Train, &opened.train)].into_iter().chain(validation).chain([(Part::Test, &opened.test)])
    {
        let without = classes_without(part.as_ref());
        if !without.is_empty() {
            notes.push(format!("{}: {} has no image of {}", path.display(), name.text(), classes_called(&without)));
        }
    }
    Ok(Opened { notes, ..opened })
}

fn nothing(path: &Path, problem: String) -> DataError {
    DataError::Nothing { path: path.to_owned(), problem }
}

/// Where a dataset is, and which.
struct Place {
    kind: DatasetKind,
    path: PathBuf,
    notes: Vec<String>,
}

/// Finds a dataset at a path or, where there is none, in the folders below it.
fn place(kind: DatasetKind, path: &Path) -> Result<Place, DataError> {
    let here = |kind, path: &Path| Place { kind, path: path.to_owned(), notes: Vec::new() };
    let metadata = std::fs::metadata(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    if is_here(kind, path, metadata.is_dir())? {
        return Ok(here(kind, path));
    }
    let mut level = vec![path.to_owned()];
    for depth in 0..=DEEPEST {
        let mut found = Vec::new();
        for folder in &level {
            found.extend(kind_of(folder, kind, depth)?.map(|kind| (kind, folder)));
        }
        // Files of both have the same names; a folder's name tells which is wanted.
        if found.len() > 1 && matches!(kind, DatasetKind::Mnist | DatasetKind::FashionMnist) {
            found.retain(|(_, folder)| called_fashion(folder) == (kind == DatasetKind::FashionMnist));
        }
        match found[..] {
            [] => {}
            [(found, folder)] => {
                let mut place = here(found, folder);
                if depth > 0 {
                    place.notes.push(format!("{} holds a dataset ({found}) in {}", path.display(), folder.display()));
                }
                if (kind, found) == (DatasetKind::Auto, DatasetKind::FashionMnist) {
                    let note = "is taken for Fashion-MNIST by its name, since its files are called as MNIST's are";
                    place.notes.push(format!("{} {note}", folder.display()));
                }
                if (kind, found) == (DatasetKind::Auto, DatasetKind::Masks) {
                    let note =
                        "has a folder of images beside one of their masks, so the masks are what is to be learnt";
                    place.notes.push(format!("{} {note}", folder.display()));
                }
                return Ok(place);
            }
            _ => {
                let names = found.iter().map(|(_, folder)| folder.display().to_string()).collect::<Vec<_>>();
                let problem = format!("holds several datasets: {}; name one of them", some_of(&names));
                return Err(nothing(path, problem));
            }
        }
        let mut below = Vec::new();
        for folder in level.iter().take(MOST_FOLDERS) {
            // What cannot be looked into below holds nothing for us.
            below.extend(listing::list(folder).map(|listing| listing.folders).unwrap_or_default());
        }
        level = below;
        level.truncate(MOST_FOLDERS);
    }
    match kind {
        DatasetKind::Auto => no_dataset(path),
        kind => Ok(here(kind, path)),
    }
}

/// Whether a path is what is to be read, and not a folder in which a dataset has to be looked for.
///
/// # Errors
/// When it cannot be a dataset of that kind.
fn is_here(kind: DatasetKind, path: &Path, is_folder: bool) -> Result<bool, DataError> {
    match kind {
        DatasetKind::Folder | DatasetKind::Manifest | DatasetKind::Images => Ok(true),
        DatasetKind::Labels | DatasetKind::Numbers if is_folder => {
            let list = format!("is a folder; {kind} are read from a CSV list of images{}", lists_in(path));
            Err(nothing(path, list))
        }
        DatasetKind::Labels | DatasetKind::Numbers => Ok(true),
        DatasetKind::Masks => Ok(!is_folder),
        _ if is_folder => Ok(false),
        DatasetKind::Auto => file(path).map(|()| true),
        _ => Err(nothing(path, format!("is a file; {kind} is a folder"))),
    }
}

/// How far below a path a dataset is looked for, and in how many folders.
const DEEPEST: usize = 3;
const MOST_FOLDERS: usize = 200;

/// What a folder holds, by the names of its files: anything, or what is wanted. Further down, one folder with images is not
/// taken for a class.
fn kind_of(folder: &Path, wanted: DatasetKind, depth: usize) -> Result<Option<DatasetKind>, DataError> {
    let digits = || mnist::found_in(folder);
    let found = |found: bool| Ok(found.then_some(wanted));
    match wanted {
        DatasetKind::Mnist | DatasetKind::FashionMnist => found(digits()),
        DatasetKind::Emnist => found(mnist::emnist_in(folder)?.is_some()),
        DatasetKind::Cifar10 | DatasetKind::Cifar100 => found(cifar::found_in(folder) == Some(wanted)),
        DatasetKind::Masks => found(mask_folders::found_in(folder)),
        DatasetKind::Folder
        | DatasetKind::Manifest
        | DatasetKind::Labels
        | DatasetKind::Numbers
        | DatasetKind::Images => found(true),
        DatasetKind::Auto if digits() => {
            Ok(Some(if called_fashion(folder) { DatasetKind::FashionMnist } else { DatasetKind::Mnist }))
        }
        DatasetKind::Auto if mnist::emnist_in(folder)?.is_some() => Ok(Some(DatasetKind::Emnist)),
        DatasetKind::Auto => Ok(cifar::found_in(folder)
            .or_else(|| mask_folders::found_in(folder).then_some(DatasetKind::Masks))
            .or_else(|| folder::found_in(folder, depth.min(1) + 1).then_some(DatasetKind::Folder))),
    }
}

/// Whether the name of a folder, or of one of the two above it, says that it is Fashion-MNIST's.
fn called_fashion(folder: &Path) -> bool {
    let full = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    full.iter().rev().take(3).any(|name| name.to_string_lossy().to_lowercase().contains("fashion"))
}

/// Whether a file is a list, by its name.
fn file(path: &Path) -> Result<(), DataError> {
    // What is no regular file has an error of its own.
    regular_file::open(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    match listing::ending(path).as_str() {
        "csv" | "tsv" => Ok(()),
        _ => Err(nothing(path, "is a file, but no CSV list of images; name a folder or a list".into())),
    }
}

/// The error of a folder without a dataset, with what its files look like.
fn no_dataset(path: &Path) -> Result<Place, DataError> {
    let listing = listing::list(path)?;
    let python = cifar::python_in(path) || listing.folders.iter().any(|folder| cifar::python_in(folder));
    if python {
        let problem = "holds CIFAR in its Python form, which is not read; take the binary form (data_batch_1.bin or \
                       train.bin ...)";
        return Err(nothing(path, problem.into()));
    }
    // Folders without images have an error of their own, which tells why.
    if !listing.folders.is_empty() {
        return Ok(Place { kind: DatasetKind::Folder, path: path.to_owned(), notes: Vec::new() });
    }
    let images = match listing.images.len() {
        0 => String::new(),
        n => format!(
            " (it holds {}, but not in folders named after classes; `--dataset images` takes images without classes)",
            number_of(n, "image", "images")
        ),
    };
    let problem = format!(
        "holds no dataset; looked for MNIST's files (train-images-idx3-ubyte ...), EMNIST's \
         (emnist-*-train-images-idx3-ubyte), CIFAR's (data_batch_1.bin or train.bin ...), folders of images and \
         their masks (images and masks) and folders named after classes{images}{}",
        lists_in(path)
    );
    Err(nothing(path, problem))
}

/// A hint at the lists that a folder holds.
fn lists_in(path: &Path) -> String {
    let Ok(entries) = std::fs::read_dir(path) else { return String::new() };
    let mut lists: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    lists.retain(|path| listing::ending(path) == "csv");
    lists.sort();
    match lists.first() {
        Some(list) => format!("; if {} lists the images with their labels, name it instead", list.display()),
        None => String::new(),
    }
}
