//! What people write who come from Python: one error each, with what to write, and the place that is marked.

use super::{gives_one, marked};

/// Statements, structures and headers of other languages.
#[test]
fn python_is_answered() {
    let cases = [
        ("1conv: conv(4, 1);", "a name begins with a letter\n  fix: write `conv1: conv(4, 1);`"),
        ("\"name\": conv(4, 1);", "a name has no quotes\n  fix: write `name: conv(4, 1);`"),
        ("\"stem\": { conv(4, 1); }", "a name has no quotes\n  fix: write `stem: { ... }`"),
        ("conv{4, kernel = 3};", "stand in round brackets\n  fix: write `conv(4, kernel = 3);`"),
        ("c: conv { 4, 1 }", "stand in round brackets\n  fix: write `conv(4, 1);`"),
        ("conv<4, 1>;", "stand in round brackets\n  fix: write `conv(4, 1);`"),
        ("conv 4, kernel = 1;", "stand in round brackets\n  fix: write `conv(4, kernel = 1);`"),
        ("concat [conv(2, 1), relu];", "has its branches in braces\n  fix: write `concat { conv(2, 1); relu; }`"),
        ("residual conv(1, 3, pad = 1);", "in braces\n  fix: write `residual { conv(1, 3, pad = 1); }`"),
        ("residual(conv(1, 1), relu);", "in braces\n  fix: write `residual { conv(1, 1); relu; }`"),
        ("repeat 2 relu;", "has its layers in braces\n  fix: write `repeat 2 { relu; }`"),
        ("repeat;", "has its layers in braces: `repeat 3 { ... }`"),
        ("if training { dropout(0.5); }", "knows by itself whether it is trained"),
        ("conv(4, kernel == 5);", "an option has one `=`\n  fix: write `kernel = 5`"),
        ("dropout = 0.5;", "stand in round brackets\n  fix: write `dropout(0.5);`"),
        ("Conv1d(4, 3);", "fix: declare a series as an image of height 1"),
        ("return x;", "there is no `return`"),
        ("class Net(nn.Module):\n def __init__(self):\n super().__init__();", "there are no classes"),
        ("x = x * 2;", "a value has no name: a layer takes what the one before it gives"),
        ("repeat 2: relu;", "fix: write `repeat 2 { relu; }`"),
        (
            "def forward(self, x):\n x = F.relu(self.conv1(x))\n return x;",
            "there is no `forward`: layers run in the order",
        ),
        ("for _ in 0..2 { relu; }", "fix: write `repeat 2 { ... }`"),
        ("for _ in 0..=2 { relu; }", "fix: write `repeat 3 { ... }`"),
        ("for i in range(4) { relu; }", "fix: write `repeat 4 { ... }`"),
        ("for i in range(1, 4) { relu; }", "fix: write `repeat 3 { ... }`"),
        ("for layer in layers: relu;", "there is no loop but `repeat`"),
        (
            "c: nn.Sequential(nn.Flatten(), nn.Linear(784, 12), nn.ReLU());",
            "fix: write `c: { flatten; linear(12); relu; }`",
        ),
        ("nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU());", "fix: write `conv(6, kernel = 5); relu;`"),
        ("self.c = nn.Sequential(ReLU(), nn.Tanh());", "fix: write `c: { relu; tanh; }`"),
        (
            "c1 = nn.Conv2d(1, 6, 5)\n r1 = nn.ReLU();",
            "this is PyTorch, and here it is written otherwise\n  fix: write `c1: conv(6, kernel = 5);`",
        ),
        ("x = layers.Dense(10)(x);", "this is Keras, and here it is written otherwise\n  fix: write `linear(10);`"),
        ("F.relu(x);", "a layer is its name alone, without `F.` and `(x)`\n  fix: write `relu;`"),
        ("x = F.relu(x);", "a layer is its name alone, without `x = F.` and `(x)`\n  fix: write `relu;`"),
        ("x = F.relu(self.conv1(x));", "fix: write `relu;` after the layer that it is applied to"),
        ("x = self.conv1(x);", "there is no `self`: a layer is declared where it runs"),
        ("view(-1, 784);", "no layer is called `view`\n  fix: write `flatten;`"),
        ("x = x.view(x.size(0), -1);", "this is PyTorch, and here it is written otherwise\n  fix: write `flatten;`"),
        ("x = torch.flatten(x, 1);", "fix: write `flatten;`"),
        ("x = x + conv(x);", "fix: write `residual { conv(channels, kernel = 3, pad = 1); }`"),
        ("x = self.relu(x) + x;", "fix: write `residual { relu; }`"),
        ("residual { conv(4, 1); shortcut { conv(4, 1); } }", "a `shortcut` stands behind the `}` of its residual"),
        ("residual { conv(4, 1); shortcut if channels != 4 { conv(4, 1); } relu; }", "behind the `}` of its residual"),
    ];
    for (body, expected) in cases {
        gives_one(body, expected);
    }
}

#[test]
fn budgets_wait_for_words() {
    gives_one("skip { conv(1, kernel = 3, pad = 1); } assert params <= 5;", "did you mean `residual`?");
    gives_one("skiip { conv(1, kernel = 3, pad = 1); } assert params <= 5;", "a group of layers has a name");
}

