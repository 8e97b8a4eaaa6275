//! Gradients that are kept from one backward pass to the next.
//!
//! dfdx drops all gradients after a pass but those of *leaves*, and marks a tensor as a leaf only where it walks over a module
//! whose tensors have shapes that are types. So a parameter is shown to it as a vector whose length is said to be a type's
//! ([`Length`]). Rejected: to copy the parameters' gradients into a new [`Gradients`] after each pass, which allocates as much as
//! all parameters once more.

use super::any::AnyNetwork;
use crate::backend::{Backend, Real};
use dfdx::prelude::*;

/// Gradients of zero for all parameters, in which backward passes add up their own; those of other values are dropped after each
/// pass. It is to any network what dfdx's `alloc_grads` is to a typed one.
///
/// # Errors
/// When the device runs out of memory.
pub fn gradients<E: Real, D: Backend<E>>(net: &dyn AnyNetwork<E, D>) -> Result<Gradients<E, D>, D::Err> {
    let (mut gradients, mut outcome) = (Gradients::leaky(), Ok(()));
    net.tensors(&mut |slot, tensor| {
        if slot.trainable && outcome.is_ok() {
            let vector = tensor.share().and_then(|tensor| {
                let length = Length(tensor.shape().num_elements());
                tensor.try_reshape_like(&length)
            });
            outcome = vector.and_then(|vector| Leaf(vector).try_zero_grads(&mut gradients));
        }
    });
    outcome.map(|()| gradients)
}

/// A parameter as a module.
struct Leaf<E: Dtype, D: Storage<E>>(Tensor<Length, E, D>);

impl<E: Real, D: Device<E>> TensorCollection<E, D> for Leaf<E, D> {
    type To<E2: Dtype, D2: Device<E2>> = Leaf<E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        let options = TensorOptions::reset_with(|_| Ok(()));
        visitor.visit_fields(Self::tensor("", |leaf| &leaf.0, |leaf| &mut leaf.0, options), Leaf)
    }
}

/// The length of a vector, which dfdx takes for a constant of its type. Whoever builds a tensor by the type alone gets an empty
/// one; here it is only ever the shape of a tensor that is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Length(usize);

impl HasAxes<Axis<0>> for Length {
    fn size(&self) -> usize {
        self.0
    }
}

impl ReduceShapeTo<(), Axis<0>> for Length {}

impl ReduceShape<Axis<0>> for Length {
    type Reduced = ();
}

impl Shape for Length {
    const NUM_DIMS: usize = 1;
    type Concrete = [usize; 1];
    type AllAxes = Axis<0>;
    type LastAxis = Axis<0>;

    fn concrete(&self) -> [usize; 1] {
        [self.0]
    }

    fn from_concrete([length]: &[usize; 1]) -> Option<Self> {
        Some(Length(*length))
    }
}

impl ConstShape for Length {
    const NUMEL: usize = 0;
}
