//! A network frozen for inference: parameters packed once, then any number of passes without a tape and without memory from
//! the system.

use super::algorithm::precision;
use super::kernels::{Isa, Outside};
use super::plan::{Plan, Purpose};
use super::{Arena, threads, view};
use crate::graph::{Graph, Subgraph};
use crate::net::Map;
use dfdx::prelude::Cpu;
use dfdx::tensor::CpuError;
use std::sync::Arc;

/// Packed parameters of a network, with the plans and the memory to run it.
pub struct Session {
    graph: Arc<Graph>,
    arena: Arena,
    /// For the largest batch.
    full: Plan,
    /// The parameters that passes read where they are, shared with the network, by their index; or in half precision.
    read: Vec<(usize, Map<f32, Cpu>)>,
    halves: Vec<(usize, Vec<u16>)>,
    /// For smaller batches that have been asked for, in the same memory.
    smaller: Vec<Plan>,
}

/// Numbers that no machine has memory for. Below, lengths and offsets can be computed without a thought of overflow,
/// whatever layouts add to the numbers themselves.
const BEYOND_MEMORY: u64 = 1 << 43;

impl Session {
    /// Packs `params`, which are those of `graph`, for up to `batch` images at once.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn new(graph: Arc<Graph>, params: &[Map<f32, Cpu>], batch: usize) -> Result<Self, CpuError> {
        Self::with(Isa::detect(), graph, params, batch, false)
    }

    /// [`Session::new`] with the kernels of `isa`, which has to be one of [`Isa::available`]; with `half`, large linear
    /// layers keep their weights in half precision, where they are too few images to be packed.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn with(
        isa: Isa,
        graph: Arc<Graph>,
        params: &[Map<f32, Cpu>],
        batch: usize,
        half: bool,
    ) -> Result<Self, CpuError> {
        let numbers = graph.nodes.iter().map(|node| node.shape.len() as u64).sum::<u64>();
        if numbers.checked_mul(batch as u64).is_none_or(|all| all > BEYOND_MEMORY) {
            return Err(CpuError::OutOfMemory);
        }
        let purpose = Purpose {
            part: Subgraph::whole(&graph, false),
            batch: batch.max(1),
            training: false,
            dropout: false,
            backward: false,
            input_grad: false,
            frozen: true,
            half,
            precision: precision(),
            isa,
        };
        let full = Plan::new(&graph, purpose);
        let mut arena = Arena::new(full.arena_len)?;
        let memory = arena.slice();
        for (param, range) in params.iter().zip(&full.params) {
            if let Some(range) = range {
                param.copy_into(&mut memory[range.clone()]);
            }
        }
        let outside = Outside { params: &|i| view(&params[i]), ..Outside::default() };
        if let Some(prepare) = &full.prepare {
            prepare.run(memory, outside, &threads::team());
        }
        let (mut read, mut halves) = (Vec::new(), Vec::new());
        for index in &full.read {
            if half {
                halves.push((*index, halved(view(&params[*index]))?));
            } else {
                read.push((*index, params[*index].clone()));
            }
        }
        Ok(Session { graph, arena, full, read, halves, smaller: Vec::new() })
    }

    /// The most images of one pass.
    pub fn batch(&self) -> usize {
        self.full.purpose.batch
    }

    /// Computes the outputs of as many images as `images` holds, each `[C, H, W]`, in passes of up to
    /// [`batch`](Session::batch). The first pass of a size makes a plan; from then on nothing is allocated.
    ///
    /// # Panics
    /// If the lengths are not those of a whole and equal number of images.
    pub fn run(&mut self, images: &[f32], outputs: &mut [f32]) {
        let [from, to] = [self.graph.input().len(), self.graph.output_shape().len()];
        let count = images.len() / from;
        assert!(images.len() == count * from && outputs.len() == count * to, "engine: whole images and their outputs");
        let batch = self.batch();
        for (images, outputs) in images.chunks(batch * from).zip(outputs.chunks_mut(batch * to)) {
            self.pass(images.len() / from, images, outputs);
        }
    }

    fn pass(&mut self, count: usize, images: &[f32], outputs: &mut [f32]) {
        let Session { graph, arena, full, read, halves, smaller } = self;
        let plan = if count == full.purpose.batch {
            full
        } else {
            let known = smaller.iter().position(|plan| plan.purpose.batch == count);
            let index = known.unwrap_or_else(|| {
                smaller.push(full.smaller(graph, count));
                smaller.len() - 1
            });
            &mut smaller[index]
        };
        let memory = arena.slice();
        memory[plan.inputs[0].clone()].copy_from_slice(images);
        let params = |index| read.iter().find(|(known, _)| *known == index).map_or(&[][..], |(_, param)| view(param));
        let halves = |index| halves.iter().find(|(known, _)| *known == index).map_or(&[][..], |(_, half)| &half[..]);
        let outside = Outside { params: &params, halves: &halves, ..Outside::default() };
        plan.forward.run(memory, outside, &threads::team());
        outputs.copy_from_slice(&memory[plan.outputs[0].clone()]);
    }
}

/// Numbers in half precision.
fn halved(values: &[f32]) -> Result<Vec<u16>, CpuError> {
    let mut halves = Vec::new();
    halves.try_reserve_exact(values.len()).map_err(|_| CpuError::OutOfMemory)?;
    halves.extend(values.iter().map(|value| half::f16::from_f32(*value).to_bits()));
    Ok(halves)
}
