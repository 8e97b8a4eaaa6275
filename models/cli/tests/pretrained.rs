//! Weights of others, which say nothing but their tensors, used as they were meant to be.

mod common;

use common::{convnet, fails, ok};
use convnet::data::fit::Fit;
use convnet::data::{Normalisation, Preparation};
use convnet::net::DynNetwork;
use convnet::prelude::*;
use convnet::train::predict;
use convnet::weights::{self, Entry, Format, StateDict};
use convnet_models::pretrained;
use image::{Rgb, RgbImage};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// A picture whose middle depends on the size that it is resized to.
fn picture(path: &Path) {
    let wave = |x: u32, y: u32, c: u32| ((x * x / 90 + y * (c + 3) / 2 + x * y / 40) % 256) as u8;
    RgbImage::from_fn(300, 200, |x, y| Rgb([0, 1, 2].map(|c| wave(x, y, c)))).save(path).unwrap();
}

/// A state dict as PyTorch writes it, of the smallest of torchvision's networks, and what its most likely classes are in the picture.
fn foreign(f: &Path, resize: usize) -> (StateDict, Vec<(String, f32)>) {
    let graph = convnet_models::find("squeezenet1_1").unwrap().graph;
    let device = Cpu::seed_from_u64(5);
    let mut net = DynNetwork::<f32, Cpu>::build(Arc::new(graph.clone()), &device).unwrap();
    let mut dict = weights::state_dict(&net).unwrap();
    // Large enough that the image decides, and not the biases.
    for entry in dict.entries.iter_mut().filter(|entry| entry.name.ends_with("weight")) {
        let larger: Vec<f32> = entry.to_f32().unwrap().iter().map(|x| x * 2.5).collect();
        *entry = Entry::from_f32(entry.name.clone(), &entry.shape, &larger);
    }
    weights::set(&mut net, &dict).unwrap();
    let normalisation = Normalisation { mean: vec![0.485, 0.456, 0.406], std: vec![0.229, 0.224, 0.225] };
    let plain = Preparation::plain([3, 224, 224], Fit::Crop, normalisation);
    let preparation = Preparation { resize: Some(resize), ..plain };
    let pixels = preparation.read(&f.join("picture.png")).unwrap();
    let names = pretrained::classes(graph).unwrap();
    let top = predict(&mut net, &device, &pixels).unwrap()[0].top(3);
    (dict, top.into_iter().map(|(class, probability)| (names[class].clone(), probability)).collect())
}

/// Runs the program, which succeeds: standard output as JSON, and standard error.
fn said(f: &Path, arguments: &[&str]) -> (Value, String) {
    let output = convnet(f, arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {error}");
    (serde_json::from_slice(&output.stdout).unwrap(), error)
}

fn same(answer: &Value, expected: &[(String, f32)]) {
    let classes = answer["classes"].as_array().unwrap();
    assert_eq!(classes.len(), expected.len());
    for (class, (name, probability)) in classes.iter().zip(expected) {
        let found = class["probability"].as_f64().unwrap();
        assert!(class["class"] == name.as_str() && (found - f64::from(*probability)).abs() < 1e-6, "{answer} {name}");
    }
}

const PREPARED: &str = "does not say how its images were prepared nor what its classes are called; ImageNet's preparation as torchvision does it is \
                        used: the shorter side resized to 256, the middle of 224x224, mean 0.485, 0.456, 0.406, deviation 0.229, 0.224, \
                        0.225, and ImageNet's names are used";

#[test]
fn a_state_dict_without_a_word_is_prepared_for_and_named_as_torchvision_does() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    picture(&f.join("picture.png"));
    let (dict, expected) = foreign(f, 256);
    weights::write(&dict, &f.join("squeezenet1_1.safetensors"), Format::Safetensors).unwrap();
    let network = ["squeezenet1_1", "picture.png", "--json"];
    let (answer, note) = said(f, &[&["predict"], &network[..]].concat());
    same(&answer[0], &expected);
    assert_eq!(note, format!("note: squeezenet1_1.safetensors {PREPARED}\n"));
    // torchvision's second weights of some networks want another size.
    let (answer, note) = said(f, &[&["predict", "--resize", "232"], &network[..]].concat());
    assert!(note.contains("the shorter side resized to 232, "), "{note}");
    same(&answer[0], &foreign(f, 232).1);
    let changed = answer[0]["classes"][2]["probability"].as_f64().unwrap() - f64::from(expected[2].1);
    assert!(changed.abs() > 1e-3, "{answer} {expected:?}");
    let arguments = [&["predict", "--resize", "10"], &network[..]].concat();
    fails(f, &arguments, 1, &["--resize: 10; it must be a whole number of pixels from 224 to 1792"]);
    // Evaluation sees the same image and the same names: of two classes one is the network's answer.
    for name in [expected[0].0.as_str(), expected[2].0.as_str()] {
        for part in ["train", "test"] {
            let class = f.join("data").join(part).join(name);
            std::fs::create_dir_all(&class).unwrap();
            std::fs::copy(f.join("picture.png"), class.join("1.png")).unwrap();
        }
    }
    let (evaluation, note) = said(f, &["eval", "squeezenet1_1", "--data", "data", "--json"]);
    assert!(
        note.contains(PREPARED) && note.contains("has 2 of the network's 1000 classes; they are matched"),
        "{note}"
    );
    assert_eq!((evaluation["images"].as_u64(), evaluation["accuracy"].as_f64()), (Some(2), Some(0.5)));
    let arguments = ["--image", "picture.png", "--layer", "features.0", "--out", "seen"];
    let explained = convnet(f, &[&["explain", "activations", "squeezenet1_1"], &arguments[..]].concat());
    assert!(String::from_utf8(explained.stderr).unwrap().contains(PREPARED));
}

