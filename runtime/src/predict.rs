//! Inference without training's machinery: a network frozen into a [`Predictor`].
//!
//! Evaluating a network packs its parameters at every call, since an optimiser may have changed them. A predictor packs
//! them once, folds batch normalisations into the convolutions before them, and needs no tape, no tensors and no memory
//! from the system while it runs.

use crate::device::cpu::Shared;
use crate::graph::{Graph, Op};
use crate::net::{AnyNetwork, params};
use convnet_engine::{Options, Session};
use dfdx::prelude::Cpu;
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

/// Why there is no prediction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PredictError {
    /// A custom module is code, which no plan can hold.
    #[error("a network with custom modules cannot be frozen; evaluate it with `forward`")]
    Custom,
    /// The machine has no memory left.
    #[error("there is not enough memory for the packed parameters and a batch of {batch} images")]
    Memory {
        /// Images of a batch.
        batch: usize,
    },
    /// The numbers are not those of whole images.
    #[error("{found} numbers are not a whole number of images of {image} numbers each")]
    Images {
        /// Numbers given.
        found: usize,
        /// Numbers of an image.
        image: usize,
    },
    /// There is too much or too little room for the outputs.
    #[error("the outputs of {images} images are {expected} numbers, but there is room for {found}")]
    Outputs {
        /// Images given.
        images: usize,
        /// Numbers that they give.
        expected: usize,
        /// Numbers that there is room for.
        found: usize,
    },
}

/// A network frozen for inference on the CPU in single precision.
///
/// It holds the parameters as they are now: what happens to the network afterwards does not change it. Threads may share it;
/// their calls run one after the other, each on all of the engine's threads.
///
/// ```
/// use convnet::predict::Predictor;
/// use convnet::prelude::*;
///
/// cnn! {
///     pub struct Net: [1, 8, 8] -> [10] {
///         conv(4, kernel = 3, pad = 1, bias = false);
///         batch_norm;
///         relu;
///         global_avg_pool;
///         flatten;
///         linear(10);
///     }
/// }
///
/// let dev = Cpu::default();
/// let net = dev.build_module::<Net, f32>();
/// let predictor = Predictor::new(&net, 16)?;
/// let mut logits = vec![0.0; 3 * 10];
/// predictor.predict(&vec![0.5; 3 * 64], &mut logits)?;
/// # Ok::<(), convnet::predict::PredictError>(())
/// ```
pub struct Predictor {
    session: Mutex<Session<Numbers>>,
    input: usize,
    output: usize,
}

/// The numbers of a parameter: those of a network's tensor, or of a file that is a part of the program.
enum Numbers {
    Tensor(Shared),
    Listed(Cow<'static, [f32]>),
}

impl AsRef<[f32]> for Numbers {
    fn as_ref(&self) -> &[f32] {
        match self {
            Numbers::Tensor(tensor) => tensor.as_ref(),
            Numbers::Listed(numbers) => numbers,
        }
    }
}

impl Predictor {
    /// Freezes `net` as it is now, for passes of up to `batch` images.
    ///
    /// # Errors
    /// When the network has custom modules, or memory runs out.
    pub fn new(net: &dyn AnyNetwork<f32, Cpu>, batch: usize) -> Result<Self, PredictError> {
        Self::freeze(net, batch, false)
    }

    /// [`Predictor::new`] with the weights of linear layers in half precision, if `batch` is at most 4: with few images,
    /// such layers take the time of reading their weights, which this halves. Weights are rounded to 11 bits, and those
    /// beyond 65504 become infinite.
    ///
    /// # Errors
    /// When the network has custom modules, or memory runs out.
    pub fn compact(net: &dyn AnyNetwork<f32, Cpu>, batch: usize) -> Result<Self, PredictError> {
        Self::freeze(net, batch, true)
    }

    fn freeze(net: &dyn AnyNetwork<f32, Cpu>, batch: usize, half: bool) -> Result<Self, PredictError> {
        let tensors = params(net).and_then(|params| params.into_iter().map(Shared::new).collect::<Result<Vec<_>, _>>());
        let tensors = tensors.map_err(|_| PredictError::Memory { batch })?;
        Self::pack(net.graph(), tensors.into_iter().map(Numbers::Tensor).collect(), batch, half)
    }

    /// Freezes a network of these parameters, in the order of its graph.
    pub(crate) fn of_numbers(
        graph: &Graph,
        params: Vec<Cow<'static, [f32]>>,
        batch: usize,
    ) -> Result<Self, PredictError> {
        Self::pack(graph, params.into_iter().map(Numbers::Listed).collect(), batch, false)
    }

    fn pack(graph: &Graph, params: Vec<Numbers>, batch: usize, half: bool) -> Result<Self, PredictError> {
        if graph.nodes.iter().any(|node| matches!(node.op, Op::Custom(_))) {
            return Err(PredictError::Custom);
        }
        let options = Options { half, ..Options::new(batch) };
        let session = Session::new(Arc::new(graph.clone()), params, options);
        let session = session.map_err(|_| PredictError::Memory { batch })?;
        let (input, output) = (graph.input().len(), graph.output_len());
        Ok(Predictor { session: Mutex::new(session), input, output })
    }

    /// Numbers of an image, `[C, H, W]`.
    pub fn input_len(&self) -> usize {
        self.input
    }

    /// Numbers of its output: logits, for a classifier. Of all its outputs, where it has several.
    pub fn output_len(&self) -> usize {
        self.output
    }

    /// Computes the outputs of any number of images: `images` is `[N, C, H, W]`, `outputs` `[N, ...]`, both row-major.
    /// Several outputs of an image stand one after the other, in the order of [`Graph::outputs`].
    /// The same numbers as `forward` gives, but for rounding where a batch normalisation was folded.
    ///
    /// # Errors
    /// When the lengths do not fit together.
    pub fn predict(&self, images: &[f32], outputs: &mut [f32]) -> Result<(), PredictError> {
        let count = images.len() / self.input;
        if images.len() != count * self.input {
            return Err(PredictError::Images { found: images.len(), image: self.input });
        }
        let expected = count * self.output;
        if outputs.len() != expected {
            return Err(PredictError::Outputs { images: count, expected, found: outputs.len() });
        }
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.run(images, outputs).map_err(|_| PredictError::Memory { batch: session.batch() })
    }
}
