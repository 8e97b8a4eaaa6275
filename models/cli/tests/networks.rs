//! The program with networks and classes of the user's own: `.cnn` files, weights that say what they are of, and folders with any number
//! of classes.

mod common;

use common::{convnet, fails, ok};
use convnet::weights::{self, StateDict};
use image::{GrayImage, Luma};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const CLASSES: [&str; 5] = ["circle", "cross", "line", "ring", "square"];

/// Image `i` of a class, a shape at a place of its own, bright on dark.
fn shape(class: usize, i: usize) -> GrayImage {
    let (x0, y0) = (13 + (i as i32 * 3) % 3, 13 + (i as i32 * 5) % 4);
    GrayImage::from_fn(28, 28, |x, y| {
        let (x, y) = (x as i32 - x0, y as i32 - y0);
        let square = x * x + y * y;
        let inside = match class {
            0 => square < 60,
            1 => x.abs() < 2 && y.abs() < 9 || y.abs() < 2 && x.abs() < 9,
            2 => y.abs() < 2,
            3 => (50..90).contains(&square),
            _ => x.abs() < 7 && y.abs() < 7,
        };
        let noise = ((x * 31 + y * 17 + i as i32 * 7).rem_euclid(40)) as u8;
        Luma([if inside { 215 + noise } else { noise }])
    })
}

/// A folder for each class, with so many images.
fn shapes(folder: &Path, classes: &[&str], images: usize) {
    for (class, name) in classes.iter().enumerate() {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        (0..images).for_each(|i| shape(class, i).save(folder.join(format!("{i:02}.png"))).unwrap());
    }
}

/// LeNet-5 as a user might write it down.
const OWN: &str = "struct LeNet5<const CLASSES: usize = 10>: [1, 28, 28] -> [CLASSES] {
    conv1: conv(6, kernel = 5, pad = 2); relu; max_pool(2);
    conv2: conv(16, kernel = 5); relu; max_pool(2);
    flatten;
    fc1: linear(120); relu;
    fc2: linear(84); relu;
    fc3: linear(CLASSES);
    assert params == 61_706;
}
";

fn said(at: &Path, arguments: &[&str]) -> String {
    let output = convnet(at, arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

/// What `predict` says about the images that a list names.
fn predict_listed(at: &Path, list: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convnet"));
    command.args(["predict", "own.safetensors", "-"]).current_dir(at).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = command.spawn().unwrap();
    running.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
    String::from_utf8(running.wait_with_output().unwrap().stdout).unwrap()
}

fn dict(at: &Path, name: &str) -> StateDict {
    weights::read(&at.join(name)).unwrap()
}

fn bytes<'a>(dict: &'a StateDict, name: &str) -> &'a [u8] {
    &dict.entries.iter().find(|entry| entry.name == name).unwrap().bytes
}

