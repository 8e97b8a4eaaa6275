//! Which executor a device uses: the engine for `f32` on the CPU, `portable` for everything else.

use crate::graph::{Graph, Subgraph};
use crate::net::{Map, NetTape, Outcome, Pass, Real, State};
use crate::{engine, portable};
use dfdx::prelude::*;

/// A device that can run a network.
pub trait Backend<E: Real>: Device<E> {
    /// Computes `part` of `graph` from the values of its inputs (each `[N, C, H, W]`), with `params` in
    /// [`Graph::params`] order, on `tape`.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn run<T: NetTape<E, Self>>(
        graph: &Graph,
        state: &State,
        part: &Subgraph,
        params: Vec<Map<E, Self>>,
        inputs: Vec<Map<E, Self>>,
        tape: T,
        pass: Pass,
    ) -> Result<Outcome<E, Self, T>, Self::Err>;

    /// Lets `f` change the numbers of a tensor.
    fn numbers<S: Shape>(tensor: &mut Tensor<S, E, Self>, f: impl FnOnce(&mut [E])) {
        numbers_of_a_copy(tensor, f);
    }

    /// Lets `f` read the gradient of a parameter.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn gradient<S: Shape>(
        param: &Tensor<S, E, Self>,
        gradients: &mut Gradients<E, Self>,
        f: impl FnOnce(&[E]),
    ) -> Result<(), Self::Err> {
        // Allocated, should it not be there.
        gradients.get_or_alloc_mut(param)?;
        f(&gradients.get(param).as_vec());
        Ok(())
    }

    /// Lets `f` change the gradient of a parameter.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn change_gradient<S: Shape>(
        param: &Tensor<S, E, Self>,
        gradients: &mut Gradients<E, Self>,
        f: impl FnOnce(&mut [E]),
    ) -> Result<(), Self::Err> {
        let mut wanted = Vec::new();
        Self::gradient(param, gradients, |gradient| wanted.extend_from_slice(gradient))?;
        f(&mut wanted);
        param.device().try_fill_with_zeros(gradients.get_or_alloc_mut(param)?)?;
        // dfdx lets nobody write to a gradient, but adds to it what a backward pass gives: here that of sum(param * wanted).
        let len = wanted.len();
        let wanted = param.device().try_tensor_from_vec(wanted, (len,))?;
        let traced = param.clone().trace(std::mem::replace(gradients, Gradients::leaky()));
        let sum = traced.try_reshape_like(&(len,))?.try_mul(wanted)?.try_sum::<Rank0, _>()?;
        *gradients = sum.try_backward()?;
        Ok(())
    }

    /// Lets `f` change the numbers of a parameter by its gradient, which `f` has to set to zero.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn descend<S: Shape>(
        param: &mut Tensor<S, E, Self>,
        gradients: &mut Gradients<E, Self>,
        f: impl FnOnce(&mut [E], &mut [E]),
    ) -> Result<(), Self::Err> {
        // Allocated, should it not be there.
        gradients.get_or_alloc_mut(param)?;
        let mut gradient = gradients.get(param).as_vec();
        Self::numbers(param, |param| f(param, &mut gradient));
        param.device().try_fill_with_zeros(gradients.get_or_alloc_mut(param)?)
    }
}

/// [`Backend::numbers`] for numbers that cannot be had in place.
fn numbers_of_a_copy<E: Dtype, D: Device<E>, S: Shape>(tensor: &mut Tensor<S, E, D>, f: impl FnOnce(&mut [E])) {
    let mut copy = tensor.as_vec();
    f(&mut copy);
    tensor.copy_from(&copy);
}

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
        engine::run(graph, &state.engine, part, params, inputs, tape, pass)
    }

    fn numbers<S: Shape>(tensor: &mut Tensor<S, f32, Self>, f: impl FnOnce(&mut [f32])) {
        match engine::numbers_mut(tensor) {
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
