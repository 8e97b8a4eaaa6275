//! Taps: the value of any layer, with its shape in its type, and running a network from there on.
//!
//! `Net::taps()` mirrors the network's modules; each leaf is a [`Tap`]. [`Inspect::forward_to`] computes the activation,
//! [`Inspect::forward_from`] goes on from one. A gradient *at* a layer needs nothing else: trace the activation, go on from
//! it, and ask dfdx for the gradient of the activation.
//!
//! Whether a layer lies on the [`Trunk`], where everything passes, or on a [`Branch`] beside which other values flow, is
//! known when the network is checked. From a branch one goes on with [`Inspect::forward_with`], which needs the input too.

use super::{Network, batched, evaluate};
use crate::backend::{Backend, Map, NetTape, Real};
use crate::graph::Subgraph;
use dfdx::prelude::*;
use dfdx::shapes::{Const, Dim, Shape};
use std::fmt;
use std::marker::PhantomData;

/// The shape of one image's value: `(Const<C>, Const<H>, Const<W>)` or `(Const<N>,)`.
pub trait Features: Shape {
    /// With the number of images before it.
    type Batched<B: Dim>: Shape;
    /// One map over its places: `[1, H, W]`, or `[1]`.
    type Heat: Features;

    /// The shape itself.
    fn single() -> Self;

    /// For `batch` images.
    fn batched<B: Dim>(batch: B) -> Self::Batched<B>;
}

impl<const C: usize, const H: usize, const W: usize> Features for (Const<C>, Const<H>, Const<W>) {
    type Batched<B: Dim> = (B, Const<C>, Const<H>, Const<W>);
    type Heat = (Const<1>, Const<H>, Const<W>);

    fn single() -> Self {
        Default::default()
    }

    fn batched<B: Dim>(batch: B) -> Self::Batched<B> {
        (batch, Const, Const, Const)
    }
}

impl<const N: usize> Features for (Const<N>,) {
    type Batched<B: Dim> = (B, Const<N>);
    type Heat = (Const<1>,);

    fn single() -> Self {
        Default::default()
    }

    fn batched<B: Dim>(batch: B) -> Self::Batched<B> {
        (batch, Const)
    }
}

/// The shape of a batch of values of shape `F`.
#[diagnostic::on_unimplemented(message = "`{Self}` is not the shape of a batch of `{F}`")]
pub trait Batched<F>: Shape {
    /// The type of the number of images.
    type Images: Dim;

    /// The number of images.
    fn images(&self) -> Self::Images;
}

#[diagnostic::do_not_recommend]
impl<B: Dim, const C: usize, const H: usize, const W: usize> Batched<(Const<C>, Const<H>, Const<W>)>
    for (B, Const<C>, Const<H>, Const<W>)
{
    type Images = B;

    fn images(&self) -> B {
        self.0
    }
}

#[diagnostic::do_not_recommend]
impl<B: Dim, const N: usize> Batched<(Const<N>,)> for (B, Const<N>) {
    type Images = B;

    fn images(&self) -> B {
        self.0
    }
}

/// The shape of one image of shape `F`, or of a batch of them: what a network takes.
pub trait OneOrMany<F: Features>: Shape {
    /// The shape of a value `G` for as many images.
    type Like<G: Features>: Shape;

    /// The number of images.
    fn images(&self) -> usize;

    /// The shape of a value `G` for as many images.
    fn like<G: Features>(&self) -> Self::Like<G>;
}

impl<const C: usize, const H: usize, const W: usize> OneOrMany<Self> for (Const<C>, Const<H>, Const<W>) {
    type Like<G: Features> = G;

    fn images(&self) -> usize {
        1
    }

    fn like<G: Features>(&self) -> G {
        G::single()
    }
}

impl<const N: usize> OneOrMany<Self> for (Const<N>,) {
    type Like<G: Features> = G;

    fn images(&self) -> usize {
        1
    }

    fn like<G: Features>(&self) -> G {
        G::single()
    }
}

