//! What a network is trained with is what it is evaluated and asked with: the same preparation of images, the same parts of the data, the same
//! classes.

mod common;

use common::{convnet, fails, ok};
use convnet::weights;
use convnet::weights::Format;
use image::{GrayImage, Luma, Rgb, RgbImage};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

const CLASSES: [&str; 10] = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen", "ibis", "jay"];

/// Image `i` of a class: a bar at a place of its own, in `ink` on `ground`.
fn bar(class: usize, i: usize, [ink, ground]: [u8; 2]) -> GrayImage {
    let (left, top) = (2 * class as u32 + 4, 3 + (i as u32 * 7) % 5);
    GrayImage::from_fn(28, 28, |x, y| {
        let inside = (left..left + 3).contains(&x) && (top..top + 18).contains(&y);
        Luma([if inside { ink } else { ground }])
    })
}

/// Folders of the classes with so many images each, by `paint`.
fn classes(folder: &Path, images: usize, paint: impl Fn(usize, usize, &Path)) {
    for (class, name) in CLASSES.iter().enumerate() {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        (0..images).for_each(|i| paint(class, i, &folder.join(format!("{i:02}.png"))));
    }
}

/// What `predict` says about each file of the classes, as `eval` counts it.
fn confusion(at: &Path, model: &str, data: &str, more: &[&str]) -> Value {
    let mut files: Vec<(usize, PathBuf)> = Vec::new();
    for (class, name) in CLASSES.iter().enumerate() {
        let Ok(entries) = std::fs::read_dir(at.join(data).join(name)) else { continue };
        files.extend(entries.map(|entry| (class, Path::new(data).join(name).join(entry.unwrap().file_name()))));
    }
    let names: Vec<&str> = files.iter().map(|(_, path)| path.to_str().unwrap()).collect();
    let answers = json(&ok(at, &[&["predict", model, "--json", "--top", "1"], more, &names].concat()));
    let mut confusion = vec![vec![0; 10]; 10];
    for ((class, _), answer) in files.iter().zip(answers.as_array().unwrap()) {
        let said = answer["classes"][0]["class"].as_str().unwrap();
        confusion[*class][CLASSES.iter().position(|name| *name == said).unwrap()] += 1;
    }
    confusion.into()
}

/// Trains LeNet-5 until it knows the bars of a folder.
fn learn(folder: &Path, data: &str, out: &str) {
    let how = "--epochs 25 --batch 8 --lr 0.002 --optimizer adam --quiet";
    let words: Vec<_> = ["train", "--data", data, "--out", out].into_iter().chain(how.split(' ')).collect();
    ok(folder, &words);
}

