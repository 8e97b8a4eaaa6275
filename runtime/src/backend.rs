//! Which executor a device uses: the engine for `f32` on the CPU, `portable` for everything else.

use crate::graph::{Graph, Part};
use crate::net::{Map, NetTape, Outcome, Pass, Real, State};
use crate::{engine, portable};
use dfdx::optim::SgdConfig;
use dfdx::prelude::*;

/// A device that can run a network.
pub trait Backend<E: Real>: Device<E> {
    /// Computes `part` of `graph` from the values of its inputs (each `[N, C, H, W]`), with `params` in
    /// [`Graph::params`] order, on `tape`.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn run<T: NetTape<E, Self>>(
        graph: &'static Graph,
        state: &State,
        part: &Part,
        params: Vec<Map<E, Self>>,
        inputs: Vec<Map<E, Self>>,
        tape: T,
        pass: Pass,
    ) -> Result<Outcome<E, Self, T>, Self::Err>;

    /// One step of stochastic gradient descent on one parameter, whose `gradient` is zero afterwards.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn sgd<S: Shape>(
        config: &SgdConfig,
        param: &mut Tensor<S, E, Self>,
        velocity: &mut <Self as Storage<E>>::Vec,
        gradient: &mut <Self as Storage<E>>::Vec,
    ) -> Result<(), Self::Err> {
        config.try_update(param, velocity, gradient)?;
        param.device().try_fill_with_zeros(gradient)
    }
}

impl Backend<f32> for Cpu {
    fn run<T: NetTape<f32, Self>>(
        graph: &'static Graph,
        state: &State,
        part: &Part,
        params: Vec<Map<f32, Self>>,
        inputs: Vec<Map<f32, Self>>,
        tape: T,
        pass: Pass,
    ) -> Result<Outcome<f32, Self, T>, Self::Err> {
        engine::run(graph, &state.0, part, params, inputs, tape, pass)
    }

    fn sgd<S: Shape>(
        config: &SgdConfig,
        param: &mut Tensor<S, f32, Self>,
        velocity: &mut <Self as Storage<f32>>::Vec,
        gradient: &mut <Self as Storage<f32>>::Vec,
    ) -> Result<(), Self::Err> {
        match engine::numbers_mut(param) {
            Some(param) => engine::sgd(config, param, velocity, gradient),
            None => {
                config.try_update(param, velocity, gradient)?;
                gradient.fill(0.0);
            }
        }
        Ok(())
    }
}

impl Backend<f64> for Cpu {
    fn run<T: NetTape<f64, Self>>(
        graph: &'static Graph,
        _: &State,
        part: &Part,
        params: Vec<Map<f64, Self>>,
        inputs: Vec<Map<f64, Self>>,
        tape: T,
        pass: Pass,
    ) -> Result<Outcome<f64, Self, T>, Self::Err> {
        portable::run(graph, part, params, inputs, tape, pass)
    }
}
