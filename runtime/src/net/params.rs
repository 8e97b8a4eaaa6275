//! The tensors of a network, by index and by name.
//!
//! dfdx hands them out one by one, each of its own type; here they become one list. A network with `custom` modules has
//! tensors that its graph does not know: by index they are passed over, by name they are there.

use super::{Map, Network, Real};
use crate::backend::Backend;
use dfdx::prelude::*;

/// A tensor of a network, padded with ones to four dimensions; it shares identity and data with the network's own.
struct Shared<E: Dtype, D: Storage<E>> {
    name: String,
    shape: Vec<usize>,
    tensor: Map<E, D>,
}

/// All tensors of a module. One walk for every purpose: a walk is code for each network and each shape in it.
fn shared<N: TensorCollection<E, D>, E: Dtype, D: Device<E>>(net: &N) -> Vec<Shared<E, D>> {
    struct Collect<E: Dtype, D: Storage<E>>(Vec<Shared<E, D>>);
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
            let shape: Vec<usize> = t.shape().concrete().into_iter().collect();
            let mut dims = [1; 4];
            dims.iter_mut().zip(&shape).for_each(|(dim, size)| *dim = *size);
            let [a, b, c, d] = dims;
            self.0.push(Shared { name, shape, tensor: t.clone().try_reshape_like(&(a, b, c, d))? });
            Ok(None)
        }
    }
    let mut collect = Collect(Vec::new());
    // Only a copy of a strided tensor could fail, and parameters are contiguous.
    let _ = N::iter_tensors(&mut RecursiveWalker { m: (net, String::new()), f: &mut collect });
    collect.0
}

/// The parameters and buffers of a network in [`Graph::params`](crate::graph::Graph::params) order, padded with ones to
/// four dimensions. They share identity and data with the network's own tensors.
pub fn params<N: Network<E, D>, E: Real, D: Backend<E>>(net: &N) -> Vec<Map<E, D>> {
    let mut known = N::GRAPH.params.iter().peekable();
    let mut found = Vec::with_capacity(N::GRAPH.params.len());
    for Shared { name, tensor, .. } in shared(net) {
        if known.next_if(|param| param.name == name).is_some() {
            found.push(tensor);
        }
    }
    found
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
    let copy = |Shared { name, shape, tensor }| NamedTensor { name, shape, values: tensor.as_vec() };
    shared(net).into_iter().map(copy).collect()
}

/// Name and shape of all tensors of a module.
pub fn named_shapes<N: TensorCollection<E, D>, E: Dtype, D: Device<E>>(net: &N) -> Vec<(String, Vec<usize>)> {
    shared(net).into_iter().map(|Shared { name, shape, .. }| (name, shape)).collect()
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
