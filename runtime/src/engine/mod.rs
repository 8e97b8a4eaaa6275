//! The CPU engine for `f32`: a whole network, or any part of one, as one differentiable operation on dfdx's tape.
//!
//! A `plan` is made once for each batch size and kind of pass: where every value lies in one arena (`layout`,
//! `regions`), and which steps run in which order (`emit`), with the tap lists of convolutions from `geometry`. The
//! `kernels` run the steps on the `threads` of a team. Inputs come in and outputs go out with a copy each; weights are
//! read, and their gradients written, where dfdx has them (`view`). In between nothing is allocated. The results do not depend on the number of threads.

mod algorithm;
mod draft;
mod emit;
mod geometry;
#[allow(unsafe_code)]
mod kernels;
mod layout;
mod plan;
pub mod profile;
mod regions;
mod session;
mod threads;
// The one place outside of the kernels: dfdx has no safe way to read or write a tensor's numbers without a copy.
#[allow(unsafe_code)]
mod view;

pub use algorithm::{Precision, precision, set_precision};
pub use kernels::Isa;
pub use session::Session;
pub use threads::{set_threads, threads};
pub(crate) use view::dense_mut as numbers_mut;

use crate::graph::{Graph, Subgraph};
use crate::net::{Map, NetTape, Outcome, Pass};
use dfdx::prelude::*;
use dfdx::tensor::CpuError;
use kernels::{Mem, Outside};
use plan::{Plan, Purpose, Statistics};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use threads::{Team, Worker};

/// Multiplications with addition that this machine does in a second at best, with the kernels and threads in use: what
/// their speed is a share of. Measuring takes a tenth of a second.
pub fn peak() -> f64 {
    kernels::peak(Isa::detect(), &threads::team())
}

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
    fn take(&self, graph: &Graph, purpose: Purpose) -> Result<Loan, CpuError> {
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

/// Computes `part` of `graph` as one operation on `tape`.
///
/// # Errors
/// When memory runs out.
pub fn run<T: NetTape<f32, Cpu>>(
    graph: &Graph,
    cache: &Cache,
    part: &Subgraph,
    params: Vec<Map<f32, Cpu>>,
    inputs: Vec<Map<f32, Cpu>>,
    tape: T,
    pass: Pass,
) -> Result<Outcome<f32, Cpu, T>, CpuError> {
    run_with(Isa::detect(), graph, cache, part, params, inputs, tape, pass)
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
    graph: &Graph,
    cache: &Cache,
    part: &Subgraph,
    params: Vec<Map<f32, Cpu>>,
    inputs: Vec<Map<f32, Cpu>>,
    mut tape: T,
    pass: Pass,
) -> Result<Outcome<f32, Cpu, T>, CpuError> {
    let params = params.into_iter().map(Tensor::try_contiguous).collect::<Result<Vec<_>, _>>()?;
    let inputs = inputs.into_iter().map(Tensor::try_contiguous).collect::<Result<Vec<_>, _>>()?;
    // The inputs' own, whose random numbers go on from where they were.
    let device = inputs.first().map_or_else(Cpu::default, |x| x.device().clone());
    let batch = inputs.first().map_or(0, |x| x.shape().0);
    let shape = |id: usize| {
        let [c, h, w] = graph.nodes[id].shape.chw();
        (batch, c, h, w)
    };
    if batch == 0 {
        let outputs = part.outputs.iter().map(|id| device.try_zeros_like(&shape(*id))).collect::<Result<_, _>>()?;
        return Ok(Outcome { outputs, tape, running: Vec::new() });
    }
    let purpose = Purpose {
        part: part.clone(),
        batch,
        training: pass.training,
        dropout: pass.training && pass.dropout.is_some(),
        backward: T::OWNS_TAPE,
        frozen: false,
        precision: algorithm::precision(),
        input_grad: T::OWNS_TAPE && pass.input_grad,
        half: false,
        isa,
    };
    let mut loan = cache.take(graph, purpose)?;
    let Some(Instance { plan, arena }) = &mut loan.instance else { unreachable!("a loan holds its instance") };
    let memory = arena.slice();
    for (tensor, range) in inputs.iter().zip(&plan.inputs) {
        tensor.copy_into(&mut memory[range.clone()]);
    }
    for (param, range) in params.iter().zip(&plan.params).filter_map(|(param, range)| Some((param, range.as_ref()?))) {
        param.copy_into(&mut memory[range.clone()]);
    }
    let outside = Outside { params: &|i| view(&params[i]), seed: pass.dropout, ..Outside::default() };
    plan.forward.run(memory, outside, &threads::team());
    let mut outputs = Vec::with_capacity(part.outputs.len());
    for (id, range) in part.outputs.iter().zip(&plan.outputs) {
        let mut values = Vec::new();
        values.try_reserve_exact(range.len()).map_err(|_| CpuError::OutOfMemory)?;
        values.extend_from_slice(&memory[range.clone()]);
        outputs.push(device.try_tensor_from_vec(values, shape(*id))?);
    }
    let running = plan.statistics.iter().flat_map(|statistics| fold(statistics, memory)).collect();
    if T::OWNS_TAPE {
        let results = outputs.clone();
        tape.add_backward_op(move |grads| backward(&mut loan, grads, &results, &params, &inputs, pass.dropout));
    }
    Ok(Outcome { outputs, tape, running })
}

/// Parameters of fewer numbers are updated before other threads would be awake.
const TOGETHER: usize = 1 << 16;

/// Updates the numbers of a parameter on all threads: `f` gets some of them, with their gradients and their part of each
/// slot, and gives whether all went well.
pub(crate) fn update(
    param: &mut [f32],
    gradient: &mut [f32],
    slots: &mut [Vec<f32>],
    f: impl Fn(&mut [f32], &mut [f32], &mut [&mut [f32]]) -> bool + Sync,
) -> bool {
    let team = threads::team();
    let len = if param.len() < TOGETHER { param.len().max(1) } else { param.len().div_ceil(team.size()) };
    let mut slots: Vec<_> = slots.iter_mut().map(|slot| slot.chunks_mut(len)).collect();
    let parts = param.chunks_mut(len).zip(gradient.chunks_mut(len));
    let parts =
        parts.map(|(param, gradient)| (param, gradient, slots.iter_mut().flat_map(Iterator::next).collect::<Vec<_>>()));
    let parts: Vec<_> = parts.map(Mutex::new).collect();
    let well = AtomicBool::new(true);
    let body = |worker: &Worker<'_>| {
        for part in &parts[worker.share(parts.len())] {
            let (param, gradient, slots) = &mut *part.lock().unwrap_or_else(PoisonError::into_inner);
            if !f(param, gradient, slots) {
                well.store(false, Ordering::Relaxed);
            }
        }
    };
    if parts.len() <= 1 {
        Team::run_alone(body)
    } else {
        team.run(body)
    }
    well.into_inner()
}

