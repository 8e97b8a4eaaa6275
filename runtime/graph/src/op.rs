//! The closed list of operations that an executor implements, with their numbers filled in.
//!
//! An operation is a few numbers that can be copied, and never a size that a const generic stands for: what depends on one is
//! in the shapes, and here it is `Groups::Each` or `GlobalPool`. A connection table is a list, so the graph has it.

use super::category::Category;
use super::facts::{Detail, Extent};
use super::groups::Groups;
use super::pad::Pad;
use super::resample::{Fill, Resample};

/// One operation. Shapes are in the [`Node`](super::Node) that holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// The network's input.
    Input,
    /// 2-d convolution. Parameters: weight `[out, in / groups, kh, kw]` (with a connection table: `[connections, kh, kw]`),
    /// then bias `[out]` if `bias`.
    Conv(Conv),
    /// Max, min or average over windows.
    Pool(Pool),
    /// Average over a grid of `shape.h x shape.w` bins (PyTorch's `AdaptiveAvgPool2d`).
    AdaptiveAvgPool,
    /// Max, min or average over the whole map; the output is the vector `[C]`.
    GlobalPool(PoolKind),
    /// Max or average over groups of `size` neighbouring channels ("cross-channel pooling").
    ChannelPool {
        /// Max or average.
        kind: PoolKind,
        /// Channels per group.
        size: usize,
    },
    /// LeNet's trainable pooling (LeCun et al., 1998, section II-B): the sum over a `size x size` window times a
    /// coefficient plus a bias. Parameters: weight `[C]`, bias `[C]`.
    Subsample {
        /// Window and stride.
        size: usize,
    },
    /// Keeps the values in `[C, H, W]` order and makes them a vector.
    Flatten,
    /// Nothing.
    Identity,
    /// The transposed map of a convolution. Parameters: weight `[in, out / groups, kh, kw]`, then bias `[out]` if `bias`.
    ConvTranspose(ConvTranspose),
    /// Pixels moved, repeated or mixed, by row and by column.
    Resample(Resample),
    /// Channels of zeros beside those of the input; the output's shape says how many in all.
    ChannelPad {
        /// How many come first.
        before: usize,
    },
    /// Fewer channels; the output's shape says how many are left.
    ChannelCrop {
        /// How many are left out before them.
        before: usize,
    },
    /// Output channel `i * groups + j` is input channel `j * (C / groups) + i` (Zhang et al., 2017, ShuffleNet).
    ChannelShuffle {
        /// Number of groups of the input.
        groups: usize,
    },
    /// `factor^2` channels become squares of `factor x factor` pixels (Shi et al., 2016).
    PixelShuffle {
        /// Side of a square.
        factor: usize,
    },
    /// Channels, rows and columns in another order.
    Permute {
        /// For channels, height and width of the output: which of the input's they are (0, 1 or 2).
        order: [usize; 3],
    },
    /// Squares of `factor x factor` pixels become `factor^2` channels: what undoes a pixel shuffle.
    PixelUnshuffle {
        /// Side of a square.
        factor: usize,
    },
    /// Each channel times a factor of its own. Parameter: weight `[C]`.
    ChannelScale,
    /// The first value times the second one, which is of the same shape or `[C, 1, 1]`, a factor for each channel.
    Scale,
    /// `y = W x + b`. Parameters: weight `[out, in]`, then bias `[out]` if `bias`.
    Linear {
        /// Whether there is a bias.
        bias: bool,
    },
    /// The same at each pixel: of a map's channels others. Parameters: weight `[out, C]`, then bias `[out]` if `bias`.
    PixelLinear {
        /// Whether there is a bias.
        bias: bool,
    },
    /// Batch normalisation over `N, H, W` (Ioffe and Szegedy, 2015). Parameters: weight, bias, running_mean,
    /// running_var, each `[C]`. In training it needs two values for each channel: of one, it makes the bias, and keeps its
    /// running statistics.
    BatchNorm {
        /// Added to the variance.
        eps: f64,
        /// Weight of the new batch in the running statistics.
        momentum: f64,
    },
    /// Normalisation over the pixels and channels of a group, for each image (Wu and He, 2018). Parameters: weight and bias,
    /// as `affine` says.
    GroupNorm {
        /// Groups of channels.
        groups: Groups,
        /// Added to the variance.
        eps: f64,
        /// What has a weight and a bias.
        affine: Affine,
    },
    /// Normalisation over the channels of each pixel (Ba et al., 2016, as Liu et al., 2022, apply it). Parameters: weight and bias,
    /// each `[C]`, if `affine`.
    PixelNorm {
        /// Added to the variance.
        eps: f64,
        /// Whether there are a weight and a bias.
        affine: bool,
    },
    /// Local response normalisation across channels, with PyTorch's convention `alpha / size`
    /// (Krizhevsky et al., 2012, section 3.3).
    Lrn {
        /// Number of channels in the window.
        size: usize,
        /// Scale of the sum of squares.
        alpha: f64,
        /// Exponent.
        beta: f64,
        /// Constant.
        k: f64,
    },
    /// Zeroes each element with probability `p` in training and scales the rest by `1 / (1 - p)`.
    Dropout {
        /// Probability of zeroing.
        p: f64,
        /// Whole channels of an image instead of elements.
        channels: bool,
    },
    /// Zeroes whole images of the value with probability `p` in training and scales the others by `1 / (1 - p)` (Huang et al., 2016).
    StochasticDepth {
        /// Probability of zeroing.
        p: f64,
    },
    /// An element-wise function.
    Activation(Activation),
    /// `max(x, 0) + weight * min(x, 0)`. Parameter: weight `[C]` if `per_channel`, else `[1]`.
    Prelu {
        /// A slope for each channel instead of one for all.
        per_channel: bool,
    },
    /// Softmax over channels at each position.
    Softmax,
    /// Logarithm of the softmax over channels at each position.
    LogSoftmax,
    /// The sum of two values of one shape: where a residual connection ends.
    Add,
    /// Several values joined along their channels.
    Concat,
    /// A module from outside the language: the network's `custom` with this index. Executors never meet it; see
    /// `net::stages`.
    Custom(usize),
}

