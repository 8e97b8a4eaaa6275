//! The CPU runs `f32` on the engine and `f64` on `portable`.

mod tape;
// The one place outside of the engine's kernels: dfdx has no safe way to read or write a tensor's numbers without a copy.
#[allow(unsafe_code)]
mod view;

pub use tape::{run, run_with};
pub use view::Shared;

use crate::backend::{AnyTensor, Backend, Job, Outcome, Recording, State, numbers_of_a_copy};
use crate::portable;
use dfdx::prelude::*;
use dfdx::tensor::CpuError;

impl Backend<f32> for Cpu {
    fn run(job: Job<'_, f32, Self>, state: &State, tape: Recording<f32, Self>) -> Result<Outcome<f32, Self>, CpuError> {
        tape::run(job, &state.engine, tape)
    }

    fn numbers<S: Shape>(tensor: &mut Tensor<S, f32, Self>, f: &mut dyn FnMut(&mut [f32])) {
        match view::dense_mut(tensor) {
            Some(numbers) => f(numbers),
            None => numbers_of_a_copy(tensor, f),
        }
    }

    fn gradient(
        tensor: &dyn AnyTensor<f32, Self>,
        gradients: &mut Gradients<f32, Self>,
        f: &mut dyn FnMut(&[f32]),
    ) -> Result<(), CpuError> {
        f(gradients.get_or_alloc_mut(&tensor.share()?)?);
        Ok(())
    }

    fn change_gradient(
        tensor: &dyn AnyTensor<f32, Self>,
        gradients: &mut Gradients<f32, Self>,
        f: &mut dyn FnMut(&mut [f32]),
    ) -> Result<(), CpuError> {
        f(gradients.get_or_alloc_mut(&tensor.share()?)?);
        Ok(())
    }

    fn descend(
        param: &mut dyn AnyTensor<f32, Self>,
        gradients: &mut Gradients<f32, Self>,
        f: &mut dyn FnMut(&mut [f32], &mut [f32]),
    ) -> Result<(), CpuError> {
        // The shared tensor is gone before the parameter is written, which so needs no copy.
        let gradient = gradients.get_or_alloc_mut(&param.share()?)?;
        param.numbers(&mut |param| f(param, gradient));
        Ok(())
    }
}

impl Backend<f64> for Cpu {
    fn run(job: Job<'_, f64, Self>, state: &State, tape: Recording<f64, Self>) -> Result<Outcome<f64, Self>, CpuError> {
        portable::run(job, Some(&state.kept.get()), tape)
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
        Cpu::change_gradient(&param, &mut gradients, &mut |gradient| gradient[3] = -1.5).unwrap();
        assert_eq!(gradients.get(&param).as_vec(), [2.0, 4.0, 6.0, -1.5]);
        assert_eq!(gradients.get(&other).as_vec(), [0.0, 7.0, 0.0], "another gradient has changed");
        <Cpu as Backend<f64>>::descend(&mut param, &mut gradients, &mut |param, gradient| {
            param.iter_mut().zip(gradient).for_each(|(x, d)| *x -= *d);
        })
        .unwrap();
        assert_eq!(param.as_vec(), [-1.0, -2.0, -3.0, 5.5]);
        assert_eq!(gradients.get(&param).as_vec(), [0.0; 4]);
    }
}
