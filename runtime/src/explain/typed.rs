//! The methods with the types of dfdx: pictures and maps are tensors whose shapes are the network's, layers are taps.
//!
//! Each is a line or two around the function of the same name, which says what it computes and what can go wrong.

use super::backprop::{Rule, reconstruct};
use super::grid::Grid;
use super::invert::{Invert, Inverted};
use super::maximise::{Maximise, Maximised};
use super::occlusion::Occlusion;
use super::saliency::{Path, SmoothGrad};
use super::{ExplainError, Lens, Place, Subject, Unit, Volume, cam, invert, maximise, occlusion, responses, saliency};
use crate::backend::Backend;
use crate::data::Normalisation;
use crate::net::{At, Features, Network};
use dfdx::prelude::*;

/// A picture of a network, or a map of its size, `[C, H, W]`.
type Picture<N, D> = Tensor<<N as Network<f32, D>>::Input, f32, D>;
/// A map over a network's pictures, `[1, H, W]`.
type Heat<N, D> = Tensor<<<N as Network<f32, D>>::Input as Features>::Heat, f32, D>;

/// What a network has learned, asked with taps and answered with tensors.
///
/// ```
/// use convnet::explain::{Explain, Place};
/// use convnet::prelude::*;
///
/// cnn! { struct Net: [1, 8, 8] -> [10] { conv1: conv(4, kernel = 3); act: relu; max_pool(2); flatten; fc: linear(10); } }
///
/// let dev = Cpu::default();
/// let net = dev.build_module::<Net, f32>();
/// let picture: Tensor<Rank3<1, 8, 8>, f32, _> = dev.sample_normal();
/// let taps = Net::taps();
/// // What speaks for class 3, and what drives the strongest neuron of channel 2.
/// let map: Tensor<Rank3<1, 8, 8>, f32, _> = net.gradient(taps.fc, 3, Place::Everywhere, &picture)?;
/// let cause: Tensor<Rank3<1, 8, 8>, f32, _> = net.guided(taps.act, 2, Place::Strongest, &picture)?;
/// let heat: Tensor<Rank3<1, 8, 8>, f32, _> = net.grad_cam(taps.act, taps.fc, 3, &picture)?;
/// # Ok::<(), convnet::explain::ExplainError>(())
/// ```
pub trait Explain<D: Backend<f32>>: Network<f32, D> {
    /// [`saliency::gradient`]
    ///
    /// # Errors
    /// As there.
    fn gradient<A: At<Net = Self::Plain>>(
        &self,
        of: A,
        channel: usize,
        place: Place,
        picture: &Picture<Self, D>,
    ) -> Result<Picture<Self, D>, ExplainError> {
        asked(self, of, channel, place, picture, saliency::gradient)
    }

    /// [`saliency::gradient_times_input`]
    ///
    /// # Errors
    /// As there.
    fn gradient_times_input<A: At<Net = Self::Plain>>(
        &self,
        of: A,
        channel: usize,
        place: Place,
        picture: &Picture<Self, D>,
    ) -> Result<Picture<Self, D>, ExplainError> {
        asked(self, of, channel, place, picture, saliency::gradient_times_input)
    }

    /// [`saliency::smooth_grad`]
    ///
    /// # Errors
    /// As there.
    fn smooth_grad<A: At<Net = Self::Plain>>(
        &self,
        of: A,
        channel: usize,
        place: Place,
        picture: &Picture<Self, D>,
        options: SmoothGrad,
    ) -> Result<Picture<Self, D>, ExplainError> {
        asked(self, of, channel, place, picture, |lens, unit, picture| {
            saliency::smooth_grad(lens, unit, picture, options, &mut |_, _| {})
        })
    }

    /// [`saliency::integrated_gradients`]
    ///
    /// # Errors
    /// As there.
    fn integrated_gradients<A: At<Net = Self::Plain>>(
        &self,
        of: A,
        channel: usize,
        place: Place,
        [picture, baseline]: [&Picture<Self, D>; 2],
        path: Path,
    ) -> Result<Picture<Self, D>, ExplainError> {
        asked(self, of, channel, place, picture, |lens, unit, picture| {
            let from = volume(baseline);
            Ok(saliency::integrated_gradients(lens, unit, picture, &from, path, &mut |_, _| {})?.map)
        })
    }

    /// [`reconstruct`] by [`Rule::Deconvnet`]
    ///
    /// # Errors
    /// As there.
    fn deconvnet<A: At<Net = Self::Plain>>(
        &self,
        of: A,
        channel: usize,
        place: Place,
        picture: &Picture<Self, D>,
    ) -> Result<Picture<Self, D>, ExplainError> {
        asked(self, of, channel, place, picture, |lens, unit, picture| {
            reconstruct(lens, unit, picture, Rule::Deconvnet)
        })
    }

    /// [`reconstruct`] by [`Rule::Guided`]
    ///
    /// # Errors
    /// As there.
    fn guided<A: At<Net = Self::Plain>>(
        &self,
        of: A,
        channel: usize,
        place: Place,
        picture: &Picture<Self, D>,
    ) -> Result<Picture<Self, D>, ExplainError> {
        asked(self, of, channel, place, picture, |lens, unit, picture| reconstruct(lens, unit, picture, Rule::Guided))
    }

