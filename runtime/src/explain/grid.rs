//! Where the cells of a feature map lie in the image.
//!
//! A map is a grid over the image: cell `i` is centred at `start + i * jump` pixels. Without padding the first centre lies inside the
//! image by half a receptive field, so a map that is stretched over all of it is drawn beside what it has seen.

use super::Volume;
use crate::graph::{Extent, Graph, Node, Resample};

/// The grid of a layer over the image.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// For each row and for each column of the map, where its cells are centred: in pixels, from the middle of the first one.
    pub centres: [Vec<f64>; 2],
    /// Height and width of the image, in pixels.
    pub image: [usize; 2],
}

impl Grid {
    /// That of a layer, by the geometry of the layers before it. Where several branches end, it is the mean of theirs; a module from
    /// outside is taken to see its input from edge to edge.
    pub fn new(graph: &Graph, layer: usize) -> Self {
        let [_, height, width] = graph.input().chw();
        Grid { centres: [0, 1].map(|d| centres(graph, layer, d)), image: [height, width] }
    }

    /// A map `[C, h, w]` of the layer in the image's size, `[C, H, W]`: each cell at its centre, linearly between centres, and beyond
    /// the outermost ones as these are.
    ///
    /// # Panics
    /// If the map has another height or width than the layer.
    pub fn spread(&self, map: &Volume) -> Volume {
        let sides = [0, 1].map(|d| self.centres[d].len());
        assert_eq!(map.shape[1..], sides, "a map of the grid's height and width");
        map.between([0, 1].map(|d| {
            let centres = &self.centres[d];
            (0..self.image[d]).map(|pixel| between(centres, pixel as f64)).collect()
        }))
    }
}

/// The two cells whose centres a pixel lies between, and how far it is from the first, from 0 to 1.
fn between(centres: &[f64], pixel: f64) -> (usize, usize, f32) {
    let behind = centres.partition_point(|centre| *centre <= pixel);
    let last = centres.len().saturating_sub(1);
    let (first, second) = (behind.saturating_sub(1).min(last), behind.min(last));
    let span = centres[second] - centres[first];
    (first, second, if span > 0.0 { ((pixel - centres[first]) / span) as f32 } else { 0.0 })
}

/// The centres of a layer's cells along a dimension.
fn centres(graph: &Graph, layer: usize, d: usize) -> Vec<f64> {
    let mut all: Vec<Vec<f64>> = Vec::with_capacity(layer + 1);
    for node in &graph.nodes[..=layer] {
        let own = node.shape.chw()[1 + d];
        // The factors of a scale have no place.
        let placed = if node.op.extent() == Extent::Product { 1 } else { node.inputs.len() };
        let before: Vec<&Vec<f64>> = node.inputs.iter().take(placed).map(|input| &all[*input]).collect();
        let Some(side) = before.iter().map(|list| list.len()).min() else {
            all.push((0..own).map(|pixel| pixel as f64).collect());
            continue;
        };
        let mean = |i: usize| before.iter().map(|list| list[i]).sum::<f64>() / before.len() as f64;
        let input: Vec<f64> = (0..side).map(mean).collect();
        let jump = node.inputs.first().map_or(1, |input| graph.nodes[*input].jump[d]) as f64;
        all.push((0..own).map(|i| at(&input, source(node, d, i as f64, side as f64, own as f64), jump)).collect());
    }
    all.pop().unwrap_or_default()
}

/// The place in its input that cell `i` of a node is made of, in cells of that input; it may lie in the padding.
fn source(node: &Node, d: usize, i: f64, side: f64, own: f64) -> f64 {
    let reach = |kernel: usize, dilation: usize| (dilation * (kernel - 1)) as f64 / 2.0;
    let even = (i + 0.5) * side / own - 0.5;
    match node.op.extent() {
        Extent::Pixel | Extent::Product | Extent::Normalised => i,
        Extent::Windows { kernel, stride, pad, dilation } => {
            i * stride[d] as f64 - [pad.top, pad.left][d] as f64 + reach(kernel[d], dilation[d])
        }
        Extent::Transposed { kernel, stride, pad, dilation } => {
            (i + [pad.top, pad.left][d] as f64 - reach(kernel[d], dilation[d])) / stride[d] as f64
        }
        Extent::Resampled(Resample::Pad { pad, .. }) => i - [pad.top, pad.left][d] as f64,
        Extent::Resampled(Resample::Crop { top, left }) => i + [top, left][d] as f64,
        Extent::Bins => ((i * side / own).floor() + ((i + 1.0) * side / own).ceil() - 1.0) / 2.0,
        Extent::Resampled(Resample::Nearest | Resample::Bilinear | Resample::Resize { .. }) => even,
        Extent::Squares(_) | Extent::Unknown => even,
        // All of it, wherever that is.
        Extent::Whole => (side - 1.0) / 2.0,
    }
}

/// The pixel of a place between cells or, in the padding, beyond them.
fn at(centres: &[f64], place: f64, jump: f64) -> f64 {
    if centres.len() < 2 {
        return centres.first().copied().unwrap_or(0.0) + place * jump;
    }
    let first = (place.floor().max(0.0) as usize).min(centres.len() - 2);
    centres[first] + (place - first as f64) * (centres[first + 1] - centres[first])
}
