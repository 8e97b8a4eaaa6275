//! The documentation that is printed for each word of the language.

use crate::words::constants;
use convnet_language::words;

/// A constant's name and its documentation.
fn page(item: &syn::Item) -> (String, String) {
    let syn::Item::Const(constant) = item else { panic!("no constant") };
    let docs = constant.attrs.iter().map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(syn::MetaNameValue {
            value: syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }),
            ..
        }) => text.value(),
        _ => panic!("no documentation"),
    });
    (constant.ident.to_string(), docs.collect())
}

#[test]
fn every_word_has_a_page_with_all_that_the_table_says() {
    let file: syn::File = syn::parse2(constants()).unwrap();
    assert_eq!(file.items.len(), words::all().count());
    for (item, word) in file.items.iter().zip(words::all()) {
        let (name, page) = page(item);
        assert_eq!(name, word.name());
        let signature = format!("`{}`", word.signature);
        for text in [word.help, word.shape, word.parameters, word.signature.example, &signature] {
            assert!(page.contains(text), "{name}: {text} is not in\n{page}");
        }
        for spec in word.signature.args {
            assert!(page.contains(&format!("* `{}", spec.name)) && page.contains(spec.help), "{name}\n{page}");
        }
    }
}

#[test]
fn a_page_reads_from_the_word_to_its_parameters() {
    let file: syn::File = syn::parse2(constants()).unwrap();
    let pages: Vec<(String, String)> = file.items.iter().map(page).collect();
    let (_, page) = pages.iter().find(|(name, _)| name == "linear").unwrap();
    let expected = "A fully connected layer: each output is a weighted sum of all inputs.\n\n\
        It is written `linear(out, bias = true)`, for example `linear(10)`.\n\n\
        * `out` (a whole number or a const generic): The number of outputs.\n\
        * `bias = true` (a flag): Whether each output has a bias.\n\n\
        Shape of the output: `[N] -> [out]`.\n\n\
        Parameters: `weight [out, N]`, and `bias [out]` unless `bias = false`.\n";
    assert_eq!(page, expected);
}
