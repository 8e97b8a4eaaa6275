//! Receptive fields: which pixels a neuron can see, and which it looks at.

use super::saliency;
use super::{ExplainError, Inspectable, Place, Progress, Unit, Volume};
use crate::graph::{Extent, Graph, Node};

/// A rectangle of pixels: rows and columns from the first to before the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// First row and the one after the last.
    pub rows: [usize; 2],
    /// First column and the one after the last.
    pub columns: [usize; 2],
}

impl Field {
    /// The part of an image inside.
    pub fn cut(&self, image: &Volume) -> Volume {
        let (height, width) = (self.rows[1] - self.rows[0], self.columns[1] - self.columns[0]);
        let mut values = Vec::with_capacity(image.shape[0] * height * width);
        for c in 0..image.shape[0] {
            for y in self.rows[0]..self.rows[1] {
                let start = (c * image.shape[1] + y) * image.shape[2] + self.columns[0];
                values.extend_from_slice(&image.values[start..start + width]);
            }
        }
        Volume { shape: [image.shape[0], height, width], values }
    }

    /// Whether a pixel is inside.
    pub fn contains(&self, [y, x]: [usize; 2]) -> bool {
        (self.rows[0]..self.rows[1]).contains(&y) && (self.columns[0]..self.columns[1]).contains(&x)
    }
}

/// The pixels that the neuron in a row and column of a layer can see, by the geometry of the layers before it. Pixels of the
/// padding are none. A normalisation over the whole image makes a neuron see all of it.
pub fn theoretical(graph: &Graph, layer: usize, at: [usize; 2]) -> Field {
    let dimension = |d: usize| {
        let mut seen: Vec<Option<[usize; 2]>> = vec![None; layer + 1];
        seen[layer] = Some([at[d], at[d] + 1]);
        for id in (1..=layer).rev() {
            let Some(range) = seen[id] else { continue };
            for (slot, input) in graph.nodes[id].inputs.iter().enumerate() {
                let before = through(graph, &graph.nodes[id], slot, d, range);
                // Nothing but padding is seen.
                if before[0] < before[1] {
                    let known = seen[*input].unwrap_or(before);
                    seen[*input] = Some([known[0].min(before[0]), known[1].max(before[1])]);
                }
            }
        }
        seen[0].unwrap_or([0, 0])
    };
    Field { rows: dimension(0), columns: dimension(1) }
}

/// What a range of rows (or columns) of a node is made of in one of its inputs.
fn through(graph: &Graph, node: &Node, slot: usize, d: usize, [first, end]: [usize; 2]) -> [usize; 2] {
    let side = graph.nodes[node.inputs[slot]].shape.chw()[1 + d];
    let own = node.shape.chw()[1 + d];
    let windows = |kernel: usize, stride: usize, dilation: usize, pad: usize| {
        let last = (end - 1) * stride + dilation * (kernel - 1) + 1;
        [(first * stride).saturating_sub(pad).min(side), last.saturating_sub(pad).min(side)]
    };
    match node.op.extent() {
        Extent::Pixel => [first, end],
        Extent::Windows { kernel, stride, pad, dilation } => {
            windows(kernel[d], stride[d], dilation[d], [pad.top, pad.left][d])
        }
        Extent::Transposed { kernel, stride, pad, dilation } => {
            let (pad, reach) = ([pad.top, pad.left][d], dilation[d] * (kernel[d] - 1));
            [
                (first + pad).saturating_sub(reach).div_ceil(stride[d]).min(side),
                ((end - 1 + pad) / stride[d] + 1).min(side),
            ]
        }
        Extent::Bins => [first * side / own, (end * side).div_ceil(own)],
        Extent::Resampled(how) => {
            let taps = how.taps(d, side, own);
            let taps = || taps[first..end].iter().flatten().map(|(i, _)| *i);
            [taps().min().unwrap_or(0), taps().max().map_or(0, |last| last + 1)]
        }
        Extent::Squares(factor) => [first / factor, end.div_ceil(factor)],
        // A factor of a channel is one pixel.
        Extent::Product if slot == 1 && side != own => [0, 1],
        Extent::Product => [first, end],
        Extent::Normalised | Extent::Whole | Extent::Unknown => [0, side],
    }
}

/// What a neuron looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// Mean absolute gradient at each pixel, `[1, H, W]`.
    pub map: Volume,
    /// The pixels it can see.
    pub theoretical: Field,
    /// Height and width of the ellipse of two standard deviations of the map, in pixels: 95 % of a Gaussian per dimension.
    pub size: [f64; 2],
    /// Share of the pixels it can see that hold more than 4.55 % of the map's peak, as in the paper.
    pub share: f64,
}

/// The effective receptive field of a neuron (Luo et al., 2016): how much each pixel moves it, in the mean over some images.
///
/// # Errors
/// When there is no such neuron, no image or another network's, or the device fails.
pub fn effective(
    network: &dyn Inspectable,
    layer: usize,
    channel: usize,
    at: [usize; 2],
    images: &[Volume],
    progress: Progress<'_>,
) -> Result<Effective, ExplainError> {
    let graph = network.graph();
    let unit = Unit::new(graph, layer, channel, Place::At(at))?;
    if images.is_empty() {
        return Err(ExplainError::TooFew("there are no images to look at".into()));
    }
    let [_, height, width] = graph.input().chw();
    let mut map = Volume::filled([1, height, width], 0.0);
    for (done, image) in images.iter().enumerate() {
        let gradient = saliency::gradient(network, unit, image)?;
        for c in 0..gradient.shape[0] {
            let share = 1.0 / images.len() as f32;
            map.values.iter_mut().zip(gradient.plane(c)).for_each(|(sum, x)| *sum += share * x.abs());
        }
        progress(done + 1, images.len());
    }
    let theoretical = theoretical(graph, layer, at);
    let (total, peak) = (map.sum().max(f64::MIN_POSITIVE), map.range()[1]);
    let spread = |coordinate: &dyn Fn(usize) -> usize| {
        let moment = |power: i32, middle: f64| {
            let each = |(i, x): (usize, &f32)| f64::from(*x) * (coordinate(i) as f64 - middle).powi(power);
            map.values.iter().enumerate().map(each).sum::<f64>() / total
        };
        4.0 * moment(2, moment(1, 0.0)).sqrt()
    };
    let size = [spread(&|i| i / width), spread(&|i| i % width)];
    let inside = (theoretical.rows[1] - theoretical.rows[0]) * (theoretical.columns[1] - theoretical.columns[0]);
    let bright = map.values.iter().filter(|x| **x > 0.0455 * peak).count();
    Ok(Effective { map, theoretical, size, share: bright as f64 / inside.max(1) as f64 })
}
