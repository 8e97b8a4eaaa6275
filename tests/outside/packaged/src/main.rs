//! A stranger's program on the packages: a network of its own that learns digits, is saved and loaded; one of the zoo at other sizes, as a
//! type and as it is read while the program runs.
#![deny(warnings)]

use convnet::data::{Split, mnist};
use convnet::language::{Sizes, read};
use convnet::net::DynNetwork;
use convnet::prelude::*;
use convnet::train::{Config, Trainer};
use convnet::weights;
use convnet_models::CATALOGUE;
use std::sync::Arc;

cnn! {
    /// LeNet-5 on 28x28 grey-scale digits.
    pub struct LeNet5: [1, 28, 28] -> [10] {
        conv1: conv(6, kernel = 5, pad = 2);
        relu; max_pool(2);
        conv2: conv(16, kernel = 5);
        relu; max_pool(2);
        flatten;
        fc1: linear(120); relu;
        fc2: linear(84); relu;
        fc3: linear(10);
        assert params <= 62_000, macs <= 420_000;
    }
}

convnet_models::resnet20! { pub struct Tiny: [3, 16, 16] -> [4] }

/// LeNet-5 learns: eighty steps, after which most digits are right (85 to 90 %, by the random seed).
fn train() -> Result<(), Box<dyn std::error::Error>> {
    let data = mnist::bundled()?;
    let data = Split { train: data.train.first(5_120), test: data.test.first(500) }.shared();
    let dev = Cpu::seed_from_u64(1);
    let mut net = dev.build_module::<LeNet5, f32>();
    let config = Config { epochs: 1, ..Config::default() };
    let summary = Trainer::new(&mut net, &dev).config(config).train(&data)?;
    let (accuracy, total) = (summary.evaluation.accuracy(), summary.evaluation.images);
    assert!(total == 500 && accuracy > 0.75, "{accuracy} of {total}");

    let path = std::path::Path::new("lenet5.safetensors");
    weights::save(&net, path, &summary.metadata)?;
    let mut again = dev.build_module::<LeNet5, f32>();
    weights::load(&mut again, path)?;
    let image: Tensor<Rank3<1, 28, 28>, f32, Cpu> = dev.sample_normal();
    assert_eq!(again.forward(image.clone()).array(), net.forward(image).array());
    println!("{:.1} % of {total} digits are right", 100.0 * accuracy);
    Ok(())
}

/// The zoo's ResNet-20 for four classes of 16x16 images gives the same numbers with a type and without.
fn zoo() -> Result<(), Box<dyn std::error::Error>> {
    let entry = CATALOGUE.iter().find(|entry| entry.name == "resnet20").ok_or("the zoo has no resnet20")?;
    let sizes = Sizes { classes: Some(4), input: Some(vec![3, 16, 16]), ..Sizes::default() };
    let graph = read(entry.source, &sizes)?.remove(0).graph;
    let untyped = DynNetwork::build(Arc::new(graph), &Cpu::seed_from_u64(1))?;
    let dev = Cpu::seed_from_u64(1);
    let typed = dev.build_module::<Tiny, f32>();
    let images: Tensor<Rank4<2, 3, 16, 16>, f32, Cpu> = dev.sample_normal();
    let logits: Tensor<Rank2<2, 4>, f32, Cpu> = typed.forward(images.clone());
    let predictor = Predictor::new(&untyped, 2)?;
    let mut found = [0.0; 8];
    predictor.predict(&images.as_vec(), &mut found)?;
    for (found, expected) in found.iter().zip(logits.as_vec()) {
        assert!((found - expected).abs() < 1e-3, "{found} is not {expected}");
    }
    println!("ResNet-20 at other sizes has {} parameters", Tiny::PARAMS);
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    train()?;
    zoo()
}
