//! Tokens to AST.
//!
//! ```text
//! call      = { [ docs ] "block" name "(" { name [ "=" value ] } ")" "{" body "}" | network }
//! network   = attributes [ "#[export(name)]" ] visibility "struct" Name [ "<" { "const" NAME ":" "usize" [ "=" int ] } ">" ]
//!               ":" "[" dims "]" "->" "[" dims "]" "{" body "}"
//! body      = { [ name ":" ] word [ "(" args ")" ] ";" | name ":" "{" body "}" | "assert" clause { "," clause } ";"
//!             | "repeat" value "{" body "}" | "if" condition "{" body "}" [ "else" "{" body "}" ]
//!             | [ name ":" ] "residual" "{" body "}" [ "shortcut" [ "if" condition ] "{" body "}" ]
//!             | [ name ":" ] "concat" "{" ( body | "{" body "}" ) "}" | "head" name ":" "[" dims "]" ( "{" body "}" | "=" word [ "(" args ")" ] ";" )
//!             | "custom" name ":" type "->" "[" dims "]" ";" }
//! args      = { value | name "=" value }
//! ```
//!
//! A body is cut into statements first, at `;` and after braces, and each is parsed by itself: a statement that does not
//! parse costs only itself.

use crate::ast;
use crate::ast::{
    Arg, Block, BlockParam, Budget, Concat, Custom, Head, HeadBody, If, Layer, Network, Repeat, Residual, Sequence,
    Shortcut, Statement, Symbol,
};
use crate::catalog;
use crate::report::Errors;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, BinOp, Expr, LitInt, Token, Visibility, bracketed};

/// Brackets inside brackets beyond this depth are refused before anything recurses into them.
const DEPTH: usize = 64;

/// More tokens than this in one statement or argument are refused: syn recurses into a chain of operators as it does
/// into brackets.
const LENGTH: usize = 512;

/// Everything in a macro call.
#[derive(Default)]
pub struct Call {
    pub blocks: Vec<Block>,
    pub networks: Vec<Network>,
}

/// Parses a macro call.
pub fn call(tokens: TokenStream, errors: &mut Errors) -> Call {
    if let Some(span) = too_deep(tokens.clone(), 0) {
        errors.at(span, format!("nested more than {DEPTH} deep"));
        return Call::default();
    }
    if let Some(span) = too_long(tokens.clone(), true) {
        errors.at(span, format!("this is too long: more than {LENGTH} tokens in one statement or argument"));
        return Call::default();
    }
    if tokens.is_empty() {
        errors.at(Span::call_site(), "expected a network, such as `pub struct Net: [1, 28, 28] -> [10] { ... }`");
    }
    let all = |input: ParseStream<'_>| {
        let mut call = Call::default();
        while !input.is_empty() {
            let ahead = input.fork();
            let is_block = ahead.call(Attribute::parse_outer).is_ok()
                && ahead.call(Ident::parse_any).is_ok_and(|word| word == "block");
            let parsed = match is_block {
                true => block(input, errors).map(|block| call.blocks.push(block)),
                false => network(input, errors).map(|network| call.networks.push(network)),
            };
            match parsed {
                Ok(()) => {}
                Err(error) => {
                    errors.add(error);
                    // Nothing after a broken header can be told apart from it.
                    input.parse::<TokenStream>()?;
                }
            }
        }
        Ok(call)
    };
    match all.parse2(tokens) {
        Ok(call) => call,
        Err(error) => {
            errors.add(error);
            Call::default()
        }
    }
}

