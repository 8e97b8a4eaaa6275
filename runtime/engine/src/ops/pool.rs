//! Pooling over windows of pixels, LeNet's trainable subsampling among them.

use super::{Facts, Operation, Reads, Shares, Site, Unit};
use crate::kernels::{GradMode, SubsampleGrad, Window, WindowGrad, Windows};
use crate::node::Buffers;
use crate::plan::PlanKey;
use crate::regions::Regions;
use crate::writer::Writer;
use convnet_graph::{Pool, PoolKind};

/// Which windows.
pub enum Pooling {
    /// A fixed window that moves by a stride.
    Window(Pool),
    /// The whole map.
    Global(PoolKind),
    /// An average over a grid of bins.
    Adaptive,
    /// The sum over squares of so many pixels a side, times a coefficient plus a bias.
    Subsample {
        /// Pixels a side.
        size: usize,
    },
}

impl Pooling {
    /// Whether a maximum or minimum is taken, whose backward pass has to know who won.
    fn has_winners(&self) -> bool {
        match self {
            Pooling::Window(Pool { kind, .. }) | Pooling::Global(kind) => match kind {
                PoolKind::Max | PoolKind::Min => true,
                PoolKind::Avg(_) => false,
            },
            Pooling::Adaptive | Pooling::Subsample { .. } => false,
        }
    }

    fn windows(&self, to: &Writer<'_>, id: usize) -> Windows {
        let node = to.node(id);
        match *self {
            Pooling::Window(pool) => Windows::Pool(pool),
            Pooling::Global(_) => {
                let pool = node.op.pool(to.node(node.inputs[0]).shape.chw());
                pool.map_or(Windows::Adaptive, Windows::Pool)
            }
            Pooling::Adaptive => Windows::Adaptive,
            Pooling::Subsample { size } => {
                Windows::Subsample { size, weight: to.param(node.first_param), bias: to.param(node.first_param + 1) }
            }
        }
    }

    fn window(&self, to: &Writer<'_>, id: usize) -> Window {
        let (map, out) = (to.source(id), to.value(id));
        let winners = match to.plan(id).buffers {
            // Winners lie in the output's layout, wherever its halo.
            Buffers::Pool { winners } => Some(out.at(to.place(winners))),
            Buffers::None | Buffers::Conv(_) | Buffers::BatchNorm(_) | Buffers::Normalised { .. } => None,
        };
        let windows = self.windows(to, id);
        Window { windows, map, out, winners, rectified: None, batch: to.batch(), accumulate: false }
    }
}

impl Operation for Pooling {
    fn facts(&self, _key: &PlanKey) -> Facts {
        let reads = match self {
            Pooling::Subsample { .. } => Reads::Input,
            Pooling::Window(_) | Pooling::Global(_) | Pooling::Adaptive => Reads::Nothing,
        };
        Facts { reads, unit: Unit::Whole, shares: Shares::Never, reads_planar: false }
    }

    fn buffers(&self, site: &Site<'_, '_>, regions: &mut Regions) -> Buffers {
        if !self.has_winners() || !site.plan().wants_grad {
            return Buffers::None;
        }
        let len = site.key.batch * site.slot().value.image();
        Buffers::Pool { winners: regions.add(len, site.forward(), site.backward()) }
    }

    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        to.push(self.window(to, id));
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        if let Pooling::Subsample { size } = *self {
            let first_param = to.node(id).first_param;
            let (weight, bias) = (to.d_param(first_param), to.d_param(first_param + 1));
            let (map, d_out, batch) = (to.source(id), to.grad(id), to.batch());
            to.push(SubsampleGrad { size, map, d_out, weight, bias, batch });
        }
        if !to.input_wants_grad(id) {
            return;
        }
        let window = self.window(to, id);
        let (map, mode) = to.grad_of(to.input(id));
        let rectified = to.plan(id).does.rectifier.map(|_| to.value(id));
        to.push(WindowGrad(Window { map, out: to.grad(id), rectified, accumulate: mode == GradMode::Add, ..window }));
    }
}
