//! Bodies: cut into statements first, at `;` and after braces, and each parsed by itself.

mod braces;
mod layer;

use super::foreign::{self, Foreign, Meant};
use super::tokens::is;
use super::{attributes, dims, names, unbraced};
use crate::ast::{Budget, Custom, Head, HeadBody, Layer, Name, Statement};
use crate::report::Errors;
use crate::words;
use braces::{braced, concat_word, gathered};
use layer::layer;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{BinOp, Expr, Token};

/// Cuts a body into statements and parses each.
pub fn statements(tokens: TokenStream, errors: &mut Errors) -> Vec<Statement> {
    cut(tokens, false, errors)
}

/// The same for the branches of a `concat` or a `split`, which need no names.
fn branches(tokens: TokenStream, errors: &mut Errors) -> Vec<Statement> {
    cut(tokens, true, errors)
}

fn cut(tokens: TokenStream, in_concat: bool, errors: &mut Errors) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut current: Vec<TokenTree> = Vec::new();
    let mut rest = tokens.into_iter().peekable();
    let mut told = false;
    while let Some(tree) = rest.next() {
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
            TokenTree::Punct(punct) if punct.as_char() == ',' && current.is_empty() && !statements.is_empty() => {
                if !std::mem::replace(&mut told, true) {
                    let between = if in_concat { "between branches" } else { "behind a `}`" };
                    errors.on(&tree, format!("there is no comma {between}\n  fix: leave out each `,` behind a `}}`"));
                }
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let before = std::mem::take(&mut current);
                let group = match concat_word(&before).filter(|_| !in_concat) {
                    Some(word) => gathered(word, group, &mut rest, errors),
                    None => group.clone(),
                };
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
    if let Some(last) = current.last().cloned() {
        let before = errors.count();
        let found = statement(current, errors);
        let what = match found.last().map(Statement::bare) {
            Some(Statement::Layer(layer)) => called(layer),
            _ => "this".into(),
        };
        if errors.count() == before {
            errors.at(end(&last), unended(&what, Some(&last)));
        }
        statements.extend(found);
    }
    statements
}

/// What is wrong with a statement without a `;`, which ends with this token.
fn unended(what: &str, last: Option<&TokenTree>) -> String {
    let place = match last {
        Some(TokenTree::Group(group)) => match group.delimiter() {
            Delimiter::Parenthesis => "behind this `)`".into(),
            Delimiter::Bracket => "behind this `]`".into(),
            Delimiter::Brace | Delimiter::None => "behind this".into(),
        },
        Some(last) => format!("behind `{last}`"),
        None => "here".into(),
    };
    format!("expected `;` after {what}\n  fix: write `;` {place}")
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
    // Layers with commas after them; what is wrong with the commas is told of them.
    let before =
        match before.iter().rposition(|token| is(token, ',')).and_then(|comma| before.split_at_checked(comma + 1)) {
            Some((layers, rest)) if is_layer(layers) => {
                statements.extend(statement(layers.to_vec(), errors));
                rest
            }
            _ => before,
        };
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

/// Whether tokens begin with a layer and not with a structure.
fn is_layer(tokens: &[TokenTree]) -> bool {
    let first = names::split(tokens).map_or(tokens, |(_, rest)| rest).first();
    matches!(first, Some(TokenTree::Ident(word)) if !words::is_structure(&word.to_string()))
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

/// What is expected after `head` or `output`.
fn headed(word: &Ident) -> String {
    let own = match word == "output" {
        true => "; what the network ends in stands in its header: `struct Net: [3, 32, 32] -> [10]`",
        false => "",
    };
    format!("expected `{word} name: [N] {{ ... }}` or `{word} name: [N] = layer(...);`{own}")
}

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
                Meant::Nothing => (Some(Vec::new()), Vec::new()),
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
            if let Some((place, message)) = foreign::after_name(&given.field, after) {
                errors.on(place, message);
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
    syn::Error::new(last.map_or_else(|| rest.span(), end), unended(&called(layer), last))
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
        "head" | "output" => {
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
                    let is_output = word == "output";
                    return Some(Statement::Head(Head { word: word.clone(), is_output, name, shape, body }));
                }
                None => headed(word),
            }
        }
        "block" => "a block is declared beside the structs, not in one".to_string(),
        _ => unbraced::structure(word, rest),
    };
    errors.on(word, message);
    Some(Statement::Unknown(None))
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
