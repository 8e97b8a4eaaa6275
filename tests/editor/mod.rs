//! What an editor shows, finds and proposes in a call of `cnn!`, asked of rust-analyzer as an editor does: the crate `outside/editor` is
//! opened and changed as by somebody who types. Where rust-analyzer is not installed (`rustup component add rust-analyzer`), the test says so
//! and looks at nothing.

mod client;

use super::{copy, root};
use client::{Document, Server};

#[test]
fn rust_analyzer_understands_networks() {
    let folder = tempfile::tempdir().unwrap();
    copy(&root().join("tests/outside/editor"), folder.path());
    std::fs::copy(root().join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    let Some(server) = Server::start(folder.path(), &root().join("target/tests/outside")) else {
        eprintln!("rust-analyzer is not installed here: what an editor shows is not looked at");
        return;
    };
    let mut file = server.open(&folder.path().join("src/main.rs"));
    hover(&mut file);
    definitions(&mut file);
    completion_of_words(&mut file);
    completion_in_brackets(&mut file);
    fields(&mut file);
}

fn hover(file: &mut Document) {
    let cases = [
        // A layer, its options and its values.
        ("stem: c|onv", "A 2-d convolution of all channels"),
        ("k|ernel = 3, pad = 1);", "The extent of the window, in pixels."),
        ("p|ad = same", "The zeros around the input"),
        ("= s|ame", "as many pixels as an output"),
        ("bn1: b|atch_norm", "Batch normalisation"),
        // A lone name is the parameter, and not the option of the same name.
        ("3, s|tride, pad", "`stride = 1`: a parameter of the block `basic`."),
        ("channels != o|ut", "`out`: a parameter of the block `basic`."),
        ("c|hannels != out", "The channels of what comes in"),
        ("linear(C|LASSES)", "A const generic of `Sized`."),
        // Structures.
        ("b|lock basic", "A template for sequences"),
        ("r|esidual", "The sum of what its layers give"),
        ("s|hortcut if", "The layers beside those of the `residual`"),
        ("r|epeat 2", "The same layers several times"),
        ("c|oncat", "Each statement is a branch"),
        ("h|ead early", "An auxiliary output"),
        // A block and its parameters.
        ("{ b|asic(16)", "Two convolutions and a sum."),
        ("{ b|asic(16)", "`block basic(out, stride = 1)`"),
        ("s|tride = 2)", "`stride = 1`: a parameter of the block `basic`."),
        // Budgets.
        ("a|ssert", "Budgets of the whole network"),
        ("p|arams <=", "The number of trainable scalars"),
        ("r|eceptive_field", "in pixels"),
        // Names.
        ("s|tem: conv", "`[3, 32, 32]` -> `[16, 32, 32]`, 448 parameters"),
        ("net.s|tem", "`[3, 32, 32]` -> `[16, 32, 32]`, 448 parameters"),
        ("taps.l|ayer2", "`layer2`"),
    ];
    for (place, expected) in cases {
        let shown = file.hover(place);
        assert!(shown.contains(expected), "{place}: {expected} is not in\n{shown}");
    }
}

fn definitions(file: &mut Document) {
    let block = file.line("block basic");
    let cases = [
        ("{ b|asic(16)", block),
        ("layer2: b|asic", block),
        ("conv1: conv(o|ut", block),
        ("if s|tride", block),
        ("s|tride = 2)", block),
        ("linear(C|LASSES)", file.line("pub struct Sized")),
        ("&net.s|tem", file.line("stem: conv")),
        ("taps.l|ayer2", file.line("layer2: basic")),
    ];
    for (place, line) in cases {
        assert_eq!(file.definitions(place), [line], "{place}");
    }
    let uses = [block, file.line("layer1:"), file.line("layer2:")];
    assert_eq!(file.renamed("block b|asic", "unit"), uses);
    assert_eq!(file.renamed("{ b|asic(16)", "unit"), uses);
    let stem = [file.line("stem: conv"), file.line("&net.stem")];
    assert_eq!(file.renamed("s|tem: conv", "first"), stem);
}

fn completion_of_words(file: &mut Document) {
    let cases = [
        ("max_pool(2);", "ma|"),
        ("max_pool(2);", "max_|"),
        ("max_pool(2);", "max_|;"),
        ("max_pool(2);", "max_pool(2); |;"),
        ("max_pool(2);", "max_pool(2); here: con|"),
        ("max_pool(2);", "max_pool(2); here: con|;"),
        ("repeat 2 { basic(16); }", "repeat 2 { | }"),
        ("narrow: conv(8, kernel = 1);", "narrow: conv(8, kernel = 1); |"),
        ("conv2: conv(out, kernel = 3, pad = same, bias = false);", "conv2: con|"),
    ];
    for (old, new) in cases {
        let found = file.completed(old, new);
        for word in ["conv", "max_pool", "residual", "concat", "repeat", "assert", "basic"] {
            assert!(found.iter().any(|label| label == word), "{new}: {word} is not among {found:?}");
        }
        for other in ["match", "Vec", "block", "kernel", "__options", "params"] {
            assert!(!found.iter().any(|label| label == other), "{new}: {other} is among {found:?}");
        }
    }
}

fn completion_in_brackets(file: &mut Document) {
    let stem = "stem: conv(16, kernel = 3, pad = 1);";
    let layer2 = "layer2: basic(2 * channels, stride = 2);";
    let cases: [(&str, &str, &[&str], &[&str]); 11] = [
        (stem, "stem: conv(16, ker|);", &["kernel", "stride", "pad", "bias", "channels"], &["conv", "multiplier"]),
        (stem, "stem: conv(16, kernel = 3, |);", &["stride", "pad", "channels", "height"], &["conv", "Vec"]),
        (stem, "stem: conv(|);", &["out", "kernel"], &["conv"]),
        (stem, "stem: conv(16, ker| = 3);", &["kernel", "groups"], &["channels"]),
        (stem, "stem: conv(16, kernel = 3, pad = |);", &["same", "channels"], &["kernel"]),
        (stem, "stem: conv(16, kernel = 3, str|", &["stride"], &["conv"]),
        (layer2, "layer2: basic(2 * ch|, stride = 2);", &["channels", "width"], &["stride"]),
        (layer2, "layer2: basic(2 * channels, st|);", &["stride", "out"], &["kernel"]),
        ("if stride != 1", "if str| != 1", &["stride", "out", "channels"], &["conv"]),
        ("linear(CLASSES)", "linear(CL|)", &["CLASSES", "bias"], &["Vec"]),
        ("params <= 62_000", "par| <= 62_000", &["params", "macs", "peak_activations"], &["conv"]),
    ];
    for (old, new, expected, others) in cases {
        let found = file.completed(old, new);
        for word in expected {
            assert!(found.iter().any(|label| label == word), "{new}: {word} is not among {found:?}");
        }
        for other in others {
            assert!(!found.iter().any(|label| label == other), "{new}: {other} is among {found:?}");
        }
    }
}

/// The fields and the taps of a network, whatever is wrong in it.
fn fields(file: &mut Document) {
    let stem = "stem: conv(16, kernel = 3, pad = 1);";
    let mistakes = [
        // None, first.
        (stem, stem),
        (stem, "stem: conw(16, kernel = 3, pad = 1);"),
        (stem, "stem: something(3);"),
        (stem, "stem: conv(16);"),
        (stem, "stem: conv(16, kernel: 3);"),
        (stem, "stem: conv(16, kernel = );"),
        (stem, "stem: conv(16, kernel = 99);"),
        (stem, "stem: conv(16, kernel = 3, pad = 1)"),
        (stem, "stem: conv(16, kernel = 3, pad = 1;"),
        (stem, "stem: nn.Conv2d(3, 16, 3);"),
        (stem, "stem = nn.Conv2d(3, 16, 3);"),
        (stem, "stem: ;"),
        ("layer2: basic(2 * channels, stride = 2);", "layer2: basic();"),
        ("layer2: basic(2 * channels, stride = 2);", "layer2: basik(2 * channels);"),
        ("[3, 32, 32] -> [10] {", "[3, 32, 32] -> {"),
        ("[3, 32, 32] -> [10] {", "[3, 32 32] -> [10] {"),
        ("[3, 32, 32] -> [10] {", "[3, 32, 32] [10] {"),
        ("[3, 32, 32] -> [10] {", "{"),
    ];
    for (right, wrong) in mistakes {
        let start = file.edit(right, wrong);
        for (owner, used, field) in [("net", "net.stem", "stem"), ("taps", "taps.layer2", "layer2")] {
            let found = file.completed(used, &format!("{owner}.|"));
            for name in ["stem", "layer1", "layer2", "mixed", "fc"] {
                // Keywords and methods do not tell.
                let name = if name == "mixed" && owner == "net" { field } else { name };
                assert!(found.iter().any(|label| label == name), "{wrong}: {owner}.{name} is not among {found:?}");
            }
            for hidden in ["__state", "__types"] {
                assert!(!found.iter().any(|label| label == hidden), "{wrong}: {hidden} is among {found:?}");
            }
        }
        file.write(start, wrong, right);
    }
}
