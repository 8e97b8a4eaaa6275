//! What a step of training gets.

/// Some images with what is known of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// `[N, C, H, W]`, normalised.
    pub pixels: Vec<f32>,
    /// `[N, T]`, a row for each image, by the dataset's [`TargetKind`](super::TargetKind):
    ///
    /// * one class: the share of each class in the image, `T` classes; rows sum to one, and without mixing one number of each is one;
    /// * several labels: for each class 1 where it is in the image, else 0, `T` classes; of mixed images, shares of that;
    /// * a mask: `T` is `H * W` of the network's input, the class of each of its pixels, or 255 ([`IGNORED`](super::IGNORED));
    /// * numbers: as the dataset gives them, one for each name;
    /// * nothing: `T` is 0.
    pub targets: Vec<f32>,
    /// The class of each image; of a mixed one, that with the larger share. One number for each image also where targets are no classes,
    /// 0 then.
    pub labels: Vec<usize>,
    /// Where each image is in the dataset.
    pub indices: Vec<usize>,
}
