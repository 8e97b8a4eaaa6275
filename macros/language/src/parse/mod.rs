//! Tokens to AST.
//!
//! ```text
//! call      = { [ docs ] allow "block" name "(" { name [ "=" value ] } ")" "{" body "}" | network }
//! network   = attributes [ "#[export(name)]" ] visibility "struct" Name [ "<" { "const" NAME ":" "usize" [ "=" int ] } ">" ]
//!               ":" "[" dims "]" "->" "[" dims "]" "{" body "}"
//! body      = { allow ( [ called ] word [ "(" args ")" ] ";" | called "{" body "}" | "assert" clause { "," clause } ";"
//!             | "repeat" value "{" body "}" | "if" condition "{" body "}" [ "else" "{" body "}" ]
//!             | [ called ] ("residual" | "gate") "{" body "}" [ "shortcut" [ "if" condition ] "{" body "}" ]
//!             | [ called ] "concat" "{" ( body | "{" body "}" ) "}" | ( "head" | "output" ) called "[" dims "]" ( "{" body "}" | "=" word [ "(" args ")" ] ";" )
//!             | "custom" called type "->" "[" dims "]" ";" ) }
//! allow     = { "#[allow(" lint { "," lint } ")]" }
//! called    = name [ "as" "key" ] ":"
//! args      = { value | name "=" value }
//! ```
//!
//! A statement that does not parse costs only itself.

mod attributes;
mod body;
mod foreign;
mod fragments;
mod limits;
mod meaning;
mod names;
mod python;
mod tokens;
pub mod torch;
pub mod unbraced;

use crate::ast::{Block, BlockParam, Call, Fixed, Network, Symbol};
use crate::report::{Errors, written};
use crate::values::SIZE;
use crate::words;
use body::statements;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, LitInt, Token, Visibility, bracketed};

/// A network has no more const generics than this, and a block no more parameters.
const NUMBERS: usize = 64;

/// The tokens of a macro call as the parser wants them: within limits, and without invisible groups. `None` after an error.
pub fn prepared(tokens: TokenStream, errors: &mut Errors) -> Option<TokenStream> {
    let mut tokens = tokens;
    let mut exceeded = limits::exceeded(&tokens);
    if exceeded.is_none() && fragments::any(&tokens) {
        tokens = fragments::opened(tokens);
        // What was opened lies in its surroundings now.
        exceeded = limits::exceeded(&tokens);
    }
    match exceeded {
        Some((span, message)) => {
            errors.at(span, message);
            None
        }
        None => Some(tokens),
    }
}

/// Parses a macro call; the tokens are [`prepared`].
pub fn call(tokens: TokenStream, errors: &mut Errors) -> Call {
    if tokens.is_empty() {
        errors.at(Span::call_site(), "expected a network, such as `pub struct Net: [1, 28, 28] -> [10] { ... }`");
    }
    let all = |input: ParseStream<'_>| {
        let mut call = Call::default();
        while !input.is_empty() && !errors.are_many() {
            if input.peek(Token![#]) && input.peek2(Token![!]) {
                of_file(&input.call(Attribute::parse_inner)?, errors);
                continue;
            }
            if input.peek(Token![;]) && !(call.networks.is_empty() && call.blocks.is_empty()) {
                let place: Token![;] = input.parse()?;
                errors.on(place, "a network ends with its brace\n  fix: leave out this `;`");
                continue;
            }
            let ahead = input.fork();
            let is_block = ahead.call(Attribute::parse_outer).is_ok()
                && ahead.call(Ident::parse_any).is_ok_and(|word| word == "block");
            let parsed = match is_block {
                true => block(input, errors).map(|block| add_block(&mut call, block, errors)),
                false => network(input, errors).map(|network| add_network(&mut call, network, errors)),
            };
            match parsed {
                Ok(()) => {}
                Err(error) => {
                    errors.add(error);
                    call.is_cut = true;
                    // Nothing after a broken header can be told apart from it.
                    input.parse::<TokenStream>()?;
                }
            }
        }
        if errors.are_many() {
            call.is_cut = true;
            input.parse::<TokenStream>()?;
        }
        Ok(call)
    };
    all.parse2(tokens).unwrap_or_else(|error| {
        errors.add(error);
        Call { is_cut: true, ..Call::default() }
    })
}