/// The numbers of a convolution. Pairs are `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conv {
    /// Kernel size.
    pub kernel: [usize; 2],
    /// Stride.
    pub stride: [usize; 2],
    /// Zero padding of the input.
    pub pad: Pad,
    /// Distance between the taps of the kernel.
    pub dilation: [usize; 2],
    /// Groups of channels that do not see each other.
    pub groups: Groups,
    /// Whether there is a bias.
    pub bias: bool,
    /// LeNet's connection table, as an index into [`Graph::connections`](super::Graph::connections). The weight then holds one
    /// `kh x kw` kernel for each connection, in the order of the table.
    pub connections: Option<usize>,
}

/// The numbers of a transposed convolution. Pairs are `[height, width]`. The output's shape says how many rows and columns
/// there are at the end (`output_pad`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvTranspose {
    /// Kernel size.
    pub kernel: [usize; 2],
    /// Stride of the convolution that this is the transpose of.
    pub stride: [usize; 2],
    /// Padding of that convolution: what is cut off the output.
    pub pad: Pad,
    /// Distance between the taps of the kernel.
    pub dilation: [usize; 2],
    /// Groups of channels that do not see each other.
    pub groups: Groups,
    /// Whether there is a bias.
    pub bias: bool,
}

/// What has a weight and a bias of its own in a normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affine {
    /// Nothing.
    None,
    /// Each channel: `[C]`.
    Channel,
    /// Each element: `[C, H, W]`.
    Element,
}

/// A pooling window. Pairs are `[height, width]`. The last windows may reach beyond the padded input (`ceil` mode): the
/// output's shape says how many there are, and what lies outside is left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pool {
    /// What is computed over each window.
    pub kind: PoolKind,
    /// Window size.
    pub kernel: [usize; 2],
    /// Stride.
    pub stride: [usize; 2],
    /// Padding: never chosen by max or min; zero for an average.
    pub pad: Pad,
    /// Distance between the pixels of a window.
    pub dilation: [usize; 2],
}

