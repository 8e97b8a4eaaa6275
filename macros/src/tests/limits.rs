//! What is too large is an error of its own, told once and quickly: sizes, counts, repetitions, numbers, lists.

use super::errors;
use crate::expand;
use proc_macro2::TokenStream;
use quote::ToTokens;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// The one error of a source.
fn only(source: &str) -> String {
    let found = errors(source);
    assert_eq!(found.len(), 1, "{source}: {found:#?}");
    found.into_iter().next().unwrap()
}

#[test]
fn sizes_beyond_the_limit() {
    let cases = [
        // The input, the layers, what the error says.
        (
            "3, 8192, 8192",
            "conv(64, kernel = 3, pad = 1); flatten; fc: linear(10);",
            "`flatten` makes a size of 4,294,967,296",
        ),
        ("64, 8192, 8192", "flatten;", "`flatten` makes a size of 4,294,967,296"),
        ("1, 4294967295, 4294967295", "flatten;", "`flatten` makes a size of 18,446,744,065,119,617,025"),
        ("9, 4294967295, 4294967295", "flatten;", "`flatten` makes a size of more than 64 bits"),
        ("5, 3, 5", "pad(4294967295);", "`pad` makes a size of 8,589,934,595"),
        ("5, 3, 5", "pad(4294967295, replicate);", "`pad` makes a size of 8,589,934,595"),
        ("5, 3, 5", "conv(5, kernel = 3, pad = 4294967295);", "`conv` makes a size of 8,589,934,593"),
        ("5, 3, 5", "conv(5, 4, pad = same, dilation = 4294967295);", "`same` would be a padding of 6442450943"),
        ("3, 64, 64", "upsample(200_000_000);", "`upsample` makes a size of 12,800,000,000"),
        ("3, 64, 64", "x: depthwise(3, multiplier = 4000000000);", "`x` makes a size of 12,000,000,000"),
        ("4, 2, 4294967295", "pixel_shuffle(2);", "`pixel_shuffle` makes a size of 8,589,934,590"),
        ("4, 2, 2", "channel_pad((4294967295, 4294967295));", "`channel_pad` makes a size of 8,589,934,594"),
        (
            "3, 4, 4",
            "conv_transpose(3, kernel = 2, stride = 4000000000);",
            "`conv_transpose` makes a size of 12,000,000,002",
        ),
        ("1, 4, 4", "conv(channels * 4294967295, kernel = 1); flatten;", "`flatten` makes a size of 68,719,476,720"),
        ("1, 4, 4", "concat { conv(4294967295, 1); relu; }", "`concat` makes a size of 4,294,967,296"),
        ("1, 4, 4", "repeat 63 { concat { identity; identity; } }", "`concat` makes a size of 4,294,967,296"),
        ("1, 4, 4", "conv(4294967296, kernel = 1);", "4294967296 is too large; the limit is 4294967295"),
        ("1, 4294967296, 4", "relu;", "4294967296 is too large; the limit is 4294967295"),
    ];
    for (input, body, expected) in cases {
        // Whatever the output is declared to be.
        for output in ["10", "5, 7, 9"].into_iter().filter(|output| *output == "10" || !body.contains("linear")) {
            let found = only(&format!("struct N: [{input}] -> [{output}] {{ {body} }}"));
            assert!(found.contains(expected), "{body}: {found}");
        }
    }
}

/// Counts are numbers of 64 bits in the generated code.
#[test]
fn counts_beyond_64_bits() {
    let cases = [
        ("4294967295, 4294967295, 4294967295", "relu;", "activations"),
        ("4, 4, 4", "conv(4294967295, kernel = (1, 1)); conv(4294967295, 1);", "parameters"),
        ("65536", "linear(4294967295); linear(4294967295);", "parameters"),
        ("1, 65536, 65536", "conv(65536, 1, bias = false); conv(65536, 1);", "MACs"),
        ("1, 9, 9", "repeat 3 { max_pool(1, stride = 4000000000); } max_pool(1);", "receptive field"),
    ];
    for (input, body, expected) in cases {
        let found = only(&format!("struct N: [{input}] -> [1] {{ {body} }}"));
        assert!(found.contains(&format!("the {expected} of the network")), "{body}: {found}");
    }
}

