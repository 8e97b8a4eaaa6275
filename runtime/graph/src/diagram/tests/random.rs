//! Graphs that no network has.

use super::net::{Net, conv_op};
use crate::{Activation, Graph, Op, Shape};

/// A linear congruential generator: the same graphs everywhere, without a dependency.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

/// Any operations, edges, names and output.
pub fn graph(seed: u64) -> Graph {
    let mut dice = Dice(seed);
    let mut net = Net::new("Random", [3, 8, 8]);
    let n = 1 + dice.below(40);
    // Dense graphs are tangles; those with mostly short edges are nearly series-parallel.
    let reach = 1 + dice.below(n);
    let mut path: Vec<usize> = Vec::new();
    for id in 1..=n {
        match dice.below(4) {
            0 => path.push(dice.below(3)),
            1 => drop(path.pop()),
            _ => {}
        }
        let name = path.iter().chain([&dice.below(4)]).map(|part| format!("m{part}")).collect::<Vec<_>>().join(".");
        let near = |dice: &mut Dice| id - 1 - dice.below(reach.min(id));
        let op = match dice.below(8) {
            0 => Op::Add,
            1 => Op::Concat,
            2 => Op::Activation(Activation::Relu),
            3 => Op::BatchNorm { eps: 1e-5, momentum: 0.1 },
            4 => Op::Identity,
            5 => Op::Custom(0),
            _ => conv_op(1 + 2 * dice.below(2), 1),
        };
        let inputs: Vec<usize> = match op {
            Op::Add => vec![near(&mut dice), near(&mut dice)],
            Op::Concat => (0..dice.below(5)).map(|_| near(&mut dice)).collect(),
            _ => vec![if dice.below(3) > 0 { id - 1 } else { near(&mut dice) }],
        };
        net.node(&name, op, &inputs, Shape::Map([4 << dice.below(2), 8, 8]));
    }
    let output = if dice.below(4) == 0 { dice.below(n + 1) } else { n };
    net.with_output(output)
}

/// A U-Net with `depth` levels, each in a module of its own if `module` is not empty.
pub fn nested(depth: usize, module: &str) -> Graph {
    let mut net = Net::new("Nested", [1, 4, 4]);
    let name = |i: usize, what: &str| format!("{}{what}{i}", module.repeat(i));
    let mut skips = vec![0];
    for i in 0..depth {
        let x = net.conv(&name(i, "down"), net.last(), 1, 3, 1);
        skips.push(x);
    }
    for i in (0..depth).rev() {
        let x = net.conv(&name(i, "up"), net.last(), 1, 3, 1);
        net.add(&name(i, "add"), x, skips[i]);
    }
    net.done()
}
