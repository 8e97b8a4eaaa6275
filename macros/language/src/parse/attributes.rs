//! Attributes of a network: `#[export(name)]`, and derives, which a network has or cannot have.

use crate::report::Errors;
use proc_macro2::Ident;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Path, Token};

/// What the attributes of a network say.
pub struct Read {
    /// The name in `#[export(name)]`.
    pub export: Option<Ident>,
    /// The names in `#[__fixed(..)]`, which macros made by `#[export]` write: const generics that stand for their defaults.
    pub fixed: Vec<Ident>,
    /// The attributes that the struct keeps.
    pub attrs: Vec<Attribute>,
}

/// Reads the attributes of a network.
pub fn read(attributes: Vec<Attribute>, errors: &mut Errors) -> Read {
    let (export, rest): (Vec<_>, Vec<_>) =
        attributes.into_iter().partition(|attribute| attribute.path().is_ident("export"));
    let (fixed, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|attribute| attribute.path().is_ident("__fixed"));
    let fixed = fixed.iter().filter_map(|attribute| attribute.parse_args::<Ident>().ok()).collect();
    let attrs = rest.into_iter().filter_map(|attribute| derived(attribute, errors)).collect();
    Read { export: exported(&export, errors), fixed, attrs }
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

/// A derive without what every network has already and what none can have; other attributes as they are.
fn derived(mut attribute: Attribute, errors: &mut Errors) -> Option<Attribute> {
    if !attribute.path().is_ident("derive") {
        return Some(attribute);
    }
    let Ok(paths) = attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated) else {
        return Some(attribute);
    };
    let kept: Vec<&Path> = paths.iter().filter(|path| is_left(path, errors)).collect();
    if kept.is_empty() {
        return None;
    }
    let tokens = quote!(#(#kept),*);
    if let Meta::List(list) = &mut attribute.meta {
        list.tokens = tokens;
    }
    Some(attribute)
}

/// Whether a derive is left to rustc.
fn is_left(path: &Path, errors: &mut Errors) -> bool {
    let name = path.segments.last().map_or(String::new(), |segment| segment.ident.to_string());
    let why = match name.as_str() {
        "Clone" | "Debug" => return false,
        "Copy" => "its parameters are memory of its own; `clone()` copies it",
        "Default" => "its parameters need a device; `dev.build_module::<Name, f32>()` makes one",
        "PartialEq" | "Eq" | "PartialOrd" | "Ord" | "Hash" => {
            "its parameters are tensors, which are compared by their numbers (`as_vec()`)"
        }
        _ => return true,
    };
    errors.on(path, format!("a network cannot be `{name}`: {why}\n  it is `Clone` and `Debug` without being asked"));
    false
}