#[test]
fn predict_sees_what_eval_sees() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    // Dark on bright, as ink on paper.
    for (part, images) in [("train", 12), ("test", 3)] {
        classes(&f.join("ink").join(part), images, |class, i, path| {
            bar(class, i + images, [20, 240]).save(path).unwrap();
        });
    }
    learn(f, "ink", "lenet5.safetensors");
    let evaluation = json(&ok(f, &["eval", "--data", "ink", "--json"]));
    assert!(evaluation["accuracy"].as_f64().unwrap() > 0.9, "{evaluation}");
    assert_eq!(evaluation["inverted"], 0);
    assert_eq!(confusion(f, "lenet5", "ink/test", &[]), evaluation["confusion"]);
    // Bright on dark where all in training were bright on dark: paper is turned around, by whoever looks at it, and that is said.
    classes(&f.join("chalk"), 12, |class, i, path| bar(class, i, [230, 10]).save(path).unwrap());
    learn(f, "chalk", "chalk.safetensors");
    let evaluate = |more: &[&str]| {
        json(&ok(f, &[&["eval", "--weights", "chalk.safetensors", "--data", "ink", "--json"], more].concat()))
    };
    let evaluation = evaluate(&[]);
    assert!(evaluation["accuracy"].as_f64().unwrap() > 0.9, "{evaluation}");
    assert_eq!(evaluation["inverted"], 30);
    assert_eq!(confusion(f, "lenet5", "ink/test", &["--weights", "chalk.safetensors"]), evaluation["confusion"]);
    let text = ok(f, &["eval", "--weights", "chalk.safetensors", "--data", "ink"]);
    assert!(text.contains("inverted, dark and bright changing places: 30 images"), "{text}");
    let said = ok(f, &["predict", "lenet5", "ink/test/ant/00.png", "--weights", "chalk.safetensors"]);
    assert!(said.contains("[inverted"), "{said}");
    let never = evaluate(&["--invert", "no"]);
    assert_eq!(never["inverted"], 0);
    let said = confusion(f, "lenet5", "ink/test", &["--weights", "chalk.safetensors", "--invert", "no"]);
    assert!(said == never["confusion"] && never["confusion"] != evaluation["confusion"], "{never}");
    let arguments = ["--weights", "chalk.safetensors", "--image", "ink/test/elk/01.png", "--out", "seen"];
    let explained = convnet(f, &[&["explain", "gradient", "lenet5"], &arguments[..]].concat());
    let note = String::from_utf8(explained.stderr).unwrap();
    assert!(note.contains("note: ink/test/elk/01.png inverted"), "{note}");
    assert!(
        std::fs::read_to_string(f.join("seen/index.html")).unwrap().contains("elk ("),
        "explain sees another class"
    );
}

#[test]
fn a_grey_file_at_the_head_of_a_coloured_set_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    // Of one brightness, so that colour alone tells them apart.
    let tone = |class: usize, i: usize| -> [u8; 3] {
        let turn = class as f32 * std::f32::consts::TAU / 10.0;
        let wave = |shift: f32| (128.0 + (70.0 + i as f32) * (turn + shift).cos()) as u8;
        [wave(0.0), wave(2.094), wave(4.189)]
    };
    for part in ["train", "test"] {
        classes(&f.join("tones").join(part), 8, |class, i, path| match (class, i) {
            (0, 0) => GrayImage::from_pixel(20, 20, Luma([10])).save(path).unwrap(),
            _ => {
                let side = 20 + 6 * (i as u32 % 4);
                RgbImage::from_fn(side, side, |x, y| Rgb(if x.min(y) < 2 { [0; 3] } else { tone(class, i) }))
                    .save(path)
                    .unwrap();
            }
        });
    }
    ok(f, &["train", "resnet20", "--data", "tones", "--epochs", "12", "--batch", "8", "--lr", "0.02", "--quiet"]);
    let evaluation = json(&ok(f, &["eval", "resnet20", "--data", "tones", "--json"]));
    assert!(evaluation["accuracy"].as_f64().unwrap() > 0.6, "{evaluation}");
    assert_eq!(confusion(f, "resnet20", "tones/test", &[]), evaluation["confusion"]);
}

