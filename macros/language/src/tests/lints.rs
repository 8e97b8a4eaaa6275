//! The lints: what they find, where they are silent, and how they are switched off. Which pixels are read is held against windows
//! that are gone through one by one.

use super::checked;
use crate::lint;
use crate::lints::Finding;
use crate::report::Errors;
use crate::shape::{Taps, both, unread, windows, windows_ceil};
use proc_macro2::TokenStream;
use std::ops::Range;
use std::str::FromStr;

/// What is found in the networks of a text, which has no mistakes.
fn all(source: &str) -> Vec<Vec<Finding>> {
    let mut errors = Errors::default();
    let found = crate::check(TokenStream::from_str(source).unwrap(), &mut errors);
    assert_eq!(errors.count(), 0, "{:?}\n{source}", errors.all());
    found.unwrap().findings
}

/// The lints and layers that are found in the last network of a text.
fn found(source: &str) -> Vec<(&'static str, String)> {
    let list = all(source).pop().unwrap();
    list.into_iter().map(|finding| (finding.lint.name, finding.layer)).collect()
}

/// The same for layers on a map of 2 x 16 x 16 that end in a vector of four.
fn on_map(body: &str) -> Vec<(&'static str, String)> {
    found(&format!("struct N: [2, 16, 16] -> [4] {{ {body} flatten; linear(4); }}"))
}

fn one(name: &'static str, layer: &str) -> Vec<(&'static str, String)> {
    vec![(name, layer.to_string())]
}

const NOTHING: [(&str, String); 0] = [];

#[test]
fn pixels_that_are_not_read_are_those_of_no_window() {
    let mut some = 0;
    for (input, before, after) in (1..=12).flat_map(|n| (0..3).flat_map(move |a| (0..3).map(move |b| (n, a, b)))) {
        for (kernel, stride, dilation) in
            (1..=4).flat_map(|k| (1..=4).flat_map(move |s| (1..=3).map(move |d| (k, s, d))))
        {
            let span = dilation * (kernel - 1) + 1;
            let rounded = if before == after {
                windows_ceil(input, before, after, span, stride)
            } else {
                Err(crate::shape::DoesNotFit)
            };
            for outputs in [windows(input, before, after, span, stride), rounded].into_iter().flatten() {
                let reads =
                    |at: &u64| (0..outputs).any(|o| (0..kernel).any(|k| o * stride + k * dilation == at + before));
                let expected: Vec<u64> = (0..input).filter(|at| !reads(at)).collect();
                let ranges = unread(input, before, Taps { kernel, stride, dilation }, outputs, &mut 10_000).unwrap();
                assert!(ranges.windows(2).all(|two| two[0].end < two[1].start), "{ranges:?}");
                let at = (input, before, after, kernel, stride, dilation, outputs);
                assert_eq!(ranges.into_iter().flatten().collect::<Vec<_>>(), expected, "{at:?}");
                some += usize::from(!expected.is_empty());
            }
        }
    }
    assert!(some > 1000, "{some}");
}

#[test]
fn what_two_lists_share() {
    for (a, b) in (0_u32..64).flat_map(|a| (0_u32..64).map(move |b| (a, b))) {
        let ranges = |bits: u32| (0..6).filter(|i| bits >> i & 1 == 1).map(|i| i..i + 1).collect::<Vec<Range<u64>>>();
        let shared: Vec<u64> = both(&ranges(a), &ranges(b)).into_iter().flatten().collect();
        assert_eq!(shared, (0..6).filter(|i| (a & b) >> i & 1 == 1).collect::<Vec<u64>>());
    }
    assert_eq!(both(&[0..5, 7..9], &[1..2, 4..8]), [1..2, 4..5, 7..8]);
}

