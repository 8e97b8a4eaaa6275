//! The layers that hold tensors: fields named as PyTorch names them, and how they start.
//!
//! One file a layer word. A layer here is only its parameters; what it computes is in [`crate::portable`] and
//! [`crate::engine`], which read the numbers from the [`crate::graph`].

/// A layer's struct, and the two walks over its tensors: dfdx's, which builds it too, and ours. For each tensor there is a field,
/// its shape, whether it is a `param` or a `buffer`, and how it begins. It is a macro because each layer has const generics of its
/// own, over which no function can be generic.
macro_rules! layer {
    (
        $(#[$about:meta])*
        $name:ident<$($size:ident),+> { $($(#[$doc:meta])* $role:ident $field:ident: $shape:ty = $init:expr;)+ }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone)]
        pub struct $name<$(const $size: usize,)+ E: Dtype = f32, D: Storage<E> = Cpu> {
            $($(#[$doc])* pub $field: Tensor<$shape, E, D>,)+
        }

        impl<$(const $size: usize,)+ E: Real, D: Device<E>> TensorCollection<E, D> for $name<$($size,)+ E, D> {
            type To<E2: Dtype, D2: Device<E2>> = $name<$($size,)+ E2, D2>;

            fn iter_tensors<V: ModuleVisitor<Self, E, D>>(
                visitor: &mut V,
            ) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
                visitor.visit_fields(
                    ($(Self::tensor(
                        stringify!($field),
                        |s| &s.$field,
                        |s| &mut s.$field,
                        layer!(@$role)(|tensor| begin(tensor, $init)),
                    ),)+),
                    |($($field,)+)| $name { $($field),+ },
                )
            }
        }

        impl<$(const $size: usize,)+ E: Real, D: Backend<E>> Walked<E, D> for $name<$($size,)+ E, D> {
            fn walk(&self, walk: &mut Walk<'_, '_, E, D>) {
                $(walk.tensor(stringify!($field), layer!(@trains $role), &self.$field);)+
            }

            fn walk_mut(&mut self, walk: &mut WalkMut<'_, '_, E, D>) {
                $(walk.tensor(stringify!($field), layer!(@trains $role), &mut self.$field);)+
            }
        }
    };
    (@param) => { TensorOptions::reset_with };
    (@buffer) => { TensorOptions::detached };
    (@trains param) => { true };
    (@trains buffer) => { false };
}

mod batch_norm;
mod channel_scale;
mod conv;
mod conv_transpose;
mod group_norm;
mod layer_norm;
mod linear;
mod prelu;
mod subsample;

pub use batch_norm::BatchNorm;
pub use channel_scale::ChannelScale;
pub use conv::{Conv, LinkedConv, UnbiasedConv, UnbiasedLinkedConv};
pub use conv_transpose::ConvTranspose;
pub use group_norm::GroupNorm;
pub use layer_norm::LayerNorm;
pub use linear::{Linear, UnbiasedLinear};
pub use prelu::Prelu;
pub use subsample::Subsample;

use crate::backend::Real;
use crate::graph::Init;
use dfdx::prelude::*;
use rand_distr::Uniform;

/// Stands in a tuple-like sequence for a layer without parameters, so that the others keep their index.
#[derive(Debug, Clone, Copy, Default)]
#[doc(hidden)]
pub struct NoParams;
impl ZeroSizedModule for NoParams {}

/// Fills a tensor with the numbers that it begins with. Every way to make a network comes here, tensor by tensor in the order of
/// [`Graph::params`](crate::graph::Graph::params), so the same random seed gives the same network.
///
/// # Errors
/// When the device runs out of memory.
#[doc(hidden)]
pub fn begin<S: dfdx::shapes::Shape, E: Real, D: Device<E>>(
    tensor: &mut Tensor<S, E, D>,
    init: Init,
) -> Result<(), D::Err> {
    let number = |x: f64| E::from_f64(x).unwrap_or(E::zero());
    match init {
        Init::Zeros => tensor.try_fill_with_zeros(),
        Init::Ones => tensor.try_fill_with_ones(),
        Init::Constant(value) => {
            let value = number(value);
            tensor.try_fill_with_distr(Uniform::new_inclusive(value, value))
        }
        Init::Uniform { fan_in, closed: true } => {
            let bound = number(1.0 / (fan_in as f64).sqrt());
            tensor.try_fill_with_distr(Uniform::new_inclusive(-bound, bound))
        }
        // As dfdx does it for `linear`, in the network's own precision.
        Init::Uniform { fan_in, closed: false } => {
            let bound = E::one() / number(fan_in as f64).sqrt();
            tensor.try_fill_with_distr(Uniform::new(-bound, bound))
        }
    }
}
