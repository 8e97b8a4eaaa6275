//! `cnn! { include = "net.cnn" }`: the networks of a file in the place of the call.
//!
//! A span of stable Rust leads to a file that rustc compiles, and a `.cnn` file is none. So the text is checked once by itself, where its
//! tokens know their lines, and each mistake becomes an error on the path, with the lines of the file drawn in its message. What is emitted is
//! made of the same tokens at the path's place.

use crate::Told;
use crate::emit::Warning;
use crate::file::{self, From, Place};
use convnet_language::ast::Network;
use convnet_language::lints::Finding;
use convnet_language::report::Errors;
use convnet_language::text;
use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::quote_spanned;
use std::fmt::Display;
use std::str::FromStr;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Expr, Token};

/// What stands in a call that includes a file.
struct Call {
    path: Expr,
}

impl Parse for Call {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let usage = |error: syn::Error| {
            syn::Error::new(
                error.span(),
                "`cnn!` includes one file, and nothing stands beside it: `cnn! { include = \"net.cnn\" }`",
            )
        };
        input.parse::<syn::Ident>().map_err(usage)?;
        input.parse::<Token![=]>().map_err(usage)?;
        let path = input.parse().map_err(usage)?;
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(usage(input.error("")));
        }
        Ok(Call { path })
    }
}

/// An included file, of which everything is known that is to be said.
pub struct Included {
    place: Place,
    text: String,
    /// Where the path is written.
    span: Span,
    errors: Vec<String>,
    pub told: Vec<Told>,
}

/// The file that a call includes; nothing, if it declares its networks itself.
pub fn file(tokens: &TokenStream) -> Option<syn::Result<Included>> {
    let mut trees = tokens.clone().into_iter();
    let (first, second) = (trees.next(), trees.next());
    let (Some(TokenTree::Ident(word)), Some(TokenTree::Punct(sign))) = (first, second) else { return None };
    (word == "include" && sign.as_char() == '=').then(|| read(tokens.clone()))
}

fn read(tokens: TokenStream) -> syn::Result<Included> {
    let Call { path } = syn::parse2(tokens)?;
    let place = file::path(&path, From::Package)?;
    let text = file::network(&place).map_err(|problem| syn::Error::new_spanned(&path, problem))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_string();
    let mut included = Included { place, text, span: path.span(), errors: Vec::new(), told: Vec::new() };
    if let Some((_, problem)) = text::excess(&included.text) {
        return Err(syn::Error::new_spanned(&path, format!("{}: {problem}", included.place.written)));
    }
    included.look();
    Ok(included)
}

/// While it lives, tokens are those of `proc-macro2` itself, which know their places in a text; those of rustc have the place of the call.
struct OwnTokens;

impl OwnTokens {
    fn begin() -> Self {
        proc_macro2::fallback::force();
        OwnTokens
    }
}

impl Drop for OwnTokens {
    fn drop(&mut self) {
        proc_macro2::extra::invalidate_current_thread_spans();
        proc_macro2::fallback::unforce();
    }
}

impl Included {
    /// Finds what is wrong with the text. Nothing made of tokens outlives this.
    fn look(&mut self) {
        let at_path = self.span;
        let own = OwnTokens::begin();
        (self.errors, self.told) = self.looked(at_path);
        drop(own);
    }

    fn looked(&self, at_path: Span) -> (Vec<String>, Vec<Told>) {
        let tokens = match TokenStream::from_str(&self.text) {
            Ok(tokens) => tokens,
            Err(error) => return (vec![self.drawn(error.span(), text::NO_TOKENS)], Vec::new()),
        };
        let mut errors = Errors::default();
        let checked = super::checked(tokens, &mut errors);
        let errors = errors.all().iter().map(|error| self.drawn(error.span(), error)).collect();
        let networks = checked.iter().flat_map(|checked| checked.findings.iter().zip(&checked.call.networks));
        let told = networks.map(|(findings, network)| Told {
            warnings: findings.iter().map(|finding| self.warning(finding, network, at_path)).collect(),
            notes: findings.iter().map(Finding::note).collect(),
            is_right: true,
        });
        (errors, told.collect())
    }

    fn warning(&self, finding: &Finding, network: &Network, at_path: Span) -> Warning {
        let Warning { lint, place, about, on_layer, on_struct: (header, on_struct) } = Warning::of(finding, network);
        let (on_layer, on_struct) = (self.drawn(place, on_layer), (at_path, self.drawn(header, on_struct)));
        Warning { lint, place: at_path, about, on_layer, on_struct }
    }

    /// Its tokens where the path is.
    pub fn tokens(&self) -> TokenStream {
        TokenStream::from_str(&self.text).map(|tokens| placed(tokens, self.span)).unwrap_or_default()
    }

    /// An error or a warning, with the line that it is about.
    fn drawn(&self, at: Span, message: impl Display) -> String {
        let message = message.to_string();
        let (title, rest) = message.split_once('\n').map_or((&*message, ""), |(title, rest)| (title, rest));
        let (start, end) = (at.start(), at.end());
        let line = self.text.lines().nth(start.line.saturating_sub(1)).unwrap_or_default();
        let to = if end.line == start.line { end.column } else { line.chars().count() };
        let carets = "^".repeat(to.saturating_sub(start.column).max(1));
        // A tab stays one, so that the carets stand below what they are about.
        let before: String = line.chars().take(start.column).map(|c| if c == '\t' { c } else { ' ' }).collect();
        let number = start.line.to_string();
        let gutter = " ".repeat(number.len());
        let rest = if rest.is_empty() { String::new() } else { format!("\n{rest}") };
        format!(
            "{title}\n{gutter}--> {}:{number}:{}\n{gutter} |\n{number} | {line}\n{gutter} | {before}{carets}{rest}",
            self.place.written,
            start.column + 1
        )
    }

    /// The errors, each on the path.
    pub fn errors(&self) -> TokenStream {
        self.errors.iter().map(|error| syn::Error::new(self.span, error).to_compile_error()).collect()
    }

    /// By this rustc and cargo notice when the file changes.
    pub fn tracked(&self) -> TokenStream {
        let full = self.place.full.to_string_lossy();
        quote_spanned! {self.span.resolved_at(Span::call_site())=>
            const _: &[::core::primitive::u8] = ::core::include_bytes!(#full);
        }
    }
}

fn placed(tokens: TokenStream, span: Span) -> TokenStream {
    let at = |tree: TokenTree| match tree {
        TokenTree::Group(group) => {
            let mut moved = Group::new(group.delimiter(), placed(group.stream(), span));
            moved.set_span(span);
            TokenTree::Group(moved)
        }
        mut other => {
            other.set_span(span);
            other
        }
    };
    tokens.into_iter().map(at).collect()
}
