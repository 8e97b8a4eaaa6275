//! CUDA runs on `portable`: the model code is the same on both devices.

use crate::backend::Backend;
use crate::graph::{Graph, Part};
use crate::net::{Map, NetTape, Outcome, Pass, State};
use crate::portable;
use dfdx::prelude::*;

impl Backend<f32> for Cuda {
    fn run<T: NetTape<f32, Self>>(
        graph: &'static Graph,
        _: &State,
        part: &Part,
        params: Vec<Map<f32, Self>>,
        inputs: Vec<Map<f32, Self>>,
        tape: T,
        pass: Pass,
    ) -> Result<Outcome<f32, Self, T>, Self::Err> {
        portable::run(graph, part, params, inputs, tape, pass)
    }
}

impl Backend<f64> for Cuda {
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