#[test]
fn rows_that_a_stride_leaves_out() {
    let of = |body: &str| on_map(body);
    assert_eq!(of("a: conv(4, kernel = 3, stride = 2);"), one("unread_pixels", "a"));
    assert_eq!(of("a: max_pool(3);"), one("unread_pixels", "a"));
    assert_eq!(of("a: subsample(3);"), one("unread_pixels", "a"));
    assert_eq!(of("a: conv(4, kernel = 1, stride = 2);"), one("unread_pixels", "a"));
    assert_eq!(of("a: conv(4, kernel = 3, stride = 2, dilation = 2);"), one("unread_pixels", "a"));
    // Rows alone.
    assert_eq!(of("a: max_pool((3, 2));"), one("unread_pixels", "a"));
    // All is read, or what is not is padding.
    for layer in [
        "max_pool(2);",
        "max_pool(3, ceil);",
        "conv(4, kernel = 3, stride = 2, pad = 1);",
        "conv(4, kernel = 5);",
        "conv(4, kernel = 3, dilation = 3);",
        "conv(4, kernel = 4, stride = 2, pad = same);",
        "conv(4, kernel = 3, stride = 2, pad = (0, 1, 0, 1));",
        "max_pool(2, stride = 1);",
    ] {
        assert_eq!(of(layer), NOTHING, "{layer}");
    }
    // ResNet's first layers.
    let stem =
        "conv(8, kernel = 7, stride = 2, pad = 3); max_pool(3, stride = 2, pad = 1); global_avg_pool; linear(4);";
    assert_eq!(found(&format!("struct N: [3, 224, 224] -> [4] {{ {stem} }}")), NOTHING);
}

#[test]
fn what_another_branch_reads_is_read() {
    let residual =
        |main: &str| on_map(&format!("residual {{ {main} }} shortcut {{ short: conv(4, kernel = 1, stride = 2); }}"));
    assert_eq!(residual("conv(4, kernel = 3, stride = 2, pad = 1);"), NOTHING);
    // Both leave out every second row; it is told once.
    assert_eq!(residual("main: conv(4, kernel = 1, stride = 2);"), one("unread_pixels", "main"));
    // Between them they read every row.
    assert_eq!(residual("main: conv(4, kernel = 2, stride = 2);"), NOTHING);
    // What is behind `relu` is what was before it.
    let before = |branches: &str| on_map(&format!("conv(4, kernel = 3, pad = 1); concat {{ {branches} }}"));
    assert_eq!(before("{ relu; max_pool(1, stride = 2); } { conv(4, kernel = 3, stride = 2, pad = 1); }"), NOTHING);
    assert_eq!(
        before("{ relu; a: max_pool(1, stride = 2); } { conv(4, kernel = 1, stride = 2); }"),
        one("unread_pixels", "a")
    );
    // A head reads, too.
    let head = "conv(4, kernel = 3, pad = 1); head aux: [2] { global_avg_pool; linear(2); } max_pool(3);";
    assert_eq!(on_map(head), NOTHING);
}

#[test]
fn layers_that_do_nothing() {
    for layer in ["conv(4, kernel = 3)", "depthwise(3)", "conv_transpose(4, kernel = 2, stride = 2)"] {
        assert_eq!(on_map(&format!("a: {layer}; batch_norm;")), one("bias_before_norm", "a"), "{layer}");
        let off = layer.replace(')', ", bias = false)");
        assert_eq!(on_map(&format!("a: {off}; batch_norm;")), NOTHING);
    }
    assert_eq!(on_map("flatten; a: linear(4); batch_norm;"), one("bias_before_norm", "a"));
    assert_eq!(on_map("a: conv(4, kernel = 3); relu; batch_norm;"), NOTHING);
    assert_eq!(on_map("a: conv(4, kernel = 3); group_norm(2);"), NOTHING);
    // Somebody else gets it with its bias.
    assert_eq!(on_map("a: conv(4, kernel = 3); residual { batch_norm; }"), NOTHING);
    assert_eq!(on_map("a: conv(4, kernel = 3); concat { batch_norm; { relu; } }"), NOTHING);
    assert_eq!(on_map("conv(4, kernel = 3); relu; a: leaky_relu;"), one("stacked_activations", "a"));
    assert_eq!(on_map("conv(4, kernel = 3); relu; max_pool(2); relu;"), NOTHING);
    assert_eq!(on_map("conv(4, kernel = 3); relu; residual { relu; conv(4, kernel = 1); }"), NOTHING);
}

