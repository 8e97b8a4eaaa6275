//! What is refused before anything is computed from it: sizes that no memory could hold, and parts that no plan can be made of.
//!
//! The planner adds and multiplies lengths without a thought of overflow. It may, since what it starts from is bounded here by
//! checked arithmetic, with room for all that layouts, packing and partial sums make of it.

use super::error::EngineError;
use super::plan::PlanKey;
use convnet_graph::{Conv, ConvTranspose, Graph, Node, Op, Pad};

/// Elements that an allocation can have at most.
pub const MOST: usize = isize::MAX as usize / size_of::<f32>();

/// Tiles of Winograd's algorithm are at most so many times a value, whose map may be a single pixel.
const TILES: u128 = 36;

/// Packed weights are at most so many times a parameter: 36 numbers for the 9 of a kernel (Winograd's algorithm).
const PACKED: u128 = 4;

/// Gradients of weights are at most so many times the packed weights: a sum for each chunk of images.
const CHUNKS: u128 = 48;

/// Whether a plan can be made.
///
/// # Errors
/// When the part holds a custom module, reads an input that is not given, or is beyond all memory.
pub fn check(graph: &Graph, key: &PlanKey) -> Result<(), EngineError> {
    let (covered, lanes) = (key.part.covered(graph), key.isa.lanes());
    let nodes = || (0..graph.nodes.len()).filter(|id| covered[*id]).map(|id| &graph.nodes[id]);
    for node in nodes() {
        if matches!(node.op, Op::Custom(_)) {
            return Err(EngineError::Custom { node: node.name.to_string() });
        }
        if matches!(node.op, Op::Input) {
            return Err(EngineError::NotGiven { node: node.name.to_string() });
        }
    }
    let halo = nodes().filter_map(kernel).map(|kernel| kernel.halo()).max().unwrap_or(0);
    let given = key.part.inputs.iter().map(|id| &graph.nodes[*id]);
    for node in nodes().chain(given) {
        let [channels, height, width] = node.shape.chw();
        let image = product([channels.saturating_add(lanes), height, width.saturating_add(halo)])?;
        let value = image.checked_mul(key.batch as u128).ok_or(EngineError::OutOfMemory)?;
        fits(value, MOST as u128)?;
        fits(value, usize::MAX as u128 / TILES)?;
        // Offsets within an image are kept in 32 bits where a convolution reads or writes it.
        if halo > 0 {
            fits(image, i32::MAX as u128)?;
        }
    }
    let chunks = if key.backward { CHUNKS } else { 1 };
    for (node, kernel) in nodes().filter_map(|node| Some((node, kernel(node)?))) {
        let input = graph.nodes[node.inputs[0]].shape.chw();
        let [height, width] = kernel.size.unwrap_or([input[1], input[2]]);
        let [ins, outs] = [input, node.shape.chw()].map(|[channels, ..]| channels.saturating_add(lanes));
        let weights = product([ins, outs, height, width])?;
        fits(weights, usize::MAX as u128 / (PACKED * chunks))?;
        // So are offsets within a parameter.
        fits(product(graph.params[node.first_param].shape.iter().copied())?, u32::MAX.into())?;
    }
    Ok(())
}

/// What a layer with a kernel has for the bounds.
struct Kernel {
    /// `[height, width]`; nothing for one that covers its input.
    size: Option<[usize; 2]>,
    stride: usize,
    dilation: usize,
    pad: Pad,
}

impl Kernel {
    /// Zero pixels that rows may need beside their own, at most.
    fn halo(&self) -> usize {
        let width = self.size.map_or(0, |[_, width]| width);
        let reach = width.saturating_mul(self.dilation).saturating_add(self.stride);
        reach.saturating_add(self.pad.left).saturating_add(self.pad.right).saturating_mul(2)
    }
}

fn kernel(node: &Node) -> Option<Kernel> {
    if let Op::Conv(Conv { kernel, stride, dilation, pad, .. })
    | Op::ConvTranspose(ConvTranspose { kernel, stride, dilation, pad, .. }) = &node.op
    {
        return Some(Kernel { size: Some(*kernel), stride: stride[1], dilation: dilation[1], pad: *pad });
    }
    let whole = Kernel { size: None, stride: 1, dilation: 1, pad: Pad::default() };
    matches!(node.op, Op::Linear { .. }).then_some(whole)
}

fn product(factors: impl IntoIterator<Item = usize>) -> Result<u128, EngineError> {
    let product = factors.into_iter().try_fold(1_u128, |product, factor| product.checked_mul(factor as u128));
    product.ok_or(EngineError::OutOfMemory)
}

fn fits(numbers: u128, most: u128) -> Result<(), EngineError> {
    if numbers <= most { Ok(()) } else { Err(EngineError::OutOfMemory) }
}
