//! Words of other frameworks: what they are told to be exists, and the usual ones are known.

use crate::habits::Habit::{Advice, Word};
use crate::habits::{LAYERS, NONE, OPTIONS, layer, option, plain};
use crate::words;

/// A word of ours that is not there would be bad advice.
#[test]
fn what_is_advised_exists() {
    for (_, habit) in LAYERS {
        if let Word(word) = habit {
            assert!(words::find(word).is_some(), "{word}");
        }
    }
    let args: Vec<&str> = words::all().flat_map(|word| word.signature.args).map(|spec| spec.name).collect();
    for own in OPTIONS.iter().flat_map(|(_, ours)| *ours) {
        assert!(args.contains(own), "{own}");
    }
    let foreign = LAYERS.iter().flat_map(|(words, _)| *words);
    let foreign =
        foreign.chain(OPTIONS.iter().flat_map(|(names, _)| *names)).chain(NONE.iter().flat_map(|(names, _)| *names));
    for name in foreign {
        assert_eq!(plain(name), *name, "never found");
    }
}

#[test]
fn words_of_other_frameworks_are_known() {
    let known: Vec<&str> = words::all().map(words::Word::name).collect();
    for (word, ours) in [
        ("Conv2d", "conv"),
        ("MaxPool2d", "max_pool"),
        ("MaxPooling2D", "max_pool"),
        ("BatchNorm2d", "batch_norm"),
        ("ReLU", "relu"),
        ("LeakyReLU", "leaky_relu"),
        ("GlobalAveragePooling2D", "global_avg_pool"),
        ("swish", "silu"),
        ("deconv", "conv_transpose"),
        ("ConvTranspose2d", "conv_transpose"),
        ("Dense", "linear"),
        ("LogSoftmax", "log_softmax"),
        ("Dropout2d", "dropout2d"),
        ("Dropout", "dropout"),
    ] {
        assert_eq!(layer(word, &known), Some(Word(ours)), "{word}");
    }
    assert_eq!(layer("Conv3d", &known), None);
    let has = |word: &str| words::find(word).unwrap().signature.args.iter().map(|spec| spec.name).collect::<Vec<_>>();
    assert_eq!(option("kernel_size", &has("conv")), Some(Word("kernel")));
    assert_eq!(option("padding", &has("conv")), Some(Word("pad")));
    assert_eq!(option("out_features", &has("linear")), Some(Word("out")));
    assert_eq!(option("alpha", &has("leaky_relu")), Some(Word("slope")));
    assert_eq!(option("kernel_size", &has("linear")), None);
    assert!(matches!(option("activation", &has("conv")), Some(Advice(_))));
}
