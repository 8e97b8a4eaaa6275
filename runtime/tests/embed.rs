//! Networks that are a part of the program: the bits of those that are loaded, whatever the file's types and wrappers.
#![deny(warnings)]

use convnet::data::{DataError, Image};
use convnet::embed::Embedded;
use convnet::net::named_tensors;
use convnet::objective::Prediction;
use convnet::predict::PredictError;
use convnet::prelude::*;
use convnet::weights;
use std::path::Path;

cnn! {
    struct Net<const CLASSES: usize = 3>: [1, 4, 4] -> [CLASSES] {
        conv1: conv(2, kernel = 3);
        relu; norm: batch_norm;
        flatten;
        fc: linear(CLASSES);
    }

    struct Other: [1, 4, 4] -> [2] { flatten; linear(2); }
}

static NET: &Embedded = convnet::embed!(Net, "fixtures/embed/net.safetensors");

/// Every file that `weights::load` takes, from every way to write its path.
fn all() -> [(&'static str, &'static Embedded); 5] {
    [
        ("net", NET),
        ("f16", convnet::embed!(Net::<3>, "fixtures/embed/f16.safetensors",)),
        (
            "bf16",
            convnet::embed!(Net<3, f32, Cpu>, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/embed/bf16.safetensors")),
        ),
        ("f64", convnet::embed!(crate::Net, concat!("fixtures/", "embed/f64.safetensors"))),
        ("wrapped", convnet::embed!(Net, r"fixtures/embed/wrapped.safetensors")),
    ]
}

fn images(count: usize) -> Vec<f32> {
    (0..count * 16).map(|i| (i * 7 % 23) as f32 / 5.0 - 2.0).collect()
}

fn loaded(name: &str) -> Net {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/embed/{name}.safetensors"));
    let mut net = Cpu::seed_from_u64(0).build_module::<Net, f32>();
    weights::load(&mut net, &path).unwrap();
    net
}

#[test]
fn an_embedded_network_gives_the_bits_of_a_loaded_one() {
    for (name, embedded) in all() {
        let (net, images) = (loaded(name), images(5));
        let logits = |predictor: &Predictor| {
            let mut logits = vec![0.0; 15];
            predictor.predict(&images, &mut logits).unwrap();
            logits.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        for batch in [1, 4] {
            let expected = logits(&Predictor::new(&net, batch).unwrap());
            assert_eq!(logits(&embedded.freeze(batch).unwrap()), expected, "{name}");
            assert!(batch > 1 || logits(embedded.predictor().unwrap()) == expected, "{name}");
        }
        let mut filled = Cpu::seed_from_u64(1).build_module::<Net, f32>();
        embedded.load(&mut filled).unwrap();
        assert_eq!(named_tensors(&filled).unwrap(), named_tensors(&net).unwrap(), "{name}");
    }
}

#[test]
fn threads_that_come_at_once_share_one_predictor() {
    let embedded = convnet::embed!(Net, "fixtures/embed/net.safetensors");
    let places = std::thread::scope(|scope| {
        let threads = [(); 8].map(|()| scope.spawn(|| std::ptr::from_ref(embedded.predictor().unwrap()) as usize));
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(places, [places[0]; 8]);
}

#[test]
fn the_file_says_how_images_are_prepared_and_what_classes_are_called() {
    assert_eq!(NET.classes().unwrap().names(), ["ant", "bee", "cat"]);
    assert_eq!(NET.metadata()["network"], "Net");
    let image = Image { shape: [3, 4, 4], pixels: vec![255; 48].into() };
    // Grey, of mean 0.5 and deviation 0.25.
    let pixels = NET.preparation().unwrap().pixels(&image).unwrap();
    assert_eq!(pixels, [2.0; 16]);
    let mut logits = [0.0; 3];
    NET.predictor().unwrap().predict(&pixels, &mut logits).unwrap();
    assert_eq!(NET.predict(&pixels).unwrap(), [Prediction::from_logits(&logits)]);
    assert_eq!(NET.predict(&[]).unwrap(), []);
}

#[test]
fn what_is_wrong_is_an_error() {
    assert_eq!(NET.predict(&[0.0; 17]).unwrap_err(), PredictError::Images { found: 17, image: 16 });
    let [_, (_, plain), ..] = all();
    assert_eq!(plain.classes().unwrap().names(), ["0", "1", "2"]);
    let error = plain.preparation().unwrap_err();
    assert!(matches!(error, DataError::Unprepared { .. }), "{error}");
    assert!(error.to_string().starts_with("fixtures/embed/f16.safetensors does not say how"), "{error}");
    let mut other = Cpu::default().build_module::<Other, f32>();
    let before = named_tensors(&other).unwrap();
    let mismatch = NET.load(&mut other).unwrap_err();
    assert!(mismatch.missing.len() == 2 && mismatch.extra.len() == 8, "{mismatch}");
    assert_eq!(named_tensors(&other).unwrap(), before);
}
