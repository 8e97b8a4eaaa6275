//! What the words and options of other frameworks are called here, from the table that the language's errors take it from.

use super::hold;
use convnet_language::habits::{Habit, LAYERS, NONE, OPTIONS};

fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

fn layer((theirs, ours): &(&[&str], Habit)) -> String {
    let ours = match ours {
        Habit::Word(word) => format!("`{word}`"),
        Habit::Advice(advice) => (*advice).to_string(),
    };
    format!("| {} | {ours} |\n", quoted(theirs))
}

#[test]
fn the_words_of_others_are_those_that_errors_know() {
    let table = |rows: String| format!("| there | here |\n|---|---|\n{rows}");
    hold("coming-from/words.md", "layers", &table(LAYERS.iter().map(layer).collect()));
    let option = |(theirs, ours): &(&[&str], &[&str])| format!("| {} | {} |\n", quoted(theirs), quoted(ours));
    hold("coming-from/words.md", "options", &table(OPTIONS.iter().map(option).collect()));
    let none = |(theirs, advice): &(&[&str], &str)| format!("| {} | {advice} |\n", quoted(theirs));
    hold("coming-from/words.md", "none", &table(NONE.iter().map(none).collect()));
}
