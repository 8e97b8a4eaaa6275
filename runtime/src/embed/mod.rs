//! Weights that are a part of the program: [`embed!`](crate::embed!) and what it gives, an [`Embedded`] network.
//!
//! The file's header is a constant of the program, which rustc has compared with the network. What is left for the run is to read tensors
//! where they lie: the file is aligned to 64 bytes, so that numbers in single precision are used in place. Others (half and double
//! precision), and those of a file whose header is not padded, are copied.

mod fits;
mod header;
mod message;

#[doc(hidden)]
pub use fits::{fits, graph_of};
#[doc(hidden)]
pub use header::{Header, Stored};

use crate::backend::{Backend, Real};
use crate::data::{Classes, DataError, Preparation};
use crate::graph::Graph;
use crate::net::AnyNetwork;
use crate::objective::Prediction;
use crate::predict::{PredictError, Predictor};
use crate::weights::{self, Entry, Metadata, Mismatch, StateDict};
use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

/// A network and its weights, compiled into the program by [`embed!`](crate::embed!).
///
/// Threads may share it. Nothing is done before it is used.
pub struct Embedded {
    graph: &'static Graph,
    header: &'static Header,
    /// The whole file.
    file: &'static [u8],
    predictor: OnceLock<Predictor>,
    /// Held while the predictor is made, so that threads that come at once do not make one each.
    making: Mutex<()>,
}

impl Embedded {
    /// What `embed!` calls, once it has been found that the header is the file's and fits the network.
    #[doc(hidden)]
    pub const fn __new(graph: &'static Graph, header: &'static Header, file: &'static [u8]) -> Self {
        Embedded { graph, header, file, predictor: OnceLock::new(), making: Mutex::new(()) }
    }

    /// The probability of each class for each image of `pixels`, which is `[N, C, H, W]`, as [`preparation`](Self::preparation) makes it.
    ///
    /// # Errors
    /// When `pixels` is not a whole number of images, or memory runs out.
    pub fn predict(&self, pixels: &[f32]) -> Result<Vec<Prediction>, PredictError> {
        let predictor = self.predictor()?;
        let outputs = predictor.output_len();
        let mut logits = vec![0.0; pixels.len() / predictor.input_len() * outputs];
        predictor.predict(pixels, &mut logits)?;
        Ok(logits.chunks_exact(outputs).map(Prediction::from_logits).collect())
    }

    /// The network, frozen for one image at a time; it is made at the first call.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn predictor(&self) -> Result<&Predictor, PredictError> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        match self.predictor.get() {
            Some(predictor) => Ok(predictor),
            None => {
                let made = self.freeze(1)?;
                Ok(self.predictor.get_or_init(|| made))
            }
        }
    }

    /// Another predictor, for passes of up to `batch` images.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn freeze(&self, batch: usize) -> Result<Predictor, PredictError> {
        Predictor::of_numbers(self.graph, self.tensors().map(|(_, stored)| self.numbers(stored)).collect(), batch)
    }

    /// How an image becomes the network's input, as it did in training.
    ///
    /// # Errors
    /// When the file does not say it, as those of other programs, or what it says has no meaning.
    pub fn preparation(&self) -> Result<Preparation, DataError> {
        let said = Preparation::of(&self.metadata(), self.graph)?;
        said.ok_or_else(|| DataError::Unprepared { file: self.header.file.into() })
    }

    /// What the classes are called; their numbers where the file does not say it.
    ///
    /// # Errors
    /// When what the file says has no meaning, or the outputs are no classes.
    pub fn classes(&self) -> Result<Classes, DataError> {
        Classes::of(&self.metadata(), self.graph)
    }

    /// What the file says about itself.
    pub fn metadata(&self) -> Metadata {
        self.header.metadata.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    /// Copies the weights into a network, to train it or to look into it.
    ///
    /// # Errors
    /// When it is another network, which is then unchanged.
    pub fn load<E: Real, D: Backend<E>>(&self, net: &mut dyn AnyNetwork<E, D>) -> Result<(), Mismatch> {
        let entries = self.tensors().map(|(name, stored)| {
            let bytes = self.bytes(stored).to_vec();
            Entry { name: name.into(), shape: stored.shape.to_vec(), dtype: stored.dtype, bytes }
        });
        weights::set(net, &StateDict { entries: entries.collect(), metadata: self.metadata() })
    }

    /// The network's parameters in the order of its graph, by name.
    fn tensors(&self) -> impl Iterator<Item = (&str, &'static Stored)> {
        let prefix = self.header.prefix(self.graph);
        let find = move |name: &str| self.header.find(prefix, name).map(|index| &self.header.tensors[index]);
        self.graph.params.iter().filter_map(move |param| Some((&*param.name, find(&param.name)?)))
    }

    fn bytes(&self, stored: &Stored) -> &'static [u8] {
        let [start, end] = stored.bytes;
        &self.file[start..end]
    }

    /// The numbers of a tensor, in place where they are `f32` and lie as this processor reads them.
    fn numbers(&self, stored: &Stored) -> Cow<'static, [f32]> {
        let bytes = self.bytes(stored);
        match bytemuck::try_cast_slice(bytes) {
            Ok(numbers) if stored.dtype == weights::DType::F32 && cfg!(target_endian = "little") => {
                Cow::Borrowed(numbers)
            }
            // The header was checked: these are floating-point numbers.
            _ => Cow::Owned(stored.dtype.to_f32(bytes).unwrap_or_default()),
        }
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("network", &self.graph.name).field("file", &self.header.file).finish()
    }
}

/// A file in memory, at a multiple of 64 bytes.
#[doc(hidden)]
#[repr(C, align(64))]
pub struct Aligned<T: ?Sized>(pub T);
