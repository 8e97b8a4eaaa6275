//! Functions of one element: activations, dropout, PReLU; forward and backward.
//!
//! Plain loops over rows; compiled for the instruction set of the caller, the simple ones become vector code.

use super::Simd;
use super::math::{normal, sigmoid, tanh};
use super::mem::Mem;
use super::share::{Share, StepKernel};
use crate::layout::Layout;
use crate::random::keep;
use convnet_graph::Activation;
use std::ops::Range;

const SELU_ALPHA: f32 = 1.673_263_2;
const SELU_SCALE: f32 = 1.050_701;
const GELU_CUBE: f32 = 0.044_715;
const TANH_SCALE: f32 = 1.7159;
const TANH_SLOPE: f32 = 2.0 / 3.0;
/// Multiplying takes a tenth of the time of dividing.
const SIXTH: f32 = 1.0 / 6.0;

/// `ln(1 + exp(x))` without overflow.
fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Writes zero where a number is negative; a NaN stays one. By registers: of a choice between zero and what is there already, compilers make
/// stores that leave some numbers out, and those take ten times as long on many processors.
#[inline(always)]
fn rectify<S: Simd>(row: &mut [f32]) {
    let mut registers = row.chunks_exact_mut(S::LANES);
    for register in registers.by_ref() {
        // SAFETY: a chunk is as long as a register; the caller is compiled for the instruction set.
        unsafe { S::store(register.as_mut_ptr(), S::rectify(S::load(register.as_ptr()))) };
    }
    each(registers.into_remainder(), |x| if x < 0.0 { 0.0 } else { x });
}

/// What the hyperbolic tangent of gelu's approximation is taken of.
#[inline(always)]
fn gelu_inner(x: f32) -> f32 {
    (2.0 / std::f32::consts::PI).sqrt() * x * (1.0 + GELU_CUBE * x * x)
}

#[inline(always)]
fn each(row: &mut [f32], f: impl Fn(f32) -> f32) {
    for x in row {
        *x = f(*x);
    }
}

/// Applies `activation` in place. A NaN stays one.
#[inline(always)]
pub fn activate<S: Simd>(activation: Activation, row: &mut [f32]) {
    match activation {
        Activation::Relu => rectify::<S>(row),
        Activation::Relu6 => each(row, |x| x.clamp(0.0, 6.0)),
        // A factor for each number: a choice of which number is written would be a choice of whether to write.
        Activation::LeakyRelu(slope) => each(row, |x| x * if x < 0.0 { slope as f32 } else { 1.0 }),
        Activation::Elu(alpha) => each(row, |x| if x > 0.0 { x } else { alpha as f32 * x.exp_m1() }),
        Activation::Selu => each(row, |x| SELU_SCALE * if x > 0.0 { x } else { SELU_ALPHA * x.exp_m1() }),
        Activation::Gelu => each(row, |x| x * normal::<S>(x).0),
        Activation::GeluTanh => each(row, |x| 0.5 * x * (1.0 + tanh::<S>(gelu_inner(x)))),
        Activation::Silu => each(row, |x| x * sigmoid::<S>(x)),
        Activation::Mish => each(row, |x| x * tanh::<S>(softplus(x))),
        Activation::HardSwish => each(row, |x| x * (x + 3.0).clamp(0.0, 6.0) * SIXTH),
        Activation::HardSigmoid => each(row, |x| (x + 3.0).clamp(0.0, 6.0) * SIXTH),
        Activation::Sigmoid => each(row, sigmoid::<S>),
        Activation::Tanh => each(row, tanh::<S>),
        Activation::HardTanh(low, high) => each(row, |x| x.clamp(low as f32, high as f32)),
        Activation::ScaledTanh => each(row, |x| TANH_SCALE * tanh::<S>(TANH_SLOPE * x)),
        Activation::Softplus => each(row, softplus),
    }
}

/// Whether the derivative can be had from the output, so that the input need not be kept.
pub fn from_output(activation: Activation) -> bool {
    match activation {
        Activation::Gelu | Activation::GeluTanh | Activation::Silu | Activation::Mish => false,
        Activation::HardSwish | Activation::HardSigmoid => false,
        Activation::LeakyRelu(slope) => slope > 0.0,
        Activation::Elu(alpha) => alpha > 0.0,
        Activation::Relu | Activation::Relu6 | Activation::Selu => true,
        Activation::Sigmoid | Activation::Tanh | Activation::HardTanh(..) | Activation::ScaledTanh => true,
        Activation::Softplus => true,
    }
}

