//! Modules of dfdx inside a network: what a `custom` layer has to be.

use super::tap::Features;
use crate::backend::{Backend, NetTape, Real};
use crate::walk::{Walk, WalkMut};
use dfdx::prelude::*;

/// What a `custom` module has to be, in the network's dtype and on its device: a dfdx module that turns images of shape
/// `I` into images of shape `O`.
#[diagnostic::on_unimplemented(
    message = "this `custom` module does not turn `{I}` into `{O}`",
    label = "not a module from the shape at this point to the declared one",
    note = "the shape after `->` has to be what the module really gives for the shape before it; a network of `cnn!` is written with its dtype and device: `Name<E, D>`"
)]
pub trait Custom<I: Features, O: Features, E: Real, D: Device<E>> {
    /// Lends each of the module's tensors; `key` is the module's name.
    #[doc(hidden)]
    fn walk(&self, walk: &mut Walk<'_, '_, E, D>, key: &str)
    where
        D: Backend<E>;

    /// Lends each of the module's tensors to be changed.
    #[doc(hidden)]
    fn walk_mut(&mut self, walk: &mut WalkMut<'_, '_, E, D>, key: &str)
    where
        D: Backend<E>;

    /// In evaluation mode.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn run(&self, x: Images<I, E, D>) -> Result<Images<O, E, D>, D::Err>;

    /// The same on a tape.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn run_traced(&self, x: Recorded<I, E, D>) -> Result<Recorded<O, E, D>, D::Err>;

    /// In training mode.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn run_mut(&mut self, x: Images<I, E, D>) -> Result<Images<O, E, D>, D::Err>;

    /// The same on a tape.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn run_mut_traced(&mut self, x: Recorded<I, E, D>) -> Result<Recorded<O, E, D>, D::Err>;
}

/// A `custom` module as a field of a network, and what it becomes (`R`) in another dtype and on another device. dfdx's traits say so too, but
/// what is no module would be an error with a list of all modules of dfdx.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no dfdx module in the dtype and on the device of this network",
    label = "not a module that a network can hold",
    note = "a network of `cnn!` is written with its dtype and device: `Name<E, D>`"
)]
pub trait Part<E: Dtype, D: Device<E>, E2: Dtype, D2: Device<E2>, R> {
    /// Visits the module as the field `name` of `P`.
    ///
    /// # Errors
    /// What the visitor fails with.
    fn visit<P: TensorCollection<E, D>, V: ModuleVisitor<P, E, D, E2 = E2, D2 = D2>>(
        visitor: &mut V,
        name: &str,
        get: impl FnMut(&P) -> &Self,
        get_mut: impl FnMut(&mut P) -> &mut Self,
    ) -> Result<Option<R>, V::Err>;
}

#[diagnostic::do_not_recommend]
impl<M, E: Dtype, D: Device<E>, E2: Dtype, D2: Device<E2>, R> Part<E, D, E2, D2, R> for M
where
    M: TensorCollection<E, D, To<E2, D2> = R>,
{
    fn visit<P: TensorCollection<E, D>, V: ModuleVisitor<P, E, D, E2 = E2, D2 = D2>>(
        visitor: &mut V,
        name: &str,
        get: impl FnMut(&P) -> &Self,
        get_mut: impl FnMut(&mut P) -> &mut Self,
    ) -> Result<Option<R>, V::Err> {
        visitor.visit_module(name, get, get_mut)
    }
}

/// A batch of images of shape `F`.
pub type Images<F, E, D, T = NoneTape> = Tensor<<F as Features>::Batched<usize>, E, D, T>;
/// The same on a tape.
pub type Recorded<F, E, D> = Images<F, E, D, OwnedTape<E, D>>;

#[diagnostic::do_not_recommend]
impl<M, I, O, E, D> Custom<I, O, E, D> for M
where
    I: Features,
    O: Features,
    E: Real,
    D: Device<E>,
    M: TensorCollection<E, D>
        + Module<Images<I, E, D>, Output = Images<O, E, D>, Error = D::Err>
        + ModuleMut<Images<I, E, D>, Output = Images<O, E, D>, Error = D::Err>
        + Module<Recorded<I, E, D>, Output = Recorded<O, E, D>, Error = D::Err>
        + ModuleMut<Recorded<I, E, D>, Output = Recorded<O, E, D>, Error = D::Err>,
{
    fn walk(&self, walk: &mut Walk<'_, '_, E, D>, key: &str)
    where
        D: Backend<E>,
    {
        walk.custom(key, self);
    }

    fn walk_mut(&mut self, walk: &mut WalkMut<'_, '_, E, D>, key: &str)
    where
        D: Backend<E>,
    {
        walk.custom(key, self);
    }

    fn run(&self, x: Images<I, E, D>) -> Result<Images<O, E, D>, D::Err> {
        self.try_forward(x)
    }

    fn run_traced(&self, x: Recorded<I, E, D>) -> Result<Recorded<O, E, D>, D::Err> {
        self.try_forward(x)
    }

    fn run_mut(&mut self, x: Images<I, E, D>) -> Result<Images<O, E, D>, D::Err> {
        self.try_forward_mut(x)
    }

    fn run_mut_traced(&mut self, x: Recorded<I, E, D>) -> Result<Recorded<O, E, D>, D::Err> {
        self.try_forward_mut(x)
    }
}

/// A value between typed and untyped: same elements, same identity on the tape.
///
/// # Errors
/// When the device runs out of memory.
pub fn reshape<A, B, E, D, T>(x: Tensor<A, E, D, T>, shape: B) -> Result<Tensor<B, E, D, T>, D::Err>
where
    A: dfdx::shapes::Shape,
    B: dfdx::shapes::Shape,
    E: Real,
    D: Device<E>,
    T: NetTape<E, D>,
{
    x.try_reshape_like(&shape)
}
