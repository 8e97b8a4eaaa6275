//! A network without a type: a graph and its parameters on a device.
//!
//! It is what a program runs that does not know its networks when it is compiled: one type, and so one piece of code, for all
//! of them. It is no module of dfdx, whose [`TensorCollection`] has to know a network's tensors by its type alone; it runs by
//! [`forward`](super::forward) and [`forward_mut`](super::forward_mut), as a typed network does, and gives the same bits.

use super::any::AnyNetwork;
use crate::backend::{Backend, Map, Real, State, padded};
use crate::graph::{Graph, Op};
use crate::layers::begin;
use crate::walk::{Reader, Slot, Writer};
use crate::wording::counted;
use dfdx::prelude::*;
use std::fmt;
use std::sync::Arc;

/// Why a network cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A `custom` module is Rust, of which a graph knows nothing.
    #[error("{network} has the custom module `{layer}`, which is Rust: only the network's own type can be built")]
    Custom {
        /// Name of the network.
        network: String,
        /// Name of the layer.
        layer: String,
    },
    /// The parameters take more memory than the machine has.
    #[error("cannot build {network}: its {} take {:.1} GB, which this machine does not have", counted(*params, "parameter"), *bytes as f64 * 1e-9)]
    TooLarge {
        /// Name of the network.
        network: String,
        /// Number of parameters.
        params: usize,
        /// Their size in bytes.
        bytes: usize,
    },
    /// The device failed, most likely for want of memory.
    #[error("cannot build {network}: the device failed: {problem}")]
    Device {
        /// Name of the network.
        network: String,
        /// What the device says.
        problem: String,
    },
}

/// A network that is known by its graph alone, with parameters of dtype `E` on a device `D`.
///
/// ```
/// use convnet::net::{DynNetwork, forward};
/// use convnet::prelude::*;
/// use std::sync::Arc;
///
/// cnn! { struct Net: [1, 8, 8] -> [10] { conv(4, kernel = 3); relu; flatten; linear(10); } }
///
/// let device = Cpu::default();
/// let net = DynNetwork::<f32, Cpu>::build(Arc::new(Net::graph().clone()), &device)?;
/// let images: Tensor<(usize, usize, usize, usize), f32, _> = device.zeros_like(&(2, 1, 8, 8));
/// let logits: Tensor<(usize, usize), f32, _> = forward(&net, images, 2, (2, 10))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct DynNetwork<E: Dtype = f32, D: Storage<E> = Cpu> {
    graph: Arc<Graph>,
    /// In [`Graph::params`] order, padded with ones to four dimensions.
    params: Vec<Map<E, D>>,
    state: State,
}

impl<E: Real, D: Backend<E>> DynNetwork<E, D> {
    /// A network with the random weights that a typed one gets from the same random numbers of the device.
    ///
    /// # Errors
    /// When the graph has a `custom` module, or the device runs out of memory.
    pub fn build(graph: Arc<Graph>, device: &D) -> Result<Self, BuildError> {
        let network = || graph.name.to_string();
        if let Some(node) = graph.nodes.iter().find(|node| matches!(node.op, Op::Custom(_))) {
            return Err(BuildError::Custom { network: network(), layer: node.name.to_string() });
        }
        let (count, bytes) = (graph.param_count(), graph.param_count().saturating_mul(size_of::<E>()));
        // A vector that cannot be had ends the process, and a system that promises too much ends it later.
        if Vec::<u8>::new().try_reserve_exact(bytes).is_err() {
            return Err(BuildError::TooLarge { network: network(), params: count, bytes });
        }
        let mut params = Vec::with_capacity(graph.params.len());
        for param in graph.params.iter() {
            let made = device.try_zeros_like(&padded(param.shape.iter().copied())).and_then(|mut tensor| {
                begin(&mut tensor, param.init)?;
                Ok(tensor)
            });
            let failed = |error: D::Err| BuildError::Device { network: network(), problem: format!("{error:?}") };
            params.push(made.map_err(failed)?);
        }
        Ok(DynNetwork { graph, params, state: State::default() })
    }
}

impl<E: Real, D: Backend<E>> AnyNetwork<E, D> for DynNetwork<E, D> {
    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn state(&self) -> &State {
        &self.state
    }

    fn tensors(&self, f: &mut Reader<'_, E, D>) {
        for (index, (param, tensor)) in self.graph.params.iter().zip(&self.params).enumerate() {
            let slot = Slot { name: &param.name, shape: &param.shape, trainable: param.trainable, param: Some(index) };
            f(&slot, tensor);
        }
    }

    fn tensors_mut(&mut self, f: &mut Writer<'_, E, D>) {
        for (index, (param, tensor)) in self.graph.params.iter().zip(&mut self.params).enumerate() {
            let slot = Slot { name: &param.name, shape: &param.shape, trainable: param.trainable, param: Some(index) };
            f(&slot, tensor);
        }
    }
}

impl<E: Dtype, D: Storage<E>> fmt::Debug for DynNetwork<E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynNetwork").field("graph", &self.graph.name).field("params", &self.params.len()).finish()
    }
}