/// What to do with a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GradMode {
    /// The gradient of the output becomes that of the input, in place.
    InPlace,
    /// The gradient of the input is written.
    Store,
    /// The gradient of the input is added to what is there.
    Add,
}

impl GradMode {
    /// Applies `factor(i)` times the gradient of the output.
    #[inline(always)]
    fn apply(self, d_out: &[f32], d: &mut [f32], factor: impl Fn(usize) -> f32) {
        match self {
            GradMode::InPlace => {
                for (i, d) in d.iter_mut().enumerate() {
                    *d *= factor(i);
                }
            }
            GradMode::Store => {
                for (i, (d, d_out)) in d.iter_mut().zip(d_out).enumerate() {
                    *d = d_out * factor(i);
                }
            }
            GradMode::Add => {
                for (i, (d, d_out)) in d.iter_mut().zip(d_out).enumerate() {
                    *d += d_out * factor(i);
                }
            }
        }
    }
}

/// Multiplies with the derivative of `activation`, given its output where [`from_output`] says so, else its input.
#[inline(always)]
fn derivative<S: Simd>(activation: Activation, mode: GradMode, known: &[f32], d_out: &[f32], d: &mut [f32]) {
    let known = &known[..d.len()];
    let by_output = from_output(activation);
    match activation {
        Activation::Relu => mode.apply(d_out, d, |i| if known[i] > 0.0 { 1.0 } else { 0.0 }),
        Activation::Relu6 => mode.apply(d_out, d, |i| if known[i] > 0.0 && known[i] < 6.0 { 1.0 } else { 0.0 }),
        Activation::LeakyRelu(slope) => mode.apply(d_out, d, |i| if known[i] > 0.0 { 1.0 } else { slope as f32 }),
        Activation::Elu(alpha) => mode.apply(d_out, d, |i| match known[i] {
            known if known > 0.0 => 1.0,
            y if by_output => y + alpha as f32,
            x => alpha as f32 * x.exp(),
        }),
        Activation::Selu => {
            mode.apply(d_out, d, |i| if known[i] > 0.0 { SELU_SCALE } else { known[i] + SELU_SCALE * SELU_ALPHA })
        }
        Activation::Gelu => mode.apply(d_out, d, |i| {
            let (cdf, density) = normal::<S>(known[i]);
            cdf + known[i] * density * (0.5 * std::f32::consts::FRAC_1_PI.sqrt() * std::f32::consts::SQRT_2)
        }),
        Activation::GeluTanh => mode.apply(d_out, d, |i| {
            let (x, slope) = (known[i], (2.0 / std::f32::consts::PI).sqrt());
            let t = tanh::<S>(gelu_inner(x));
            0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope * (1.0 + 3.0 * GELU_CUBE * x * x)
        }),
        Activation::Silu => mode.apply(d_out, d, |i| {
            let s = sigmoid::<S>(known[i]);
            s * (1.0 + known[i] * (1.0 - s))
        }),
        Activation::Mish => mode.apply(d_out, d, |i| {
            let t = tanh::<S>(softplus(known[i]));
            t + known[i] * sigmoid::<S>(known[i]) * (1.0 - t * t)
        }),
        Activation::HardSwish => mode.apply(d_out, d, |i| match known[i] {
            x if x <= -3.0 => 0.0,
            x if x <= 3.0 => x / 3.0 + 0.5,
            _ => 1.0,
        }),
        Activation::HardSigmoid => {
            mode.apply(d_out, d, |i| if known[i] > -3.0 && known[i] < 3.0 { 1.0 / 6.0 } else { 0.0 })
        }
        Activation::Sigmoid => mode.apply(d_out, d, |i| known[i] * (1.0 - known[i])),
        Activation::Tanh => mode.apply(d_out, d, |i| 1.0 - known[i] * known[i]),
        Activation::HardTanh(low, high) => {
            let (low, high) = (low as f32, high as f32);
            mode.apply(d_out, d, |i| if known[i] > low && known[i] < high { 1.0 } else { 0.0 })
        }
        Activation::ScaledTanh => mode.apply(d_out, d, |i| {
            let t = known[i] / TANH_SCALE;
            TANH_SCALE * TANH_SLOPE * (1.0 - t * t)
        }),
        Activation::Softplus => mode.apply(d_out, d, |i| -(-known[i]).exp_m1()),
    }
}

/// What a dropout drops at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// An element.
    Elements,
    /// A channel of an image.
    Channels,
    /// A whole image.
    Images,
}