impl Pool {
    /// One window over a whole map `[C, H, W]`.
    pub const fn whole(kind: PoolKind, [_, height, width]: [usize; 3]) -> Self {
        let kernel = [height, width];
        Pool { kind, kernel, stride: kernel, pad: Pad::ZERO, dilation: [1, 1] }
    }
}

/// What a pooling layer computes over its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolKind {
    /// The largest; the first one in row-major order takes the gradient, a NaN wins.
    Max,
    /// The smallest; as for the largest.
    Min,
    /// The mean.
    Avg(AvgDivisor),
}

/// What the sum of an average pool is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AvgDivisor {
    /// The part of the window inside the padded input (`count_include_pad = true`, PyTorch's default).
    WithPad,
    /// The part of the window inside the input itself.
    WithoutPad,
}

/// Element-wise functions, with PyTorch's definitions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)`
    Relu6,
    /// `x` if positive, else `slope * x`
    LeakyRelu(f64),
    /// `x` if positive, else `alpha * (exp(x) - 1)`
    Elu(f64),
    /// Elu with the self-normalising constants (Klambauer et al., 2017)
    Selu,
    /// `x * Phi(x)`, exact (by `erf`)
    Gelu,
    /// Gelu by its approximation, `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))` (Hendrycks and Gimpel, 2016)
    GeluTanh,
    /// `x * sigmoid(x)`
    Silu,
    /// `x * tanh(softplus(x))`
    Mish,
    /// `x * relu6(x + 3) / 6`
    HardSwish,
    /// `relu6(x + 3) / 6`
    HardSigmoid,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// Hyperbolic tangent
    Tanh,
    /// `x` where it is between the two bounds, else the nearer one
    HardTanh(f64, f64),
    /// `1.7159 * tanh(2/3 x)` (LeCun et al., 1998, appendix A)
    ScaledTanh,
    /// `ln(1 + exp(x))`
    Softplus,
}

impl Op {
    /// The windows of a pool over a map `[C, H, W]`, where it takes the largest or smallest of each, or is one over windows;
    /// an average over the whole map or over bins has none.
    pub const fn pool(&self, input: [usize; 3]) -> Option<Pool> {
        if let Op::Pool(pool) = self {
            return Some(*pool);
        }
        if let Op::GlobalPool(kind @ (PoolKind::Max | PoolKind::Min)) = self {
            return Some(Pool::whole(*kind, input));
        }
        None
    }

