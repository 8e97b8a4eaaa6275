//! Names: what is declared twice, what is reserved, what nobody uses, keys that are no identifiers.

use super::{checked, graph};

fn only(source: &str) -> String {
    let found = checked(source).1;
    assert_eq!(found.len(), 1, "{source}: {found:#?}");
    found.into_iter().next().unwrap()
}

fn keys(body: &str) -> Vec<String> {
    let graph = graph(&format!("struct N: [3, 4, 4] -> [3, 4, 4] {{ {body} }}"));
    graph.nodes.iter().skip(1).map(|node| node.name.clone()).collect()
}

#[test]
fn declared_twice() {
    let tail = "struct N: [3, 9, 9] -> [4, 7, 7] { b(4); }";
    let twice = format!("block b(out) {{ conv(out, kernel = 3); }} block b(out) {{ conv(out, kernel = 5); }} {tail}");
    assert_eq!(only(&twice), "the block `b` is declared already");
    let body = "{ relu; }";
    let twice = format!("struct N: [3] -> [3] {body} struct N: [4] -> [4] {body}");
    assert_eq!(only(&twice), "the network `N` is declared already");
    let either = format!("#[cfg(unix)] struct N: [3] -> [3] {body} #[cfg(not(unix))] struct N: [4] -> [4] {body}");
    assert_eq!(checked(&either).1, Vec::<String>::new());
}

#[test]
fn a_sequence_goes_on_with_an_earlier_one() {
    let first = "a: { conv(3, 1); b: conv(3, 1); }";
    let found = keys(&format!(
        "{first} relu; rest as \"a\": {{ conv(3, 1); c: {{ conv(3, 1); }} }} last as \"a\": {{ relu; }}"
    ));
    assert_eq!(found, ["a.0", "a.b", "1", "a.2", "a.c.0", "a.4"]);
    let wrong = |body: &str| only(&format!("struct N: [3, 4, 4] -> [3, 4, 4] {{ {first} {body} }}"));
    assert!(wrong("a: { relu; }").starts_with("`a` is used twice"));
    assert!(wrong("rest as \"a\": relu;").starts_with("`a` is used twice"));
    assert!(wrong("rest as \"a\": { b: conv(3, 1); }").starts_with("`b` is used twice"));
    assert!(wrong("rest as \"a\": { x as \"0\": conv(3, 1); }").starts_with("`0` is used twice"));
    assert!(wrong("rest as \"a\": { relu; } rest as \"a\": { relu; }").starts_with("`a` is used twice"));
}

#[test]
fn names_that_mean_something_else() {
    let block = |param: &str| format!("block b({param}) {{ relu; }} struct N: [3] -> [3] {{ b(1); }}");
    let generic = |name: &str| format!("struct N<const {name}: usize = 3>: [3] -> [3] {{ relu; }}");
    for name in ["channels", "height", "width"] {
        for source in [block(name), generic(name)] {
            assert_eq!(only(&source), format!("`{name}` is the shape where it is used; use another name"));
        }
    }
    for (name, expected) in [
        ("same", "`same` is a padding"),
        ("bias", "is an option that is on or off"),
        ("ceil", "is an option that is on or off"),
        ("__B", "names that start with `__` are reserved"),
    ] {
        for source in [block(name), generic(name)] {
            assert!(only(&source).contains(expected), "{source}");
        }
    }
    // The number of an option may carry its name.
    assert_eq!(checked(&block("stride")).1, Vec::<String>::new());
    for (header, expected) in [
        ("E", "`E` is taken"),
        ("D", "`D` is taken"),
        ("__N", "names that start with `__` are reserved"),
        ("K<const K: usize>", "`K` is the network itself"),
        ("N<const K: usize = 0>", "a dimension is at least 1"),
        ("N<const K: usize = 4294967296>", "is too large"),
    ] {
        let found = only(&format!("struct {header}: [3] -> [3] {{ relu; }}"));
        assert!(found.contains(expected), "{header}: {found}");
    }
}

/// Where there is no shape, its names stand for nothing.
#[test]
fn channels_where_there_are_none() {
    for source in [
        "struct N: [channels, 4, 4] -> [3] { global_avg_pool; linear(3); }",
        "struct N: [3, 4, 4] -> [channels] { global_avg_pool; }",
        "struct N: [3, 4, 4] -> [3] { global_avg_pool; assert params <= height; }",
    ] {
        assert!(only(source).contains("is the shape between two layers; here there is none"), "{source}");
    }
}