impl<B: Dim, const C: usize, const H: usize, const W: usize> OneOrMany<(Const<C>, Const<H>, Const<W>)>
    for (B, Const<C>, Const<H>, Const<W>)
{
    type Like<G: Features> = G::Batched<B>;

    fn images(&self) -> usize {
        self.0.size()
    }

    fn like<G: Features>(&self) -> G::Batched<B> {
        G::batched(self.0)
    }
}

impl<B: Dim, const N: usize> OneOrMany<(Const<N>,)> for (B, Const<N>) {
    type Like<G: Features> = G::Batched<B>;

    fn images(&self) -> usize {
        self.0.size()
    }

    fn like<G: Features>(&self) -> G::Batched<B> {
        G::batched(self.0)
    }
}

/// Marks a tap that everything from the input to the output passes through.
#[derive(Debug, Clone, Copy)]
pub enum Trunk {}

/// Marks a tap beside which other values flow to the output, as inside a residual or a concat.
#[derive(Debug, Clone, Copy)]
pub enum Branch {}

/// A layer of network `N` whose value for one image has the shape `F`, on the [`Trunk`] or a [`Branch`].
pub struct Tap<N, F, P = Trunk> {
    node: usize,
    name: &'static str,
    marker: PhantomData<fn() -> (N, F, P)>,
}

impl<N, F, P> Clone for Tap<N, F, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N, F, P> Copy for Tap<N, F, P> {}

impl<N, F, P> fmt::Debug for Tap<N, F, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tap({})", self.name)
    }
}

impl<N, F, P> Tap<N, F, P> {
    /// Only `cnn!` knows which node has which shape.
    #[doc(hidden)]
    pub const fn __new(node: usize, name: &'static str) -> Self {
        Tap { node, name, marker: PhantomData }
    }

    /// Index in [`Graph::nodes`](crate::graph::Graph::nodes).
    pub const fn node(&self) -> usize {
        self.node
    }

    /// Dotted path.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// A tap, or the taps of a sequence, which stand for its last layer.
pub trait At: Copy {
    /// The network.
    type Net;
    /// Shape of one image's value.
    type Features: Features;
    /// [`Trunk`] or [`Branch`].
    type Place;

    /// The tap.
    fn tap(&self) -> Tap<Self::Net, Self::Features, Self::Place>;
}

impl<N, F: Features, P> At for Tap<N, F, P> {
    type Net = N;
    type Features = F;
    type Place = P;

    fn tap(&self) -> Self {
        *self
    }
}

/// The tensor of `F` for the images of a batch of shape `X`.
type Like<F, I, X, E, D, T> = Tensor<<F as Features>::Batched<<X as Batched<I>>::Images>, E, D, T>;

/// Looking into a network, in evaluation mode.
pub trait Inspect<E: Real, D: Backend<E>>: Network<E, D> {
    /// The activation of a layer for the batch `x`.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn try_forward_to<A, X, T>(
        &self,
        at: A,
        x: Tensor<X, E, D, T>,
    ) -> Result<Like<A::Features, Self::Input, X, E, D, T>, D::Err>
    where
        A: At<Net = Self::Plain>,
        X: Batched<Self::Input>,
        T: NetTape<E, D>,
    {
        let images = x.shape().images();
        let (x, tape) = batched(Self::GRAPH, x, images.size())?.split_tape();
        let outcome = evaluate(self, &Subgraph { inputs: vec![0], outputs: vec![at.tap().node] }, vec![x], tape)?;
        first(outcome.outputs, outcome.tape, A::Features::batched(images))
    }

