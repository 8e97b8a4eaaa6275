//! What a step of training gets.

/// Some images with their labels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// `[N, C, H, W]`, normalised.
    pub pixels: Vec<f32>,
    /// `[N, classes]`: the share of each class in an image; rows sum to one.
    pub targets: Vec<f32>,
    /// The class of each image; of a mixed one, that with the larger share.
    pub labels: Vec<usize>,
    /// Where each image is in the dataset.
    pub indices: Vec<usize>,
}
