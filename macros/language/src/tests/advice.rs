//! What errors advise where a change is computed, and what they take for meant where something stands around layers.

use super::checked;

/// The errors of a network whose body is `body`.
fn errors(body: &str) -> Vec<String> {
    checked(&format!("struct N: [1, 28, 28] -> [10] {{ {body} }}")).1
}

const TAIL: &str = "flatten; linear(10);";

/// A budget that a smaller layer would keep says which one, and how small; the size was tried.
#[test]
fn a_budget_says_what_would_keep_it() {
    let fix = |body: &str| {
        let found = errors(body);
        assert_eq!(found.len(), 1, "{body}\n{found:#?}");
        found[0].split_once("fix: ").unwrap().1.to_string()
    };
    let net = |fc1: u64| {
        format!("flatten; fc1: linear({fc1}); relu; fc2: linear(84); relu; linear(10); assert params <= 62_000;")
    };
    assert_eq!(fix(&net(120)), "give `fc1` at most 70 outputs, or raise this to 105_214");
    assert_eq!(errors(&net(70)), Vec::<String>::new());
    assert_eq!(errors(&net(71)).len(), 1);
    // A residual needs the channels that it has.
    let residual = "conv(8, 3); residual { conv(8, 3, pad = 1); } flatten; linear(10); assert params <= 50_000;";
    assert_eq!(fix(residual), "raise this to 54_754");
    let conv = "a: conv(8, 3); flatten; linear(10); assert params < 50_000;";
    assert_eq!(fix(conv), "give `a` at most 7 channels, or raise this to 54_171");
    assert_eq!(fix("flatten; linear(10); assert params == 7_000;"), "write `7_850`");
    assert_eq!(
        fix("conv(4, 3); conv(4, 3); flatten; linear(10); assert receptive_field >= 9;"),
        "add layers, strides, pools or dilation, or lower this to 5"
    );
}

/// Windows that do not fit: what is proposed was computed through the layers between.
#[test]
fn windows_that_do_not_fit_after_others() {
    let cases = [
        // Padding would not be enough.
        (
            "conv2: conv(16, kernel = 3); relu; max_pool(2); max_pool(2); max_pool(2); max_pool(2); max_pool(2);",
            "fix: leave this pool out, or keep the map larger before it",
        ),
        (
            "conv2: conv(16, kernel = 15); relu; max_pool(2); max_pool(2); max_pool(2); max_pool(2);",
            "fix: leave this pool out, or keep the map larger before it: write `pad = 7` in `conv2`",
        ),
        (
            "a: conv(6, 3); b: conv(6, 15); max_pool(2); max_pool(2); max_pool(2); max_pool(2);",
            "before it: write `pad = 7` in `b`",
        ),
        (
            "conv2: conv(16, kernel = 5, stride = 30); max_pool(2);",
            "< 0\n  `stride = 30` in `conv2` is larger than its kernel, and leaves 1x1 of 28x28\n  \
             trace: input [1, 28, 28] -> conv2 [16, 1, 1]\n  fix: write `stride = 5` in `conv2`, or a smaller one",
        ),
        (
            "conv(16, kernel = 8, dilation = 4);",
            "fix: use kernel <= 7, which leaves a height of 4, or dilation <= 3, or `pad = 14`, which keeps 28",
        ),
        (
            "max_pool(20); conv(6, 10);",
            "`max_pool`: kernel 20 leaves 1x1 of 28x28, into which kernel 10 of `conv` does not fit\n  \
             trace: input [1, 28, 28] -> max_pool [1, 1, 1]\n  fix: use kernel <= 2",
        ),
    ];
    for (body, expected) in cases {
        let found = errors(&format!("{body} {TAIL}"));
        assert!(found.len() == 1 && found[0].contains(expected), "{body}\n{expected}\n{found:#?}");
    }
    let pools = "max_pool(2); ".repeat(5);
    let found = errors(&format!("conv2: conv(16, kernel = 3); relu; {pools} {TAIL}"));
    assert!(!found[0].contains("pad = "), "{found:#?}");
}

