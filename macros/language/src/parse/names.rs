//! Names of layers, sequences, heads and custom modules: `name:` or `name as "key":`.

use crate::ast::Name;
use crate::report::Errors;
use crate::signature::ArgKind;
use crate::words;
use proc_macro2::{Ident, Literal, Spacing, TokenTree};
use syn::LitStr;
use syn::ext::IdentExt;

/// A name before it has been checked.
pub struct Given {
    pub ident: Ident,
    /// The text after `as`.
    key: Option<Literal>,
}

/// `name:` or `name as "key":` and what comes after.
pub fn split(tokens: &[TokenTree]) -> Option<(Given, &[TokenTree])> {
    let (ident, key, rest) = match tokens {
        [TokenTree::Ident(ident), TokenTree::Ident(word), TokenTree::Literal(key), rest @ ..] if word == "as" => {
            (ident, Some(key.clone()), rest)
        }
        [TokenTree::Ident(ident), rest @ ..] => (ident, None, rest),
        _ => return None,
    };
    match rest {
        [TokenTree::Punct(colon), TokenTree::Punct(next), ..]
            if colon.spacing() == Spacing::Joint && next.as_char() == ':' =>
        {
            None
        }
        [TokenTree::Punct(colon), rest @ ..] if colon.as_char() == ':' => {
            Some((Given { ident: ident.clone(), key }, rest))
        }
        _ => None,
    }
}

/// A name without a key of its own.
pub fn plain(ident: Ident, errors: &mut Errors) -> Name {
    checked(Given { ident, key: None }, errors)
}

/// The name as it is used: a field of the struct and a key in files of weights.
pub fn checked(given: Given, errors: &mut Errors) -> Name {
    let Given { ident, key } = given;
    let plain = ident.unraw().to_string();
    let field = field(&ident, &plain, errors);
    let key = match key {
        None => plain,
        Some(literal) => explicit(&literal, errors).unwrap_or(plain),
    };
    Name { field, key }
}

fn explicit(literal: &Literal, errors: &mut Errors) -> Option<String> {
    let Ok(text) = syn::parse_str::<LitStr>(&literal.to_string()) else {
        errors.on(literal, "a key is a text, as in `last as \"final\": conv(10, kernel = 1);`");
        return None;
    };
    let key = text.value();
    if key.is_empty() || key.contains(|c: char| c == '.' || c.is_control()) {
        errors.on(literal, "a key is one step of a path such as `layer1.conv.weight`: not empty, and without a dot");
        return None;
    }
    Some(key)
}

/// The field, or a harmless one after an error.
fn field(ident: &Ident, plain: &str, errors: &mut Errors) -> Ident {
    let number = plain.strip_prefix('_').is_some_and(|rest| rest.parse::<u64>().is_ok());
    let harmless = || Ident::new(&format!("_{}_", plain.trim_matches('_')), ident.span());
    if plain == "_" {
        errors.on(ident, "a layer has a name or none; leave out `_:`");
        return harmless();
    }
    if plain.starts_with("__") {
        errors.on(ident, "names that start with `__` are reserved");
        return harmless();
    }
    if number {
        errors.on(ident, format!("`{plain}` is the field of a layer without a name; take another name"));
        return harmless();
    }
    if !is_keyword(plain) {
        return Ident::new(plain, ident.span());
    }
    if matches!(plain, "self" | "Self" | "super" | "crate") {
        let message = format!(
            "`{plain}` is a Rust keyword that no field can be called\n  fix: `{plain}_ as \"{plain}\": ...` has the field `{plain}_` and the key `{plain}`"
        );
        errors.on(ident, message);
        return harmless();
    }
    // A keyword of newer editions only is a keyword for nobody who writes it without `r#` and gets no error.
    if *ident == plain && plain != NEWER {
        let message = format!(
            "`{plain}` is a Rust keyword\n  fix: write `r#{plain}: ...`; the field is `net.r#{plain}`, the key in files of weights stays `{plain}`"
        );
        errors.on(ident, message);
    }
    Ident::new_raw(plain, ident.span())
}

/// A keyword since edition 2024, which syn does not know of.
const NEWER: &str = "gen";

fn is_keyword(plain: &str) -> bool {
    plain == NEWER || syn::parse_str::<Ident>(plain).is_err()
}

/// Whether generated code has a type parameter of that name, which types of `custom` modules may use.
pub fn is_generated_generic(name: &Ident) -> bool {
    name == "E" || name == "D"
}

/// Refuses a name for a const generic or a parameter of a block that would mean something else where it is used.
pub fn check_number(name: &Ident, errors: &mut Errors) -> bool {
    let text = name.unraw().to_string();
    let flag = |text: &str| {
        let specs = words::all().flat_map(|word| word.signature.args);
        specs.into_iter().any(|spec| spec.kind == ArgKind::Flag && spec.name == text)
    };
    let message = match text.as_str() {
        "channels" | "height" | "width" => format!("`{text}` is the shape where it is used; use another name"),
        "same" => "`same` is a padding (`pad = same`); use another name".to_string(),
        _ if flag(&text) => format!("`{text}` is an option that is on or off, not a number; use another name"),
        _ if text.starts_with("__") => "names that start with `__` are reserved".to_string(),
        _ => return true,
    };
    errors.on(name, message);
    false
}
