//! What an editor follows: each word of a call as a path to where it is explained or declared.
//!
//! rust-analyzer looks for what a token of a macro's input became in its output, and shows, opens, renames or completes that. So for
//! each word there is a path whose last step is that token, in a constant that only rust-analyzer sees: for the compiler a
//! `cfg` takes it away, so a word that does not exist is no second error, and names cost no time.
//!
//! To complete, rust-analyzer expands the call twice, as it is and with a made-up identifier at the cursor, and looks into the
//! first expansion at the place that the identifier has in the second one. So paths are made of tokens, whatever the
//! parser makes of these; they stand before all that depends on them, in the order of the source; and where a word could be written but
//! is not, [`Paths::slot`] sees to it that there is a path to the same module in its place.

mod scan;

use convnet_language::words;
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote};
use std::collections::BTreeSet;

/// The constant with the paths of all words in a call of `cnn!`.
pub fn constant(tokens: &TokenStream) -> TokenStream {
    let mut paths = Paths::default();
    paths.call(&tokens.clone().into_iter().collect::<Vec<_>>());
    let (followed, modules) = (&paths.followed, paths.modules());
    // The lint about an unknown `cfg` is allowed around the module, as one that is taken away allows nothing. It is a module, since in a
    // block `super` would not lead to what stands beside.
    quote! {
        #[allow(unexpected_cfgs)]
        const _: () = {
            #[cfg(rust_analyzer)]
            #[allow(non_upper_case_globals, non_snake_case)]
            mod followed {
                const _: () = { #followed };
                #modules
            }
        };
    }
}

/// Where a word is looked up: the module that its path leads through.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// What a call declares.
    Declarations,
    /// Layers, structures and blocks.
    Words,
    /// The arguments of a layer or block, by their names.
    Options(String),
    /// Those, and the values of a scope: what may stand in brackets.
    Arguments(String, usize),
    /// What a number may be computed from in a scope.
    Values(usize),
    /// What an `assert` is about.
    Budgets,
}

/// Names of numbers: a block with its parameters, or a network with its const generics.
struct Scope {
    numbers: Vec<Number>,
}

struct Number {
    name: Ident,
    page: String,
}

/// A block with what is written before it.
struct Block {
    name: Ident,
    docs: TokenStream,
    written: String,
    scope: usize,
}

/// The paths so far, and the modules that they need.
#[derive(Default)]
struct Paths {
    followed: TokenStream,
    /// Where a word could have been written since the last path.
    open: Option<Place>,
    scopes: Vec<Scope>,
    blocks: Vec<Block>,
    arguments: BTreeSet<(String, usize)>,
}

impl Paths {
    /// A path to `word` in `place`.
    fn follow(&mut self, place: Place, word: &Ident) {
        if is_name(word) {
            self.close(Some(&place));
            self.write(&place, word);
        }
    }

    /// A word of `place` could be written here.
    fn slot(&mut self, place: Place) {
        self.close(Some(&place));
        self.open = Some(place);
    }

    /// Sees to it that where a word could have been written there is a path to its module, be it that of the `next` word.
    fn close(&mut self, next: Option<&Place>) {
        let Some(open) = self.open.take().filter(|open| Some(open) != next) else { return };
        let any = match open {
            Place::Words => "identity",
            Place::Budgets => "params",
            Place::Declarations => "block",
            Place::Options(_) | Place::Arguments(..) | Place::Values(_) => "channels",
        };
        self.write(&open, &Ident::new(any, Span::call_site()));
    }

    fn write(&mut self, place: &Place, word: &Ident) {
        if let Place::Arguments(of, scope) = place {
            self.arguments.insert((of.clone(), *scope));
        }
        let module = self.path(place);
        self.followed.extend(quote!(#module::#word;));
    }

    fn path(&self, place: &Place) -> TokenStream {
        match place {
            Place::Declarations => quote!(::__convnet::words::__declarations),
            Place::Words => quote!(words),
            Place::Options(of) => match self.blocks.iter().find(|block| block.name == of) {
                Some(block) => {
                    let numbers = numbers(block.scope);
                    quote!(#numbers)
                }
                None => {
                    let word = Ident::new(of, Span::call_site());
                    quote!(::__convnet::words::__options::#word)
                }
            },
            Place::Arguments(of, scope) => {
                let module = arguments(of, *scope);
                quote!(#module)
            }
            Place::Values(scope) => {
                let module = values(*scope);
                quote!(#module)
            }
            Place::Budgets => quote!(::__convnet::words::__budgets),
        }
    }

    /// Whether the arguments of `word` have names.
    fn has_options(&self, word: &str) -> bool {
        let layer = || words::find(word).is_some_and(|word| !word.signature.args.is_empty());
        self.blocks.iter().any(|block| block.name == word) || layer()
    }

    fn modules(&self) -> TokenStream {
        let blocks = self
            .blocks
            .iter()
            .map(|Block { name, docs, written, .. }| quote!(#[doc = #written] #docs pub const #name: ();));
        let scopes = self.scopes.iter().enumerate().map(|(index, Scope { numbers: all })| {
            let (numbers, values) = (numbers(index), values(index));
            let declared = all.iter().map(|Number { name, page }| quote!(#[doc = #page] pub const #name: usize;));
            quote! {
                mod #numbers { #(#declared)* }
                mod #values { pub use super::#numbers::*; pub use ::__convnet::words::__values::*; }
            }
        });
        let arguments = self.arguments.iter().map(|(of, scope)| {
            let (module, values) = (arguments(of, *scope), values(*scope));
            let options = match self.path(&Place::Options(of.clone())) {
                local if self.blocks.iter().any(|block| block.name == of) => quote!(super::#local),
                path => path,
            };
            // A value of the user's is meant where an argument has the same name: `stride` stands for `stride = stride`.
            quote!(mod #module { pub use super::#values::*; pub use #options::*; })
        });
        quote!(mod words { pub use ::__convnet::words::*; #(#blocks)* } #(#scopes)* #(#arguments)*)
    }
}

fn numbers(scope: usize) -> Ident {
    format_ident!("numbers{scope}")
}

fn values(scope: usize) -> Ident {
    format_ident!("values{scope}")
}

fn arguments(of: &str, scope: usize) -> Ident {
    format_ident!("{}_arguments{scope}", of.trim_start_matches("r#"))
}

/// Whether a path or a declaration can have this name; a keyword of any edition would be an error of syntax.
fn is_name(word: &Ident) -> bool {
    word != "gen" && syn::parse_str::<Ident>(&word.to_string()).is_ok()
}

fn is(tree: &TokenTree, c: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == c)
}
