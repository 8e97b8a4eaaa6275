//! A network that can be looked into: the line between what knows devices and dfdx (this file) and what does not (the rest of
//! this folder).

use super::ExplainError;
use crate::backend::{Backend, Map, Placed, Which};
use crate::graph::{Graph, Subgraph};
use crate::net::{AnyNetwork, evaluate, params};
use dfdx::prelude::*;
use std::marker::PhantomData;
use std::ops::Deref;

/// A node and its values for some images, `[N, C, H, W]`.
pub type Given<'a> = (usize, &'a [f32]);

/// A vector-Jacobian product: what a pass forwards and back gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Vjp {
    /// The value of the node that was asked for, `[N, C, H, W]`.
    pub value: Vec<f32>,
    /// The gradient at each of the given nodes.
    pub gradients: Vec<Vec<f32>>,
}

/// A network that can be looked into, in evaluation mode.
pub trait Inspectable {
    /// What it is.
    fn graph(&self) -> &Graph;

    /// The values of some nodes, computed from those that are given.
    ///
    /// # Errors
    /// When the device fails.
    fn values(&self, given: &[Given<'_>], wanted: &[usize]) -> Result<Vec<Vec<f32>>, ExplainError>;

    /// The vector-Jacobian product of node `of` at the given nodes: the gradients there of the sum of its value times `weights`,
    /// which get to see that value first.
    ///
    /// # Errors
    /// When the device fails.
    fn vjp(
        &self,
        given: &[Given<'_>],
        of: usize,
        weights: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Result<Vjp, ExplainError>;

    /// The parameters and buffers of a node.
    ///
    /// # Errors
    /// When the device fails.
    fn params(&self, node: usize) -> Result<Vec<Vec<f32>>, ExplainError>;
}

/// A network on its device, to be looked into.
pub struct NetworkView<'a>(Box<dyn Inspectable + 'a>);

/// A network that is lent to a view, and its device.
struct Lent<'a>(PhantomData<&'a ()>);

impl<'a> Placed for Lent<'a> {
    type On<D: Backend<f32>> = (&'a dyn AnyNetwork<f32, D>, D);
    type Made = Box<dyn Inspectable + 'a>;

    fn make<D: Backend<f32>>((net, device): Self::On<D>) -> Self::Made {
        Box::new(Bound { net, device })
    }
}

impl<'a> NetworkView<'a> {
    /// On `net`.
    pub fn new<D: Backend<f32>>(net: &'a dyn AnyNetwork<f32, D>, device: &D) -> Self {
        NetworkView(boxed(D::which((net, device.clone()))))
    }
}

/// Not generic, so it is compiled here.
#[inline(never)]
fn boxed<'a>(lent: Which<Lent<'a>>) -> Box<dyn Inspectable + 'a> {
    lent.made()
}

impl<'a> Deref for NetworkView<'a> {
    type Target = dyn Inspectable + 'a;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// A network bound to a device that is known by its type.
struct Bound<'a, D: Backend<f32>> {
    net: &'a dyn AnyNetwork<f32, D>,
    device: D,
}

impl<D: Backend<f32>> Bound<'_, D> {
    fn tensors(&self, given: &[Given<'_>]) -> Result<(Vec<usize>, Vec<Map<f32, D>>), ExplainError> {
        let tensor = |(node, values): &Given<'_>| {
            let [c, h, w] = self.graph().nodes[*node].shape.chw();
            let shape = (values.len() / (c * h * w), c, h, w);
            Ok((*node, self.device.try_tensor_from_vec(values.to_vec(), shape).map_err(failed)?))
        };
        given.iter().map(tensor).collect::<Result<Vec<_>, _>>().map(|pairs| pairs.into_iter().unzip())
    }
}

impl<D: Backend<f32>> Inspectable for Bound<'_, D> {
    fn graph(&self) -> &Graph {
        self.net.graph()
    }

    fn values(&self, given: &[Given<'_>], wanted: &[usize]) -> Result<Vec<Vec<f32>>, ExplainError> {
        let (inputs, tensors) = self.tensors(given)?;
        let part = Subgraph { inputs, outputs: wanted.to_vec() };
        let outcome = evaluate(self.net, &part, tensors, NoneTape).map_err(failed)?;
        let values: Vec<Vec<f32>> = outcome.outputs.iter().map(Tensor::as_vec).collect();
        wanted.iter().zip(&values).try_for_each(|(node, values)| finite(self.graph(), *node, values))?;
        Ok(values)
    }

    fn vjp(
        &self,
        given: &[Given<'_>],
        of: usize,
        weights: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Result<Vjp, ExplainError> {
        let (inputs, tensors) = self.tensors(given)?;
        let part = Subgraph { inputs, outputs: vec![of] };
        let outcome = evaluate(self.net, &part, tensors.clone(), OwnedTape::default()).map_err(failed)?;
        let Some(output) = outcome.outputs.into_iter().next() else { unreachable!("one output was asked for") };
        let value = output.as_vec();
        finite(self.graph(), of, &value)?;
        let weights = self.device.try_tensor_from_vec(weights(&value), *output.shape()).map_err(failed)?;
        let sum = output.put_tape(outcome.tape).try_mul(weights).and_then(|x| x.try_sum::<Rank0, _>());
        let mut taken = sum.and_then(|sum| sum.try_backward()).map_err(failed)?;
        let mut gradients = Vec::new();
        for tensor in &tensors {
            D::gradient(tensor, &mut taken, &mut |gradient| gradients.push(gradient.to_vec())).map_err(failed)?;
        }
        Ok(Vjp { value, gradients })
    }

    fn params(&self, node: usize) -> Result<Vec<Vec<f32>>, ExplainError> {
        let params = params(self.net).map_err(failed)?;
        Ok(params[self.graph().nodes[node].param_ids()].iter().map(Tensor::as_vec).collect())
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
