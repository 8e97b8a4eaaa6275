//! Pooling over windows, bins, maps and channels.
//!
//! ONNX's `ceil_mode` and `count_include_pad` were read differently by different versions of its runtimes. So the last windows reach out
//! by `ceil_mode` only where every reading gives the network's shape, and an average that counts some of the padding and not what lies
//! beyond it is written as padding and an average that counts none.

use super::Layer;
use super::conv::pads;
use super::draft::{int, ints};
use crate::bins::{LOWEST, shares};
use convnet_graph::{AvgDivisor, Fill, Pad, Pool, PoolKind, Shape};

/// How far windows reach beyond a padded input.
enum Beyond {
    /// Nowhere.
    Nowhere,
    /// As far as `ceil_mode` takes them.
    Ceil,
    /// So many pixels below and to the right.
    Pixels([usize; 2]),
}

impl Layer<'_> {
    pub(super) fn pool(&mut self, pool: &Pool) -> String {
        match pool.kind {
            PoolKind::Max => self.largest(pool),
            PoolKind::Min => {
                self.then("Neg", &[], vec![]);
                self.largest(pool);
                self.then("Neg", &[], vec![])
            }
            PoolKind::Avg(AvgDivisor::WithoutPad) => self.windows("AveragePool", pool, false),
            PoolKind::Avg(AvgDivisor::WithPad) => {
                if pool.pad == Pad::ZERO || matches!(self.beyond(pool), Beyond::Nowhere) {
                    return self.windows("AveragePool", pool, true);
                }
                let Pad { top, bottom, left, right } = pool.pad;
                self.zeros([0, 0, top, left, 0, 0, bottom, right]);
                let [channels, height, width] = self.from.chw();
                self.from = Shape::Map([channels, height + top + bottom, width + left + right]);
                self.windows("AveragePool", &Pool { pad: Pad::ZERO, ..*pool }, false)
            }
        }
    }

    /// ONNX Runtime takes less padding than the kernel has pixels, whatever lies between them; more is a layer of its own, which never wins.
    fn largest(&mut self, pool: &Pool) -> String {
        let Pad { top, bottom, left, right } = pool.pad;
        if top.max(bottom) < pool.kernel[0] && left.max(right) < pool.kernel[1] {
            return self.windows("MaxPool", pool, false);
        }
        self.padded(pool.pad, Fill::Constant(LOWEST));
        let [channels, height, width] = self.from.chw();
        self.from = Shape::Map([channels, height + top + bottom, width + left + right]);
        self.windows("MaxPool", &Pool { pad: Pad::ZERO, ..*pool }, false)
    }

    /// A pool of ONNX; `counts` says whether an average counts padding.
    fn windows(&mut self, op: &str, pool: &Pool, counts: bool) -> String {
        let mut pad = pool.pad;
        let beyond = self.beyond(pool);
        if let Beyond::Pixels([below, right]) = beyond {
            (pad.bottom, pad.right) = (pad.bottom + below, pad.right + right);
        }
        let mut attributes = vec![ints("kernel_shape", &pool.kernel), ints("strides", &pool.stride), pads(pad)];
        if pool.dilation != [1, 1] {
            attributes.push(ints("dilations", &pool.dilation));
        }
        if let Beyond::Ceil = beyond {
            attributes.push(int("ceil_mode", 1));
        }
        // What lies beyond the padding never counts.
        if counts && matches!(beyond, Beyond::Nowhere) {
            attributes.push(int("count_include_pad", 1));
        }
        self.then(op, &[], attributes)
    }

    fn beyond(&self, pool: &Pool) -> Beyond {
        let ([_, height, width], [_, out_height, out_width]) = (self.from.chw(), self.node.shape.chw());
        let Pad { top, bottom, left, right } = pool.pad;
        let axes = [(height + top + bottom, out_height), (width + left + right, out_width)];
        let of = |i: usize| {
            let ((padded, out), stride) = (axes[i], pool.stride[i]);
            let span = (pool.kernel[i] - 1) * pool.dilation[i] + 1;
            let free = padded.saturating_sub(span);
            let more = ((out - 1) * stride + span).saturating_sub(padded);
            (more, out == free.div_ceil(stride) + 1)
        };
        match [of(0), of(1)] {
            [(0, _), (0, _)] => Beyond::Nowhere,
            [(_, true), (_, true)] => Beyond::Ceil,
            [(below, _), (right, _)] => Beyond::Pixels([below, right]),
        }
    }

    /// Zeros around the value: before and after each of its four dimensions.
    pub(super) fn zeros(&mut self, sides: [usize; 8]) -> String {
        let name = self.own("pads");
        let amounts = self.draft.ints(&name, &sides.map(|side| side as i64));
        self.then("Pad", &[&amounts], vec![])
    }

    pub(super) fn global_pool(&mut self, kind: PoolKind) -> String {
        match kind {
            PoolKind::Avg(_) => self.then("GlobalAveragePool", &[], vec![]),
            PoolKind::Max => self.then("GlobalMaxPool", &[], vec![]),
            PoolKind::Min => return self.reduced("ReduceMin", &[2, 3]),
        };
        self.then("Flatten", &[], vec![int("axis", 1)])
    }

    /// One value of all along some dimensions, which are no longer there.
    fn reduced(&mut self, op: &str, axes: &[i64]) -> String {
        let name = self.own("axes");
        let axes = self.draft.ints(&name, axes);
        self.then(op, &[&axes], vec![int("keepdims", 0)])
    }

    pub(super) fn channel_pool(&mut self, kind: PoolKind, size: usize) -> String {
        let [channels, height, width] = self.from.chw();
        self.reshaped(&[channels / size.max(1), size, height, width]);
        let op = match kind {
            PoolKind::Max => "ReduceMax",
            PoolKind::Min => "ReduceMin",
            PoolKind::Avg(_) => "ReduceMean",
        };
        self.reduced(op, &[2])
    }

    /// The value in another shape of as many elements for each image.
    pub(super) fn reshaped(&mut self, shape: &[usize]) -> String {
        // Zero is the batch as it is.
        let sizes: Vec<i64> = std::iter::once(0).chain(shape.iter().map(|size| *size as i64)).collect();
        let name = self.own("shape");
        let sizes = self.draft.ints(&name, &sizes);
        self.then("Reshape", &[&sizes], vec![])
    }

    /// Equal bins are windows; others are sums of rows and columns.
    pub(super) fn adaptive_avg_pool(&mut self) -> String {
        let ([_, height, width], [_, out_height, out_width]) = (self.from.chw(), self.node.shape.chw());
        if [out_height, out_width] == [1, 1] {
            return self.then("GlobalAveragePool", &[], vec![]);
        }
        if height % out_height == 0 && width % out_width == 0 {
            let kernel = [height / out_height, width / out_width];
            return self.then("AveragePool", &[], vec![ints("kernel_shape", &kernel), ints("strides", &kernel)]);
        }
        self.mixed(&shares(height, out_height), &shares(width, out_width))
    }

    /// Each pixel as a sum of shares of others, by row and by column: products with two matrices, `[out, in]`.
    pub(super) fn mixed(&mut self, rows: &[f32], columns: &[f32]) -> String {
        let ([_, height, width], [_, out_height, out_width]) = (self.from.chw(), self.node.shape.chw());
        let name = self.own("columns");
        let transposed: Vec<f32> =
            (0..width).flat_map(|x| columns.iter().skip(x).step_by(width).copied().collect::<Vec<_>>()).collect();
        let columns = self.draft.floats(&name, &[width, out_width], &transposed);
        self.then("MatMul", &[&columns], vec![]);
        let name = self.own("rows");
        let rows = self.draft.floats(&name, &[out_height, height], rows);
        // The rows are the first factor here.
        self.inputs.insert(0, rows);
        self.merged("MatMul", vec![])
    }
}
