//! A list of images: a CSV file with a header and a column for paths, columns for what is known of each image, and perhaps one
//! that says which part of the dataset a row belongs to.
//!
//! Columns may be called in several ways, in letters of any case, and separated by commas, semicolons or tabs. Paths are
//! relative to the list's own folder. Classes are the labels that occur, in the order of [`super::classes::sort`].

use super::columns::{self, has_a_label, is_binary, numeric};
use super::files::{FileParts, FileTarget, Part};
use super::kind::DatasetKind;
use super::opened::Opened;
use super::phrase::some_of;
use super::table::{LABEL, MASK, TAGS, Table};
use super::{DataError, classes, mask};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// What a list says of its images, by the columns that say it.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    /// The class of each.
    Classes(usize),
    /// The names of all labels of each.
    Names(usize),
    /// For each column whether the image has that label.
    Flags(Vec<usize>),
    /// The path of a mask.
    Masks(usize),
    /// A number in each column.
    Numbers(Vec<usize>),
    Nothing,
}

/// Reads a list; the images themselves stay on the disk. Without a column for parts, all images are in one piece, from which `seed`
/// draws a test set.
///
/// # Errors
/// When it cannot be read, lacks a column, has a field that does not hold what it should, lists nothing, or lists files that are
/// not there.
pub(super) fn open(path: &Path, kind: DatasetKind, seed: u64) -> Result<Opened, DataError> {
    let table = Table::read(path)?;
    let mut notes = table.notes();
    if table.rows.is_empty() {
        return Err(nothing(path, "lists no images".into()));
    }
    let form = match kind {
        DatasetKind::Masks => Form::Masks(table.column(&MASK).ok_or_else(|| {
            table
                .no_column(format!("a column `mask` (or {}) with the path of each image's mask", MASK[1..5].join(", ")))
        })?),
        DatasetKind::Labels => labels(&table)?,
        DatasetKind::Numbers => Form::Numbers(columns::numbers_among(&table, &mut notes)?),
        DatasetKind::Images => Form::Nothing,
        DatasetKind::Manifest => Form::Classes(table.column(&LABEL).ok_or_else(|| table.no_targets())?),
        _ => guessed(&table, &mut notes)?,
    };
    if matches!(form, Form::Flags(_) | Form::Numbers(_)) {
        notes.extend(table.untitled());
    }
    let images = table.images()?;
    match form {
        Form::Classes(label) => {
            notes.extend(table.ambiguous(&LABEL, Some(label)));
            notes.extend(could_be_numbers(&table, label));
            let (names, targets) = classes_of(&table, label)?;
            opened(&table, notes, images, &names, targets, seed)
        }
        Form::Names(column) => {
            let (names, targets) = columns::names(&table, column);
            if names.is_empty() {
                let column = &table.titles[column];
                return Err(nothing(path, format!("names no label at all in its column `{column}`")));
            }
            opened(&table, notes, images, &names, targets, seed)
        }
        Form::Flags(columns) => {
            let (names, targets) = columns::flags(&table, &columns)?;
            opened(&table, notes, images, &names, targets, seed)
        }
        Form::Numbers(columns) => {
            let (names, targets) = columns::numbers(&table, &columns)?;
            opened(&table, notes, images, &names, targets, seed)
        }
        Form::Nothing => opened(&table, notes, images, &[], vec![(); table.rows.len()], seed),
        Form::Masks(column) => {
            let masks = table.rows.iter().map(|row| Ok(table.file(table.some(row, column, "mask")?)));
            let masks = masks.collect::<Result<Vec<PathBuf>, DataError>>()?;
            let all = |files: &mut dyn Iterator<Item = &PathBuf>| not_there(files, table.rows.len());
            if let Some(problem) = all(&mut images.iter().map(|(_, image)| image)).or_else(|| all(&mut masks.iter())) {
                return Err(nothing(path, problem));
            }
            trained(path, &images)?;
            let pairs = images.into_iter().zip(masks).map(|((part, image), mask)| (part, image, mask)).collect();
            Ok(Opened::of_files(path, mask::parts(path, pairs, notes)?.checked(path)?, seed))
        }
    }
}

fn nothing(path: &Path, problem: String) -> DataError {
    DataError::Nothing { path: path.to_owned(), problem }
}

/// The dataset of images with what is known of each.
fn opened<T: FileTarget>(
    table: &Table,
    notes: Vec<String>,
    images: Vec<(Part, PathBuf)>,
    names: &[String],
    targets: Vec<T>,
    seed: u64,
) -> Result<Opened, DataError> {
    let path = &table.path;
    if let Some(problem) = not_there(&mut images.iter().map(|(_, image)| image), images.len()) {
        return Err(nothing(path, problem));
    }
    trained(path, &images)?;
    let images = images.into_iter().zip(targets).map(|((part, image), target)| (part, image, target)).collect();
    Ok(Opened::of_files(path, FileParts::of(names, images, notes).checked(path)?, seed))
}

/// Whether there is something to learn from.
fn trained(path: &Path, images: &[(Part, PathBuf)]) -> Result<(), DataError> {
    match images.iter().any(|(part, _)| *part == Part::Train) {
        true => Ok(()),
        false => Err(nothing(path, "has no row of the training set; its rows are all for validation or test".into())),
    }
}

