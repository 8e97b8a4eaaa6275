//! A network in the program gives the bits of the one that is loaded from the same file.

mod networks;

use convnet::embed::Embedded;
use convnet::prelude::*;
use networks::Deep;

static DEEP: &Embedded = convnet::embed!(Deep, "../deep.safetensors");

fn main() {
    let mut loaded = Cpu::default().build_module::<Deep, f32>();
    convnet::weights::load(&mut loaded, std::path::Path::new("deep.safetensors")).unwrap();
    let images: Vec<f32> = (0..3 * 32).map(|i| (i % 11) as f32 - 5.0).collect();
    let (mut expected, mut found) = ([0.0; 9], [0.0; 9]);
    Predictor::new(&loaded, 1).unwrap().predict(&images, &mut expected).unwrap();
    DEEP.predictor().unwrap().predict(&images, &mut found).unwrap();
    assert_eq!(found.map(f32::to_bits), expected.map(f32::to_bits));
    assert!(found.iter().all(|x| x.is_finite()));
    println!("{found:?}");
}
