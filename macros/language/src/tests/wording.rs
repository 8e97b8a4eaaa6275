//! What errors say, and how many there are: one for each mistake, none for what follows from it.

use super::{checked, gives_one};

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
                    fix: use kernel <= 14, which leaves a height of 1, or `pad = 8`, which keeps 14";
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
        ("conv(6, kernel = 3, groups = 2);", "1 input channel cannot be split into 2 equal groups: 1 % 2 = 1"),
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
        ("conv(-4, kernel = 3);", "a size is never negative"),
        ("conv(2 ** 4, kernel = 3);", "there is no `**`\n  fix: write `16`"),
        ("conv(channels ** 4, kernel = 3);", "there is no `**`"),
        ("conv(4, kernel = true);", "takes 0 and 1 for a flag\n  fix: write `1`"),
        ("conv(4u8, kernel = 3);", "a size has no type\n  fix: write `4`"),
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
        ("head aux: [10] { flatten; linear(9); }", "`linear` gives [9], but `aux` is declared to give [10]"),
        ("head aux: [10] { relu; }", "`aux` is declared to give [10], but its layers give [1, 28, 28]"),
        ("head { relu; }", "expected `head name: [N] { ... }`"),
        ("head aux: [10] { }", "this head has no layers"),
        ("aux: head: [10] { relu; }", "expected `head name: [N] { ... }`"),
        ("a: relu; head a: [1, 28, 28] = relu;", "`a` is used twice"),
        ("output boxes: [10] { flatten; linear(9); }", "`linear` gives [9], but `boxes` is declared to give [10]"),
        ("output boxes: [10] { relu; }", "`boxes` is declared to give [10], but its layers give [1, 28, 28]"),
        ("output boxes: [10] { }", "this output has no layers"),
        ("output(10);", "what the network ends in stands in its header: `struct Net: [3, 32, 32] -> [10]`"),
        ("output: [10] { flatten; linear(10); }", "an output has a name\n  fix: write `output name: [10] { ... }`"),
        ("output output: [1, 28, 28] = relu;", "`output` is what the network's own output is called"),
        (
            "concat { relu; output p: [1, 28, 28] = relu; }",
            "an output is no branch; put it before or after the `concat`",
        ),
        ("concat { relu; head aux: [1, 28, 28] = relu; }", "a head is no branch"),
        ("custom stem: Stem<E, D>;", "expected `custom name: path::To<Type<E, D>> -> [C, H, W];`"),
        ("custom stem: Stem<E, D> -> [3, 0, 1];", "a dimension is at least 1"),
        ("custom stem: Stem -> [1, 28, 28]; assert params <= 9;", "`params` cannot be told: `stem` is a custom module"),
        ("residual { conv(4, 3); }", "this residual gives [4, 26, 26], but the identity beside it gives [1, 28, 28]"),
        ("residual { }", "this residual has no layers"),
        ("shortcut { relu; }", "`shortcut` without a `residual` or a `gate` before it"),
        ("residual { relu; } shortcut { relu; } shortcut { relu; }", "has a `shortcut` already"),
        ("else { relu; }", "`else` without an `if` before it"),
        ("if 1 { relu; }", "expected a condition"),
        ("if K == 3 { relu; }", "so this cannot be decided"),
        ("repeat K { relu; }", "`K` has no value when the network is checked"),
        (
            "repeat 3 { a: relu; }",
            "in a `repeat`, a layer with a name would be there more than once\n  fix: leave the name out",
        ),
        ("a: relu; repeat 3 { a: relu; }", "`a` is used twice"),
        ("repeat 3 { a: { relu; } }", "in a `repeat`, `a` would be there more than once"),
        (
            "concat { conv(2, 1); conv(2, 3); }",
            "the second branch gives 26x26, and the first branch 28x28, so their channels cannot be joined",
        ),
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
        ("conv_transpose(4, kernel = 2, groups = 2);", "1 input channel cannot be split into 2 equal groups"),
        ("conv(K, 1); depthwise(3, pad = 1);", "the const generic `K`"),
        ("conv(K, 1); squeeze_excite(4);", "`squeeze_excite` divides the channels"),
        ("squeeze_excite;", "`squeeze_excite` needs `reduction`"),
        ("conv(6, 1); pixel_shuffle(2);", "6 channels cannot be shuffled into squares of 2 x 2 pixels: 6 % 4 = 2"),
        ("conv(6, 1); channel_shuffle(4);", "6 input channels cannot be split into 4 equal groups"),
        ("conv(6, 1); group_norm(4);", "6 input channels cannot be split into 4 equal groups"),
        ("conv(6, 5); conv(16, 3, groups = 4);", "-> conv [6, 24, 24]\n  fix: write `2`"),
        ("conv(6, 5); conv(12, 3, groups = 4);", "\n  fix: write `3`"),
        ("conv(6, 5); conv(7, 3, groups = 4);", "\n  fix: make both numbers of channels multiples of 4"),
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
        gives_one(body, expected);
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
        ("struct N: [1, 8, 8] -> [11]", "`linear` gives [10], but `N` is declared to give [11]"),
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
        "params is 40,630, which is not <= 100\n  largest: fc 40,570, conv1 60\n  fix: raise this to 40_630",
        "macs is 77,064, which is not < 5\n  largest: fc 40,560, conv1 36,504\n  fix: raise this to 77_065",
        "activations is 8,906, which is not > 9,000,000\n  largest: conv1 4,056, `flatten` (layer 1) 4,056, input 784\n  fix: lower this to 8_905",
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

