//! The steps that a plan is made of, and what they compute: slices and sizes, never tensors, tapes or devices.
//!
//! All `unsafe` code of the project is in this folder, but for two views of tensors that `convnet` has. It rests on three
//! things:
//! * a [`Program`](super::program::Program) checks, when it is made, that no step reaches beyond the arena it is made for;
//! * the tasks of one step write to places that do not meet, and no step of a *stage* (the steps between two barriers)
//!   reads what another of the same stage writes; the planner ends a stage after each step whose results are read;
//! * the instruction set that a step runs with has been found on this processor.

mod collect;
mod column;
mod conv_pool;
mod correlate;
mod denormals;
mod gather;
mod group_norm;
mod linear;
mod math;
mod mem;
mod norm;
mod pack;
mod peak;
mod permute;
mod pixel_norm;
mod pointwise;
mod repack;
mod scale;
mod share;
mod shuffle;
mod simd;
mod step;
mod thread_pool;
mod tile;
mod weight_grad;
mod weight_tile;
mod window;
mod winograd;
mod work;

pub use collect::Collect;
pub use column::{Across, Columns, ColumnsGrad};
pub use conv_pool::{BEYOND, ConvPool, WIDEST_KERNEL};
pub use correlate::{Block, Correlate};
pub use denormals::FlushDenormals;
pub use gather::Gather;
pub use group_norm::{GroupInputGrad, GroupNorm, GroupNormalise, GroupParamGrad, GroupStatistics};
pub use linear::{FEW, Linear};
pub use mem::{Bindings, Mem};
pub use norm::{BatchNorm, MergeStatistics, NormGradSums, NormInputGrad, NormParamGrad, Normalise, Statistics};
pub use pack::{Bias, Pack, Unpack, WeightBlock, WeightMap};
pub use peak::{SUMS, multiply_add};
pub use permute::Permute;
pub use pixel_norm::{PixelInputGrad, PixelNorm, PixelParamGrad};
pub use pointwise::{Dropped, FactorsGrad, Function, GradMode, Pointwise, PreluGrad, from_output};
pub use repack::{Clear, Repack};
pub use scale::{Scale, ScaleGrad};
pub use share::Share;
pub use shuffle::{Order, Shuffle};
pub use simd::{Isa, Kernel, Simd};
pub use step::Step;
pub use thread_pool::{Patience, ThreadPool};
pub use weight_grad::{BiasGrad, WeightGrad};
pub use window::{SubsampleGrad, Window, WindowGrad, Windows};
pub use winograd::{Winograd, WinogradGrad, WinogradPack, WinogradTiles};
