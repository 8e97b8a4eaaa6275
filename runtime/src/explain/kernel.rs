//! An image through a filter made by hand: what a convolution does, before anything is learned.

use super::{ExplainError, Volume};
use std::str::FromStr;

/// A filter `[kh, kw]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// Height and width.
    pub size: [usize; 2],
    /// Row by row.
    pub values: Vec<f32>,
}

/// Filters with a name.
pub const NAMED: [(&str, &str); 9] = [
    ("edge-vertical", "1 -1"),
    ("edge-horizontal", "1; -1"),
    ("sobel-x", "-1 0 1; -2 0 2; -1 0 1"),
    ("sobel-y", "-1 -2 -1; 0 0 0; 1 2 1"),
    ("laplace", "0 1 0; 1 -4 1; 0 1 0"),
    ("blur", "0.0625 0.125 0.0625; 0.125 0.25 0.125; 0.0625 0.125 0.0625"),
    ("mean", "0.1111 0.1111 0.1111; 0.1111 0.1111 0.1111; 0.1111 0.1111 0.1111"),
    ("sharpen", "0 -1 0; -1 5 -1; 0 -1 0"),
    ("emboss", "-2 -1 0; -1 1 1; 0 1 2"),
];

impl FromStr for Kernel {
    type Err = ExplainError;

    /// Rows between semicolons, numbers between spaces or commas; or a name of [`NAMED`].
    fn from_str(text: &str) -> Result<Self, ExplainError> {
        let error = |found: String| ExplainError::Option {
            what: "kernel",
            found,
            expected: "it must be rows of numbers, as in \"1 -1\" or \"-1 0 1; -2 0 2; -1 0 1\", or one of edge-vertical, \
                       edge-horizontal, sobel-x, sobel-y, laplace, blur, mean, sharpen, emboss",
        };
        let text = NAMED.iter().find(|(name, _)| *name == text.trim()).map_or(text, |(_, numbers)| numbers);
        let row = |row: &str| {
            let words = row.split([' ', ',', '\t']).filter(|word| !word.is_empty());
            let number = |word: &str| match word.parse::<f32>() {
                Ok(x) if x.is_finite() => Ok(x),
                _ => Err(error(format!("`{word}`"))),
            };
            words.map(number).collect::<Result<Vec<f32>, _>>()
        };
        let rows = text.split(';').map(row).collect::<Result<Vec<_>, _>>()?;
        let width = rows[0].len();
        if width == 0 || rows.iter().any(|row| row.len() != width) {
            let lengths: Vec<String> = rows.iter().map(|row| row.len().to_string()).collect();
            return Err(error(format!("rows of {} numbers", lengths.join(", "))));
        }
        Ok(Kernel { size: [rows.len(), width], values: rows.concat() })
    }
}

impl Kernel {
    /// Each channel of an image correlated with the filter, as a convolution layer does: `[C, H - kh + 1, W - kw + 1]`, or the
    /// image's own size if `pad` puts zeros around it.
    ///
    /// # Errors
    /// When the filter is larger than the image.
    pub fn apply(&self, image: &Volume, pad: bool) -> Result<Volume, ExplainError> {
        let ([kh, kw], [channels, height, width]) = (self.size, image.shape);
        let [before_y, before_x] = if pad { [(kh - 1) / 2, (kw - 1) / 2] } else { [0, 0] };
        let [rows, columns] =
            if pad { [height, width] } else { [(height + 1).saturating_sub(kh), (width + 1).saturating_sub(kw)] };
        if rows * columns == 0 {
            let found = format!("{kh}x{kw}");
            return Err(ExplainError::Option {
                what: "kernel",
                found,
                expected: "it must not be larger than the image",
            });
        }
        let mut values = Vec::with_capacity(channels * rows * columns);
        for c in 0..channels {
            for y in 0..rows {
                for x in 0..columns {
                    let tap = |(i, weight): (usize, &f32)| {
                        let (y, x) = ((y + i / kw).checked_sub(before_y), (x + i % kw).checked_sub(before_x));
                        match (y, x) {
                            (Some(y), Some(x)) if y < height && x < width => weight * image.at(c, y, x),
                            _ => 0.0,
                        }
                    };
                    values.push(self.values.iter().enumerate().map(tap).sum());
                }
            }
        }
        Ok(Volume { shape: [channels, rows, columns], values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read() {
        let kernel: Kernel = "1 -1".parse().unwrap();
        assert_eq!((kernel.size, &kernel.values[..]), ([1, 2], &[1.0, -1.0][..]));
        for (name, _) in NAMED {
            assert!(name.parse::<Kernel>().is_ok(), "{name}");
        }
        for wrong in ["", "1 2; 3", "1 x", "inf", ";"] {
            assert!(wrong.parse::<Kernel>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn edges_are_found_where_they_are() {
        // torch.nn.functional.conv2d(x, k) and the same with padding="same".
        let image = Volume::new([1, 2, 3], vec![0.0, 1.0, 1.0, 2.0, 2.0, 5.0]);
        let kernel: Kernel = "1 -1".parse().unwrap();
        assert_eq!(kernel.apply(&image, false).unwrap().values, [-1.0, 0.0, 0.0, -3.0]);
        assert_eq!(kernel.apply(&image, true).unwrap().values, [-1.0, 0.0, 1.0, 0.0, -3.0, 5.0]);
        assert!("1 1 1 1".parse::<Kernel>().unwrap().apply(&image, false).is_err());
    }
}
