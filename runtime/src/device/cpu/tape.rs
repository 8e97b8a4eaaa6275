//! A pass of the engine as one operation on dfdx's tape: tensors on one side, slices on the other.

use super::view::Shared;
use crate::backend::{Job, Map, Outcome, Recording};
use convnet_engine::{self as engine, Cache, EngineError, Isa, Mode};
use dfdx::prelude::*;
use dfdx::tensor::CpuError;

/// Does the job as one operation on the tape, if there is one.
///
/// # Errors
/// When memory runs out.
pub fn run(job: Job<'_, f32, Cpu>, cache: &Cache, tape: Recording<f32, Cpu>) -> Result<Outcome<f32, Cpu>, CpuError> {
    run_with(Isa::detect(), job, cache, tape)
}

/// [`run`] with the kernels of `isa`, which has to be one of [`Isa::available`].
///
/// # Errors
/// When memory runs out.
///
/// # Panics
/// If this processor does not have `isa`.
pub fn run_with(
    isa: Isa,
    job: Job<'_, f32, Cpu>,
    cache: &Cache,
    mut tape: Recording<f32, Cpu>,
) -> Result<Outcome<f32, Cpu>, CpuError> {
    let Job { graph, part, params, inputs, pass, fixed } = job;
    let params = params.into_iter().map(Shared::new).collect::<Result<Vec<_>, _>>()?;
    let inputs = inputs.into_iter().map(Shared::new).collect::<Result<Vec<_>, _>>()?;
    // The inputs' own, whose random numbers go on from where they were.
    let device = inputs.first().map_or_else(Cpu::default, |x| x.tensor().device().clone());
    let batch = inputs.first().map_or(0, |x| x.tensor().shape().0);
    let shape = |id: usize| {
        let [c, h, w] = graph.nodes[id].shape.chw();
        (batch, c, h, w)
    };
    if batch == 0 {
        let outputs = part.outputs.iter().map(|id| device.try_zeros_like(&shape(*id))).collect::<Result<_, _>>()?;
        return Ok(Outcome { outputs, tape, running: Vec::new() });
    }
    let mode = Mode {
        training: pass.training,
        dropout: pass.dropout,
        backward: tape.is_some(),
        input_grad: pass.input_grad,
        precision: engine::precision(),
        isa,
    };
    let mut lent = cache.pass(graph, part, batch, mode, fixed).map_err(out_of_memory)?;
    lent.forward(&slices(&inputs), &slices(&params));
    let mut outputs = Vec::with_capacity(part.outputs.len());
    for (id, output) in part.outputs.iter().zip(lent.outputs()) {
        let mut values = Vec::new();
        values.try_reserve_exact(output.len()).map_err(|_| CpuError::OutOfMemory)?;
        values.extend_from_slice(output);
        outputs.push(device.try_tensor_from_vec(values, shape(*id))?);
    }
    let running = lent.running();
    if let Some(tape) = &mut tape {
        let results = outputs.clone();
        tape.add_backward_op(move |grads| backward(&mut lent, grads, &results, &params, &inputs));
    }
    Ok(Outcome { outputs, tape, running })
}

fn slices(tensors: &[Shared]) -> Vec<&[f32]> {
    tensors.iter().map(AsRef::as_ref).collect()
}

/// Parts without custom modules, whose inputs are given and of which there are images, fail for want of memory only.
fn out_of_memory(_: EngineError) -> CpuError {
    CpuError::OutOfMemory
}

/// Runs the backward pass and adds its results into dfdx's gradients.
fn backward(
    lent: &mut engine::Pass,
    grads: &mut Gradients<f32, Cpu>,
    outputs: &[Map<f32, Cpu>],
    params: &[Shared],
    inputs: &[Shared],
) -> Result<(), CpuError> {
    let trained = lent.trained();
    for tensor in outputs.iter().chain(trained.iter().map(|index| params[*index].tensor())) {
        // Allocated, should it not be there.
        grads.get_or_alloc_mut(tensor)?;
    }
    // dfdx lends out one gradient at a time; taken out, they can all be seen by the engine.
    let mut take = |tensor: &Map<f32, Cpu>| Ok(std::mem::take(&mut **grads.get_or_alloc_mut(tensor)?));
    let d_outputs = outputs.iter().map(&mut take).collect::<Result<Vec<Vec<f32>>, CpuError>>()?;
    let mut taken = vec![Vec::new(); params.len()];
    for index in &trained {
        taken[*index] = take(params[*index].tensor())?;
    }
    let d_slices: Vec<&[f32]> = d_outputs.iter().map(Vec::as_slice).collect();
    let mut gradients: Vec<&mut [f32]> = taken.iter_mut().map(Vec::as_mut_slice).collect();
    lent.backward(&d_slices, &slices(params), &mut gradients);
    for (output, gradient) in outputs.iter().zip(d_outputs) {
        **grads.get_or_alloc_mut(output)? = gradient;
    }
    for index in trained {
        **grads.get_or_alloc_mut(params[index].tensor())? = std::mem::take(&mut taken[index]);
    }
    for (index, input) in inputs.iter().enumerate() {
        let Some(part) = lent.input_gradient(index) else { continue };
        let gradient = grads.get_or_alloc_mut(input.tensor())?;
        gradient.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    Ok(())
}
