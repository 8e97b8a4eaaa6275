//! The tensors of a network: their names, shapes, and how they begin.

use std::borrow::Cow;

/// A parameter (trained) or a buffer (running statistics).
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// The key in a PyTorch state dict: `conv1.weight`.
    pub name: Cow<'static, str>,
    /// Its shape, row-major; at most four dimensions.
    pub shape: Cow<'static, [usize]>,
    /// False for running statistics.
    pub trainable: bool,
    /// How it begins.
    pub init: Init,
}

/// The numbers that a parameter or a buffer begins with. Whoever makes a network fills its tensors in the order of
/// [`Graph::params`](crate::Graph::params), so the same random seed gives the same network in every form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Zeros.
    Zeros,
    /// Ones.
    Ones,
    /// One number.
    Constant(f64),
    /// Uniform between `-1 / sqrt(fan_in)` and `1 / sqrt(fan_in)`: PyTorch's default for convolutions and linear layers
    /// (He et al., 2015, with `a = sqrt(5)`).
    Uniform {
        /// How many inputs each output reads.
        fan_in: usize,
        /// Whether the upper bound itself can be drawn. dfdx's linear layers, which are ours, leave it out.
        closed: bool,
    },
}