/// A file may begin with `//!`; there is no other attribute of all that stands in it.
fn of_file(attributes: &[Attribute], errors: &mut Errors) {
    for attribute in attributes.iter().filter(|attribute| !attribute.path().is_ident("doc")) {
        errors.on(attribute, "an attribute stands before a network, a block or a layer: `#[...]` without `!`");
    }
}

fn add_block(call: &mut Call, block: Block, errors: &mut Errors) {
    match call.blocks.iter().any(|known| known.name == block.name) {
        true => errors.on(&block.name, format!("the block `{}` is declared already", block.name)),
        false => call.blocks.push(block),
    }
}

/// A network whose name cannot be a struct is checked by nobody: its errors would only follow from that.
fn add_network(call: &mut Call, network: Network, errors: &mut Errors) {
    let name = &network.name;
    let same = |known: &&Network| known.name.unraw() == name.unraw();
    if names::is_generated_generic(name) {
        let message = format!("`{name}` is taken: `E` is a network's dtype and `D` its device; use a longer name");
        return errors.on(name, message);
    }
    if name.to_string().starts_with("__") {
        return errors.on(name, "names that start with `__` are reserved");
    }
    // Of two with conditions, rustc may see only one.
    let conditional = |network: &Network| network.conditions().next().is_some();
    if call.networks.iter().find(same).is_some_and(|known| !conditional(known) && !conditional(&network)) {
        return errors.on(name, format!("the network `{name}` is declared already"));
    }
    if let Some(export) = &network.export
        && call.networks.iter().any(|known| known.export.as_ref() == Some(export))
    {
        errors.on(export, format!("the macro `{export}` is exported already"));
    }
    call.is_cut |= network.headless;
    call.networks.push(network);
}

