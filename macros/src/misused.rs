//! What is wrong with a call of a macro that `#[export]` made. The macro's own patterns take what is right; its last one hands everything
//! else here, since all that `macro_rules!` itself would say is that it did not expect some token.

use convnet_language::report::Errors;
use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::quote;

/// What stands before the tokens of a call that no pattern took.
pub fn mark(name: &Ident) -> TokenStream {
    quote!(__misused #name)
}

/// The error of such a call, if this is one.
pub fn error(tokens: &TokenStream) -> Option<Errors> {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    match trees.split_first_chunk() {
        Some(([TokenTree::Ident(mark), TokenTree::Ident(name)], call)) if mark == "__misused" => {
            let mut errors = Errors::default();
            complain(name, call, &mut errors);
            Some(errors)
        }
        _ => None,
    }
}

fn complain(name: &Ident, call: &[TokenTree], errors: &mut Errors) {
    let form = format!("write `{name}! {{ pub struct Name: [C, H, W] -> [N] }}`");
    let is = |tree: &TokenTree, sign: char| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == sign);
    let structs: Vec<usize> =
        (0..call.len()).filter(|at| matches!(&call[*at], TokenTree::Ident(word) if word == "struct")).collect();
    let (Some(first), Some(last)) = (structs.first(), call.last()) else {
        let message = format!("`{name}!` declares a network with the layers of another one: {form}");
        return match call.first() {
            Some(tree) => errors.on(tree, message),
            None => errors.at(name.span(), message),
        };
    };
    let body =
        call.iter().find(|tree| matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace));
    let arrow =
        (*first..call.len()).find(|at| is(&call[*at], '-') && call.get(at + 1).is_some_and(|next| is(next, '>')));
    if let Some(body) = body {
        let message = format!(
            "`{name}!` brings its layers with it: nothing in braces stands after the output\n  to change layers, write the network out in `cnn!`"
        );
        errors.on(body, message);
    } else if let Some(second) = structs.get(1) {
        errors.on(&call[*second], format!("a call of `{name}!` declares one network; call it once more for another"));
    } else if is(last, ';') {
        errors.on(last, "no `;` stands after the output; leave it out");
    } else if let Some(arrow) = arrow {
        match &call[arrow + 2..] {
            [TokenTree::Group(output)] if output.delimiter() == Delimiter::Bracket => {
                errors.on(output, format!("the output of `{name}!` is one size, a number or a const generic: {form}"));
            }
            [] => errors.on(&call[arrow], format!("after `->` stands the output; {form}")),
            [other, ..] => errors.on(other, format!("the output stands in brackets; {form}")),
        }
    } else {
        errors.on(last, format!("the output is missing; {form}"));
    }
}
