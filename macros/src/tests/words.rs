//! The documentation that is printed for each word of the language.

use crate::words::constants;
use convnet_language::words::{self, STRUCTURES, Term};

/// A constant's name and its documentation; none for a module.
fn page(item: &syn::Item) -> Option<(String, String)> {
    let syn::Item::Const(constant) = item else { return None };
    let docs = constant.attrs.iter().map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(syn::MetaNameValue {
            value: syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }),
            ..
        }) => text.value(),
        _ => panic!("no documentation"),
    });
    Some((constant.ident.to_string(), docs.collect()))
}

#[test]
fn every_word_has_a_page_with_all_that_the_table_says() {
    let file: syn::File = syn::parse2(constants()).unwrap();
    let mut pages = file.items.iter().filter_map(page);
    for word in words::all() {
        let (name, page) = pages.next().unwrap();
        assert_eq!(name, word.name());
        let signature = format!("`{}`", word.signature);
        for text in [word.help, word.shape, word.parameters, word.signature.example, &signature] {
            assert!(page.contains(text), "{name}: {text} is not in\n{page}");
        }
        for spec in word.signature.args {
            assert!(page.contains(&format!("* `{}", spec.name)) && page.contains(spec.help), "{name}\n{page}");
        }
    }
    // Keywords of Rust, which can name no constant, and the word that stands outside of networks are not among these.
    let structures: Vec<&Term> =
        STRUCTURES.iter().filter(|term| !["block", "if", "else"].contains(&term.name)).collect();
    for term in &structures {
        let (name, page) = pages.next().unwrap();
        assert_eq!(name, term.name);
        assert!(page.contains(term.help) && page.contains(term.written), "{name}\n{page}");
    }
    assert_eq!(pages.next(), None);
}

#[test]
fn every_argument_has_a_page_within_the_brackets_of_its_word() {
    let file: syn::File = syn::parse2(constants()).unwrap();
    let modules = file.items.iter().filter_map(|item| match item {
        syn::Item::Mod(module) => Some((module.ident.to_string(), &module.content.as_ref().unwrap().1)),
        _ => None,
    });
    let (_, words_with_arguments) = modules.clone().find(|(name, _)| name == "__options").unwrap();
    for (item, word) in words_with_arguments.iter().zip(words::all().filter(|word| !word.signature.args.is_empty())) {
        let syn::Item::Mod(module) = item else { panic!("no module") };
        assert_eq!(module.ident, word.name());
        let pages: Vec<(String, String)> = module.content.as_ref().unwrap().1.iter().filter_map(page).collect();
        assert_eq!(pages.len(), word.signature.args.len());
        for ((name, page), spec) in pages.iter().zip(word.signature.args) {
            assert_eq!(name, spec.name);
            assert!(page.contains(spec.help), "{name}\n{page}");
        }
    }
}

#[test]
fn a_page_reads_from_the_word_to_its_parameters() {
    let file: syn::File = syn::parse2(constants()).unwrap();
    let pages: Vec<(String, String)> = file.items.iter().filter_map(page).collect();
    let (_, page) = pages.iter().find(|(name, _)| name == "linear").unwrap();
    let expected = "A fully connected layer: each output is a weighted sum of all inputs.\n\n\
        It is written `linear(out, bias = true, each_pixel = false)`, for example `linear(10)`.\n\n\
        * `out` (a whole number or a const generic): The number of outputs.\n\
        * `bias = true` (a flag): Whether each output has a bias.\n\
        * `each_pixel = false` (a flag): Whether the layer is applied to the channels of each pixel of a map. That is a convolution of 1 x 1 \
        whose weight is of a linear layer's shape, as in ConvNeXt (Liu et al., 2022).\n\n\
        Shape of the output: `[N] -> [out]`; with `each_pixel`, `[C, H, W] -> [out, H, W]`.\n\n\
        Parameters: `weight [out, N]`, or `weight [out, C]` with `each_pixel`; and `bias [out]` unless `bias = false`.\n";
    assert_eq!(page, expected);
}
