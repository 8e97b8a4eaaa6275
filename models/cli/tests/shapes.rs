//! The ways from a folder of images to predictions: a network of the zoo from random weights, fine-tuned weights of other classes, and a
//! `.cnn` file. The fourth, a crate of one's own, is in `new.rs`.

mod common;

#[path = "../examples/shapes/draw.rs"]
mod draw;

use common::{convnet, fails, ok};
use convnet::weights;
use serde_json::Value;
use std::path::Path;

const SMALL: &str = include_str!("../src/new/small.cnn");

/// What a training says of itself, and its report.
fn train(folder: &Path, arguments: &[&str]) -> (String, Value) {
    let output = convnet(folder, &[&["train", "--json", "--batch", "32"], arguments].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    (said, serde_json::from_slice(&output.stdout).unwrap())
}

/// How many of the images in a folder of classes are predicted to be what they are.
fn accuracy(folder: &Path, weights: &str, data: &str) -> f64 {
    let table = ok(folder, &["predict", weights, data, "--csv", "--top", "1"]);
    let lines: Vec<&str> = table.lines().skip(1).collect();
    let right = lines.iter().filter(|line| {
        let parts: Vec<&str> = line.split(',').collect();
        Path::new(parts[0]).parent().unwrap().ends_with(parts[2])
    });
    right.count() as f64 / lines.len() as f64
}

#[test]
fn a_file_of_ones_own_gets_from_a_folder_to_predictions() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    draw::dataset(&f.join("shapes"), 300, 32, 0).unwrap();
    draw::dataset(&f.join("others"), 100, 32, 1).unwrap();
    std::fs::write(f.join("small.cnn"), SMALL).unwrap();
    let (said, report) = train(f, &["small.cnn", "--data", "shapes", "--input", "3x32x32", "--epochs", "8"]);
    assert!(said.contains("small: 5 classes, 98325 parameters, 240 training images, 60 test images"), "{said}");
    assert!(said.contains("shapes has no test set; a fifth of each class"), "{said}");
    assert!(report["test_accuracy"].as_f64().unwrap() > 0.85, "{report}");
    assert!(accuracy(f, "small.safetensors", "others") > 0.8);
}

#[test]
fn a_network_of_the_zoo_learns_and_is_fine_tuned_on_other_classes() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    draw::dataset(&f.join("five"), 600, 32, 0).unwrap();
    for class in &draw::SHAPES[..3] {
        std::fs::create_dir_all(f.join("three").join(class)).unwrap();
        for image in std::fs::read_dir(f.join("five").join(class)).unwrap() {
            let image = image.unwrap();
            std::fs::copy(image.path(), f.join("three").join(class).join(image.file_name())).unwrap();
        }
    }
    let adam = ["--input", "3x32x32", "--optimizer", "adamw", "--lr", "0.001"];
    let random = ["resnet18", "--data", "three", "--epochs", "5", "--out", "three.safetensors"];
    let (said, report) = train(f, &[&random[..], &adam].concat());
    assert!(said.contains("resnet18: 3 classes, 11178051 parameters"), "{said}");
    assert!(report["test_accuracy"].as_f64().unwrap() > 0.5, "{report}");

    fails(f, &["train", "resnet18", "--data", "five", "--fine-tune", "2"], 1, &["say which one by --weights"]);
    let tuned = ["resnet18", "--data", "five", "--weights", "three.safetensors"];
    let tuned = [&tuned[..], &adam].concat();
    let unknown = [&["train"], &tuned[..], &["--lr-scale", "layer9=1"]].concat();
    fails(f, &unknown, 1, &["--lr-scale is `layer9`; it must be a pattern that a parameter of ResNet18 matches"]);
    assert!(!f.join("runs/resnet18-2").exists(), "nothing was begun");
    let (said, report) =
        train(f, &[&tuned[..], &["--fine-tune", "2", "--epochs", "5", "--out", "five.safetensors"]].concat());
    for expected in [
        "three.safetensors does not have these for 5 classes, so they start from random weights: fc.weight, fc.bias",
        "up to epoch 2 the head alone learns",
        "the frozen layers are computed once, now: 512 numbers of each of 600 images are kept",
        "from epoch 3 on everything that is not frozen learns, more slowly towards the input",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    assert!(report["test_accuracy"].as_f64().unwrap() > 0.55, "{report}");
    let about = weights::metadata(&f.join("five.safetensors")).unwrap();
    assert!(about["training"].contains(r#""fine_tune":2"#), "{}", about["training"]);

    // The head alone: what is frozen is what it was, running statistics too.
    let frozen = ["--freeze", "conv1,bn1,layer*", "--epochs", "2", "--out", "head.safetensors"];
    train(f, &[&tuned[..], &frozen].concat());
    let [before, after] = ["three", "head"].map(|name| weights::read(&f.join(format!("{name}.safetensors"))).unwrap());
    for (old, new) in before.entries.iter().zip(&after.entries) {
        assert_eq!(old.bytes == new.bytes, !old.name.starts_with("fc"), "{}", old.name);
    }
}