/// A layer on a vector names the one that made it, and a layer in the wrong place says nothing of those after it.
#[test]
fn what_made_the_vector() {
    for (body, expected) in [
        ("conv(4, 3); global_max_pool; upsample(3); flatten;", "fix: put it before `global_max_pool`"),
        ("conv(4, 3); gap: global_avg_pool; relu; upsample(3); flatten;", "fix: put it before `gap`"),
        ("flatten; linear(16); conv(3, 3); flatten;", "fix: put it before `flatten`"),
        ("conv(4, 3); fc: linear(3); max_pool(2); flatten;", "`fc` needs a vector, but gets the feature map"),
        ("linear(3); relu; conv(4, 3); batch_norm; flatten;", "`linear` needs a vector, but gets the feature map"),
        ("conv(4, 3); gate { residual { conv(6, kernel = 3); } } flatten;", "this residual gives [6, 24, 24]"),
    ] {
        let found = errors(&format!("{body} linear(10);"));
        assert!(found.len() == 1 && found[0].contains(expected), "{body}\n{expected}\n{found:#?}");
    }
    let vector = checked("struct N: [16] -> [10] { upsample(2); flatten; linear(10); }").1;
    assert!(vector.len() == 1 && vector[0].contains("declare the input as a map, such as `[1, 4, 4]`"), "{vector:#?}");
}

/// A network that ends with a hidden layer lacks its last one.
#[test]
fn a_last_layer_that_is_missing() {
    let found = errors("flatten; fc1: linear(120); relu; fc2: linear(84); relu;");
    let expected = "`fc2` gives [84], but `N` is declared to give [10]\n  \
                    trace: input [1, 28, 28] -> flatten [784] -> fc1 [120] -> fc2 [84]\n  \
                    fix: end with `linear(10);`, write `10` here, or declare `-> [84]`";
    assert_eq!(found, [expected]);
    let sigmoid = errors("flatten; fc: linear(11); dropout;");
    assert!(sigmoid[0].contains("fix: write `10` here, or declare"), "{sigmoid:#?}");
}

/// Braces, commas and words that other languages have around layers: one error, and the layers are taken as they were meant.
#[test]
fn what_stands_around_layers() {
    for (body, expected) in [
        (
            "concat { conv(8, kernel = 1); } { conv(8, kernel = 3, pad = 1); } flatten; linear(10);",
            "all branches of a `concat` stand in one pair of braces\n  \
             fix: write `concat { { conv(8, kernel = 1); } { conv(8, kernel = 3, pad = 1); } }`",
        ),
        (
            "concat { a: { relu; } } { b: { tanh; } } flatten; linear(10);",
            "fix: write `concat { a: { relu; } b: { tanh; } }`",
        ),
        (
            "concat { a: { relu; }, b: { tanh; }, c: { relu; } } flatten; linear(10);",
            "there is no comma between branches",
        ),
        ("a: { relu; }, b: { tanh; } flatten; linear(10);", "there is no comma behind a `}`"),
        ("concat { a: relu, b: { tanh; } } flatten; linear(10);", "expected `;` after `a`"),
        (
            "flatten; fc2: linear(84); relu; return fc3: linear(10);",
            "no `return`: a network gives what its last layer gives\n  fix: write `fc3: linear(10);`",
        ),
        ("flatten; fc2: linear(84); relu; return linear(10);", "fix: write `linear(10);`"),
        ("flatten; fc2: linear(84); relu; return self.fc3(x);", "there is no `return`"),
        ("flatten; linear(10); return x;", "fix: leave this out"),
        ("flatten; linear(10); return relu(x);", "there is no `return`"),
        ("relu max_pool(2); flatten; linear(10);", "fix: write `;` behind `relu`"),
        ("conv(4, 3) max_pool(2); flatten; linear(10);", "fix: write `;` behind this `)`"),
        ("flatten; fc: linear(10)", "fix: write `;` behind this `)`"),
    ] {
        let found = errors(body);
        assert!(found.len() == 1 && found[0].contains(expected), "{body}\n{expected}\n{found:#?}");
    }
    assert_eq!(errors("concat { concat { relu; tanh; } { relu; } } flatten; linear(10);"), Vec::<String>::new());
}
