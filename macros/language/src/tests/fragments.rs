//! Fragments of `macro_rules!` arrive in invisible groups; networks with and without them are the same.

use super::{checked, text};
use crate::report::Errors;
use crate::{check, parse};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use std::str::FromStr;

/// The tokens with each `$( ... )` as the invisible group that rustc makes of a fragment.
fn with_fragments(tokens: TokenStream) -> TokenStream {
    let mut out = Vec::new();
    let mut fragment = false;
    for tree in tokens {
        match tree {
            TokenTree::Punct(punct) if punct.as_char() == '$' => fragment = true,
            TokenTree::Group(group) => {
                let delimiter = if std::mem::take(&mut fragment) { Delimiter::None } else { group.delimiter() };
                out.push(TokenTree::Group(Group::new(delimiter, with_fragments(group.stream()))));
            }
            other => out.push(other),
        }
    }
    out.into_iter().collect()
}

fn shapes(source: &str) -> Vec<String> {
    let mut errors = Errors::default();
    let tokens = with_fragments(TokenStream::from_str(source).unwrap());
    let tokens = parse::prepared(tokens, &mut errors).unwrap();
    let graphs = check::call(&parse::call(tokens, &mut errors), true, &mut errors);
    assert!(errors.all().is_empty(), "{:#?}\n{source}", errors.all());
    graphs[0].nodes.iter().map(|node| format!("{:?} {} {}", node.op, node.label, text(node.shape))).collect()
}

#[test]
fn fragments_change_nothing() {
    let network = |body: &str| format!("$(pub(crate)) struct $(N): [$(3), $(8), 8] -> [$(4)] {{ {body} }}");
    for body in [
        "conv($(4), kernel = $((3, 5)));",
        "conv(4, $(3), pad = $((1, 2, 0, 1)));",
        "conv(2, 1, connections = $([[0, 1], [2]]));",
        "conv(2, 1, connections = [$([0, 1]), [$(2)]]);",
        "conv(4, kernel = 1, bias = $(false)); dropout($(0.5)); dropout(p = $(0.25)); $(leaky_relu)($(-0.1));",
        "if $(channels == 3 && height > 2) { $(relu); } else { $(tanh); }",
        "if !$(channels == 4 || height == 2) { relu; }",
        "residual { conv(4, 1); } shortcut if $(channels) != 4 { conv(4, 1); }",
        "repeat $(3) { relu; }",
        "conv($(1 + 1) * 2, kernel = 9 - $(3 + 2), pad = $(same));",
        "conv($($(1 + 1)) * $(2), kernel = $($((1, 2))));",
        "head $(aux): [$(4)] { global_avg_pool; linear($(4)); }",
        "custom $(inner): $(nn::Act<E, D>) -> [$(3), 8, 8];",
        "custom inner: $(Act) -> $([3, 8, 8]); $(x): $(relu);",
        "$(conv(4, kernel = 3)); b: $({ relu; })",
        "relu; assert macs >= $(1), $(params) < $(60 * 60);",
    ] {
        let source = network(&format!("{body} global_avg_pool; linear(4);"));
        assert_eq!(shapes(&source), by_hand(&source), "{source}");
    }
}

/// The same source as if someone had written the fragments' text by hand.
fn by_hand(source: &str) -> Vec<String> {
    fn written(tokens: TokenStream) -> TokenStream {
        let mut out: Vec<TokenTree> = Vec::new();
        let mut fragment = false;
        for tree in tokens {
            match tree {
                TokenTree::Punct(punct) if punct.as_char() == '$' => fragment = true,
                TokenTree::Group(group) => {
                    let inner = written(group.stream());
                    let text = inner.to_string();
                    let sum = ["+", "&&", "||", "=="].iter().any(|operator| text.contains(operator));
                    if std::mem::take(&mut fragment) && !sum {
                        out.extend(inner);
                    } else {
                        out.push(TokenTree::Group(Group::new(group.delimiter(), inner)));
                    }
                }
                other => out.push(other),
            }
        }
        out.into_iter().collect()
    }
    let (graph, errors) = checked(&written(TokenStream::from_str(source).unwrap()).to_string());
    assert!(errors.is_empty(), "{errors:#?}\n{source}");
    graph.unwrap().nodes.iter().map(|node| format!("{:?} {} {}", node.op, node.label, text(node.shape))).collect()
}
