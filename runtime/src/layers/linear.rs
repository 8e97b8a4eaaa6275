//! `linear`: a fully connected layer is dfdx's own, whose names, layout and initialisation are PyTorch's already.

pub use dfdx::nn::modules::{Linear, UnbiasedLinear};
