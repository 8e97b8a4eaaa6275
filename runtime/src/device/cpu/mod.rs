//! The CPU runs `f32` on the engine and `f64` on `portable`.

mod tape;
// The one place outside of the engine's kernels: dfdx has no safe way to read or write a tensor's numbers without a copy.
#[allow(unsafe_code)]
mod view;

pub use tape::{run, run_with};
pub use view::Shared;

use crate::backend::{Backend, Map, NetTape, Outcome, Pass, State, numbers_of_a_copy};
use crate::graph::{Graph, Subgraph};
use crate::portable;
use dfdx::prelude::*;

impl Backend<f32> for Cpu {
    fn run<T: NetTape<f32, Self>>(
        graph: &Graph,
        state: &State,
        part: &Subgraph,
        params: Vec<Map<f32, Self>>,
        inputs: Vec<Map<f32, Self>>,
        tape: T,
        pass: Pass,
    ) -> Result<Outcome<f32, Self, T>, Self::Err> {
        tape::run(graph, &state.engine, part, params, inputs, tape, pass)
    }

    fn numbers<S: Shape>(tensor: &mut Tensor<S, f32, Self>, f: impl FnOnce(&mut [f32])) {
        match view::dense_mut(tensor) {
            Some(numbers) => f(numbers),
            None => numbers_of_a_copy(tensor, f),
        }
    }

    fn gradient<S: Shape>(
        param: &Tensor<S, f32, Self>,
        gradients: &mut Gradients<f32, Self>,
        f: impl FnOnce(&[f32]),
    ) -> Result<(), Self::Err> {
        f(gradients.get_or_alloc_mut(param)?);
        Ok(())
    }

    fn change_gradient<S: Shape>(
        param: &Tensor<S, f32, Self>,
        gradients: &mut Gradients<f32, Self>,
        f: impl FnOnce(&mut [f32]),
    ) -> Result<(), Self::Err> {
        f(gradients.get_or_alloc_mut(param)?);
        Ok(())
    }

    fn descend<S: Shape>(
        param: &mut Tensor<S, f32, Self>,
        gradients: &mut Gradients<f32, Self>,
        f: impl FnOnce(&mut [f32], &mut [f32]),
    ) -> Result<(), Self::Err> {
        let gradient = gradients.get_or_alloc_mut(param)?;
        Self::numbers(param, |param| f(param, gradient));
        Ok(())
    }
}

impl Backend<f64> for Cpu {
    fn run<T: NetTape<f64, Self>>(
        graph: &Graph,
        state: &State,
        part: &Subgraph,
        params: Vec<Map<f64, Self>>,
        inputs: Vec<Map<f64, Self>>,
        tape: T,
        pass: Pass,
    ) -> Result<Outcome<f64, Self, T>, Self::Err> {
        portable::run_with(graph, Some(&state.kept.get()), part, params, inputs, tape, pass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `f64` on the CPU takes the ways that every device has, CUDA too.
    #[test]
    fn a_gradient_is_changed_and_descended_without_being_seen_in_place() {
        let dev = Cpu::default();
        let mut param: Tensor<Rank2<2, 2>, f64, Cpu> = dev.tensor([[1.0, 2.0], [3.0, 4.0]]);
        let other: Tensor<Rank1<3>, f64, Cpu> = dev.tensor([1.0, 2.0, 3.0]);
        let mut gradients = param.trace(Gradients::leaky()).square().sum::<Rank0, _>().backward();
        gradients.get_or_alloc_mut(&other).unwrap()[1] = 7.0;
        Cpu::change_gradient(&param, &mut gradients, |gradient| gradient[3] = -1.5).unwrap();
        assert_eq!(gradients.get(&param).as_vec(), [2.0, 4.0, 6.0, -1.5]);
        assert_eq!(gradients.get(&other).as_vec(), [0.0, 7.0, 0.0], "another gradient has changed");
        <Cpu as Backend<f64>>::descend(&mut param, &mut gradients, |param, gradient| {
            param.iter_mut().zip(gradient).for_each(|(x, d)| *x -= *d);
        })
        .unwrap();
        assert_eq!(param.as_vec(), [-1.0, -2.0, -3.0, 5.5]);
        assert_eq!(gradients.get(&param).as_vec(), [0.0; 4]);
    }
}
