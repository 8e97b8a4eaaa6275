//! What the lints find, as warnings of rustc. A macro on stable Rust has errors only, but it can use what is deprecated: rustc then warns at
//! the place of that use, in the words of the deprecation, once, and as the levels of the user's crate say.

use crate::attributes;
use convnet_language::ast::Network;
use convnet_language::lints::{Finding, header};
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use std::collections::BTreeSet;

/// The warnings of a network, without those that were `told` of another one that uses the same block.
pub fn warnings(network: &Network, findings: &[Finding], told: &mut BTreeSet<String>) -> TokenStream {
    let conditions: Vec<_> = network.conditions().collect();
    let allowed = attributes::allowed(network);
    let mut items = TokenStream::new();
    for finding in findings {
        let name = finding.lint.name;
        let (place, message) = match network.instance {
            false => (finding.place, finding.on_layer()),
            // Its layers are another one's, who was told what does not depend on the size.
            true if !finding.lint.by_size => continue,
            true => (header(network), finding.on_struct()),
        };
        let key = format!("{name} {place:?}");
        // Of networks with conditions there may be only one.
        if told.contains(&key) || (conditions.is_empty() && !told.insert(key)) {
            continue;
        }
        let note = format!("a lint of `cnn!`\n{message}");
        // Both at the place, so that rustc does not speak of the macro in between.
        let word = Ident::new(name, place);
        items.extend(quote! {
            #(#conditions)*
            #allowed
            const _: () = {
                #[deprecated(note = #note)]
                macro_rules! #word { () => {} }
                #word! {}
            };
        });
    }
    items
}
