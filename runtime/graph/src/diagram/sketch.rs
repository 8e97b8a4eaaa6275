//! Laid out parts of the image, and how they are moved and put together.
//!
//! Coordinates are whole pixels: sharp lines, and the same text on every machine. A part is moved by rewriting its points,
//! which costs a pass for each level of nesting; transforms kept beside the points would be faster and harder to test.

use std::collections::BTreeMap;

/// Points of an edge, from its source.
pub(super) type Path = Vec<(i32, i32)>;

/// Paths between boxes and the entry or the exit, by box.
pub(super) type Ends = BTreeMap<usize, Path>;

/// Where a box or a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    /// Index of the box, or of the frame.
    pub id: usize,
    pub x: i32,
    pub y: i32,
    pub w: i32,
    pub h: i32,
}

/// An edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub from: usize,
    pub to: usize,
    pub path: Path,
}

/// A part of the image. Its spine is at `x = 0`, its entry at the origin.
#[derive(Debug, Default)]
pub(super) struct Sketch {
    /// Extent on the left and on the right of the spine, and downwards.
    pub left: i32,
    pub right: i32,
    pub height: i32,
    pub cards: Vec<Spot>,
    /// Outer frames before those in them, each with its depth.
    pub frames: Vec<(Spot, usize)>,
    pub routes: Vec<Route>,
    /// From the entry to each box that may be read from outside.
    pub ins: Ends,
    /// From each box that is read outside to the exit.
    pub outs: Ends,
}

impl Sketch {
    /// Moves everything; the spine of the frame of reference stays.
    pub(super) fn moved(mut self, dx: i32, dy: i32) -> Self {
        let shift = |points: &mut Path| points.iter_mut().for_each(|(x, y)| (*x, *y) = (*x + dx, *y + dy));
        self.cards.iter_mut().chain(self.frames.iter_mut().map(|(spot, _)| spot)).for_each(|spot| {
            (spot.x, spot.y) = (spot.x + dx, spot.y + dy);
        });
        self.routes.iter_mut().for_each(|route| shift(&mut route.path));
        self.ins.values_mut().chain(self.outs.values_mut()).for_each(shift);
        (self.left, self.right, self.height) = (self.left - dx, self.right + dx, self.height + dy);
        self
    }

    /// Takes over another sketch's content, but not its ends.
    pub(super) fn absorb(&mut self, other: Sketch) {
        self.left = self.left.max(other.left);
        self.right = self.right.max(other.right);
        self.height = self.height.max(other.height);
        self.cards.extend(other.cards);
        self.frames.extend(other.frames);
        self.routes.extend(other.routes);
    }
}

/// A path with more points at its end.
pub(super) fn then(path: &[(i32, i32)], more: &[(i32, i32)]) -> Path {
    [path, more].concat()
}
