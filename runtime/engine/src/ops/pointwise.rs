//! Functions of one element: activations, dropout, PReLU, and a factor for each channel.

use super::{Facts, Operation, Reads, Shares, Unit};
use crate::kernels::{Dropped, FactorsGrad, Function, GradMode, Pointwise, PreluGrad, from_output};
use crate::layout::Layout;
use crate::plan::PlanKey;
use crate::writer::Writer;
use convnet_graph::Activation;

/// Writes `function` of the input.
fn forward(to: &mut Writer<'_>, id: usize, function: Function) {
    let (from, out, batch) = (to.source(id), to.value(id), to.batch());
    to.push(Pointwise { function, known: from, from, out, batch });
}

/// Writes the gradient of the input, if it has one: `function` of what is `known`.
fn backward(to: &mut Writer<'_>, id: usize, known: Layout, function: impl FnOnce(GradMode) -> Function) {
    if !to.input_wants_grad(id) {
        return;
    }
    let (out, mode) = to.source_grad(id);
    let (function, from, batch) = (function(mode), to.grad(id), to.batch());
    to.push(Pointwise { function, known, from, out, batch });
    to.return_source_grad(id);
}

/// An activation.
pub struct Activate(pub Activation);

impl Operation for Activate {
    fn facts(&self, _key: &PlanKey) -> Facts {
        let reads = if from_output(self.0) { Reads::Output } else { Reads::Input };
        Facts { reads, unit: Unit::Element, shares: Shares::Activation(self.0), reads_planar: false }
    }

    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        forward(to, id, Function::Activate(self.0));
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        let known = if from_output(self.0) { to.value(id) } else { to.source(id) };
        backward(to, id, known, |mode| Function::Derivative(self.0, mode));
    }

    fn backward_shared(&self, to: &mut Writer<'_>, id: usize) {
        if to.plan(id).grad_done_by.is_some() {
            return;
        }
        let (function, grad) = (Function::Derivative(self.0, GradMode::InPlace), to.grad(id));
        let (known, batch) = (to.value(id), to.batch());
        to.push(Pointwise { function, known, from: grad, out: grad, batch });
    }
}

/// A dropout of elements, of whole channels or of whole images.
pub struct Drop {
    /// The probability that one is dropped.
    pub p: f64,
    /// What is dropped at once.
    pub dropped: Dropped,
}

impl Drop {
    fn function(&self, node: usize, mode: GradMode) -> Function {
        Function::Dropout { node, p: self.p, dropped: self.dropped, mode }
    }
}

impl Operation for Drop {
    fn facts(&self, key: &PlanKey) -> Facts {
        // One that drops nothing is the same value.
        let drops = key.dropout && self.p != 0.0;
        let shares = if drops { Shares::Never } else { Shares::Always };
        let unit = if drops && self.dropped == Dropped::Channels { Unit::Channel } else { Unit::Element };
        Facts { reads: Reads::Nothing, unit, shares, reads_planar: false }
    }

    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        if to.is_first(id) {
            forward(to, id, self.function(id, GradMode::Store));
        }
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        backward(to, id, to.grad(id), |mode| self.function(id, mode));
    }
}

/// A rectifier whose slope below zero is learned.
pub struct Prelu {
    /// One slope a channel, or one for all.
    pub per_channel: bool,
}

impl Operation for Prelu {
    fn facts(&self, _key: &PlanKey) -> Facts {
        Facts { reads: Reads::Input, unit: Unit::Channel, shares: Shares::Never, reads_planar: false }
    }

    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        let slope = to.param(to.node(id).first_param);
        forward(to, id, Function::Prelu(slope, self.per_channel as usize));
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        let first_param = to.node(id).first_param;
        let (x, d_out, batch) = (to.source(id), to.grad(id), to.batch());
        to.push(PreluGrad { x, d_out, per_channel: self.per_channel, out: to.d_param(first_param), batch });
        let slope = to.param(first_param);
        backward(to, id, x, |mode| Function::PreluDerivative(slope, self.per_channel as usize, mode));
    }
}

/// Each channel times a parameter.
pub struct ChannelFactors;

impl Operation for ChannelFactors {
    fn facts(&self, _key: &PlanKey) -> Facts {
        Facts { reads: Reads::Input, unit: Unit::Channel, shares: Shares::Never, reads_planar: false }
    }

    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        let factors = to.param(to.node(id).first_param);
        forward(to, id, Function::Factors(factors, GradMode::Store));
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        let first_param = to.node(id).first_param;
        let (x, d_out, batch) = (to.source(id), to.grad(id), to.batch());
        to.push(FactorsGrad { x, d_out, out: to.d_param(first_param), batch });
        let factors = to.param(first_param);
        backward(to, id, d_out, |mode| Function::Factors(factors, mode));
    }
}
