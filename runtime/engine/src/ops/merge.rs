//! Several values made one: sums, concatenations, and channels times factors.

use super::{Facts, Operation, Reads, Shares, Unit};
use crate::kernels::{Function, GradMode, Pointwise, Repack, Scale, ScaleGrad};
use crate::plan::PlanKey;
use crate::writer::Writer;

/// The sum of its inputs.
pub struct Sum;

impl Sum {
    /// Whether the inputs lie as the output does, so that the sum can be taken row by row.
    fn side_by_side(to: &Writer<'_>, id: usize) -> bool {
        let out = to.value(id);
        to.node(id).inputs.iter().all(|input| {
            let value = to.value(*input);
            value.chw == out.chw && value.block == out.block
        })
    }
}

impl Operation for Sum {
    fn facts(&self, _key: &PlanKey) -> Facts {
        // Merging repacks its inputs itself where they lie in another way.
        Facts { reads: Reads::Nothing, unit: Unit::Whole, shares: Shares::Sum, reads_planar: false }
    }

    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        let (inputs, out, batch) = (&to.node(id).inputs, to.value(id), to.batch());
        if let ([a, b], true) = (&**inputs, Self::side_by_side(to, id)) {
            let (from, known) = (to.value(*a), to.value(*b));
            return to.push(Pointwise { function: Function::Sum, known, from, out, batch });
        }
        for (i, input) in inputs.iter().enumerate() {
            // The first term is copied, the others are added to it.
            let (from, part) = (to.value(*input), to.node(*input).shape.chw());
            to.push(Repack { from, to: out, part, starts: [0, 0], batch, accumulate: i > 0 });
            to.end_stage();
        }
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        let (d_out, batch, aligned) = (to.grad(id), to.batch(), Self::side_by_side(to, id));
        for input in to.node(id).inputs.iter() {
            if !to.plan(*input).wants_grad {
                continue;
            }
            let (out, mode) = to.grad_of(*input);
            if aligned {
                let function = Function::Pass(mode);
                to.push(Pointwise { function, known: d_out, from: d_out, out, batch });
            } else {
                let (part, accumulate) = (to.node(*input).shape.chw(), mode == GradMode::Add);
                to.push(Repack { from: d_out, to: out, part, starts: [0, 0], batch, accumulate });
            }
            // The same value may come in twice.
            to.end_stage();
        }
    }

    /// The gradient is that of the term whose writer adds the other one, which gets a copy.
    fn backward_shared(&self, to: &mut Writer<'_>, id: usize) {
        let other = to.plan(id).done_by.and_then(|writer| to.plan(writer).does.residual);
        let Some(other) = other.filter(|other| to.plan(*other).wants_grad) else { return };
        let (d_out, batch) = (to.grad(id), to.batch());
        let (out, mode) = to.grad_of(other);
        to.push(Pointwise { function: Function::Pass(mode), known: d_out, from: d_out, out, batch });
    }
}

/// The channels of its inputs, one after the other.
pub struct Concat;

impl Concat {
    /// For each input: where its elements start in the output.
    fn starts(to: &Writer<'_>, id: usize) -> Vec<(usize, usize)> {
        let mut next = 0;
        let place = |input: &usize| {
            let start = next;
            next += to.node(*input).shape.len();
            (*input, start)
        };
        to.node(id).inputs.iter().map(place).collect()
    }
}

impl Operation for Concat {
    fn facts(&self, _key: &PlanKey) -> Facts {
        Facts { reads: Reads::Nothing, unit: Unit::Whole, shares: Shares::Never, reads_planar: false }
    }

    fn moved(&self, own: usize) -> Option<Vec<usize>> {
        Some((0..own).collect())
    }

    /// Only vectors are copied here: the planner has the channels of maps collected by a step of their own (`planner/channels`).
    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        let (out, batch) = (to.value(id), to.batch());
        for (input, start) in Self::starts(to, id) {
            let (part, whole) = (to.slot(input), to.slot(id));
            let first = whole.first_block + start / (out.block * out.chw[1] * out.chw[2]);
            if part.region == whole.region && part.first_block == first {
                // It was written there.
                continue;
            }
            let (from, part) = (to.value(input), to.node(input).shape.chw());
            to.push(Repack { from, to: out, part, starts: [0, start], batch, accumulate: false });
        }
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        let (from, batch) = (to.grad(id), to.batch());
        for (input, start) in Self::starts(to, id) {
            if !to.plan(input).wants_grad {
                continue;
            }
            let (out, mode) = to.grad_of(input);
            let (part, accumulate) = (to.node(input).shape.chw(), mode == GradMode::Add);
            to.push(Repack { from, to: out, part, starts: [start, 0], batch, accumulate });
            // The same value may come in twice.
            to.end_stage();
        }
    }
}

/// The first value times the second one, which is of the same shape or one factor a channel.
pub struct Product;

impl Operation for Product {
    fn facts(&self, _key: &PlanKey) -> Facts {
        Facts { reads: Reads::Input, unit: Unit::Whole, shares: Shares::Product, reads_planar: false }
    }

    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        let (x, factors) = (to.source(id), to.value(to.node(id).inputs[1]));
        let (out, batch) = (to.value(id), to.batch());
        to.push(Scale { x, factors, out, mode: GradMode::Store, batch });
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        let (d_out, batch, inputs) = (to.grad(id), to.batch(), &to.node(id).inputs);
        let (x, factors) = (to.value(inputs[0]), to.value(inputs[1]));
        if to.plan(inputs[0]).wants_grad {
            let (out, mode) = to.grad_of(inputs[0]);
            to.push(Scale { x: d_out, factors, out, mode, batch });
            // The factors may have been made of this very value.
            to.end_stage();
        }
        if to.plan(inputs[1]).wants_grad {
            let (out, mode) = to.grad_of(inputs[1]);
            match x.chw == factors.chw {
                true => to.push(Scale { x: d_out, factors: x, out, mode, batch }),
                false => to.push(ScaleGrad { x, d_out, out, mode, batch }),
            }
        }
    }
}