/// Images without any likeness: what is not in training is guessed.
fn noise(class: usize, i: usize, path: &Path) {
    let value = |x: u32, y: u32| {
        let mut z = (class as u64 * 1_000 + i as u64) << 20 | u64::from(y) << 10 | u64::from(x);
        z = (z ^ z >> 15).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (z ^ z >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 56
    };
    GrayImage::from_fn(28, 28, |x, y| Luma([value(x, y) as u8])).save(path).unwrap();
}

#[test]
fn what_was_trained_on_is_not_judged_by() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    classes(&f.join("noise"), 20, noise);
    let train = ["train", "--data", "noise", "--epochs", "40", "--batch", "16", "--json", "--quiet"];
    let report = json(&ok(
        f,
        &[&train[..], &["--seed", "7", "--validation", "0.2", "--limit", "150", "--even-classes"]].concat(),
    ));
    assert!(report["test_accuracy"].as_f64().unwrap() < 0.4, "{report}");
    let evaluate = |weights: &str| {
        let output = convnet(f, &["eval", "--data", "noise", "--weights", weights, "--json"]);
        (json(&String::from_utf8(output.stdout).unwrap()), String::from_utf8(output.stderr).unwrap())
    };
    let (evaluation, note) = evaluate("lenet5.safetensors");
    assert_eq!(evaluation["confusion"], report["confusion"]);
    assert!(note.contains("were set aside when lenet5.safetensors was trained (random seed 7)"), "{note}");
    // Version 0.1 wrote the seed alone; others write nothing, and that is said.
    let about = |change: &dyn Fn(&mut weights::Metadata)| {
        let mut dict = weights::read(&f.join("lenet5.safetensors")).unwrap();
        change(&mut dict.metadata);
        weights::write(&dict, &f.join("changed.safetensors"), Format::Safetensors).unwrap();
        evaluate("changed.safetensors")
    };
    let (evaluation, _) = about(&|about| about.retain(|key, _| !key.starts_with("split")));
    assert_eq!(evaluation["confusion"], report["confusion"]);
    let (evaluation, note) = about(&|about| about.retain(|key, _| !key.starts_with("split") && key != "seed"));
    assert_ne!(evaluation["confusion"], report["confusion"]);
    assert!(note.contains("does not say") && note.contains("may have been trained on"), "{note}");
    // Who goes on from these weights with another split is told.
    let again =
        ["train", "--data", "noise", "--weights", "lenet5.safetensors", "--epochs", "1", "--out", "again.safetensors"];
    let said = |more: &[&str]| String::from_utf8(convnet(f, &[&again[..], more].concat()).stderr).unwrap();
    assert!(said(&["--seed", "3"]).contains("(--seed 7 splits it as before)"));
    assert!(!said(&["--seed", "7"]).contains("splits it as before"));
    // More images than there were: the parts are others.
    noise(0, 99, &f.join("noise/ant/99.png"));
    let (_, note) = evaluate("lenet5.safetensors");
    assert!(note.contains("has 201 images, and there were 200") && note.contains("may have been trained on"), "{note}");
}

/// What `eval` prints of the bars, and what it notes.
fn evaluate(folder: &Path, more: &[&str]) -> (Value, String) {
    let output = convnet(folder, &[&["eval", "--data", "bars", "--json"], more].concat());
    let note = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{note}");
    (json(&String::from_utf8(output.stdout).unwrap()), note)
}

/// Gives a class of the bars another name.
fn rename(folder: &Path, from: &str, to: &str) {
    for part in ["train", "test"] {
        let part = folder.join("bars").join(part);
        std::fs::rename(part.join(from), part.join(to)).unwrap();
    }
}

/// Swaps the classes of a file of weights around, and the outputs with them.
fn turn(from: &Path, to: &Path) {
    let mut dict = weights::read(from).unwrap();
    let mut names: Vec<String> = serde_json::from_str(&dict.metadata["classes"]).unwrap();
    names.rotate_left(3);
    dict.metadata.insert("classes".into(), serde_json::to_string(&names).unwrap());
    for entry in dict.entries.iter_mut().filter(|entry| entry.name.starts_with("fc3.")) {
        let row = entry.bytes.len() / 10;
        entry.bytes.rotate_left(3 * row);
    }
    weights::write(&dict, to, Format::Safetensors).unwrap();
}

