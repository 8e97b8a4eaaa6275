//! The table of words against what the layers make of it: each default that is printed is the one that is taken.

use crate::read::{Sizes, read};
use crate::signature::{ArgKind, DefaultValue, Spec};
use crate::values::bare;
use crate::words::{self, Word};
use convnet_graph::Graph;
use quote::ToTokens;
use syn::{Expr, ExprCall};

/// The network of one layer, on a map (or for `linear` a vector, unless it is for each pixel) that it takes.
fn network(word: &Word, layer: &str) -> Result<Graph, String> {
    let input = match word.name() {
        "linear" if !layer.contains("each_pixel = true") => "16",
        "pixel_unshuffle" => "16, 8, 8",
        _ => "16, 9, 9",
    };
    let declared = |output: &str| format!("struct N: [{input}] -> [{output}] {{ {layer}; }}");
    let attempt = |output: &str| {
        let found = read(&declared(output), &Sizes::default());
        found.map(|read| read.into_iter().next().unwrap().graph).map_err(|mistakes| mistakes.to_string())
    };
    // The error for another shape than the declared one says what to declare.
    attempt("1, 1, 2").or_else(|message| match message.split_once("declare `-> [") {
        Some((_, output)) => attempt(output.split(']').next().unwrap()),
        None => Err(message),
    })
}

/// The arguments of a word's example, as (name, value); a flag that is only named has no value.
fn given(word: &Word) -> Vec<(String, Option<String>)> {
    let example = word.signature.example;
    // `name = value` is an assignment in Rust.
    let args = match syn::parse_str(example).unwrap() {
        Expr::Call(ExprCall { args, .. }) => args.into_iter().collect(),
        Expr::Path(_) => Vec::new(),
        _ => panic!("{example}"),
    };
    let mut positional = word.signature.args.iter();
    let text = |expr: &Expr| bare(expr).to_token_stream().to_string();
    args.iter()
        .map(|arg| match arg {
            Expr::Assign(assign) => (text(&assign.left), Some(text(&assign.right))),
            Expr::Path(flag) => (text(&Expr::Path(flag.clone())), None),
            value => (positional.next().unwrap().name.to_string(), Some(text(value))),
        })
        .collect()
}

/// The word with the arguments of its example, but `spec` as in `value`, or left out; and without what it is an alternative to.
fn with(word: &Word, spec: &Spec, value: Option<&str>) -> String {
    let alternatives = word.signature.args.chunk_by(|_, next| next.default == DefaultValue::Instead);
    let excluded = alternatives.into_iter().find(|chunk| chunk.iter().any(|other| other.name == spec.name)).unwrap();
    let kept = given(word).into_iter().filter(|(name, _)| excluded.iter().all(|other| other.name != name));
    let kept = kept.map(|(name, value)| value.map_or(name.clone(), |value| format!("{name} = {value}")));
    let args: Vec<String> = kept.chain(value.map(|value| format!("{} = {value}", spec.name))).collect();
    if args.is_empty() { word.name().into() } else { format!("{}({})", word.name(), args.join(", ")) }
}

/// What is written for an argument's default, next to the other arguments of the example.
fn default(word: &Word, spec: &Spec) -> Option<String> {
    match spec.default {
        DefaultValue::Like(other) => given(word).into_iter().find(|(name, _)| name == other)?.1,
        default => default.written(),
    }
}

/// Another value than the default; none of a flag that holds unless another one is set.
fn other(word: &Word, index: usize) -> Option<String> {
    let spec = &word.signature.args[index];
    let is_chosen = word.signature.args.get(index + 1).is_some_and(|next| next.default == DefaultValue::Instead);
    match spec.default {
        // The number of a layer is at most that of all.
        DefaultValue::Whole(_) if spec.name == "layer" => Some("0".into()),
        DefaultValue::Whole(n) => Some((n + 1).to_string()),
        DefaultValue::Like(_) => default(word, spec).map(|n| (n.parse::<u64>().unwrap() + 1).to_string()),
        DefaultValue::Decimal(_) => Some("0.25".into()),
        DefaultValue::On if is_chosen => None,
        DefaultValue::On => Some("false".into()),
        DefaultValue::Off | DefaultValue::Instead => Some("true".into()),
        DefaultValue::Absent => Some(format!("[{}]", ["[0]"; 16].join(", "))),
        DefaultValue::Required => None,
    }
}

