//! What errors say, and how many there are: one for each mistake, none for what follows from it.

use super::checked;

/// The errors of a network whose body is `body`.
fn errors(body: &str) -> Vec<String> {
    checked(&format!("struct N<const K: usize = 4>: [1, 28, 28] -> [10] {{ {body} }}")).1
}

const TAIL: &str = "flatten; linear(10);";

#[test]
fn a_kernel_that_does_not_fit() {
    let found =
        errors(&format!("conv1: conv(6, kernel = 5, pad = 2); max_pool(2); conv2: conv(16, kernel = 17); {TAIL}"));
    let expected = "`conv2`: kernel 17 does not fit into height 14 (pad 0 + 0): 14 + 0 + 0 - 17 < 0\n  \
                    trace: input [1, 28, 28] -> conv1 [6, 28, 28] -> max_pool [6, 14, 14]\n  \
                    fix: use kernel <= 14, or pad >= 2";
    assert_eq!(found, [expected]);
}

#[test]
fn every_mistake_is_reported_once() {
    let found = errors(
        "conv1: conv(6, kernel = 50); max_pol(2); conv1: conv(8, kernl = 3); relu(3); flatten; linear(0); dropout(2.0);",
    );
    let expected = [
        "kernel 50 does not fit",
        "no layer is called `max_pol`; did you mean `max_pool`?",
        "`conv1` is used twice",
        "no option `kernl`; did you mean `kernel`?",
        "`relu` takes no argument",
        "`out` is 0; it must be at least 1",
        "`p` is the share",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for expected in expected {
        assert!(found.iter().any(|error| error.contains(expected)), "{expected}\n{found:#?}");
    }
}

#[test]
fn one_mistake_gives_one_error() {
    let cases = [
        ("conv(6, kernel = 3, groups = 2);", "1 input channels cannot be split into 2 equal groups: 1 % 2 = 1"),
        ("linear(10);", "needs a vector, but gets the feature map [1, 28, 28]"),
        ("flatten; conv(6, 3);", "needs a feature map [C, H, W], but gets the vector [784]"),
        ("conv(K * 2, 3);", "`K` has no value when the network is checked"),
        ("conv(4, kernel = K);", "`K` has no value when the network is checked"),
        ("conv(K, 3); flatten;", "`flatten` would have to multiply [K, 26, 26]"),
        ("conv(Q, 3);", "nothing here is called `Q`"),
        ("conv(4);", "`conv` needs `kernel`, for example `conv(16, kernel = 3, pad = 1)`"),
        ("conv(4, 3, 1);", "`conv` takes only `out` and `kernel` without a name"),
        ("conv(4, kernel = 3, kernel = 5);", "`kernel` of `conv` is given twice"),
        ("conv(4, kernel = 3.5);", "expected a whole number"),
        ("conv(-4, kernel = 3);", "expected a whole number"),
        ("conv(4u8, kernel = 3);", "a size has no type; write 4 without `u8`"),
        ("conv(99999999999999999999999, kernel = 3);", "is too large"),
        ("conv(4, kernel = (1, 2, 3));", "`kernel` takes a number or (height, width)"),
        ("conv(4, kernel = 3, stride = 0);", "`stride` is 0; it must be at least 1"),
        ("conv(4, kernel = 3, bias = 1);", "`bias` takes `true` or `false`"),
        ("conv(3 - 4, kernel = 3);", "3 - 4 is negative"),
        ("conv(4 / 0, kernel = 3);", "is a division by zero"),
        ("max_pool(3, pad = 2);", "pad 2 is more than half of kernel 3"),
        ("channel_max_pool(2);", "1 channels cannot be pooled in groups of 2"),
        ("conv(2, 3, connections = [[0], [1]]);", "there is no input channel 1; they are 0 to 0"),
        ("conv(2, 3, connections = [[0]]);", "2 output channels need 2 lists of input channels, not 1"),
        ("conv(1, 3, connections = [[]]);", "output channel 0 reads no input channel"),
        ("batch_norm(eps = 0);", "`eps` must be above 0"),
        ("head aux: [10] { flatten; linear(9); }", "`aux` is declared to give [10], but its layers give [9]"),
        ("head aux: [10] { relu; }", "`aux` is declared to give [10], but its layers give [1, 28, 28]"),
        ("head { relu; }", "expected `head name: [N] { ... }`"),
        ("head aux: [10] { }", "this head has no layers"),
        ("aux: head: [10] { relu; }", "expected `head name: [N] { ... }`"),
        ("a: relu; head a: [1, 28, 28] = relu;", "`a` is used twice"),
        ("concat { relu; head aux: [1, 28, 28] = relu; }", "a head is no branch"),
        ("custom stem: Stem<E, D>;", "expected `custom name: path::To<Type<E, D>> -> [C, H, W];`"),
        ("custom stem: Stem<E, D> -> [3, 0, 1];", "a dimension is at least 1"),
        ("custom stem: Stem -> [1, 28, 28]; assert params <= 9;", "`params` cannot be told: `stem` is a custom module"),
        ("residual { conv(4, 3); }", "this residual gives [4, 26, 26], but the identity beside it gives [1, 28, 28]"),
        ("residual { }", "this residual has no layers"),
        ("shortcut { relu; }", "`shortcut` without a `residual` before it"),
        ("residual { relu; } shortcut { relu; } shortcut { relu; }", "has a `shortcut` already"),
        ("else { relu; }", "`else` without an `if` before it"),
        ("if 1 { relu; }", "expected a condition"),
        ("if K == 3 { relu; }", "so this cannot be decided"),
        ("repeat K { relu; }", "`K` has no value when the network is checked"),
        ("repeat 3 { a: relu; }", "`a` is used twice"),
        ("concat { conv(2, 1); conv(2, 3); }", "the branches differ in height and width"),
        ("concat { conv(2, 1); conv(K, 1); }", "the channels of branches are added up"),
        ("concat { relu; { } }", "this branch is empty; the input itself is `identity;`"),
        ("upsample(0);", "`scale` is 0; it must be at least 1"),
        ("upsample(2, nearest, bilinear);", "either `nearest` or `bilinear`"),
        ("pad(28, reflect);", "a size of 28 can be reflected by 27 pixels at most, not 28"),
        ("pad(1, reflect, value = 2.0);", "`pad` fills with one of"),
        ("pad((1, 2, 3));", "expected a number, (height, width) or (top, bottom, left, right)"),
        ("crop(14);", "nothing is left of a size of 28 without 14 + 14 pixels"),
        (
            "conv_transpose(4, kernel = 2, output_pad = 1);",
            "it must be smaller than the stride (1) or the dilation (1)",
        ),
        ("conv_transpose(4, kernel = 1, pad = 14);", "nothing is left of the output"),
        ("conv_transpose(4, kernel = 2, groups = 2);", "1 input channels cannot be split into 2 equal groups"),
        ("conv(K, 1); depthwise(3, pad = 1);", "the const generic `K`"),
        ("conv(K, 1); squeeze_excite(4);", "`squeeze_excite` divides the channels"),
        ("squeeze_excite;", "`squeeze_excite` needs `reduction`"),
        ("conv(6, 1); pixel_shuffle(2);", "6 channels cannot be shuffled into squares of 2 x 2 pixels: 6 % 4 = 2"),
        ("conv(6, 1); channel_shuffle(4);", "6 input channels cannot be split into 4 equal groups"),
        ("conv(6, 1); group_norm(4);", "6 input channels cannot be split into 4 equal groups"),
        ("layer_norm(eps = 0.0);", "`eps` must be above 0"),
        ("dropout2d(1.0);", "`p` is the share of elements"),
        ("match: relu;", "`match` is a Rust keyword"),
        ("__x: relu;", "names that start with `__` are reserved"),
        ("relu max_pool(2);", "expected `;` after `relu`"),
        ("a: { }", "the sequence `a` is empty"),
        ("{ relu; }", "a sequence needs a name"),
        ("assert parms <= 3;", "there is no budget for `parms`; did you mean `params`?"),
        ("assert params += 3;", "a budget compares with"),
    ];
    for (body, expected) in cases {
        let found = errors(&format!("{body} global_avg_pool; linear(10);"));
        // What is wrong with a vector already has no map to pool.
        let found: Vec<&String> = found.iter().filter(|error| !error.starts_with("`global_avg_pool` needs")).collect();
        assert_eq!(found.len(), 1, "{body}: {found:#?}");
        assert!(found[0].contains(expected), "{body}: {found:#?}");
    }
}

/// Nothing is said about what a layer without its number would have given.
#[test]
fn a_missing_number_is_one_mistake() {
    let cases = [
        ("[4, 8, 8] -> [1, 16, 16]", "pixel_shuffle;", "`pixel_shuffle` needs `factor`"),
        ("[4, 8, 8] -> [2, 8, 8]", "channel_max_pool();", "`channel_max_pool` needs `size`"),
        ("[4, 8, 8] -> [4, 4, 4]", "subsample;", "`subsample` needs `size`"),
        ("[4, 8, 8] -> [4, 2, 2]", "adaptive_avg_pool;", "`adaptive_avg_pool` needs `height`"),
    ];
    for (shapes, body, expected) in cases {
        let found = checked(&format!("struct N: {shapes} {{ {body} }}")).1;
        assert_eq!(found.len(), 1, "{body}: {found:#?}");
        assert!(found[0].contains(expected), "{body}: {found:#?}");
    }
}

#[test]
fn headers() {
    let header = |header: &str| checked(&format!("{header} {{ flatten; linear(10); }}")).1;
    let cases = [
        ("struct N", "expected the shapes after the name"),
        ("struct N: [1, 28] -> [10]", "a shape is [C, H, W] (channels, height, width) or [N], not 2 dimensions"),
        ("struct N: [1, 0, 28] -> [10]", "a dimension is at least 1"),
        ("struct N: [1, 8, 8] -> [11]", "is declared to give [11], but its layers give [10]"),
        ("struct N: [1, 8, 8] -> [10, 1, 1]", "is declared to give [10, 1, 1], but its layers give [10]"),
        ("struct N<T>: [1, 8, 8] -> [10]", "expected `const NAME: usize`"),
        ("struct N<const A: u8>: [1, 8, 8] -> [10]", "a dimension is a `usize`, not `u8`"),
        ("struct N<const E: usize>: [1, 8, 8] -> [10]", "`E` is taken"),
        ("struct N<const A: usize, const A: usize>: [1, 8, 8] -> [10]", "`A` is declared twice"),
        ("enum N", "expected `struct`, found `enum`"),
    ];
    for (source, expected) in cases {
        let found = header(source);
        assert_eq!(found.len(), 1, "{source}: {found:#?}");
        assert!(found[0].contains(expected), "{source}: {found:#?}");
    }
    assert!(checked("").1[0].contains("expected a network"));
    assert!(checked("struct N: [1] -> [1] { }").1[0].contains("has no layers"));
}

#[test]
fn budgets_name_the_largest_layers() {
    let found =
        errors("conv1: conv(6, 3); flatten; fc: linear(10); assert params <= 100, macs < 5, activations > 9_000_000;");
    let expected = [
        "params is 40,630, which is not <= 100\n  largest: fc 40,570, conv1 60",
        "macs is 77,064, which is not < 5\n  largest: fc 40,560, conv1 36,504",
        "activations is 8,906, which is not > 9,000,000\n  largest: conv1 4,056, 1 4,056, input 784",
    ];
    assert_eq!(found, expected);
}

const BLOCKS: &str = "/// With a doc comment.
    block basic(out, stride = 1) {
    residual { conv1: conv(out, 3, stride, pad = 1); relu; conv2: conv(out, 3, pad = 1); }
    shortcut if stride != 1 || channels != out { down: conv(out, 1, stride); }
}";

fn with_blocks(body: &str) -> Vec<String> {
    checked(&format!("{BLOCKS} struct N: [3, 8, 8] -> [3] {{ {body} global_avg_pool; linear(3); }}")).1
}

#[test]
fn blocks() {
    assert_eq!(with_blocks("a: { repeat 2 { basic(3); } basic(6, stride = 2); } b: basic(6);"), Vec::<String>::new());
    let cases = [
        ("basic();", "`basic` needs `out`"),
        ("basic(3, strid = 2);", "`basic` has the parameters `out` and `stride`; did you mean `stride`?"),
        ("basic(3, 1, 2);", "`basic` has the parameters `out` and `stride`"),
        ("basic(3, out = 2);", "is given twice"),
        ("basc(3);", "no layer is called `basc`; did you mean `basic`?"),
    ];
    for (body, expected) in cases {
        let found = with_blocks(body);
        assert_eq!(found.len(), 1, "{body}: {found:#?}");
        assert!(found[0].contains(expected), "{body}: {found:#?}");
    }
    // A mistake in a block is told once, with the instance that it was found in.
    let source =
        "block b(out) { conv(out, kernel = 9); } struct N: [1, 8, 8] -> [1] { repeat 5 { b(2); } flatten; linear(1); }";
    let found = checked(source).1;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].ends_with("in `0`, made by `b(out = 2)`"), "{found:#?}");
    let itself = "block b(n) { b(n); } struct N: [1, 8, 8] -> [1] { b(2); }";
    assert!(checked(itself).1[0].contains("`b` contains itself"));
}

#[test]
fn both_sides_of_a_residual_are_named() {
    let found = errors("residual { a: conv(4, 3); } shortcut { b: conv(5, 3); } global_avg_pool; linear(10);");
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0]
            .contains("residual: input [1, 28, 28] -> a [4, 26, 26]\n  shortcut: input [1, 28, 28] -> b [5, 26, 26]")
    );
    assert!(found[1].contains("this shortcut gives [5, 26, 26], its residual [4, 26, 26]"));
}
