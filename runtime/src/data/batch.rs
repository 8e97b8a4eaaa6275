//! What a step of training gets.

/// Some pictures with their labels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// `[N, C, H, W]`, normalised.
    pub pixels: Vec<f32>,
    /// `[N, classes]`: the share of each class in a picture; rows sum to one.
    pub targets: Vec<f32>,
    /// The class of each picture; of a mixed one, that with the larger share.
    pub labels: Vec<usize>,
    /// Where each picture is in the dataset.
    pub indices: Vec<usize>,
}
