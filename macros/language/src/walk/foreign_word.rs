//! A word that no layer has: a slip of the pen, or one of another framework, with what to write in its place.

use super::Checker;
use crate::ast::{Arg, Layer};
use crate::habits::{self, Habit};
use crate::parse::{torch, unbraced};
use crate::report::{closest, did_you_mean, listed, one_of};
use crate::values::quote_of;
use crate::words::{self, Word};
use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::Expr;

impl Checker<'_, '_> {
    /// Reports a word that is not known, and says which one was meant.
    pub(super) fn unknown_word(&mut self, layer: &Layer) -> Option<String> {
        let word = layer.word.to_string();
        if self.errors.forgives(&word) {
            return None;
        }
        let blocks: Vec<String> = self.blocks.iter().map(|block| block.name.to_string()).collect();
        let own: Vec<&'static str> = words::all().map(words::Word::name).collect();
        let known = || own.iter().copied().chain(blocks.iter().map(String::as_str));
        // A block may have nearly the same name, and is then what was meant.
        let block = closest(&word, blocks.iter().map(String::as_str));
        let (meant, hint) = match habits::layer(&word, &own) {
            Some(habit @ Habit::Word(meant)) if block.is_none() => (Some(meant), habit.hint()),
            Some(habit @ Habit::Advice(_)) if block.is_none() => (None, advised(habit, layer)),
            _ => (closest(&word, known()), did_you_mean(&word, known())),
        };
        if words::is_structure(&word) {
            let args: Vec<TokenTree> = tokens_of(layer).into_iter().collect();
            self.errors.on(&layer.word, unbraced::structure(&layer.word, &args));
            return None;
        }
        if let Some(layer_here) = translated(layer).filter(|_| block.is_none()) {
            let (word_given, args) = (&layer.word, tokens_of(layer));
            let message = format!("no layer is called `{word}`\n  fix: write `{layer_here};`");
            self.errors.on(quote!(#word_given #args), message);
            return meant.map(str::to_string);
        }
        let hint = if hint.is_empty() { format!("\n  layers: {}", listed(known())) } else { hint };
        self.errors.on(&layer.word, format!("no layer is called `{word}`{hint}"));
        meant.map(str::to_string)
    }

    /// Reports names of options that are another framework's, where all of the layer can be translated.
    pub(super) fn foreign_options(&mut self, layer: &Layer, word: &Word) -> bool {
        let signature = &word.signature;
        let own: Vec<&'static str> = signature.args.iter().map(|spec| spec.name).collect();
        let named = layer.args.iter().filter_map(|arg| arg.name.as_ref().map(ToString::to_string));
        let unknown: Vec<String> = named.filter(|name| signature.arg(name).is_none()).collect();
        // A single one that has a word here is told by that word.
        let is_told = matches!(&unknown[..], [one] if habits::option(one, &own).is_some());
        let place =
            layer.args.iter().filter_map(|arg| arg.name.as_ref()).find(|name| unknown.iter().any(|one| *name == one));
        let tokens: Vec<TokenTree> = tokens_of(layer).into_iter().collect();
        let (Some(place), Some(translated)) = (place.filter(|_| !is_told), torch::alone(word.name(), &tokens)) else {
            return false;
        };
        let options = one_of(unknown.iter().map(String::as_str)).replace(" or ", " and ");
        let what = if unknown.len() > 1 { "options" } else { "option" };
        self.errors.on(place, format!("`{}` has no {what} {options}\n  fix: write `{translated}`", word.name()));
        true
    }
}

/// The arguments of a layer as tokens.
fn tokens_of(layer: &Layer) -> TokenStream {
    let args = &layer.args;
    quote!(#(#args),*)
}

/// A call by a word of another framework as it is written here, where more than its word is another one.
fn translated(layer: &Layer) -> Option<String> {
    let word = layer.word.to_string();
    let is_whole = !layer.args.is_empty() && !layer.broken;
    let found = torch::alone(&word, &tokens_of(layer).into_iter().collect::<Vec<_>>()).filter(|_| is_whole)?;
    let (_, arguments) = found.split_once('(').unwrap_or((&found, ""));
    let as_given = tokens_of(layer).to_string().replace(" ,", ",");
    (arguments.trim_end_matches(')') != as_given).then_some(found)
}

/// What to write for several layers in one, with the numbers that it was given.
fn advised(habit: Habit, layer: &Layer) -> String {
    let hint = habit.hint();
    let literal = |value: &Expr| matches!(value, Expr::Lit(_) | Expr::Tuple(_)).then(|| quote_of(value));
    let placed =
        |place: usize| layer.args.get(place).filter(|arg| arg.name.is_none()).and_then(|arg| literal(&arg.value));
    let named = |names: &[&str]| {
        let is_one = |arg: &&Arg| arg.name.as_ref().is_some_and(|name| names.iter().any(|known| name == known));
        layer.args.iter().find(is_one).and_then(|arg| literal(&arg.value))
    };
    let (Some(out), Some(kernel)) = (placed(0), placed(1).or_else(|| named(&["kernel_size", "kernel"]))) else {
        return hint;
    };
    let stride = placed(2)
        .or_else(|| named(&["strides", "stride"]))
        .map_or(String::new(), |stride| format!(", stride = {stride}"));
    let same = named(&["padding", "pad"]).is_some_and(|pad| pad.to_string().to_lowercase().contains("same"));
    let pad = if same { ", pad = same" } else { "" };
    hint.replace("depthwise(3, pad = 1); conv(out,", &format!("depthwise({kernel}{stride}{pad}); conv({out},"))
}
