//! A network frozen for inference: parameters packed once, then any number of passes without a tape and without memory from
//! the system.

use super::algorithm::precision;
use super::kernels::{Isa, Outside};
use super::plan::{Plan, Purpose};
use super::{Arena, threads, views};
use crate::graph::{Graph, Part};
use crate::net::Map;
use dfdx::prelude::Cpu;
use dfdx::tensor::CpuError;

/// Packed parameters of a network, with the plans and the memory to run it.
pub struct Session {
    graph: &'static Graph,
    arena: Arena,
    /// For the largest batch.
    full: Plan,
    /// For smaller batches that have been asked for, in the same memory.
    smaller: Vec<Plan>,
}

impl Session {
    /// Packs `params`, which are those of `graph`, for up to `batch` images at once.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn new(graph: &'static Graph, params: &[Map<f32, Cpu>], batch: usize) -> Result<Self, CpuError> {
        Self::with(Isa::detect(), graph, params, batch)
    }

    /// [`Session::new`] with the kernels of `isa`, which has to be one of [`Isa::available`].
    ///
    /// # Errors
    /// When memory runs out.
    pub fn with(isa: Isa, graph: &'static Graph, params: &[Map<f32, Cpu>], batch: usize) -> Result<Self, CpuError> {
        let purpose = Purpose {
            part: Part::whole(graph, false),
            batch: batch.max(1),
            training: false,
            dropout: false,
            backward: false,
            input_grad: false,
            frozen: true,
            precision: precision(),
            isa,
        };
        let full = Plan::new(graph, purpose);
        let mut arena = Arena::new(full.arena_len)?;
        let memory = arena.slice();
        for (param, range) in params.iter().zip(&full.params) {
            if let Some(range) = range {
                param.copy_into(&mut memory[range.clone()]);
            }
        }
        let outside = Outside { params: &views(params), ..Outside::default() };
        if let Some(prepare) = &full.prepare {
            prepare.run(memory, outside, &threads::team());
        }
        Ok(Session { graph, arena, full, smaller: Vec::new() })
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
        let Session { graph, arena, full, smaller } = self;
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
        plan.forward.run(memory, Outside::default(), &threads::team());
        outputs.copy_from_slice(&memory[plan.outputs[0].clone()]);
    }
}
