//! What the columns of a list hold beside one class for each image: several labels, by their names or in a column for each, and
//! numbers.

use super::phrase::some_of;
use super::table::{Row, Table, shortened};
use super::{DataError, classes};
use std::collections::HashMap;

/// What fields may hold that say whether a label is there, in small letters.
const FLAGS: [(&str, bool); 9] = [
    ("", false),
    ("0", false),
    ("1", true),
    ("0.0", false),
    ("1.0", true),
    ("false", false),
    ("true", true),
    ("no", false),
    ("yes", true),
];

/// How tables say that there is no number, in small letters.
const MISSING: [&str; 8] = ["", "nan", "na", "n/a", "null", "none", "-", "?"];

/// What a field says on whether a label is there.
fn flag(text: &str) -> Option<bool> {
    let text = text.to_lowercase();
    FLAGS.iter().find(|(name, _)| *name == text).map(|(_, flag)| *flag)
}

/// Whether a column says for each image whether a label is there.
pub(super) fn is_binary(table: &Table, column: usize) -> bool {
    table.rows.iter().all(|row| flag(row.field(column)).is_some())
}

/// Whether a column says of some image that a label is there.
pub(super) fn has_a_label(table: &Table, column: usize) -> bool {
    table.rows.iter().any(|row| flag(row.field(column)) == Some(true))
}

/// For each row whether it has each of the labels that columns stand for.
pub(super) fn flags(table: &Table, columns: &[usize]) -> Result<(Vec<String>, Vec<Vec<bool>>), DataError> {
    let of = |row: &Row| -> Result<Vec<bool>, DataError> {
        let field = |column: &usize| {
            let flag = flag(row.field(*column));
            flag.ok_or_else(|| table.unexpected(row, *column, "0 or 1 (true or false, yes or no)", "a label"))
        };
        columns.iter().map(field).collect()
    };
    let rows = table.rows.iter().map(of).collect::<Result<_, _>>()?;
    Ok((titles(table, columns)?, rows))
}

/// All labels that a column names, and for each row which of them it has.
pub(super) fn names(table: &Table, column: usize) -> (Vec<String>, Vec<Vec<bool>>) {
    let has = |separator: char| table.rows.iter().any(|row| row.field(column).contains(separator));
    // One for all rows, so that a name may contain another one of them.
    let between = match () {
        () if has('|') => '|',
        () if table.separator != b';' && has(';') => ';',
        () => ',',
    };
    let of = |row: &Row| -> Vec<String> {
        let names = row.field(column).split(between).map(str::trim).filter(|name| !name.is_empty());
        names.map(classes::normal).collect()
    };
    let rows: Vec<Vec<String>> = table.rows.iter().map(of).collect();
    let mut names = rows.concat();
    classes::sort(&mut names);
    let numbers: HashMap<&str, usize> = names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let flags = |row: &Vec<String>| {
        let mut flags = vec![false; names.len()];
        row.iter().for_each(|name| flags[numbers[name.as_str()]] = true);
        flags
    };
    let rows = rows.iter().map(flags).collect();
    (names, rows)
}

/// The titles of columns, as names that have to differ.
fn titles(table: &Table, columns: &[usize]) -> Result<Vec<String>, DataError> {
    let titles: Vec<String> = columns.iter().map(|column| classes::normal(&table.titles[*column])).collect();
    match titles.iter().enumerate().find(|(i, title)| titles[..*i].contains(title)) {
        None => Ok(titles),
        Some((_, title)) => {
            let problem = format!("has two columns with the title `{title}`");
            Err(DataError::Nothing { path: table.path.clone(), problem })
        }
    }
}

/// What a field of a column of numbers holds.
enum Field {
    Number(f64),
    Missing,
    Text,
}

fn number(text: &str) -> Field {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Field::Number(number),
        Ok(_) => Field::Missing,
        Err(_) if MISSING.contains(&text.to_lowercase().as_str()) => Field::Missing,
        Err(_) => Field::Text,
    }
}

/// Whether a column is one of numbers, of which some may be missing.
pub(super) fn numeric(table: &Table, column: usize) -> bool {
    let mut fields = table.rows.iter().map(|row| number(row.field(column)));
    let mut numbers = 0;
    let no_text = fields.all(|field| {
        numbers += usize::from(matches!(field, Field::Number(_)));
        !matches!(field, Field::Text)
    });
    no_text && numbers > 0
}

/// The columns that hold numbers. Others are left out with a note.
pub(super) fn numbers_among(table: &Table, notes: &mut Vec<String>) -> Result<Vec<usize>, DataError> {
    let (numbers, others): (Vec<usize>, Vec<usize>) =
        table.others().into_iter().partition(|column| numeric(table, *column));
    if numbers.is_empty() {
        let expected = "a column of numbers beside that of paths";
        return Err(match others.first() {
            None => table.no_column(expected.into()),
            Some(_) => {
                let titles: Vec<&String> = others.iter().map(|column| &table.titles[*column]).collect();
                let problem = format!("has no column of numbers; no numbers are in {}", some_of(&titles));
                DataError::Nothing { path: table.path.clone(), problem }
            }
        });
    }
    for column in others {
        let text = table.rows.iter().map(|row| row.field(column)).find(|text| matches!(number(text), Field::Text));
        let why = match text {
            None => "holds no number".to_string(),
            Some(text) if matches!(number(&text.replace(',', ".")), Field::Number(_)) => {
                format!("holds `{text}`, and numbers have a point and no comma")
            }
            Some(text) => format!("holds `{}`, which is no number", shortened(text)),
        };
        notes.push(format!("{}: the column `{}` is left out: it {why}", table.path.display(), table.titles[column]));
    }
    Ok(numbers)
}

/// The numbers of each row.
pub(super) fn numbers(table: &Table, columns: &[usize]) -> Result<(Vec<String>, Vec<Vec<f32>>), DataError> {
    let of = |row: &Row| -> Result<Vec<f32>, DataError> {
        let field = |column: &usize| match number(row.field(*column)) {
            // One that is too large for 32 bits becomes infinite.
            Field::Number(number) if (number as f32).is_finite() => Ok(number as f32),
            _ => Err(table.unexpected(row, *column, "a finite number", "a number")),
        };
        columns.iter().map(field).collect()
    };
    let rows = table.rows.iter().map(of).collect::<Result<_, _>>()?;
    Ok((titles(table, columns)?, rows))
}