#[test]
fn what_weights_say_goes_before_what_is_likely() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    picture(&f.join("picture.png"));
    let (mut dict, expected) = foreign(f, 300);
    let numbers =
        [("mean", "0.485,0.456,0.406"), ("std", "0.229,0.224,0.225"), ("resize", "300"), ("format", "convnet")];
    dict.metadata.extend(numbers.map(|(key, value)| (key.to_string(), value.to_string())));
    let write = |dict: &StateDict| weights::write(dict, &f.join("own.safetensors"), Format::Safetensors).unwrap();
    write(&dict);
    let arguments = ["predict", "squeezenet1_1", "picture.png", "--weights", "own.safetensors", "--json"];
    let (answer, note) = said(f, &arguments);
    same(&answer[0], &expected);
    let whole = "note: own.safetensors does not say what its classes are called; ImageNet's names are used\n";
    assert_eq!(note, whole);
    for (key, value, expected) in [
        ("resize", "0", "expected a whole number of pixels from 224 to 1792"),
        ("resize", "-256", "from 224 to 1792"),
        ("resize", "223", "from 224 to 1792"),
        ("resize", "1e9", "from 224 to 1792"),
        ("resize", "large", "from 224 to 1792"),
        ("fit", "resize", "expected nothing, as fit is `resize` and not `crop`"),
        ("task", "segmentation", "expected one of classes, multi-label, masks, numbers, itself"),
        ("classes", "[\"cat\", \"dog\"]", "expected a list of 1000 names"),
    ] {
        let mut odd = dict.clone();
        odd.metadata.insert(key.into(), value.into());
        write(&odd);
        fails(f, &arguments, 1, &["own.safetensors: the metadata says ", expected]);
    }
}

#[test]
fn many_images_are_asked_about_together_and_bad_ones_stop_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    ok(f, &["train", "--epochs", "1", "--limit", "64", "--quiet"]);
    let dict = weights::read(&f.join("lenet5.safetensors")).unwrap();
    let training: Value = serde_json::from_str(&dict.metadata["training"]).unwrap();
    assert_eq!(dict.metadata["task"], "classes");
    assert_eq!((training["optimizer"].as_str(), training["epoch"].as_u64()), (Some("sgd"), Some(1)), "{training}");
    std::fs::create_dir(f.join("many")).unwrap();
    // More than fit into a batch, of every kind of pixel and odd sizes.
    for i in 0..70_u32 {
        let path = f.join(format!("many/{i:02}.png"));
        let value = |x: u32, y: u32| ((x * 7 + y * i * 3) % 256) as u8;
        match i % 5 {
            0 => image::GrayImage::from_fn(28, 28, |x, y| image::Luma([value(x, y)])).save(path).unwrap(),
            1 => image::GrayAlphaImage::from_fn(1, 1, |x, y| image::LumaA([value(x, y), 90])).save(path).unwrap(),
            2 => image::RgbaImage::from_fn(1, 5000, |x, y| image::Rgba([value(x, y); 4])).save(path).unwrap(),
            3 => image::ImageBuffer::from_fn(40, 9, |x, y| image::Luma([u16::from(value(x, y)) << 8]))
                .save(path)
                .unwrap(),
            _ => std::fs::write(path, "no image").unwrap(),
        }
    }
    let output = convnet(f, &["predict", "lenet5", "many", "--json", "--top", "10"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && error.contains("no answer for 14 of the images"), "{error}");
    assert_eq!(error.matches("is no PNG or JPEG file").count(), 14);
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), 56);
    // Each is the answer about its own image.
    for answer in [&answers[0], &answers[33], &answers[55]] {
        let (alone, _) = said(f, &["predict", answer["image"].as_str().unwrap(), "--json", "--top", "10"]);
        for (together, alone) in
            answer["classes"].as_array().unwrap().iter().zip(alone[0]["classes"].as_array().unwrap())
        {
            assert_eq!(together["class"], alone["class"]);
            let [a, b] = [together, alone].map(|class| class["probability"].as_f64().unwrap());
            assert!((a - b).abs() < 1e-5, "{answer}");
        }
    }
}
