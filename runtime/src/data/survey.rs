//! What the images of a training set have in common, as far as preparing others like them depends on it.

use super::{DataError, Dataset, Image};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Images that are looked at where no mean has to be computed, at most: evenly spaced ones of the dataset.
const SAMPLE: usize = 1000;

/// Up to here the mean of an image's border is dark: a quarter of the range.
const DARK: u64 = 63;

/// What all images that were looked at have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Survey {
    seen: usize,
    grey: bool,
    dark: bool,
    /// The size of the first one, while all have it.
    size: Option<[usize; 2]>,
}

impl Survey {
    pub(super) fn new() -> Self {
        Survey { seen: 0, grey: true, dark: true, size: None }
    }

    /// Looks at the images of a dataset. Those that cannot be read do not count: whoever needs them says so.
    pub(super) fn of(data: &dyn Dataset) -> Self {
        let step = if data.in_memory() { 1 } else { data.len().div_ceil(SAMPLE).max(1) };
        let mut survey = Survey::new();
        for i in (0..data.len()).step_by(step) {
            let read = || -> Result<(), DataError> {
                survey.see(&data.image(i)?);
                Ok(())
            };
            let _ = catch_unwind(AssertUnwindSafe(read));
        }
        survey
    }

    /// Looks at one more.
    pub(super) fn see(&mut self, image: &Image<'_>) {
        let [channels, height, width] = image.shape;
        self.size =
            if self.seen == 0 { Some([height, width]) } else { self.size.filter(|size| *size == [height, width]) };
        self.grey &= channels == 1;
        self.dark = self.dark && self.grey && border(image) <= DARK;
        self.seen += 1;
    }

    /// Whether all are grey.
    pub(super) fn grey(&self) -> bool {
        self.seen > 0 && self.grey
    }

    /// Whether all are grey and have a dark border, as digits in white on black.
    pub(super) fn dark(&self) -> bool {
        self.seen > 0 && self.dark
    }

    /// The height and width that all have, if they have.
    pub(super) fn size(&self) -> Option<[usize; 2]> {
        self.size
    }
}

/// The mean of an image's outermost pixels, rounded down; 0 if it has none.
pub(super) fn border(image: &Image<'_>) -> u64 {
    let [_, height, width] = image.shape;
    if height * width == 0 {
        return 0;
    }
    let sum = |part: &[u8]| part.iter().map(|x| u64::from(*x)).sum::<u64>();
    let (mut total, mut count) = (0, 0);
    for plane in image.pixels.chunks_exact(height * width) {
        let mut rows = plane.chunks_exact(width);
        let ends = [rows.next(), rows.next_back()];
        for row in ends.into_iter().flatten() {
            (total, count) = (total + sum(row), count + width as u64);
        }
        for row in rows {
            let sides = if width > 1 { &[row[0], row[width - 1]][..] } else { &row[..1] };
            (total, count) = (total + sum(sides), count + sides.len() as u64);
        }
    }
    total / count.max(1)
}
