//! Attributes of a network that mean something to rustc: derives, which every network has or none can have, and allowed lints.

use convnet_language::ast::Network;
use convnet_language::report::Errors;
use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Path, Token};

/// Takes from a network's attributes what its struct is not to be given.
pub fn settle(network: &mut Network, errors: &mut Errors) {
    let attributes = std::mem::take(&mut network.attrs);
    network.attrs = attributes.into_iter().filter_map(|attribute| derived(attribute, errors)).collect();
}

/// The lints that the user allows, which what is generated is allowed too.
pub fn allowed(network: &Network) -> TokenStream {
    let lists = network.attrs.iter().filter_map(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("allow") || list.path.is_ident("expect") => Some(&list.tokens),
        _ => None,
    });
    lists.map(|list| quote!(#[allow(#list)])).collect()
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
        "Serialize" | "Deserialize" => "its parameters go to files by `weights::save` and come back by `weights::load`",
        _ => return true,
    };
    errors.on(path, format!("a network cannot be `{name}`: {why}\n  it is `Clone` and `Debug` without being asked"));
    false
}