#[test]
fn branches_that_were_to_be_one() {
    let of = |branches: &str| on_map(&format!("concat {{ {branches} }}"));
    // Told once of each `concat`, though there are two.
    assert_eq!(of("conv(8, 1); relu; conv(8, 3, pad = 1); relu;"), one("lone_branch", "1"));
    assert_eq!(of("a: conv(8, 1); batch_norm; relu;"), one("lone_branch", "1"));
    assert_eq!(of("#[allow(lone_branch)] { conv(8, 1); } #[allow(lone_branch)] relu;"), NOTHING);
    for branches in [
        "{ conv(8, 1); relu; } { conv(8, 3, pad = 1); relu; }",
        "relu; tanh;",
        "relu; conv(8, 1);",
        "conv(8, 1); { relu; }",
        "conv(8, 1); b: relu;",
        "{ conv(8, 1); } relu;",
        "conv(8, 1); identity;",
        "conv(8, 1); max_pool(3, stride = 1, pad = 1);",
    ] {
        assert_eq!(of(branches), NOTHING, "{branches}");
    }
}

#[test]
fn momentum_of_the_old_statistics() {
    assert_eq!(on_map("a: batch_norm(momentum = 0.99);"), one("old_momentum", "a"));
    for momentum in ["0.5", "0.01", "1.0"] {
        assert_eq!(on_map(&format!("a: batch_norm(momentum = {momentum});")), NOTHING);
    }
}

#[test]
fn softmax_before_the_loss() {
    let ends = |end: &str| found(&format!("struct N: [4] -> [4] {{ linear(4); {end} }}"));
    assert_eq!(ends("a: softmax;"), one("softmax_before_loss", "a"));
    assert_eq!(ends("a: log_softmax;"), one("softmax_before_loss", "a"));
    assert_eq!(ends("softmax; linear(4);"), NOTHING);
    assert_eq!(ends("head aux: [4] { linear(4); softmax; } linear(4);"), NOTHING);
    let map = "struct N: [2, 4, 4] -> [2, 4, 4] { conv(2, kernel = 7, pad = 3); softmax; }";
    assert_eq!(found(map), NOTHING);
}

#[test]
fn even_kernels_that_move_a_map() {
    assert_eq!(on_map("a: conv(4, kernel = 4, pad = same);"), one("even_kernel_same", "a"));
    assert_eq!(on_map("a: depthwise((3, 2), pad = same);"), one("even_kernel_same", "a"));
    for layer in ["conv(4, kernel = 3, pad = same)", "conv(4, kernel = 2, dilation = 2, pad = same)"] {
        assert_eq!(on_map(&format!("{layer};")), NOTHING, "{layer}");
    }
    // Even, and the same at both sides; uneven, and written as that.
    assert_eq!(on_map("conv(4, kernel = 4, stride = 2, pad = same);"), NOTHING);
    assert_eq!(on_map("conv(4, kernel = 4, pad = (1, 2, 1, 2));"), NOTHING);
}

#[test]
fn outputs_that_cannot_see_the_input() {
    let ends = |output: &str, body: &str| found(&format!("struct N: [2, 16, 16] -> [{output}] {{ {body} }}"));
    assert_eq!(
        ends("4, 16, 16", "conv(4, kernel = 3, pad = 1); conv(4, kernel = 3, pad = 1); a: relu;"),
        one("narrow_receptive_field", "a")
    );
    assert_eq!(
        ends("576", "conv(4, kernel = 3); conv(4, kernel = 3); a: flatten;"),
        one("narrow_receptive_field", "a")
    );
    for (output, body) in [
        // One window is a filter.
        ("4, 16, 16", "conv(4, kernel = 3, pad = 1); relu; conv(4, kernel = 1);"),
        ("4", "conv(4, kernel = 3); conv(4, kernel = 3); global_avg_pool;"),
        ("4", "conv(4, kernel = 3); flatten; linear(4);"),
        ("4, 1, 1", "conv(4, kernel = 3); adaptive_avg_pool(1);"),
        ("4, 1, 1", "conv(4, kernel = 16);"),
        ("4, 16, 16", "conv(4, kernel = 3, pad = 1); squeeze_excite(2);"),
        ("4, 16, 16", "conv(4, kernel = 3, pad = 1); instance_norm; relu;"),
        ("4, 16, 16", "conv(4, kernel = 3, pad = 1, dilation = 1); custom_free: conv(4, kernel = 31, pad = 15);"),
    ] {
        assert_eq!(ends(output, body), NOTHING, "{body}");
    }
    assert_eq!(found("struct N: [16] -> [4] { linear(4); }"), NOTHING);
}