/// What a [`Pointwise`] step does to each element.
#[derive(Debug, Clone, Copy)]
pub enum Function {
    /// `out = activation(from)`
    Activate(Activation),
    /// `out = activation'(known) * from`
    Derivative(Activation, GradMode),
    /// `out = mask * from`, forward and backward; the node and the probability say which mask.
    #[allow(missing_docs)]
    Dropout { node: usize, p: f64, dropped: Dropped, mode: GradMode },
    /// `out = from + known`
    Sum,
    /// The gradient of a sum to one of its terms.
    Pass(GradMode),
    /// `out = slope of (from) * from`, with the slopes' offset and their stride from channel to channel (0: one for all).
    Prelu(usize, usize),
    /// `out = slope of (known) * from`
    PreluDerivative(usize, usize, GradMode),
    /// `out = factor of the channel * from`, forward and backward, with the factors' offset.
    Factors(usize, GradMode),
}

/// An element-wise step over rows; `from` and `out` may be the same place.
#[derive(Debug, Clone, Copy)]
pub struct Pointwise {
    /// What is computed.
    pub function: Function,
    /// The value that a derivative is taken at.
    pub known: Layout,
    /// What is read.
    pub from: Layout,
    /// What is written.
    pub out: Layout,
    /// Images.
    pub batch: usize,
}

impl Pointwise {
    /// Computes the tasks `tasks`; `seed` is that of the dropout masks.
    ///
    /// # Safety
    /// Nobody else touches these rows of `out`, and nobody writes to the rows read.
    #[inline(always)]
    unsafe fn rows<S: Simd>(&self, mem: Mem<'_>, seed: Option<u64>, tasks: Range<usize>) {
        let len = self.out.chw[2] * self.out.block;
        let in_place = self.from.at == self.out.at;
        for row in self.out.rows_of(tasks, self.batch) {
            // SAFETY: the caller's promises. When in place, `from` is not read through a slice of its own.
            let (known, from, out) = unsafe {
                let known =
                    if in_place && self.known.at == self.out.at { &[] } else { mem.read(self.known.row_at(row), len) };
                let from = if in_place { &[] } else { mem.read(self.from.row_at(row), len) };
                (known, from, mem.write(self.out.row_at(row), len))
            };
            match self.function {
                Function::Activate(activation) => {
                    if !in_place {
                        out.copy_from_slice(from);
                    }
                    activate::<S>(activation, out);
                }
                Function::Derivative(activation, mode) => derivative::<S>(activation, mode, known, from, out),
                Function::Sum => {
                    for ((out, a), b) in out.iter_mut().zip(from).zip(known) {
                        *out = a + b;
                    }
                }
                Function::Pass(mode) => mode.apply(from, out, |_| 1.0),
                Function::Dropout { node, p, dropped, mode } => {
                    let scale = (1.0 / (1.0 - p)) as f32;
                    let [channels, height, width] = self.out.chw;
                    let group = match dropped {
                        Dropped::Elements => 1,
                        Dropped::Channels => (height * width) as u64,
                        Dropped::Images => (channels * height * width) as u64,
                    };
                    let factor = |i: usize| match seed {
                        Some(seed) if !keep(seed, node, self.index(row, i) / group, p) => 0.0,
                        Some(_) => scale,
                        None => 1.0,
                    };
                    mode.apply(from, out, factor);
                }
                Function::Prelu(slopes, step) => {
                    let slope = self.by_channel(mem, row, slopes, step);
                    for (i, out) in out.iter_mut().enumerate() {
                        let x = if in_place { *out } else { from[i] };
                        *out = if x > 0.0 { x } else { slope[i % self.out.block] * x };
                    }
                }
                Function::Factors(factors, mode) => {
                    let factor = self.by_channel(mem, row, factors, 1);
                    mode.apply(from, out, |i| factor[i % self.out.block]);
                }
                Function::PreluDerivative(slopes, step, mode) => {
                    let slope = self.by_channel(mem, row, slopes, step);
                    mode.apply(from, out, |i| if known[i] > 0.0 { 1.0 } else { slope[i % self.out.block] });
                }
            }
        }
    }

    /// The index in `[N, C, H, W]` order of element `i` of row `row`.
    fn index(&self, row: usize, i: usize) -> u64 {
        let [channels, height, width] = self.out.chw;
        let (plane, y) = (row / height, row % height);
        let (n, block) = (plane / self.out.blocks(), plane % self.out.blocks());
        let (x, c) = (i / self.out.block, block * self.out.block + i % self.out.block);
        (((n * channels + c) * height + y) * width + x) as u64
    }

    fn by_channel(&self, mem: Mem<'_>, row: usize, at: usize, step: usize) -> [f32; 16] {
        let block = row / self.out.chw[1] % self.out.blocks();
        std::array::from_fn(|lane| {
            let channel = (block * self.out.block + lane).min(self.out.chw[0] - 1);
            // SAFETY: nobody writes to parameters while a program runs.
            unsafe { mem.read(at + channel * step, 1)[0] }
        })
    }
}

