//! Where values meet: what errors call the branches, what they mark, and what they say to change.

use super::{checked, gives_one, marked};

/// The errors of a network whose body is `body`.
fn errors(body: &str) -> Vec<String> {
    checked(&format!("struct N: [4, 28, 28] -> [10] {{ {body} global_avg_pool; linear(10); }}")).1
}

#[test]
fn both_sides_of_a_residual_are_named() {
    let found = errors("residual { a: conv(4, 3); } shortcut { b: conv(5, 3); }");
    let expected = "this residual gives [4, 26, 26], but its shortcut gives [5, 26, 26]; a sum needs one shape\n  \
                    residual: input [4, 28, 28] -> a [4, 26, 26]\n  shortcut: input [4, 28, 28] -> b [5, 26, 26]\n  \
                    fix: make both give [4, 26, 26]";
    assert_eq!(found, [expected]);
}

/// The fix, if there is one error.
fn fix(body: &str) -> String {
    let found = errors(body);
    assert_eq!(found.len(), 1, "{body}: {found:#?}");
    found[0].split_once("\n  fix: ").unwrap().1.to_string()
}

#[test]
fn a_residual_without_padding_is_padded() {
    let behind = "behind the `}` of the residual";
    for (body, expected) in [
        ("residual { conv3: conv(4, 3); }", "write `pad = 1` in `conv3`".to_string()),
        ("residual { conv(4, kernel = 5, pad = 1); relu; }", "write `pad = 2` in `conv`".into()),
        ("residual { a: conv(4, 3); b: conv(4, 3); }", "write `pad = 1` in `a` and in `b`".into()),
        ("residual { a: conv(4, 3); b: conv(4, 5); }", "write `pad = 1` in `a`, and `pad = 2` in `b`".into()),
        ("residual { conv(4, 3); relu; conv(4, 3); }", "write `pad = 1` in each `conv`".into()),
        ("residual { repeat 2 { conv(4, 3); } }", "write `pad = 1` in each `conv`".into()),
        ("residual { conv(4, kernel = 3, dilation = 2); }", "write `pad = 2` in `conv`".into()),
        ("residual { max_pool(3); }", "write `max_pool(3, stride = 1, pad = 1)`".into()),
        (
            "residual { a: conv(8, 3); }",
            format!("write `pad = 1` in `a`, and add `shortcut {{ conv(8, kernel = 1); }}` {behind}"),
        ),
        (
            "residual { conv(8, 3, stride = 2, pad = 1); }",
            format!("add `shortcut {{ conv(8, kernel = 1, stride = 2); }}` {behind}"),
        ),
        ("residual { a: conv(8, 3); } shortcut { conv(8, 1); }", "write `pad = 1` in `a`".into()),
        ("residual { a: conv(8, 1); } shortcut { b: conv(8, 3); }", "write `pad = 1` in `b`".into()),
        (
            "residual { a: conv(8, 3); } shortcut { conv(9, 1); }",
            "write `pad = 1` in `a`, and make both give 8 channels".into(),
        ),
        // An even kernel keeps no size.
        (
            "residual { conv(4, 2); conv(4, 2); }",
            "pad the layers so that they keep height and width, as in `pad = same`".into(),
        ),
    ] {
        assert_eq!(fix(body), expected, "{body}");
    }
    let found = errors("residual { conv3: conv(4, 3); }");
    assert!(
        found[0].contains("\n  residual: input [4, 28, 28] -> conv3 [4, 26, 26]\n  input: input [4, 28, 28]\n"),
        "{found:?}"
    );
}

#[test]
fn branches_are_named() {
    let found = errors("concat { a: conv(2, 5); b: conv(2, 7); }");
    let expected = "branch `b` gives 22x22, and branch `a` 24x24, so their channels cannot be joined\n  \
                    a: input [4, 28, 28] -> a [2, 24, 24]\n  b: input [4, 28, 28] -> b [2, 22, 22]\n  \
                    fix: write `pad = 1` in `b`";
    assert_eq!(found, [expected]);
    for (body, first, expected) in [
        ("concat { conv(2, 1); { relu; conv(2, 3); } }", "the second branch gives 26x26", "write `pad = 1` in `conv`"),
        (
            "concat { a: conv(2, 1); max_pool(3); }",
            "the second branch gives 9x9",
            "write `max_pool(3, stride = 1, pad = 1)`",
        ),
        (
            "concat { a: conv(2, 3); b: conv(2, 1); }",
            "branch `a` gives 26x26, and branch `b` 28x28",
            "write `pad = 1` in `a`",
        ),
        // Two of three are right.
        (
            "concat { a: conv(2, 3); b: conv(2, 1); identity; }",
            "branch `a` gives 26x26, and branch `b` 28x28",
            "write `pad = 1` in `a`",
        ),
        (
            "concat { conv(2, 3, stride = 2, pad = 1); relu; }",
            "the first branch gives 14x14, and the second branch 28x28",
            "leave out `stride = 2` in `conv` of the first branch",
        ),
        (
            "concat { { conv(8, 1); } { conv(8, kernel = 3, stride = 2, pad = 1); } }",
            "the second branch gives 14x14, and the first branch 28x28",
            "leave out `stride = 2` in `conv` of the second branch, or write `stride = 2` in `conv` of the first branch",
        ),
        (
            "concat { a: conv(8, 3, stride = 2); b: conv(8, 1); identity; }",
            "branch `a` gives 13x13, and branch `b` 28x28",
            "leave out `stride = 2` in `a`, and write `pad = 1` there",
        ),
        (
            "concat { a: conv(8, 3, stride = 2, pad = 1); b: conv(8, 1, stride = 2); c: conv(8, 1); }",
            "branch `c` gives 28x28, and branch `a` 14x14",
            "write `stride = 2` in `c`",
        ),
        (
            "concat { a: { flatten; linear(8); } b: conv(8, 1); }",
            "branch `b` gives the map [8, 28, 28], and branch `a` the vector [8]",
            "end all branches with `flatten`, or none",
        ),
    ] {
        assert_eq!(fix(body), expected, "{body}");
        assert!(errors(body)[0].starts_with(first), "{body}: {:?}", errors(body));
    }
}

