//! The methods with the types of dfdx: images and maps are tensors whose shapes are the network's, layers are taps.
//!
//! Each is a line or two around the function of the same name, which says what it computes and what can go wrong.

use super::backprop::{Rule, reconstruct};
use super::grid::Grid;
use super::invert::{Invert, Inverted};
use super::maximise::{Maximise, Maximised};
use super::occlusion::Occlusion;
use super::saliency::{IntegrationPath, SmoothGrad};
use super::{
    ExplainError, Inspectable, NetworkView, Place, Unit, Volume, cam, invert, maximise, occlusion, responses, saliency,
};
use crate::backend::Backend;
use crate::data::Normalisation;
use crate::net::{At, Features, Network};
use dfdx::prelude::*;

/// An image of a network, or a map of its size, `[C, H, W]`.
type Image<N, D> = Tensor<<N as Network<f32, D>>::Input, f32, D>;
/// A map over a network's images, `[1, H, W]`.
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
/// let image: Tensor<Rank3<1, 8, 8>, f32, _> = dev.sample_normal();
/// let taps = Net::taps();
/// // What speaks for class 3, and what drives the strongest neuron of channel 2.
/// let map: Tensor<Rank3<1, 8, 8>, f32, _> = net.gradient(taps.fc, 3, Place::Everywhere, &image)?;
/// let cause: Tensor<Rank3<1, 8, 8>, f32, _> = net.guided(taps.act, 2, Place::Strongest, &image)?;
/// let heat: Tensor<Rank3<1, 8, 8>, f32, _> = net.grad_cam(taps.act, taps.fc, 3, &image)?;
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
        image: &Image<Self, D>,
    ) -> Result<Image<Self, D>, ExplainError> {
        asked(self, of, channel, place, image, saliency::gradient)
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
        image: &Image<Self, D>,
    ) -> Result<Image<Self, D>, ExplainError> {
        asked(self, of, channel, place, image, saliency::gradient_times_input)
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
        image: &Image<Self, D>,
        options: SmoothGrad,
    ) -> Result<Image<Self, D>, ExplainError> {
        asked(self, of, channel, place, image, |view, unit, image| {
            saliency::smooth_grad(view, unit, image, options, &mut |_, _| {})
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
        [image, baseline]: [&Image<Self, D>; 2],
        path: IntegrationPath,
    ) -> Result<Image<Self, D>, ExplainError> {
        asked(self, of, channel, place, image, |view, unit, image| {
            let from = volume(baseline);
            Ok(saliency::integrated_gradients(view, unit, image, &from, path, &mut |_, _| {})?.map)
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
        image: &Image<Self, D>,
    ) -> Result<Image<Self, D>, ExplainError> {
        asked(self, of, channel, place, image, |view, unit, image| reconstruct(view, unit, image, Rule::Deconvnet))
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
        image: &Image<Self, D>,
    ) -> Result<Image<Self, D>, ExplainError> {
        asked(self, of, channel, place, image, |view, unit, image| reconstruct(view, unit, image, Rule::Guided))
    }

    /// [`cam::grad_cam`] of a class (or channel) at a layer, in the size of the image
    ///
    /// # Errors
    /// As there.
    fn grad_cam<A: At<Net = Self::Plain>, B: At<Net = Self::Plain>>(
        &self,
        layer: A,
        of: B,
        channel: usize,
        image: &Image<Self, D>,
    ) -> Result<Heat<Self, D>, ExplainError> {
        asked(self, of, channel, Place::Everywhere, image, |view, unit, image| {
            let node = layer.tap().node();
            Ok(Grid::new(Self::GRAPH, node).spread(&cam::grad_cam(view, node, unit, image)?))
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
        image: &Image<Self, D>,
        options: &Occlusion,
    ) -> Result<Heat<Self, D>, ExplainError> {
        asked(self, of, channel, Place::Everywhere, image, |view, unit, image| {
            occlusion::occlusion(view, unit, image, options, &mut |_, _| {})
        })
    }

    /// [`responses::activation`]
    ///
    /// # Errors
    /// As there.
    fn activation<A: At<Net = Self::Plain>>(
        &self,
        layer: A,
        image: &Image<Self, D>,
    ) -> Result<Tensor<A::Features, f32, D>, ExplainError> {
        let values = responses::activation(&*view(self, image), layer.tap().node(), &volume(image))?;
        tensor(values, image)
    }

    /// [`maximise::maximise`]; gives the image with the unit's value before and after
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
    ) -> Result<(Image<Self, D>, [f32; 2]), ExplainError> {
        let unit = unit(self, of, channel, Place::Everywhere)?;
        let view = NetworkView::new(self, device);
        let Maximised { image, values } = maximise::maximise(&*view, unit, normalisation, options, &mut |_, _| {})?;
        let made = device.try_tensor_from_vec(image.values, Self::Input::single());
        Ok((made.map_err(|error| ExplainError::Device(format!("{error:?}")))?, values))
    }

    /// [`invert::invert`]; gives the image with the error of its code
    ///
    /// # Errors
    /// As there.
    fn invert<A: At<Net = Self::Plain>>(
        &self,
        layer: A,
        image: &Image<Self, D>,
        normalisation: &Normalisation,
        options: Invert,
    ) -> Result<(Image<Self, D>, f64), ExplainError> {
        let (view, node) = (view(self, image), layer.tap().node());
        let found = invert::invert(&*view, node, &volume(image), normalisation, options, &mut |_, _| {})?;
        let Inverted { image: made, error, .. } = found;
        Ok((tensor(made, image)?, error))
    }
}

impl<N: Network<f32, D>, D: Backend<f32>> Explain<D> for N {}

/// What a method says of a channel, as a tensor.
fn asked<N: Network<f32, D>, D: Backend<f32>, A: At, F: Features>(
    net: &N,
    of: A,
    channel: usize,
    place: Place,
    image: &Image<N, D>,
    method: impl FnOnce(&dyn Inspectable, Unit, &Volume) -> Result<Volume, ExplainError>,
) -> Result<Tensor<F, f32, D>, ExplainError> {
    tensor(method(&*view(net, image), unit(net, of, channel, place)?, &volume(image))?, image)
}

fn view<'a, N: Network<f32, D>, D: Backend<f32>>(net: &'a N, image: &Image<N, D>) -> NetworkView<'a> {
    NetworkView::new(net, image.device())
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
