//! One layer by itself, for whoever writes networks down and needs to know what a layer makes of a shape.

use crate::ast::Network;
use crate::graph::Shape;
use crate::report::Errors;
use crate::walk::Checker;
use crate::{parse, text};
use proc_macro2::TokenStream;
use std::str::FromStr;

/// The shape that a layer, `conv(8, kernel = 3)`, gives on an input of the shape `[C, H, W]` or `[N]`.
///
/// As [`read`](crate::read), this is for programs, and clears this thread's map of source places.
///
/// # Errors
/// What the language says about the layer, without the lines that say where it stands.
pub fn shape(layer: &str, input: &[usize]) -> Result<Vec<usize>, String> {
    let found = attempt(layer, input);
    proc_macro2::extra::invalidate_current_thread_spans();
    found
}

/// Whether a word can be the name of a layer as it is: an identifier that is no keyword of Rust.
pub fn is_name(word: &str) -> bool {
    syn::parse_str::<syn::Ident>(word).is_ok()
}

fn attempt(layer: &str, input: &[usize]) -> Result<Vec<usize>, String> {
    let sizes: Vec<String> = input.iter().map(usize::to_string).collect();
    let source = format!("struct Alone: [{}] -> [1] {{ {layer}; }}", sizes.join(", "));
    if let Some((_, message)) = text::excess(&source) {
        return Err(message);
    }
    let tokens = TokenStream::from_str(&source).map_err(|_| text::NO_TOKENS.to_string())?;
    let mut errors = Errors::default();
    let call = parse::prepared(tokens, &mut errors).map(|tokens| parse::call(tokens, &mut errors));
    let shape = call.as_ref().and_then(|call| call.networks.first()).map(|network| walked(network, input, &mut errors));
    match (errors.all().first(), shape) {
        (None, Some(Some(shape))) => Ok(shape),
        (Some(error), _) => {
            let text = error.to_string();
            Err(text.lines().next().unwrap_or_default().into())
        }
        (None, _) => Err(text::NO_TOKENS.into()),
    }
}

fn walked(network: &Network, input: &[usize], errors: &mut Errors) -> Option<Vec<usize>> {
    let dims = crate::check::declared(&network.input, false, network, errors);
    let mut checker = Checker::new(network, &[], errors);
    checker.input(dims);
    checker.root(&network.body);
    let known = |dims: &[crate::cost::Dim]| {
        dims.iter().map(|dim| dim.known().and_then(|size| usize::try_from(size).ok())).collect::<Option<Vec<usize>>>()
    };
    match checker.shape() {
        _ if input.is_empty() => None,
        Shape::Map(dims) => known(&dims),
        Shape::Vector(dim) => known(&[dim]),
        Shape::Unknown => None,
    }
}
