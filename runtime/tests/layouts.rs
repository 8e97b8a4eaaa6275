//! How people lay out their folders of images: what is found, what is left out, and what is said about it.
#![deny(warnings)]

#[path = "common/opened.rs"]
mod opened;

use convnet::data::{DatasetKind, Opened, in_common, open};
use image::{Rgb, RgbImage};
use opened::{counts, notes};
use std::path::Path;

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Images of one colour, `n` of each class, below a folder.
fn images(folder: &Path, below: &str, classes: &[&str], n: u8) {
    for (class, name) in classes.iter().enumerate() {
        for i in 0..n {
            let path = folder.join(below).join(name).join(format!("{i}.png"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            RgbImage::from_pixel(2, 2, Rgb([class as u8, i, below.len() as u8])).save(path).unwrap();
        }
    }
}

fn opened(path: &Path) -> Opened {
    open(DatasetKind::Auto, Some(path), 1).unwrap_or_else(|error| panic!("{error}"))
}

fn problem(path: &Path) -> String {
    open(DatasetKind::Auto, Some(path), 1).err().expect("it cannot be used").to_string()
}

#[test]
fn parts_are_called_in_many_ways() {
    for [train, validation, test] in [
        ["train", "valid", "test"],
        ["Train", "Val", "Test"],
        ["training", "validation", "testing"],
        ["TRAIN", "dev", "TEST"],
        ["training_set", "eval", "test_set"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let f = folder.path();
        images(f, train, &["a", "b"], 3);
        images(f, validation, &["a", "b"], 2);
        let two = opened(f);
        assert_eq!((counts(&two), two.divided), ((6, None, 4), false), "{validation}");
        notes(&two, &["has no test set, so its validation set is used as one"]);
        images(f, test, &["a", "b"], 1);
        let three = opened(f);
        assert_eq!((counts(&three), three.divided), ((6, Some(4), 2), false), "{test}");
        assert_eq!(three.notes, [""; 0]);
    }
    let folder = tempfile::tempdir().unwrap();
    for part in ["train", "val", "valid"] {
        images(folder.path(), part, &["a", "b"], 1);
    }
    let error = problem(folder.path());
    assert!(error.contains("several folders for the validation set: `val`, `valid`"), "{error}");
}

#[test]
fn a_test_set_without_classes_does_not_hide_the_validation_set() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    images(f, "train", &["a", "b"], 5);
    images(f, "test", &["."], 4);
    let parts = opened(f);
    assert_eq!((counts(&parts), parts.divided), ((8, None, 2), true));
    notes(
        &parts,
        &["holds 4 images, but not in folders named after classes", "has no test set; a fifth of each class"],
    );
    images(f, "val", &["a", "b"], 1);
    let parts = opened(f);
    assert_eq!((counts(&parts), parts.divided), ((10, None, 2), false));
    // The only folder of a test set is not a class if it has such a name.
    std::fs::remove_dir_all(f.join("test")).unwrap();
    images(f, "test", &["unknown"], 4);
    notes(&opened(f), &["test holds 4 images, but not in folders named after classes"]);
    images(f, "test", &["a"], 4);
    assert!(
        problem(f).contains("has the class `unknown`, which is not among those to train on: `a`, `b`"),
        "{}",
        problem(f)
    );
}

#[test]
fn classes_may_be_called_as_parts_are() {
    let folder = tempfile::tempdir().unwrap();
    images(folder.path(), "", &["bus", "car", "train"], 5);
    assert_eq!(opened(folder.path()).train.classes(), ["bus", "car", "train"]);
    let folder = tempfile::tempdir().unwrap();
    images(folder.path(), "test", &["a", "b"], 1);
    images(folder.path(), "other", &["."], 1);
    assert!(problem(folder.path()).contains("has a folder `test`, but none that is called `train`"));
}

#[test]
fn a_class_without_images_is_refused_and_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    images(f, "", &["a", "b"], 5);
    for i in 0..10 {
        write(f, &format!("webp/{i}.webp"), b"RIFF....WEBPVP8 ");
    }
    images(f, "below", &["more"], 1);
    write(f, "text/notes.txt", b"no image");
    std::fs::create_dir(f.join("empty")).unwrap();
    let error = problem(f);
    for reason in [
        "`webp` has only files in formats that are not read (10 .webp)",
        "`below` has images only in folders below it",
        "`text` has no image by its name among 1 file",
        "`empty` is empty",
    ] {
        assert!(error.contains(reason), "{error}");
    }
    ["webp", "below", "text", "empty"].iter().for_each(|name| std::fs::remove_dir_all(f.join(name)).unwrap());
    // What a class has beside images that are read is left out with a note.
    write(f, "a/1.gif", b"GIF89a");
    images(f, "a", &["more"], 1);
    notes(&opened(f), &["left out, in formats that are not read: 1 .gif", "left out: folders within the class `a`"]);
}

#[test]
fn a_class_that_the_test_set_lacks_is_said() {
    let folder = tempfile::tempdir().unwrap();
    images(folder.path(), "train", &["a", "b", "c"], 1);
    images(folder.path(), "test", &["a"], 1);
    notes(&opened(folder.path()), &["the test set has no image of 2 classes: `b`, `c`"]);
    images(folder.path(), "test", &["B"], 1);
    assert!(
        problem(folder.path()).contains("the class `B` (there is `b`), which is not among"),
        "{}",
        problem(folder.path())
    );
}

#[test]
fn a_class_of_one_image_is_not_tested() {
    let folder = tempfile::tempdir().unwrap();
    images(folder.path(), "", &["a", "b"], 5);
    images(folder.path(), "", &["rare"], 1);
    notes(&opened(folder.path()), &["the test set has no image of the class `rare`"]);
}

#[test]
fn what_systems_leave_behind_is_no_image_and_no_class() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    images(f, "", &["a", "b"], 5);
    let apple_double = [&[0, 5, 0x16, 7, 0, 2, 0, 0][..], &[0; 500]].concat();
    for name in ["a/._0.png", "a/._1.png", "__MACOSX/a/._0.png", "@eaDir/x.jpg", ".ipynb_checkpoints/0.png"] {
        write(f, name, &apple_double);
    }
    ["a/Thumbs.db", "a/.DS_Store", "b/desktop.ini", ".DS_Store"].iter().for_each(|name| write(f, name, b"x"));
    let parts = opened(f);
    assert_eq!((parts.train.classes(), counts(&parts)), (&["a".to_string(), "b".into()][..], (8, None, 2)));
    notes(&parts, &["left out: 2 hidden files", "left out: `.ipynb_checkpoints`, `@eaDir`, `__MACOSX`, which systems"]);
}