#[test]
fn the_branch_that_differs_is_marked() {
    for (body, place) in [
        ("concat { a: conv(2, 1); b: conv(2, 3); }", "b"),
        ("concat { conv(2, 1); max_pool(3); }", "max_pool"),
        ("concat { conv(2, 1); { conv(2, 3); } }", "{"),
        ("concat { conv(2, 1); b: { conv(2, 3); } }", "b"),
        ("concat { conv(2, 1); residual { max_pool(2); } shortcut { max_pool(2); } }", "residual"),
        ("concat { conv(2, 1); if channels == 4 { max_pool(2); } }", "channels == 4"),
    ] {
        let source = format!("struct N: [4, 28, 28] -> [10] {{ {body} global_avg_pool; linear(10); }}");
        assert_eq!(marked(&source), [place], "{body}");
    }
}

#[test]
fn what_cannot_be_joined_is_one_mistake() {
    gives_one("concat { conv(2, 1); conv(2, 3); concat { conv(2, 3); conv(2, 3); } }", "the first branch gives 28x28");
}

#[test]
fn a_gate_multiplies_what_comes_in() {
    let scaled = |source: &str| {
        let graph = super::graph(source);
        let node = graph.nodes.last().unwrap();
        assert_eq!(node.op, convnet_graph::Op::Scale, "{source}");
        (node.inputs.clone(), super::text(node.shape))
    };
    // Factors for channels, and for elements; the map comes first.
    let gate = "struct Net: [4, 8, 8] -> [4, 8, 8] { gate { adaptive_avg_pool(1); conv(4, kernel = 1); sigmoid; } }";
    assert_eq!(scaled(gate), (vec![0, 3], "4x8x8".into()));
    let gate = "struct Net: [4, 8, 8] -> [4, 8, 8] { gate { conv(4, kernel = 1); sigmoid; } }";
    assert_eq!(scaled(gate), (vec![0, 2], "4x8x8".into()));
    let gate = "struct Net: [4, 8, 8] -> [6, 8, 8] { gate { conv(6, kernel = 1); } shortcut { conv(6, kernel = 1); } }";
    assert_eq!(scaled(gate), (vec![2, 1], "6x8x8".into()));
    let gate = "struct Net: [4, 8, 8] -> [4, 8, 8] { gate { relu; } shortcut { adaptive_avg_pool(1); } }";
    assert_eq!(scaled(gate), (vec![1, 2], "4x8x8".into()));
    let gate = "struct Net: [4] -> [4] { gate { linear(4); sigmoid; } }";
    assert_eq!(scaled(gate), (vec![0, 2], "4".into()));
    let one = |source: &str| {
        let (_, errors) = super::checked(source);
        assert_eq!(errors.len(), 1, "{errors:#?}");
        errors[0].clone()
    };
    let error =
        one("struct Net: [4, 8, 8] -> [4, 8, 8] { gate { adaptive_avg_pool(1); conv(2, kernel = 1); sigmoid; } }");
    assert!(
        error.starts_with("this gate gives [2, 1, 1], and what comes in is [4, 8, 8]; a product needs one shape"),
        "{error}"
    );
    assert!(error.ends_with("fix: end the gate with 4 channels, of 1x1 or of the size of the map"), "{error}");
    let error = one("struct Net: [4, 8, 8] -> [4, 8, 8] { gate { global_avg_pool; linear(4); sigmoid; } }");
    assert!(error.starts_with("this gate gives [4], and what comes in is [4, 8, 8]"), "{error}");
    let error = one("struct Net: [4, 8, 8] -> [4, 8, 8] { gate { mask: conv(4, kernel = 3); sigmoid; } }");
    assert!(error.ends_with("fix: write `pad = 1` in `mask`"), "{error}");
    assert_eq!(one("struct Net: [4] -> [4] { gate {} }"), "this gate has no layers");
    let error = one("struct Net: [4] -> [4] { multiply { linear(4); sigmoid; } }");
    assert_eq!(error, "no structure is called `multiply`; did you mean `gate`?");
}