fn block(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Block> {
    for attribute in input.call(Attribute::parse_outer)? {
        if !attribute.path().is_ident("doc") {
            errors.on(attribute, "a block takes no attributes but doc comments");
        }
    }
    input.call(Ident::parse_any)?;
    let name: Ident = input.parse()?;
    if catalog::find(&name.to_string()).is_some() || catalog::STRUCTURES.contains(&name.to_string().as_str()) {
        errors.on(&name, format!("`{name}` is a word of the language and cannot name a block"));
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
        params.push(BlockParam { name, default });
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    let body: Group = input.parse()?;
    if body.delimiter() != Delimiter::Brace {
        return Err(syn::Error::new(body.span(), "expected the layers of the block in braces: `{ ... }`"));
    }
    Ok(Block { name, params, body: statements(body.stream(), errors) })
}

fn too_deep(tokens: TokenStream, depth: usize) -> Option<Span> {
    tokens.into_iter().find_map(|tree| match tree {
        TokenTree::Group(group) if depth >= DEPTH => Some(group.span_open()),
        TokenTree::Group(group) => too_deep(group.stream(), depth + 1),
        _ => None,
    })
}

/// The token at which a stretch without `,` or `;` becomes too long. A body ends one too, between statements but not
/// between arguments, and so does an attribute; `else` goes on with the one before.
fn too_long(tokens: TokenStream, in_body: bool) -> Option<Span> {
    let (mut length, mut before) = (0usize, 0usize);
    for tree in tokens {
        length += 1;
        if length > LENGTH {
            return Some(tree.span());
        }
        match &tree {
            TokenTree::Punct(punct) if matches!(punct.as_char(), ',' | ';') => length = 0,
            TokenTree::Ident(word) if in_body && length == 1 && word == "else" => length += before,
            TokenTree::Group(group) => {
                let brace = group.delimiter() == Delimiter::Brace;
                let found = too_long(group.stream(), brace);
                if found.is_some() {
                    return found;
                }
                let attribute = length == 2 && group.delimiter() == Delimiter::Bracket;
                if in_body && (brace || attribute) {
                    (before, length) = (length, 0);
                }
            }
            _ => {}
        }
    }
    None
}

fn network(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Network> {
    let (export, attrs): (Vec<_>, Vec<_>) =
        input.call(Attribute::parse_outer)?.into_iter().partition(|attribute| attribute.path().is_ident("export"));
    let export = exported(&export, errors);
    let vis: Visibility = input.parse()?;
    if input.peek(Ident::peek_any) && !input.peek(Token![struct]) {
        let word = input.call(Ident::parse_any)?;
        let message =
            format!("expected `struct`, found `{word}`; a network starts with `pub struct Name: [C, H, W] -> [N]`");
        return Err(syn::Error::new_spanned(word, message));
    }
    input.parse::<Token![struct]>()?;
    let name: Ident = input.parse()?;
    if name == "E" || name == "D" {
        errors.on(&name, format!("`{name}` is taken: `E` is a network's dtype and `D` its device; use a longer name"));
    }
    let symbols = if input.peek(Token![<]) { symbols(input, errors)? } else { Vec::new() };
    let shape_hint = "expected the shapes after the name, such as `: [1, 28, 28] -> [10]`";
    let say = |error: syn::Error| syn::Error::new(error.span(), shape_hint);
    input.parse::<Token![:]>().map_err(say)?;
    let input_dims = dims(input).map_err(say)?;
    input.parse::<Token![->]>().map_err(say)?;
    let output = dims(input).map_err(say)?;
    let body: Group = input.parse()?;
    if body.delimiter() != Delimiter::Brace {
        return Err(syn::Error::new(body.span(), "expected the layers in braces: `{ ... }`"));
    }
    let body = statements(body.stream(), errors);
    Ok(Network { attrs, export, vis, name, symbols, input: input_dims, output, body })
}

/// The name in `#[export(name)]`.
fn exported(attributes: &[Attribute], errors: &mut Errors) -> Option<Ident> {
    if let Some(second) = attributes.get(1) {
        errors.on(second, "a network is exported once");
    }
    let attribute = attributes.first()?;
    let name = attribute.parse_args::<Ident>();
    if name.is_err() {
        errors.on(attribute, "expected the name of the macro to make: `#[export(name)]`");
    }
    name.ok()
}

fn dims(input: ParseStream<'_>) -> syn::Result<Vec<Expr>> {
    let content;
    bracketed!(content in input);
    Ok(Punctuated::<Expr, Token![,]>::parse_terminated(&content)?.into_iter().collect())
}

fn symbols(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Vec<Symbol>> {
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
        let default = if input.parse::<Option<Token![=]>>()?.is_some() {
            let number: LitInt = input.parse()?;
            Some(number.base10_parse()?)
        } else {
            None
        };
        if ["E", "D"].contains(&name.to_string().as_str()) {
            errors.on(
                &name,
                format!("`{name}` is taken: `E` is the network's dtype and `D` its device; use a longer name"),
            );
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

/// Cuts a body into statements and parses each.
fn statements(tokens: TokenStream, errors: &mut Errors) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut current: Vec<TokenTree> = Vec::new();
    for tree in tokens {
        match &tree {
            TokenTree::Punct(punct) if punct.as_char() == ';' => {
                // A `;` after a sequence is allowed and means nothing.
                if !current.is_empty() {
                    statements.extend(statement(std::mem::take(&mut current), errors));
                }
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let group = group.clone();
                let before = std::mem::take(&mut current);
                braced(before, &group, &mut statements, errors);
            }
            _ => current.push(tree),
        }
    }
    if let Some(last) = current.last().cloned() {
        let before = errors.count();
        statements.extend(statement(current, errors));
        if errors.count() == before {
            errors.on(last, "expected `;` after this");
        }
    }
    statements
}

/// Words of structures, which cannot be layers.
fn structure(tokens: &[TokenTree]) -> Option<&Ident> {
    tokens.iter().find_map(|tree| match tree {
        TokenTree::Ident(word) if catalog::STRUCTURES.contains(&word.to_string().as_str()) => Some(word),
        _ => None,
    })
}

/// A statement that ends in braces: a sequence or a structure. `else` and `shortcut` belong to the one before.
fn braced(before: Vec<TokenTree>, group: &Group, statements: &mut Vec<Statement>, errors: &mut Errors) {
    let mut head = before.as_slice();
    let mut name = None;
    if let [TokenTree::Ident(given), TokenTree::Punct(colon), rest @ ..] = head
        && colon.as_char() == ':'
    {
        name = Some(given.clone());
        head = rest;
    }
    let body = self::statements(group.stream(), errors);
    let word = match head.first() {
        Some(TokenTree::Ident(word)) => word.clone(),
        Some(other) => return errors.on(other, "expected `name: { ... }` before this brace, or `;` after a layer"),
        None => {
            let Some(name) = name else {
                return statements.push(Statement::Group(ast::Group { brace: group.span_open(), body }));
            };
            let name = checked_name(name, errors);
            if body.is_empty() {
                errors.at(group.span(), format!("the sequence `{name}` is empty"));
            }
            return statements.push(Statement::Sequence(Sequence { name, body }));
        }
    };
    let rest: TokenStream = head.iter().skip(1).cloned().collect();
    let statement = match word.to_string().as_str() {
        "repeat" => match syn::parse2::<Expr>(rest) {
            Ok(count) => Statement::Repeat(Repeat { word, count, body }),
            Err(_) => return errors.on(&word, "`repeat` needs a number: `repeat 3 { ... }`"),
        },
        "if" => match syn::parse2::<Expr>(rest) {
            Ok(condition) => Statement::If(If { condition, then: body, otherwise: Vec::new() }),
            Err(_) => return errors.on(&word, "`if` needs a condition: `if stride > 1 { ... }`"),
        },
        "residual" | "concat" if !rest.is_empty() => {
            return errors.on(rest, format!("expected the branches in braces right after `{word}`"));
        }
        "residual" => Statement::Residual(Residual { word, body, shortcut: None }),
        "concat" => Statement::Concat(Concat { word, branches: body }),
        "head" => match head_name(rest, errors) {
            Some(_) if body.is_empty() => return errors.on(&word, "this head has no layers"),
            Some((name, shape)) => Statement::Head(Head { word, name, shape, body: HeadBody::Sequence(body) }),
            None => return errors.on(&word, HEAD),
        },
        "else" => return attach_else(&word, rest, body, statements, errors),
        "shortcut" => return attach_shortcut(word, rest, body, statements, errors),
        "block" => return errors.on(&word, "a block is declared beside the structs, not in one"),
        "custom" => return errors.on(&word, CUSTOM),
        _ => return errors.on(&word, "expected `name: { ... }` before this brace, or `;` after a layer"),
    };
    if let (Statement::Head(head), Some(_)) = (&statement, &name) {
        errors.on(&head.word, HEAD);
    }
    statements.push(match name {
        // A structure with a name is a sequence that holds only it.
        Some(name) => Statement::Sequence(Sequence { name: checked_name(name, errors), body: vec![statement] }),
        None => statement,
    });
}

const HEAD: &str = "expected `head name: [N] { ... }` or `head name: [N] = block(...);`";
const CUSTOM: &str = "expected `custom name: path::To<Type<E, D>> -> [C, H, W];`";

/// `name: [dims]`
fn head_name(tokens: TokenStream, errors: &mut Errors) -> Option<(Ident, Vec<Expr>)> {
    let parse = |input: ParseStream<'_>| {
        let name = input.call(Ident::parse_any)?;
        input.parse::<Token![:]>()?;
        Ok((name, dims(input)?))
    };
    let (name, shape) = parse.parse2(tokens).ok()?;
    Some((checked_name(name, errors), shape))
}

/// `custom name: Type -> [dims]`
fn custom(input: ParseStream<'_>) -> syn::Result<Custom> {
    input.call(Ident::parse_any)?;
    let name = input.call(Ident::parse_any)?;
    input.parse::<Token![:]>()?;
    let module = input.parse()?;
    input.parse::<Token![->]>()?;
    Ok(Custom { name, module, shape: dims(input)? })
}

fn attach_else(
    word: &Ident,
    rest: TokenStream,
    body: Vec<Statement>,
    statements: &mut [Statement],
    errors: &mut Errors,
) {
    let Some(Statement::If(first)) = statements.last_mut() else {
        return errors.on(word, "`else` without an `if` before it");
    };
    // The last `if` of a chain is the one without an `else`.
    let mut open = first;
    while let [Statement::If(_)] = open.otherwise.as_slice() {
        let Some(Statement::If(next)) = open.otherwise.first_mut() else { return };
        open = next;
    }
    if !open.otherwise.is_empty() {
        return errors.on(word, "this `if` has an `else` already");
    }
    let mut rest = rest.into_iter();
    open.otherwise = match rest.next() {
        None => body,
        Some(TokenTree::Ident(next)) if next == "if" => match syn::parse2::<Expr>(rest.collect()) {
            Ok(condition) => vec![Statement::If(If { condition, then: body, otherwise: Vec::new() })],
            Err(_) => return errors.on(&next, "`if` needs a condition: `if stride > 1 { ... }`"),
        },
        Some(other) => return errors.on(other, "expected `{ ... }` or `if` after `else`"),
    };
}

fn attach_shortcut(
    word: Ident,
    rest: TokenStream,
    body: Vec<Statement>,
    statements: &mut [Statement],
    errors: &mut Errors,
) {
    // A named residual is a sequence that holds only it.
    let residual = match statements.last_mut() {
        Some(Statement::Residual(residual)) => residual,
        Some(Statement::Sequence(sequence)) => match sequence.body.as_mut_slice() {
            [Statement::Residual(residual)] => residual,
            _ => return errors.on(word, "`shortcut` without a `residual` before it"),
        },
        _ => return errors.on(word, "`shortcut` without a `residual` before it"),
    };
    if residual.shortcut.is_some() {
        return errors.on(word, "this `residual` has a `shortcut` already");
    }
    let mut rest = rest.into_iter();
    let condition = match rest.next() {
        None => None,
        Some(TokenTree::Ident(next)) if next == "if" => match syn::parse2::<Expr>(rest.collect()) {
            Ok(condition) => Some(condition),
            Err(_) => return errors.on(&next, "`if` needs a condition: `shortcut if stride > 1 { ... }`"),
        },
        Some(other) => return errors.on(other, "expected `{ ... }` or `if` after `shortcut`"),
    };
    residual.shortcut = Some(Shortcut { word, condition, body });
}

/// Parses a statement, or several where a `;` between them is missing.
fn statement(tokens: Vec<TokenTree>, errors: &mut Errors) -> Vec<Statement> {
    let mut found = Vec::new();
    let mut rest = tokens;
    while let Some(first) = rest.first() {
        if let TokenTree::Ident(word) = first {
            let named = matches!(rest.get(1), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
            if word == "assert" && !named {
                let word = word.clone();
                found.extend(budgets(word, rest, errors));
                break;
            }
            if !named && let Some(word) = structure(rest.get(..1).unwrap_or_default()) {
                if word == "custom" {
                    let word = word.clone();
                    match custom.parse2(rest.into_iter().collect()) {
                        Ok(custom) => {
                            let name = checked_name(custom.name, errors);
                            found.push(Statement::Custom(Custom { name, ..custom }));
                        }
                        Err(_) => errors.on(word, CUSTOM),
                    }
                    break;
                }
                if word == "head" {
                    let word = word.clone();
                    let one = |input: ParseStream<'_>| {
                        input.call(Ident::parse_any)?;
                        let name = input.call(Ident::parse_any)?;
                        input.parse::<Token![:]>()?;
                        let shape = dims(input)?;
                        input.parse::<Token![=]>()?;
                        Ok((name, shape, layer(input, errors)?))
                    };
                    match one.parse2(rest.into_iter().collect()) {
                        Ok((name, shape, layer)) => {
                            let (name, body) = (checked_name(name, errors), HeadBody::One(layer));
                            found.push(Statement::Head(Head { word, name, shape, body }));
                        }
                        Err(_) => errors.on(word, HEAD),
                    }
                    break;
                }
                let message = match word.to_string().as_str() {
                    "block" => "a block is declared beside the structs, not in one".to_string(),
                    "repeat" | "if" => format!("`{word}` needs braces"),
                    _ => format!("expected `{word} {{ ... }}`"),
                };
                errors.on(word, message);
                break;
            }
        }
        let one = |input: ParseStream<'_>| {
            let layer = layer(input, errors)?;
            if !input.is_empty() {
                errors.add(input.error(format!("expected `;` after `{}`", layer.word)));
            }
            Ok((layer, input.parse::<TokenStream>()?))
        };
        match one.parse2(rest.into_iter().collect()) {
            Ok((layer, after)) => {
                found.push(Statement::Layer(layer));
                rest = after.into_iter().collect();
            }
            Err(error) => {
                errors.add(error);
                break;
            }
        }
    }
    found
}

fn layer(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Layer> {
    let mut name = None;
    if input.peek(Ident::peek_any) && input.peek2(Token![:]) && !input.peek2(Token![::]) {
        let given = input.call(Ident::parse_any)?;
        input.parse::<Token![:]>()?;
        name = Some(checked_name(given, errors));
    }
    if !input.peek(Ident::peek_any) {
        return Err(input.error("expected a layer, such as `conv(16, kernel = 3)`"));
    }
    let word = input.call(Ident::parse_any)?;
    let mut list = Vec::new();
    if input.peek(syn::token::Paren) {
        let content;
        syn::parenthesized!(content in input);
        list = args(&content)?;
    }
    Ok(Layer { name, word, args: list })
}

fn args(input: ParseStream<'_>) -> syn::Result<Vec<Arg>> {
    let mut args = Vec::new();
    while !input.is_empty() {
        let mut name = None;
        if input.peek(Ident::peek_any) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
            name = Some(input.call(Ident::parse_any)?);
            input.parse::<Token![=]>()?;
        }
        if input.is_empty() || input.peek(Token![,]) {
            return Err(input.error("expected a value"));
        }
        args.push(Arg { name, value: input.parse()? });
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(args)
}

fn budgets(word: Ident, tokens: Vec<TokenTree>, errors: &mut Errors) -> Option<Statement> {
    let clause = |input: ParseStream<'_>| -> syn::Result<Budget> {
        let what: Ident = input.parse()?;
        let op: BinOp = input.parse()?;
        Ok(Budget { what, op, limit: input.call(Expr::parse_without_eager_brace)? })
    };
    let all = |input: ParseStream<'_>| Punctuated::<Budget, Token![,]>::parse_terminated_with(input, clause);
    match all.parse2(tokens.into_iter().skip(1).collect()) {
        Ok(budgets) if budgets.is_empty() => {
            errors.on(word, "expected a budget, such as `assert params <= 62_000;`");
            None
        }
        Ok(budgets) => Some(Statement::Assert(budgets.into_iter().collect())),
        Err(error) => {
            errors.add(error);
            None
        }
    }
}

/// The name, or a harmless one after an error.
fn checked_name(name: Ident, errors: &mut Errors) -> Ident {
    let text = name.to_string();
    let plain = text.trim_start_matches("r#");
    if text.starts_with("__") {
        errors.on(&name, "names that start with `__` are reserved");
    } else if plain != text || syn::parse_str::<Ident>(&text).is_err() {
        errors.on(&name, format!("`{plain}` is a Rust keyword and cannot name a layer"));
    } else {
        return name;
    }
    Ident::new(&format!("_{}_", plain.trim_start_matches('_')), name.span())
}
