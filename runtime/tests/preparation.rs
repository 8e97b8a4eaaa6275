//! One way from an image to what a network takes: the same numbers in training, from a file, and from a weights file's metadata.
#![deny(warnings)]

use convnet::data::fit::Fit;
use convnet::data::{
    Classes, Dataset, Files, Image, Images, Invert, Loader, LoaderOptions, Normalisation, NormalisationKind, Pipeline,
    Preparation, Sampling, Split,
};
use convnet::graph::Graph;
use convnet::objective::ClassDetails;
use convnet::prelude::*;
use convnet::train::{Config, Trainer, evaluate, predict};
use convnet::weights::{self, Metadata};
use std::path::Path;
use std::sync::Arc;

cnn! {
    /// Colours in a small frame.
    pub struct Small: [3, 8, 8] -> [2] { flatten; fc: linear(2); }
}
cnn! {
    /// Grey in a frame.
    pub struct Grey: [1, 32, 32] -> [3] { flatten; fc: linear(3); }
}

fn small() -> &'static Graph {
    Small::graph()
}

fn grey() -> &'static Graph {
    Grey::graph()
}

/// Some value for each pixel, no two planes alike.
fn noise(seed: usize, i: usize) -> u8 {
    ((i * 97 + seed * 31) % 251) as u8
}

fn image(shape: [usize; 3], seed: usize) -> Image<'static> {
    Image { shape, pixels: (0..shape.iter().product()).map(|i| noise(seed, i)).collect() }
}

/// All pixels of a dataset as the training loader gives them.
fn loaded(data: &Arc<dyn Dataset>, pipeline: &Pipeline) -> Vec<f32> {
    let options = LoaderOptions { batch: 3, sampling: Sampling::InOrder, workers: Some(2), ..LoaderOptions::default() };
    Loader::new(data.clone(), pipeline.clone(), options).epoch(0, 0).flat_map(|batch| batch.unwrap().pixels).collect()
}

/// A dataset of grey and coloured files of several sizes, two classes.
fn files(folder: &Path, kinds: &[([usize; 3], u8)]) -> Arc<dyn Dataset> {
    for (i, ([channels, height, width], ground)) in kinds.iter().enumerate() {
        let class = folder.join(["cat", "dog"][i % 2]);
        std::fs::create_dir_all(&class).unwrap();
        let (h, w) = (*height as u32, *width as u32);
        let inside = |x: u32, y: u32| x > 0 && y > 0 && x + 1 < w && y + 1 < h;
        let value = |x: u32, y: u32, c: usize| match inside(x, y) {
            true => noise(i, (y * w + x) as usize * 3 + c),
            false => *ground,
        };
        let path = class.join(format!("{i}.png"));
        match channels {
            1 => image::GrayImage::from_fn(w, h, |x, y| image::Luma([value(x, y, 0)])).save(path).unwrap(),
            _ => {
                image::RgbImage::from_fn(w, h, |x, y| image::Rgb([0, 1, 2].map(|c| value(x, y, c)))).save(path).unwrap()
            }
        }
    }
    let mut images: Vec<_> =
        (0..kinds.len()).map(|i| (folder.join(["cat", "dog"][i % 2]).join(format!("{i}.png")), i % 2)).collect();
    // By class, then by name.
    images.sort_by_key(|(path, class)| (*class, path.clone()));
    Arc::new(Files { classes: ["cat", "dog"].map(String::from).to_vec(), images })
}

/// The preparation of a training set is that of its loader, bit for bit, also through a weights file's metadata and from files.
fn same_everywhere(
    data: &Arc<dyn Dataset>,
    paths: &[std::path::PathBuf],
    graph: &'static Graph,
    fit: Fit,
) -> Preparation {
    let shape = graph.input().chw();
    let pipeline = Pipeline::training(shape, fit, vec![], NormalisationKind::Auto, data.as_ref(), false).unwrap();
    let in_training = loaded(data, &pipeline);
    let mut about = Metadata::new();
    pipeline.preparation.to_metadata(&mut about);
    let preparation = Preparation::of(&about, graph).unwrap().unwrap();
    assert_eq!(preparation, pipeline.preparation, "{about:?}");
    let images = (0..data.len()).flat_map(|i| preparation.pixels(&data.image(i).unwrap()).unwrap());
    assert!(images.map(f32::to_bits).eq(in_training.iter().map(|x| x.to_bits())));
    let read = paths.iter().flat_map(|path| preparation.read(path).unwrap());
    assert!(paths.is_empty() || read.map(f32::to_bits).eq(in_training.iter().map(|x| x.to_bits())));
    let evaluated = loaded(data, &preparation.clone().into());
    assert!(evaluated == in_training);
    preparation
}