/// What people write who come from other frameworks: one error, which says what it is here.
#[test]
fn habits_of_other_frameworks_are_answered() {
    let cases = [
        ("conv(4, kernel_size = 3);", "`conv` has no option `kernel_size`; did you mean `kernel`?"),
        ("conv(4, kernel = 3, padding = 1);", "`conv` has no option `padding`; did you mean `pad`?"),
        ("conv(out_channels = 4, kernel = 3);", "`conv` has no option `out_channels`; did you mean `out`?"),
        ("conv(in_channels = 1, out = 4, kernel = 3);", "fix: leave it out: the layer before gives it"),
        ("conv(4, kernel = 3, use_bias = false);", "did you mean `bias`?"),
        (
            "conv(4, kernel = 3, activation = relu);",
            "fix: an activation is a layer of its own, such as `relu;` after this one",
        ),
        ("flatten; linear(units = 10);", "`linear` has no option `units`; did you mean `out`?"),
        ("dropout(rate = 0.5);", "`dropout` has no option `rate`; did you mean `p`?"),
        ("leaky_relu(negative_slope = 0.1);", "did you mean `slope`?"),
        ("max_pool(2, ceil_mode = true);", "did you mean `ceil`?"),
        ("relu(inplace = true);", "`relu` has no option `inplace`\n  fix: leave it out: memory is planned by itself"),
        ("Conv2d(4, kernel = 3);", "no layer is called `Conv2d`; did you mean `conv`?"),
        ("ReLU;", "no layer is called `ReLU`; did you mean `relu`?"),
        ("bn;", "no layer is called `bn`; did you mean `batch_norm`?"),
        ("swish;", "no layer is called `swish`; did you mean `silu`?"),
        ("flatten; dense(10);", "no layer is called `dense`; did you mean `linear`?"),
        ("deconv(4, kernel = 3);", "no layer is called `deconv`; did you mean `conv_transpose`?"),
        ("add;", "fix: write `residual { ... }` around the layers whose result is added to their input"),
        (
            "conv(1, 4, 3);",
            "`conv` takes no number of input channels: the layer before gives it\n  fix: write `conv(4, 3)`",
        ),
        (
            "flatten; linear(784, 10);",
            "`linear` takes no number of inputs: the layer before gives it\n  fix: write `linear(10)`",
        ),
        (
            "batch_norm(1);",
            "`batch_norm` takes no number of channels: the layer before gives it\n  fix: write `batch_norm`",
        ),
        ("batch_norm(64);", "the layer before gives it\n  1 channel comes in, not 64\n  fix: write `batch_norm`"),
        ("conv(6, 1); batch_norm(6, eps = 1e-3);", "fix: write `batch_norm(eps = 1e-3)`"),
        ("conv(6, 1); group_norm(2, 6);", "fix: write `group_norm(2)`"),
        ("conv(6, 5); conv(6, 16, 5);", "fix: write `conv(16, 5)`"),
        ("flatten; linear(784, K);", "fix: write `linear(K)`"),
        (
            "conv(6, 5); depthwise(6, 3);",
            "takes no number of channels: the layer before gives it\n  fix: write `depthwise(3)`",
        ),
        ("conv(6, 5); conv(6, 16, kernel = 5);", "fix: write `conv(16, kernel = 5)`"),
        ("conv(1, 6, 5, 1, 2);", "fix: write `conv(6, 5, stride = 1, pad = 2)`"),
        (
            "conv(6, 5, 1, 2);",
            "without a name; give `stride`, `pad`, `dilation`, `groups`, `bias` or `connections` by name\n  fix: write `conv(6, 5, stride = 1, pad = 2)`",
        ),
        ("conv(6, (5, 5), (1, 1), 2);", "fix: write `conv(6, (5, 5), stride = (1, 1), pad = 2)`"),
        ("conv(1, 6, (5, 5), 1, 2);", "fix: write `conv(6, (5, 5), stride = 1, pad = 2)`"),
        ("conv(6, 1); conv(6, (5, 5), 1);", "fix: write `stride = 1`"),
        ("conv(6, 1); conv_transpose(6, 3, 2);", "fix: write `stride = 2`"),
        ("conv(6, 5, 1, 2, 1, 1, false);", "dilation = 1, groups = 1, bias = false)`"),
        ("max_pool((2, 2), (2, 2));", "fix: write `stride = (2, 2)`"),
        ("max_pool(3, 2, 1);", "fix: write `max_pool(3, stride = 2, pad = 1)`"),
        ("relu(1);", "`relu` takes no argument\n  fix: write `relu`"),
        ("conv(4, 3, \"relu\");", "an activation is a layer of its own"),
        ("upsample(1, \"nearest\");", "`nearest` has no quotes\n  fix: write `nearest`"),
        (
            "flatten; linear(in_features = 784, out_features = 120);",
            "`linear` has no options `in_features` and `out_features`\n  fix: write `linear(120)`",
        ),
        ("upsample(scale_factor=2, mode=\"nearest\");", "fix: write `upsample(2, nearest)`"),
        ("upsample(2, mode=\"nearest\");", "`upsample` has no option `mode`\n  fix: write `upsample(2, nearest)`"),
        ("conv(4, kernel = \"large\");", "`kernel` takes no text in quotes\n  `kernel` takes a whole number"),
        ("conv(4, kernel = 3, bias = \"False\");", "`bias` takes no text in quotes\n  fix: write `false`"),
        ("dropout(\"0.5\");", "`p` takes no text in quotes\n  fix: write `0.5`"),
        ("conv(4, kernel = [5, 5]);", "`kernel` takes a number or a pair in round brackets\n  fix: write `(5, 5)`"),
        (
            "conv(4, kernel = 5, pad = [2]);",
            "`pad` takes a number, or a pair or four of them in round brackets\n  fix: write `2`",
        ),
        ("conv(4, kernel = 3, pad = -2);", "`pad` is -2; it must be 0 or more"),
        ("conv(4, kernel = 3, pad = (0, 1, -1, 1));", "`pad` is -1; it must be 0 or more"),
        ("max_pool(2, stride = -1);", "`stride` is -1; it must be at least 1"),
        ("conv(6, kernel = 3, stride = 0);", "it must be at least 1\n  fix: write `1`"),
        ("flatten(1);", "fix: write `flatten`: all of an image becomes a vector"),
        ("conv(4, kernel = 3, pad = \"same\");", "`pad` takes no text in quotes\n  fix: write `same`"),
        ("conv(4, kernel = 3, pad = SAME);", "did you mean `same`?"),
        ("conv(4, kernel = 3, pad = valid);", "did you mean `0`?"),
        ("max_pool(3, stride = 1, pad = \"same\");", "`pad` takes no text in quotes\n  fix: write `same`"),
        (
            "conv_transpose(4, kernel = 3, pad = \"same\");",
            "`same` is for convolutions and pools alone\n  fix: write `1`",
        ),
        ("conv_transpose(4, kernel = 2, pad = same);", "`pad` of `conv_transpose` is a number of pixels"),
        (
            "conv(1, 4, kernel = 3);",
            "`conv` takes no number of input channels: the layer before gives it\n  fix: write `conv(4, kernel = 3)`",
        ),
        (
            "conv(5, 4, kernel = 3);",
            "`kernel` of `conv` is given twice: by its place among the values without a name, and by its name",
        ),
        ("conv(4, kernel = 3, kernel = 5);", "`kernel` of `conv` is given twice"),
        ("conv(4, kernel 3);", "an option has `=`\n  fix: write `kernel = 3`"),
        ("conv(4, kernel = 3, bias = False);", "`bias` takes `true` or `false`\n  fix: write `false`"),
        ("conv(4, kernel = 3, padding_mode = \"reflect\");", "before this layer, and no `pad` into it"),
        ("SeparableConv2D(16, 3);", "fix: write `depthwise(3); conv(16, kernel = 1);`"),
        (
            "SeparableConv2D(64, 5, strides=2, padding=\"same\");",
            "fix: write `depthwise(5, stride = 2, pad = same); conv(64, kernel = 1);`",
        ),
        ("conv(4, kernel = 3, same);", "a padding has its name\n  fix: write `pad = same`"),
        ("conv(4, kernel = 3, \"relu\");", "an activation is a layer of its own"),
        ("conv(4, 3, batch_norm);", "fix: this is a layer of its own: put it after this one, as a statement"),
        (
            "y: residual(conv(1, kernel = 1));",
            "`residual` has its layers in braces\n  fix: write `residual { conv(1, kernel = 1); }`",
        ),
        ("conv(64, 3, 2);", "fix: write `stride = 2`"),
        ("conv(3, 6, 5);", "1 channel comes in, not 3\n  fix: write `conv(6, 5)`"),
        ("flatten; linear(256, 120);", "784 numbers come in, not 256\n  fix: write `linear(120)`"),
        ("Conv2d(1, 6, 5, padding=2);", "no layer is called `Conv2d`\n  fix: write `conv(6, kernel = 5, pad = 2);`"),
        ("Conv2D(6, (5, 5), padding=\"valid\");", "fix: write `conv(6, kernel = (5, 5));`"),
        ("MaxPool2d(2, 2);", "fix: write `max_pool(2, stride = 2);`"),
        ("flatten; Dense(10, activation=\"relu\");", "fix: write `linear(10); relu;`"),
        ("ConvTranspose2d(1, 6, 2, stride=2);", "fix: write `conv_transpose(6, kernel = 2, stride = 2);`"),
        ("assert params <= 62k;", "a number has no unit\n  fix: write `62_000`"),
        ("conv(4, kernel = \"5x5\");", "fix: write `(5, 5)`"),
        ("conv(4, kernel = [3, 5]);", "fix: write `(3, 5)`"),
        ("conv(4.0, kernel = 3);", "fix: write `4`"),
    ];
    for (body, expected) in cases {
        gives_one(body, expected);
    }
}

