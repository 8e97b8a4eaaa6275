//! The heads of the zoo's networks, which fine-tuning trains first: what the shapes of their declarations say.

use convnet::language::{Sizes, read};
use convnet::train::{Config, Hyperparameters};
use convnet_models::CATALOGUE;

/// What learns alone is what depends on the number of classes.
#[test]
fn a_head_is_what_another_number_of_classes_changes() {
    let config = Config { epochs: 1, fine_tune: Some(1), ..Config::default() };
    // An autoencoder gives an image, and no classes that there could be another number of.
    for entry in CATALOGUE.iter().filter(|entry| entry.name != "digit_autoencoder") {
        let rules = Hyperparameters::new(&config, entry.graph).unwrap();
        let sizes = Sizes { classes: Some(entry.graph.output_shape().chw()[0] + 1), ..Sizes::default() };
        let other = read(entry.source, &sizes).unwrap().pop().unwrap();
        assert_eq!(other.graph.params.len(), rules.params.len());
        for ((param, other), options) in entry.graph.params.iter().zip(other.graph.params.iter()).zip(&rules.params) {
            assert_eq!(options.frozen, param.shape == other.shape, "{}: {}", entry.name, param.name);
        }
    }
}
