//! Small parts of sentences for people: counts with their nouns, lists, and the word that was most likely meant.

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

/// Alternatives: `a`, `a or b`, `a, b or c`.
pub fn either(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => one.to_string(),
        [all @ .., last] => format!("{} or {last}", all.join(", ")),
    }
}

/// The name most like `word`, if any is like it.
pub fn nearest<'a>(word: &str, names: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    let likeness = |name: &&str| strsim::jaro_winkler(&word, name);
    names.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|name| likeness(name) > 0.7)
}

/// The end of a sentence about a word that is none of `names`: ``; did you mean `adam`?``, or nothing where none is like it.
pub fn did_you_mean(word: &str, names: &[&str]) -> String {
    nearest(word, names).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
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
            (3, "training picture", "3 training pictures"),
            (2, "pass", "2 passes"),
            (2, "batch", "2 batches"),
            (2, "copy", "2 copies"),
            (2, "day", "2 days"),
        ] {
            assert_eq!(counted(n, noun), expected);
        }
    }

    #[test]
    fn the_word_that_was_meant_is_found_and_others_are_not_guessed() {
        let names = ["sgd", "adam", "adamw", "rmsprop"];
        assert_eq!(either(&names), "sgd, adam, adamw or rmsprop");
        assert_eq!((either(&names[..1]), either(&[])), ("sgd".into(), String::new()));
        for (word, expected) in
            [("adma", Some("adam")), ("AdamW", Some("adamw")), ("rms", Some("rmsprop")), ("lion", None), ("", None)]
        {
            assert_eq!(nearest(word, &names), expected, "{word}");
        }
        assert_eq!(did_you_mean("adma", &names), "; did you mean `adam`?");
        assert_eq!(did_you_mean("x", &names), "");
    }
}
