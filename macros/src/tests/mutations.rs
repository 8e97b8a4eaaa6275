//! Broken input: whatever is deleted, doubled, swapped or replaced in a network, the macro answers with Rust or with
//! errors whose spans lie inside the input, and never panics.

use crate::expand;
use convnet_language::report::Errors;
use proc_macro2::{Delimiter, Group, Literal, Span, TokenStream, TokenTree};
use std::str::FromStr;

const NETWORKS: [&str; 5] = [
    "block b(out, stride = 1) {
        residual { c: conv(out, 3, stride, pad = 1); } shortcut if stride != 1 || channels != out { d: conv(out, 1, stride); }
        if out > 3 { relu; } else if out == 2 { tanh; } else { gelu; }
    }
    pub struct R: [3, 8, 8] -> [4] {
        x: { repeat 2 { b(4); } b(8, stride = 2); }
        y: concat { p: conv(4, 1); q: { conv(2, 1); relu; } max_pool(3, stride = 1, pad = 1); }
        global_avg_pool; linear(4);
    }",
    "/// Doc.
    pub struct A<const K: usize = 10>: [1, 28, 28] -> [K] {
        conv1: conv(6, kernel = (5, 5), pad = 2, stride = (1, 1)); relu; max_pool(2, ceil);
        tail: { conv(16, 5, bias = false); batch_norm(eps = 1e-5); prelu(per_channel); lrn(5, k = 2.0); }
        conv(6, 1, groups = 2, dilation = 1 + 0 * 2); conv(3, 3, pad = same);
        conv(2, 1, connections = [[0, 1], [2]]); subsample(2); channel_avg_pool(2); dropout(0.5);
        global_avg_pool; fc: linear(K); softmax; assert params <= 62_000, macs <= 4_200_000, receptive_field >= 3;
    }",
    "struct B: [12] -> [3] { a: linear(4); tanh; linear(3, bias = false); } struct C: [3, 4, 4] -> [3, 2, 2] { avg_pool(2); }",
    "block c(out) { custom act: nn::Sigmoid -> [channels, 8, 8]; conv(out, 1); }
    /// Doc.
    #[export(other)] #[derive(Marker)]
    pub struct H<const N: usize = 3>: [4, 8, 8] -> [N] {
        c(6); head side: [N] { global_avg_pool; fc: linear(N); }
        custom inner: super::Other<N, E, D> -> [6, 8, 8]; head map: [2, 8, 8] = conv(2, 1);
        flatten; identity; linear(N); log_softmax;
    }",
    "struct L: [8, 8, 8] -> [4] {
        depthwise(3, pad = same, multiplier = 2); group_norm(4, eps = 1e-3); hard_swish; squeeze_excite(reduction = 4);
        channel_shuffle(2); pixel_shuffle(2); upsample((2, 1), bilinear); crop((8, 8, 0, 0)); instance_norm(affine);
        conv_transpose(8, 2, stride = 2, output_pad = 1, groups = 2, bias = false); pad(1, reflect); dropout2d(0.2);
        channel_pad((0, 4)); layer_norm; min_pool(3, stride = 2); adaptive_avg_pool(2, 1); global_max_pool; linear(4);
        assert peak_activations <= 8 * 4096, activations > 5;
    }",
];

/// All the trees of a stream with the path to each.
fn places(tokens: &[TokenTree], path: &[usize], all: &mut Vec<Vec<usize>>) {
    for (i, tree) in tokens.iter().enumerate() {
        let here = [path, &[i]].concat();
        all.push(here.clone());
        if let TokenTree::Group(group) = tree {
            places(&group.stream().into_iter().collect::<Vec<_>>(), &here, all);
        }
    }
}

/// The stream with `change` applied to the list of trees that the one at `path` is in.
fn changed(tokens: &[TokenTree], path: &[usize], change: &dyn Fn(&mut Vec<TokenTree>, usize)) -> Vec<TokenTree> {
    let mut tokens = tokens.to_vec();
    match path {
        [last] => change(&mut tokens, *last),
        [first, rest @ ..] => {
            if let TokenTree::Group(group) = &tokens[*first] {
                let inner = changed(&group.stream().into_iter().collect::<Vec<_>>(), rest, change);
                let mut new = Group::new(group.delimiter(), inner.into_iter().collect());
                new.set_span(group.span());
                tokens[*first] = TokenTree::Group(new);
            }
        }
        [] => {}
    }
    tokens
}

fn inside(errors: &Errors, lines: usize) {
    for error in errors.all() {
        let start = error.span().start();
        assert!(start.line <= lines, "an error at line {} of {lines}: {error}", start.line);
    }
}

/// A test for each network, so that they run side by side.
#[test]
fn no_mutation_of_branches_panics() {
    mutate(NETWORKS[0]);
}

#[test]
fn no_mutation_of_arguments_panics() {
    mutate(NETWORKS[1]);
}

#[test]
fn no_mutation_of_vectors_panics() {
    mutate(NETWORKS[2]);
}

#[test]
fn no_mutation_of_heads_panics() {
    mutate(NETWORKS[3]);
}