/// Statements of other languages: one error, with what to write, and the rest is checked as it was meant.
#[test]
fn statements_of_other_languages_are_answered() {
    let cases = [
        (
            "conv1 = conv(8, kernel = 3);",
            "expected `:` after the name `conv1`\n  fix: write `conv1: conv(8, kernel = 3);`",
        ),
        ("let conv1 = conv(8, kernel = 3);", "fix: write `conv1: conv(8, kernel = 3);`"),
        ("self.conv1 = conv(8, kernel = 3);", "fix: write `conv1: conv(8, kernel = 3);`"),
        ("conv1 => conv(8, kernel = 3);", "fix: write `conv1: conv(8, kernel = 3);`"),
        ("y = conv(8, kernel = 3)(x);", "fix: write `y: conv(8, kernel = 3);`"),
        (
            "nn.Conv2d(1, 8, 3);",
            "this is PyTorch, and here it is written otherwise\n  fix: write `conv(8, kernel = 3);`",
        ),
        ("nn::Conv2d(1, 8, 3);", "fix: write `conv(8, kernel = 3);`"),
        (
            "nn.Conv2d(1, 8, kernel_size=3, padding=1, bias=False);",
            "fix: write `conv(8, kernel = 3, pad = 1, bias = false);`",
        ),
        (
            "layers.Conv2D(8, 3, padding=\"same\", activation=\"relu\");",
            "fix: write `conv(8, kernel = 3, pad = same); relu;`",
        ),
        ("layers.Conv2D(8, 3, padding=\"same\");", "fix: write `conv(8, kernel = 3, pad = same);`"),
        ("nn.BatchNorm2d(1);", "fix: write `batch_norm;`"),
        ("self.pool = nn.MaxPool2d(3, 2, padding=1);", "fix: write `pool: max_pool(3, stride = 2, pad = 1);`"),
        ("F.relu(x);", "fix: write `relu;`"),
        ("F.max_pool2d(x, 2);", "fix: write `max_pool(2);`"),
        ("x = layers.Conv2D(8, 3)(x);", "fix: write `conv(8, kernel = 3);`"),
        ("layers.MaxPooling2D(3, 2, padding=\"same\");", "fix: write `max_pool(3, stride = 2, pad = 1);`"),
        ("layers.MaxPooling2D(2, padding=\"same\");", "fix: write `max_pool(2);`"),
        (
            "layers.BatchNormalization(momentum=0.99, epsilon=0.001);",
            "fix: write `batch_norm(momentum = 0.01, eps = 0.001);`",
        ),
        ("nn.ZeroPad2d((1, 2, 3, 4));", "fix: write `pad((3, 4, 1, 2));`"),
        ("layers.ZeroPadding2D(((1, 2), (3, 4)));", "fix: write `pad((1, 2, 3, 4));`"),
        ("nn.Upsample(scale_factor=2, mode=\"bilinear\");", "fix: write `upsample(2, bilinear);`"),
        ("nn.Conv2d(1, 8, 3, 1, 1, 2);", "fix: write `conv(8, kernel = 3, stride = 1, pad = 1, dilation = 2);`"),
        ("nn.GroupNorm(1, 1);", "fix: write `group_norm(1);`"),
        (
            "conv1 conv(8, kernel = 3);",
            "expected `:` after the name `conv1`\n  fix: write `conv1: conv(8, kernel = 3);`",
        ),
        ("conv1:: conv(8, kernel = 3);", "a name stands before one `:`\n  fix: write `conv1: conv(8, kernel = 3);`"),
        ("stage1 { relu; }", "a group of layers has a name and `:`\n  fix: write `stage1: { ... }`"),
        ("residul { relu; }", "no structure is called `residul`; did you mean `residual`?"),
        ("skip { relu; }", "did you mean `residual`?"),
        ("cat { relu; tanh; }", "did you mean `concat`?"),
        ("residual { conv(2, kernel = 1); } downsample { conv(2, kernel = 1); }", "did you mean `shortcut`?"),
        ("residual { relu; } shortcut: { tanh; }", "`shortcut` has no `:`\n  fix: write `shortcut { ... }`"),
        ("x = F.relu(x);", "fix: write `relu;`"),
        (
            "x = x + conv(6, kernel = 3, pad = 1);",
            "is a `residual`\n  fix: write `residual { conv(6, kernel = 3, pad = 1); }`",
        ),
        ("x += nn.Conv2d(1, 6, 3);", "fix: write `residual { conv(6, kernel = 3); }`"),
        ("x = self.conv(x) + x;", "the sum of a layer and what comes into it is a `residual`"),
        (
            "self.conv1 = nn.Conv2d(1, 8, 3);",
            "this is PyTorch, and here it is written otherwise\n  fix: write `conv1: conv(8, kernel = 3);`",
        ),
        (
            "let conv1 = nn::Conv2d(1, 8, 3);",
            "this is another framework's, and here it is written otherwise\n  fix: write `conv1: conv(8, kernel = 3);`",
        ),
        (
            "conv1: nn.Conv2d(1, 8, 3);",
            "this is PyTorch, and here it is written otherwise\n  fix: write `conv(8, kernel = 3);`",
        ),
        ("x = relu(x);", "expected `:` after the name `x`\n  fix: write `x: relu;`"),
        ("relu => max_pool(2);", "layers follow each other as statements\n  fix: write `relu; max_pool(2);`"),
        ("/// One\n /// and two\n relu;", "a layer has no documentation of its own"),
        ("/// The stem\n stem: { relu; }", "a layer has no documentation of its own"),
        (
            "conv(8, kernel = 3).relu();",
            "layers follow each other as statements\n  fix: write `conv(8, kernel = 3); relu();`",
        ),
        ("conv(8, kernel = 3).relu().max_pool(2);", "fix: write `conv(8, kernel = 3); relu(); max_pool(2);`"),
        ("conv(8, kernel = 3), relu, max_pool(2);", "expected `;` after `conv`"),
        ("conv(8, kernel = 3) => relu;", "expected `;` after `conv`"),
        ("conv(8, kernel = 3) -> relu -> tanh;", "expected `;` after `conv`"),
        (
            "conv[8, kernel = 3];",
            "the arguments of `conv` stand in round brackets\n  fix: write `conv(8, kernel = 3);`",
        ),
        ("stem: conv[8, kernel = 3];", "the arguments of `conv` stand in round brackets"),
        ("conv<8, 3>;", "the arguments of `conv` stand in round brackets"),
        ("conv 8, kernel = 3;", "the arguments of `conv` stand in round brackets"),
        ("conv-1: conv(8, kernel = 3);", "a name has letters, digits and `_`\n  fix: write `conv_1: ...`"),
        ("/// A layer\n relu;", "a layer has no documentation of its own\n  fix: write `// ...`"),
        ("#[inline] relu;", "a layer has no attributes"),
        ("conv(8, kernel: 3);", "an option has `=`\n  fix: write `conv(8, kernel = 3)`"),
        ("conv(out: 8, kernel: 3, pad = 1);", "fix: write `conv(out = 8, kernel = 3, pad = 1)`"),
        ("var conv1 = conv(8, kernel = 3);", "expected `:` after the name `conv1`"),
        ("for i in 0..3 { relu; }", "there is no loop but `repeat`"),
    ];
    for (body, expected) in cases {
        gives_one(body, expected);
    }
}

