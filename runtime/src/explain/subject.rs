//! A network that can be looked into, without its type: the line between what is compiled for each network (this file) and
//! what is compiled once (the rest of this folder).

use super::ExplainError;
use crate::backend::Backend;
use crate::backend::Map;
use crate::graph::{Graph, Subgraph};
use crate::net::{Network, evaluate, params};
use dfdx::prelude::*;

/// A node and its values for some images, `[N, C, H, W]`.
pub type Given<'a> = (usize, &'a [f32]);

/// What a pass there and back has shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Pulled {
    /// The value of the node that was asked for, `[N, C, H, W]`.
    pub value: Vec<f32>,
    /// The gradient at each of the given nodes.
    pub gradients: Vec<Vec<f32>>,
}

/// A network that can be looked into, in evaluation mode.
pub trait Subject {
    /// What it is.
    fn graph(&self) -> &Graph;

    /// The values of some nodes, computed from those that are given.
    ///
    /// # Errors
    /// When the device fails.
    fn values(&self, given: &[Given<'_>], wanted: &[usize]) -> Result<Vec<Vec<f32>>, ExplainError>;

    /// The gradients, at the given nodes, of the sum of node `of` times `weights`, which get to see its value first.
    ///
    /// # Errors
    /// When the device fails.
    fn pull(
        &self,
        given: &[Given<'_>],
        of: usize,
        weights: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Result<Pulled, ExplainError>;

    /// The parameters and buffers of a node.
    fn params(&self, node: usize) -> Vec<Vec<f32>>;
}

/// A network of some type on its device, to be looked into.
#[derive(Debug)]
pub struct Lens<'a, N, D> {
    net: &'a N,
    device: D,
}

impl<'a, N: Network<f32, D>, D: Backend<f32>> Lens<'a, N, D> {
    /// On `net`.
    pub fn new(net: &'a N, device: &D) -> Self {
        Lens { net, device: device.clone() }
    }

    fn tensors(&self, given: &[Given<'_>]) -> Result<(Vec<usize>, Vec<Map<f32, D>>), ExplainError> {
        let tensor = |(node, values): &Given<'_>| {
            let [c, h, w] = N::GRAPH.nodes[*node].shape.chw();
            let shape = (values.len() / (c * h * w), c, h, w);
            Ok((*node, self.device.try_tensor_from_vec(values.to_vec(), shape).map_err(failed)?))
        };
        given.iter().map(tensor).collect::<Result<Vec<_>, _>>().map(|pairs| pairs.into_iter().unzip())
    }
}

impl<N: Network<f32, D>, D: Backend<f32>> Subject for Lens<'_, N, D> {
    fn graph(&self) -> &Graph {
        N::GRAPH
    }

    fn values(&self, given: &[Given<'_>], wanted: &[usize]) -> Result<Vec<Vec<f32>>, ExplainError> {
        let (inputs, tensors) = self.tensors(given)?;
        let part = Subgraph { inputs, outputs: wanted.to_vec() };
        let outcome = evaluate(self.net, &part, tensors, NoneTape).map_err(failed)?;
        let values: Vec<Vec<f32>> = outcome.outputs.iter().map(Tensor::as_vec).collect();
        wanted.iter().zip(&values).try_for_each(|(node, values)| finite(N::GRAPH, *node, values))?;
        Ok(values)
    }

    fn pull(
        &self,
        given: &[Given<'_>],
        of: usize,
        weights: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Result<Pulled, ExplainError> {
        let (inputs, tensors) = self.tensors(given)?;
        let part = Subgraph { inputs, outputs: vec![of] };
        let outcome = evaluate(self.net, &part, tensors.clone(), OwnedTape::default()).map_err(failed)?;
        let Some(output) = outcome.outputs.into_iter().next() else { unreachable!("one output was asked for") };
        let value = output.as_vec();
        finite(N::GRAPH, of, &value)?;
        let weights = self.device.try_tensor_from_vec(weights(&value), *output.shape()).map_err(failed)?;
        let sum = output.put_tape(outcome.tape).try_mul(weights).and_then(|x| x.try_sum::<Rank0, _>());
        let mut taken = sum.and_then(|sum| sum.try_backward()).map_err(failed)?;
        let mut gradients = Vec::new();
        for tensor in &tensors {
            D::gradient(tensor, &mut taken, |gradient| gradients.push(gradient.to_vec())).map_err(failed)?;
        }
        Ok(Pulled { value, gradients })
    }

    fn params(&self, node: usize) -> Vec<Vec<f32>> {
        params(self.net)[N::GRAPH.nodes[node].param_ids()].iter().map(Tensor::as_vec).collect()
    }
}

fn finite(graph: &Graph, node: usize, values: &[f32]) -> Result<(), ExplainError> {
    match values.iter().all(|x| x.is_finite()) {
        true => Ok(()),
        false => {
            Err(ExplainError::NotFinite { network: graph.name.to_string(), layer: graph.nodes[node].name.to_string() })
        }
    }
}

fn failed(error: impl std::fmt::Debug) -> ExplainError {
    ExplainError::Device(format!("{error:?}"))
}
