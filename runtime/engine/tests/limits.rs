//! What no machine has memory for, and what no plan can hold: errors, before any arithmetic goes wrong.

mod common;

use common::{conv, graph, node, param, params, small};
use convnet_engine::{Cache, EngineError, Mode, Options, Session};
use convnet_graph::{Graph, Op, Shape, Subgraph};
use std::sync::Arc;

fn error(graph: &Graph, part: &Subgraph, batch: usize) -> Option<EngineError> {
    let modes = [Mode::default(), Mode { training: true, backward: true, input_grad: true, ..Mode::default() }];
    let errors = modes.map(|mode| Cache::default().pass(graph, part, batch, mode, &[]).err());
    assert_eq!(errors[0], errors[1]);
    errors[0].clone()
}

fn of_whole(graph: &Graph, batch: usize) -> Option<EngineError> {
    error(graph, &Subgraph::whole(graph, false), batch)
}

#[test]
fn batches_beyond_memory() {
    for batch in [1 << 40, 1 << 58, usize::MAX / 24, usize::MAX] {
        assert_eq!(of_whole(&small(), batch), Some(EngineError::OutOfMemory), "{batch}");
        let graph = Arc::new(small());
        let session = Session::new(graph.clone(), params(&graph), Options::new(batch));
        assert_eq!(session.err(), Some(EngineError::OutOfMemory), "{batch}");
    }
    assert_eq!(of_whole(&small(), 0), Some(EngineError::NoImages));
    assert_eq!(of_whole(&small(), 2), None);
}

#[test]
fn sizes_beyond_memory() {
    for [channels, height, width] in [
        [1 << 30, 1 << 30, 1 << 30],
        [usize::MAX, 1, 1],
        [1, usize::MAX, 1],
        [1, 1, usize::MAX],
        [3, 1 << 20, 1 << 20],
        [1 << 31, 1, 1],
    ] {
        let map = Shape::Map([channels, height, width]);
        let nodes = vec![node("input", Op::Input, vec![], map, 0..0), node("conv", conv(), vec![0], map, 0..1)];
        let large = graph(nodes, vec![param("conv.weight", vec![channels, channels, 3, 3], true)]);
        for batch in [1, 1000] {
            assert_eq!(of_whole(&large, batch), Some(EngineError::OutOfMemory), "{map}");
        }
    }
}

#[test]
fn large_linear_layers_beyond_memory() {
    for size in [1 << 31, 1 << 40, usize::MAX] {
        let vector = Shape::Vector(size);
        let nodes = vec![
            node("input", Op::Input, vec![], vector, 0..0),
            node("linear", Op::Linear { bias: false }, vec![0], vector, 0..1),
        ];
        let large = graph(nodes, vec![param("linear.weight", vec![size, size], true)]);
        assert_eq!(of_whole(&large, 1), Some(EngineError::OutOfMemory), "{size}");
    }
}

#[test]
fn what_no_plan_can_hold() {
    let map = Shape::Map([1, 2, 2]);
    let custom = graph(
        vec![node("input", Op::Input, vec![], map, 0..0), node("mine", Op::Custom(0), vec![0], map, 0..0)],
        Vec::new(),
    );
    let problem = of_whole(&custom, 1).unwrap();
    assert_eq!(problem, EngineError::Custom { node: "mine".into() });
    assert_eq!(problem.to_string(), "`mine` is a custom module, which only its own code can compute");
    let unfed = Subgraph { inputs: vec![2], outputs: vec![1, 3] };
    assert_eq!(error(&small(), &unfed, 1), Some(EngineError::NotGiven { node: "input".into() }));
}
