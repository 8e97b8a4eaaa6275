//! Operations across the channels of one pixel: local response normalisation, softmax, channel pooling.

use super::{Facts, Operation, Reads, Shares, Unit};
use crate::kernels::{Across, Columns, ColumnsGrad, GradMode};
use crate::plan::PlanKey;
use crate::writer::Writer;

/// One of them.
pub struct Column(pub Across);

impl Column {
    fn columns(&self, to: &Writer<'_>, id: usize) -> Columns {
        let (x, y) = (to.source(id), to.value(id));
        Columns { across: self.0, x, y, d_y: y, d_x: x, accumulate: false, batch: to.batch() }
    }
}

impl Operation for Column {
    fn facts(&self, _key: &PlanKey) -> Facts {
        let reads = match self.0 {
            Across::Softmax | Across::LogSoftmax => Reads::Output,
            Across::Lrn { .. } | Across::Pool { .. } => Reads::Input,
        };
        Facts { reads, unit: Unit::Channel, shares: Shares::Never, reads_planar: false }
    }

    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        to.push(self.columns(to, id));
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        if !to.input_wants_grad(id) {
            return;
        }
        let columns = self.columns(to, id);
        let (d_x, mode) = to.source_grad(id);
        let accumulate = mode == GradMode::Add;
        to.push(ColumnsGrad(Columns { d_y: to.grad(id), d_x, accumulate, ..columns }));
        to.return_source_grad(id);
    }
}
