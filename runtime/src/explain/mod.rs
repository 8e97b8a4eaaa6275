//! What a network has learned: which part of an image an answer rests on, what a layer responds to and what it forgets,
//! which channel stands for what.
//!
//! Every method is a function of a network, a [`Unit`] (a class, a channel, one neuron) or a layer, and an image, and gives
//! numbers: a [`Volume`] or a small struct. [`Explain`] is the same with the types of dfdx and the taps of `cnn!`. How numbers
//! become colours and pages is no business of this module; see [`crate::report`].
//!
//! Networks are looked at in evaluation mode, through [`Inspectable`], which is all that knows devices. The methods
//! that change the backward pass ([`backprop`]) walk back one layer at a time, each of them differentiated by the same
//! executor as the whole; a second set of layers for explanations, as other tools have, would have to be kept right twice.

pub mod backprop;
pub mod cam;
pub mod concepts;
mod descent;
pub mod field;
#[doc(hidden)]
pub mod grid;
pub mod invariance;
pub mod invert;
#[doc(hidden)]
pub mod kernel;
pub mod maximise;
pub mod neighbours;
pub mod occlusion;
pub mod responses;
pub mod saliency;
pub mod tcav;
mod typed;
mod unit;
mod view;
mod volume;

pub use typed::Explain;
pub use unit::{Place, Unit, last_map, layer, strongest};
#[doc(hidden)] // Of the program.
pub use unit::{narrowest_map, strongest_channel};
#[doc(hidden)]
pub use view::{Given, Vjp};
pub use view::{Inspectable, NetworkView};
pub use volume::Volume;

use crate::data::DataError;

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// No layer is called that.
    #[error("{network} has no layer `{name}`{}; it has {}", hint.as_ref().map_or_else(String::new, |hint| format!(" (did you mean `{hint}`?)")), layers.join(", "))]
    Layer {
        /// Name of the network.
        network: String,
        /// What was asked for.
        name: String,
        /// The layer with the most similar name.
        hint: Option<String>,
        /// Names of all layers.
        layers: Vec<String>,
    },
    /// The method has no meaning there.
    #[error("{method} {needs}, and {found}{}", fitting(fits))]
    Method {
        /// The method.
        method: &'static str,
        /// What it needs.
        needs: &'static str,
        /// What there is.
        found: String,
        /// Layers or methods that would do.
        fits: Vec<String>,
    },
    /// A channel, class or position that is not there.
    #[error("{what} {asked} of `{layer}` does not exist: its shape is {shape}, so there are 0 to {last}")]
    Range {
        /// Channel, row or column.
        what: &'static str,
        /// What was asked for.
        asked: usize,
        /// Name of the layer.
        layer: String,
        /// Its shape.
        shape: crate::graph::Shape,
        /// The last one.
        last: usize,
    },
    /// The numbers are not those of an image for this network.
    #[error("{network} takes images of shape {expected:?} (channels, height, width), and this one has {found:?}")]
    Image {
        /// Name of the network.
        network: String,
        /// `[C, H, W]`
        expected: [usize; 3],
        /// `[C, H, W]`
        found: [usize; 3],
    },
    /// An option without a meaning.
    #[error("{what} is {found}; {expected}")]
    Option {
        /// Its name.
        what: &'static str,
        /// What was given.
        found: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// There are too few images, concepts or classes.
    #[error("{0}")]
    TooFew(String),
    /// The network gives no finite numbers for this image.
    #[error(
        "`{layer}` of {network} gives values that are no finite numbers: were its weights trained, or do they come from elsewhere?"
    )]
    NotFinite {
        /// Name of the network.
        network: String,
        /// Name of the layer.
        layer: String,
    },
    /// Images cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The device failed, most likely for want of memory.
    #[error("the device failed: {0}")]
    Device(String),
}

fn fitting(fits: &[String]) -> String {
    if fits.is_empty() { String::new() } else { format!("; try {}", fits.join(", ")) }
}

/// Hears how far a long method is: steps that are done, of how many.
#[doc(hidden)]
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);
