//! CUDA runs on `portable`: the model code is the same on both devices.

use crate::backend::Backend;
use crate::graph::Graph;
use crate::net::{Map, NetTape, Outcome, Pass, State};
use crate::portable;
use dfdx::prelude::*;

impl Backend<f32> for Cuda {
    fn run<T: NetTape<f32, Self>>(
        graph: &'static Graph,
        _: &State,
        params: Vec<Map<f32, Self>>,
        x: Map<f32, Self, T>,
        pass: Pass,
    ) -> Result<Outcome<f32, Self, T>, Self::Err> {
        portable::run(graph, params, x, pass)
    }
}

impl Backend<f64> for Cuda {
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
