//! From files to batches: `files -> Dataset -> Batches`.
//!
//! * [`idx`] reads MNIST's file format, plain or compressed, and trusts nothing in it;
//! * [`mnist`] finds the four files of a folder, or the copy that comes with the crate;
//! * [`batch`] shuffles, normalises and stacks.

pub mod batch;
pub mod idx;
pub mod mnist;

pub use batch::{Batch, Batches, Normalisation};

use std::borrow::Cow;
use std::path::PathBuf;

/// Labelled pictures of any size, in memory or not.
pub trait Dataset: Send + Sync {
    /// Number of pictures.
    fn len(&self) -> usize;

    /// Whether there is no picture.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names of the classes.
    fn classes(&self) -> &[String];

    /// The class of picture `i`, below the number of classes.
    fn label(&self, i: usize) -> usize;

    /// Picture `i`.
    ///
    /// # Errors
    /// When it cannot be read or decoded.
    fn picture(&self, i: usize) -> Result<Picture<'_>, DataError>;
}

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture<'a> {
    /// `[C, H, W]`; one channel is grey, three are red, green and blue.
    pub shape: [usize; 3],
    /// `[C, H, W]`, 0 to 255.
    pub pixels: Cow<'a, [u8]>,
}

/// Labelled pictures of one size, as bytes in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pictures {
    /// `[C, H, W]` of one picture.
    pub shape: [usize; 3],
    /// `[N, C, H, W]`, 0 to 255.
    pub pixels: Vec<u8>,
    /// One a picture, below the number of classes.
    pub labels: Vec<u8>,
    /// Names of the classes.
    pub classes: Vec<String>,
}

impl Dataset for Pictures {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, i: usize) -> usize {
        usize::from(self.labels[i])
    }

    fn picture(&self, i: usize) -> Result<Picture<'_>, DataError> {
        Ok(Picture { shape: self.shape, pixels: Cow::Borrowed(self.bytes(i)) })
    }
}

impl Pictures {
    /// The bytes `[C, H, W]` of picture `i`.
    ///
    /// # Panics
    /// If there is no such picture.
    pub fn bytes(&self, i: usize) -> &[u8] {
        let len = self.shape.iter().product::<usize>();
        &self.pixels[i * len..(i + 1) * len]
    }

    /// The pictures in the middle of larger ones of `shape`, black around; grey ones are repeated over its channels.
    /// `None` where that is not possible: `shape` is smaller, or has other colours.
    pub fn placed(self, shape: [usize; 3]) -> Option<Self> {
        if self.shape == shape {
            return Some(self);
        }
        let pixels = placed(&self.pixels, self.shape, shape, 0)?;
        Some(Pictures { shape, pixels, ..self })
    }

    /// The first `n` pictures, or all if there are fewer.
    pub fn first(mut self, n: usize) -> Self {
        let n = n.min(self.len());
        self.pixels.truncate(n * self.shape.iter().product::<usize>());
        self.labels.truncate(n);
        self
    }
}

/// Pictures `[N, C, H, W]` of shape `from` in the middle of larger ones of shape `to`, with `border` around; a single channel
/// is repeated. `None` where that is not possible.
pub fn placed<T: Copy>(pixels: &[T], from: [usize; 3], to: [usize; 3], border: T) -> Option<Vec<T>> {
    let ([c, h, w], [out_c, out_h, out_w]) = (from, to);
    let (top, left) = (out_h.checked_sub(h)? / 2, out_w.checked_sub(w)? / 2);
    if (c != out_c && c != 1) || c * h * w == 0 {
        return None;
    }
    let count = pixels.len() / (c * h * w);
    let mut placed = vec![border; count * out_c * out_h * out_w];
    for (row, line) in pixels.chunks_exact(w).enumerate() {
        let (n, channel, y) = (row / (c * h), row / h % c, row % h);
        let repeats = if c == 1 { 0..out_c } else { channel..channel + 1 };
        for out in repeats {
            let at = ((n * out_c + out) * out_h + top + y) * out_w + left;
            placed[at..at + w].copy_from_slice(line);
        }
    }
    Some(placed)
}

/// Why data could not be read. Each variant says in which file.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file or folder could not be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A folder has none of the names that a file may have.
    #[error("{}: no {what} here; looked for {}", folder.display(), looked_for.join(", "))]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// Under which names.
        looked_for: Vec<String>,
    },
    /// Compressed data is damaged.
    #[error("{}: damaged gzip data: {source}", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {what} at byte {offset}: expected {expected}, found {found}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where, in the uncompressed data.
        offset: u64,
        /// Which part of the file.
        what: &'static str,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Two files do not fit together.
    #[error("{} has {images} images, but {} has {labels} labels", images_path.display(), labels_path.display())]
    Counts {
        /// The file of images.
        images_path: PathBuf,
        /// How many it has.
        images: usize,
        /// The file of labels.
        labels_path: PathBuf,
        /// How many it has.
        labels: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_placed_in_the_middle_of_larger_ones() {
        let data = Pictures { shape: [1, 1, 2], pixels: vec![1, 2, 3, 4], labels: vec![0, 1], classes: Vec::new() };
        let placed = data.clone().placed([2, 3, 3]).unwrap();
        let picture = |a, b| [0, 0, 0, a, b, 0, 0, 0, 0];
        assert_eq!(placed.pixels, [picture(1, 2), picture(1, 2), picture(3, 4), picture(3, 4)].concat());
        assert_eq!(data.clone().placed([1, 1, 2]), Some(data.clone()));
        assert_eq!(data.placed([1, 1, 1]), None);
    }
}