#[test]
fn classes_follow_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    shapes(&f.join("shapes"), &CLASSES, 12);
    std::fs::write(f.join("own.cnn"), OWN).unwrap();
    let train = ["--data", "shapes", "--epochs", "4", "--batch", "8", "--seed", "3"];
    // A network of the zoo for ten classes becomes one for the data's five, and says so.
    let first = said(f, &[&["train", "lenet5"], &train[..]].concat());
    assert!(first.contains("lenet5: 5 classes, 61281 parameters, "), "{first}");
    // The same network from a file learns the same, to the bit.
    let first = said(f, &[&["train", "own.cnn"], &train[..]].concat());
    assert!(first.contains("own: 5 classes, 61281 parameters, "), "{first}");
    let [zoo, own] = ["lenet5.safetensors", "own.safetensors"].map(|name| dict(f, name));
    assert_eq!(zoo.entries, own.entries);
    // Its weights say what is needed to use them.
    let image = format!("shapes/ring/{:02}.png", 3);
    for network in [&["own.safetensors"][..], &["own.cnn"], &["lenet5"], &["lenet5", "--weights", "own.safetensors"]] {
        let answer = ok(f, &[&["predict", "--top", "5"], network, &[&image]].concat());
        assert!(CLASSES.iter().all(|class| answer.contains(class)), "{answer}");
        let answer = ok(f, &[&["eval"], network, &["--data", "shapes"]].concat());
        assert!(answer.contains("test accuracy"), "{answer}");
    }
    // A folder, or a list on standard input; as a table for other programs.
    let table = ok(f, &["predict", "own.safetensors", "shapes/ring", "--csv", "--top", "2"]);
    assert!(table.starts_with("image,rank,class,probability\nshapes/ring/00.png,1,"), "{table}");
    assert_eq!(table.lines().count(), 1 + 12 * 2, "{table}");
    let listed = predict_listed(f, "shapes/ring/00.png\n\nshapes/line/01.png\n");
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("image               class 1"), "{listed}");
    assert!(lines[1].starts_with("shapes/ring/00.png  ") && lines[2].starts_with("shapes/line/01.png  "), "{listed}");
    // In columns.
    let percents = |line: &str| line.match_indices(" %").map(|(at, _)| at).collect::<Vec<_>>();
    assert!(percents(lines[1]).len() == 3 && percents(lines[1]) == percents(lines[2]), "{listed}");
    std::fs::create_dir(f.join("empty")).unwrap();
    fails(f, &["predict", "own.safetensors", "empty"], 1, &["empty holds no image that can be read"]);
    let summary = ok(f, &["summary", "own.safetensors"]);
    assert!(summary.contains("LeNet5: 61,281 parameters"), "{summary}");
    ok(f, &["explain", "activations", "own.safetensors", "--image", &image, "--layer", "conv1", "--out", "explained"]);
    // What is converted for a network has the sizes that the weights say, and still says what it is of.
    for network in ["lenet5", "own.cnn"] {
        ok(f, &["convert", "own.safetensors", "again.safetensors", "--model", network]);
        assert_eq!(dict(f, "again.safetensors").entries, own.entries);
        assert!(ok(f, &["summary", "again.safetensors"]).contains("LeNet5: 61,281 parameters"));
    }
    // A run of a file goes on wherever it is gone on with from.
    std::fs::create_dir(f.join("elsewhere")).unwrap();
    let again = said(&f.join("elsewhere"), &["train", "--resume", "--run", "../runs/own"]);
    assert!(again.contains("own: 5 classes"), "{again}");
}

#[test]
fn weights_for_other_classes_get_a_new_head() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    shapes(&f.join("five"), &CLASSES, 4);
    shapes(&f.join("three"), &CLASSES[..3], 4);
    said(f, &["train", "lenet5", "--data", "five", "--epochs", "1", "--batch", "4", "--out", "five.safetensors"]);
    // At this rate nothing is learned, so that what was taken over can be seen.
    let still =
        ["--data", "three", "--epochs", "1", "--lr", "1e-30", "--weight-decay", "0", "--out", "three.safetensors"];
    let new_head = "note: five.safetensors does not have these for 3 classes, so they start from random weights: fc3.weight, fc3.bias";
    for start in [&["lenet5", "--weights", "five.safetensors"][..], &["five.safetensors"]] {
        let first = said(f, &[&["train"], start, &still].concat());
        assert!(first.contains(new_head) && first.contains("lenet5: 3 classes"), "{first}");
        let [five, three] = ["five.safetensors", "three.safetensors"].map(|name| dict(f, name));
        for name in ["conv1.weight", "conv2.bias", "fc2.weight"] {
            assert_eq!(bytes(&five, name), bytes(&three, name), "{name}");
        }
        assert_eq!(bytes(&three, "fc3.bias").len(), 3 * 4);
    }
    // What is missing beside the head is an error, as it always was.
    let other = OWN.replace("fc2: linear(84)", "fc2: linear(80)").replace("    assert params == 61_706;\n", "");
    std::fs::write(f.join("other.cnn"), other).unwrap();
    let arguments = ["train", "other.cnn", "--data", "three", "--weights", "five.safetensors", "--epochs", "1"];
    fails(f, &arguments, 1, &["five.safetensors does not fit LeNet5", "fc2.weight"]);
}

