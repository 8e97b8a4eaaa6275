//! One pass through a part of a network, forward and backward: slices in, slices out.
//!
//! A [`Cache`] keeps plans and their memory between calls and lends them to [`Pass`]es, of which several may be out at once: each
//! tape holds one until its backward pass. Inputs come in with a copy; parameters are read, and the gradients of those that are
//! packed written, where they are. In between nothing is allocated. The results do not depend on the number of threads.

use super::algorithm::{Precision, precision};
use super::arena::Arena;
use super::error::EngineError;
use super::kernels::{Bindings, Isa, Mem};
use super::plan::{Plan, PlanKey, Statistics};
use super::{planner, threads};
use convnet_graph::{Graph, Subgraph};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// How a pass is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Batch statistics instead of running statistics.
    pub training: bool,
    /// In training: drop elements, by this seed.
    pub dropout: Option<u64>,
    /// Whether a backward pass follows.
    pub backward: bool,
    /// Whether it goes on to the inputs.
    pub input_grad: bool,
    /// How exactly convolutions are computed.
    pub precision: Precision,
    /// The instruction set, one of [`Isa::available`].
    pub isa: Isa,
}

impl Default for Mode {
    /// Evaluation without a backward pass, as exact as [`precision`] says, with the best instruction set.
    fn default() -> Self {
        let (precision, isa) = (precision(), Isa::detect());
        Mode { training: false, dropout: None, backward: false, input_grad: false, precision, isa }
    }
}

/// Plans and memory of one network, kept between calls; clones share them.
#[derive(Default, Clone)]
pub struct Cache(Arc<Mutex<Vec<Instance>>>);

/// A plan with an arena of its own.
struct Instance {
    plan: Plan,
    arena: Arena,
}

/// How many instances a network keeps for reuse: training and evaluation, each with a last smaller batch.
const KEPT: usize = 4;

impl Cache {
    /// A pass over `batch` images through `part` of `graph`, which has to be the same graph in all calls. Nodes that are `fixed` do
    /// not learn: nothing is computed backwards for their sake, so that their parameters may get no gradient, and normalisations among
    /// them take their running statistics in training, too.
    ///
    /// # Errors
    /// When memory runs out, there are no images, or the part holds a custom module or the network's input without that being
    /// given.
    ///
    /// # Panics
    /// If this processor does not have `mode.isa`, or the graph is not one that the language would make.
    pub fn pass(
        &self,
        graph: &Graph,
        part: &Subgraph,
        batch: usize,
        mode: Mode,
        fixed: &[usize],
    ) -> Result<Pass, EngineError> {
        if batch == 0 {
            return Err(EngineError::NoImages);
        }
        let Mode { training, dropout, backward, input_grad, precision, isa } = mode;
        let key = PlanKey {
            part: part.clone(),
            batch,
            training,
            dropout: training && dropout.is_some(),
            backward,
            frozen: false,
            precision,
            input_grad: backward && input_grad,
            half: false,
            isa,
            fixed: fixed.to_vec(),
        };
        let instance = Some(self.take(graph, key)?);
        Ok(Pass { instance, cache: self.clone(), seed: dropout })
    }

    fn take(&self, graph: &Graph, key: PlanKey) -> Result<Instance, EngineError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = kept.iter().position(|instance| instance.plan.key == key) {
            return Ok(kept.remove(index));
        }
        // Free the oldest before a new one is allocated, not after.
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        let plan = planner::plan(graph, key)?;
        let arena = Arena::new(plan.arena_len)?;
        Ok(Instance { plan, arena })
    }
}

/// A plan and its memory on loan: they go back to their [`Cache`] when this is dropped.
pub struct Pass {
    instance: Option<Instance>,
    cache: Cache,
    seed: Option<u64>,
}

impl Pass {
    fn instance(&self) -> &Instance {
        self.instance.as_ref().unwrap_or_else(|| unreachable!("a pass holds its instance"))
    }

    fn instance_mut(&mut self) -> &mut Instance {
        self.instance.as_mut().unwrap_or_else(|| unreachable!("a pass holds its instance"))
    }

