//! A network frozen for inference: parameters packed once, then any number of passes without a tape and without memory from
//! the system.

use super::algorithm::{Precision, precision};
use super::arena::Arena;
use super::error::EngineError;
use super::kernels::{Bindings, Isa};
use super::plan::{Plan, PlanKey};
use super::{planner, threads};
use convnet_graph::{Graph, Subgraph};
use std::sync::Arc;

/// Packed parameters of a network, with the plans and the memory to run it.
///
/// `P` is what holds the numbers of a parameter: a `Vec<f32>`, a slice, or something that shares them. Of most parameters nothing
/// is kept but the packed copy; a few are read where they are.
pub struct Session<P> {
    graph: Arc<Graph>,
    arena: Arena,
    /// For the largest batch.
    full: Plan,
    /// The parameters that passes read where they are, by their index; or in half precision.
    read: Vec<(usize, P)>,
    halves: Vec<(usize, Vec<u16>)>,
    /// For smaller batches that have been asked for, in the same memory.
    smaller: Vec<Plan>,
}

/// How a network is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Images of one pass, at most; 0 is 1.
    pub batch: usize,
    /// Whether large linear layers keep their weights in half precision, where they are too few images to be packed.
    pub half: bool,
    /// How exactly convolutions are computed.
    pub precision: Precision,
    /// The instruction set, one of [`Isa::available`].
    pub isa: Isa,
}

impl Options {
    /// For up to `batch` images at once, as exact as [`precision`] says, with the best instruction set.
    pub fn new(batch: usize) -> Self {
        Options { batch, half: false, precision: precision(), isa: Isa::detect() }
    }
}

/// A parameter, by the name that it has in the graph.
#[derive(Debug, Clone)]
pub struct Weight<N, P> {
    /// The key in a PyTorch state dict: `conv1.weight`.
    pub name: N,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers, row-major.
    pub numbers: P,
}

impl<P: AsRef<[f32]> + Sync> Session<P> {
    /// Packs `params`, which are those of `graph` in their order.
    ///
    /// # Errors
    /// When a parameter has another length, the network has custom modules, or memory runs out.
    ///
    /// # Panics
    /// If this processor does not have `options.isa`, or the graph is not one that the language would make.
    pub fn new(graph: Arc<Graph>, params: Vec<P>, options: Options) -> Result<Self, EngineError> {
        check(&graph, &params)?;
        let key = PlanKey {
            part: Subgraph::whole(&graph, false),
            batch: options.batch.max(1),
            training: false,
            dropout: false,
            backward: false,
            input_grad: false,
            frozen: true,
            half: options.half,
            precision: options.precision,
            isa: options.isa,
            fixed: Vec::new(),
        };
        let full = planner::plan(&graph, key)?;
        let mut arena = Arena::new(full.arena_len)?;
        let memory = arena.slice_mut();
        for (param, range) in params.iter().zip(&full.params) {
            if let Some(range) = range {
                memory[range.clone()].copy_from_slice(param.as_ref());
            }
        }
        let lent: Vec<&[f32]> = params.iter().map(AsRef::as_ref).collect();
        let bindings = Bindings { params: &|i| lent[i], ..Bindings::default() };
        if let Some(prepare) = &full.prepare {
            prepare.run(memory, bindings, &threads::team());
        }
        let (mut read, mut halves) = (Vec::new(), Vec::new());
        for (index, param) in params.into_iter().enumerate().filter(|(index, _)| full.read.contains(index)) {
            if options.half {
                halves.push((index, halved(param.as_ref())?));
            } else {
                read.push((index, param));
            }
        }
        Ok(Session { graph, arena, full, read, halves, smaller: Vec::new() })
    }

