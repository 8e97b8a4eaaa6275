//! The CPU engine for `f32`: a whole network as one differentiable operation on dfdx's tape.
//!
//! A `plan` is made once for each batch size and kind of pass: where every value lies in one arena (`layout`,
//! `regions`), and which steps run in which order (`emit`), with the tap lists of convolutions from `geometry`. The
//! `kernels` run the steps on the `threads` of a team. Parameters and input come in with a copy each and the output
//! goes out without one; in between nothing is allocated. The results do not depend on the number of threads.

mod emit;
mod geometry;
#[allow(unsafe_code)]
mod kernels;
mod layout;
mod plan;
mod regions;
mod threads;

pub use kernels::Isa;
pub use threads::{set_threads, threads};

use crate::graph::Graph;
use crate::net::{Map, NetTape, Outcome, Pass};
use dfdx::prelude::*;
use dfdx::tensor::CpuError;
use plan::{Plan, Purpose, Statistics};
use std::sync::{Arc, Mutex, PoisonError};

/// Plans and memory of one network, kept between calls.
#[derive(Default, Clone)]
pub struct Cache(Arc<Mutex<Vec<Instance>>>);

/// A plan with an arena of its own. Several may be out at once: each tape holds one until its backward pass.
struct Instance {
    plan: Plan,
    arena: Arena,
}

/// How many instances a network keeps for reuse: training and evaluation, each with a last smaller batch.
const KEPT: usize = 4;

impl Cache {
    fn take(&self, graph: &'static Graph, purpose: Purpose) -> Result<Loan, CpuError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().position(|instance| instance.plan.purpose == purpose);
        let instance = match found {
            Some(index) => kept.remove(index),
            None => {
                // Free the oldest before a new one is allocated, not after.
                if kept.len() >= KEPT {
                    kept.remove(0);
                }
                let plan = Plan::new(graph, purpose);
                let arena = Arena::new(plan.arena_len)?;
                Instance { plan, arena }
            }
        };
        Ok(Loan { instance: Some(instance), cache: self.clone() })
    }
}

/// An instance on loan; it goes back when dropped.
struct Loan {
    instance: Option<Instance>,
    cache: Cache,
}

impl Drop for Loan {
    fn drop(&mut self) {
        let mut kept = self.cache.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(self.instance.take());
        if kept.len() > KEPT {
            kept.remove(0);
        }
    }
}

/// Memory whose first element is at the start of a cache line.
struct Arena {
    memory: Vec<f32>,
    start: usize,
}

impl Arena {
    fn new(len: usize) -> Result<Self, CpuError> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(len + regions::ALIGN).map_err(|_| CpuError::OutOfMemory)?;
        memory.resize(len + regions::ALIGN, 0.0);
        let start = memory.as_ptr().align_offset(size_of::<f32>() * regions::ALIGN).min(regions::ALIGN);
        Ok(Arena { memory, start })
    }

    fn slice(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..]
    }
}

/// Runs `graph` as one operation on the tape.
///
/// # Errors
/// When memory runs out.
pub fn run<T: NetTape<f32, Cpu>>(
    graph: &'static Graph,
    cache: &Cache,
    params: Vec<Map<f32, Cpu>>,
    x: Map<f32, Cpu, T>,
    pass: Pass,
) -> Result<Outcome<f32, Cpu, T>, CpuError> {
    run_with(Isa::detect(), graph, cache, params, x, pass)
}

/// [`run`] with the kernels of `isa`, which has to be one of [`Isa::available`].
///
/// # Errors
/// When memory runs out.
///
/// # Panics
/// If this processor does not have `isa`.
pub fn run_with<T: NetTape<f32, Cpu>>(
    isa: Isa,
    graph: &'static Graph,
    cache: &Cache,
    params: Vec<Map<f32, Cpu>>,
    x: Map<f32, Cpu, T>,
    pass: Pass,
) -> Result<Outcome<f32, Cpu, T>, CpuError> {
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let batch = x.shape().0;
    let [c, h, w] = graph.output_shape().chw();
    if batch == 0 {
        let output = x.device().try_zeros_like(&(0, c, h, w))?.put_tape(tape);
        return Ok(Outcome { output, running: Vec::new() });
    }
    let purpose = Purpose {
        batch,
        training: pass.training,
        dropout: pass.training && pass.dropout.is_some(),
        backward: T::OWNS_TAPE,
        input_grad: T::OWNS_TAPE && pass.input_grad,
        isa,
    };
    let mut loan = cache.take(graph, purpose)?;
    let Some(Instance { plan, arena }) = &mut loan.instance else { unreachable!("a loan holds its instance") };
    let memory = arena.slice();
    x.copy_into(&mut memory[plan.input.clone()]);
    for (param, range) in params.iter().zip(&plan.params) {
        param.copy_into(&mut memory[range.clone()]);
    }
    plan.forward.run(memory, pass.dropout, &threads::team());
    let mut values = Vec::new();
    values.try_reserve_exact(plan.output.len()).map_err(|_| CpuError::OutOfMemory)?;
    values.extend_from_slice(&memory[plan.output.clone()]);
    let output = x.device().try_tensor_from_vec(values, (batch, c, h, w))?;
    let running = plan.statistics.iter().flat_map(|statistics| fold(statistics, memory, &plan.params)).collect();
    if T::OWNS_TAPE {
        let out = output.clone();
        tape.add_backward_op(move |grads| backward(&mut loan, grads, &out, &params, &x, pass.dropout));
    }
    Ok(Outcome { output: output.put_tape(tape), running })
}

/// Runs the backward pass and adds its results into dfdx's gradients.
fn backward(
    loan: &mut Loan,
    grads: &mut Gradients<f32, Cpu>,
    out: &Map<f32, Cpu>,
    params: &[Map<f32, Cpu>],
    x: &Map<f32, Cpu>,
    seed: Option<u64>,
) -> Result<(), CpuError> {
    let Some(Instance { plan, arena }) = &mut loan.instance else { unreachable!("a loan holds its instance") };
    let memory = arena.slice();
    memory[plan.d_output.clone()].copy_from_slice(grads.get_or_alloc_mut(out)?);
    if let Some(program) = &plan.backward {
        program.run(memory, seed, &threads::team());
    }
    let mut add = |tensor: &Map<f32, Cpu>, range: &std::ops::Range<usize>| -> Result<(), CpuError> {
        let gradient = grads.get_or_alloc_mut(tensor)?;
        gradient.iter_mut().zip(&memory[range.clone()]).for_each(|(sum, part)| *sum += part);
        Ok(())
    };
    for (param, range) in params.iter().zip(&plan.d_params) {
        if let Some(range) = range {
            add(param, range)?;
        }
    }
    plan.d_input.as_ref().map_or(Ok(()), |range| add(x, range))
}

/// The new running statistics of one normalisation: PyTorch's rule, with the unbiased variance.
fn fold(statistics: &Statistics, memory: &[f32], params: &[std::ops::Range<usize>]) -> [(usize, Vec<f32>); 2] {
    let momentum = statistics.momentum as f32;
    let unbiased = statistics.count as f32 / statistics.count.saturating_sub(1).max(1) as f32;
    let new = |param: usize, batch: &std::ops::Range<usize>, factor: f32| {
        let old = &memory[params[param].clone()];
        let pairs = old.iter().zip(&memory[batch.clone()]);
        (param, pairs.map(|(old, new)| (1.0 - momentum) * old + momentum * factor * new).collect())
    };
    [new(statistics.param, &statistics.mean, 1.0), new(statistics.param + 1, &statistics.var, unbiased)]
}
