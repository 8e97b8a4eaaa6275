//! Padding, of windows and of maps.

/// Padding in pixels at each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Pad {
    pub top: usize,
    pub bottom: usize,
    pub left: usize,
    pub right: usize,
}

impl Pad {
    /// None at any side.
    pub const ZERO: Pad = Pad { top: 0, bottom: 0, left: 0, right: 0 };
}
