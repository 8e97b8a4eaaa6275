//! The text of a CSV list: its columns by their titles, and its rows with the places where they are.

use super::DataError;
use super::files::Part;
use crate::regular_file;
use csv::StringRecord;
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
pub(super) const LABEL: [&str; 9] =
    ["label", "class", "category", "target", "labels", "class_name", "classname", "label_name", "y"];
/// How a column may be called that can only hold several labels.
pub(super) const TAGS: [&str; 4] = ["tags", "tag", "classes", "categories"];
/// How the column of masks may be called.
pub(super) const MASK: [&str; 8] = [
    "mask",
    "mask_path",
    "maskpath",
    "mask_file",
    "segmentation",
    "segmentation_path",
    "annotation",
    "annotation_path",
];
/// How the column of parts may be called.
const SPLIT: [&str; 6] = ["split", "set", "subset", "part", "partition", "usage"];

/// What may stand between two fields.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// A list as text, with a column of paths.
pub(super) struct Table {
    pub path: PathBuf,
    /// What stands between two fields.
    pub separator: u8,
    /// As they are written, and in small letters.
    pub titles: Vec<String>,
    pub(super) small: Vec<String>,
    image: usize,
    split: Option<usize>,
    pub rows: Vec<Row>,
}

/// One row of a list.
pub(super) struct Row {
    /// The byte that it starts at.
    at: u64,
    fields: StringRecord,
}

impl Row {
    /// What a column holds here; rows all have as many fields as there are titles.
    pub(super) fn field(&self, column: usize) -> &str {
        self.fields.get(column).unwrap_or_default()
    }
}

impl Table {
    /// Reads a list.
    pub(super) fn read(path: &Path) -> Result<Self, DataError> {
        let text = text(path)?;
        let mut table = Table {
            path: path.to_owned(),
            separator: SEPARATORS[0],
            titles: Vec::new(),
            small: Vec::new(),
            image: 0,
            split: None,
            rows: Vec::new(),
        };
        // One that gives labels too is the better one, where several give paths.
        let mut fits = None;
        for separator in SEPARATORS {
            let titles = reader(&text, separator).headers().map_err(|problem| table.broken(&problem))?.clone();
            let titles: Vec<String> = titles.iter().map(String::from).collect();
            let small: Vec<String> = titles.iter().map(|title| title.to_lowercase()).collect();
            let worth =
                usize::from(position(&small, &PATH).is_some()) * (1 + usize::from(position(&small, &LABEL).is_some()));
            let better = fits.is_none_or(|best| worth > best || worth == 0 && best == 0 && titles.len() > 1);
            if better {
                fits = Some(worth);
                (table.separator, table.titles, table.small) = (separator, titles, small);
            }
        }
        let Some(image) = position(&table.small, &PATH) else { return Err(table.no_targets()) };
        (table.image, table.split) = (image, position(&table.small, &SPLIT));
        for record in reader(&text, table.separator).records() {
            let fields = record.map_err(|problem| table.broken(&problem))?;
            table.rows.push(Row { at: fields.position().map_or(0, csv::Position::byte), fields });
        }
        Ok(table)
    }

    fn broken(&self, problem: &csv::Error) -> DataError {
        let offset = problem.position().map_or(0, csv::Position::byte);
        self.format(offset, "a line", "comma-separated values".into(), problem.to_string())
    }

    fn format(&self, offset: u64, what: &'static str, expected: String, found: String) -> DataError {
        DataError::Format { path: self.path.clone(), offset, what, expected, found }
    }

    /// The error of a list that lacks the columns that it needs.
    pub(super) fn no_targets(&self) -> DataError {
        let expected = format!(
            "a header with a column `path` (or {}) and a column `label` (or {}), or in its place a column `mask` with paths of \
             masks, columns of 0 and 1 that say which labels an image has, columns of numbers, or nothing with `--dataset \
             images`; separated by commas, semicolons or tabs",
            PATH[1..4].join(", "),
            LABEL[1..4].join(", ")
        );
        let header = self.small.join(", ");
        let found =
            if header.is_empty() { "nothing".into() } else { format!("`{}`", shortened(&header).escape_debug()) };
        self.format(0, "the first line", expected, found)
    }

