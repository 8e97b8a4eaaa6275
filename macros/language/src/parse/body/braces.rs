//! Statements that end in braces: sequences and structures.

use super::{CUSTOM, branches, head_name, headed, statements as parsed};
use crate::ast::{self, Concat, Head, HeadBody, If, Repeat, Residual, Sequence, Shortcut, Statement};
use crate::parse::tokens::is;
use crate::parse::{foreign, names, unbraced};
use crate::report::{Errors, closest, written};
use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree, token_stream};
use std::iter::Peekable;
use syn::Expr;

/// A statement that ends in braces: a sequence or a structure. `else` and `shortcut` belong to the one before.
pub(super) fn braced(before: &[TokenTree], group: &Group, statements: &mut Vec<Statement>, errors: &mut Errors) {
    let (name, head) = match names::split(before) {
        Some((name, rest)) => (Some(name), rest),
        None => (None, before),
    };
    if let Some((place, message)) = foreign::brace(name.as_ref().map(|name| &name.ident), head) {
        return errors.on(place, message);
    }
    if let Some((word, message)) = unbraced::arguments(head, group) {
        errors.on(word, message);
        let name = name.map(|name| names::checked(name, errors));
        return statements.push(Statement::Unknown(name));
    }
    let (inside, within) = match head.first() {
        Some(TokenTree::Ident(word)) if word == "residual" || word == "gate" => unbraced::shortcut(group.stream()),
        _ => (group.stream(), None),
    };
    let body = match concat_word(head) {
        Some(_) => branches(inside, errors),
        None => parsed(inside, errors),
    };
    let word = match head.first() {
        Some(TokenTree::Ident(word)) => word.clone(),
        Some(other) => return errors.on(other, "expected `name: { ... }` before this brace, or `;` after a layer"),
        None => return sequence(name, group, body, statements, errors),
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
        "residual" | "gate" | "concat" | "split" if !rest.is_empty() => {
            return errors.on(rest, format!("expected the branches in braces right after `{word}`"));
        }
        "residual" | "gate" => {
            let is_gate = word == "gate";
            let residual = Statement::Residual(Residual { word, is_gate, body, shortcut: None });
            with_shortcut(residual, within, errors)
        }
        "concat" | "split" => {
            let is_split = word == "split";
            Statement::Concat(Concat { word, is_split, branches: body })
        }
        "head" | "output" => match head_name(head.get(1..).unwrap_or_default(), errors, |_| Ok(())) {
            Some(_) if body.is_empty() => return errors.on(&word, format!("this {word} has no layers")),
            Some((name, shape, ())) => {
                let is_output = word == "output";
                Statement::Head(Head { word, is_output, name, shape, body: HeadBody::Sequence(body) })
            }
            None => return errors.on(&word, headed(&word)),
        },
        "else" => return attach_else(&word, rest, body, statements, errors),
        "shortcut" => return attach_shortcut(word, rest, body, statements, errors),
        "block" => return block(&word, head.get(1), errors),
        "custom" => return errors.on(&word, CUSTOM),
        _ if rest.is_empty() && name.is_none() => return misspelt(word, body, statements, errors),
        _ => return errors.on(&word, "expected `name: { ... }` before this brace, or `;` after a layer"),
    };
    if let (Statement::Head(head), Some(_)) = (&statement, &name) {
        errors.on(&head.word, headed(&head.word));
    }
    statements.push(match name {
        // A structure with a name is a sequence that holds only it.
        Some(name) => Statement::Sequence(Sequence { name: names::checked(name, errors), body: vec![statement] }),
        None => statement,
    });
}

/// The word before braces, if they are those of a `concat` or a `split`.
pub(super) fn concat_word(before: &[TokenTree]) -> Option<&Ident> {
    match before.last() {
        Some(TokenTree::Ident(word)) if word == "concat" || word == "split" => Some(word),
        _ => None,
    }
}

