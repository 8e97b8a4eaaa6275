//! Programs of the user's own: with networks that are types, and written by `convnet new`.

mod common;

#[path = "../examples/shapes/draw.rs"]
mod draw;

use common::{fails, ok};
use convnet::weights;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program of `examples/own.rs`. `cargo test` builds it along with the tests, but not where it is asked for one test alone.
fn own(folder: &Path, arguments: &[&str]) -> Output {
    let built = Path::new(env!("CARGO_BIN_EXE_convnet")).with_file_name("examples").join("own");
    assert!(built.exists(), "run `cargo build --workspace --examples` first");
    Command::new(built).args(arguments).current_dir(folder).output().unwrap()
}

fn own_ok(folder: &Path, arguments: &[&str]) -> String {
    let output = own(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap() + &error
}

fn own_fails(folder: &Path, arguments: &[&str], expected: &str) {
    let output = own(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
    assert!(error.contains(expected), "{arguments:?}: {error}");
}

/// Images of two or more shapes.
fn shapes(folder: &Path, classes: usize) -> PathBuf {
    let data = folder.join(format!("shapes{classes}"));
    draw::dataset(&data, 60, 16, 0).unwrap();
    draw::SHAPES[classes..].iter().for_each(|class| std::fs::remove_dir_all(data.join(class)).unwrap());
    data
}

const BRIEFLY: [&str; 6] = ["--epochs", "1", "--batch", "8", "--quiet", "--json"];

#[test]
fn a_program_knows_its_own_networks_in_all_commands() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let [two, three] = [2, 3].map(|classes| shapes(f, classes).to_str().unwrap().to_string());
    let models: serde_json::Value = serde_json::from_str(&own_ok(f, &["models", "--json"])).unwrap();
    assert_eq!((&models[0]["name"], &models[1]["name"]), (&"tiny".into(), &"smooth".into()));
    assert!(models.as_array().unwrap().iter().any(|row| row["name"] == "resnet18"));
    assert!(own_ok(f, &["summary"]).contains("Tiny: "));
    assert!(own_ok(f, &["--help"]).contains("Start with `own train --data FOLDER`: it trains Tiny."));
    assert!(own_ok(f, &["eval", "--help"]).contains("  own eval lenet5"));
    let help = own_ok(f, &["explain", "--help"]);
    assert!(help.contains("  own explain\n") && help.contains("own explain deconvnet lenet5"), "{help}");

    // As its type, and read with other sizes.
    own_ok(f, &[&["train", "--data", &three], &BRIEFLY[..]].concat());
    own_ok(f, &["eval", "tiny.safetensors", "--data", &three]);
    own_ok(f, &[&["train", "Tiny", "--data", &two, "--out", "two.safetensors"], &BRIEFLY[..]].concat());
    assert!(own_ok(f, &["predict", "two.safetensors", &two]).contains("class 1"));

    // The same network from its source, in the zoo's program: the same weights, to the bit.
    let source = weights::read(&f.join("tiny.safetensors")).unwrap().metadata["source"].clone();
    std::fs::write(f.join("t.cnn"), source).unwrap();
    ok(f, &[&["train", "t.cnn", "--data", &three], &BRIEFLY[..]].concat());
    let [typed, read] = ["tiny", "t"].map(|name| weights::read(&f.join(format!("{name}.safetensors"))).unwrap());
    assert!(typed.entries == read.entries && typed.entries.len() == 4);

    own_fails(f, &["summary", "tinny"], "this program has: tiny, smooth");
    ok(f, &["predict", "tiny.safetensors", &three]);
}

#[test]
fn a_network_with_a_custom_module_runs_as_its_type() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let [two, three] = [2, 3].map(|classes| shapes(f, classes).to_str().unwrap().to_string());
    own_ok(f, &[&["train", "smooth", "--data", &two], &BRIEFLY[..]].concat());
    assert!(own_ok(f, &["predict", "smooth.safetensors", &two]).contains("class 1"));
    own_ok(f, &["eval", "smooth", "--data", &two]);
    own_ok(f, &["bench", "smooth", "--repeats", "1", "--mode", "forward"]);
    own_ok(f, &["summary", "smooth", "--classes", "2", "--input", "3x16x16"]);
    own_fails(f, &["train", "smooth", "--data", &three], "Smooth has 2 outputs, not 3; it has custom modules");
    own_fails(f, &["summary", "smooth", "--input", "3x32x32"], "Smooth has 3x16x16 as its input, not 3x32x32");
    fails(f, &["predict", "smooth.safetensors", &two], 1, &["does not say which network it is of"]);
}

/// Written, built without optimisation with the workspace's versions, trained and asked.
#[test]
fn a_new_crate_trains_and_predicts() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let from_zoo = ok(f, &["new", "digits", "--from", "lenet5", "--classes", "3", "--input", "1x16x16"]);
    assert!(from_zoo.contains("digits is written; LeNet5 ("), "{from_zoo}");
    let main = std::fs::read_to_string(f.join("digits/src/main.rs")).unwrap();
    assert!(main.contains("struct LeNet5<const CLASSES: usize = 3>: [1, 16, 16] -> [CLASSES] {"), "{main}");
    let said = ok(f, &["new", "flowers", "--input", "3x32x32"]);
    assert_eq!(said, "flowers is written; Small (98970 parameters) is declared in its src/main.rs\n");

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    std::fs::copy(root.join("Cargo.lock"), f.join("flowers/Cargo.lock")).unwrap();
    let cargo = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO"))
            .args(["run", "--offline", "--"])
            .args(arguments)
            .current_dir(f.join("flowers"))
            .env("CARGO_TARGET_DIR", root.join("target/tests/outside"))
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !error.contains("warning:"), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    };
    draw::dataset(&f.join("shapes"), 60, 32, 0).unwrap();
    let report = cargo(&[&["train", "--data", "../shapes"], &BRIEFLY[..]].concat());
    assert!(report.contains(r#""model": "small""#), "{report}");
    assert!(cargo(&["predict", "small.safetensors", "../shapes"]).contains("class 1"));
}

#[test]
fn what_cannot_be_written_is_said_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::create_dir(f.join("mine")).unwrap();
    std::fs::write(f.join("mine/precious"), "1").unwrap();
    fails(f, &["new", "mine"], 1, &["mine is there already; choose another folder"]);
    assert_eq!(std::fs::read_dir(f.join("mine")).unwrap().count(), 1);
    fails(f, &["new", "two words"], 1, &["`two words` cannot be the name of a crate", "letters, digits"]);
    for taken in ["match", "convnet", "convnet-cli", "test", "deps"] {
        fails(f, &["new", taken], 1, &["means something else already"]);
    }
    fails(f, &["new", "a", "--from", "lenet6"], 1, &["did you mean `lenet5`?"]);
    fails(f, &["new", "a", "--path", "mine"], 1, &["mine is no checkout of convnet"]);
    assert!(!f.join("a").exists());
}
