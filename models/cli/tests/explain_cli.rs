//! `convnet explain` and `convnet filter` as a user runs them, and as a user gets them wrong.

#[path = "../../../runtime/tests/common/browser.rs"]
mod browser;
mod common;

use common::{convnet, fails, ok};
use std::path::Path;

/// A folder with a LeNet-5 that has seen some digits, and three images.
fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    ok(folder.path(), &["train", "lenet5", "--epochs", "1", "--limit", "6400", "--quiet"]);
    let digit = image::GrayImage::from_fn(28, 28, |x, y| {
        image::Luma([if (12..16).contains(&x) && (4..24).contains(&y) { 255 } else { 0 }])
    });
    digit.save(folder.path().join("one.png")).unwrap();
    image::RgbImage::from_fn(60, 40, |x, y| image::Rgb([x as u8 * 4, y as u8 * 6, 90]))
        .save(folder.path().join("photo.png"))
        .unwrap();
    std::fs::write(folder.path().join("torn.png"), b"\x89PNG\r\n\x1a\nnothing").unwrap();
    folder
}

fn files(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut files: Vec<String> = std::fs::read_dir(folder).unwrap().map(name).collect();
    files.sort();
    files
}

#[test]
fn everything_is_explained_on_one_page() {
    let folder = prepared();
    ok(folder.path(), &["explain", "--image", "one.png", "--limit", "300", "--steps", "40"]);
    let out = folder.path().join("explained");
    let page = out.join("index.html");
    let text = std::fs::read_to_string(&page).unwrap();
    let methods = [
        "filters",
        "activations",
        "sparsity",
        "gradient",
        "gradient-input",
        "smooth-grad",
        "integrated",
        "grad-cam",
        "occlusion",
        "deconvnet",
        "guided",
        "maximise",
        "invert",
        "neighbours",
        "dissect",
        "tcav",
        "field",
        "invariance",
    ];
    for method in methods {
        assert!(
            text.contains(&format!("<section id=\"{method}\">")) && text.contains(&format!("href=\"#{method}\"")),
            "{method}"
        );
    }
    assert_eq!(text.matches("<img ").count(), text.matches("alt=\"").count());
    for part in ["src=\"http", "href=\"http", "url(http", "@import", "<script", "NaN", "alt=\"\""] {
        assert!(!text.contains(part), "{part}");
    }
    // In one column, two thirds empty, it was 9,000 pixels.
    if let Some([_, height]) = browser::is_legible(&page) {
        assert!(height < 5900.0, "{height}");
    }
    if let Some([(light, bright), (dark, dim)]) = browser::looks_at(&page) {
        assert!(light > 0.03 && dark > 0.03, "an empty page: {light} {dark}");
        assert!(bright > 200 && dim < 60, "light and dark are {bright} and {dim}");
    }
    // Numbers beside images, which other programs can read.
    let found = files(&out);
    for name in
        ["gradient-one-signed.png", "gradient.npz", "grad-cam-one-cam.png", "maximise-class-7.png", "sparsity.npz"]
    {
        assert!(found.iter().any(|file| file == name), "{name} is not among {found:?}");
    }
    let map = convnet::weights::read(&out.join("gradient.npz")).unwrap();
    assert_eq!(map.entries[0].shape, [1, 28, 28]);
    let image = image::open(out.join("gradient-one-signed.png")).unwrap();
    assert_eq!((image.width(), image.height()), (140, 140));
}