    /// Computes the outputs from the values that are given, each `[N, C, H, W]`, and the parameters, in [`Graph::params`] order.
    ///
    /// # Panics
    /// If there are not as many of them as the graph has, or one has another length.
    pub fn forward(&mut self, inputs: &[&[f32]], params: &[&[f32]]) {
        let seed = self.seed;
        let Instance { plan, arena } = self.instance_mut();
        let memory = arena.slice_mut();
        expect("inputs", inputs.len(), plan.inputs.len());
        for (input, range) in inputs.iter().zip(&plan.inputs) {
            fill(&mut memory[range.clone()], input, "an input");
        }
        expect("parameters", params.len(), plan.params.len());
        for (param, range) in params.iter().zip(&plan.params) {
            if let Some(range) = range {
                fill(&mut memory[range.clone()], param, "a parameter");
            }
        }
        let bindings = Bindings { params: &|i| params[i], seed, ..Bindings::default() };
        plan.forward.run(memory, bindings, &threads::team());
    }

    /// What [`forward`](Pass::forward) has computed, each `[N, C, H, W]`; there until [`backward`](Pass::backward).
    pub fn outputs(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        let Instance { plan, arena } = self.instance();
        plan.outputs.iter().map(|range| &arena.slice()[range.clone()])
    }

    /// After a forward pass in training: the new running statistics, with their index in [`Graph::params`].
    pub fn running(&self) -> Vec<(usize, Vec<f32>)> {
        let Instance { plan, arena } = self.instance();
        plan.statistics.iter().flat_map(|statistics| fold(statistics, arena.slice())).collect()
    }

    /// The parameters, by index, that a backward pass gives a gradient.
    pub fn trained(&self) -> Vec<usize> {
        let plan = &self.instance().plan;
        (0..plan.d_params.len()).filter(|i| plan.d_params[*i].is_some() || plan.d_packed.contains(i)).collect()
    }

    /// From the gradients of the outputs, those of the parameters, which are added to what `gradients` holds, and those of the
    /// inputs. A parameter whose slice of `gradients` is empty gets none. To be called once, after [`forward`](Pass::forward)
    /// with the same parameters; without effect where no backward pass was asked for.
    ///
    /// # Panics
    /// If there are not as many of them as the graph has, or one has another length.
    pub fn backward(&mut self, d_outputs: &[&[f32]], params: &[&[f32]], gradients: &mut [&mut [f32]]) {
        let seed = self.seed;
        let Instance { plan, arena } = self.instance_mut();
        let Some(program) = &plan.backward else { return };
        let memory = arena.slice_mut();
        expect("gradients of outputs", d_outputs.len(), plan.d_outputs.len());
        for (output, range) in d_outputs.iter().zip(&plan.d_outputs) {
            fill(&mut memory[range.clone()], output, "the gradient of an output");
        }
        expect("parameters", params.len(), plan.params.len());
        expect("gradients of parameters", gradients.len(), plan.params.len());
        let mut places = vec![None; gradients.len()];
        for (index, gradient) in gradients.iter_mut().enumerate() {
            if plan.d_packed.contains(&index) && !gradient.is_empty() {
                expect("numbers in the gradient of a parameter", gradient.len(), params[index].len());
                places[index] = Some(Mem::new(gradient));
            }
        }
        let bindings = Bindings { params: &|i| params[i], grads: &places, seed, ..Bindings::default() };
        program.run(memory, bindings, &threads::team());
        for (gradient, range) in gradients.iter_mut().zip(&plan.d_params) {
            let Some(range) = range.as_ref().filter(|_| !gradient.is_empty()) else { continue };
            expect("numbers in the gradient of a parameter", gradient.len(), range.len());
            gradient.iter_mut().zip(&memory[range.clone()]).for_each(|(sum, part)| *sum += part);
        }
    }

    /// After a backward pass: the gradient of the input with this index among those given, where it has one.
    pub fn input_gradient(&self, index: usize) -> Option<&[f32]> {
        let Instance { plan, arena } = self.instance();
        let range = plan.d_inputs.get(index)?.clone()?;
        Some(&arena.slice()[range])
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut kept = self.cache.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(self.instance.take());
        if kept.len() > KEPT {
            kept.remove(0);
        }
    }
}

fn expect(what: &str, found: usize, expected: usize) {
    assert!(found == expected, "engine: there are {found} {what}, not {expected}");
}

fn fill(place: &mut [f32], numbers: &[f32], what: &str) {
    assert!(place.len() == numbers.len(), "engine: {what} has {} numbers, not {}", numbers.len(), place.len());
    place.copy_from_slice(numbers);
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
