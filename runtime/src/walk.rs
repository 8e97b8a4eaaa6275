//! The walk over a typed network's tensors, as generated code writes it: one call for each module.
//!
//! dfdx has such a walk too ([`TensorCollection::iter_tensors`]), but one that can also build another network of what it finds, so
//! each use of it costs the compiler much more. It goes over `custom` modules, which are dfdx's.

use crate::backend::{AnyTensor, Backend, Real};
use crate::graph::{Graph, Param};
use dfdx::prelude::*;

/// What there is to know of a tensor that a network lends.
#[derive(Debug, Clone, Copy)]
pub struct Slot<'a> {
    /// The key in a PyTorch state dict: `conv1.weight`.
    pub name: &'a str,
    /// Its shape, row-major.
    pub shape: &'a [usize],
    /// Whether it is a parameter, and not a buffer such as a running mean.
    pub trainable: bool,
    /// Its index in [`Graph::params`]; none for a tensor of a `custom` module, which the graph does not know.
    pub param: Option<usize>,
}

/// Reads a tensor that a network lends.
pub type Reader<'a, E, D> = dyn FnMut(&Slot<'_>, &dyn AnyTensor<E, D>) + 'a;
/// Changes a tensor that a network lends.
pub type Writer<'a, E, D> = dyn FnMut(&Slot<'_>, &mut dyn AnyTensor<E, D>) + 'a;

/// A module whose tensors can be gone over.
pub trait Walked<E: Real, D: Backend<E>> {
    /// Lends each tensor.
    fn walk(&self, walk: &mut Walk<'_, '_, E, D>);

    /// Lends each tensor to be changed.
    fn walk_mut(&mut self, walk: &mut WalkMut<'_, '_, E, D>);
}

/// Where a walk is: the key of the module, and the parameters of the graph that are still to come.
struct Place<'a> {
    path: String,
    params: &'a [Param],
    passed: usize,
}

impl<'a> Place<'a> {
    fn new(graph: &'a Graph) -> Self {
        Place { path: String::new(), params: &graph.params, passed: 0 }
    }

    /// Goes into the module `key`; gives how to come back.
    fn enter(&mut self, key: &str) -> usize {
        let length = self.path.len();
        if !key.is_empty() {
            self.path.push_str(key);
            self.path.push('.');
        }
        length
    }

    /// Whether the tensor `key` is the next one that the graph knows, and which.
    fn known(&mut self, key: &str) -> Option<usize> {
        self.path.push_str(key);
        let known = self.params.get(self.passed).is_some_and(|param| param.name == self.path);
        self.passed += usize::from(known);
        known.then(|| self.passed - 1)
    }
}

/// A walk that reads.
pub struct Walk<'a, 'f, E: Real, D: Backend<E>> {
    place: Place<'a>,
    f: &'a mut Reader<'f, E, D>,
}

impl<'a, 'f, E: Real, D: Backend<E>> Walk<'a, 'f, E, D> {
    /// Calls `f` with all tensors of a network.
    pub fn over(graph: &'a Graph, net: &dyn Walked<E, D>, f: &'a mut Reader<'f, E, D>) {
        net.walk(&mut Walk { place: Place::new(graph), f });
    }

    /// Goes over the module `key`.
    pub fn module(&mut self, key: &str, module: &dyn Walked<E, D>) {
        let length = self.place.enter(key);
        module.walk(self);
        self.place.path.truncate(length);
    }

    /// Lends the tensor `key`.
    pub fn tensor(&mut self, key: &str, trainable: bool, tensor: &dyn AnyTensor<E, D>) {
        let length = self.place.path.len();
        let param = self.place.known(key);
        let dims = if param.is_none() { tensor.dims() } else { Vec::new() };
        let shape = param.map_or(&dims[..], |index| &self.place.params[index].shape);
        (self.f)(&Slot { name: &self.place.path, shape, trainable, param }, tensor);
        self.place.path.truncate(length);
    }

    /// Goes over a module of dfdx.
    pub fn custom<M: TensorCollection<E, D>>(&mut self, key: &str, module: &M) {
        let length = self.place.enter(key);
        // Nothing in this walk fails.
        let _ = M::iter_tensors(&mut RecursiveWalker { m: (module, String::new()), f: &mut Read(self) });
        self.place.path.truncate(length);
    }
}

/// Lends the tensors of a module of dfdx.
struct Read<'w, 'a, 'f, E: Real, D: Backend<E>>(&'w mut Walk<'a, 'f, E, D>);

impl<E: Real, D: Backend<E>> TensorVisitor<E, D> for Read<'_, '_, '_, E, D> {
    type Viewer = (ViewTensorRef, ViewTensorName);
    type Err = D::Err;
    type E2 = E;
    type D2 = D;

    fn visit<S: dfdx::shapes::Shape>(
        &mut self,
        options: TensorOptions<S, E, D>,
        (tensor, name): (&Tensor<S, E, D>, String),
    ) -> Result<Option<Tensor<S, E, D>>, D::Err> {
        self.0.tensor(&name, options.do_gradient_update, tensor);
        Ok(None)
    }
}

/// A walk that changes.
pub struct WalkMut<'a, 'f, E: Real, D: Backend<E>> {
    place: Place<'a>,
    f: &'a mut Writer<'f, E, D>,
}

impl<'a, 'f, E: Real, D: Backend<E>> WalkMut<'a, 'f, E, D> {
    /// Calls `f` with all tensors of a network.
    pub fn over(graph: &'a Graph, net: &mut dyn Walked<E, D>, f: &'a mut Writer<'f, E, D>) {
        net.walk_mut(&mut WalkMut { place: Place::new(graph), f });
    }

    /// Goes over the module `key`.
    pub fn module(&mut self, key: &str, module: &mut dyn Walked<E, D>) {
        let length = self.place.enter(key);
        module.walk_mut(self);
        self.place.path.truncate(length);
    }

    /// Lends the tensor `key`.
    pub fn tensor(&mut self, key: &str, trainable: bool, tensor: &mut dyn AnyTensor<E, D>) {
        let length = self.place.path.len();
        let param = self.place.known(key);
        let dims = if param.is_none() { tensor.dims() } else { Vec::new() };
        let shape = param.map_or(&dims[..], |index| &self.place.params[index].shape);
        (self.f)(&Slot { name: &self.place.path, shape, trainable, param }, tensor);
        self.place.path.truncate(length);
    }

    /// Goes over a module of dfdx.
    pub fn custom<M: TensorCollection<E, D>>(&mut self, key: &str, module: &mut M) {
        let length = self.place.enter(key);
        // Nothing in this walk fails.
        let _ = M::iter_tensors(&mut RecursiveWalker { m: (module, String::new()), f: &mut Write(self) });
        self.place.path.truncate(length);
    }
}

/// Lends the tensors of a module of dfdx to be changed.
struct Write<'w, 'a, 'f, E: Real, D: Backend<E>>(&'w mut WalkMut<'a, 'f, E, D>);

impl<E: Real, D: Backend<E>> TensorVisitor<E, D> for Write<'_, '_, '_, E, D> {
    type Viewer = (ViewTensorMut, ViewTensorName);
    type Err = D::Err;
    type E2 = E;
    type D2 = D;

    fn visit<S: dfdx::shapes::Shape>(
        &mut self,
        options: TensorOptions<S, E, D>,
        (tensor, name): (&mut Tensor<S, E, D>, String),
    ) -> Result<Option<Tensor<S, E, D>>, D::Err> {
        self.0.tensor(&name, options.do_gradient_update, tensor);
        Ok(None)
    }
}
