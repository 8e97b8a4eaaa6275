//! Fragments of `macro_rules!`: `$k:expr` and its like arrive in groups without brackets. They are opened here, once and for
//! everything after it.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::Expr;

/// Whether there is anything to open.
pub fn any(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|tree| match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::None || any(&group.stream()),
        _ => false,
    })
}

/// The tokens with their invisible groups opened. What is computed in a fragment stays together: `$a * 2` with `1 + 2` is
/// `(1 + 2) * 2`.
pub fn opened(tokens: TokenStream) -> TokenStream {
    tokens
        .into_iter()
        .flat_map(|tree| match tree {
            TokenTree::Group(group) => {
                let inner = opened(group.stream());
                let delimiter = match group.delimiter() {
                    Delimiter::None if !computes(&inner) => return inner.into_iter().collect::<Vec<_>>(),
                    Delimiter::None => Delimiter::Parenthesis,
                    other => other,
                };
                let mut new = Group::new(delimiter, inner);
                new.set_span(group.span());
                vec![TokenTree::Group(new)]
            }
            other => vec![other],
        })
        .collect()
}

/// Whether the tokens are an expression that its surroundings could take apart. A type, a path, a visibility or a layer
/// with its arguments is none.
fn computes(tokens: &TokenStream) -> bool {
    let several = tokens.clone().into_iter().nth(1).is_some();
    several && matches!(syn::parse2::<Expr>(tokens.clone()), Ok(Expr::Binary(_) | Expr::Unary(_)))
}
