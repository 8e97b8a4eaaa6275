//! The program with datasets of files: what it says about them, and which part it uses for what.

mod common;

use common::{convnet, fails, ok};
use image::{GrayImage, Luma};
use std::path::Path;

/// Images of ten classes, `n` of each.
fn images(folder: &Path, below: &str, n: u8) {
    for class in 0..10_u8 {
        let folder = folder.join(below).join(class.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        for i in 0..n {
            let value = Luma([class * 20 + i + below.len() as u8]);
            GrayImage::from_pixel(28, 28, value).save(folder.join(format!("{i}.png"))).unwrap();
        }
    }
}

/// Standard output and standard error of a run that succeeds.
#[track_caller]
fn both(folder: &Path, arguments: &[&str]) -> [String; 2] {
    let output = convnet(folder, arguments);
    let texts = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{}", texts[1]);
    texts
}

#[test]
fn notes_go_to_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    images(f, "set", 10);
    std::fs::write(f.join("set/3/._0.png"), "AppleDouble").unwrap();
    let [said, notes] = both(f, &["data", "info", "--data", "set"]);
    assert!(
        said.starts_with("training: 80 images in 10 classes\n  the first one: 28 x 28, grey\n        8  0\n"),
        "{said}"
    );
    assert!(notes.contains("note: set: left out: 1 hidden file, such as set/3/._0.png\n"), "{notes}");
    let split = |seed: &str| format!("a fifth of each class, drawn by random seed {seed}, is kept for it\n");
    assert!(notes.contains(&split("1")), "{notes}");
    let train = ["train", "--data", "set", "--epochs", "1", "--seed", "7", "--run"];
    let [_, notes] = both(f, &[&train[..], &["one"]].concat());
    assert!(notes.contains(&split("7")), "{notes}");
    assert_eq!(both(f, &[&train[..], &["two", "--quiet"]].concat())[1], "");
}

#[test]
fn epochs_are_judged_by_the_validation_set_and_the_network_by_the_test_set() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    for (part, n) in [("train", 4), ("val", 2), ("test", 3)] {
        images(f, &format!("set/{part}"), n);
    }
    let [said, notes] = both(f, &["train", "--data", "set", "--epochs", "1", "--json", "--limit", "20"]);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((json["train_images"].as_u64(), json["test_images"].as_u64()), (Some(20), Some(30)), "{json}");
    assert!(notes.contains("20 training images, 20 test images"), "{notes}");
    let refused = "the data has a validation set of its own";
    fails(f, &["train", "--data", "set", "--epochs", "1", "--validation", "0.2", "--run", "r"], 1, &[refused]);
    let json: serde_json::Value = serde_json::from_str(&ok(f, &["eval", "--data", "set", "--json"])).unwrap();
    assert_eq!(json["images"].as_u64(), Some(30), "{json}");
}

#[test]
fn copies_in_two_parts_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    images(f, "set/train", 2);
    images(f, "set/test", 1);
    assert_eq!(both(f, &["data", "info", "--data", "set"])[1], "");
    std::fs::copy(f.join("set/train/4/1.png"), f.join("set/test/4/copy.png")).unwrap();
    let notes = &both(f, &["data", "info", "--data", "set"])[1];
    let expected = "note: copies of training images in the test set: 1 of 11, such as set/test/4/copy.png of \
                    set/train/4/1.png\n";
    assert_eq!(notes, expected);
}

#[test]
fn what_is_known_of_images_is_summed_up() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    for i in 0..4_u8 {
        for (part, value) in [("images", i), ("masks", [0, 1, 255, 0][usize::from(i)])] {
            std::fs::create_dir_all(f.join("set").join(part)).unwrap();
            let pixel = |x, y| Luma([if (x, y) == (0, 0) { 2 } else { value }]);
            GrayImage::from_fn(2, 5, pixel).save(f.join(format!("set/{part}/{i}.png"))).unwrap();
        }
    }
    std::fs::write(f.join("set/classes.txt"), "sky\nsea\nland\n").unwrap();
    let list = |name: &str, title: &str, fields: [&str; 4]| {
        let row = |(i, field): (usize, &&str)| {
            format!("set/images/{i}.png;{};{field}\n", if i < 3 { "train" } else { "test" })
        };
        let rows: String = fields.iter().enumerate().map(row).collect();
        std::fs::write(f.join(name), format!("path;split;{title}\n{rows}")).unwrap();
    };
    let masks = [0, 1, 2, 3].map(|i| format!("set/masks/{i}.png"));
    list("masks.csv", "mask", masks.each_ref().map(String::as_str));
    std::fs::copy(f.join("set/classes.txt"), f.join("classes.txt")).unwrap();
    list("labels.csv", "labels", ["sea|sky", "", "sky", "sea"]);
    list("numbers.csv", "age;size", ["1;-2.5", "2;0", "5;1000", "0.1;7"]);
    let info = |arguments: &[&str]| both(f, &[&["data", "info"], arguments].concat())[0].clone();
    let first = "  the first one: 2 x 5, grey\n";
    let training = info(&["--data", "masks.csv"]);
    let expected = format!(
        "training: 3 images with masks of 3 classes\n{first}   30.00 %  sky\n   30.00 %  sea\n   10.00 %  land\n   30.00 %  (pixels \
         that do not count)\ntest: 1 image with masks of 3 classes\n"
    );
    assert!(training.starts_with(&expected), "{training}");
    let expected = format!(
        "training: 3 images with labels of 2 classes\n{first}        1  sea\n        2  sky\n        1  (no label)\ntest: 1 image \
         with labels of 2 classes\n{first}        1  sea\n        0  sky\n"
    );
    assert_eq!(info(&["--data", "labels.csv"]), expected);
    let expected = format!(
        "training: 3 images with 2 numbers each\n{first}  age: from 1 to 5, mean 2.6667\n  size: from -2.5 to 1000, mean 332.5\ntest: 1 \
         image with 2 numbers each\n{first}  age: from 0.1 to 0.1, mean 0.1\n  size: from 7 to 7, mean 7\n"
    );
    assert_eq!(info(&["--data", "numbers.csv"]), expected);
    let said = info(&["--data", "set/images", "--dataset", "images"]);
    assert_eq!(said, format!("training: 3 images without targets\n{first}test: 1 image without targets\n{first}"));
    let said = info(&["--data", "set"]);
    assert!(said.starts_with("training: 3 images with masks of 3 classes\n"), "{said}");
}

#[cfg(unix)]
#[test]
fn data_that_never_ends_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    assert!(std::process::Command::new("mkfifo").arg(f.join("pipe.csv")).status().unwrap().success());
    std::fs::create_dir(f.join("digits")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", f.join("digits/train-images-idx3-ubyte")).unwrap();
    std::fs::write(f.join("digits/train-labels-idx1-ubyte"), "").unwrap();
    for (data, error) in [
        ("/dev/zero", "/dev/zero: is a device, not a regular file"),
        ("pipe.csv", "pipe.csv: is a named pipe, not a regular file"),
        ("digits", "digits/train-images-idx3-ubyte: is a device, not a regular file"),
    ] {
        fails(f, &["data", "info", "--data", data], 1, &[error]);
    }
}