/// Fixes with the network's own numbers.
#[test]
fn fixes_have_numbers() {
    let cases = [
        (
            "residual { conv(8, kernel = 3, stride = 2, pad = 1); }",
            "fix: add `shortcut { conv(8, kernel = 1, stride = 2); }`",
        ),
        ("residual { conv(8, 1); }", "fix: add `shortcut { conv(8, kernel = 1); }`"),
        ("residual { conv(1, kernel = 3); }", "fix: write `pad = 1` in `conv`"),
        (
            "concat { a: conv(8, 1); b: { flatten; linear(8); } }",
            "branch `b` gives the vector [8], and branch `a` the map [8, 28, 28], so they cannot be joined",
        ),
        ("adaptive_avg_pool((1, 1));", "fix: write `1`"),
        ("conv(8, kernel = 3x3);", "fix: write `(3, 3)`"),
        ("conv(8, 3, no_bias);", "`conv` has no option `no_bias`\n  fix: write `bias = false`"),
        ("assert!(params <= 5, \"too many\");", "fix: write `assert params <= 5;`"),
        ("max_pool(2, 2);", "fix: write `stride = 2`"),
        ("conv(8, 3, same);", "fix: write `pad = same`"),
        ("conv(8, kernel = 3, no_bias);", "`conv` has no option `no_bias`\n  fix: write `bias = false`"),
        ("conv(8, kernel = 3, !bias);", "fix: write `bias = false`"),
        ("assert 62_000 >= params;", "what is counted comes first"),
        ("assert!(params <= 5);", "fix: write `assert params <= 5;`"),
        ("assert!(params <= 5, macs <= 9, \"large\");", "fix: write `assert params <= 5, macs <= 9;`"),
        ("conv(12O, kernel = 3);", "is the letter a zero?\n  fix: write `120`"),
        ("assert(params <= 5);", "fix: write `assert params <= 5;`"),
        ("assert params = 62_000;", "fix: write `assert params == 62_000;`"),
        ("assert params <= 5 && macs <= 9;", "several are parted by commas"),
        ("assert flops <= 9;", "there is no budget for `flops`; did you mean `macs`?"),
        ("dropout(.5);", "fix: write `0.5`"),
        ("dropout(50);", "fix: write `0.5`"),
        ("conv(...);", "expected a value in place of `...`"),
        ("conv(8 as usize, kernel = 3);", "fix: write `8`"),
        ("conv(CHANNELS, kernel = 3);", "declare it: `struct N<const CHANNELS: usize = 10>: ...`"),
        ("head: [10] { flatten; linear(10); }", "fix: write `head name: [10] { ... }`"),
        ("match channels { 3 => relu }", "fix: write `if channels == 3 { ... } else { ... }`"),
        ("fn forward(x) { relu; }", "there is no `forward`: layers run in the order in which they stand"),
        ("relu; elif stride { relu; }", "fix: write `else if`"),
        ("block b(out) { relu; } b(3);", "a block is declared beside the structs, not in one"),
    ];
    for (body, expected) in cases {
        gives_one(body, expected);
    }
}

