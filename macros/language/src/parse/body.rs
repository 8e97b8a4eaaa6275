//! Bodies: cut into statements first, at `;` and after braces, and each parsed by itself.

use super::foreign::{self, Foreign, Meant};
use super::{attributes, dims, names};
use crate::ast;
use crate::ast::{
    Arg, Budget, Concat, Custom, Head, HeadBody, If, Layer, Name, Repeat, Residual, Sequence, Shortcut, Statement,
};
use crate::report::{Errors, closest};
use crate::words;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{BinOp, Expr, Token};

/// Cuts a body into statements and parses each.
pub fn statements(tokens: TokenStream, errors: &mut Errors) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut current: Vec<TokenTree> = Vec::new();
    for tree in tokens {
        if errors.are_many() {
            return statements;
        }
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
                allowing_braced(&before, &group, &mut statements, errors);
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => match unclosed(group) {
                Some((own, end, rest)) => {
                    errors.on(end, "expected `)` before this `;`");
                    current.push(TokenTree::Group(own));
                    statements.extend(statement(std::mem::take(&mut current), errors));
                    statements.extend(self::statements(rest, errors));
                }
                None => current.push(tree),
            },
            _ => current.push(tree),
        }
    }
    if let Some(last) = current.last().map(end) {
        let before = errors.count();
        let found = statement(current, errors);
        let what = match found.last().map(Statement::bare) {
            Some(Statement::Layer(layer)) => called(layer),
            _ => "this".into(),
        };
        if errors.count() == before {
            errors.at(last, unended(&what));
        }
        statements.extend(found);
    }
    statements
}

/// What is wrong with a statement without a `;`.
fn unended(what: &str) -> String {
    format!("expected `;` after {what}\n  fix: write `;` here")
}

/// How a layer is called in errors about its statement.
fn called(layer: &Layer) -> String {
    format!("`{}`", layer.name.as_ref().map_or_else(|| layer.word.to_string(), |name| name.key.clone()))
}

/// Where a token ends: at the bracket that closes it, if it has one.
fn end(token: &TokenTree) -> Span {
    match token {
        TokenTree::Group(group) => group.span_close(),
        token => token.span(),
    }
}

/// A statement that ends in braces, with its attributes.
fn allowing_braced(before: &[TokenTree], group: &Group, statements: &mut Vec<Statement>, errors: &mut Errors) {
    let (lints, before) = attributes::before(before, errors);
    let (count, found) = (statements.len(), errors.count());
    braced(before, group, statements, errors);
    match statements.pop() {
        Some(statement) if statements.len() >= count => statements.push(attributes::allowed(lints, statement, errors)),
        before => {
            statements.extend(before);
            if let Some(lint) = lints.first().filter(|_| errors.count() == found) {
                errors.on(lint, "`else` and `shortcut` belong to the statement before them: put this before that one");
            }
        }
    }
}

/// Brackets that are not closed, as an editor has them while somebody types: they hold all that comes after, of which the next thing is a
/// statement. What they were to hold, the `;` after that, and the rest.
fn unclosed(group: &Group) -> Option<(Group, TokenTree, TokenStream)> {
    let trees: Vec<TokenTree> = group.stream().into_iter().collect();
    let end = trees.iter().position(|tree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ';'))?;
    let is_start = match trees.get(end + 1..)? {
        [] => true,
        [TokenTree::Ident(_), TokenTree::Punct(next), ..] => matches!(next.as_char(), ':' | ';'),
        [TokenTree::Ident(_), TokenTree::Group(_), ..] => true,
        _ => false,
    };
    let mut trees = trees.into_iter();
    let mut own = Group::new(group.delimiter(), trees.by_ref().take(end).collect());
    own.set_span(group.span());
    let end = trees.next()?;
    is_start.then(|| (own, end, trees.collect()))
}

