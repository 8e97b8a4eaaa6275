//! Which algorithm computes a convolution: the direct one, or Winograd's with tiles of 2 or 4 pixels.
//!
//! The choice is a model of the time that each takes, whose constants come from `benches/NOTES.md`. It looks at shapes
//! only, so a network's results are the same wherever and however it is planned.

use super::kernels::Isa;
use std::sync::atomic::{AtomicBool, Ordering};

/// How exactly convolutions are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// By the fastest algorithm: some ten times the rounding errors of the direct one where that is Winograd's.
    #[default]
    Fast,
    /// Directly: each output is one sum of products.
    Exact,
}

static EXACT: AtomicBool = AtomicBool::new(false);

/// Sets the precision of networks on the CPU engine from now on.
pub fn set_precision(precision: Precision) {
    EXACT.store(precision == Precision::Exact, Ordering::Relaxed);
}

/// The precision of networks on the CPU engine.
pub fn precision() -> Precision {
    if EXACT.load(Ordering::Relaxed) { Precision::Exact } else { Precision::Fast }
}

/// What Winograd's algorithm computes of a layer, by tiles of so many pixels.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tiles {
    /// The output.
    pub forward: Option<usize>,
    /// The gradient of the input.
    pub backward: Option<usize>,
    /// The gradient of the weights, by tiles of 4 pixels.
    pub weights: bool,
}

/// A convolution with a 3x3 kernel and stride 1.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Images.
    pub batch: usize,
    /// Channels that are summed over.
    pub ins: usize,
    /// `[C, H, W]` of the result.
    pub out: [usize; 3],
}

impl Sizes {
    /// Blocks of both kinds of channels.
    fn blocks(&self, lanes: usize) -> [f64; 2] {
        [self.ins, self.out[0]].map(|channels| channels.div_ceil(lanes) as f64)
    }

    /// Registers of weights in a position of the kernel.
    fn pairs(&self, lanes: usize) -> f64 {
        self.ins as f64 * self.blocks(lanes)[1]
    }

    /// Multiplications of a register that the direct way takes.
    fn direct(&self, lanes: usize) -> f64 {
        let [_, height, width] = self.out;
        (self.batch as f64 * height as f64 * width as f64 * 9.0) * self.pairs(lanes)
    }

    /// Tiles of `tile` pixels.
    fn tiles(&self, tile: usize) -> f64 {
        let [_, height, width] = self.out;
        self.batch as f64 * height.div_ceil(tile) as f64 * width.div_ceil(tile) as f64
    }
}

/// Cycles to transform a patch of a block of channels into a tile of 4 pixels, and a tile back.
const TRANSFORM_4: [f64; 2] = [450.0, 400.0];
/// The same for tiles of 2 pixels.
const TRANSFORM_2: [f64; 2] = [200.0, 150.0];
/// Multiplications with addition of a register in a cycle: in the direct kernel, and in Winograd's products.
const SPEED: [f64; 2] = [1.75, 1.55];
/// Cycles to begin and end one register of Winograd's products.
const PRODUCT: f64 = 3.0;
/// Bytes a cycle of one core in which weights come from memory, shared by all.
const STREAM: f64 = 5.5;

/// Cycles to transform a tile of 4 pixels of a block and to read the result from a far cache, and to transform the sums of a
/// pair of a channel and a block back.
const GRAD: [f64; 2] = [1400.0, 300.0];
/// Multiplications with addition of a register in a cycle for the direct gradient of weights.
const GRAD_SPEED: f64 = 1.3;

/// Whether the gradient of the weights of a layer of these sizes is faster by Winograd's algorithm with tiles of 4.
pub fn winograd_grad(sizes: Sizes, isa: Isa, precision: Precision) -> bool {
    let lanes = isa.lanes();
    let (pairs, transforms) = (sizes.pairs(lanes), sizes.blocks(lanes).iter().sum::<f64>() * GRAD[0]);
    let winograd = sizes.tiles(4) * (36.0 * pairs / SPEED[1] + transforms) + pairs * GRAD[1];
    precision == Precision::Fast && winograd < sizes.direct(lanes) / GRAD_SPEED
}

/// The tile of Winograd's algorithm that is fastest for these sizes; nothing where that is the direct one.
pub fn tile(sizes: Sizes, isa: Isa, precision: Precision) -> Option<usize> {
    if precision == Precision::Exact {
        return None;
    }
    let lanes = isa.lanes();
    let ([in_blocks, out_blocks], pairs) = (sizes.blocks(lanes), sizes.pairs(lanes));
    let stream = |positions: usize| pairs * (positions * lanes * size_of::<f32>()) as f64 / STREAM;
    let direct = sizes.direct(lanes) / SPEED[0] + stream(9);
    let winograd = |tile: usize, [before, after]: [f64; 2]| {
        let positions = (tile + 2) * (tile + 2);
        let products = positions as f64 * (pairs / SPEED[1] + out_blocks * PRODUCT);
        sizes.tiles(tile) * (products + in_blocks * before + out_blocks * after) + stream(positions)
    };
    let (two, four) = (winograd(2, TRANSFORM_2), winograd(4, TRANSFORM_4));
    let fastest = direct.min(two).min(four);
    match () {
        () if fastest == direct => None,
        () if fastest == four => Some(4),
        () => Some(2),
    }
}
