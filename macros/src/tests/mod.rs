//! Tests of what is emitted, without the compiler: networks as text, milliseconds each.

mod limits;
mod mutations;
mod size;
mod words;

use convnet_language::report::Errors;
use proc_macro2::TokenStream;
use std::str::FromStr;

/// All errors of `source`.
fn errors(source: &str) -> Vec<String> {
    let mut errors = Errors::default();
    convnet_language::check(TokenStream::from_str(source).unwrap(), &mut errors);
    errors.all().iter().map(ToString::to_string).collect()
}