/// A statement that ends in braces: a sequence or a structure. `else` and `shortcut` belong to the one before.
fn braced(before: &[TokenTree], group: &Group, statements: &mut Vec<Statement>, errors: &mut Errors) {
    let (name, head) = match names::split(before) {
        Some((name, rest)) => (Some(name), rest),
        None => (None, before),
    };
    if let Some((place, message)) = foreign::brace(name.as_ref().map(|name| &name.ident), head) {
        return errors.on(place, message);
    }
    let body = self::statements(group.stream(), errors);
    let word = match head.first() {
        Some(TokenTree::Ident(word)) => word.clone(),
        Some(other) => return errors.on(other, "expected `name: { ... }` before this brace, or `;` after a layer"),
        None => {
            let Some(name) = name else {
                return statements.push(Statement::Group(ast::Group { brace: group.span_open(), body }));
            };
            if name.ident == "shortcut" || name.ident == "else" {
                let word = name.ident.clone();
                errors.on(&word, format!("`{word}` has no `:`\n  fix: write `{word} {{ ... }}`"));
                return match word == "else" {
                    true => attach_else(&word, TokenStream::new(), body, statements, errors),
                    false => attach_shortcut(word, TokenStream::new(), body, statements, errors),
                };
            }
            let name = names::checked(name, errors);
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
        "head" => match head_name(head.get(1..).unwrap_or_default(), errors, |_| Ok(())) {
            Some(_) if body.is_empty() => return errors.on(&word, "this head has no layers"),
            Some((name, shape, ())) => Statement::Head(Head { word, name, shape, body: HeadBody::Sequence(body) }),
            None => return errors.on(&word, HEAD),
        },
        "else" => return attach_else(&word, rest, body, statements, errors),
        "shortcut" => return attach_shortcut(word, rest, body, statements, errors),
        "block" => return block(&word, head.get(1), errors),
        "custom" => return errors.on(&word, CUSTOM),
        _ if rest.is_empty() && name.is_none() => return misspelt(word, body, statements, errors),
        _ => return errors.on(&word, "expected `name: { ... }` before this brace, or `;` after a layer"),
    };
    if let (Statement::Head(head), Some(_)) = (&statement, &name) {
        errors.on(&head.word, HEAD);
    }
    statements.push(match name {
        // A structure with a name is a sequence that holds only it.
        Some(name) => Statement::Sequence(Sequence { name: names::checked(name, errors), body: vec![statement] }),
        None => statement,
    });
}

/// A word before a brace that is none: a structure with a slip of the pen, or a name without its `:`. It is read as it was meant.
fn misspelt(word: Ident, body: Vec<Statement>, statements: &mut Vec<Statement>, errors: &mut Errors) {
    let written = word.to_string();
    let meant = match written.to_lowercase().as_str() {
        "cat" | "concatenate" => Some("concat"),
        "skip" | "add" | "sum" => Some("residual"),
        "downsample" | "projection" => Some("shortcut"),
        word => closest(word, ["residual", "concat", "shortcut"]),
    };
    let follows_residual = matches!(statements.last().map(Statement::bare), Some(Statement::Residual(_)));
    match meant.filter(|meant| *meant != "shortcut" || follows_residual) {
        Some(meant) => errors.on(&word, format!("no structure is called `{written}`; did you mean `{meant}`?")),
        None => errors.on(&word, format!("a group of layers has a name and `:`\n  fix: write `{written}: {{ ... }}`")),
    }
    match meant {
        Some("concat") => statements.push(Statement::Concat(Concat { word, branches: body })),
        Some("residual") => statements.push(Statement::Residual(Residual { word, body, shortcut: None })),
        Some(_) if follows_residual => attach_shortcut(word, TokenStream::new(), body, statements, errors),
        _ => statements.push(Statement::Sequence(Sequence { name: names::plain(word, errors), body })),
    }
}

/// A block in a network, whose calls are no mistakes of their own.
fn block(word: &Ident, name: Option<&TokenTree>, errors: &mut Errors) {
    name.iter().for_each(|name| errors.forgive(name.to_string()));
    errors.on(word, "a block is declared beside the structs, not in one");
}

const HEAD: &str = "expected `head name: [N] { ... }` or `head name: [N] = block(...);`";
const CUSTOM: &str = "expected `custom name: path::To<Type<E, D>> -> [C, H, W];`";

/// `name: [dims]` and what comes after.
fn head_name<T>(
    tokens: &[TokenTree],
    errors: &mut Errors,
    after: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
) -> Option<(Name, Vec<Expr>, T)> {
    let (name, rest) = names::split(tokens)?;
    let parse = |input: ParseStream<'_>| Ok((dims(input)?, after(input)?));
    let (shape, after) = parse.parse2(rest.iter().cloned().collect()).ok()?;
    Some((names::checked(name, errors), shape, after))
}

/// `name: Type -> [dims]`
fn custom(tokens: &[TokenTree], errors: &mut Errors) -> Option<Custom> {
    let (name, rest) = names::split(tokens)?;
    let parse = |input: ParseStream<'_>| {
        let module = input.parse()?;
        input.parse::<Token![->]>()?;
        Ok((module, dims(input)?))
    };
    let (module, shape) = parse.parse2(rest.iter().cloned().collect()).ok()?;
    Some(Custom { name: names::checked(name, errors), module, shape })
}

