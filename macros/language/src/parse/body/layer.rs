//! One layer: its word and its arguments.

use crate::ast::{Arg, Layer, Name};
use crate::parse::tokens::is;
use crate::report::{Errors, written};
use proc_macro2::{Punct, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{BinOp, Expr, ExprBinary, Ident, Token};

/// `word` or `word(args)`. Where the arguments are not understood, the word still is.
pub(super) fn layer(name: Option<Name>, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Layer> {
    if !input.peek(Ident::peek_any) {
        return Err(input.error("expected a layer, such as `conv(16, kernel = 3)`"));
    }
    let word = input.call(Ident::parse_any)?;
    let (mut list, mut broken) = (Vec::new(), false);
    if input.peek(syn::token::Paren) {
        let content;
        syn::parenthesized!(content in input);
        let tokens: Vec<TokenTree> = content.fork().parse::<TokenStream>()?.into_iter().collect();
        let read = match with_equals(&tokens) {
            Some((place, meant)) => {
                let call = written(&meant);
                errors.on(place, format!("an option has `=`\n  fix: write `{word}({call})`"));
                content.parse::<TokenStream>()?;
                let all = |input: ParseStream<'_>| args(input, &mut list);
                all.parse2(meant.into_iter().collect())
            }
            None => args(&content, &mut list),
        };
        if let Err(error) = read {
            errors.add(error);
            content.parse::<TokenStream>()?;
            broken = true;
        }
    }
    Ok(Layer { name, word, args: list, broken })
}

fn args(input: ParseStream<'_>, args: &mut Vec<Arg>) -> syn::Result<()> {
    while !input.is_empty() {
        let mut name = None;
        if input.peek(Ident::peek_any) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
            name = Some(input.call(Ident::parse_any)?);
            input.parse::<Token![=]>()?;
        }
        if input.is_empty() || input.peek(Token![,]) {
            return Err(input.error("expected a value"));
        }
        if input.peek(Token![...]) {
            return Err(input.error("expected a value in place of `...`"));
        }
        if input.peek(Token![.]) && input.peek2(syn::LitInt) {
            let ahead = input.fork();
            ahead.parse::<Token![.]>()?;
            let digits: syn::LitInt = ahead.parse()?;
            return Err(input.error(format!("a number begins with a digit\n  fix: write `0.{digits}`")));
        }
        let value: Expr = input.parse()?;
        if let (None, Expr::Binary(ExprBinary { left, op: BinOp::Eq(_), right, .. })) = (&name, &value)
            && matches!(**left, Expr::Path(_))
        {
            let option = written(&quote::quote!(#left = #right).into_iter().collect::<Vec<_>>());
            let message = format!("an option has one `=`\n  fix: write `{option}`");
            return Err(syn::Error::new_spanned(value, message));
        }
        if matches!(value, Expr::Path(_))
            && name.is_none()
            && let Ok(number) = input.fork().parse::<syn::Lit>()
        {
            let (option, number) = (value.to_token_stream(), number.to_token_stream());
            let message = format!("an option has `=`\n  fix: write `{option} = {number}`");
            return Err(syn::Error::new_spanned(quote::quote!(#option #number), message));
        }
        args.push(Arg { name, value });
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

/// `kernel: 5, pad: 2` as it is written here, and the first sign at fault.
fn with_equals(tokens: &[TokenTree]) -> Option<(TokenTree, Vec<TokenTree>)> {
    let (mut place, mut meant) = (None, Vec::new());
    let mut is_start = true;
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| tokens.get(before));
        let is_colon =
            matches!(token, TokenTree::Punct(mark) if mark.as_char() == ':' && mark.spacing() == Spacing::Alone);
        if is_start && is_colon && matches!(before, Some(TokenTree::Ident(_))) && tokens.get(index + 1).is_some() {
            place.get_or_insert_with(|| token.clone());
            let mut equals = Punct::new('=', Spacing::Alone);
            equals.set_span(token.span());
            meant.push(TokenTree::Punct(equals));
        } else {
            meant.push(token.clone());
        }
        // The second token of an argument is where its `=` stands.
        is_start = index == 0 || before.is_some_and(|before| is(before, ','));
    }
    place.map(|place| (place, meant))
}