    /// The word for it in `cnn!`.
    pub const fn word(&self) -> &'static str {
        match self {
            Op::Input => "input",
            Op::Conv(Conv { groups: Groups::Each, .. }) => "depthwise",
            Op::Conv(_) => "conv",
            Op::Pool(Pool { kind, .. }) => match kind {
                PoolKind::Max => "max_pool",
                PoolKind::Min => "min_pool",
                PoolKind::Avg(_) => "avg_pool",
            },
            Op::AdaptiveAvgPool => "adaptive_avg_pool",
            Op::GlobalPool(kind) => match kind {
                PoolKind::Max => "global_max_pool",
                PoolKind::Min => "global_min_pool",
                PoolKind::Avg(_) => "global_avg_pool",
            },
            Op::ChannelPool { kind, .. } => match kind {
                PoolKind::Max => "channel_max_pool",
                PoolKind::Min => "channel_min_pool",
                PoolKind::Avg(_) => "channel_avg_pool",
            },
            Op::Subsample { .. } => "subsample",
            Op::Flatten => "flatten",
            Op::Identity => "identity",
            Op::ConvTranspose(_) => "conv_transpose",
            Op::Resample(resample) => resample.word(),
            Op::ChannelPad { .. } => "channel_pad",
            Op::ChannelCrop { .. } => "channel_crop",
            Op::ChannelShuffle { .. } => "channel_shuffle",
            Op::PixelShuffle { .. } => "pixel_shuffle",
            Op::PixelUnshuffle { .. } => "pixel_unshuffle",
            Op::Permute { .. } => "permute",
            Op::ChannelScale => "channel_scale",
            Op::Scale => "scale",
            Op::GroupNorm { groups, .. } => match groups {
                Groups::One => "layer_norm",
                Groups::Each => "instance_norm",
                Groups::Count(_) => "group_norm",
            },
            Op::PixelNorm { .. } => "layer_norm",
            Op::Linear { .. } | Op::PixelLinear { .. } => "linear",
            Op::BatchNorm { .. } => "batch_norm",
            Op::Lrn { .. } => "lrn",
            Op::Dropout { channels: false, .. } => "dropout",
            Op::Dropout { channels: true, .. } => "dropout2d",
            Op::StochasticDepth { .. } => "stochastic_depth",
            Op::Activation(activation) => activation.word(),
            Op::Prelu { .. } => "prelu",
            Op::Softmax => "softmax",
            Op::LogSoftmax => "log_softmax",
            Op::Add => "add",
            Op::Concat => "concat",
            Op::Custom(_) => "custom",
        }
    }

    /// What sort of operation it is.
    pub const fn category(&self) -> Category {
        match self {
            Op::Conv(_) | Op::ConvTranspose(_) => Category::Conv,
            Op::Pool(_) | Op::AdaptiveAvgPool | Op::GlobalPool(_) | Op::ChannelPool { .. } | Op::Subsample { .. } => {
                Category::Pool
            }
            Op::BatchNorm { .. } | Op::GroupNorm { .. } | Op::PixelNorm { .. } | Op::Lrn { .. } => Category::Norm,
            Op::Activation(_) | Op::Prelu { .. } | Op::Softmax | Op::LogSoftmax => Category::Activation,
            Op::Linear { .. } | Op::PixelLinear { .. } => Category::Linear,
            Op::Add | Op::Concat | Op::Scale => Category::Merge,
            Op::Input | Op::Flatten | Op::Identity | Op::Dropout { .. } | Op::Custom(_) => Category::Other,
            Op::ChannelScale | Op::StochasticDepth { .. } => Category::Other,
            Op::Resample(_) | Op::ChannelPad { .. } | Op::ChannelCrop { .. } => Category::Other,
            Op::ChannelShuffle { .. } | Op::PixelShuffle { .. } | Op::PixelUnshuffle { .. } => Category::Other,
            Op::Permute { .. } => Category::Other,
        }
    }

    /// Which pixels of the input a pixel of the output is made of.
    pub const fn extent(&self) -> Extent {
        match *self {
            Op::Conv(Conv { kernel, stride, pad, dilation, .. }) => Extent::Windows { kernel, stride, pad, dilation },
            Op::Pool(Pool { kernel, stride, pad, dilation, .. }) => Extent::Windows { kernel, stride, pad, dilation },
            Op::Subsample { size } | Op::PixelUnshuffle { factor: size } => {
                Extent::Windows { kernel: [size, size], stride: [size, size], pad: Pad::ZERO, dilation: [1, 1] }
            }
            Op::ConvTranspose(ConvTranspose { kernel, stride, pad, dilation, .. }) => {
                Extent::Transposed { kernel, stride, pad, dilation }
            }
            Op::AdaptiveAvgPool | Op::GlobalPool(_) => Extent::Bins,
            Op::Resample(how) => Extent::Resampled(how),
            Op::PixelShuffle { factor } => Extent::Squares(factor),
            Op::Scale => Extent::Product,
            Op::ChannelScale => Extent::Pixel,
            Op::GroupNorm { .. } => Extent::Normalised,
            Op::Flatten | Op::Permute { .. } | Op::Linear { .. } => Extent::Whole,
            Op::Custom(_) => Extent::Unknown,
            Op::Input | Op::Identity | Op::Add | Op::Concat => Extent::Pixel,
            Op::ChannelPool { .. } | Op::ChannelPad { .. } | Op::ChannelCrop { .. } | Op::ChannelShuffle { .. } => {
                Extent::Pixel
            }
            Op::PixelLinear { .. } | Op::PixelNorm { .. } | Op::StochasticDepth { .. } => Extent::Pixel,
            Op::BatchNorm { .. } | Op::Lrn { .. } | Op::Dropout { .. } => Extent::Pixel,
            Op::Activation(_) | Op::Prelu { .. } | Op::Softmax | Op::LogSoftmax => Extent::Pixel,
        }
    }

    /// What stands beside its word where there is little room.
    pub(crate) const fn detail(&self) -> Detail {
        match *self {
            Op::Conv(Conv { kernel, stride, dilation, groups, .. }) => {
                Detail::Window { kernel, stride, dilation, groups }
            }
            Op::ConvTranspose(ConvTranspose { kernel, stride, dilation, groups, .. }) => {
                Detail::Window { kernel, stride, dilation, groups }
            }
            Op::Pool(Pool { kernel, stride, dilation, .. }) => {
                Detail::Window { kernel, stride, dilation, groups: Groups::One }
            }
            Op::AdaptiveAvgPool | Op::Permute { .. } => Detail::Output,
            Op::Subsample { size } => Detail::Square(size),
            Op::ChannelPool { size, .. } | Op::Lrn { size, .. } => Detail::Count(size),
            Op::GroupNorm { groups: Groups::Count(count), .. } => Detail::Count(count),
            Op::ChannelShuffle { groups } => Detail::Count(groups),
            Op::PixelShuffle { factor } | Op::PixelUnshuffle { factor } => Detail::Count(factor),
            Op::Dropout { p, .. } => Detail::Share(p),
            // It grows with depth, and layers that differ in nothing else are drawn once.
            Op::StochasticDepth { .. } => Detail::Nothing,
            Op::Resample(Resample::Bilinear) => Detail::Word("bilinear"),
            Op::Resample(Resample::Pad { fill: Fill::Reflect, .. }) => Detail::Word("reflect"),
            Op::Resample(Resample::Pad { fill: Fill::Replicate, .. }) => Detail::Word("replicate"),
            Op::Resample(Resample::Pad { fill: Fill::Circular, .. }) => Detail::Word("circular"),
            Op::Resample(Resample::Resize { .. }) => Detail::Output,
            Op::Resample(Resample::Nearest | Resample::Crop { .. }) => Detail::Nothing,
            Op::Resample(Resample::Pad { fill: Fill::Constant(_), .. }) => Detail::Nothing,
            Op::Scale => Detail::Symbol("×"),
            Op::Add => Detail::Symbol("+"),
            Op::Input | Op::Linear { .. } | Op::Flatten | Op::Identity | Op::Concat | Op::Custom(_) => Detail::Nothing,
            Op::GroupNorm { groups: Groups::One | Groups::Each, .. } | Op::BatchNorm { .. } => Detail::Nothing,
            Op::PixelLinear { .. } | Op::PixelNorm { .. } => Detail::Word("each pixel"),
            Op::Activation(_) | Op::Prelu { .. } | Op::Softmax | Op::LogSoftmax => Detail::Nothing,
            Op::GlobalPool(_) | Op::ChannelPad { .. } | Op::ChannelCrop { .. } | Op::ChannelScale => Detail::Nothing,
        }
    }
}

impl Activation {
    /// The word for it in `cnn!`.
    pub const fn word(self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::Relu6 => "relu6",
            Activation::LeakyRelu(_) => "leaky_relu",
            Activation::Elu(_) => "elu",
            Activation::Selu => "selu",
            Activation::Gelu | Activation::GeluTanh => "gelu",
            Activation::Silu => "silu",
            Activation::Mish => "mish",
            Activation::HardSwish => "hard_swish",
            Activation::HardSigmoid => "hard_sigmoid",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::HardTanh(..) => "hard_tanh",
            Activation::ScaledTanh => "scaled_tanh",
            Activation::Softplus => "softplus",
        }
    }
}