/// What the compiler takes of an expansion: all but the constant that only rust-analyzer sees, which has a path for each word.
fn compiled(expansion: TokenStream) -> String {
    let mut file: syn::File = syn::parse2(expansion).unwrap();
    let all = file.items.len();
    file.items.retain(|item| {
        let item = item.to_token_stream().to_string();
        !(item.contains("cfg (rust_analyzer)") && item.contains("mod followed"))
    });
    assert_eq!(file.items.len() + 1, all);
    file.to_token_stream().to_string()
}

#[test]
fn walks_that_would_not_end() {
    let blocks: String =
        (0..15).map(|i| format!("block b{i}(n) {{ {} }} ", format!("b{}(n); ", i + 1).repeat(4))).collect();
    let blocks = format!("{blocks} block b15(n) {{ if n == 99 {{ relu; }} }}");
    let cases = [
        (String::new(), "repeat 20000 { repeat 20000 { if channels == 99 { relu; } } }", "is this number too large?"),
        (String::new(), "repeat 1000000000 { relu; }", "1,000,000,000 repetitions are too many"),
        (String::new(), "repeat 4294967295 { if channels == 99 { relu; } }", "4,294,967,295 repetitions are too many"),
        (String::new(), "repeat 1000 { repeat 1000 { repeat 1000 { relu; } } }", "more than 20,000 layers"),
        (String::new(), "repeat 9999 { residual { relu; gelu; } }", "more than 20,000 layers"),
        (blocks, "b1(3);", "more than 100,000 steps"),
        ("block b(n) { b(n); b(n); b(n); b(n); }".into(), "b(3);", "`b` contains itself"),
    ];
    for (blocks, body, expected) in cases {
        let source = format!("{blocks} struct N: [3, 4, 4] -> [3, 4, 4] {{ {body} }}");
        let begin = Instant::now();
        let found = only(&source);
        assert!(found.contains(expected), "{body}: {found}");
        // What is emitted is the struct and nothing of its layers.
        let length = compiled(expand(TokenStream::from_str(&source).unwrap())).len();
        assert!(length < 20_000, "{body}: {length} characters");
        assert!(begin.elapsed() < Duration::from_secs(20), "{body}: {:?}", begin.elapsed());
    }
}

/// The error stands on the count, of several on the largest, and of equal ones on the outermost.
#[test]
fn the_count_is_at_fault() {
    let column = |body: &str| {
        let source = format!("struct N: [3, 4, 4] -> [3, 4, 4] {{ {body} }}");
        let mut errors = convnet_language::report::Errors::default();
        convnet_language::check(TokenStream::from_str(&source).unwrap(), &mut errors).unwrap();
        let start = errors.all()[0].span().start().column;
        source[start..].split(' ').next().unwrap().to_string()
    };
    assert_eq!(column("repeat 30000 { relu; }"), "30000");
    assert_eq!(column("repeat 3 { repeat 19000 { relu; } }"), "19000");
    assert_eq!(column("repeat 1_000 { repeat 1000 { relu; } }"), "1_000");
}

#[test]
fn numbers_and_lists_that_are_too_long() {
    let begin = Instant::now();
    let digits = "9".repeat(100_000);
    for body in [format!("linear({digits});"), format!("dropout(0.{digits});"), format!("linear(0x{digits});")] {
        assert!(only(&format!("struct N: [3] -> [3] {{ {body} }}")).contains("no number here needs more than 64"));
    }
    let list = vec!["1"; 2_000].join(", ");
    assert!(only(&format!("struct N: [3, 4, 4] -> [1, 4, 4] {{ conv({list}); }}")).contains("takes only `out` and"));
    let block = format!("block b(n) {{ conv(n, 1); }} struct N: [3, 4, 4] -> [1, 4, 4] {{ b({list}); }}");
    assert!(only(&block).contains("`b` has the parameters `n`"));
    let word = "a".repeat(100_000);
    let name = only(&format!("struct N: [3] -> [3] {{ {word}; }}"));
    assert!(name.contains("this name has 100000 characters; no name here has more than 200"), "{name}");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

/// An error after many layers does not describe the way through all of them each time.
#[test]
fn long_networks_are_checked_in_no_time() {
    let begin = Instant::now();
    let source =
        "struct N: [3, 9, 9] -> [3, 9, 9] { repeat 6000 { conv(4, 3, pad = 1); conv(3, 1); relu; } conv(3, 99); }";
    let found = only(source);
    assert!(
        found.contains("trace: ... -> conv [4, 9, 9] -> conv [3, 9, 9] -> conv [4, 9, 9] -> conv [3, 9, 9]"),
        "{found}"
    );
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}
