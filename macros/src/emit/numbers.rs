//! Sizes and counts as Rust expressions.

use convnet_language::cost::Count;
use proc_macro2::{Literal, TokenStream};
use quote::quote;

/// A count of type `kind`, where symbol `i` is written `names[i]`.
pub fn count(count: &Count, kind: &TokenStream, names: &[TokenStream]) -> TokenStream {
    let (mut positive, mut negative) = (Vec::new(), Vec::new());
    for (symbols, coefficient) in count.terms() {
        let number = Literal::u64_unsuffixed(u64::try_from(coefficient.unsigned_abs()).unwrap_or(u64::MAX));
        let factors = symbols.iter().filter_map(|symbol| names.get(*symbol));
        let term = quote!(#number #( * (#factors as #kind) )*);
        if coefficient > 0 {
            positive.push(term);
        } else if coefficient < 0 {
            negative.push(term);
        }
    }
    if positive.is_empty() {
        positive.push(quote!(0));
    }
    quote!(#(#positive)+* #(- #negative)*)
}