#[test]
fn images_become_the_same_numbers_in_training_and_afterwards() {
    let temporary = tempfile::tempdir().unwrap();
    let paths = |name: &str, n: usize| -> Vec<_> {
        let file = |i: usize| temporary.path().join(name).join(["cat", "dog"][i % 2]).join(format!("{i}.png"));
        // In the order of the dataset: by class, then by name.
        (0..n).step_by(2).chain((1..n).step_by(2)).map(file).collect()
    };
    // A grey one leads a set of colours of all sizes.
    let mixed =
        [([1, 8, 8], 0), ([3, 20, 9], 255), ([3, 5, 6], 0), ([3, 8, 8], 90), ([1, 30, 30], 200), ([3, 7, 40], 3)];
    let data = files(&temporary.path().join("mixed"), &mixed);
    for fit in [Fit::Auto, Fit::Pad, Fit::Resize, Fit::Crop] {
        for graph in [small(), grey()] {
            let preparation = same_everywhere(&data, &paths("mixed", mixed.len()), graph, fit);
            assert_eq!((preparation.grey, preparation.invert, preparation.size), (false, Invert::Never, None));
        }
    }
    // Grey, on dark ground, all of one size that is smaller than the network's.
    let dark = [([1, 28, 28], 0), ([1, 28, 28], 40), ([1, 28, 28], 5), ([1, 28, 28], 63)];
    let data = files(&temporary.path().join("dark"), &dark);
    let preparation = same_everywhere(&data, &paths("dark", 4), grey(), Fit::Auto);
    assert_eq!((preparation.grey, preparation.invert, preparation.size), (true, Invert::Bright, Some([28, 28])));
    // One of them bright, or all: what training has seen is not turned around.
    for (name, grounds) in [("bright", [255, 250, 255, 200]), ("one", [0, 0, 255, 0]), ("dim", [0, 0, 64, 0])] {
        let data = files(&temporary.path().join(name), &grounds.map(|ground| ([1, 28, 28], ground)));
        let preparation = same_everywhere(&data, &paths(name, 4), grey(), Fit::Auto);
        assert_eq!((preparation.grey, preparation.invert), (true, Invert::Never), "{name}");
    }
    // Colours on black are photographs by night as far as anybody knows.
    let data = files(&temporary.path().join("night"), &[([3, 8, 8], 0); 4]);
    assert_eq!(same_everywhere(&data, &paths("night", 4), small(), Fit::Auto).invert, Invert::Never);
}

#[test]
fn an_image_unlike_those_of_training_becomes_like_them() {
    let one = Normalisation { mean: vec![0.0], std: vec![1.0] };
    let plain = Preparation::plain([1, 32, 32], Fit::Auto, one);
    let digits = Preparation { grey: true, invert: Invert::Bright, size: Some([28, 28]), ..plain.clone() };
    // A white square on black, in grey, at the size of training.
    let square = |x: usize, from: usize, to: usize| (from..to).contains(&(x / 28)) && (from..to).contains(&(x % 28));
    let white = Image { shape: [1, 28, 28], pixels: (0..784).map(|x| 255 * u8::from(square(x, 10, 18))).collect() };
    let expected = plain.pixels(&white).unwrap();
    assert!(digits.pixels(&white).unwrap() == expected && !digits.inverts(&white));
    // The same as a drawing: in colour, black on white, four times as large.
    let mut drawn = Vec::new();
    for _ in 0..3 {
        drawn.extend((0..112 * 112).map(|x| 255 - white.pixels[x / 112 / 4 * 28 + x % 112 / 4]));
    }
    let drawn = Image { shape: [3, 112, 112], pixels: drawn.into() };
    assert!(digits.inverts(&drawn));
    let found = digits.pixels(&drawn).unwrap();
    // Interpolation blurs its edges alone.
    let differing = found.iter().zip(&expected).filter(|(a, b)| (*a - *b).abs() > 0.01).count();
    assert!(differing <= 2 * 4 * 10, "{differing} pixels differ");
    let never = Preparation { invert: Invert::Never, ..digits.clone() };
    let always = Preparation { invert: Invert::Always, ..digits.clone() };
    assert!(never.pixels(&drawn).unwrap() != found && always.pixels(&drawn).unwrap() == found);
    assert!(always.pixels(&white).unwrap() != expected);
    // A mask takes the place of its image.
    let mask = digits.placed(Image { shape: [1, 112, 112], pixels: vec![255; 112 * 112].into() }).unwrap();
    assert_eq!((mask.shape, mask.pixels[32 + 1], mask.pixels[2 * 32 + 2]), ([1, 32, 32], 0, 255));
}