/// What a list says, if nobody has said that.
fn guessed(table: &Table, notes: &mut Vec<String>) -> Result<Form, DataError> {
    let list = table.path.display();
    let title = |column: usize| &table.titles[column];
    // Beside a column `x`, one that is called `y` is a coordinate.
    let coordinate = |column: &usize| table.small[*column] == "y" && table.column(&["x"]).is_some();
    let label = table.column(&LABEL).filter(|column| !coordinate(column));
    if let Some(mask) = masks_among(table, label, notes) {
        return Ok(Form::Masks(mask));
    }
    match (label, table.column(&TAGS)) {
        (Some(column), _) if !table.rows.iter().any(|row| row.field(column).contains('|')) => {
            return Ok(Form::Classes(column));
        }
        (Some(column), _) => {
            let column_title = title(column);
            notes.push(format!(
                "{list}: the column `{column_title}` has `|` between names, so an image may have several labels; \
                 `--dataset manifest` takes each text as one class"
            ));
            return Ok(Form::Names(column));
        }
        (None, Some(column)) => {
            let column_title = title(column);
            notes.push(format!("{list}: the column `{column_title}` is taken for the names of several labels"));
            return Ok(Form::Names(column));
        }
        (None, None) => {}
    }
    let others = table.others();
    let titles = |columns: &[usize]| some_of(&columns.iter().map(|column| title(*column)).collect::<Vec<_>>());
    let all_binary = others.iter().all(|column| is_binary(table, *column));
    if all_binary && others.iter().any(|column| has_a_label(table, *column)) {
        notes.push(format!(
            "{list} has no column of labels, and other columns hold only 0 and 1, so they say which labels an image has: {}",
            titles(&others)
        ));
        return Ok(Form::Flags(others));
    }
    if !others.iter().any(|column| numeric(table, *column)) {
        return Err(table.no_targets());
    }
    let numbers = columns::numbers_among(table, notes)?;
    notes.push(format!(
        "{list} has no column of labels, so the numbers in its other columns are what is to be learnt: {}",
        titles(&numbers)
    ));
    Ok(Form::Numbers(numbers))
}

/// The column of masks, where they are what is to be learnt.
fn masks_among(table: &Table, label: Option<usize>, notes: &mut Vec<String>) -> Option<usize> {
    let mask = table.column(&MASK)?;
    let Some(label) = label else { return Some(mask) };
    // A list of classes may have remarks in such a column.
    let name = table.rows.first()?.field(mask);
    if name.is_empty() || !table.file(name).is_file() {
        return None;
    }
    notes.push(format!(
        "{}: the masks in the column `{}` are what is to be learnt; `--dataset manifest` learns the classes in `{}`",
        table.path.display(),
        table.titles[mask],
        table.titles[label]
    ));
    Some(mask)
}

/// Where a list has several labels for each image: in a column of 0 and 1 for each label, or as names in one column.
fn labels(table: &Table) -> Result<Form, DataError> {
    let others = table.others();
    let binary = others.iter().all(|column| is_binary(table, *column));
    match table.column(&TAGS).or_else(|| table.column(&LABEL)) {
        Some(column) if !binary || others.len() == 1 => Ok(Form::Names(column)),
        _ if others.is_empty() => Err(table.no_column(
            "a column of 0 and 1 for each label, or a column `labels` with the names of all labels of an image, and `|` \
             between them"
                .into(),
        )),
        _ => Ok(Form::Flags(others)),
    }
}

/// A note where classes look like numbers that are to be learnt as such.
fn could_be_numbers(table: &Table, label: usize) -> Option<String> {
    const FEW: usize = 20;
    let texts: BTreeSet<&str> = table.rows.iter().map(|row| row.field(label)).collect();
    let numbers: Option<Vec<f64>> = texts.iter().map(|text| text.parse().ok()).collect();
    let fractions = numbers?.iter().any(|number| number.is_finite() && number.fract() != 0.0);
    (fractions && texts.len() > FEW).then(|| {
        format!(
            "{}: each of the {} numbers in the column `{}` is taken for a class; to learn the numbers themselves say \
             `--dataset numbers`",
            table.path.display(),
            texts.len(),
            table.titles[label]
        )
    })
}

/// The classes of a list, and that of each row.
fn classes_of(table: &Table, label: usize) -> Result<(Vec<String>, Vec<usize>), DataError> {
    let of_row = |row| Ok(classes::normal(table.some(row, label, "label")?));
    let all = table.rows.iter().map(of_row).collect::<Result<Vec<String>, DataError>>()?;
    let mut names = all.clone();
    classes::sort(&mut names);
    let numbers: HashMap<&str, usize> = names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let targets = all.iter().map(|name| numbers[name.as_str()]).collect();
    Ok((names, targets))
}

/// What to say of rows whose file is not there, or is none.
fn not_there(files: &mut dyn Iterator<Item = &PathBuf>, rows: usize) -> Option<String> {
    const SHOWN: usize = 3;
    let reason = |path: &PathBuf| match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => None,
        Ok(_) => Some(format!("{} (is no regular file)", path.display())),
        Err(error) => Some(format!("{} ({error})", path.display())),
    };
    let bad: Vec<String> = files.filter_map(reason).collect();
    let more = bad.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let first = bad.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    (!bad.is_empty()).then(|| {
        format!(
            "{} of its {rows} rows name files that are not there or no files: {first}{more}; paths start from the list's own \
             folder",
            bad.len(),
        )
    })
}
