//! Models of other programs: what is written, and what is left alone.

mod common;

use common::{fails, ok};
use std::path::Path;

fn model(folder: &Path, name: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtime/tests/golden/imports");
    std::fs::copy(golden.join(format!("{name}.onnx")), folder.join("net.onnx")).unwrap();
}

#[test]
fn a_model_becomes_a_network_that_all_commands_take() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    model(at, "small.whole");
    let report: serde_json::Value =
        serde_json::from_str(&ok(at, &["import", "net.onnx", "--name", "mine", "--json"])).unwrap();
    assert_eq!((&report["network"], &report["output"]), (&"Mine".into(), &"[5]".into()));
    assert!(ok(at, &["check", "net.cnn"]).contains("Mine: "));
    // The weights say which network they are of, and go out again.
    ok(at, &["export", "net.safetensors", "--out", "again.onnx"]);
    ok(at, &["import", "again.onnx", "--weights", "again.npz"]);
    let [text, again] = ["net.cnn", "again.cnn"].map(|name| std::fs::read_to_string(at.join(name)).unwrap());
    let layers = |text: &str| text.split_once('\n').unwrap().1.to_string();
    assert_eq!(layers(&text).replace("residual_unit", "unit"), layers(&again).replace("residual_unit", "unit"));
}

#[test]
fn a_text_that_was_changed_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    model(at, "small.dynamo");
    ok(at, &["import", "net.onnx"]);
    ok(at, &["import", "net.onnx"]);
    let path = at.join("net.cnn");
    let changed = std::fs::read_to_string(&path).unwrap() + "// Mine.\n";
    std::fs::write(&path, &changed).unwrap();
    fails(at, &["import", "net.onnx"], 1, &["net.cnn is there already, with another text", "--force"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), changed);
    ok(at, &["import", "net.onnx", "--force"]);
    assert_ne!(std::fs::read_to_string(&path).unwrap(), changed);
    // Nor weights that were trained since.
    let weights = at.join("net.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, &bytes).unwrap();
    fails(at, &["import", "net.onnx"], 1, &["net.safetensors is there already, with other weights"]);
    assert_eq!(std::fs::read(&weights).unwrap(), bytes);
}

#[test]
fn what_cannot_be_read_is_said_in_one_message() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fails(at, &["import", "net.onnx"], 1, &["cannot read net.onnx"]);
    model(at, "softsign");
    fails(at, &["import", "net.onnx"], 1, &["Softsign `act` of [4, 8, 8]"]);
    fails(at, &["import", "net.onnx", "--out", "net.txt"], 1, &["its name has to end in .cnn"]);
    fails(at, &["import", "net.onnx", "--input", "4"], 1, &["has not as many dimensions"]);
    std::fs::write(at.join("net.onnx"), b"no model").unwrap();
    fails(at, &["import", "net.onnx"], 1, &["this is no ONNX file"]);
    assert!(!at.join("net.cnn").exists() && !at.join("net.safetensors").exists());
}