/// What torchvision makes of an image, as `golden/preparation.py` has written it down.
#[derive(serde::Deserialize)]
struct Golden {
    file: String,
    image: [usize; 3],
    resize: usize,
    crop: usize,
    stride: usize,
    sample: Vec<f32>,
}

impl Golden {
    /// The image, by the formula of the script.
    fn image(&self) -> Image<'static> {
        let [channels, height, width] = self.image;
        let mut pixels = Vec::new();
        for (c, y) in (0..channels).flat_map(|c| (0..height).map(move |y| (c, y))) {
            let pixel = |x| x * 3 + y * 5 + c * 40 + (x * x + 3 * y * y + 7 * x * y * (c + 1)) / 16;
            pixels.extend((0..width).map(|x| (pixel(x) % 256) as u8));
        }
        Image { shape: self.image, pixels: pixels.into() }
    }
}

#[test]
fn images_are_prepared_as_torchvision_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let cases = std::fs::read_to_string(folder.join("preparation.json")).unwrap();
    let cases: Vec<Golden> = serde_json::from_str(&cases).unwrap();
    assert_eq!(cases.len(), 16);
    for golden in &cases {
        let Golden { file, resize, crop, stride, sample, .. } = golden;
        let normalisation = Normalisation::named("imagenet", 3).unwrap();
        let plain = Preparation::plain([3, *crop, *crop], Fit::Crop, normalisation.clone());
        let preparation = Preparation { resize: Some(*resize), ..plain };
        let found = preparation.pixels(&golden.image()).unwrap();
        let step = found.len() / 12;
        let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
        assert!(found.iter().step_by(step).zip(sample).all(close), "{file}");
        let levels = image::open(folder.join("preparation").join(file)).unwrap().to_rgb8();
        for (x, y, pixel) in levels.enumerate_pixels() {
            for c in 0..3 {
                let at = (c * crop + y as usize * stride) * crop + x as usize * stride;
                let level = (found[at] * normalisation.std[c] + normalisation.mean[c]) * 255.0;
                // Bit for bit: a level that is allowed would hide a wrong order of the two passes.
                assert!((level - f32::from(pixel.0[c])).abs() < 0.01, "{file}: {level} for {} at {x}, {y}", pixel.0[c]);
            }
        }
    }
}

#[test]
fn what_is_cut_out_of_a_resized_image_is_kept_in_weights() {
    let normalisation = Normalisation { mean: vec![0.5; 3], std: vec![0.25; 3] };
    let plain = Preparation::plain([3, 8, 8], Fit::Crop, normalisation);
    let preparation = Preparation { resize: Some(9), ..plain.clone() };
    let mut kept = Metadata::new();
    preparation.to_metadata(&mut kept);
    assert_eq!(Preparation::of(&kept, small()).unwrap(), Some(preparation.clone()));
    kept.remove("fit");
    assert_eq!(Preparation::of(&kept, small()).unwrap(), Some(preparation.clone()));
    assert_eq!(plain.clone().resized_to(9).unwrap(), preparation);
    let error = plain.resized_to(7).unwrap_err().to_string();
    assert_eq!(error, "resize: 7; it must be a whole number of pixels from 8 to 64");
    // Sizes of an image that nobody would have drawn, or that a program sets to nonsense.
    for shape in [[1, 1, 5000], [3, 5000, 1], [1, 1, 1]] {
        for resize in [0, 1, 9, usize::MAX] {
            let odd = Preparation { resize: Some(resize), ..preparation.clone() };
            let found = odd.pixels(&Image { shape, pixels: vec![255; shape.iter().product()].into() }).unwrap();
            assert!(found.len() == 192 && found.iter().all(|x| (-2.0..=2.0).contains(x)), "{shape:?} {resize}");
        }
    }
    assert!(preparation.pixels(&Image { shape: [3, 0, 4], pixels: vec![].into() }).is_err());
    // A mask takes the place of its image.
    let mask = preparation.placed(Image { shape: [1, 9, 9], pixels: (0..81).collect() }).unwrap();
    assert_eq!((mask.shape, &mask.pixels[..9]), ([1, 8, 8], &[0, 1, 2, 3, 4, 5, 6, 7, 9][..]));
}

