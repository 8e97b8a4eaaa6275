//! The tensors of a network, by index and by name.
//!
//! dfdx hands them out one by one, each of its own type; here they become one list. A network with `custom` modules has
//! tensors that its graph does not know: by index they are passed over, by name they are there.

use super::{Map, Network, Real};
use crate::backend::Backend;
use crate::graph::Param;
use dfdx::prelude::*;

/// The parameters and buffers of a network in [`Graph::params`](crate::graph::Graph::params) order, padded with ones to
/// four dimensions. They share identity and data with the network's own tensors.
pub fn params<N: Network<E, D>, E: Real, D: Backend<E>>(net: &N) -> Vec<Map<E, D>> {
    struct Collect<E: Dtype, D: Storage<E>> {
        known: &'static [Param],
        found: Vec<Map<E, D>>,
    }
    impl<E: Dtype, D: Device<E>> TensorVisitor<E, D> for Collect<E, D> {
        type Viewer = (ViewTensorRef, ViewTensorName);
        type Err = D::Err;
        type E2 = E;
        type D2 = D;

        fn visit<S: dfdx::shapes::Shape>(
            &mut self,
            _: TensorOptions<S, E, D>,
            (t, name): (&Tensor<S, E, D>, String),
        ) -> Result<Option<Tensor<S, E, D>>, D::Err> {
            if self.known.get(self.found.len()).is_some_and(|param| param.name == name) {
                let mut dims = [1; 4];
                for (dim, size) in dims.iter_mut().zip(t.shape().concrete()) {
                    *dim = size;
                }
                let [a, b, c, d] = dims;
                self.found.push(t.clone().try_reshape_like(&(a, b, c, d))?);
            }
            Ok(None)
        }
    }
    let mut collect = Collect { known: N::GRAPH.params, found: Vec::with_capacity(N::GRAPH.params.len()) };
    // Only a copy of a strided tensor could fail, and parameters are contiguous.
    let _ = N::iter_tensors(&mut RecursiveWalker { m: (net, String::new()), f: &mut collect });
    collect.found
}

/// Writes new values into parameters or buffers, given by their index in
/// [`Graph::params`](crate::graph::Graph::params). Each vector must have the parameter's length.
pub fn set_params<N: Network<E, D>, E: Real, D: Backend<E>>(net: &mut N, values: &[(usize, Vec<E>)]) {
    let named = |(index, values): &(usize, Vec<E>)| (N::GRAPH.params[*index].name.to_string(), values.clone());
    set_named_tensors(net, &values.iter().map(named).collect::<Vec<_>>());
}

/// A tensor of a network, outside of dfdx.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor<E> {
    /// The key in a PyTorch state dict: `conv1.weight`.
    pub name: String,
    /// Its shape, row-major.
    pub shape: Vec<usize>,
    /// Its elements.
    pub values: Vec<E>,
}

/// Copies of all tensors of a module, those of `custom` modules included.
pub fn named_tensors<N: TensorCollection<E, D>, E: Dtype, D: Device<E>>(net: &N) -> Vec<NamedTensor<E>> {
    collected(net, true)
}

/// Name and shape of all tensors of a module.
pub fn named_shapes<N: TensorCollection<E, D>, E: Dtype, D: Device<E>>(net: &N) -> Vec<(String, Vec<usize>)> {
    collected(net, false).into_iter().map(|NamedTensor { name, shape, .. }| (name, shape)).collect()
}

fn collected<N: TensorCollection<E, D>, E: Dtype, D: Device<E>>(net: &N, with_values: bool) -> Vec<NamedTensor<E>> {
    struct Collect<E> {
        with_values: bool,
        found: Vec<NamedTensor<E>>,
    }
    impl<E: Dtype, D: Device<E>> TensorVisitor<E, D> for Collect<E> {
        type Viewer = (ViewTensorRef, ViewTensorName);
        type Err = D::Err;
        type E2 = E;
        type D2 = D;

        fn visit<S: dfdx::shapes::Shape>(
            &mut self,
            _: TensorOptions<S, E, D>,
            (t, name): (&Tensor<S, E, D>, String),
        ) -> Result<Option<Tensor<S, E, D>>, D::Err> {
            let shape = t.shape().concrete().into_iter().collect();
            let values = if self.with_values { t.as_vec() } else { Vec::new() };
            self.found.push(NamedTensor { name, shape, values });
            Ok(None)
        }
    }
    let mut collect = Collect { with_values, found: Vec::new() };
    let _ = N::iter_tensors(&mut RecursiveWalker { m: (net, String::new()), f: &mut collect });
    collect.found
}

/// Writes new values into the tensors of these names. Each vector must have the tensor's length.
pub fn set_named_tensors<N: TensorCollection<E, D>, E: Dtype, D: Device<E>>(net: &mut N, values: &[(String, Vec<E>)]) {
    struct Assign<'a, E>(&'a [(String, Vec<E>)]);
    impl<E: Dtype, D: Device<E>> TensorVisitor<E, D> for Assign<'_, E> {
        type Viewer = (ViewTensorMut, ViewTensorName);
        type Err = D::Err;
        type E2 = E;
        type D2 = D;

        fn visit<S: dfdx::shapes::Shape>(
            &mut self,
            _: TensorOptions<S, E, D>,
            (t, name): (&mut Tensor<S, E, D>, String),
        ) -> Result<Option<Tensor<S, E, D>>, D::Err> {
            if let Some((_, values)) = self.0.iter().find(|(known, _)| *known == name) {
                t.copy_from(values);
            }
            Ok(None)
        }
    }
    if !values.is_empty() {
        let _ = N::iter_tensors(&mut RecursiveWalker { m: (net, String::new()), f: &mut Assign(values) });
    }
}
