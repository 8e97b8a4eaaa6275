//! Attributes. Of a network's, `#[export(name)]` and `#[allow(..)]` of a lint of ours are the language's; the others are Rust's and pass
//! through. Statements and blocks have `#[allow(..)]` only.

use crate::ast::{Allowed, Statement};
use crate::lint;
use crate::report::{Errors, did_you_mean, listed};
use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::quote;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Path, Token};

/// What the attributes of a network say.
pub struct Read {
    /// The name in `#[export(name)]`.
    pub export: Option<Ident>,
    /// The names in `#[__fixed(..)]`, which macros made by `#[export]` write: const generics that stand for their defaults.
    pub fixed: Vec<Ident>,
    /// Whether it has `#[__instance]`, which macros made by `#[export]` write.
    pub instance: bool,
    /// The lints of ours in `#[allow(..)]`.
    pub allowed: Vec<Ident>,
    /// The attributes that the struct keeps.
    pub attrs: Vec<Attribute>,
}

/// Reads the attributes of a network.
pub fn read(attributes: Vec<Attribute>, errors: &mut Errors) -> Read {
    let (export, rest): (Vec<_>, Vec<_>) =
        attributes.into_iter().partition(|attribute| attribute.path().is_ident("export"));
    let (fixed, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|attribute| attribute.path().is_ident("__fixed"));
    let fixed = fixed.iter().filter_map(|attribute| attribute.parse_args::<Ident>().ok()).collect();
    let (instance, rest): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|attribute| attribute.path().is_ident("__instance"));
    let mut allowed = Vec::new();
    let attrs = rest.into_iter().filter_map(|attribute| without_ours(attribute, &mut allowed)).collect();
    Read { export: exported(&export, errors), fixed, instance: !instance.is_empty(), allowed, attrs }
}

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

/// An attribute without the lints of ours that it allows, if there is something left of it.
fn without_ours(mut attribute: Attribute, allowed: &mut Vec<Ident>) -> Option<Attribute> {
    if !attribute.path().is_ident("allow") {
        return Some(attribute);
    }
    let Meta::List(list) = &mut attribute.meta else { return Some(attribute) };
    let parse = Punctuated::<Meta, Token![,]>::parse_terminated;
    let Ok(lints) = parse.parse2(list.tokens.clone()) else { return Some(attribute) };
    let ours = |lint: &&Meta| lint.path().get_ident().is_some_and(|name| lint::find(&name.to_string()).is_some());
    let (ours, rest): (Vec<&Meta>, Vec<&Meta>) = lints.iter().partition(ours);
    allowed.extend(ours.iter().filter_map(|lint| lint.path().get_ident()).cloned());
    if ours.is_empty() {
        return Some(attribute);
    }
    list.tokens = quote!(#(#rest),*);
    // A reason alone is nobody's.
    rest.iter().any(|lint| matches!(lint, Meta::Path(_))).then_some(attribute)
}

const FORM: &str = "expected the names of lints, as in `#[allow(unread_pixels)]`";

/// The lints that the attributes before a statement allow, and the tokens of the statement.
pub fn before<'a>(tokens: &'a [TokenTree], errors: &mut Errors) -> (Vec<Ident>, &'a [TokenTree]) {
    let (mut lints, mut rest, mut told) = (Vec::new(), tokens, false);
    while let [mark @ TokenTree::Punct(hash), TokenTree::Group(group), after @ ..] = rest
        && hash.as_char() == '#'
        && group.delimiter() == Delimiter::Bracket
    {
        rest = after;
        match allow(group) {
            Some(names) => lints.extend(names_of(names, errors)),
            // All lines of a comment are one mistake.
            None if std::mem::replace(&mut told, true) => {}
            None => errors.on(mark, no_attribute(group)),
        }
    }
    (lints, rest)
}

/// The tokens in the brackets of `#[allow(..)]`.
fn allow(group: &Group) -> Option<TokenStream> {
    let mut tokens = group.stream().into_iter();
    match (tokens.next(), tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(word)), Some(TokenTree::Group(names)), None) if word == "allow" => Some(names.stream()),
        _ => None,
    }
}

fn no_attribute(group: &Group) -> &'static str {
    match group.stream().into_iter().next() {
        Some(TokenTree::Ident(word)) if word == "doc" => {
            "a layer has no documentation of its own\n  fix: write `// ...`"
        }
        Some(TokenTree::Ident(word)) if word == "allow" => FORM,
        _ => "a layer has no attributes but `#[allow(..)]`, which names lints",
    }
}

/// The lints that an attribute names, those that there are not left out.
fn names_of(tokens: TokenStream, errors: &mut Errors) -> Vec<Ident> {
    let parse = Punctuated::<Path, Token![,]>::parse_terminated;
    let Ok(paths) = parse.parse2(tokens.clone()) else {
        errors.on(tokens, FORM);
        return Vec::new();
    };
    let known = |path: &Path| {
        let name = quote!(#path).to_string();
        if lint::find(&name).is_none() {
            let names = || lint::ALL.into_iter().map(|lint| lint.name);
            let message =
                format!("no lint is called `{name}`{}\n  lints: {}", did_you_mean(&name, names()), listed(names()));
            errors.on(path, message);
            return None;
        }
        path.get_ident().cloned()
    };
    paths.iter().filter_map(known).collect()
}

/// The lints that the attributes of a block allow.
pub fn of_block(attributes: &[Attribute], errors: &mut Errors) -> Vec<Ident> {
    let mut lints = Vec::new();
    for attribute in attributes.iter().filter(|attribute| !attribute.path().is_ident("doc")) {
        match &attribute.meta {
            Meta::List(list) if list.path.is_ident("allow") => lints.extend(names_of(list.tokens.clone(), errors)),
            _ => errors
                .on(attribute, "a block takes no attributes but doc comments and `#[allow(..)]`, which names lints"),
        }
    }
    lints
}

/// A statement for which some lints are off.
pub fn allowed(lints: Vec<Ident>, statement: Statement, errors: &mut Errors) -> Statement {
    match (lints.first(), &statement) {
        (None, _) => statement,
        (Some(lint), Statement::Assert(_)) => {
            errors.on(lint, "a budget has no lints");
            statement
        }
        (Some(_), _) => Statement::Allowed(Allowed { lints, statement: Box::new(statement) }),
    }
}
