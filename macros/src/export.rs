//! `#[export(name)]`: a `macro_rules!` that declares the same layers at another input and output size, in any crate.
//!
//! It repeats the blocks and the body as they were written, so every shape is checked anew where it is used. The const
//! generic that the output is declared with stands for whatever the user declares, and stays in the source of the new network;
//! budgets stay behind, since they hold for the original's sizes.

use crate::misused;
use convnet_language::ast::Network;
use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, TokenStream, TokenTree};
use quote::{format_ident, quote};
use syn::Expr;

/// The macros of the networks that ask for one; `tokens` is the whole macro call.
pub fn macros(tokens: &TokenStream, networks: &[Network]) -> TokenStream {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let blocks = blocks(&trees);
    let exported = networks.iter().filter_map(|network| Some((network, network.export.as_ref()?)));
    exported.map(|(network, name)| one(network, name, &blocks)).collect()
}

fn one(network: &Network, name: &Ident, blocks: &TokenStream) -> TokenStream {
    let d = Punct::new('$', Spacing::Alone);
    let symbol = match network.output.as_slice() {
        [Expr::Path(path)] => path.path.get_ident().cloned(),
        _ => None,
    };
    let body = without_budgets(network.tokens.clone());
    let conditions = network.conditions();
    let allowed = (!network.allowed.is_empty()).then_some(&network.allowed);
    let allowed = allowed.map(|lints| quote!(#[allow(#(#lints),*)]));
    // With a number for it, the const generic stays in the source of the new network and has that number here.
    let numbered = symbol.as_ref().map(|symbol| {
        quote! {
            (
                #d(#[#d(#d meta:tt)*])* #d vis:vis struct #d name:ident : [#d(#d input:tt)*] -> [#d number:literal]
            ) => {
                ::__convnet::cnn! {
                    #blocks
                    #d(#[#d(#d meta)*])* #allowed #[__instance] #[__fixed(#symbol)] #d vis struct #d name<const #symbol: usize = #d number>
                    : [#d(#d input)*] -> [#symbol] { #body }
                }
            };
        }
    });
    let (pattern, output, body) = match &symbol {
        Some(symbol) => (quote!(#d #symbol:tt), quote!(#d #symbol), substituted(body, symbol)),
        None => (quote!(#d(#d output:tt)*), quote!(#d(#d output)*), body),
    };
    let generics = format_ident!("symbol");
    let (docs, misused) = (docs(network, name), misused::mark(name));
    quote! {
        #(#conditions)*
        #(#[doc = #docs])*
        #[macro_export]
        macro_rules! #name {
            #numbered
            (
                #d(#[#d(#d meta:tt)*])* #d vis:vis struct #d name:ident
                #d(<#d(const #d #generics:ident : usize #d(= #d default:literal)?),* #d(,)?>)?
                : [#d(#d input:tt)*] -> [#pattern]
            ) => {
                ::__convnet::cnn! {
                    #blocks
                    #d(#[#d(#d meta)*])* #allowed #[__instance] #d vis struct #d name
                    #d(<#d(const #d #generics : usize #d(= #d default)?),*>)?
                    : [#d(#d input)*] -> [#output] { #body }
                }
            };
            (#d(#d other:tt)*) => { ::__convnet::cnn! { #misused #d(#d other)* } };
        }
    }
}

/// What rustdoc says about the macro: how it is used, and how it is reached.
fn docs(network: &Network, name: &Ident) -> Vec<String> {
    vec![
        format!(" Declares a network with the layers of [`{}`] at other sizes:", network.name),
        format!(" `{name}! {{ pub struct Name: [C, H, W] -> [N] }}`."),
        String::new(),
        format!(
            " From other crates it is a macro of this crate's root. In this crate it is called by its name alone, `{name}!`:"
        ),
        format!(
            " after its `cnn!` call, or after the module of that call if the module has `#[macro_use]`. By a path it is reached"
        ),
        format!(" after `pub(crate) use {name};` beside the call; rustc refuses `crate::{name}!`."),
    ]
}

/// `block name(...) { ... }`, each time, with its attributes.
fn blocks(trees: &[TokenTree]) -> TokenStream {
    let is_block = |window: &&[TokenTree]| match window {
        [TokenTree::Ident(word), TokenTree::Ident(_), TokenTree::Group(params), TokenTree::Group(body)] => {
            word == "block" && params.delimiter() == Delimiter::Parenthesis && body.delimiter() == Delimiter::Brace
        }
        _ => false,
    };
    let found = trees.windows(4).enumerate().filter(|(_, window)| is_block(window));
    let with_attributes = |at: usize| {
        let mut start = at;
        while let Some([TokenTree::Punct(mark), TokenTree::Group(_)]) =
            start.checked_sub(2).and_then(|s| trees.get(s..start))
            && mark.as_char() == '#'
        {
            start -= 2;
        }
        trees.get(start..at + 4).unwrap_or_default()
    };
    found.flat_map(|(at, _)| with_attributes(at)).cloned().collect()
}

/// The statements that are no budgets.
fn without_budgets(body: TokenStream) -> TokenStream {
    let (mut kept, mut skipping, mut starts) = (TokenStream::new(), false, true);
    for tree in body {
        skipping |= starts && matches!(&tree, TokenTree::Ident(word) if word == "assert");
        let ends = match &tree {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            _ => false,
        };
        if !skipping {
            kept.extend([tree]);
        }
        skipping &= !ends;
        starts = ends;
    }
    kept
}

/// The const generic as a variable of the macro.
fn substituted(body: TokenStream, symbol: &Ident) -> TokenStream {
    body.into_iter()
        .flat_map(|tree| match tree {
            TokenTree::Ident(name) if name == *symbol => {
                vec![TokenTree::Punct(Punct::new('$', Spacing::Alone)), TokenTree::Ident(name)]
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), substituted(group.stream(), symbol));
                inner.set_span(group.span());
                vec![TokenTree::Group(inner)]
            }
            other => vec![other],
        })
        .collect()
}
