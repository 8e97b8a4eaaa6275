//! Small parts of sentences for people: counts with their nouns, lists, and the word that was most likely meant.

pub use convnet_graph::wording::{counted, noun};

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

/// What a word stands for, among those that there are.
pub(crate) fn meaning<T: Copy>(words: &[(&str, T)], word: &str) -> Option<T> {
    words.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
}

/// The word that stands for a value.
pub(crate) fn word_of<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, other)| other == value).map_or("", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

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