fn attach_else(
    word: &Ident,
    rest: TokenStream,
    body: Vec<Statement>,
    statements: &mut [Statement],
    errors: &mut Errors,
) {
    let Some(Statement::If(first)) = statements.last_mut().map(Statement::bare_mut) else {
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
    let residual = match statements.last_mut().map(Statement::bare_mut) {
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

/// Parses a statement with its attributes, or several where a `;` between them is missing.
fn statement(tokens: Vec<TokenTree>, errors: &mut Errors) -> Vec<Statement> {
    let (lints, rest) = attributes::before(&tokens, errors);
    if let (Some(lint), true) = (lints.first(), rest.is_empty()) {
        errors.on(lint, "expected a layer after this attribute");
    }
    let mut found = bare(rest.to_vec(), errors).into_iter();
    let first = found.next().map(|first| attributes::allowed(lints, first, errors));
    first.into_iter().chain(found).collect()
}

/// The statements of tokens in which no attribute is read.
fn bare(tokens: Vec<TokenTree>, errors: &mut Errors) -> Vec<Statement> {
    let mut found = Vec::new();
    let (mut rest, mut told) = (tokens, false);
    while !rest.is_empty() {
        let mut name = None;
        if let Some(Foreign { place, message, meant }) = foreign::look(&rest).filter(|_| !told) {
            errors.on(place, message);
            let (before, after) = match meant {
                Meant::Named(given, after) => {
                    name = Some(names::plain(given, errors));
                    (None, after.to_vec())
                }
                Meant::Chain(before, after) => (Some(statement(before.to_vec(), errors)), after.to_vec()),
                Meant::Unknown(name) => {
                    let name = name.map(|name| names::plain(name, errors));
                    (Some(vec![Statement::Unknown(name)]), Vec::new())
                }
            };
            (rest, told) = (after, true);
            if let Some(before) = before {
                found.extend(before);
                continue;
            }
        } else if let Some((given, after)) = names::split(&rest) {
            let given = names::checked(given, errors);
            if after.is_empty() {
                errors.on(&given, "expected a layer after this name, such as `conv(16, kernel = 3)`");
                found.push(Statement::Unknown(Some(given)));
                break;
            }
            let foreign = foreign::path(after, None).or_else(|| foreign::brackets(after).map(|(message, _)| message));
            if let (Some(message), [first, ..]) = (foreign, after) {
                errors.on(first, message);
                found.push(Statement::Unknown(Some(given)));
                break;
            }
            (name, rest) = (Some(given), after.to_vec());
        } else if let Some(TokenTree::Ident(word)) = rest.first()
            && words::is_structure(&word.to_string())
        {
            found.extend(structured(&word.clone(), &rest, errors));
            break;
        }
        let one = |input: ParseStream<'_>| {
            let layer = layer(name.clone(), input, errors)?;
            if !input.is_empty() && !told && !layer.broken {
                errors.add(not_ended(&layer, &rest, input));
            }
            skip_separator(input)?;
            Ok((layer, input.parse::<TokenStream>()?))
        };
        match one.parse2(rest.iter().cloned().collect()) {
            Ok((layer, after)) => {
                found.push(Statement::Layer(layer));
                (rest, told) = (after.into_iter().collect(), true);
                if matches!(rest.first(), Some(TokenTree::Punct(mark)) if mark.as_char() == '#') {
                    found.extend(statement(rest, errors));
                    break;
                }
            }
            Err(error) => {
                errors.add(error);
                found.push(Statement::Unknown(name));
                break;
            }
        }
    }
    found
}

/// The error for a layer that another one follows without a `;`: where the first one ends, or on the sign between them.
fn not_ended(layer: &Layer, tokens: &[TokenTree], rest: ParseStream<'_>) -> syn::Error {
    let sign = separator(rest);
    if !sign.is_empty() {
        return rest.error(format!("expected `;` after {}\n  fix: write `;` in place of each `{sign}`", called(layer)));
    }
    // A word, and what it has in brackets.
    let last = tokens.get(1).filter(|token| matches!(token, TokenTree::Group(_))).or(tokens.first());
    syn::Error::new(last.map_or_else(|| rest.span(), end), unended(&called(layer)))
}

/// The sign that stands in place of a `;`: `,`, `->`, `=>`, `|>`, ... It may be several tokens.
fn separator(input: ParseStream<'_>) -> String {
    let ahead = input.fork();
    let mut sign = String::new();
    while let Ok(TokenTree::Punct(punct)) = ahead.parse() {
        if !",->=|+.>".contains(punct.as_char()) || sign.len() == 3 {
            break;
        }
        sign.push(punct.as_char());
    }
    sign
}

/// Passes over what stands in place of a `;`, which was told.
fn skip_separator(input: ParseStream<'_>) -> syn::Result<()> {
    for _ in separator(input).chars() {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

/// A statement without braces that starts with a word of the language: `assert`, `custom`, `head name: [N] = ...`, or a
/// structure whose braces are missing.
fn structured(word: &Ident, tokens: &[TokenTree], errors: &mut Errors) -> Option<Statement> {
    let rest = tokens.get(1..).unwrap_or_default();
    let message = match word.to_string().as_str() {
        "assert" => return budgets(word, rest.iter().cloned().collect(), errors),
        "custom" => match custom(rest, errors) {
            Some(custom) => return Some(Statement::Custom(custom)),
            None => CUSTOM.to_string(),
        },
        "head" => {
            let mut within = Errors::default();
            let one = |input: ParseStream<'_>| {
                input.parse::<Token![=]>()?;
                layer(None, input, &mut within)
            };
            let head = head_name(rest, errors, one);
            within.all().iter().for_each(|error| errors.add(error.clone()));
            match head {
                Some((name, shape, layer)) => {
                    let body = HeadBody::One(layer);
                    return Some(Statement::Head(Head { word: word.clone(), name, shape, body }));
                }
                None => HEAD.to_string(),
            }
        }
        "block" => "a block is declared beside the structs, not in one".to_string(),
        "repeat" | "if" => format!("`{word}` needs braces"),
        _ => format!("expected `{word} {{ ... }}`"),
    };
    errors.on(word, message);
    None
}

/// `word` or `word(args)`. Where the arguments are not understood, the word still is.
fn layer(name: Option<Name>, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Layer> {
    if !input.peek(Ident::peek_any) {
        return Err(input.error("expected a layer, such as `conv(16, kernel = 3)`"));
    }
    let word = input.call(Ident::parse_any)?;
    let (mut list, mut broken) = (Vec::new(), false);
    if input.peek(syn::token::Paren) {
        let content;
        syn::parenthesized!(content in input);
        if let Err(error) = args(&content, &mut list) {
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
        if input.peek(Token![:]) && matches!(value, Expr::Path(_)) {
            let option = value.to_token_stream();
            return Err(input.error(format!("an option has `=`\n  fix: write `{option} = ...`")));
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

fn budgets(word: &Ident, tokens: TokenStream, errors: &mut Errors) -> Option<Statement> {
    let clause = |input: ParseStream<'_>| -> syn::Result<Budget> {
        let what: Ident = input.parse()?;
        let op: BinOp = input.parse()?;
        Ok(Budget { what, op, limit: input.call(Expr::parse_without_eager_brace)? })
    };
    if let Some(message) = foreign::budget(&tokens) {
        errors.on(word, message);
        return None;
    }
    let all = |input: ParseStream<'_>| Punctuated::<Budget, Token![,]>::parse_terminated_with(input, clause);
    match all.parse2(tokens) {
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
