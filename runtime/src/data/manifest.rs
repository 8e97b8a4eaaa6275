//! A list of pictures: a CSV file with the columns `path` and `label`, and perhaps `split` (`train`, or `test` or `val`).
//!
//! Paths are relative to the file's own folder. Classes are the labels that occur, sorted.

use super::folder::Files;
use super::{DataError, Split};
use std::collections::BTreeSet;
use std::path::Path;

/// What a list gives: two parts if it has a column `split`, else one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// To train on and to judge by.
    Split(Split<Files>),
    /// All in one.
    Whole(Files),
}

/// Reads a list; the pictures themselves stay on the disk.
///
/// # Errors
/// When it cannot be read, lacks a column, has an empty field or an unknown `split`, or lists nothing.
pub fn open(path: &Path) -> Result<Listed, DataError> {
    let error = |line: u64, what: &'static str, expected: String, found: String| DataError::Format {
        path: path.to_owned(),
        offset: line,
        what,
        expected,
        found,
    };
    let io = |source| DataError::Io { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(io)?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let broken = |problem: csv::Error| error(0, "a line", "comma-separated values".into(), problem.to_string());
    let header = reader.headers().map_err(broken)?.clone();
    // A byte order mark belongs to no name.
    let column = |name: &str| header.iter().position(|column| column.trim_start_matches('\u{feff}') == name);
    let titles = header.iter().collect::<Vec<_>>().join(", ");
    let need = |name: &str| {
        column(name).ok_or_else(|| error(0, "the first line", format!("a column `{name}`"), titles.clone()))
    };
    let (at_path, at_label, at_split) = (need("path")?, need("label")?, column("split"));
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let at = record.position().map_or(0, csv::Position::byte);
        let field = |i: usize, name: &'static str| match record.get(i) {
            Some(text) if !text.is_empty() => Ok(text.to_string()),
            _ => Err(error(at, name, "some text".into(), "nothing".into())),
        };
        let test = match at_split.map(|i| field(i, "split")).transpose()?.as_deref() {
            None | Some("train") => false,
            Some("test" | "val" | "validation") => true,
            Some(other) => return Err(error(at, "split", "train, test or val".into(), format!("`{other}`"))),
        };
        rows.push((folder.join(field(at_path, "path")?), field(at_label, "label")?, test));
    }
    if rows.is_empty() {
        return Err(DataError::Nothing { path: path.to_owned(), problem: "lists no pictures".into() });
    }
    let classes: BTreeSet<String> = rows.iter().map(|(_, label, _)| label.clone()).collect();
    let classes: Vec<String> = classes.into_iter().collect();
    let part = |wanted: Option<bool>| {
        let chosen = rows.iter().filter(|(.., test)| wanted.is_none_or(|wanted| wanted == *test));
        let class = |label: &String| classes.binary_search(label).unwrap_or_default();
        let pictures = chosen.map(|(path, label, _)| (path.clone(), class(label))).collect();
        Files { classes: classes.clone(), pictures }
    };
    Ok(match at_split {
        Some(_) => Listed::Split(Split { train: part(Some(false)), test: part(Some(true)) }),
        None => Listed::Whole(part(None)),
    })
}
