//! The pages of `convnet::words`: for each layer word a documented constant, printed from the table of the language.
//!
//! A page written by hand beside the table was rejected: it repeated every argument and every default, and nothing noticed when
//! one of the two changed.

use convnet_language::words::{self, Word};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// A constant for each word, whose documentation is the word's page.
pub fn constants() -> TokenStream {
    let constants = words::all().map(|word| {
        let (name, page) = (Ident::new(word.name(), Span::call_site()), page(word));
        quote! {
            #[doc = #page]
            pub const #name: () = ();
        }
    });
    constants.collect()
}

/// What a word does, how it is written, shapes, arguments with their defaults, and parameters, as Markdown.
fn page(word: &Word) -> String {
    let Word { signature, help, shape, parameters, .. } = word;
    let example = match signature.args {
        [] => String::new(),
        _ => format!(", for example `{}`", signature.example),
    };
    let arguments = signature.args.iter().enumerate().map(|(index, spec)| {
        let argument = signature.written(index);
        format!("* `{argument}` ({}): {}\n", spec.kind.takes(), spec.help)
    });
    let arguments: String = arguments.collect();
    let parameters = match *parameters {
        "" => String::new(),
        parameters => format!("\nParameters: {parameters}.\n"),
    };
    format!(
        "{help}\n\nIt is written `{signature}`{example}.\n\n{arguments}\nShape of the output: {shape}.\n{parameters}"
    )
}