    /// [`cam::grad_cam`] of a class (or channel) at a layer, in the size of the picture
    ///
    /// # Errors
    /// As there.
    fn grad_cam<A: At<Net = Self::Plain>, B: At<Net = Self::Plain>>(
        &self,
        layer: A,
        of: B,
        channel: usize,
        picture: &Picture<Self, D>,
    ) -> Result<Heat<Self, D>, ExplainError> {
        asked(self, of, channel, Place::Everywhere, picture, |lens, unit, picture| {
            let node = layer.tap().node();
            Ok(Grid::new(Self::GRAPH, node).spread(&cam::grad_cam(lens, node, unit, picture)?))
        })
    }

    /// [`occlusion::occlusion`]
    ///
    /// # Errors
    /// As there.
    fn occlusion<A: At<Net = Self::Plain>>(
        &self,
        of: A,
        channel: usize,
        picture: &Picture<Self, D>,
        options: &Occlusion,
    ) -> Result<Heat<Self, D>, ExplainError> {
        asked(self, of, channel, Place::Everywhere, picture, |lens, unit, picture| {
            occlusion::occlusion(lens, unit, picture, options, &mut |_, _| {})
        })
    }

    /// [`responses::activation`]
    ///
    /// # Errors
    /// As there.
    fn activation<A: At<Net = Self::Plain>>(
        &self,
        layer: A,
        picture: &Picture<Self, D>,
    ) -> Result<Tensor<A::Features, f32, D>, ExplainError> {
        let values = responses::activation(&lens(self, picture), layer.tap().node(), &volume(picture))?;
        tensor(values, picture)
    }

    /// [`maximise::maximise`]; gives the picture with the unit's value before and after
    ///
    /// # Errors
    /// As there.
    fn maximise<A: At<Net = Self::Plain>>(
        &self,
        device: &D,
        of: A,
        channel: usize,
        normalisation: &Normalisation,
        options: Maximise,
    ) -> Result<(Picture<Self, D>, [f32; 2]), ExplainError> {
        let unit = unit(self, of, channel, Place::Everywhere)?;
        let lens = Lens::new(self, device);
        let Maximised { picture, values } = maximise::maximise(&lens, unit, normalisation, options, &mut |_, _| {})?;
        let made = device.try_tensor_from_vec(picture.values, Self::Input::single());
        Ok((made.map_err(|error| ExplainError::Device(format!("{error:?}")))?, values))
    }

    /// [`invert::invert`]; gives the picture with the error of its code
    ///
    /// # Errors
    /// As there.
    fn invert<A: At<Net = Self::Plain>>(
        &self,
        layer: A,
        picture: &Picture<Self, D>,
        normalisation: &Normalisation,
        options: Invert,
    ) -> Result<(Picture<Self, D>, f64), ExplainError> {
        let (lens, node) = (lens(self, picture), layer.tap().node());
        let found = invert::invert(&lens, node, &volume(picture), normalisation, options, &mut |_, _| {})?;
        let Inverted { picture: made, error, .. } = found;
        Ok((tensor(made, picture)?, error))
    }
}

impl<N: Network<f32, D>, D: Backend<f32>> Explain<D> for N {}

/// What a method says of a channel, as a tensor.
fn asked<N: Network<f32, D>, D: Backend<f32>, A: At, F: Features>(
    net: &N,
    of: A,
    channel: usize,
    place: Place,
    picture: &Picture<N, D>,
    method: impl FnOnce(&dyn Subject, Unit, &Volume) -> Result<Volume, ExplainError>,
) -> Result<Tensor<F, f32, D>, ExplainError> {
    tensor(method(&lens(net, picture), unit(net, of, channel, place)?, &volume(picture))?, picture)
}

fn lens<'a, N: Network<f32, D>, D: Backend<f32>>(net: &'a N, picture: &Picture<N, D>) -> Lens<'a, D> {
    Lens::new(net, picture.device())
}

fn unit<N: Network<f32, D>, D: Backend<f32>, A: At>(
    _: &N,
    of: A,
    channel: usize,
    place: Place,
) -> Result<Unit, ExplainError> {
    Unit::new(N::GRAPH, of.tap().node(), channel, place)
}

fn volume<F: Features, D: Backend<f32>>(tensor: &Tensor<F, f32, D>) -> Volume {
    let values = tensor.as_vec();
    let dims = tensor.shape().concrete();
    let dims: Vec<usize> = dims.into_iter().chain([1, 1]).collect();
    Volume { shape: [dims[0], dims[1], dims[2]], values }
}

fn tensor<F: Features, G: Shape, D: Backend<f32>>(
    volume: Volume,
    like: &Tensor<G, f32, D>,
) -> Result<Tensor<F, f32, D>, ExplainError> {
    let made = like.device().try_tensor_from_vec(volume.values, F::single());
    made.map_err(|error| ExplainError::Device(format!("{error:?}")))
}