/// What the lints find is drawn by `check` and `train`, stands below the table of `summary`, and is switched off on the layer.
#[test]
fn warnings_about_a_file_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    shapes(&f.join("shapes"), &CLASSES, 4);
    let text = OWN.replace("kernel = 5, pad = 2", "kernel = 6, pad = 2").replace("    assert params == 61_706;\n", "");
    std::fs::write(f.join("my.cnn"), &text).unwrap();
    let drawn = [
        "warning[unread_pixels]: `max_pool`: kernel 2 and stride 2 leave the last row and the last column of 27x27 unread",
        "my.cnn:2:57",
        "= help: add `ceil`, for windows that reach over the edge",
        "= help: write `#[allow(unread_pixels)]` before the layer",
        "my.cnn:3:",
    ];
    for arguments in [&["check", "my.cnn"][..], &["train", "my.cnn", "--data", "shapes", "--epochs", "1"]] {
        let said = said(f, arguments);
        drawn.iter().for_each(|expected| assert!(said.contains(expected), "{said}\nexpected: {expected}"));
    }
    let note = "5: kernel 2 and stride 2 leave the last row and the last column of 9x9 unread (unread_pixels)";
    assert!(ok(f, &["summary", "my.cnn"]).contains(&format!("\nwarning: {note}")));
    let json: serde_json::Value = serde_json::from_str(&ok(f, &["summary", "my.cnn", "--json"])).unwrap();
    assert_eq!(json["warnings"].as_array().unwrap().len(), 2);
    assert_eq!(json["warnings"][1], *note);
    // Trained weights keep the attributes with the declaration.
    std::fs::write(f.join("my.cnn"), text.replace("max_pool", "#[allow(unread_pixels)] max_pool")).unwrap();
    assert_eq!(said(f, &["check", "my.cnn"]), "");
    said(f, &["train", "my.cnn", "--data", "shapes", "--epochs", "1", "--run", "again"]);
    assert!(!ok(f, &["summary", "my.safetensors"]).contains("warning"));
}

#[test]
fn mistakes_in_a_file_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    shapes(&f.join("shapes"), &CLASSES, 4);
    let file = |text: &[u8]| std::fs::write(f.join("my.cnn"), text).unwrap();
    file(OWN.as_bytes());
    assert!(ok(f, &["check", "my.cnn"]).contains("LeNet5: 61,706 parameters"));
    assert!(ok(f, &["check", "my.cnn", "--classes", "7", "--input", "1x32x32"]).contains("[1, 32, 32]"));
    // All mistakes at once, each with its line.
    file(
        OWN.replace("relu; max_pool(2);\n    flatten", "rely; max_pool(2);\n    flatten")
            .replace("[1, 28", "[1 28")
            .as_bytes(),
    );
    fails(f, &["check", "my.cnn"], 1, &["my.cnn:1:", "^"]);
    file(
        OWN.replace("kernel = 5, pad = 2", "kernel = 50")
            .replace("fc2: linear(84); relu;", "fc2: linear(84); rely;")
            .as_bytes(),
    );
    fails(f, &["check", "my.cnn"], 1, &["my.cnn:2:", "my.cnn:6:", "did you mean `relu`"]);
    // An output that cannot follow says where a const generic goes.
    let fixed = OWN.replace("<const CLASSES: usize = 10>", "").replace("CLASSES", "10");
    file(fixed.as_bytes());
    let expected = [
        "my.cnn:1:",
        "5 classes are wanted",
        "written as 10",
        "struct LeNet5<const CLASSES: usize = 10>: [..] -> [CLASSES]",
    ];
    fails(f, &["train", "my.cnn", "--data", "shapes"], 1, &expected);
    // Files of other kinds, and networks beyond all bounds.
    file(&[OWN.as_bytes(), b"\0"].concat());
    fails(f, &["check", "my.cnn"], 1, &["my.cnn"]);
    file(&[0xff, 0xfe, 0x00]);
    fails(f, &["check", "my.cnn"], 1, &["cannot read my.cnn", "UTF-8"]);
    file(&vec![b'x'; 10_000_000]);
    fails(f, &["check", "my.cnn"], 1, &["10000000 bytes"]);
    file(b"");
    fails(f, &["check", "my.cnn"], 1, &["my.cnn:1:1", "expected a network"]);
    file(format!("{OWN}\n{}", OWN.replace("LeNet5", "Second")).as_bytes());
    fails(f, &["check", "my.cnn"], 1, &["my.cnn declares LeNet5, Second"]);
    file(b"struct Own: [1, 28, 28] -> [10] { mine: custom Mine -> [10]; }");
    fails(f, &["check", "my.cnn"], 1, &["custom"]);
    file(b"struct Huge: [1, 28, 28] -> [10] { flatten; linear(1000000); linear(1000000); linear(10); }");
    fails(f, &["train", "my.cnn", "--epochs", "1"], 1, &["cannot build Huge: its 1000", "parameters take 4003"]);
    fails(f, &["check", "absent.cnn"], 1, &["cannot read absent.cnn"]);
    fails(f, &["train", "lenet5", "--input", "28x"], 2, &["--input", "3x64x64"]);
    // One class is none.
    shapes(&f.join("one"), &CLASSES[..1], 4);
    fails(f, &["train", "lenet5", "--data", "one"], 1, &["has one class (`circle`)"]);
}
