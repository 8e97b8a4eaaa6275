//! The tensors of a network, by index and by name.
//!
//! A network with `custom` modules has tensors that its graph does not know: by index they are passed over, by name they are
//! there.

use super::any::AnyNetwork;
use crate::backend::{Backend, Map, Real};
use std::collections::BTreeMap;

/// The parameters and buffers of a network in [`Graph::params`](crate::graph::Graph::params) order, padded with ones to
/// four dimensions. They share identity and data with the network's own tensors.
///
/// # Errors
/// When the device runs out of memory; only tensors that are not row-major need any.
pub fn params<E: Real, D: Backend<E>>(net: &dyn AnyNetwork<E, D>) -> Result<Vec<Map<E, D>>, D::Err> {
    let mut found = Vec::with_capacity(net.graph().params.len());
    net.tensors(&mut |slot, tensor| found.extend(slot.param.map(|_| tensor.share())));
    found.into_iter().collect()
}

/// Writes new values into parameters or buffers, given by their index in
/// [`Graph::params`](crate::graph::Graph::params). Each vector must have the parameter's length.
pub fn set_params<E: Real, D: Backend<E>>(net: &mut dyn AnyNetwork<E, D>, values: &[(usize, Vec<E>)]) {
    let values: BTreeMap<usize, &Vec<E>> = values.iter().map(|(index, values)| (*index, values)).collect();
    if values.is_empty() {
        return;
    }
    net.tensors_mut(&mut |slot, tensor| {
        if let Some(values) = slot.param.and_then(|index| values.get(&index)) {
            tensor.numbers(&mut |numbers| numbers.copy_from_slice(values));
        }
    });
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

/// Copies of all tensors of a network, those of `custom` modules included.
///
/// # Errors
/// When the device runs out of memory; only tensors that are not row-major need any.
pub fn named_tensors<E: Real, D: Backend<E>>(net: &dyn AnyNetwork<E, D>) -> Result<Vec<NamedTensor<E>>, D::Err> {
    let mut found = Vec::new();
    net.tensors(&mut |slot, tensor| {
        let (name, shape) = (slot.name.to_string(), slot.shape.to_vec());
        found.push(tensor.share().map(|tensor| NamedTensor { name, shape, values: tensor.as_vec() }));
    });
    found.into_iter().collect()
}

/// Name and shape of all tensors of a network.
pub fn named_shapes<E: Real, D: Backend<E>>(net: &dyn AnyNetwork<E, D>) -> Vec<(String, Vec<usize>)> {
    let mut found = Vec::new();
    net.tensors(&mut |slot, _| found.push((slot.name.to_string(), slot.shape.to_vec())));
    found
}

/// Writes new values into the tensors of these names. Each vector must have the tensor's length.
pub fn set_named_tensors<E: Real, D: Backend<E>>(net: &mut dyn AnyNetwork<E, D>, values: &[(String, Vec<E>)]) {
    let values: BTreeMap<&str, &Vec<E>> = values.iter().map(|(name, values)| (name.as_str(), values)).collect();
    if values.is_empty() {
        return;
    }
    net.tensors_mut(&mut |slot, tensor| {
        if let Some(values) = values.get(slot.name) {
            tensor.numbers(&mut |numbers| numbers.copy_from_slice(values));
        }
    });
}
