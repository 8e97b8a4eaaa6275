//! Which executor a device uses: the engine for `f32` on the CPU, `portable` for everything else.

use crate::graph::Graph;
use crate::net::{Map, NetTape, Outcome, Pass, Real, State};
use crate::{engine, portable};
use dfdx::prelude::*;

/// A device that can run a network.
pub trait Backend<E: Real>: Device<E> {
    /// Runs `graph` on the batch `x` (`[N, C, H, W]`), with `params` in [`Graph::params`] order.
    ///
    /// # Errors
    /// When the device runs out of memory.
    fn run<T: NetTape<E, Self>>(
        graph: &'static Graph,
        state: &State,
        params: Vec<Map<E, Self>>,
        x: Map<E, Self, T>,
        pass: Pass,
    ) -> Result<Outcome<E, Self, T>, Self::Err>;
}

impl Backend<f32> for Cpu {
    fn run<T: NetTape<f32, Self>>(
        graph: &'static Graph,
        state: &State,
        params: Vec<Map<f32, Self>>,
        x: Map<f32, Self, T>,
        pass: Pass,
    ) -> Result<Outcome<f32, Self, T>, Self::Err> {
        engine::run(graph, &state.0, params, x, pass)
    }
}

impl Backend<f64> for Cpu {
    fn run<T: NetTape<f64, Self>>(
        graph: &'static Graph,
        _: &State,
        params: Vec<Map<f64, Self>>,
        x: Map<f64, Self, T>,
        pass: Pass,
    ) -> Result<Outcome<f64, Self, T>, Self::Err> {
        portable::run(graph, params, x, pass)
    }
}