#[test]
fn a_file_may_say_what_it_holds() {
    let network = "struct N: [3, 8, 8] -> [10] { flatten; linear(10); }";
    assert_eq!(checked(&format!("//! A network.\n//! A small one.\n{network}")).1, Vec::<String>::new());
    let found = checked(&format!("#![allow(unread_pixels)]\n{network}")).1;
    assert!(found.len() == 1 && found[0].contains("without `!`"), "{found:#?}");
}

#[test]
fn headers_of_other_languages_are_answered() {
    let body = "{ flatten; linear(10); }";
    for (source, expected) in [
        (format!("struct N: [64, 3, 32, 32] -> [10] {body}"), "fix: leave out the batch: `[3, 32, 32]`"),
        ("struct N: [3x32x32] -> [10] { conv(8, 3); flatten; linear(10); }".into(), "fix: write `3, 32, 32`"),
        (
            "struct N: [28, 28, 1] -> [10] { conv(8, 3); flatten; linear(10); }".into(),
            "the input is 28 channels of 28x1; shapes are [C, H, W]\n  fix: write `[1, 28, 28]`",
        ),
        ("struct N: [3, 8, 8] -> [10] { conv(8, 3); }".into(), "fix: end with `flatten; linear(10);`"),
        (format!("struct N: [N, 3, 32, 32] -> [10] {body}"), "fix: leave out the batch: `[3, 32, 32]`"),
        (format!("struct N: [-1, 3, 32, 32] -> [10] {body}"), "fix: leave out the batch: `[3, 32, 32]`"),
        (format!("struct N: [3, 8, 8] -> [N, 10] {body}"), "fix: leave out the batch: `[10]`"),
        (format!("struct N: [3, 8, 8] -> [64, 10] {body}"), "fix: leave out the batch: `[10]`"),
        (format!("struct N: [8, 8] -> [10] {body}"), "fix: write `[1, 8, 8]`: the channels come first"),
        (format!("struct N: [3, 8, 8] -> 10 {body}"), "the output stands in square brackets\n  fix: write `[10]`"),
        (format!("struct N: (3, 8, 8) -> [10] {body}"), "fix: write `[3, 8, 8]`"),
        (format!("struct N: [3, 8, 8] => [10] {body}"), "fix: write `->`"),
        (format!("struct N [3, 8, 8] -> [10] {body}"), "fix: write `: [3, 8, 8]`"),
        ("struct N: [3, 8, 8] -> [10];".into(), "expected the layers in braces: `{ ... }`"),
        (format!("struct N: [3, 8, 8] -> [10] {body};"), "fix: leave out this `;`"),
        (
            format!("struct N<const K: usize = 2 * 5>: [3, 8, 8] -> [10] {body}"),
            "the default of a const generic is one number",
        ),
        (format!("block basic {{ relu; }} struct N: [3, 8, 8] -> [10] {body}"), "fix: write `block basic() { ... }`"),
    ] {
        let found = checked(&source).1;
        assert!(found.len() == 1 && found[0].contains(expected), "{source}\n{expected}\n{found:#?}");
    }
}