#[test]
fn what_nobody_uses_is_checked_all_the_same() {
    let net = "struct N<const K: usize = 4>: [3, 9, 9] -> [3, 9, 9] { relu; }";
    for (block, expected) in [
        ("block b(out) { conv(out, kernal = 3); }", "did you mean `kernel`?"),
        ("block b(out) { conw(out, kernel = 3); }", "did you mean `conv`?"),
        ("block b(out) { conv(oot, kernel = 3); }", "did you mean `out`?"),
        ("block b(out) { conv(out, kernel = 3); flatten; conv(out, 3); }", "but gets the vector"),
        ("block b(out) { a: relu; a: relu; }", "`a` is used twice"),
        ("block b(out) { if out > 3 { reluu; } else { relu; } }", "did you mean `relu`?"),
        ("block b(out) { relu; } block c(n) { b(n, 2); }", "`b` has the parameters `out`"),
        ("block b(out) { residual { conv(out, 3); } shortcut if out == 1 { konv(out, 1); } }", "did you mean `conv`?"),
        ("block b(out) { repeat out { dropout(2.0); } }", "`p` is the share"),
    ] {
        let found = only(&format!("{block} {net}"));
        assert!(found.contains(expected), "{block}: {found}");
    }
    // What the walk with sizes has told is not told again, nor what follows from it.
    assert!(only("struct N: [3, 9, 9] -> [3] { flatten; conv(4, 3); linear(3); }").contains("needs a feature map"));
    // Neither what depends on sizes nor what a block says of the network's const generics is a mistake.
    let fine = "block b(out, n = 2) { conv(out * 2, kernel = n, groups = n); repeat n { conv(K, 1); }
        if channels == K { x: squeeze_excite(n); } else { x: flatten; } linear(3); b(out - 1); }";
    assert_eq!(checked(&format!("{fine} {net}")).1, Vec::<String>::new());
    // The branch of a network that is not taken.
    let found = only("struct N: [3, 9, 9] -> [3, 9, 9] { if channels == 3 { relu; } else { reluu; } }");
    assert!(found.contains("did you mean `relu`?"), "{found}");
    // Without a network a block is for nobody.
    assert!(only("block b(out) { relu; }").contains("there is no network in this one"));
}

#[test]
fn keys_that_are_no_identifiers() {
    let all = "r#final: conv(3, 1); gen: relu; r#match: { conv(3, 1); relu; } last as \"self\": conv(3, 1);
        odd as \"conv-1 x\": residual { r#in: relu; } r#plain: relu; custom r#type: T -> [3, 4, 4];
        concat { r#box: conv(1, 1); b as \"else\": conv(2, 1); } x as \"10\": relu;";
    let names = [
        "final",
        "gen",
        "match.0",
        "match.1",
        "self",
        "conv-1 x.in",
        "conv-1 x.add",
        "plain",
        "type",
        "box",
        "else",
        "concat",
        "10",
    ];
    assert_eq!(keys(all), names);
    let head = graph("struct N: [3] -> [3] { head r#fn: [2] { linear(2); } head b as \"0\": [3] = relu; linear(3); }");
    assert_eq!(head.heads.iter().map(|head| head.path.as_str()).collect::<Vec<_>>(), ["fn", "0"]);
    for (body, expected) in [
        ("final: relu;", "`final` is a Rust keyword\n  fix: write `r#final: ...`; the field is `net.r#final`"),
        ("match: { relu; }", "fix: write `r#match: ...`"),
        ("self: relu;", "fix: `self_ as \"self\": ...` has the field `self_`"),
        ("crate: relu;", "fix: `crate_ as \"crate\": ...`"),
        ("_: relu;", "leave out `_:`"),
        ("_3: relu;", "`_3` is the field of a layer without a name"),
        ("a as \"x.y\": relu;", "without a dot"),
        ("a as \"\": relu;", "without a dot"),
        ("a as 3: relu;", "a key is a text"),
        ("a as \"b\": relu; b: relu;", "`b` is used twice"),
        ("a as \"b\": relu; a as \"c\": relu;", "`c` is used twice"),
        ("a as \"1\": relu; relu;", "`1` is used twice"),
        ("r#a: relu; a: relu;", "`a` is used twice"),
        ("a:;", "expected a layer after this name"),
    ] {
        let found = only(&format!("struct N: [3] -> [3] {{ {body} }}"));
        assert!(found.contains(expected), "{body}: {found}");
    }
}
