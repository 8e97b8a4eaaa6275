//! The CPU engine for `f32`.

use crate::graph::Graph;
use crate::net::{Map, NetTape, Outcome, Pass};
use dfdx::prelude::*;

/// Plans and memory of one network, kept between calls.
#[derive(Default)]
pub struct Cache;

/// Runs `graph` as one operation on the tape.
pub fn run<T: NetTape<f32, Cpu>>(
    graph: &'static Graph,
    _cache: &Cache,
    params: Vec<Map<f32, Cpu>>,
    x: Map<f32, Cpu, T>,
    pass: Pass,
) -> Result<Outcome<f32, Cpu, T>, <Cpu as HasErr>::Err> {
    crate::portable::run(graph, params, x, pass)
}