#[test]
fn endings_are_in_letters_of_any_case() {
    let folder = tempfile::tempdir().unwrap();
    for (class, name) in [("a", "1.JPG"), ("a", "2.Jpeg"), ("a", "3.PNG"), ("b", "4.JFIF"), ("b", "5.jpe")] {
        write(folder.path(), &format!("{class}/{name}"), b"");
    }
    let parts = opened(folder.path());
    assert_eq!(counts(&parts), (3, None, 2));
    assert!(parts.train.image(0).unwrap_err().to_string().ends_with("is empty"));
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_left_out_and_never_waited_for() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    images(f, "", &["a", "b"], 5);
    assert!(std::process::Command::new("mkfifo").arg(f.join("a/pipe.png")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(f.join("a/socket.png")).unwrap();
    symlink("/dev/zero", f.join("a/device.png")).unwrap();
    symlink(f.join("nowhere.png"), f.join("a/broken.png")).unwrap();
    symlink(f.join("a/loop.png"), f.join("a/loop.png")).unwrap();
    symlink(f, f.join("a/circle")).unwrap();
    symlink(f.join("gone"), f.join("c")).unwrap();
    let parts = opened(f);
    assert_eq!(counts(&parts), (8, None, 2));
    notes(
        &parts,
        &["left out: 6 entries that can be no image or class, such as ", "left out: folders within the class `a`"],
    );
    for name in ["a/pipe.png", "a/device.png", "a/socket.png"] {
        let error = convnet::data::decode::read(&f.join(name)).unwrap_err().to_string();
        assert!(error.contains("not a regular file"), "{error}");
        let error = problem(&f.join(name));
        assert!(error.contains("not a regular file"), "{error}");
    }
    std::fs::remove_file(f.join("a/pipe.png")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(f.join("list.csv")).status().unwrap().success());
    assert!(problem(&f.join("list.csv")).contains("is a named pipe, not a regular file"));
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    images(f, "", &["a", "b"], 5);
    let odd = OsStr::from_bytes(b"\xff.png");
    std::fs::copy(f.join("a/0.png"), f.join("a").join(odd)).unwrap();
    assert_eq!(counts(&opened(f)), (9, None, 2));
    std::fs::create_dir(f.join(OsStr::from_bytes(b"\xff"))).unwrap();
    assert!(problem(f).contains("the name of a class has to be UTF-8"), "{}", problem(f));
}

#[cfg(unix)]
#[test]
fn files_in_two_parts_are_said() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    images(f, "train", &["a", "b"], 2);
    symlink(f.join("train"), f.join("test")).unwrap();
    notes(&opened(f), &["all 4 images of the test set can be found in the training set too"]);
    std::fs::remove_file(f.join("test")).unwrap();
    images(f, "test", &["a", "b"], 3);
    assert_eq!(opened(f).notes, [""; 0]);
    std::fs::hard_link(f.join("train/a/0.png"), f.join("test/a/linked.png")).unwrap();
    symlink(f.join("train/b/1.png"), f.join("test/b/linked.png")).unwrap();
    notes(&opened(f), &["2 of the 8 images of the test set can be found in the training set too"]);
    // Copies are found by what is in them.
    std::fs::remove_file(f.join("test/a/linked.png")).unwrap();
    std::fs::remove_file(f.join("test/b/linked.png")).unwrap();
    std::fs::copy(f.join("train/b/1.png"), f.join("test/b/copy.png")).unwrap();
    let parts = opened(f);
    let common = in_common(parts.train.as_ref(), parts.test.as_ref()).unwrap();
    assert_eq!((common, parts.test.file(6).unwrap().ends_with("copy.png")), (vec![(6, 3)], true));
}

fn idx(dims: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|dim| file.extend(dim.to_be_bytes()));
    file.extend(bytes);
    file
}