#[test]
fn headers_in_round_brackets_are_answered() {
    let body = "{ flatten; linear(10); }";
    for (header, expected) in [
        ("([1, 28, 28]) -> [10]", "fix: write `: [1, 28, 28]`"),
        ("(1, 28, 28) -> [10]", "fix: write `: [1, 28, 28]`"),
        ("([1, 28, 28] -> [10])", "fix: write `: [1, 28, 28] -> [10]`"),
    ] {
        let found = super::checked(&format!("struct N{header} {body}")).1;
        assert!(found.len() == 1 && found[0].contains(expected), "{header}: {found:#?}");
    }
}

#[test]
fn the_last_number_is_what_the_network_gives() {
    let found = super::checked("struct LeNet5: [1, 28, 28] -> [10] { flatten; fc3: linear(100); relu; }").1;
    let expected = "`fc3` gives [100], but `LeNet5` is declared to give [10]\n  \
                    trace: input [1, 28, 28] -> flatten [784] -> fc3 [100]\n  \
                    fix: end with `linear(10);`, write `10` here, or declare `-> [100]`";
    assert_eq!(found, [expected]);
    let found = super::checked("struct N<const K: usize>: [1, 28, 28] -> [K] { flatten; linear(100); }").1;
    assert!(found[0].ends_with("fix: write `K` here, or declare `-> [100]`"), "{found:?}");
}

/// A pool of one pixel is no pool.
#[test]
fn pools_of_a_single_pixel() {
    let end = "max_pool(2); flatten; linear(10);";
    let found = super::checked(&format!("struct N: [1, 5, 5] -> [10] {{ c: conv(3, kernel = 5); relu; {end} }}")).1;
    assert!(
        found[0].ends_with("fix: leave this pool out, or keep the map larger before it: write `pad = 2` in `c`"),
        "{found:?}"
    );
    let found = super::checked(&format!("struct N: [1, 2, 2] -> [10] {{ max_pool(2); {end} }}")).1;
    assert!(found[0].ends_with("fix: leave this pool out, or keep the map larger before it"), "{found:?}");
    let found = super::checked(&format!("struct N: [1, 2, 2] -> [10] {{ max_pool(3); {end} }}")).1;
    assert!(found[0].ends_with("fix: use kernel <= 2"), "{found:?}");
}

/// The mark is where something is to be changed.
#[test]
fn marks_are_where_the_fix_is() {
    for (body, place) in [
        ("flatten; linear(784, 120);", "784"),
        ("conv(1, 6, kernel = 5, pad = 2);", "1"),
        ("conv(6, 1); batch_norm(6);", "6"),
        ("conv(6, 5, 1, 2);", "1"),
        ("conv1: conv(6, kernel = 5) relu;", ")"),
        ("relu tanh;", "relu"),
        ("conv(6, 1), relu;", ","),
        ("conv(4, kernel = [5, 5]);", "[5, 5]"),
    ] {
        let found = marked(&format!("struct N: [1, 28, 28] -> [10] {{ {body} }}"));
        assert!(found.contains(&place.to_string()), "{body}: {found:?}");
    }
    for (source, place) in [
        ("struct N: [1, 28, 28] -> [10] { flatten; fc: linear(10) }", ")"),
        ("struct N: [28, 28, 1] -> [10] { conv(8, 3); flatten; linear(10); }", "28, 28, 1"),
        ("struct N: [1, 28, 28] -> [10] { flatten; linear(100); relu; dropout(0.5); }", "100"),
        ("struct N: [1, 28, 28] -> [10] { conv(7, 3); batch_norm; global_avg_pool; }", "7"),
        ("struct N: [1, 28, 28] -> [10, 26, 26] { conv(7, 3); }", "7"),
        // Another number there would not do, or it is not written there.
        ("struct N: [1, 28, 28] -> [10] { conv(7, 3); flatten; }", "10"),
        ("struct N: [1, 28, 28] -> [10] { conv(3 + 4, 3); global_avg_pool; }", "10"),
        ("struct N: [1, 28, 28] -> [10] { residual { conv(1, 1); } global_avg_pool; }", "10"),
        ("struct N: [2, 28, 28] -> [3] { conv(2, 1, groups = 2); global_avg_pool; }", "3"),
    ] {
        assert_eq!(marked(source), [place], "{source}");
    }
    assert!(super::checked("struct N: [1, 28, 28] -> [10] { flatten; fc: linear(10) }").1[0].contains("after `fc`"));
}

#[test]
fn a_whole_port_has_one_error_for_each_layer() {
    let (_, errors) = super::checked(
        "struct Net: [1, 28, 28] -> [10] { conv(1, 6, kernel = 5, pad = 2); relu; max_pool(2); conv(6, 16, 5); relu; max_pool(2); \
         flatten; linear(400, 120); relu; linear(120, 84); relu; linear(84, 10); }",
    );
    let fixes: Vec<&str> = errors.iter().filter_map(|error| error.split("fix: ").nth(1)).collect();
    let expected = [
        "write `conv(6, kernel = 5, pad = 2)`",
        "write `conv(16, 5)`",
        "write `linear(120)`",
        "write `linear(84)`",
        "write `linear(10)`",
    ];
    assert_eq!(fixes, expected, "{errors:#?}");
}