fn about(pairs: &[(&str, &str)]) -> Metadata {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

#[test]
fn metadata_without_a_meaning_is_an_error_that_names_its_key() {
    let valid = [("mean", "0.5,0.4,0.3"), ("std", "0.2")];
    for (key, values) in [
        ("mean", &["", "nan", "0.1,0.2", "0.1,0.2,x", "inf", "1,2,3,4"][..]),
        ("std", &["0", "-1", "nan", "0.1,0,0.1", "0.1,0.2", "inf"]),
        ("fit", &["stretch", ""]),
        ("colours", &["green"]),
        ("ground", &["bright"]),
        ("size", &["[9,8]", "[0,4]", "8", "[1000000000000,1]", "[4]"]),
        ("input", &["[3,8,9]", "8", "[1,8,8]"]),
        ("resize", &["", "0", "7", "-9", "9.5", "65", "99999999999999999999", "nine"]),
    ] {
        for value in values {
            let mut about = about(&valid);
            about.insert(key.into(), value.to_string());
            let error = Preparation::of(&about, small()).unwrap_err().to_string();
            assert!(error.contains(&format!("{key} = `{value}`")) && error.contains("expected"), "{error}");
        }
    }
    // What is cut out of a resized image is not put on black as well.
    let both = about(&[valid[0], valid[1], ("fit", "pad"), ("resize", "9")]);
    let error = Preparation::of(&both, small()).unwrap_err().to_string();
    assert!(error.contains("resize = `9`") && error.contains("fit is `pad`"), "{error}");
    // One of two is none.
    let error = Preparation::of(&about(&[("mean", "0.1")]), small()).unwrap_err().to_string();
    assert!(error.contains("std"), "{error}");
    for (classes, expected) in
        [("[\"a\"]", "1 names: a"), ("a,b,c", "3 names"), ("[1, 2]", "[1, 2]"), ("{\"a\": 1}", "a list of 2 names")]
    {
        let error = Classes::of(&about(&[("classes", classes)]), small()).unwrap_err().to_string();
        assert!(error.contains("classes") && error.contains(expected), "{error}");
    }
}

#[test]
fn files_of_version_0_1_and_of_others_are_read() {
    let old = about(&[
        ("mean", "0.1307"),
        ("std", "0.3081"),
        ("fit", "crop"),
        ("picture", "[1,28,28]"),
        ("classes", "a,b,c"),
    ]);
    let found = Preparation::of(&old, grey()).unwrap().unwrap();
    let normalisation = Normalisation { mean: vec![0.1307], std: vec![0.3081] };
    assert_eq!(found, Preparation::plain([1, 32, 32], Fit::Crop, normalisation));
    assert_eq!(Classes::of(&old, grey()).unwrap().names(), ["a", "b", "c"]);
    let foreign = about(&[("format", "pt"), ("size", "7B"), ("input", "text")]);
    assert_eq!(Preparation::of(&foreign, small()).unwrap(), None);
    assert_eq!(Classes::of(&foreign, grey()).unwrap().names(), ["0", "1", "2"]);
    let assumed = Preparation::assumed(small());
    assert_eq!((assumed.normalisation.mean[0], assumed.invert, assumed.grey), (0.485, Invert::Never, false));
    assert_eq!(Preparation::assumed(grey()).size, Some([28, 28]));
}

#[test]
fn a_summary_knows_what_a_weight_file_should_say() {
    let classes = ["cat", "dog"].map(String::from).to_vec();
    let pixels: Vec<u8> = (0..24).flat_map(|i| image([3, 8, 8], i).pixels.into_owned()).collect();
    let data = Images { shape: [3, 8, 8], pixels, labels: (0..24).map(|i| i % 2).collect(), classes };
    let data = Split { train: data.clone(), test: data.first(7) }.shared();
    let device = Cpu::seed_from_u64(1);
    let mut net = device.build_module::<Small, f32>();
    let config = Config { epochs: 1, batch: 8, ..Config::default() };
    let summary = Trainer::new(&mut net, &device).config(config).train(&data).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    weights::save(&net, &path, &summary.metadata).unwrap();
    let mut again = Cpu::seed_from_u64(2).build_module::<Small, f32>();
    let about = weights::load(&mut again, &path).unwrap().metadata;
    let preparation = Preparation::of(&about, small()).unwrap().unwrap();
    assert_eq!(Classes::of(&about, small()).unwrap().names(), ["cat", "dog"]);
    let evaluation = evaluate(&mut again, &device, &data.test, preparation.clone().into()).unwrap();
    assert_eq!(evaluation, summary.evaluation);
    // One by one, as a program that predicts does, they are what they were together.
    let mut correct = 0;
    for i in 0..data.test.len() {
        let pixels = preparation.pixels(&data.test.image(i).unwrap()).unwrap();
        let top = predict(&mut again, &device, &pixels).unwrap()[0].top(1)[0].0;
        correct += usize::from(top == data.test.label(i));
    }
    assert_eq!(Some(correct), evaluation.classes().map(ClassDetails::correct));
}