/// The braces of a `concat`, or whatever its `word` is, together with those that follow them, which were to be branches, too.
pub(super) fn gathered(
    word: &Ident,
    first: &Group,
    rest: &mut Peekable<token_stream::IntoIter>,
    errors: &mut Errors,
) -> Group {
    let is_brace =
        |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    let mut groups = vec![first.clone()];
    while let Some(TokenTree::Group(next)) = rest.next_if(is_brace) {
        groups.push(next);
    }
    let [_, second, ..] = &groups[..] else { return first.clone() };
    let mut inside = TokenStream::new();
    for group in &groups {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        // Braces around branches that have some already.
        let holds_branches = match &tokens[..] {
            [brace, ..] if is_brace(brace) => true,
            [TokenTree::Ident(_), colon, brace, ..] => is(colon, ':') && is_brace(brace),
            _ => false,
        };
        match holds_branches {
            true => inside.extend(tokens),
            false => inside.extend([TokenTree::Group(group.clone())]),
        }
    }
    let mut whole = Group::new(Delimiter::Brace, inside);
    whole.set_span(first.span());
    let shown = written(&[TokenTree::Group(whole.clone())]).replace(" ;", ";").replace(" :", ":");
    let shown = if shown.len() > 120 { "{ { ... } { ... } }".into() } else { shown };
    let message = format!("all branches of a `{word}` stand in one pair of braces\n  fix: write `{word} {shown}`");
    errors.at(second.span_open(), message);
    whole
}

/// `name: { ... }`, or the braces of a branch.
fn sequence(
    name: Option<names::Given>,
    group: &Group,
    body: Vec<Statement>,
    statements: &mut Vec<Statement>,
    errors: &mut Errors,
) {
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
    statements.push(Statement::Sequence(Sequence { name, body }));
}

/// A residual with the shortcut that stands in its braces, which is told.
fn with_shortcut(mut residual: Statement, shortcut: Option<unbraced::Inside>, errors: &mut Errors) -> Statement {
    if let Some((word, condition, layers)) = shortcut {
        let of = match &residual {
            Statement::Residual(Residual { is_gate: true, .. }) => "gate",
            _ => "residual",
        };
        let fix = format!("write `{of} {{ ... }} shortcut {{ ... }}`");
        errors.on(&word, format!("a `shortcut` stands behind the `}}` of its {of}\n  fix: {fix}"));
        let layers = parsed(layers.stream(), errors);
        attach_shortcut(word, condition, layers, std::slice::from_mut(&mut residual), errors);
    }
    residual
}

/// A word before a brace that is none: a structure with a slip of the pen, or a name without its `:`. It is read as it was meant.
fn misspelt(word: Ident, body: Vec<Statement>, statements: &mut Vec<Statement>, errors: &mut Errors) {
    let written = word.to_string();
    let meant = match written.to_lowercase().as_str() {
        "cat" | "concatenate" => Some("concat"),
        "chunk" => Some("split"),
        "skip" | "add" | "sum" => Some("residual"),
        "mul" | "multiply" | "product" | "scale" | "attention" => Some("gate"),
        "downsample" | "projection" => Some("shortcut"),
        word => closest(word, ["residual", "concat", "shortcut", "gate", "split"]),
    };
    let follows_residual = matches!(statements.last().map(Statement::bare), Some(Statement::Residual(_)));
    match meant.filter(|meant| *meant != "shortcut" || follows_residual) {
        Some(meant) => errors.on(&word, format!("no structure is called `{written}`; did you mean `{meant}`?")),
        None => errors.on(&word, format!("a group of layers has a name and `:`\n  fix: write `{written}: {{ ... }}`")),
    }
    match meant {
        Some(meant @ ("concat" | "split")) => {
            let is_split = meant == "split";
            statements.push(Statement::Concat(Concat { word, is_split, branches: body }));
        }
        Some(meant @ ("residual" | "gate")) => {
            let is_gate = meant == "gate";
            statements.push(Statement::Residual(Residual { word, is_gate, body, shortcut: None }));
        }
        Some(_) if follows_residual => attach_shortcut(word, TokenStream::new(), body, statements, errors),
        _ => statements.push(Statement::Sequence(Sequence { name: names::plain(word, errors), body })),
    }
}

/// A block in a network, whose calls are no mistakes of their own.
fn block(word: &Ident, name: Option<&TokenTree>, errors: &mut Errors) {
    name.iter().for_each(|name| errors.forgive(name.to_string()));
    errors.on(word, "a block is declared beside the structs, not in one");
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
            _ => return errors.on(word, "`shortcut` without a `residual` or a `gate` before it"),
        },
        _ => return errors.on(word, "`shortcut` without a `residual` or a `gate` before it"),
    };
    if residual.shortcut.is_some() {
        return errors.on(word, format!("this `{}` has a `shortcut` already", residual.word));
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
