//! The pages of `convnet::words`: for each word of the language a documented constant, printed from the tables of the language.
//!
//! A page written by hand beside the table was rejected: it repeated every argument and every default, and nothing noticed when
//! one of the two changed. What an editor offers within brackets are constants too, in modules that rustdoc does not show: they
//! would say once more what the page of the word says.

use convnet_language::words::{self, BUDGETS, STRUCTURES, Term, VALUES, Word};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// A constant for each word, whose documentation is the word's page; and modules of what stands in brackets.
pub fn constants() -> TokenStream {
    let layers = words::all().map(|word| constant(word.name(), &page(word)));
    let is_inside = |structure: &&Term| structure.name != BLOCK;
    let structures = STRUCTURES.iter().filter(is_inside).filter_map(term);
    let declarations = module("__declarations", STRUCTURES.iter().filter(|term| !is_inside(term)).filter_map(term));
    let options = words::all().filter(|word| !word.signature.args.is_empty()).map(options);
    let options = module("__options", options);
    let values = module("__values", VALUES.iter().filter_map(term));
    let budgets = module("__budgets", BUDGETS.iter().filter_map(term));
    quote!(#(#layers)* #(#structures)* #declarations #options #values #budgets)
}

/// The word that stands beside the networks, not in them.
const BLOCK: &str = "block";

fn constant(name: &str, page: &str) -> TokenStream {
    let name = Ident::new(name, Span::call_site());
    quote! {
        #[doc = #page]
        pub const #name: () = ();
    }
}

fn module(name: &str, items: impl Iterator<Item = TokenStream>) -> TokenStream {
    let name = Ident::new(name, Span::call_site());
    quote! {
        #[doc(hidden)]
        pub mod #name { #(#items)* }
    }
}

/// The constant of a word that is no layer; none where it is a keyword of Rust, which editors explain themselves.
fn term(term: &Term) -> Option<TokenStream> {
    syn::parse_str::<Ident>(term.name).ok()?;
    Some(constant(term.name, &format!("{}\n\nIt is written `{}`.\n", term.help, term.written)))
}

/// The arguments of a layer.
fn options(word: &Word) -> TokenStream {
    let signature = &word.signature;
    let arguments = signature.args.iter().enumerate().map(|(index, spec)| {
        constant(spec.name, &format!("{}\n\nAn argument of `{}`.\n", argument(word, index), word.name()))
    });
    module(word.name(), arguments)
}

/// An argument with its default, what it takes, and what it means.
fn argument(word: &Word, index: usize) -> String {
    let written = word.signature.written(index);
    word.signature
        .args
        .get(index)
        .map_or(String::new(), |spec| format!("`{written}` ({}): {}", spec.kind.takes(), spec.help))
}

/// What a word does, how it is written, shapes, arguments with their defaults, and parameters, as Markdown.
fn page(word: &Word) -> String {
    let Word { signature, help, shape, parameters, .. } = word;
    let example = match signature.args {
        [] => String::new(),
        _ => format!(", for example `{}`", signature.example),
    };
    let arguments = (0..signature.args.len()).map(|index| format!("* {}\n", argument(word, index)));
    let arguments: String = arguments.collect();
    let parameters = match *parameters {
        "" => String::new(),
        parameters => format!("\nParameters: {parameters}.\n"),
    };
    format!(
        "{help}\n\nIt is written `{signature}`{example}.\n\n{arguments}\nShape of the output: {shape}.\n{parameters}"
    )
}