impl StepKernel for Pointwise {
    const NAME: &'static str = "pointwise";

    /// Number of tasks.
    fn tasks(&self, _lanes: usize) -> usize {
        self.out.rows(self.batch)
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.rows::<S>(share.mem, share.bindings.seed, share.tasks) }
    }
}

/// The gradient of PReLU's slopes for each channel: the sum of `min(x, 0) * d_out`.
#[derive(Debug, Clone, Copy)]
pub struct PreluGrad {
    /// The input.
    pub x: Layout,
    /// The gradient of the output.
    pub d_out: Layout,
    /// One slope a channel, or one for all.
    pub per_channel: bool,
    /// Offset of the result.
    pub out: usize,
    /// Images.
    pub batch: usize,
}

impl PreluGrad {
    /// Computes all sums.
    ///
    /// # Safety
    /// Nobody else touches the result, and nobody writes to what is read.
    unsafe fn sum(&self, mem: Mem<'_>) {
        let [channels, height, width] = self.x.chw;
        let mut sums = vec![0.0_f64; channels];
        for row in 0..self.x.rows(self.batch) {
            let block = row / height % self.x.blocks();
            let len = width * self.x.block;
            // SAFETY: the caller's promises.
            let (x, d) = unsafe { (mem.read(self.x.row_at(row), len), mem.read(self.d_out.row_at(row), len)) };
            for i in 0..len {
                let channel = block * self.x.block + i % self.x.block;
                if channel < channels {
                    sums[channel] += f64::from(x[i].min(0.0) * d[i]);
                }
            }
        }
        let results = if self.per_channel { sums } else { vec![sums.iter().sum()] };
        // SAFETY: the caller's promises.
        let out = unsafe { mem.write(self.out, results.len()) };
        for (out, sum) in out.iter_mut().zip(results) {
            *out = sum as f32;
        }
    }
}

impl StepKernel for PreluGrad {
    const NAME: &'static str = "prelu grad";

    /// One task, in one order: the sums are long and the layer is rare.
    fn tasks(&self, _lanes: usize) -> usize {
        1
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
        // SAFETY: passed on from the caller.
        unsafe { self.sum(share.mem) }
    }
}

/// The gradient of the factors: the sum of `x * d_out` over each channel of all images.
#[derive(Debug, Clone, Copy)]
pub struct FactorsGrad {
    /// The input.
    pub x: Layout,
    /// The gradient of the output.
    pub d_out: Layout,
    /// Offset of the result, `[C]`.
    pub out: usize,
    /// Images.
    pub batch: usize,
}

impl FactorsGrad {
    /// Computes the sums of a block of channels, row by row, and the rows' sums in double precision.
    ///
    /// # Safety
    /// Nobody else touches these results, and nobody writes to what is read.
    #[inline(always)]
    unsafe fn sum(&self, mem: Mem<'_>, block: usize) {
        let ([channels, height, width], lanes) = (self.x.chw, self.x.block);
        let len = width * lanes;
        let mut total = [0.0_f64; 16];
        for image in 0..self.batch {
            for y in 0..height {
                let row = (image * self.x.blocks() + block) * height + y;
                // SAFETY: the caller's promises.
                let (x, d) = unsafe { (mem.read(self.x.row_at(row), len), mem.read(self.d_out.row_at(row), len)) };
                let mut sum = [0.0_f32; 16];
                for (x, d) in x.chunks_exact(lanes).zip(d.chunks_exact(lanes)) {
                    for lane in 0..lanes {
                        sum[lane] += x[lane] * d[lane];
                    }
                }
                total.iter_mut().zip(sum).for_each(|(total, sum)| *total += f64::from(sum));
            }
        }
        let first = block * lanes;
        let count = lanes.min(channels - first);
        // SAFETY: the caller's promises.
        let out = unsafe { mem.write(self.out + first, count) };
        out.iter_mut().zip(total).for_each(|(out, total)| *out = total as f32);
    }
}

impl StepKernel for FactorsGrad {
    const NAME: &'static str = "factors grad";

    /// Number of tasks: blocks of channels.
    fn tasks(&self, _lanes: usize) -> usize {
        self.x.blocks()
    }

    fn check(&self, _len: usize, _lanes: usize) {}

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, Share { mem, tasks, .. }: Share<'_, '_>) {
        for block in tasks {
            // SAFETY: passed on from the caller.
            unsafe { self.sum(mem, block) }
        }
    }
}