fn optional() -> impl Iterator<Item = (&'static Word, usize, &'static Spec)> {
    let args = |word: &'static Word| word.signature.args.iter().enumerate().map(move |(i, spec)| (word, i, spec));
    words::all().flat_map(args).filter(|(_, _, spec)| !spec.is_required())
}

#[test]
fn every_example_is_right() {
    for word in words::all() {
        assert!(network(word, word.signature.example).is_ok(), "{}", word.name());
        let args = given(word);
        assert!(
            word.signature
                .args
                .iter()
                .all(|spec| !spec.is_required() || args.iter().any(|(name, _)| name == spec.name))
        );
    }
}

/// A network is the same whether a default is written or left out.
#[test]
fn every_default_is_the_one_that_is_taken() {
    let mut tried = 0;
    for (word, _, spec) in optional() {
        let left_out = network(word, &with(word, spec, None));
        assert!(left_out.is_ok(), "{}: {left_out:?}", spec.name);
        let Some(default) = default(word, spec) else { continue };
        let layer = with(word, spec, Some(&default));
        assert_eq!(network(word, &layer), left_out, "{layer}");
        tried += 1;
    }
    // All but the connections of a convolution, for which nothing stands.
    assert_eq!(tried, optional().count() - 1);
}

/// An argument that no function looks at would pass the test above.
#[test]
fn every_argument_makes_a_difference() {
    for (word, index, spec) in optional() {
        let Some(other) = other(word, index) else { continue };
        let layer = with(word, spec, Some(&other));
        let (found, left_out) = (network(word, &layer), network(word, &with(word, spec, None)));
        assert!(found.is_ok(), "{layer}: {found:?}");
        assert_ne!(found, left_out, "{layer}");
    }
}

#[test]
fn the_table_is_consistent() {
    for word in words::all() {
        let args = word.signature.args;
        assert!(word.signature.positional <= args.len(), "{}", word.name());
        assert_eq!(words::all().filter(|other| other.name() == word.name()).count(), 1, "{}", word.name());
        assert!(word.enlarges.is_empty() || word.signature.arg(word.enlarges).is_some(), "{}", word.name());
        assert!(!word.help.is_empty() && word.help.ends_with('.') && !word.shape.is_empty(), "{}", word.name());
        for (index, spec) in args.iter().enumerate() {
            let what = format!("`{}` of `{}`", spec.name, word.name());
            assert!(spec.help.ends_with('.'), "{what}");
            assert_eq!(args.iter().filter(|other| other.name == spec.name).count(), 1, "{what}");
            let fits = match spec.default {
                DefaultValue::Required => true,
                DefaultValue::Absent => spec.kind == ArgKind::Table,
                DefaultValue::Whole(_) => !matches!(spec.kind, ArgKind::Float | ArgKind::Flag | ArgKind::Table),
                DefaultValue::Decimal(_) => spec.kind == ArgKind::Float,
                DefaultValue::On | DefaultValue::Off => spec.kind == ArgKind::Flag,
                DefaultValue::Instead => spec.kind == ArgKind::Flag && index > 0 && !args[index - 1].is_required(),
                DefaultValue::Like(other) => {
                    word.signature.arg(other).is_some_and(|other| other.is_required() && other.kind == spec.kind)
                }
            };
            assert!(fits && (spec.kind != ArgKind::Float || !spec.is_required()), "{what}");
        }
    }
}

#[test]
fn signatures_are_written_with_their_defaults() {
    let written = |word: &str| words::find(word).unwrap().signature.to_string();
    assert_eq!(written("relu"), "relu");
    assert_eq!(written("batch_norm"), "batch_norm(eps = 1e-5, momentum = 0.1)");
    assert_eq!(written("max_pool"), "max_pool(kernel, stride = kernel, pad = 0, ceil = false, dilation = 1)");
    assert_eq!(written("upsample"), "upsample(scale, nearest | bilinear)");
    assert_eq!(written("pad"), "pad(amount, value = 0 | reflect | replicate | circular)");
    let conv = "conv(out, kernel, stride = 1, pad = 0, dilation = 1, groups = 1, bias = true)";
    assert_eq!(written("conv"), conv);
    assert_eq!(DefaultValue::Decimal(1.0).written().unwrap(), "1");
    assert_eq!(DefaultValue::Decimal(0.01).written().unwrap(), "0.01");
    assert_eq!(DefaultValue::Decimal(-1e-4).written().unwrap(), "-1e-4");
}
