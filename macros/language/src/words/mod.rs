//! The one table of layer words: for each, its arguments with their defaults, what it does, and the function that checks it.
//!
//! The walk asks this table what to do with a word, so a word without a function does not compile, and none is looked for by its
//! name a second time. The functions in `layers` take defaults from here, the pages of `convnet::words` are printed from
//! here, and the tables of words in the book and in the language's page are held against it: a default stands nowhere else.
//! Each family of layers has its entries in a file of its own.

mod activation;
mod conv;
mod norm;
mod plain;
mod pool;
mod spatial;
mod structure;

use crate::layers::Check;
pub use crate::signature::{ArgKind, DefaultValue, Signature, Spec};
pub use structure::{BUDGETS, STRUCTURES, VALUES};

/// A layer.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    /// How it is written, with its arguments.
    pub signature: Signature,
    /// What it does, in one or two sentences, with the paper where there is one.
    pub help: &'static str,
    /// What it makes of the shape of one image, with the formula.
    pub shape: &'static str,
    /// Its parameters and buffers with their shapes; empty where it has none.
    pub parameters: &'static str,
    /// What is done with it.
    pub meaning: Meaning,
    /// The argument that makes its output larger; the word itself is at fault where it was not given.
    pub enlarges: &'static str,
}

/// What is done with a word.
#[derive(Debug, Clone, Copy)]
pub enum Meaning {
    /// It is one operation, which this function checks.
    Layer(Check),
    /// It stands for several layers: squeeze and excitation.
    SqueezeExcite,
}

impl Word {
    /// How it is written.
    pub const fn name(&self) -> &'static str {
        self.signature.name
    }

    /// Whether it is complete without arguments.
    pub fn stands_alone(&self) -> bool {
        !self.signature.args.iter().any(Spec::is_required)
    }
}

/// Layers of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// What they are called together.
    pub name: &'static str,
    /// Its layers.
    pub words: &'static [Word],
}

/// Every layer, in the order in which errors and documentation name them.
pub const FAMILIES: &[Family] = &[
    Family { name: "convolution", words: conv::WORDS },
    Family { name: "pooling", words: pool::WORDS },
    Family { name: "dense", words: plain::DENSE },
    Family { name: "normalisation", words: norm::WORDS },
    Family { name: "attention", words: plain::ATTENTION },
    Family { name: "regularisation", words: plain::REGULARISATION },
    Family { name: "moving pixels", words: spatial::WORDS },
    Family { name: "other", words: plain::OTHER },
    Family { name: "activation", words: activation::WORDS },
];

/// A word that is no layer.
#[derive(Debug, Clone, Copy)]
pub struct Term {
    /// The word itself.
    pub name: &'static str,
    /// How it is written.
    pub written: &'static str,
    /// What it means, as sentences.
    pub help: &'static str,
}

/// Whether a word belongs to the language and is no layer.
pub fn is_structure(word: &str) -> bool {
    STRUCTURES.iter().any(|structure| structure.name == word)
}

/// The shape of a layer that keeps it.
const UNCHANGED: &str = "that of the input";

/// Every layer.
pub fn all() -> impl Iterator<Item = &'static Word> {
    FAMILIES.iter().flat_map(|family| family.words)
}

/// The layer that `name` stands for.
pub fn find(name: &str) -> Option<&'static Word> {
    all().find(|word| word.name() == name)
}
