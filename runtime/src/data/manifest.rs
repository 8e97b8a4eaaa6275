//! A list of images: a CSV file with a header and a column for paths and one for labels, and perhaps one that says which part
//! of the dataset a row belongs to.
//!
//! Columns may be called in several ways, in letters of any case, and separated by commas, semicolons or tabs. Paths are
//! relative to the list's own folder. Classes are the labels that occur, in the order of [`super::classes::sort`].

use super::files::{FileParts, Files, Part};
use super::{DataError, classes};
use crate::regular_file;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// How the column of paths may be called, in small letters.
const PATH: [&str; 13] = [
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "image",
    "image_path",
    "imagepath",
    "image_file",
    "img",
    "img_path",
    "picture",
];
/// How the column of labels may be called.
const LABEL: [&str; 9] =
    ["label", "class", "category", "target", "labels", "class_name", "classname", "label_name", "y"];
/// How the column of parts may be called.
const SPLIT: [&str; 6] = ["split", "set", "subset", "part", "partition", "usage"];

/// What may stand between two fields.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// One line of a list.
struct Row {
    path: PathBuf,
    label: String,
    part: Part,
}

/// Which column is which.
struct Columns {
    separator: u8,
    path: usize,
    label: usize,
    split: Option<usize>,
    notes: Vec<String>,
}

/// Reads a list; the images themselves stay on the disk. Without a column for parts, all images are in the training set.
///
/// # Errors
/// When it cannot be read, lacks a column, has an empty field or an unknown part, lists nothing, or lists files that are not there.
pub fn open(path: &Path) -> Result<FileParts, DataError> {
    let list = List { path, text: text(path)? };
    let mut columns = list.columns()?;
    let rows = list.rows(&columns)?;
    let nothing = |problem: String| DataError::Nothing { path: path.to_owned(), problem };
    if rows.is_empty() {
        return Err(nothing("lists no images".into()));
    }
    if let Some(problem) = not_there(&rows) {
        return Err(nothing(problem));
    }
    let mut names: Vec<String> = rows.iter().map(|row| row.label.clone()).collect();
    classes::sort(&mut names);
    let numbers: HashMap<&str, usize> = names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let part = |wanted: Part| {
        let chosen = rows.iter().filter(|row| row.part == wanted);
        let images = chosen.map(|row| (row.path.clone(), numbers[row.label.as_str()])).collect();
        Files { classes: names.clone(), images }
    };
    let [train, validation, test] = [Part::Train, Part::Validation, Part::Test].map(part);
    if train.images.is_empty() {
        return Err(nothing("has no row of the training set; its rows are all for validation or test".into()));
    }
    let some = |files: Files| (!files.images.is_empty()).then_some(files);
    let notes = std::mem::take(&mut columns.notes);
    FileParts { train, validation: some(validation), test: some(test), notes }.checked(path)
}

/// The text of a list, without a byte order mark.
fn text(path: &Path) -> Result<String, DataError> {
    let bytes = regular_file::read(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    let problem = match &bytes[..] {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "is text in UTF-16; save it as CSV in UTF-8".to_string(),
        _ => match String::from_utf8(bytes) {
            Ok(text) => return Ok(text.strip_prefix('\u{feff}').map(String::from).unwrap_or(text)),
            Err(error) => format!("is no text in UTF-8: {}; save it as CSV in UTF-8", error.utf8_error()),
        },
    };
    Err(DataError::Nothing { path: path.to_owned(), problem })
}

struct List<'a> {
    path: &'a Path,
    text: String,
}