#[test]
fn dropout_whose_variance_is_learned() {
    let bare = "conv(4, kernel = 3, bias = false); batch_norm;";
    assert_eq!(on_map(&format!("a: dropout; {bare}")), one("dropout_before_norm", "a"));
    assert_eq!(on_map(&format!("a: dropout2d(0.1); max_pool(2); relu; {bare}")), one("dropout_before_norm", "a"));
    assert_eq!(on_map(&format!("{bare} relu; dropout; conv(4, kernel = 3); relu;")), NOTHING);
    assert_eq!(on_map(&format!("dropout; conv(4, kernel = 3); layer_norm; {bare}")), NOTHING);
    assert_eq!(on_map(&format!("dropout(0.0); {bare}")), NOTHING);
    // As in wide residual networks, whose sums are normalised.
    assert_eq!(on_map(&format!("residual {{ dropout; conv(2, kernel = 1); }} {bare}")), NOTHING);
}

/// Sizes that are const generics are not known, and nothing is said about them; the rest is told.
#[test]
fn sizes_that_are_not_known() {
    let header = "struct N<const C: usize, const S: usize>: [2, S, 16] -> [C, S, 8]";
    let body = "conv(C, kernel = (3, 4), stride = (1, 2), pad = (1, 1)); a: relu; b: relu;";
    assert_eq!(found(&format!("{header} {{ {body} }}")), one("stacked_activations", "b"));
}

const TWO: &str = "conv(4, kernel = 3); a: batch_norm; relu; b: relu;";

#[test]
fn lints_are_switched_off() {
    let lints = on_map(TWO);
    assert_eq!(lints.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["bias_before_norm", "stacked_activations"]);
    let tail = "flatten; linear(4);";
    let off = "#[allow(bias_before_norm, stacked_activations)]";
    for text in [
        format!("{off} struct N: [2, 16, 16] -> [4] {{ {TWO} {tail} }}"),
        format!(
            "#[derive(Clone)] #[allow(dead_code, bias_before_norm)] #[allow(stacked_activations)] struct N: [2, 16, 16] -> [4] {{ {TWO} {tail} }}"
        ),
        format!("struct N: [2, 16, 16] -> [4] {{ {off} x: {{ {TWO} }} {tail} }}"),
        format!(
            "struct N: [2, 16, 16] -> [4] {{ {off} x: residual {{ {TWO} }} shortcut {{ conv(4, kernel = 3); }} {tail} }}"
        ),
        format!("struct N: [2, 16, 16] -> [4] {{ {off} if height > 1 {{ {TWO} }} else {{ relu; }} {tail} }}"),
        format!("struct N: [2, 16, 16] -> [4] {{ {off} repeat 1 {{ {TWO} }} {tail} }}"),
        format!("struct N: [2, 16, 16] -> [4] {{ concat {{ {off} {{ {TWO} }} conv(4, kernel = 3); }} {tail} }}"),
        format!("struct N: [2, 16, 16] -> [4] {{ {off} head aux: [2] {{ {TWO} {tail} linear(2); }} {tail} }}"),
        format!(
            "struct N: [2, 16, 16] -> [4] {{ #[allow(bias_before_norm)] conv(4, kernel = 3); batch_norm; relu; #[allow(stacked_activations)] b: relu; {tail} }}"
        ),
        format!("{off} block two() {{ {TWO} }} struct N: [2, 16, 16] -> [4] {{ two; {tail} }}"),
        format!("block two() {{ {TWO} }} struct N: [2, 16, 16] -> [4] {{ {off} two; {tail} }}"),
    ] {
        assert_eq!(found(&text), NOTHING, "{text}");
    }
    // Those that are off in a block are on behind it.
    let text = format!(
        "{off} block two() {{ {TWO} }} struct N: [2, 16, 16] -> [4] {{ two; conv(2, kernel = 1); relu; b: relu; {tail} }}"
    );
    assert_eq!(found(&text).len(), 1);
}

