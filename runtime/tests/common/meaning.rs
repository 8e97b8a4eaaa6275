//! Whether two networks are the same but for names and the order of branches.

use convnet::graph::{AvgDivisor, Graph, Groups, Op, Pad, Pool, PoolKind};
use std::collections::BTreeMap;

/// What a network computes, whatever its layers are called and in which order branches stand: each value by what it is made of.
pub fn meaning(graph: &Graph) -> String {
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let mut values: Vec<String> = Vec::new();
    for node in graph.nodes.iter() {
        // Heads are not in a file.
        if node.auxiliary {
            values.push(String::new());
            continue;
        }
        // A layer that does nothing is what it reads.
        if node.op == Op::Identity {
            values.push(values[node.inputs[0]].clone());
            continue;
        }
        let mut inputs: Vec<&str> = node.inputs.iter().map(|input| values[*input].as_str()).collect();
        if node.op == Op::Add {
            inputs.sort_unstable();
        }
        let channels = node.inputs.first().map_or(0, |input| graph.nodes[*input].shape.chw()[0]);
        let text = match node.op {
            Op::Input => "input".to_string(),
            op => format!("{:?} {} of {}", plain(op, channels), node.shape, inputs.join(" and ")),
        };
        let next = known.len();
        let id = *known.entry(text).or_insert(next);
        values.push(format!("#{id}"));
    }
    let mut all: Vec<(usize, String)> = known.into_iter().map(|(text, id)| (id, text)).collect();
    all.sort();
    // Further outputs may come in another order.
    let mut further: Vec<&str> = graph.outputs.iter().skip(1).map(|output| values[output.node].as_str()).collect();
    further.sort_unstable();
    format!("{all:#?} {} {further:?}", values[graph.output()])
}

/// An operation without what makes no difference.
fn plain(op: Op, channels: usize) -> Op {
    match op {
        Op::Conv(mut conv) => {
            conv.connections = None;
            conv.groups = Groups::Count(conv.groups.count(channels));
            Op::Conv(conv)
        }
        Op::ConvTranspose(mut conv) => {
            conv.groups = Groups::Count(conv.groups.count(channels));
            Op::ConvTranspose(conv)
        }
        // Without padding there is none to count.
        Op::Pool(pool @ Pool { kind: PoolKind::Avg(_), pad: Pad::ZERO, .. }) => {
            Op::Pool(Pool { kind: PoolKind::Avg(AvgDivisor::WithPad), ..pool })
        }
        // A file has it in single precision.
        Op::StochasticDepth { p } => Op::StochasticDepth { p: (p * 1e6).round() / 1e6 },
        // Of padding that counts nothing, only that before the map says where windows are.
        Op::Pool(pool) if pool.kind != PoolKind::Avg(AvgDivisor::WithPad) => {
            Op::Pool(Pool { pad: Pad { bottom: 0, right: 0, ..pool.pad }, ..pool })
        }
        other => other,
    }
}
