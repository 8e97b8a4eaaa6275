//! The program with bad input: each is one clear error that names what is at fault, and an exit code that is not zero.

mod common;

use common::{convnet, fails, ok};
use convnet::prelude::*;
use convnet::weights::{DType, Format, StateDict, encode};
use convnet::weights::{Metadata, save};
use convnet_models::LeNet5;
use std::path::Path;

cnn! {
    /// Not LeNet-5.
    pub struct Other: [1, 28, 28] -> [10] {
        conv1: conv(6, kernel = 3);
        conv3: conv(6, kernel = 3);
        flatten;
        fc3: linear(10);
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn weights(folder: &Path) {
    let net = Cpu::default().build_module::<LeNet5, f32>();
    save(&net, &folder.join("lenet5.safetensors"), &Metadata::new()).unwrap();
}

#[test]
fn shells_and_man_know_every_command() {
    let folder = folder();
    for shell in ["bash", "zsh", "fish"] {
        let script = ok(folder.path(), &["completions", shell]);
        assert!(["train", "predict", "early-stop", "weights"].iter().all(|word| script.contains(word)), "{script}");
    }
    let page = ok(folder.path(), &["man"]);
    assert!(page.contains(".TH convnet 1") && page.contains("train") && page.contains("Exit codes"), "{page}");
    let page = ok(folder.path(), &["man", "train"]);
    assert!(page.contains("convnet\\-train") && page.contains("early"), "{page}");
    fails(folder.path(), &["man", "trian"], 1, &["no command is called `trian`; did you mean `train`?"]);
}

#[test]
fn help_and_facts() {
    let folder = folder();
    let help = ok(folder.path(), &["--help"]);
    for word in [
        "train", "eval", "predict", "data", "models", "summary", "check", "diagram", "convert", "devices", "bench",
        "parity",
    ] {
        assert!(help.contains(word), "{help}");
        assert!(ok(folder.path(), &[word, "--help"]).contains("Usage:"));
    }
    assert_eq!(ok(folder.path(), &["--version"]), concat!("convnet ", env!("CARGO_PKG_VERSION"), "\n"));
    // A count of one has a singular, and where there is no terminal each epoch is one line.
    let output = convnet(folder.path(), &["train", "--epochs", "1", "--limit", "64"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("64 training images, ") && said.contains(", 1 epoch of 1 step\n"), "{said}");
    assert_eq!(said.matches("epoch 1/1  loss ").count(), 1, "{said}");
    let summary = ok(folder.path(), &["summary"]);
    assert!(summary.contains("LeNet5: 61,706 parameters, 416,520 MACs, receptive field 16x16"), "{summary}");
    let json: serde_json::Value = serde_json::from_str(&ok(folder.path(), &["summary", "lenet5", "--json"])).unwrap();
    assert_eq!((json["parameters"].as_u64(), json["layers"].as_array().map(Vec::len)), (Some(61_706), Some(13)));
    let models: serde_json::Value = serde_json::from_str(&ok(folder.path(), &["models", "--json"])).unwrap();
    let names: Vec<&str> = models.as_array().unwrap().iter().filter_map(|model| model["name"].as_str()).collect();
    assert!(names.iter().eq(convnet_models::CATALOGUE.iter().map(|entry| &entry.name)));
    let want = serde_json::json!({
        "name": "lenet5", "paper": convnet_models::CATALOGUE[0].paper,
        "input": [1, 28, 28], "classes": 10, "parameters": 61_706,
    });
    assert_eq!(models[0], want);
    let listed = ok(folder.path(), &["models"]);
    assert_eq!(listed.lines().count(), names.len() + 1);
    assert!(listed.contains("resnet152        [3, 224, 224]     1000     60192808\n"), "{listed}");
    let devices: serde_json::Value = serde_json::from_str(&ok(folder.path(), &["devices", "--json"])).unwrap();
    assert_eq!((devices[0]["name"].as_str(), devices[0]["usable"].as_bool()), (Some("cpu"), Some(true)));
}

#[test]
fn options_that_make_no_sense() {
    let folder = folder();
    let f = folder.path();
    fails(f, &["train", "lenet6"], 1, &["no network is called `lenet6`; did you mean `lenet5`?"]);
    fails(f, &["train", "--batch", "0"], 1, &["batch is 0; it must be from 1 to"]);
    fails(f, &["train", "--batch", "x"], 2, &["--batch"]);
    fails(f, &["train", "--epochs", "0"], 1, &["epochs is 0; it must be at least 1"]);
    fails(f, &["bench", "--batch", "0"], 2, &["--batch"]);
    fails(f, &["train", "--lr", "0"], 1, &["lr is 0; it must be a number above 0"]);
    fails(f, &["train", "--lr", "nan"], 1, &["lr is NaN"]);
    fails(f, &["train", "--momentum", "1"], 1, &["momentum is 1"]);
    fails(f, &["train", "--optimizer", "lion"], 1, &["--optimizer is `lion`; it must be sgd, adam, adamw or rmsprop"]);
    fails(f, &["train", "--augment", "flop"], 1, &["did you mean `flip`"]);
    fails(f, &["train", "--freeze", "conv9"], 1, &["freeze is `conv9`", "conv1.weight"]);
    fails(f, &["train", "--normalisation", "nist"], 1, &["--normalisation is `nist`", "did you mean `mnist`?"]);
    fails(f, &["train", "--resume"], 1, &["there is no run in runs/lenet5"]);
    std::fs::write(f.join("bad.toml"), "epochs = 3\nlearning_rate = 0.1\n").unwrap();
    fails(f, &["train", "--config", "bad.toml"], 1, &["bad.toml: no option is called `learning_rate`"]);
    std::fs::write(f.join("bad.toml"), "optimiser = \"sgd\"\n").unwrap();
    fails(f, &["train", "--config", "bad.toml"], 1, &["did you mean `optimizer`?"]);
    std::fs::write(f.join("bad.toml"), "lr = \"high\"\n").unwrap();
    fails(f, &["train", "--config", "bad.toml"], 1, &["bad.toml: lr is \"high\"; it must be a number"]);
    std::fs::write(f.join("bad.toml"), "optimizer = \"adma\"\n").unwrap();
    fails(f, &["train", "--config", "bad.toml"], 1, &["bad.toml: optimizer is `adma`; it must be sgd, adam"]);
    fails(
        f,
        &["train", "--dataset", "minst"],
        1,
        &["there is no `minst`; it must be auto, mnist", "did you mean `mnist`?"],
    );
    fails(f, &["train", "--config", "none.toml"], 1, &["cannot read none.toml"]);
    fails(f, &["train", "--device", "gpu"], 2, &["unknown device `gpu`; expected auto, cpu, cuda or cuda:N"]);
    fails(f, &["train", "--device", "cud"], 2, &["did you mean `cuda`?"]);
    fails(f, &["train", "--precision", "fats"], 2, &["fast, exact"]);
    fails(f, &["frobnicate"], 2, &["frobnicate"]);
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_is_not_compiled_in() {
    let folder = folder();
    let expected = ["cuda:1 is not compiled into this program", "cargo build --release --features cuda"];
    fails(folder.path(), &["train", "--device", "cuda:1"], 1, &expected);
    assert!(ok(folder.path(), &["devices"]).contains("cuda:0: NVIDIA GPU; not usable"));
}

#[test]
fn data_that_is_not_there_or_not_data() {
    let folder = folder();
    let f = folder.path();
    fails(f, &["train", "--data", "nowhere"], 1, &["nowhere: "]);
    std::fs::create_dir(f.join("empty")).unwrap();
    fails(
        f,
        &["train", "--data", "empty"],
        1,
        &["empty: holds no dataset; looked for MNIST's files (train-images-idx3-ubyte"],
    );
    std::fs::create_dir(f.join("garbage")).unwrap();
    for name in
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
    {
        std::fs::write(f.join("garbage").join(name), "this is not MNIST").unwrap();
    }
    fails(
        f,
        &["train", "--data", "garbage"],
        1,
        &["garbage/train-images-idx3-ubyte: the magic number", "not an IDX file"],
    );
    // Folders of images, one class of which is alone, or has no images.
    std::fs::create_dir_all(f.join("one/cats")).unwrap();
    fails(
        f,
        &["train", "--data", "one"],
        1,
        &["one: has folders without an image that can be read", "`cats` is empty"],
    );
    image::GrayImage::new(4, 4).save(f.join("one/cats/a.png")).unwrap();
    image::GrayImage::new(4, 4).save(f.join("one/cats/b.png")).unwrap();
    fails(f, &["train", "--data", "one"], 1, &["one: has one class (`cats`)"]);
    std::fs::create_dir_all(f.join("one/dogs")).unwrap();
    image::GrayImage::new(4, 4).save(f.join("one/dogs/a.png")).unwrap();
    image::GrayImage::new(4, 4).save(f.join("one/dogs/b.png")).unwrap();
    fails(f, &["train", "--data", "one", "--classes", "10"], 1, &["has 2 classes, but LeNet5 has 10 outputs"]);
}

#[test]
fn files_that_are_not_of_the_dataset_that_they_are_named_after() {
    let folder = folder();
    let f = folder.path();
    std::fs::create_dir_all(f.join("cifar")).unwrap();
    std::fs::create_dir_all(f.join("empty")).unwrap();
    for name in [
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
        "test_batch.bin",
    ] {
        std::fs::write(f.join("cifar").join(name), [0; 100]).unwrap();
    }
    let expected = ["cifar/data_batch_1.bin: the end at byte 100", "a multiple of 3073 bytes"];
    fails(f, &["train", "resnet20", "--data", "cifar"], 1, &expected);
    let mut record = vec![0; 3073];
    record[0] = 10;
    std::fs::write(f.join("cifar/data_batch_1.bin"), record).unwrap();
    fails(
        f,
        &["train", "resnet20", "--data", "cifar"],
        1,
        &["a label at byte 0: expected a class from 0 to 9, found 10"],
    );
    fails(f, &["data", "info", "--dataset", "emnist", "--data", "empty"], 1, &["no part of EMNIST here"]);
}

#[test]
fn weights_that_do_not_fit() {
    let folder = folder();
    let f = folder.path();
    fails(f, &["eval"], 1, &["cannot read lenet5.safetensors"]);
    std::fs::write(f.join("garbage.safetensors"), "not weights").unwrap();
    fails(f, &["eval", "--weights", "garbage.safetensors"], 1, &["garbage.safetensors: not a weights file"]);
    let other = Cpu::default().build_module::<Other, f32>();
    save(&other, &f.join("other.safetensors"), &Metadata::new()).unwrap();
    let expected = [
        "other.safetensors does not fit LeNet5",
        "missing: conv2.weight, conv2.bias, fc1.weight",
        "not in the network: conv3.bias, conv3.weight",
        "wrong shape: conv1.weight (expected [6, 1, 5, 5], found [6, 1, 3, 3])",
    ];
    fails(f, &["eval", "--weights", "other.safetensors"], 1, &expected);
}

#[test]
fn images_that_cannot_be_read() {
    let folder = folder();
    let f = folder.path();
    weights(f);
    let good = image::GrayImage::from_fn(28, 28, |x, _| image::Luma([if (12..16).contains(&x) { 255 } else { 0 }]));
    good.save(f.join("good.png")).unwrap();
    let bytes = std::fs::read(f.join("good.png")).unwrap();
    std::fs::write(f.join("cut.png"), &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(f.join("text.png"), "not an image").unwrap();
    let error =
        fails(f, &["predict", "missing.png", "text.png", "cut.png"], 1, &["there is no answer for 3 of the images"]);
    for name in ["missing.png: ", "text.png: is no PNG or JPEG file", "cut.png: "] {
        assert!(error.contains(name), "{error}");
    }
    // The others are predicted all the same.
    let output = convnet(f, &["predict", "lenet5", "text.png", "good.png", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((json[0]["image"].as_str(), json[0]["classes"].as_array().map(Vec::len)), (Some("good.png"), Some(3)));
    fails(f, &["predict", "lenet5"], 1, &["no image given"]);
}

#[test]
fn golden_files_that_are_none() {
    let folder = folder();
    let f = folder.path();
    std::fs::write(f.join("broken.json"), "{\"model\": \"lenet5\",").unwrap();
    std::fs::write(f.join("vgg.json"), r#"{"model":"vgg99","seed":1,"input_shape":[2,3,4,4],"targets":[3,7],"keys":{},"eval":{"logits_first8":[],"logits_absmax":1,"loss":1,"grads":{}},"train":{"logits_first8":[],"logits_absmax":1,"loss":1,"grads":{}}}"#).unwrap();
    let error = fails(f, &["parity", "broken.json", "vgg.json", "none.json"], 1, &["3 files could not be compared"]);
    for expected in
        ["broken.json: not a golden file", "line 1 column", "vgg.json: no network is called `vgg99`", "none.json: "]
    {
        assert!(error.contains(expected), "{error}");
    }
}

/// A limit on the size of files stands in for a full disk: the write fails half way.
#[cfg(unix)]
#[test]
fn a_full_disk_while_saving() {
    let folder = folder();
    let f = folder.path();
    weights(f);
    let before = std::fs::read(f.join("lenet5.safetensors")).unwrap();
    // 100 blocks of 512 or 1,024 bytes, less than the 247 KB of the weights; the signal would end the process.
    let script = format!(
        "trap '' XFSZ; ulimit -f 100; exec '{}' train --limit 64 --epochs 1 --quiet --out lenet5.safetensors",
        env!("CARGO_BIN_EXE_convnet")
    );
    let output = std::process::Command::new("sh").args(["-c", &script]).current_dir(f).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("error: cannot write runs/lenet5/") && !error.contains("panicked"), "{error}");
    assert_eq!(std::fs::read(f.join("lenet5.safetensors")).unwrap(), before, "the old file was harmed");
    let left = |folder: &str| {
        let entries = std::fs::read_dir(f.join(folder)).unwrap().map(|entry| entry.unwrap().file_name().into_string());
        entries.collect::<Result<Vec<_>, _>>().unwrap()
    };
    let temporary = |name: &String| name.contains("tmp");
    assert!(!left("runs/lenet5").iter().any(temporary), "a temporary file was left behind");
    assert!(left("runs/lenet5/checkpoints").is_empty());
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_error() {
    let folder = folder();
    let script = format!("'{}' summary | head -1; exit ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_convnet"));
    let output = std::process::Command::new("bash").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn diagrams_are_written() {
    let folder = folder();
    let said = ok(folder.path(), &["diagram", "googlenet", "--out", "images"]);
    assert_eq!(said.lines().collect::<Vec<_>>(), ["images/googlenet.svg", "images/googlenet.mmd"]);
    let read = |name: &str| std::fs::read_to_string(folder.path().join("images").join(name)).unwrap();
    let (svg, mermaid) = (read("googlenet.svg"), read("googlenet.mmd"));
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && svg.contains("inception4e"));
    assert!(mermaid.contains("flowchart TD") && mermaid.contains("inception4e"));
    std::fs::write(folder.path().join("taken"), "").unwrap();
    fails(folder.path(), &["diagram", "lenet5", "--out", "taken"], 1, &["cannot make the folder taken"]);
    fails(folder.path(), &["diagram", "lenet9"], 1, &["no network is called `lenet9`"]);
}

#[test]
fn weights_change_their_format() {
    let folder = folder();
    let f = folder.path();
    weights(f);
    let before = std::fs::read(f.join("lenet5.safetensors")).unwrap();
    let said = ok(f, &["convert", "lenet5.safetensors", "lenet5.npz", "--model", "lenet5"]);
    assert!(said.contains("10 tensors (10 F32), 61706 numbers"), "{said}");
    ok(f, &["convert", "lenet5.npz", "again.safetensors", "--json"]);
    let bytes = |name: &str| convnet::weights::read(&f.join(name)).unwrap().entries;
    assert_eq!(bytes("again.safetensors"), bytes("lenet5.safetensors"));
    // Whatever the types are: for a network, too, and in its order.
    let mut entries = bytes("lenet5.npz");
    entries.reverse();
    for entry in &mut entries {
        let elements = entry.bytes.len() / 4;
        (entry.dtype, entry.bytes) = match entry.name.as_str() {
            // Numbers that single precision does not have, and the bits of a NaN.
            "conv1.bias" => (DType::F64, [0.1_f64, 1e300, -0.0, 1.0 / 3.0, 5e-324, 2.0].map(f64::to_le_bytes).concat()),
            "conv1.weight" => (DType::F16, [0x01, 0x7D].repeat(elements)),
            _ => (entry.dtype, entry.bytes.clone()),
        };
    }
    let mixed = StateDict { entries, ..StateDict::default() };
    std::fs::write(f.join("mixed.npz"), encode(&mixed, Format::Npz).unwrap()).unwrap();
    ok(f, &["convert", "mixed.npz", "mixed.safetensors", "--model", "lenet5"]);
    ok(f, &["convert", "mixed.safetensors", "ordered.npz", "--model", "lenet5"]);
    let mut ordered = mixed.entries;
    ordered.reverse();
    assert_eq!(bytes("ordered.npz"), ordered);
    fails(f, &["convert", "lenet5.npz", "x.pt"], 1, &["PyTorch files are read, not written"]);
    fails(f, &["convert", "lenet5.npz", "x"], 1, &["x: the name has to end in .safetensors or .npz"]);
    fails(f, &["convert", "missing.pt", "x.npz"], 1, &["cannot read missing.pt"]);
    fails(
        f,
        &["convert", "lenet5.npz", "x.npz", "--model", "nin"],
        1,
        &["lenet5.npz does not fit Nin:", "missing: mlpconv1.0.weight"],
    );
    std::fs::write(f.join("bad.pt"), b"PK\x03\x04 and no more").unwrap();
    fails(f, &["convert", "bad.pt", "lenet5.safetensors"], 1, &["bad.pt: not a valid zip file"]);
    assert_eq!(std::fs::read(f.join("lenet5.safetensors")).unwrap(), before, "a failure harmed what was there");
    // Weights of another network, for a start: what does not fit stays random.
    fails(f, &["train", "--allow-missing"], 2, &["--weights"]);
    fails(
        f,
        &["train", "nin", "--weights", "lenet5.npz", "--allow-missing"],
        1,
        &["does not fit Nin:", "not in the network: conv1.weight, conv1.bias"],
    );
}
