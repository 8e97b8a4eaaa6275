//! Small parts of sentences for people: counts with their nouns, and numbers with commas.

/// A count with its noun in the right number: `1 epoch`, `2 classes`, `0 batches`.
pub fn counted(n: usize, noun: &str) -> String {
    format!("{n} {}", self::noun(n, noun))
}

/// A noun in the number that `n` of it have, for counts that are written in another way.
pub fn noun(n: usize, noun: &str) -> String {
    if n == 1 { noun.into() } else { plural(noun) }
}

/// The plural of a regular noun; of several words the last one is the noun.
fn plural(noun: &str) -> String {
    let sibilant = ["s", "x", "sh", "tch"].iter().any(|end| noun.ends_with(end));
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if sibilant => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

/// The memory of this many numbers in single precision, in binary units.
pub fn memory(elements: usize) -> String {
    let bytes = 4.0 * elements as f64;
    match bytes {
        b if b < 1024.0 => format!("{b} B"),
        b if b < 1024.0 * 1024.0 => format!("{:.1} KiB", b / 1024.0),
        b if b < 1024.0 * 1024.0 * 1024.0 => format!("{:.1} MiB", b / 1024.0 / 1024.0),
        b => format!("{:.2} GiB", b / 1024.0 / 1024.0 / 1024.0),
    }
}

/// `61706` as `61,706`.
pub fn grouped(n: impl Into<i128>) -> String {
    let n = n.into();
    let digits = n.unsigned_abs().to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if n < 0 { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_everything_else_plural() {
        for (n, noun, expected) in [
            (0, "epoch", "0 epochs"),
            (1, "epoch", "1 epoch"),
            (2, "class", "2 classes"),
            (1, "class", "1 class"),
            (3, "training image", "3 training images"),
            (2, "pass", "2 passes"),
            (2, "batch", "2 batches"),
            (2, "copy", "2 copies"),
            (2, "day", "2 days"),
        ] {
            assert_eq!(counted(n, noun), expected);
        }
    }

    #[test]
    fn thousands_have_commas() {
        let shown: Vec<String> = [0, 999, 1000, 61_706, -1_234_567].into_iter().map(|n: i128| grouped(n)).collect();
        assert_eq!(shown, ["0", "999", "1,000", "61,706", "-1,234,567"]);
    }
}
