//! Reading networks at run time: what rustc reads is read alike, mistakes have their places, and nothing stays behind.

use convnet::language::{Sizes, read};
use convnet::prelude::*;

macro_rules! wide {
    ($name:ident, $width:expr, $kernel:literal, $word:ident, $($body:tt)*) => {
        cnn! {
            block unit(out, times = $width) { conv(out * times, kernel = $kernel, pad = same); $word; }
            struct $name<const N: usize = 3>: [$width * 2, 8, 8] -> [N] {
                unit($width);
                r#loop: conv($width - 1, 1, bias = false);
                last as "final": { $($body)* linear(N); }
            }
        }
    };
}

wide!(Wide, 1 + 2, 3, relu, flatten; dropout(0.25););

cnn! {
    /// Every structure of the language.
    ///
    /// Two paragraphs.
    #[allow(bias_before_norm)]
    struct Structures<const OUT: usize>: [4, 8, 8] -> [OUT] {
        stem: residual { conv(8, 3, pad = 1); batch_norm(eps = 1e-3); } shortcut if channels != 8 { conv(8, 1); }
        residual { conv(8, kernel = (3, 1), pad = (1, 0)); relu; conv(8, 1); }
        repeat 2 { conv(8, 1); if height > 4 { max_pool(2); } else if width > 100 { relu; } else { elu(0.5); } }
        joined: concat { { a: conv(2, 1); relu; } b: conv(3, 1); identity; }
        head side: [5] { global_avg_pool; linear(5); }
        conv(6, 1, connections = [[0, 1], [2], [3], [4], [5], [6, 12]]);
        squeeze_excite(2);
        layer_norm;
        instance_norm;
        group_norm(3);
        depthwise(3, pad = (1, 0, 0, 1), multiplier = 2);
        global_max_pool;
        linear(OUT);
    }
}

#[test]
fn fragments_and_structures_read_as_they_compile() {
    let both = [(Wide::<3>::SOURCE, Wide::<3>::graph(), 3), (Structures::<7>::SOURCE, Structures::<7>::graph(), 7)];
    for (source, compiled, number) in both {
        let (source, name) = (source.unwrap(), if number == 3 { "N" } else { "OUT" });
        let sizes = Sizes { numbers: vec![(name.into(), number)], ..Sizes::default() };
        let found =
            read(source, &sizes).unwrap_or_else(|mistakes| panic!("{}", mistakes.draw("SOURCE", source, false)));
        assert_eq!(&found[0].graph, compiled, "{source}");
        assert_eq!(found[0].numbers, sizes.numbers);
        let printed = &found[0].source;
        let header = format!("const {name}: usize = {number}>");
        assert!(printed.contains(&header), "{printed}");
        assert_eq!(
            printed.replace(&header, ""),
            source.replace(&header, "").replace(&format!("const {name}: usize>"), "")
        );
        assert_eq!(read(printed, &Sizes::default()).unwrap()[0], found[0], "what is printed does not read as it was");
    }
    // What is computed in a fragment stays together, and a keyword stays a name.
    let source = Wide::<3>::SOURCE.unwrap();
    assert!(source.contains("[(1 + 2) * 2, 8, 8]") && source.contains("r#loop: conv((1 + 2) - 1, 1, bias = false);"));
    assert!(source.contains("last as \"final\": {"), "{source}");
    let source = Structures::<7>::SOURCE.unwrap();
    let docs = "/// Every structure of the language.
///
/// Two paragraphs.
#[allow(bias_before_norm)]
struct Structures<";
    assert!(source.starts_with(docs), "{source}");
}

#[test]
fn sizes_are_given_and_checked() {
    let text = "struct A<const N: usize>: [1, 8, 8] -> [N] { flatten; linear(N); assert params == 650; }";
    let message = |sizes: &Sizes| {
        let mistakes = read(text, sizes).unwrap_err();
        mistakes.all().iter().map(|mistake| mistake.message.clone()).collect::<Vec<_>>().join("\n")
    };
    let sizes = |number: usize, input: Option<Vec<usize>>| Sizes {
        numbers: vec![("N".into(), number)],
        input,
        ..Sizes::default()
    };
    // A budget needs a default to be checked at all.
    assert!(message(&sizes(10, None)).contains("depends on `N`, which has no default"));
    let text = "struct A<const N: usize>: [1, 8, 8] -> [N] { flatten; linear(N); }";
    let message = |sizes: &Sizes| read(text, sizes).unwrap_err().all()[0].message.clone();
    assert!(message(&Sizes::default()).contains("`N` needs a number"));
    assert!(message(&sizes(0, None)).contains("at least 1"));
    let other = Sizes { numbers: vec![("N".into(), 3), ("M".into(), 1)], ..Sizes::default() };
    assert!(message(&other).contains("`A` has no const generic `M`; it has N"));
    let numbers = [("M", 1), ("N", 3), ("K", 2), ("N", 4)].map(|(name, number)| (name.to_string(), number)).to_vec();
    let several = message(&Sizes { numbers, ..Sizes::default() });
    for part in ["no const generic `M`", "no const generic `K`", "`N` is given two numbers"] {
        assert!(several.contains(part), "{several}");
    }
    let larger = read(text, &sizes(3, Some(vec![2, 16, 16]))).unwrap();
    assert_eq!(larger[0].graph.param_count(), 2 * 16 * 16 * 3 + 3);
    let wrong = sizes(3, Some(vec![2, 16]));
    assert!(message(&wrong).contains("a shape is [C, H, W] (channels, height, width) or [N], not 2 dimensions"));
}

