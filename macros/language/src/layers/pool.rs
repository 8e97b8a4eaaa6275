//! Pooling: over windows, over bins, over the whole map, over channels.

use super::{Context, Made, Window, count, extent, number, pair, param, sides};
use crate::cost::Dim;
use crate::graph::{Init, Shape, size};
use crate::report::Errors;
use crate::shape;
use convnet_graph::{AvgDivisor, Op, Pool, PoolKind};

impl Context<'_> {
    pub fn avg_pool(&self, errors: &mut Errors) -> Made {
        let divisor = match self.args.flag("count_include_pad", errors) {
            true => AvgDivisor::WithPad,
            false => AvgDivisor::WithoutPad,
        };
        self.pool(PoolKind::Avg(divisor), errors)
    }

    pub fn pool(&self, kind: PoolKind, errors: &mut Errors) -> Made {
        let [channels, height, width] = self.map(errors);
        let failed = || self.failed(Shape::Map([channels, Dim::Unknown, Dim::Unknown]));
        let Some(kernel) = self.args.pair("kernel", 1, errors) else { return failed() };
        let stride = self.args.pair("stride", 1, errors);
        let ceil = self.args.flag("ceil", errors);
        let dilation = match kind {
            PoolKind::Max | PoolKind::Min => self.args.pair("dilation", 1, errors),
            PoolKind::Avg(_) => Some([1, 1]),
        };
        let (Some(stride), Some(dilation)) = (stride, dilation) else { return failed() };
        let mut window = Window { kernel, stride, dilation, pad: [(0, 0); 2], ceil, pools: true };
        let Some(pad) = self.pad(errors, [height, width], &window) else { return failed() };
        window.pad = pad;
        let span = [0, 1].map(|i| shape::span(kernel[i], dilation[i]).unwrap_or(u64::MAX));
        if self.lies_outside([height, width], span, &window, errors) {
            return failed();
        }
        let mut told = false;
        let [oh, ow] = [0, 1].map(|i| self.windows(errors, &mut told, i, [height, width][i], &window));
        let pool = Pool { kind, kernel: pair(kernel), stride: pair(stride), pad: sides(pad), dilation: pair(dilation) };
        Made {
            label: format!("{} {}", self.layer.word, extent(kernel)),
            shape: Shape::Map([channels, oh, ow]),
            span: span.map(count),
            stride,
            source_extent: [oh, ow],
            ..self.same(Op::Pool(pool))
        }
    }

    /// Reports windows that would cover no pixel of a map of these extents; `span` is how far a window reaches.
    fn lies_outside(&self, input: [Dim; 2], span: [u64; 2], window: &Window, errors: &mut Errors) -> bool {
        let pad = window.pad.map(|(before, after)| before.max(after));
        if let Some(i) = (0..2).find(|i| pad[*i] > span[*i] / 2) {
            let what = match window.dilation[i] {
                1 => format!("kernel {}", span[i]),
                dilation => format!("kernel {} with dilation {dilation} (covers {})", window.kernel[i], span[i]),
            };
            let message = format!(
                "{}: pad {} is more than half of {what}: a window would lie outside the map\n  fix: use pad <= {}",
                self.name(),
                pad[i],
                span[i] / 2
            );
            self.args.fault("pad", errors, message);
            return true;
        }
        // Pixels of a window that are further apart than the map is wide may all miss it.
        let misses = |i: &usize| {
            pad[*i] > 0
                && matches!(input[*i], Dim::Known(extent) if window.kernel[*i] > 1 && window.dilation[*i] > extent)
        };
        let Some(i) = (0..2).find(misses) else { return false };
        let message = format!(
            "{}: the pixels of a window are {} apart, and all may lie outside a map of {}\n  trace: {}",
            self.name(),
            window.dilation[i],
            input[i].known().unwrap_or(0),
            self.trace()
        );
        self.args.fault("dilation", errors, message);
        true
    }

    pub fn adaptive_avg_pool(&self, errors: &mut Errors) -> Made {
        let [channels, height, width] = self.map(errors);
        let h = self.args.count("height", errors);
        let w = self.args.count("width", errors);
        let (Some(h), Some(w)) = (h, w) else {
            return self.failed(Shape::Map([channels, Dim::Unknown, Dim::Unknown]));
        };
        let sizes = [(height, h), (width, w)];
        let bin =
            |(input, output): (Dim, u64)| input.known().map_or(count(1), |n| count(shape::largest_bin(n, output)));
        Made {
            label: format!("adaptive_avg_pool {h}x{w}"),
            shape: Shape::Map([channels, Dim::Known(h), Dim::Known(w)]),
            span: sizes.map(bin),
            stride: sizes.map(|(input, output)| input.known().map_or(1, |n| (n / output).max(1))),
            source_extent: [Dim::Known(h), Dim::Known(w)],
            ..self.same(Op::AdaptiveAvgPool)
        }
    }

    /// Over the whole map.
    pub fn global(&self, kind: PoolKind, errors: &mut Errors) -> Made {
        let [channels, height, width] = self.map(errors);
        Made {
            shape: Shape::Vector(channels),
            span: [height.count(), width.count()],
            source_extent: [Dim::Known(1); 2],
            ..self.same(Op::GlobalPool(kind))
        }
    }

    pub fn channel_pool(&self, kind: PoolKind, errors: &mut Errors) -> Made {
        let [channels, height, width] = self.map(errors);
        let Some(n) = self.args.count("size", errors) else {
            return self.failed(Shape::Map([Dim::Unknown, height, width]));
        };
        let groups = match channels {
            Dim::Known(c) if c % n == 0 => Dim::Known(c / n),
            Dim::Known(c) => {
                let message = format!(
                    "{}: {c} channels cannot be pooled in groups of {n}: {c} % {n} = {}\n  trace: {}",
                    self.name(),
                    c % n,
                    self.trace()
                );
                self.args.fault("size", errors, message);
                Dim::Unknown
            }
            Dim::Symbol(_) if n == 1 => channels,
            Dim::Symbol(_) => {
                let name = size(channels, self.network);
                self.args.fault(
                    "size",
                    errors,
                    format!(
                        "the const generic `{name}` cannot be divided: it has no value when the network is checked"
                    ),
                );
                Dim::Unknown
            }
            Dim::Unknown => Dim::Unknown,
        };
        Made {
            label: format!("{} {n}", self.layer.word),
            shape: Shape::Map([groups, height, width]),
            ..self.same(Op::ChannelPool { kind, size: number(n) })
        }
    }

    pub fn subsample(&self, errors: &mut Errors) -> Made {
        let [channels, height, width] = self.map(errors);
        let Some(k) = self.args.count("size", errors) else {
            return self.failed(Shape::Map([channels, Dim::Unknown, Dim::Unknown]));
        };
        let window =
            Window { kernel: [k; 2], stride: [k; 2], dilation: [1; 2], pad: [(0, 0); 2], ceil: false, pools: true };
        let mut told = false;
        let [oh, ow] = [0, 1].map(|i| self.windows(errors, &mut told, i, [height, width][i], &window));
        // It begins as the average.
        let mean = Init::Constant(1.0 / k.saturating_mul(k) as f64);
        Made {
            label: format!("subsample {k}x{k}"),
            shape: Shape::Map([channels, oh, ow]),
            params: vec![param("weight", vec![channels], mean), param("bias", vec![channels], Init::Zeros)],
            span: [count(k), count(k)],
            stride: [k, k],
            source_extent: [oh, ow],
            ..self.same(Op::Subsample { size: number(k) })
        }
    }
}
