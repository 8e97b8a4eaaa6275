//! Pieces of sentences about data.

/// A number of things: `1 image`, `3 images`.
pub(super) fn number_of(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Some names: all of a few, else the first ones and how many more there are.
pub(super) fn some_of<T: AsRef<str>>(names: &[T]) -> String {
    const SHOWN: usize = 8;
    let first = names.iter().take(SHOWN).map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => first,
        Some(more) => format!("{first} and {more} more"),
    }
}

/// Classes by their names: `the class a`, or how many and which.
pub(super) fn classes_called(names: &[String]) -> String {
    match names.len() {
        1 => format!("the class {}", some_of(names)),
        n => format!("{n} classes: {}", some_of(names)),
    }
}