/// Numbers of a part of a sum: fixed, so that sums do not depend on the number of threads.
const PART: usize = 1 << 14;

/// The sum of what `f` gives for parts of `numbers`, computed on all threads and added in order.
pub(crate) fn sum_of_squares(numbers: &[f32], f: impl Fn(&[f32]) -> f64 + Sync) -> f64 {
    let parts: Vec<(&[f32], Mutex<f64>)> = numbers.chunks(PART).map(|part| (part, Mutex::new(0.0))).collect();
    let body = |worker: &Worker<'_>| {
        for (part, sum) in &parts[worker.share(parts.len())] {
            *sum.lock().unwrap_or_else(PoisonError::into_inner) = f(part);
        }
    };
    if numbers.len() < TOGETHER {
        Team::run_alone(body)
    } else {
        threads::team().run(body)
    }
    parts.into_iter().map(|(_, sum)| sum.into_inner().unwrap_or_else(PoisonError::into_inner)).sum()
}

/// The numbers of a parameter that has been made contiguous.
fn view(param: &Map<f32, Cpu>) -> &[f32] {
    view::dense(param).unwrap_or_else(|| unreachable!("a contiguous tensor is row-major"))
}

/// Runs the backward pass and adds its results into dfdx's gradients.
fn backward(
    loan: &mut Loan,
    grads: &mut Gradients<f32, Cpu>,
    outputs: &[Map<f32, Cpu>],
    params: &[Map<f32, Cpu>],
    inputs: &[Map<f32, Cpu>],
    seed: Option<u64>,
) -> Result<(), CpuError> {
    let Some(Instance { plan, arena }) = &mut loan.instance else { unreachable!("a loan holds its instance") };
    let memory = arena.slice();
    for (output, range) in outputs.iter().zip(&plan.d_outputs) {
        memory[range.clone()].copy_from_slice(grads.get_or_alloc_mut(output)?);
    }
    if let Some(program) = &plan.backward {
        // dfdx lends out one gradient at a time; taken out, they can all be written by the program.
        let mut taken = vec![Vec::new(); params.len()];
        for index in &plan.d_packed {
            taken[*index] = std::mem::take(&mut **grads.get_or_alloc_mut(&params[*index])?);
        }
        let places: Vec<_> = taken.iter_mut().map(|grad| (!grad.is_empty()).then(|| Mem::new(grad))).collect();
        program.run(
            memory,
            Outside { params: &|i| view(&params[i]), grads: &places, seed, ..Outside::default() },
            &threads::team(),
        );
        for index in &plan.d_packed {
            **grads.get_or_alloc_mut(&params[*index])? = std::mem::take(&mut taken[*index]);
        }
    }
    let tensors = params.iter().zip(&plan.d_params).chain(inputs.iter().zip(&plan.d_inputs));
    for (tensor, range) in tensors {
        let Some(range) = range else { continue };
        let gradient = grads.get_or_alloc_mut(tensor)?;
        gradient.iter_mut().zip(&memory[range.clone()]).for_each(|(sum, part)| *sum += part);
    }
    Ok(())
}

/// The new running statistics of one normalisation: PyTorch's rule, with the unbiased variance. The old ones, where there was
/// one value for each channel, which says nothing about a variance.
fn fold(statistics: &Statistics, memory: &[f32]) -> [(usize, Vec<f32>); 2] {
    let momentum = if statistics.count > 1 { statistics.momentum as f32 } else { 0.0 };
    let unbiased = statistics.count as f32 / statistics.count.saturating_sub(1).max(1) as f32;
    let new = |param: usize, old: &Range<usize>, batch: &Range<usize>, factor: f32| {
        let pairs = memory[old.clone()].iter().zip(&memory[batch.clone()]);
        (param, pairs.map(|(old, new)| (1.0 - momentum) * old + momentum * factor * new).collect())
    };
    let [old_mean, old_var] = &statistics.old;
    [
        new(statistics.param, old_mean, &statistics.mean, 1.0),
        new(statistics.param + 1, old_var, &statistics.var, unbiased),
    ]
}