#[test]
fn one_method_answers_to_its_options() {
    let folder = prepared();
    let run = |arguments: &[&str]| ok(folder.path(), &[&["explain"], arguments].concat());
    run(&["deconvnet", "--index", "3", "--layer", "conv2", "--channel", "3", "--out", "a"]);
    let page = std::fs::read_to_string(folder.path().join("a/index.html")).unwrap();
    assert!(page.contains("conv2, channel 3, strongest unit, deconvnet") && page.contains("guided"));
    assert_eq!(files(&folder.path().join("a")).len(), 6, "{:?}", files(&folder.path().join("a")));
    run(&["field", "--layer", "conv2", "--at", "0,0", "--out", "b"]);
    assert!(std::fs::read_to_string(folder.path().join("b/index.html")).unwrap().contains("it can see 12x12 pixels"));
    // The same seed gives the same bytes.
    for out in ["c", "d"] {
        run(&["maximise", "--class", "4", "--steps", "20", "--seed", "9", "--out", out]);
    }
    let bytes = |out: &str| std::fs::read(folder.path().join(out).join("maximise-class-4.png")).unwrap();
    assert!(bytes("c") == bytes("d"));
    // Concepts with masks.
    for (concept, left) in [("left", true), ("right", false)] {
        for kind in ["images", "masks"] {
            let inner = folder.path().join("concepts").join(concept).join(kind);
            std::fs::create_dir_all(&inner).unwrap();
            for i in 0..8_u32 {
                let bar = |x: u32, y: u32| {
                    (if left { 4 } else { 18 }..).take(5).any(|bar| bar == x) && (i..i + 18).contains(&y)
                };
                let image = image::GrayImage::from_fn(28, 28, |x, y| image::Luma([if bar(x, y) { 250 } else { 0 }]));
                image.save(inner.join(format!("{i}.png"))).unwrap();
            }
        }
    }
    let table = run(&["dissect", "--concepts", "concepts", "--layer", "conv1"]);
    assert!(table.contains("left") && table.contains("right") && table.contains("0."), "{table}");
    std::fs::remove_file(folder.path().join("concepts/left/masks/3.png")).unwrap();
    fails(folder.path(), &["explain", "dissect", "--concepts", "concepts"], 1, &["3.png", "has no mask"]);
}

#[test]
fn mistakes_get_a_clear_answer() {
    let folder = prepared();
    let fails = |arguments: &[&str], expected: &[&str]| {
        fails(folder.path(), &[&["explain"], arguments].concat(), 1, expected);
    };
    fails(
        &["gradient", "--layer", "conv3"],
        &["LeNet5 has no layer `conv3`", "did you mean `conv", "it has conv1, 1, 2"],
    );
    fails(
        &["grad-cam", "--layer", "fc1"],
        &["Grad-CAM needs a feature map", "`fc1` gives a vector [120]", "try conv1"],
    );
    fails(&["filters", "--layer", "fc2"], &["`fc2` is a linear", "try conv1, conv2"]);
    fails(&["guided", "--layer", "conv1", "--channel", "1"], &["rectifiers", "gradient"]);
    fails(&["activations", "--image", "none.png"], &["none.png"]);
    fails(&["activations", "--image", "torn.png"], &["torn.png"]);
    fails(&["gradient", "--image", "photo.png", "--strict"], &["photo.png: is 40x60 in 3 colours", "28x28 in grey"]);
    fails(&["maximise", "--layer", "conv2", "--channel", "16"], &["channel 16 of `conv2`", "0 to 15"]);
    fails(&["field", "--layer", "conv2", "--at", "10,0"], &["row 10 of `conv2`", "0 to 9"]);
    fails(&["gradient", "--class", "eleven"], &["no class is called `eleven`", "0, 1, 2"]);
    fails(&["gradient", "--index", "10000"], &["10000 images"]);
    fails(&["occlusion", "--patch", "40"], &["patch", "fit into the image"]);
    fails(&["gradient", "lenet5", "--weights", "none.safetensors"], &["none.safetensors"]);
    fails(&["gradient", "vgg11"], &["vgg11.safetensors", "--weights"]);
    fails(&["gradient", "--out", "one.png"], &["one.png"]);
    // What was resized is said, and what does not fit is not done.
    let note = convnet(folder.path(), &["explain", "gradient", "--image", "photo.png"]);
    let note = String::from_utf8(note.stderr).unwrap();
    assert!(note.contains("note: photo.png is 40x60 in 3 colours, brought to 28x28 in grey"), "{note}");
    common::fails(folder.path(), &["explain", "gradiant"], 2, &["gradient"]);
    common::fails(folder.path(), &["explain", "field", "--at", "3"], 2, &["row and a column"]);
}