#[test]
fn classes_are_matched_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    for (part, images) in [("train", 12), ("test", 3)] {
        classes(&f.join("bars").join(part), images, |class, i, path| bar(class, i, [20, 240]).save(path).unwrap());
    }
    // Written as Linux does, and read as from a Mac.
    rename(f, "ant", "\u{e1}nt");
    learn(f, "bars", "lenet5.safetensors");
    let (before, note) = evaluate(f, &[]);
    assert!(before["accuracy"].as_f64().unwrap() > 0.9 && note.is_empty(), "{before} {note}");
    rename(f, "\u{e1}nt", "a\u{301}nt");
    assert_eq!(evaluate(f, &[]).0["accuracy"], before["accuracy"]);
    // A file that has the classes in another order; its last layer goes with them.
    turn(&f.join("lenet5.safetensors"), &f.join("turned.safetensors"));
    let (turned, note) = evaluate(f, &["--weights", "turned.safetensors"]);
    assert_eq!(turned["accuracy"], before["accuracy"]);
    assert!(note.contains("in another order; they are matched by name"), "{note}");
    // A class that the network does not know, and the way past that.
    rename(f, "bee", "wasp");
    for command in [&["eval"][..], &["explain", "neighbours"]] {
        let expected = [
            "lenet5.safetensors: ",
            "classes of the data that the network does not have",
            "wasp",
            "bee, cat",
            "--classes-by-order",
        ];
        fails(f, &[command, &["--data", "bars"]].concat(), 1, &expected);
    }
    let (forced, note) = evaluate(f, &["--classes-by-order"]);
    // In the order of their names `wasp` is the last.
    assert!(forced["accuracy"].as_f64().unwrap() < 0.3 && note.contains("cat is dog"), "{forced} {note}");
    let again =
        ["train", "--data", "bars", "--weights", "lenet5.safetensors", "--epochs", "1", "--out", "again.safetensors"];
    let said = String::from_utf8(convnet(f, &again).stderr).unwrap();
    assert!(said.contains("wasp") && said.contains("the network learns the data's, output by output"), "{said}");
    // Some of the classes are enough.
    for name in ["wasp", "fox"] {
        for part in ["train", "test"] {
            std::fs::remove_dir_all(f.join("bars").join(part).join(name)).unwrap();
        }
    }
    let (some, note) = evaluate(f, &[]);
    assert!(note.contains("8 of the network's 10 classes; they are matched by name"), "{note}");
    assert!(some["accuracy"].as_f64().unwrap() > 0.85 && some["images"] == 24, "{some}");
    // Other classes than digits are not held against the digits that the program carries.
    fails(f, &["eval"], 1, &["classes of the data that the network does not have", "0, 1, 2", "bee, cat"]);
}

