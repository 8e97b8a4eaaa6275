//! Names of classes: when two are the same, and which order they have.
//!
//! A network numbers its classes by their order, so everything that makes classes of names has to sort them in one way:
//! folders, lists, and whoever compares the classes of weights with those of data.

use std::cmp::Ordering;
use unicode_normalization::UnicodeNormalization;

/// A name in Unicode's form NFC (Unicode Standard Annex 15). macOS writes names of files in NFD, where an accent is a character
/// of its own, so that one name can come in two forms that look the same.
pub fn normal(name: &str) -> String {
    name.nfc().collect()
}

/// Whether two names are one class: equal once both are in Unicode's form NFC.
pub fn same(one: &str, other: &str) -> bool {
    one == other || one.nfc().eq(other.nfc())
}

/// The number of the class called `name`, by [`same`].
pub fn position(classes: &[String], name: &str) -> Option<usize> {
    classes.iter().position(|class| class == name).or_else(|| classes.iter().position(|class| same(class, name)))
}

/// Sorts names of classes and leaves each out that is there already. Where all are whole numbers, they are sorted as
/// numbers: 2 before 10. Otherwise they are sorted as text by their code points, as PyTorch's `ImageFolder` does: `class10`
/// before `class2`.
pub fn sort(names: &mut Vec<String>) {
    names.iter_mut().for_each(|name| *name = normal(name));
    let numbers = names.iter().all(|name| number(name).is_some());
    match numbers {
        true => names.sort_by(|a, b| by_number(a, b)),
        false => names.sort(),
    }
    names.dedup();
}

/// A whole number as its sign and its digits without leading zeros, so that it may be of any length.
fn number(name: &str) -> Option<(bool, &str)> {
    let (negative, digits) = match name.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, name),
    };
    // `3.0` is how tables write a whole number whose column had gaps.
    let digits = match digits.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0') => whole,
        Some(_) => return None,
        None => digits,
    };
    let valid = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    let digits = digits.trim_start_matches('0');
    valid.then_some((negative && !digits.is_empty(), digits))
}

/// The order of two whole numbers; as text where they are equal, such as `1` and `01`.
fn by_number(a: &str, b: &str) -> Ordering {
    let (Some((a_negative, a_digits)), Some((b_negative, b_digits))) = (number(a), number(b)) else {
        return a.cmp(b);
    };
    let size = (a_digits.len(), a_digits).cmp(&(b_digits.len(), b_digits));
    let order = match (a_negative, b_negative) {
        (false, false) => size,
        (true, true) => size.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    };
    order.then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(names: &[&str]) -> Vec<String> {
        let mut names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        sort(&mut names);
        names
    }

    #[test]
    fn whole_numbers_are_sorted_as_numbers_and_the_rest_as_text() {
        assert_eq!(sorted(&["10", "0", "2", "1", "11", "2"]), ["0", "1", "2", "10", "11"]);
        assert_eq!(sorted(&["010", "002", "001"]), ["001", "002", "010"]);
        assert_eq!(sorted(&["1", "01", "0", "-1", "-20"]), ["-20", "-1", "0", "01", "1"]);
        assert_eq!(sorted(&["10.0", "9.0", "0.0"]), ["0.0", "9.0", "10.0"]);
        let huge = ["100000000000000000000000000000000000000000", "99999999999999999999999999999999999999999", "5"];
        assert_eq!(sorted(&huge), [huge[2], huge[1], huge[0]]);
        // One that is no whole number makes all of them text, as it is elsewhere.
        assert_eq!(sorted(&["10", "2", "x"]), ["10", "2", "x"]);
        assert_eq!(sorted(&["class10", "class2", "Class3"]), ["Class3", "class10", "class2"]);
        assert_eq!(sorted(&["1.5", "10.5", "2.5"]), ["1.5", "10.5", "2.5"]);
    }

    #[test]
    fn forms_of_one_name_are_one_class() {
        let (nfc, nfd) = ("caf\u{e9}", "cafe\u{301}");
        assert!(same(nfc, nfd) && !same(nfc, "cafe"));
        assert_eq!(sorted(&[nfd, nfc]), [nfc]);
        assert_eq!(position(&["a".into(), nfc.into()], nfd), Some(1));
        assert_eq!(position(&["a".into()], nfd), None);
    }
}