/// MNIST's four files; `name` makes the path of each.
fn digits(folder: &Path, name: impl Fn(&str) -> String) {
    for part in ["train", "t10k"] {
        write(folder, &name(&format!("{part}-images-idx3-ubyte")), &idx(&[2, 1, 1], &[7, 8]));
        write(folder, &name(&format!("{part}-labels-idx1-ubyte")), &idx(&[2], &[0, 9]));
    }
}

#[test]
fn files_of_digits_are_found_where_archives_put_them() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    // Kaggle: each file in a folder of its name; and folders of the names beside the files.
    digits(f, |name| format!("kaggle/{name}/{name}"));
    assert_eq!(counts(&opened(&f.join("kaggle"))), (2, None, 2));
    digits(f, |name| format!("kaggle/{}", name.replace("-idx", ".idx")));
    assert_eq!(counts(&opened(&f.join("kaggle"))), (2, None, 2));
    // torchvision.
    digits(f, |name| format!("torch/FashionMNIST/raw/{name}"));
    for kind in [DatasetKind::Auto, DatasetKind::FashionMnist] {
        let fashion = open(kind, Some(&f.join("torch")), 1).unwrap();
        assert_eq!(fashion.train.classes()[9], "Ankle boot");
        notes(&fashion, &["holds a dataset (fashion-mnist) in "]);
        assert_eq!(
            fashion.notes.join(" ").contains("is taken for Fashion-MNIST by its name"),
            kind == DatasetKind::Auto
        );
    }
    digits(f, |name| format!("torch/MNIST/raw/{name}"));
    assert!(problem(&f.join("torch")).contains("holds several datasets: "), "{}", problem(&f.join("torch")));
    assert_eq!(opened(&f.join("torch/MNIST")).train.classes()[9], "9");
    for (kind, name) in [(DatasetKind::Mnist, "9"), (DatasetKind::FashionMnist, "Ankle boot")] {
        assert_eq!(open(kind, Some(&f.join("torch")), 1).unwrap().train.classes()[9], name);
    }
    // Images one level below.
    images(f, "photos/set/train", &["a", "b"], 2);
    images(f, "photos/set/test", &["a", "b"], 1);
    // Folders within classes are no datasets of their own.
    images(f, "nested", &["a/more", "b/more"], 1);
    let error = problem(&f.join("nested"));
    assert!(error.contains("`a` has images only in folders below it"), "{error}");
    let parts = opened(&f.join("photos"));
    assert_eq!(counts(&parts), (4, None, 2));
    notes(&parts, &["holds a dataset (folder) in "]);
    // CIFAR in the form that is not read.
    for name in ["data_batch_1", "test_batch", "batches.meta"] {
        write(f, &format!("python/cifar-10-batches-py/{name}"), b"pickle");
    }
    assert!(problem(&f.join("python")).contains("take the binary form"), "{}", problem(&f.join("python")));
    write(f, "flat/1.png", b"x");
    write(f, "flat/labels.csv", b"x");
    let error = problem(&f.join("flat"));
    assert!(
        error.contains("it holds 1 image, but not in folders named after classes")
            && error.contains("labels.csv lists"),
        "{error}"
    );
}