#[test]
fn filters_made_by_hand_find_edges() {
    let folder = prepared();
    let said = ok(folder.path(), &["filter", "one.png", "--kernel", "1 -1", "--out", "edges.png"]);
    assert!(said.contains("28x27 pixels from a 1x2 filter, values from -1.000 to 1.000"), "{said}");
    let edges = image::open(folder.path().join("edges.png")).unwrap().to_rgb8();
    // Blue where the bar begins, red where it ends.
    let ([r, _, b], [red, _, blue]) = (edges.get_pixel(11, 10).0, edges.get_pixel(15, 10).0);
    assert!(b > r && red > blue, "{r} {b} {red} {blue}");
    let said = ok(folder.path(), &["filter", "photo.png", "--kernel", "-1 0 1; -2 0 2; -1 0 1", "--pad", "--colour"]);
    assert!(said.contains("40x60 pixels from a 3x3 filter"), "{said}");
    let constant = ok(folder.path(), &["filter", "one.png", "--kernel", "0"]);
    assert!(constant.contains("0 everywhere"), "{constant}");
    fails(folder.path(), &["filter", "one.png", "--kernel", "1 2; 3"], 1, &["rows of 2, 1 numbers"]);
    fails(folder.path(), &["filter", "torn.png", "--kernel", "1"], 1, &["torn.png"]);
    fails(folder.path(), &["filter", "one.png", "--kernel", &"1 ".repeat(40)], 1, &["1x40", "larger than the image"]);
}

#[test]
fn the_folder_has_the_files_of_the_last_run_and_no_other() {
    let folder = prepared();
    let run = |arguments: &[&str]| ok(folder.path(), &[&["explain"], arguments].concat());
    run(&["gradient", "--index", "3", "--out", "a"]);
    std::fs::write(folder.path().join("a/notes.txt"), "mine").unwrap();
    run(&["grad-cam", "--index", "5", "--out", "a"]);
    let expected =
        ["files.txt", "grad-cam-image-5-cam.png", "grad-cam-image-5.png", "grad-cam.npz", "index.html", "notes.txt"];
    assert_eq!(files(&folder.path().join("a")), expected);
    // What a layer is called is what --layer takes, and each map has a bar of its colours.
    let page = std::fs::read_to_string(folder.path().join("a/index.html")).unwrap();
    assert!(page.contains("at layer 4 (relu): bright is") && page.matches("class=\"bar\"").count() == 1, "{page}");
    let table = run(&["sparsity", "--limit", "64", "--out", "b"]);
    assert!(table.contains("depth  layer  kind") && table.contains("\n2      4      relu"), "{table}");
}

#[test]
fn a_preview_shows_what_mixing_does() {
    let folder = tempfile::tempdir().unwrap();
    let preview = |augment: &str, out: &str| {
        let arguments =
            ["data", "preview", "--images", "4", "--draws", "3", "--seed", "5", "--augment", augment, "--out", out];
        let said = ok(folder.path(), &arguments);
        (said, image::open(folder.path().join(out)).unwrap().to_rgb8())
    };
    let ((_, plain), (said, mixed)) = (preview("flip(0)", "a.png"), preview("mixup(5)", "b.png"));
    assert!(
        said.contains("b.png: 4 images in rows, each as it is and in 3 random draws with seed 5; images are mixed"),
        "{said}"
    );
    // The first column is as it was, the others are not.
    let (cell, gap) = ((plain.width() - 3) / 4, 3);
    let column = |sheet: &image::RgbImage, i: u32| {
        image::imageops::crop_imm(sheet, gap + i * cell, 0, cell - gap, sheet.height()).to_image()
    };
    assert_eq!(column(&plain, 0), column(&mixed, 0));
    assert!((1..4).all(|i| column(&plain, i) != column(&mixed, i)));
}
