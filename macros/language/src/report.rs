//! Errors: how they are collected, and the wording that several passes share.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::BTreeSet;

/// A structure's word with its article: `a head`, `an output`.
pub fn one(word: &Ident) -> String {
    let word = word.to_string();
    let article = if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {word}")
}

/// So many errors are shown; nobody reads more.
const MOST: usize = 100;

/// Errors in the order in which they were found; one for each place.
#[derive(Default)]
pub struct Errors {
    list: Vec<syn::Error>,
    places: BTreeSet<String>,
    /// How many were found, those that had been told already included.
    found: usize,
    /// Which instance of a block is being checked.
    context: Vec<String>,
    /// Words that are not known for a reason that was told.
    forgiven: BTreeSet<String>,
}

impl Errors {
    /// Reports `message` on all of `tokens`.
    pub fn on(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(tokens, self.with_context(message)));
    }

    /// Reports `message` on all of `tokens`, without the block that is being filled in.
    pub fn bare(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Reports `message` at a place that has no tokens of its own.
    pub fn at(&mut self, span: Span, message: impl std::fmt::Display) {
        self.push(syn::Error::new(span, self.with_context(message)));
    }

    /// Says nothing more of a place: what is wrong there was told of another one.
    pub fn settle(&mut self, tokens: impl ToTokens) {
        self.places.insert(format!("{:?}", syn::Error::new_spanned(tokens, "").span()));
    }

    /// A word that will not be found, since what declares it was at fault.
    pub fn forgive(&mut self, word: String) {
        self.forgiven.insert(word);
    }

    /// Whether it is clear already why a word is not known.
    pub fn forgives(&self, word: &str) -> bool {
        self.forgiven.contains(word)
    }

    /// Whether there are so many that no more are looked for.
    pub fn are_many(&self) -> bool {
        self.list.len() > MOST
    }

    /// How many were found so far; one that is found again counts again.
    pub fn count(&self) -> usize {
        self.found
    }

    /// Takes over an error of the parser.
    pub fn add(&mut self, error: syn::Error) {
        self.push(error);
    }

    /// What is repeated is checked each time, but its mistakes are told once.
    fn push(&mut self, error: syn::Error) {
        self.found += 1;
        if self.list.len() == MOST {
            self.list.push(syn::Error::new(error.span(), format!("there are more mistakes than these {MOST}")));
        }
        if self.list.len() > MOST {
            return;
        }
        if self.places.insert(format!("{:?}", error.span())) {
            self.list.push(error);
        }
    }

    fn with_context(&self, message: impl std::fmt::Display) -> String {
        match self.context.last() {
            Some(context) => format!("{message}\n  in {context}"),
            None => message.to_string(),
        }
    }

    /// Everything until [`Errors::leave`] is about an instance of a block.
    pub fn enter(&mut self, instance: String) {
        self.context.push(instance);
    }

    /// Ends what [`Errors::enter`] began.
    pub fn leave(&mut self) {
        self.context.pop();
    }

    /// One `compile_error!` an error.
    pub fn compile_errors(&self) -> TokenStream {
        self.list.iter().map(syn::Error::to_compile_error).collect()
    }

    /// The errors with their places.
    pub fn all(&self) -> &[syn::Error] {
        &self.list
    }
}

/// The closest of `known` to `word`, as a question, if there is a close one.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    closest(word, known).map_or(String::new(), |candidate| format!("; did you mean `{candidate}`?"))
}

/// The closest of `known` to `word`, if there is a close one.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(f64, &str)> = None;
    // No word is nearly so long, and comparing takes a time that grows with both lengths.
    if word.len() > 64 {
        return None;
    }
    for candidate in known {
        let likeness = strsim::normalized_damerau_levenshtein(word, candidate);
        if likeness >= 0.6 && best.is_none_or(|(so_far, _)| likeness > so_far) {
            best = Some((likeness, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// `a, b, c`, in lines that are not much longer than the others of an error.
pub fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    const WIDTH: usize = 90;
    let (mut text, mut line) = (String::new(), 0);
    for word in words {
        if !text.is_empty() {
            text += if line + word.len() > WIDTH { ",\n    " } else { ", " };
            line = if line + word.len() > WIDTH { 0 } else { line };
        }
        text += word;
        line += word.len() + 2;
    }
    text
}

/// `a, b or c`
pub fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "nothing".into(),
    }
}

/// Tokens as somebody would write them.
pub fn written(tokens: &[TokenTree]) -> String {
    let text = tokens.iter().cloned().collect::<TokenStream>().to_string();
    text.replace(" (", "(")
        .replace("( ", "(")
        .replace(" )", ")")
        .replace(" ,", ",")
        .replace("[ ", "[")
        .replace(" ]", "]")
        .replace(" .", ".")
        .replace(". ", ".")
}