#[test]
fn mistakes_are_drawn_where_they_are() {
    let text = "// Kernels larger than their input.\nstruct Ä: [1, 8, 8] -> [10] {\n    größe: conv(6, kernel = 11);\n    flaten;\n    linear(10);\n}\n";
    let mistakes = read(text, &Sizes::default()).unwrap_err();
    assert_eq!(mistakes.all().len(), 2, "{mistakes}");
    let at: Vec<&str> = mistakes.all().iter().map(|mistake| &text[mistake.range.clone()]).collect();
    assert_eq!(at, ["11", "flaten"]);
    let drawn = mistakes.draw("net.cnn", text, false);
    for part in [
        "error: `größe`: kernel 11 does not fit into height 8 (pad 0 + 0): 8 + 0 + 0 - 11 < 0",
        " --> net.cnn:3:29",
        "3 |     größe: conv(6, kernel = 11);",
        "^^",
        "trace: input [1, 8, 8]",
        "use kernel <= 8, which leaves a height of 1, or `pad = 5`, which keeps 8",
        " --> net.cnn:4:5",
        "did you mean `flatten`?",
    ] {
        assert!(drawn.contains(part), "{part}\n{drawn}");
    }
    // A byte-order mark and the line ends of Windows change no place.
    let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let mistakes = read(&windows, &Sizes::default()).unwrap_err();
    assert!(
        mistakes.draw("net.cnn", &windows, false).contains("net.cnn:3:29"),
        "{}",
        mistakes.draw("n", &windows, false)
    );
}

#[test]
fn what_no_network_is_refuses_in_words() {
    let first = |text: &str| read(text, &Sizes::default()).unwrap_err().all()[0].message.clone();
    assert!(first("").contains("expected a network"));
    assert!(first("struct A: [1] -> [1] { linear(1);").contains("no partner"));
    assert!(first("struct A: [1] -> [1] { linear(\"); }").contains("no partner"));
    assert!(first(&"(".repeat(100_000)).contains("nested more than 256 deep"));
    assert!(first(&"a ".repeat(600_000)).contains("a network has at most 1048576"));
    let custom = "struct A: [1, 2, 2] -> [1, 2, 2] { custom a: my::Layer<E, D> -> [1, 2, 2]; }";
    assert!(first(custom).contains("`a` is a `custom` module, which is Rust"));
    let tables = "repeat 19000 { conv(1, 1, connections = [[0, ]]); }";
    assert!(read(&format!("struct A: [1, 2, 2] -> [1, 2, 2] {{ {tables} }}"), &Sizes::default()).is_ok());
    let rows = vec!["[0]"; 3_000].join(", ");
    let tables = format!("repeat 9000 {{ conv(1, 1); conv(3000, 1, connections = [{rows}]); }} conv(1, 1);");
    assert!(first(&format!("struct A: [1, 2, 2] -> [1, 2, 2] {{ {tables} }}")).contains("1,048,576 entries"));
}

/// Each text that is read leaves nothing behind, neither in the graph's lists nor in the map of its places.
#[test]
fn ten_thousand_networks_take_no_more_memory_than_one() {
    let text = Structures::<7>::SOURCE.unwrap();
    let sizes = Sizes { numbers: vec![("OUT".into(), 7)], ..Sizes::default() };
    let once = || assert_eq!(read(text, &sizes).unwrap()[0].graph.nodes.len(), Structures::<7>::graph().nodes.len());
    let fails = || assert_eq!(read("struct A: [1] -> [2] { linear(3); }", &sizes).unwrap_err().all().len(), 2);
    once();
    fails();
    let info = allocation_counter::measure(|| {
        for _ in 0..5_000 {
            once();
            fails();
        }
    });
    assert!(info.bytes_current.abs() < 10_000, "{info:?}");
}

#[test]
fn classes_are_the_const_generic_of_the_output() {
    let text = "struct A<const K: usize = 4, const N: usize = 3>: [1, 8, 8] -> [N] { flatten; linear(K); linear(N); assert params == 275; }";
    let sizes = |classes| Sizes { classes: Some(classes), ..Sizes::default() };
    let found = read(text, &sizes(7)).unwrap().remove(0);
    assert_eq!((found.classes.as_deref(), found.graph.output_shape().len()), (Some("N"), 7));
    // Its budgets are for three classes.
    assert!(!found.source.contains("assert") && found.source.contains("const K: usize = 4, const N: usize = 7"));
    assert_eq!(read(text, &sizes(3)).unwrap()[0].source, read(text, &Sizes::default()).unwrap()[0].source);
    // A number that is given by name goes first; an output without a const generic has the classes that it has.
    let both = Sizes { numbers: vec![("N".into(), 5)], ..sizes(7) };
    assert_eq!(read(text, &both).unwrap()[0].graph.output_shape().len(), 5);
    let fixed = "struct A: [1, 8, 8] -> [3] { flatten; linear(3); }";
    assert_eq!(read(fixed, &sizes(3)).unwrap()[0].classes, None);
    let mistakes = read(fixed, &sizes(7)).unwrap_err();
    let [mistake] = mistakes.all() else { panic!("{mistakes}") };
    assert!(mistake.message.starts_with("7 classes are wanted, and the output of `A` is written as 3"), "{mistake:?}");
    assert_eq!(&fixed[mistake.range.clone()], "3");
    // One that has no default gets its number in this way, too.
    let open = "struct A<const N: usize>: [1, 8, 8] -> [N] { flatten; linear(N); }";
    assert_eq!(read(open, &sizes(2)).unwrap()[0].graph.output_shape().len(), 2);
    assert!(read(open, &Sizes::default()).is_err());
    assert!(read(open, &sizes(0)).is_err());
}