impl List<'_> {
    fn error(&self, offset: u64, what: &'static str, expected: String, found: String) -> DataError {
        DataError::Format { path: self.path.to_owned(), offset, what, expected, found }
    }

    fn reader(&self, separator: u8) -> csv::Reader<&[u8]> {
        csv::ReaderBuilder::new().delimiter(separator).trim(csv::Trim::All).from_reader(self.text.as_bytes())
    }

    fn broken(&self, problem: &csv::Error) -> DataError {
        let offset = problem.position().map_or(0, csv::Position::byte);
        self.error(offset, "a line", "comma-separated values".into(), problem.to_string())
    }

    /// The columns by the first line, with whichever separator gives it both columns that are needed.
    fn columns(&self) -> Result<Columns, DataError> {
        let mut header = String::new();
        for separator in SEPARATORS {
            let titles = self.reader(separator).headers().map_err(|problem| self.broken(&problem))?.clone();
            let titles: Vec<String> = titles.iter().map(str::to_lowercase).collect();
            let find = |names: &[&str]| names.iter().find_map(|name| titles.iter().position(|title| title == name));
            if let (Some(path), Some(label)) = (find(&PATH), find(&LABEL)) {
                let notes = [(&PATH[..], path), (&LABEL, label), (&SPLIT, find(&SPLIT).unwrap_or(usize::MAX))];
                let notes = notes.into_iter().filter_map(|(names, taken)| self.ambiguous(&titles, names, taken));
                return Ok(Columns { separator, path, label, split: find(&SPLIT), notes: notes.collect() });
            }
            if titles.len() > 1 || header.is_empty() {
                header = titles.join(", ");
            }
        }
        let expected = format!(
            "a header with a column `path` (or {}) and a column `label` (or {}), separated by commas, semicolons or tabs",
            PATH[1..4].join(", "),
            LABEL[1..4].join(", ")
        );
        let found =
            if header.is_empty() { "nothing".into() } else { format!("`{}`", shortened(&header).escape_debug()) };
        Err(self.error(0, "the first line", expected, found))
    }

    /// A note where several columns could be the one that was taken.
    fn ambiguous(&self, titles: &[String], names: &[&str], taken: usize) -> Option<String> {
        let could: Vec<&str> = titles.iter().map(String::as_str).filter(|title| names.contains(title)).collect();
        let taken = titles.get(taken).filter(|_| could.len() > 1)?;
        let others: Vec<&str> = could.into_iter().filter(|title| title != taken).collect();
        Some(format!("{}: the column `{taken}` is used, and `{}` is not", self.path.display(), others.join("` and `")))
    }

    fn rows(&self, columns: &Columns) -> Result<Vec<Row>, DataError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut rows = Vec::new();
        for record in self.reader(columns.separator).records() {
            let record = record.map_err(|problem| self.broken(&problem))?;
            let at = record.position().map_or(0, csv::Position::byte);
            let field = |i: usize, name: &'static str| match record.get(i) {
                Some(text) if !text.is_empty() => Ok(text),
                _ => Err(self.error(at, name, "some text".into(), "nothing".into())),
            };
            let part = match columns.split.map(|i| field(i, "split")).transpose()? {
                None => Part::Train,
                Some(name) => Part::named(name)
                    .ok_or_else(|| self.error(at, "split", "train, val or test".into(), format!("`{name}`")))?,
            };
            let (file, label) = (field(columns.path, "path")?, field(columns.label, "label")?);
            rows.push(Row { path: resolved(folder, file), label: classes::normal(label), part });
        }
        Ok(rows)
    }
}

/// Where a file of a list is. Paths from Windows have backslashes, which elsewhere may be part of a name.
fn resolved(folder: &Path, file: &str) -> PathBuf {
    let path = folder.join(file);
    if file.contains('\\') && !path.exists() {
        return folder.join(file.replace('\\', "/"));
    }
    path
}

/// What to say of rows whose file is not there, or is none.
fn not_there(rows: &[Row]) -> Option<String> {
    const SHOWN: usize = 3;
    let reason = |row: &Row| match std::fs::metadata(&row.path) {
        Ok(metadata) if metadata.is_file() => None,
        Ok(_) => Some(format!("{} (is no regular file)", row.path.display())),
        Err(error) => Some(format!("{} ({error})", row.path.display())),
    };
    let bad: Vec<String> = rows.iter().filter_map(reason).collect();
    let more = bad.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let first = bad.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    (!bad.is_empty()).then(|| {
        format!(
            "{} of its {} rows name files that are not there or no files: {first}{more}; paths start from the list's own folder",
            bad.len(),
            rows.len()
        )
    })
}

/// The start of a long text.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text.into(),
    }
}
