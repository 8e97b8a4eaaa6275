//! What the lints find, as warnings of rustc. A macro on stable Rust has errors only, but it can use what is deprecated: rustc then warns at
//! the place of that use, in the words of the deprecation, once, and as the levels of the user's crate say.

use crate::attributes;
use convnet_language::ast::Network;
use convnet_language::lint::Lint;
use convnet_language::lints::{Finding, header};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use std::collections::BTreeSet;

/// What a lint has found, as it is told.
pub struct Warning {
    pub lint: &'static Lint,
    /// Where it is shown.
    pub place: Span,
    /// The place that it is about, which is told once.
    pub about: String,
    /// The message at a layer, and the one at a network whose layers another one has written.
    pub on_layer: String,
    pub on_struct: (Span, String),
}

impl Warning {
    /// The warning about a finding in a network that stands in the call.
    pub fn of(finding: &Finding, network: &Network) -> Self {
        Warning {
            lint: finding.lint,
            place: finding.place,
            about: format!("{:?}", finding.place),
            on_layer: finding.on_layer(),
            on_struct: (header(network), finding.on_struct()),
        }
    }
}

/// The warnings of a network, without those that were `told` of another one that uses the same block.
pub fn warnings(network: &Network, warnings: &[Warning], told: &mut BTreeSet<String>) -> TokenStream {
    let conditions: Vec<_> = network.conditions().collect();
    let allowed = attributes::allowed(network);
    let mut items = TokenStream::new();
    for Warning { lint, place, about, on_layer, on_struct } in warnings {
        let name = lint.name;
        let (place, message, about) = match network.instance {
            false => (*place, on_layer, about.clone()),
            // Its layers are another one's, who was told what does not depend on the size.
            true if !lint.by_size => continue,
            true => (on_struct.0, &on_struct.1, format!("{:?}", on_struct.0)),
        };
        let key = format!("{name} {about}");
        // Of networks with conditions there may be only one.
        if told.contains(&key) || (conditions.is_empty() && !told.insert(key)) {
            continue;
        }
        let note = format!("a lint of `cnn!` (rustc calls every warning of a macro deprecated)\n{message}");
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