    /// The network's output for an activation of a layer on the [`Trunk`].
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn try_forward_from<A, X, T>(
        &self,
        at: A,
        activation: Tensor<X, E, D, T>,
    ) -> Result<Like<Self::Output, A::Features, X, E, D, T>, D::Err>
    where
        A: At<Net = Self::Plain, Place = Trunk>,
        X: Batched<A::Features>,
        T: NetTape<E, D>,
    {
        let (images, node) = (activation.shape().images(), at.tap().node);
        let [c, h, w] = Self::GRAPH.nodes[node].shape.chw();
        let (value, tape) = activation.try_reshape_like(&(images.size(), c, h, w))?.split_tape();
        let part = Subgraph { inputs: vec![node], outputs: vec![Self::GRAPH.output()] };
        let outcome = evaluate(self, &part, vec![value], tape)?;
        first(outcome.outputs, outcome.tape, Self::Output::batched(images))
    }

    /// The network's output for the batch `x`, where a layer gives `activation` instead of its own value.
    ///
    /// # Errors
    /// When the device runs out of memory.
    ///
    /// # Panics
    /// If `x` holds another number of images than `activation`.
    fn try_forward_with<A, X, Y, T>(
        &self,
        at: A,
        activation: Tensor<X, E, D, T>,
        x: Tensor<Y, E, D>,
    ) -> Result<Like<Self::Output, A::Features, X, E, D, T>, D::Err>
    where
        A: At<Net = Self::Plain>,
        X: Batched<A::Features>,
        Y: Batched<Self::Input>,
        T: NetTape<E, D>,
    {
        let (images, node) = (activation.shape().images(), at.tap().node);
        assert_eq!(images.size(), x.shape().images().size(), "as many activations as images");
        let [c, h, w] = Self::GRAPH.nodes[node].shape.chw();
        let (value, tape) = activation.try_reshape_like(&(images.size(), c, h, w))?.split_tape();
        let x: Map<E, D> = batched(Self::GRAPH, x, images.size())?;
        let (inputs, values) = if node == 0 { (vec![0], vec![value]) } else { (vec![0, node], vec![x, value]) };
        let outcome = evaluate(self, &Subgraph { inputs, outputs: vec![Self::GRAPH.output()] }, values, tape)?;
        first(outcome.outputs, outcome.tape, Self::Output::batched(images))
    }

    /// [`try_forward_to`](Inspect::try_forward_to) that, as dfdx's `forward`, panics when the device fails.
    fn forward_to<A, X, T>(&self, at: A, x: Tensor<X, E, D, T>) -> Like<A::Features, Self::Input, X, E, D, T>
    where
        A: At<Net = Self::Plain>,
        X: Batched<Self::Input>,
        T: NetTape<E, D>,
    {
        self.try_forward_to(at, x).unwrap()
    }

    /// [`try_forward_from`](Inspect::try_forward_from) that, as dfdx's `forward`, panics when the device fails.
    fn forward_from<A, X, T>(
        &self,
        at: A,
        activation: Tensor<X, E, D, T>,
    ) -> Like<Self::Output, A::Features, X, E, D, T>
    where
        A: At<Net = Self::Plain, Place = Trunk>,
        X: Batched<A::Features>,
        T: NetTape<E, D>,
    {
        self.try_forward_from(at, activation).unwrap()
    }

    /// [`try_forward_with`](Inspect::try_forward_with) that, as dfdx's `forward`, panics when the device fails.
    fn forward_with<A, X, Y, T>(
        &self,
        at: A,
        activation: Tensor<X, E, D, T>,
        x: Tensor<Y, E, D>,
    ) -> Like<Self::Output, A::Features, X, E, D, T>
    where
        A: At<Net = Self::Plain>,
        X: Batched<A::Features>,
        Y: Batched<Self::Input>,
        T: NetTape<E, D>,
    {
        self.try_forward_with(at, activation, x).unwrap()
    }
}

impl<N: Network<E, D>, E: Real, D: Backend<E>> Inspect<E, D> for N {}

fn first<E: Real, D: Backend<E>, T: NetTape<E, D>, S: Shape>(
    outputs: Vec<Map<E, D>>,
    tape: T,
    shape: S,
) -> Result<Tensor<S, E, D, T>, D::Err> {
    let Some(value) = outputs.into_iter().next() else { unreachable!("one output was asked for") };
    value.put_tape(tape).try_reshape_like(&shape)
}