    /// The error of a list without a column that was asked for.
    pub(super) fn no_column(&self, expected: String) -> DataError {
        self.format(0, "the first line", expected, format!("`{}`", shortened(&self.titles.join(", ")).escape_debug()))
    }

    /// The error of a field that does not hold what it should.
    pub(super) fn unexpected(&self, row: &Row, column: usize, expected: &str, what: &'static str) -> DataError {
        let found = match row.field(column) {
            "" => "nothing".into(),
            text => format!("`{}`", shortened(text)),
        };
        self.format(row.at, what, format!("{expected} in the column `{}`", self.titles[column]), found)
    }

    /// What a column has in a row.
    ///
    /// # Errors
    /// When that is nothing.
    pub(super) fn some<'a>(&self, row: &'a Row, column: usize, what: &'static str) -> Result<&'a str, DataError> {
        match row.field(column) {
            "" => Err(self.format(row.at, what, "some text".into(), "nothing".into())),
            text => Ok(text),
        }
    }

    /// The first column with one of these titles.
    pub(super) fn column(&self, names: &[&str]) -> Option<usize> {
        position(&self.small, names)
    }

    /// The columns that could hold something about images: all but those of paths and parts, and those without a title, as tables
    /// have that were written with the numbers of their rows.
    pub(super) fn others(&self) -> Vec<usize> {
        let is_other = |i: &usize| {
            let title = self.small[*i].as_str();
            !(PATH.contains(&title) || SPLIT.contains(&title) || is_untitled(title))
        };
        (0..self.titles.len()).filter(is_other).collect()
    }

    /// Notes on columns that could be the one of paths or of parts, too.
    pub(super) fn notes(&self) -> Vec<String> {
        [self.ambiguous(&PATH, Some(self.image)), self.ambiguous(&SPLIT, self.split)].into_iter().flatten().collect()
    }

    /// A note on columns without a title.
    pub(super) fn untitled(&self) -> Option<String> {
        let some = self.small.iter().any(|title| is_untitled(title));
        some.then(|| format!("{}: a column without a title is left out", self.path.display()))
    }

    /// A note where several columns could be the one that was taken.
    pub(super) fn ambiguous(&self, names: &[&str], taken: Option<usize>) -> Option<String> {
        let could: Vec<&str> = self.small.iter().map(String::as_str).filter(|title| names.contains(title)).collect();
        let taken = self.small.get(taken?).filter(|_| could.len() > 1)?;
        let others: Vec<&str> = could.into_iter().filter(|title| title != taken).collect();
        Some(format!("{}: the column `{taken}` is used, and `{}` is not", self.path.display(), others.join("` and `")))
    }

    /// The image of each row, with the part that it is in: training, where there is no column for parts.
    pub(super) fn images(&self) -> Result<Vec<(Part, PathBuf)>, DataError> {
        let of = |row: &Row| {
            let part = match self.split.map(|split| self.some(row, split, "split")).transpose()? {
                None => Part::Train,
                Some(name) => Part::named(name)
                    .ok_or_else(|| self.format(row.at, "split", "train, val or test".into(), format!("`{name}`")))?,
            };
            Ok((part, self.file(self.some(row, self.image, "path")?)))
        };
        self.rows.iter().map(of).collect()
    }

    /// Where a file is that a list names. Paths from Windows have backslashes, which elsewhere may be part of a name.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let path = folder.join(name);
        if name.contains('\\') && !path.exists() {
            return folder.join(name.replace('\\', "/"));
        }
        path
    }
}

fn reader(text: &str, separator: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().delimiter(separator).trim(csv::Trim::All).from_reader(text.as_bytes())
}

/// The column with the first of these names that one has.
fn position(titles: &[String], names: &[&str]) -> Option<usize> {
    names.iter().find_map(|name| titles.iter().position(|title| title == name))
}

/// Whether a column has no title, or the one that pandas gives such a column.
fn is_untitled(title: &str) -> bool {
    title.is_empty() || title.starts_with("unnamed: ")
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

/// The start of a long text.
pub(super) fn shortened(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text.into(),
    }
}