    /// Packs the parameters of `graph`, given in any order under their names.
    ///
    /// # Errors
    /// When one is missing, unknown, there twice, or has another shape; else as for [`new`](Session::new).
    ///
    /// # Panics
    /// As [`new`](Session::new).
    pub fn from_named<N: AsRef<str>>(
        graph: Arc<Graph>,
        weights: impl IntoIterator<Item = Weight<N, P>>,
        options: Options,
    ) -> Result<Self, EngineError> {
        let mut found: Vec<Option<P>> = graph.params.iter().map(|_| None).collect();
        for Weight { name, shape, numbers } in weights {
            let name = name.as_ref();
            let index = graph.params.iter().position(|param| param.name == name);
            let index = index.ok_or_else(|| EngineError::Unknown { name: name.into() })?;
            let expected = &graph.params[index].shape;
            if shape[..] != expected[..] {
                let (name, expected) = (name.into(), expected.to_vec());
                return Err(EngineError::Shape { name, expected, found: shape });
            }
            if found[index].replace(numbers).is_some() {
                return Err(EngineError::Twice { name: name.into() });
            }
        }
        let named = found.into_iter().zip(graph.params.iter());
        let params =
            named.map(|(param, known)| param.ok_or_else(|| EngineError::Missing { name: known.name.to_string() }));
        let params = params.collect::<Result<_, _>>()?;
        Self::new(graph, params, options)
    }

    /// The most images of one pass.
    pub fn batch(&self) -> usize {
        self.full.key.batch
    }

    /// Computes the outputs of as many images as `images` holds, each `[C, H, W]`, in passes of up to
    /// [`batch`](Session::batch). What the network gives for an image stands together: several outputs one after the other. The first pass of a size makes a plan; from then on nothing is allocated.
    ///
    /// # Errors
    /// When the lengths are not those of a whole and equal number of images.
    pub fn run(&mut self, images: &[f32], outputs: &mut [f32]) -> Result<(), EngineError> {
        let [from, to] = [self.graph.input().len(), self.graph.output_len()];
        let count = images.len() / from;
        if images.len() != count * from {
            return Err(EngineError::Images { found: images.len(), image: from });
        }
        if outputs.len() != count * to {
            return Err(EngineError::Outputs { images: count, expected: count * to, found: outputs.len() });
        }
        let batch = self.batch();
        for (images, outputs) in images.chunks(batch * from).zip(outputs.chunks_mut(batch * to)) {
            self.pass(images.len() / from, images, outputs)?;
        }
        Ok(())
    }

    fn pass(&mut self, count: usize, images: &[f32], outputs: &mut [f32]) -> Result<(), EngineError> {
        let Session { graph, arena, full, read, halves, smaller } = self;
        let plan = if count == full.key.batch {
            full
        } else {
            let known = smaller.iter().position(|plan| plan.key.batch == count);
            let index = known.unwrap_or(smaller.len());
            if known.is_none() {
                smaller.push(planner::smaller(full, graph, count)?);
            }
            &mut smaller[index]
        };
        let memory = arena.slice_mut();
        memory[plan.inputs[0].clone()].copy_from_slice(images);
        let params =
            |index| read.iter().find(|(known, _)| *known == index).map_or(&[][..], |(_, param)| param.as_ref());
        let halves = |index| halves.iter().find(|(known, _)| *known == index).map_or(&[][..], |(_, half)| &half[..]);
        let bindings = Bindings { params: &params, halves: &halves, ..Bindings::default() };
        plan.forward.run(memory, bindings, &threads::team());
        let (row, mut start) = (outputs.len() / count, 0);
        for output in &plan.outputs {
            let len = output.len() / count;
            for (outputs, own) in outputs.chunks_exact_mut(row).zip(memory[output.clone()].chunks_exact(len)) {
                outputs[start..start + len].copy_from_slice(own);
            }
            start += len;
        }
        Ok(())
    }
}

/// Whether there are as many parameters as the graph has, each with as many numbers.
fn check<P: AsRef<[f32]>>(graph: &Graph, params: &[P]) -> Result<(), EngineError> {
    if params.len() != graph.params.len() {
        return Err(EngineError::Count { expected: graph.params.len(), found: params.len() });
    }
    for (param, known) in params.iter().zip(graph.params.iter()) {
        let (found, expected) = (param.as_ref().len(), known.shape.iter().product());
        if found != expected {
            return Err(EngineError::Length { name: known.name.to_string(), expected, found });
        }
    }
    Ok(())
}

/// Numbers in half precision.
fn halved(values: &[f32]) -> Result<Vec<u16>, EngineError> {
    let mut halves = Vec::new();
    halves.try_reserve_exact(values.len()).map_err(|_| EngineError::OutOfMemory)?;
    halves.extend(values.iter().map(|value| half::f16::from_f32(*value).to_bits()));
    Ok(halves)
}
