//! Training on the real digits, from the command line to the saved network and back.

mod common;

use common::ok;
use convnet::data::{Dataset, mnist};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn one_epoch_learns_the_digits() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let report = json(&ok(f, &["train", "lenet5", "--epochs", "1", "--json"]));
    let accuracy = report["test_accuracy"].as_f64().unwrap();
    assert!(accuracy >= 0.97, "{accuracy}");

    // The saved network is the trained one.
    let evaluation = json(&ok(f, &["eval", "--json"]));
    assert_eq!(evaluation["accuracy"].as_f64(), Some(accuracy));
    assert_eq!(evaluation["confusion"], report["confusion"]);

    // A digit as a user has it: an image file, also dark on bright and in another size.
    let test = mnist::bundled().unwrap().test;
    let digits: Vec<usize> =
        (0..10).map(|digit| (0..test.len()).find(|i| usize::from(test.labels[*i]) == digit).unwrap()).collect();
    let mut arguments = vec!["predict".to_string(), "lenet5".into(), "--json".into(), "--top".into(), "1".into()];
    for (digit, i) in digits.iter().enumerate() {
        let mut image = image::GrayImage::from_raw(28, 28, test.bytes(*i).to_vec()).unwrap();
        if digit % 2 == 1 {
            image::imageops::invert(&mut image);
            image = image::imageops::resize(&image, 56, 56, image::imageops::FilterType::Triangle);
        }
        image.save(f.join(format!("{digit}.png"))).unwrap();
        arguments.push(format!("{digit}.png"));
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let answers = json(&ok(f, &arguments));
    let right = |digit: &usize| answers[*digit]["classes"][0]["class"].as_str() == Some(digit.to_string().as_str());
    let found = (0..10).filter(right).count();
    assert!(found >= 9, "{answers:#}");
    assert_eq!((answers[0]["inverted"].as_bool(), answers[1]["inverted"].as_bool()), (Some(false), Some(true)));
}

#[test]
fn the_same_seed_gives_the_same_bytes_for_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let train = |name: &str, threads: &str, seed: &str| {
        let arguments = [
            "train",
            "--epochs",
            "1",
            "--limit",
            "2000",
            "--quiet",
            "--seed",
            seed,
            "--threads",
            threads,
            "--out",
            name,
        ];
        ok(folder.path(), &arguments);
        std::fs::read(folder.path().join(name)).unwrap()
    };
    let one = train("one", "1", "5");
    assert_eq!(train("two", "2", "5"), one);
    assert_eq!(train("three", "3", "5"), one);
    assert_ne!(train("other", "2", "6"), one);
}

#[test]
fn bench_and_parity() {
    let folder = tempfile::tempdir().unwrap();
    for mode in ["train", "infer"] {
        let report =
            json(&ok(folder.path(), &["bench", "lenet5", "--mode", mode, "--batch", "8", "--repeats", "3", "--json"]));
        assert!(report["median_ms"].as_f64().unwrap() > 0.0 && report["mode"] == mode, "{report}");
    }
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/lenet5.json");
    let comparisons = json(&ok(folder.path(), &["parity", golden, "--json"]));
    let comparisons = comparisons.as_array().unwrap();
    // Engine, portable, and portable in double precision, each in evaluation and in training.
    assert_eq!(comparisons.len(), 6);
    for comparison in comparisons {
        assert_eq!(comparison["passed"], true, "{comparison}");
        let double = comparison["executor"] == "double";
        assert!(!double || comparison["gradients"].as_f64().unwrap() < 1e-12, "{comparison}");
        // Far below the limits, which are made for networks of a hundred layers.
        assert!(comparison["gradients"].as_f64().unwrap() < 1e-5, "{comparison}");
    }
    // Residual connections, batch statistics and running buffers.
    let resnet = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/resnet20_cifar.json");
    let comparisons = json(&ok(folder.path(), &["parity", resnet, "--json"]));
    for comparison in comparisons.as_array().unwrap() {
        assert!(comparison["gradients"].as_f64().unwrap() < 1e-4, "{comparison}");
    }
    // One wrong number is found.
    let text = std::fs::read_to_string(golden).unwrap();
    let start = text.find("\"loss\":").unwrap();
    std::fs::write(folder.path().join("wrong.json"), format!("{}\"loss\":9{}", &text[..start], &text[start + 8..]))
        .unwrap();
    common::fails(folder.path(), &["parity", "wrong.json"], 1, &["comparisons failed"]);
}
