//! Groups of channels.

/// How channels are divided into groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    /// All in one.
    One,
    /// Each input channel by itself, as in a depthwise convolution.
    Each,
    /// So many equal groups.
    Count(usize),
}

impl Groups {
    /// How many groups there are of so many input channels.
    pub const fn count(self, channels: usize) -> usize {
        match self {
            Groups::One => 1,
            Groups::Each => channels,
            Groups::Count(count) => count,
        }
    }
}
