//! Small parts of sentences for people: counts with their nouns, lists, and the word that was most likely meant.

pub use convnet_graph::wording::{counted, grouped, memory, noun};

use std::time::{SystemTime, UNIX_EPOCH};

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

/// Seconds as `0:05`, `12:34` or `1:02:03`.
pub fn clock(seconds: f64) -> String {
    let all = seconds.round() as u64;
    let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A moment as `2026-11-29 05:36:07 UTC`; the standard library knows no time zones.
pub fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let [hour, minute, second] = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60];
    // Days of years that begin in March, so that the 29th of February is a year's last (Hinnant, chrono-compatible date algorithms).
    let days = seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let years = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * years + years / 4 - years / 100);
    let march = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * march + 2) / 5 + 1, if march < 10 { march + 3 } else { march - 9 });
    let year = era * 400 + years + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// What a word stands for, among those that there are.
pub(crate) fn meaning<T: Copy>(words: &[(&str, T)], word: &str) -> Option<T> {
    words.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
}

/// The word that stands for a value.
pub(crate) fn word_of<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, other)| other == value).map_or("", |(name, _)| name)
}

/// A number with four digits that count.
pub fn short(x: f64) -> String {
    let power = x.abs().log10().floor();
    match x.abs() {
        0.0 => "0".into(),
        _ if !x.is_finite() => x.to_string(),
        size if !(1e-4..1e6).contains(&size) => {
            let text = format!("{x:.3e}");
            let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
            format!("{}e{power}", mantissa.trim_end_matches('0').trim_end_matches('.'))
        }
        size if size >= 1000.0 => format!("{x:.0}"),
        _ => {
            let decimals = (3.0 - power) as usize;
            format!("{x:.decimals$}").trim_end_matches('0').trim_end_matches('.').to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_clocks() {
        assert_eq!([0.4, 65.0, 3600.0, 90_061.0].map(clock), ["0:00", "1:05", "1:00:00", "25:01:01"]);
    }

    #[test]
    fn moments_are_those_of_date() {
        // date --utc --date @SECONDS '+%F %T UTC'
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (1_767_225_599, "2025-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
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

    #[test]
    fn numbers_keep_the_digits_that_count() {
        let all = [0.0, 0.03, 0.002931, 0.0029314, 1.5, 123.456, 99999.0, 2.5e-7, 1e9, -0.25];
        let texts = ["0", "0.03", "0.002931", "0.002931", "1.5", "123.5", "99999", "2.5e-7", "1e9", "-0.25"];
        assert_eq!(all.map(short), texts);
    }
}