/// What is written once is told once, for all networks that use it.
#[test]
fn a_block_is_told_once() {
    let text = "block twice() { relu; b: relu; } struct A: [2, 16, 16] -> [4] { x: twice; conv(2, kernel = 1); y: twice; conv(2, kernel = 1);
        repeat 3 { conv(2, kernel = 1); twice; } flatten; linear(4); }";
    let [list] = &all(text)[..] else { panic!() };
    let [finding] = &list[..] else { panic!("{}", list.len()) };
    assert_eq!(finding.layer, "x.b");
    assert!(finding.on_layer().contains("4 more layers"), "{}", finding.on_layer());
}

#[test]
fn what_a_warning_says() {
    let text = "struct N: [2, 15, 16] -> [4] { c: conv(4, kernel = 3, pad = 1); p: max_pool(2); conv(4, kernel = 3, stride = 2);
        flatten; linear(4); }";
    let list = all(text).pop().unwrap();
    let said: Vec<String> = list.iter().map(Finding::on_layer).collect();
    let expected = [
        "`p`: kernel 2 and stride 2 leave the last row of 15x16 unread\n  trace: input [2, 15, 16] -> c [4, 15, 16]\n  \
         fix: add `ceil`, for windows that reach over the edge\n  off: write `#[allow(unread_pixels)]` before the layer",
        "`conv`: kernel 3 and stride 2 leave the last column of 7x8 unread\n  \
         trace: input [2, 15, 16] -> c [4, 15, 16] -> p [4, 7, 8]\n  fix: use `pad = 1`\n  \
         off: write `#[allow(unread_pixels)]` before the layer",
    ];
    assert_eq!(said, expected);
    assert_eq!(list[0].note(), "p: kernel 2 and stride 2 leave the last row of 15x16 unread (unread_pixels)");
}

#[test]
fn attributes_that_say_nothing_known() {
    let errors = |before: &str| checked(&format!("struct N: [2, 8, 8] -> [4] {{ {before} flatten; linear(4); }}")).1;
    let names = lint::ALL.map(|lint| lint.name);
    let [typo] = &errors("#[allow(unread_pixel)] relu;")[..] else { panic!() };
    assert!(typo.starts_with("no lint is called `unread_pixel`; did you mean `unread_pixels`?\n  lints: "), "{typo}");
    assert!(names.iter().all(|name| typo.contains(name)));
    for (before, message) in [
        ("#[allow(clippy::all)] relu;", "no lint is called `clippy :: all`"),
        ("#[deny(unread_pixels)] relu;", "a layer has no attributes but `#[allow(..)]`, which names lints"),
        ("#[allow] relu;", "expected the names of lints, as in `#[allow(unread_pixels)]`"),
        ("#[allow(1)] relu;", "expected the names of lints, as in `#[allow(unread_pixels)]`"),
        ("/// one\n/// two\nrelu;", "a layer has no documentation of its own"),
        ("#[allow(unread_pixels)] ;", "expected a layer after this attribute"),
        ("#[allow(unread_pixels)] assert params < 1000;", "a budget has no lints"),
        ("residual { relu; } #[allow(unread_pixels)] shortcut { relu; }", "`else` and `shortcut` belong to"),
        ("relu #[allow(unread_pixels)] relu;", "expected `;` after `relu`"),
    ] {
        let found = errors(before);
        assert_eq!(found.len(), 1, "{before}: {found:?}");
        assert!(found[0].starts_with(message), "{before}: {}", found[0]);
    }
    let block = checked("#[inline] block b() { relu; } struct N: [4] -> [4] { b; }").1;
    assert_eq!(block, ["a block takes no attributes but doc comments and `#[allow(..)]`, which names lints"]);
}