#[test]
fn no_mutation_of_layers_panics() {
    mutate(NETWORKS[4]);
}

fn mutate(source: &str) {
    let literals = [
        "0",
        "1",
        "65536",
        "4294967295",
        "4294967296",
        "18446744073709551615",
        "170141183460469231731687303715884105728",
        "1u8",
        "2.5",
        "1e999",
        "\"x\"",
        "'c'",
        "b\"y\"",
    ];
    let mut tried = 0;
    assert!(super::errors(source).is_empty(), "{:#?}", super::errors(source));
    let tokens: Vec<TokenTree> = TokenStream::from_str(source).unwrap().into_iter().collect();
    let mut all = Vec::new();
    places(&tokens, &[], &mut all);
    let mut changes: Vec<Box<dyn Fn(&mut Vec<TokenTree>, usize)>> = vec![
        Box::new(|list, i| drop(list.remove(i))),
        Box::new(|list, i| list.insert(i, list[i].clone())),
        Box::new(|list, i| {
            let next = (i + 1) % list.len();
            list.swap(i, next);
        }),
        Box::new(|list, i| list.truncate(i)),
        Box::new(|list, i| list[i] = TokenTree::Group(Group::new(Delimiter::Parenthesis, TokenStream::new()))),
        Box::new(|list, i| list[i] = TokenTree::Group(Group::new(Delimiter::Brace, list[i].clone().into()))),
    ];
    for word in ["conv", "self", "if", "K", "channels", "assert", "residual", "r#type", "same", "ceil"] {
        let ident: TokenTree = TokenStream::from_str(word).unwrap().into_iter().next().unwrap();
        changes.push(Box::new(move |list, i| list[i] = ident.clone()));
    }
    for literal in literals {
        let literal: TokenTree = Literal::from_str(literal).unwrap().into();
        changes.push(Box::new(move |list, i| list[i] = literal.clone()));
    }
    for path in &all {
        for change in &changes {
            let mutated: TokenStream = changed(&tokens, path, change.as_ref()).into_iter().collect();
            let mut errors = Errors::default();
            convnet_language::check(mutated.clone(), &mut errors);
            // Without errors every size is known.
            assert!(errors.all().iter().all(|error| !error.to_string().contains("lost the size")), "{mutated}");
            inside(&errors, source.lines().count());
            let rust = expand(mutated);
            // What comes out is always Rust.
            let parsed = syn::parse2::<syn::File>(rust.clone());
            assert!(parsed.is_ok(), "{:?}\n{rust}", parsed.err());
            tried += 1;
        }
    }
    assert!(tried > 1_000, "only {tried} mutations");
}

#[test]
fn depth_and_length_are_bounded() {
    for depth in [10, 63, 64, 65, 200] {
        let source = format!("struct N: [1] -> [1] {{ linear({}1{}); }}", "(".repeat(depth), ")".repeat(depth));
        expand(TokenStream::from_str(&source).unwrap());
    }
    let long = format!("struct N: [1] -> [1] {{ linear(1{}); }}", " + 1".repeat(1000));
    let text = expand(TokenStream::from_str(&long).unwrap()).to_string();
    assert!(text.contains("too long"), "{text}");
    let _ = Span::call_site();
}

/// syn recurses into all of these; 20,000 of them once took the compiler down with its stack.
#[test]
fn chains_are_bounded() {
    let chain = |link: &str| link.repeat(20_000);
    for layer in [
        format!("linear({}1);", chain("- ")),
        format!("linear({}1);", chain("1 + ")),
        format!("linear({}1);", chain("! ")),
        format!("linear({}1);", chain("|| ")),
        format!("linear(a{});", chain("[0]")),
        format!("linear(if a {{ 1 }} {});", chain("else if a { 2 } ")),
        format!("if channels == 1 {{ relu; }} {}", chain("else if channels == 2 { relu; } ")),
    ] {
        let source = format!("struct N: [1] -> [1] {{ {layer} }}");
        let text = expand(TokenStream::from_str(&source).unwrap()).to_string();
        assert!(text.contains("too long"), "{}", &layer[..40]);
    }
}

/// The bound is on one statement or argument, not on what is long for a good reason.
#[test]
fn long_networks_and_tables_are_accepted() {
    let row = "[0, 1, 2]";
    let table = format!("[{}]", [row; 600].join(", "));
    let layers = format!("{} conv(600, kernel = 1, connections = {table});", "relu; ".repeat(1_000));
    let sequences: String = (0..600).map(|i| format!("s{i}: {{ relu; }} ")).collect();
    let docs = "/// A line of documentation.\n".repeat(1_000);
    let source = format!("{docs} struct N: [3, 4, 4] -> [600, 4, 4] {{ {layers} {sequences} }}");
    let text = expand(TokenStream::from_str(&source).unwrap()).to_string();
    assert!(!text.contains("compile_error"), "{}", &text[..400]);
}

#[test]
fn the_same_tokens_give_the_same_code() {
    let source = TokenStream::from_str(NETWORKS[0]).unwrap();
    let first = expand(source.clone()).to_string();
    for _ in 0..20 {
        assert_eq!(expand(source.clone()).to_string(), first);
    }
}
