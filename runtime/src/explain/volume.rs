//! Numbers with a shape: an image as a network takes it, an activation, a map of importance.

use super::ExplainError;
use crate::data::Normalisation;
use crate::graph::Graph;

/// Numbers `[C, H, W]`, row-major.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Volume {
    /// `[C, H, W]`; a vector is `[N, 1, 1]`.
    pub shape: [usize; 3],
    /// As many as the shape says.
    pub values: Vec<f32>,
}

impl Volume {
    /// Numbers of this shape.
    ///
    /// # Panics
    /// If there are more or fewer than the shape says.
    pub fn new(shape: [usize; 3], values: Vec<f32>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "numbers of shape {shape:?}");
        Volume { shape, values }
    }

    /// The same number everywhere.
    pub fn filled(shape: [usize; 3], value: f32) -> Self {
        Volume { shape, values: vec![value; shape.iter().product()] }
    }

    /// A black image, as a network takes it that was trained with this normalisation.
    pub fn black(shape: [usize; 3], normalisation: &Normalisation) -> Self {
        let plane = shape[1] * shape[2];
        let values = (0..shape[0]).flat_map(|c| vec![normalisation.range(c)[0]; plane]).collect();
        Volume { shape, values }
    }

    /// The numbers of a channel.
    pub fn plane(&self, c: usize) -> &[f32] {
        let len = self.shape[1] * self.shape[2];
        &self.values[c * len..(c + 1) * len]
    }

    /// The number in a channel, row and column.
    pub fn at(&self, c: usize, y: usize, x: usize) -> f32 {
        self.values[(c * self.shape[1] + y) * self.shape[2] + x]
    }

    /// The smallest and the largest number.
    pub fn range(&self) -> [f32; 2] {
        self.values.iter().fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], x| [low.min(*x), high.max(*x)])
    }

    /// The number that all of it is, if it is one: a map that says nothing.
    pub fn constant(&self) -> Option<f32> {
        let [low, high] = self.range();
        (low == high).then_some(low)
    }

    /// The sum of all numbers.
    pub fn sum(&self) -> f64 {
        self.values.iter().map(|x| f64::from(*x)).sum()
    }

    /// Number by number with another of the same shape.
    pub fn zip(&self, other: &Volume, f: impl Fn(f32, f32) -> f32) -> Volume {
        let values = self.values.iter().zip(&other.values).map(|(a, b)| f(*a, *b)).collect();
        Volume { shape: self.shape, values }
    }

    /// One map `[1, H, W]`: at each place the largest absolute number of all channels (Simonyan et al., 2013, section 3.1).
    pub fn flattened(&self) -> Volume {
        let len = self.shape[1] * self.shape[2];
        let largest = |i: usize| (0..self.shape[0]).fold(0.0_f32, |most, c| most.max(self.values[c * len + i].abs()));
        Volume { shape: [1, self.shape[1], self.shape[2]], values: (0..len).map(largest).collect() }
    }

    /// One map `[1, H, W]`: at each place the sum over all channels, with its sign.
    pub fn summed(&self) -> Volume {
        let len = self.shape[1] * self.shape[2];
        let sum = |i: usize| (0..self.shape[0]).map(|c| self.values[c * len + i]).sum();
        Volume { shape: [1, self.shape[1], self.shape[2]], values: (0..len).map(sum).collect() }
    }

    /// In another size, by bilinear interpolation as PyTorch's (`align_corners = False`). A feature map is brought to the image's
    /// size by [`super::grid::Grid::spread`], which knows where its cells lie.
    pub fn resized(&self, [height, width]: [usize; 2]) -> Volume {
        let [_, h, w] = self.shape;
        self.between([between(h, height), between(w, width)])
    }

    /// Another volume, each of whose rows and columns lies between two of this one, so far from the first.
    pub(super) fn between(&self, [rows, columns]: [Vec<(usize, usize, f32)>; 2]) -> Volume {
        let mut values = Vec::with_capacity(self.shape[0] * rows.len() * columns.len());
        for c in 0..self.shape[0] {
            for (top, bottom, down) in &rows {
                for (left, right, along) in &columns {
                    let line = |y: usize| self.at(c, y, *left) * (1.0 - along) + self.at(c, y, *right) * along;
                    values.push(line(*top) * (1.0 - down) + line(*bottom) * down);
                }
            }
        }
        Volume { shape: [self.shape[0], rows.len(), columns.len()], values }
    }

    /// How alike two volumes are: Pearson's correlation, 0 if one of them is constant.
    pub fn correlation(&self, other: &Volume) -> f64 {
        let n = self.values.len().max(1) as f64;
        let mean = |volume: &Volume| volume.sum() / n;
        let (a, b) = (mean(self), mean(other));
        let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
        for (x, y) in self.values.iter().zip(&other.values) {
            let (x, y) = (f64::from(*x) - a, f64::from(*y) - b);
            (ab, aa, bb) = (ab + x * y, aa + x * x, bb + y * y);
        }
        if aa * bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
    }

    /// Itself, if it is an image for this network.
    pub(super) fn of_network(&self, graph: &Graph) -> Result<&Self, ExplainError> {
        let expected = graph.input().chw();
        if self.shape == expected {
            return Ok(self);
        }
        Err(ExplainError::Image { network: graph.name.to_string(), expected, found: self.shape })
    }
}

/// For each of `to` places the two of `from` between which it lies, and how far it is from the first.
fn between(from: usize, to: usize) -> Vec<(usize, usize, f32)> {
    let scale = from as f32 / to as f32;
    let place = |i: usize| {
        let at = ((i as f32 + 0.5) * scale - 0.5).max(0.0);
        let first = (at as usize).min(from.saturating_sub(1));
        (first, (first + 1).min(from.saturating_sub(1)), at - first as f32)
    };
    (0..to).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_change_as_in_pytorch() {
        // torch.nn.functional.interpolate(torch.tensor([[[[1., 2.], [3., 5.]]]]), (3, 4), mode="bilinear")
        let expected = [1.0, 1.25, 1.75, 2.0, 2.0, 2.375, 3.125, 3.5, 3.0, 3.5, 4.5, 5.0];
        let found = Volume::new([1, 2, 2], vec![1.0, 2.0, 3.0, 5.0]).resized([3, 4]);
        assert!(found.values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn correlation_is_that_of_pearson() {
        let [a, b] = [[1.0, 2.0, 3.0, 4.0], [-2.0, -4.0, -6.0, -8.0]].map(|v| Volume::new([1, 2, 2], v.to_vec()));
        assert!((a.correlation(&a) - 1.0).abs() < 1e-12 && (a.correlation(&b) + 1.0).abs() < 1e-12);
        assert_eq!(a.correlation(&Volume::filled([1, 2, 2], 3.0)), 0.0);
    }
}
