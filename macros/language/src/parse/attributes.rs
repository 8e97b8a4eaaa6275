//! Attributes of a network: `#[export(name)]` is the language's; the others are Rust's and pass through.

use crate::report::Errors;
use proc_macro2::Ident;
use syn::Attribute;

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
    Read { export: exported(&export, errors), fixed, attrs: rest }
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