/// Attributes are in the source of a network, which reads as the same network with the same findings.
#[test]
fn attributes_are_printed() {
    let text = format!(
        "#[allow(dropout_before_norm)] block b(n) {{ #[allow(stacked_activations)] repeat 2 {{ relu; }} conv(n, kernel = 3); }}
         /// Doc.
         #[allow(unread_pixels, softmax_before_loss)] #[allow(dead_code)] struct N: [2, 16, 16] -> [4] {{
         #[allow(bias_before_norm)] a: b(4); #[allow(even_kernel_same)] r: residual {{ #[allow(narrow_receptive_field)] relu; }}
         concat {{ #[allow(unread_pixels)] {{ relu; relu; }} relu; }} c: {{ {TWO} }} flatten; linear(4); }}"
    );
    let mut errors = Errors::default();
    let call = crate::check(TokenStream::from_str(&text).unwrap(), &mut errors).unwrap().call;
    let printed = crate::print::network(&call.networks[0], &call.blocks, true);
    assert_eq!(printed.matches("#[allow(").count(), 7, "{printed}");
    let again = crate::check(TokenStream::from_str(&printed).unwrap(), &mut errors).unwrap().call;
    assert_eq!(crate::print::network(&again.networks[0], &again.blocks, true), printed);
    assert_eq!(found(&text), found(&printed));
    assert_eq!(errors.count(), 0);
}

/// Windows with gaps in a map that is too large to go through are left alone, and quickly.
#[test]
fn large_maps_take_no_time() {
    let start = std::time::Instant::now();
    let text = "struct N: [1, 1, 4000000000] -> [4] { conv(1, kernel = (1, 3), stride = (1, 2)); conv(1, kernel = (1, 2), stride = (1, 9)); global_avg_pool; linear(4); }";
    assert_eq!(found(text), one("unread_pixels", "0"));
    let many = "struct N: [1, 1, 60000] -> [4] { repeat 9000 { conv(1, kernel = (1, 9), dilation = (1, 9), stride = (1, 1), pad = (0, 36)); } global_avg_pool; linear(4); }";
    assert_eq!(found(many), NOTHING);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn findings_need_a_network_without_mistakes() {
    let mut errors = Errors::default();
    let tokens = TokenStream::from_str("struct N: [2, 16, 16] -> [4] { relu; relu; nothing; }").unwrap();
    assert!(crate::check(tokens, &mut errors).unwrap().findings.is_empty());
}

#[test]
fn a_colon_for_a_semicolon_is_seen() {
    assert_eq!(on_map("relu: max_pool(2);"), one("named_like_a_layer", "relu"));
    assert_eq!(
        on_map("stem: { batch_norm: conv(4, kernel = 3, pad = 1); }"),
        one("named_like_a_layer", "stem.batch_norm")
    );
    let meant = "relu: relu; batch_norm; pool: max_pool(2); #[allow(named_like_a_layer)] tanh: max_pool(2);";
    assert_eq!(on_map(meant), NOTHING);
}

#[test]
fn channels_last_are_seen() {
    let of = |input: &str, head: &str| found(&format!("{head} struct N: [{input}] -> [4] {{ flatten; linear(4); }}"));
    for input in ["32, 32, 3", "28, 28, 1", "224, 224, 3", "64, 64, 4"] {
        assert_eq!(of(input, ""), one("channels_last", "input"), "{input}");
        assert_eq!(of(input, "#[allow(channels_last)]"), NOTHING);
    }
    for input in ["3, 32, 32", "32, 32, 32", "4, 4, 3", "32, 16, 3", "16, 16, 2"] {
        assert_eq!(of(input, ""), NOTHING, "{input}");
    }
}