fn block(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Block> {
    let docs = input.call(Attribute::parse_outer)?;
    let allowed = attributes::of_block(&docs, errors);
    input.call(Ident::parse_any)?;
    let name: Ident = input.parse()?;
    if words::find(&name.to_string()).is_some() || words::is_structure(&name.to_string()) {
        errors.on(&name, format!("`{name}` is a word of the language and cannot name a block"));
    }
    if !input.peek(syn::token::Paren) {
        let message =
            format!("a block has its parameters in brackets, if need be none\n  fix: write `block {name}() {{ ... }}`");
        return Err(input.error(message));
    }
    let content;
    syn::parenthesized!(content in input);
    let mut params: Vec<BlockParam> = Vec::new();
    while !content.is_empty() {
        let name: Ident = content.parse()?;
        let default = if content.parse::<Option<Token![=]>>()?.is_some() { Some(content.parse()?) } else { None };
        if params.iter().any(|param| param.name == name) {
            errors.on(&name, format!("`{name}` is declared twice"));
        }
        names::check_number(&name, errors);
        if params.len() == NUMBERS {
            return Err(syn::Error::new_spanned(name, format!("a block has at most {NUMBERS} parameters")));
        }
        params.push(BlockParam { name, default });
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    let body: Group = input.parse()?;
    if body.delimiter() != Delimiter::Brace {
        return Err(syn::Error::new(body.span(), "expected the layers of the block in braces: `{ ... }`"));
    }
    Ok(Block { docs, allowed, name, params, body: statements(body.stream(), errors) })
}

fn network(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Network> {
    let read = attributes::read(input.call(Attribute::parse_outer)?, errors);
    let attributes::Read { export, fixed, instance, allowed, attrs } = read;
    let vis: Visibility = input.parse()?;
    if input.peek(Ident::peek_any) && !input.peek(Token![struct]) {
        let word = input.call(Ident::parse_any)?;
        let message =
            format!("expected `struct`, found `{word}`; a network starts with `pub struct Name: [C, H, W] -> [N]`");
        return Err(syn::Error::new_spanned(word, message));
    }
    input.parse::<Token![struct]>()?;
    let name: Ident = input.parse()?;
    let symbols = if input.peek(Token![<]) { symbols(input, &name, errors) } else { Ok(Vec::new()) };
    let head = symbols.and_then(|symbols| Ok((shapes(input, errors)?, symbols)));
    let headless = head.is_err();
    let (Shapes { input: input_dims, output, layers: tokens }, symbols) = head.or_else(|error| {
        errors.add(error);
        syn::Result::Ok((Shapes { layers: next_body(input)?, ..Shapes::default() }, Vec::new()))
    })?;
    let body = statements(tokens.clone(), errors);
    let (fixed, symbols): (Vec<_>, Vec<_>) = symbols.into_iter().partition(|symbol| fixed.contains(&symbol.name));
    let number = |Symbol { name, default }| default.map(|number| Fixed { name, number });
    let fixed = fixed.into_iter().filter_map(number).collect();
    Ok(Network {
        attrs,
        allowed,
        export,
        instance,
        vis,
        name,
        symbols,
        fixed,
        input: input_dims,
        output,
        headless,
        body,
        tokens,
    })
}

/// What comes after the name of a network.
#[derive(Default)]
struct Shapes {
    input: Vec<Expr>,
    output: Vec<Expr>,
    layers: TokenStream,
}

fn shapes(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Shapes> {
    let hint = "expected the shapes after the name, such as `: [1, 28, 28] -> [10]`";
    let say = |error: syn::Error| syn::Error::new(error.span(), hint);
    if input.peek(syn::token::Paren)
        && let Some(found) = in_brackets(input, errors)?
    {
        return Ok(found);
    }
    if input.peek(syn::token::Bracket) {
        let group: Group = input.fork().parse()?;
        let shape = written(&[group.clone().into()]);
        errors.on(group, format!("{NO_COLON}\n  fix: write `: {shape}`"));
    } else {
        input.parse::<Token![:]>().map_err(say)?;
    }
    let input_dims = side(input, "input", errors)?;
    if input.peek(Token![=>]) {
        errors.on(input.parse::<Token![=>]>()?, "`->` stands between input and output\n  fix: write `->`");
    } else {
        let hint = "expected `->` and what the network gives, as in `[1, 28, 28] -> [10]`";
        input.parse::<Token![->]>().map_err(|error| syn::Error::new(error.span(), hint))?;
    }
    let output = side(input, "output", errors)?;
    let hint = "expected the layers in braces: `{ ... }`";
    let ahead = input.fork();
    let body: Group = ahead.parse().map_err(|error: syn::Error| syn::Error::new(error.span(), hint))?;
    if body.delimiter() != Delimiter::Brace {
        return Err(syn::Error::new(body.span(), hint));
    }
    input.parse::<Group>()?;
    Ok(Shapes { input: input_dims, output, layers: body.stream() })
}

const NO_COLON: &str = "a `:` stands between the name and the shapes";

/// Shapes that stand in round brackets after the name: `([1, 28, 28]) -> [10]`, `(1, 28, 28) -> [10]` or `([1, 28, 28] -> [10])`.
fn in_brackets(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Option<Shapes>> {
    let ahead = input.fork();
    let group: Group = ahead.parse()?;
    let inside: Vec<TokenTree> = group.stream().into_iter().collect();
    let mut meant = TokenStream::new();
    match &inside[..] {
        [TokenTree::Group(shape), ..] if shape.delimiter() == Delimiter::Bracket => meant.extend(inside.clone()),
        [TokenTree::Literal(_), ..] => {
            let mut shape = Group::new(Delimiter::Bracket, group.stream());
            shape.set_span(group.span());
            meant.extend([TokenTree::Group(shape)]);
        }
        _ => return Ok(None),
    }
    let shape = written(&meant.clone().into_iter().collect::<Vec<_>>());
    errors.on(group, format!("{NO_COLON}, and no brackets around them\n  fix: write `: {shape}`"));
    input.parse::<Group>()?;
    let mut rest: TokenStream = quote::quote!(: #meant);
    // All up to the layers belongs to the header.
    while !input.is_empty() && !input.peek(syn::token::Brace) {
        rest.extend([input.parse::<TokenTree>()?]);
    }
    if input.peek(syn::token::Brace) {
        rest.extend([input.parse::<TokenTree>()?]);
    }
    let header = |input: ParseStream<'_>| shapes(input, errors);
    header.parse2(rest).map(Some)
}

/// A shape; what is written in other brackets, or in none, is told and read all the same.
fn side(input: ParseStream<'_>, what: &str, errors: &mut Errors) -> syn::Result<Vec<Expr>> {
    let is_alone = what == "output" && (input.peek(syn::Lit) || input.peek(Ident::peek_any));
    if !is_alone && !input.peek(syn::token::Paren) {
        let hint = match input.peek(syn::token::Bracket) {
            true => "the sizes of a shape are parted by commas, as in `[1, 28, 28]`",
            false => "expected a shape, such as `[1, 28, 28]` for a map or `[10]` for a vector",
        };
        return dims(input).map_err(|error| syn::Error::new(error.span(), hint));
    }
    let (place, sizes): (TokenTree, TokenStream) = match input.parse()? {
        TokenTree::Group(group) => (group.clone().into(), group.stream()),
        alone => (alone.clone(), alone.into()),
    };
    let shape = written(&sizes.clone().into_iter().collect::<Vec<_>>());
    errors.on(place, format!("the {what} stands in square brackets\n  fix: write `[{shape}]`"));
    Ok(Punctuated::<Expr, Token![,]>::parse_terminated.parse2(sizes)?.into_iter().collect())
}

/// What stands in the next braces, if no other network or block begins before them.
fn next_body(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    while !input.is_empty() && !input.peek(Token![struct]) && !input.peek(Token![pub]) && !input.peek(Token![#]) {
        if input.peek(syn::token::Brace) {
            return Ok(input.parse::<Group>()?.stream());
        }
        if input.fork().call(Ident::parse_any).is_ok_and(|word| word == "block") {
            break;
        }
        input.parse::<proc_macro2::TokenTree>()?;
    }
    Ok(TokenStream::new())
}

/// The number after `const NAME: usize =`.
fn default_size(number: &LitInt, errors: &mut Errors) -> Option<u64> {
    match number.base10_parse::<u64>() {
        Ok(0) => errors.on(number, "a dimension is at least 1"),
        Ok(n) if n <= SIZE => return Some(n),
        _ => errors.on(number, format!("{} is too large; the limit is {SIZE}", number.base10_digits())),
    }
    None
}

fn dims(input: ParseStream<'_>) -> syn::Result<Vec<Expr>> {
    let content;
    bracketed!(content in input);
    let dims = Punctuated::<Expr, Token![,]>::parse_terminated(&content);
    // What is left over would be an error of its own.
    content.parse::<TokenStream>()?;
    Ok(dims?.into_iter().collect())
}

fn symbols(input: ParseStream<'_>, network: &Ident, errors: &mut Errors) -> syn::Result<Vec<Symbol>> {
    let mut symbols: Vec<Symbol> = Vec::new();
    input.parse::<Token![<]>()?;
    while !input.peek(Token![>]) {
        input.parse::<Token![const]>().map_err(|error| {
            let message =
                "expected `const NAME: usize`; a network is generic over its sizes only (dtype and device are added)";
            syn::Error::new(error.span(), message)
        })?;
        let name: Ident = input.parse()?;
        input.parse::<Token![:]>()?;
        let kind: Ident = input.parse()?;
        if kind != "usize" {
            errors.on(&kind, format!("a dimension is a `usize`, not `{kind}`"));
        }
        if symbols.len() == NUMBERS {
            return Err(syn::Error::new_spanned(name, format!("a network has at most {NUMBERS} const generics")));
        }
        let default = match input.parse::<Option<Token![=]>>()? {
            Some(_) => {
                let default = default_size(&input.parse()?, errors);
                if !input.peek(Token![,]) && !input.peek(Token![>]) {
                    let message = "the default of a const generic is one number, as in `const CLASSES: usize = 10`";
                    return Err(input.error(message));
                }
                default
            }
            None => None,
        };
        if names::is_generated_generic(&name) {
            errors.on(
                &name,
                format!("`{name}` is taken: `E` is the network's dtype and `D` its device; use a longer name"),
            );
        } else if name == *network {
            errors.on(&name, format!("`{name}` is the network itself; a const generic needs another name"));
        } else if !names::check_number(&name, errors) {
            // Told.
        } else if symbols.iter().any(|symbol| symbol.name == name) {
            errors.on(&name, format!("`{name}` is declared twice"));
        } else {
            symbols.push(Symbol { name, default });
        }
        if !input.peek(Token![>]) {
            input.parse::<Token![,]>()?;
        }
    }
    input.parse::<Token![>]>()?;
    Ok(symbols)
}