#[test]
fn weights_that_are_not_numbers_are_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    ok(f, &["train", "--epochs", "1", "--limit", "64", "--quiet"]);
    bar(3, 0, [255, 0]).save(f.join("one.png")).unwrap();
    let original = weights::read(&f.join("lenet5.safetensors")).unwrap();
    let mut dict = original.clone();
    let entry = dict.entries.iter_mut().find(|entry| entry.name == "conv2.bias").unwrap();
    entry.bytes[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
    weights::write(&dict, &f.join("nan.safetensors"), Format::Safetensors).unwrap();
    let expected =
        ["nan.safetensors: the weights hold values that are not finite numbers (NaN or infinite), first in conv2.bias"];
    for command in [&["predict", "one.png"][..], &["eval"], &["explain", "gradient", "--image", "one.png"]] {
        fails(f, &[command, &["--weights", "nan.safetensors"]].concat(), 1, &expected);
    }
    // Numbers of which nothing but infinities can come.
    let mut dict = original.clone();
    for entry in dict.entries.iter_mut().filter(|entry| entry.name.ends_with("weight")) {
        entry.bytes.chunks_exact_mut(4).enumerate().for_each(|(i, x)| {
            x.copy_from_slice(&(if i % 2 == 0 { f32::MAX } else { -f32::MAX }).to_le_bytes());
        });
    }
    weights::write(&dict, &f.join("huge.safetensors"), Format::Safetensors).unwrap();
    for command in [&["predict", "one.png"][..], &["eval"], &["explain", "gradient", "--image", "one.png"]] {
        fails(f, &[command, &["--weights", "huge.safetensors"]].concat(), 1, &["gives values that are no", "numbers"]);
    }
    // What the file says about images is believed only where it has a meaning.
    for (key, value) in
        [("std", "0"), ("mean", "0.1,0.2"), ("fit", "stretch"), ("input", "[1,32,32]"), ("classes", "[\"a\"]")]
    {
        let mut dict = original.clone();
        dict.metadata.insert(key.into(), value.into());
        weights::write(&dict, &f.join("odd.safetensors"), Format::Safetensors).unwrap();
        for command in [&["predict", "one.png"][..], &["eval"], &["explain", "filters", "--image", "one.png"]] {
            let expected = ["odd.safetensors: the metadata says ", key, "expected"];
            fails(f, &[command, &["--weights", "odd.safetensors"]].concat(), 1, &expected);
        }
    }
    // As version 0.1 wrote it: on what ground images were is not known.
    let mut dict = original;
    dict.metadata.retain(|key, _| !["input", "colours", "ground", "size"].contains(&key.as_str()));
    weights::write(&dict, &f.join("old.safetensors"), Format::Safetensors).unwrap();
    bar(3, 0, [0, 255]).save(f.join("paper.png")).unwrap();
    let output = convnet(f, &["predict", "paper.png", "--weights", "old.safetensors"]);
    let [said, note] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(
        !said.contains("[inverted]") && note.contains("note: old.safetensors does not say whether"),
        "{said} {note}"
    );
    // And where it says nothing at all, that is said.
    dict.metadata.clear();
    weights::write(&dict, &f.join("bare.safetensors"), Format::Safetensors).unwrap();
    let output = convnet(f, &["predict", "one.png", "--weights", "bare.safetensors"]);
    let note = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && note.contains("note: bare.safetensors does not say how its images were prepared"),
        "{note}"
    );
}

#[test]
fn networks_images_and_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    bar(1, 0, [255, 0]).save(f.join("one.png")).unwrap();
    std::fs::create_dir(f.join("resnet18")).unwrap();
    std::fs::create_dir(f.join("photos")).unwrap();
    std::fs::write(f.join("vgg11"), "no image").unwrap();
    let hint = "or name a file by --weights";
    fails(
        f,
        &["predict", "resnet18", "one.png"],
        1,
        &["cannot read resnet18.safetensors", "`convnet train resnet18`", hint],
    );
    fails(f, &["predict", "VGG-11", "one.png"], 1, &["cannot read vgg11.safetensors"]);
    let said = fails(f, &["predict", "vgg11", "one.png"], 1, &["cannot read vgg11.safetensors"]);
    assert!(said.contains("note: `vgg11` is taken for the network of that name") && said.contains("./vgg11"), "{said}");
    fails(f, &["predict", "one.png"], 1, &["cannot read lenet5.safetensors", "`convnet train lenet5`", hint]);
    fails(f, &["predict", "resnet99", "one.png"], 1, &["no network is called `resnet99`"]);
    fails(f, &["predict", "photos", "one.png"], 1, &["`photos` is a folder, and a network is wanted here"]);
    fails(f, &["predict", "resnet18"], 1, &["no image given"]);
    for command in ["eval", "summary", "bench", "diagram"] {
        fails(f, &[command, "one.png"], 1, &["`one.png` is a file, and a network is wanted here"]);
    }
    fails(f, &["data", "preview", "photos"], 1, &["`photos` is a folder"]);
    fails(f, &["eval", "--weights", "none.safetensors"], 1, &["cannot read none.safetensors"]);
    // Each file is named once.
    ok(f, &["train", "--epochs", "1", "--limit", "64", "--quiet"]);
    let error = fails(f, &["predict", "./vgg11", "gone.png", "photos/"], 1, &["no answer for 3 of the images"]);
    for name in ["./vgg11", "gone.png", "photos/"] {
        assert_eq!(error.matches(name).count(), 1, "{error}");
    }
}
