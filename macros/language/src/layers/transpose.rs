//! `conv_transpose`: the transposed map of a convolution, so that its sizes run backwards.

use super::conv::weights;
use super::{Context, Made, count, extent, groups, pair, sides};
use crate::cost::{Dim, product};
use crate::graph::{Init, Shape};
use crate::report::Errors;
use crate::shape;
use convnet_graph::{ConvTranspose, Op};

impl Context<'_> {
    pub fn conv_transpose(&self, errors: &mut Errors) -> Made {
        let [channels, height, width] = self.map(errors);
        let out = self.args.size("out", errors);
        let kernel = self.args.pair("kernel", 1, errors);
        let stride = self.args.pair("stride", 1, errors);
        let pad = self.args.pair("pad", 0, errors);
        let more = self.args.pair("output_pad", 0, errors);
        let dilation = self.args.pair("dilation", 1, errors);
        let group_count = self.args.count("groups", errors);
        let bias = self.args.flag("bias", errors);
        let failed = || self.failed(Shape::Map([out, Dim::Unknown, Dim::Unknown]));
        let (Some(kernel), Some(stride), Some(pad), Some(more)) = (kernel, stride, pad, more) else {
            return failed();
        };
        let (Some(dilation), Some(group_count)) = (dilation, group_count) else { return failed() };
        if let Some(i) = (0..2).find(|i| more[*i] >= stride[*i].max(dilation[*i])) {
            let message = format!(
                "{}: `output_pad` is {}; it must be smaller than the stride ({}) or the dilation ({})",
                self.name(),
                more[i],
                stride[i],
                dilation[i]
            );
            self.args.fault("output_pad", errors, message);
            return failed();
        }
        let axis =
            |i: usize| Axis { kernel: kernel[i], stride: stride[i], pad: pad[i], more: more[i], dilation: dilation[i] };
        let [oh, ow] = self.transposed([height, width], [axis(0), axis(1)], errors);
        self.per_group(group_count, channels, out, errors);
        let out_per_group = match out {
            Dim::Known(n) => Dim::Known(n / group_count),
            other => other,
        };
        let [kh, kw] = kernel.map(Dim::Known);
        let weight = vec![channels, out_per_group, kh, kw];
        let conv = ConvTranspose {
            kernel: pair(kernel),
            stride: pair(stride),
            pad: sides(pad.map(|side| (side, side))),
            dilation: pair(dilation),
            groups: groups(group_count),
            bias,
        };
        let span = |i: usize| shape::span(kernel[i], dilation[i]).unwrap_or(1).div_ceil(stride[i]);
        let init = Init::Uniform { fan_in: product(&[out_per_group, kh, kw]), closed: true };
        Made {
            label: format!("conv_transpose {}", extent(kernel)),
            shape: Shape::Map([out, oh, ow]),
            // Each weight meets each input pixel once.
            macs: product(&weight).times(&product(&[height, width])),
            params: weights(weight, bias.then_some(out), init),
            span: [count(span(0)), count(span(1))],
            up: stride,
            source_extent: [oh, ow],
            ..self.same(Op::ConvTranspose(conv))
        }
    }

    /// The output extents, or one error for both.
    fn transposed(&self, inputs: [Dim; 2], axes: [Axis; 2], errors: &mut Errors) -> [Dim; 2] {
        let mut told = false;
        let mut extents = [Dim::Unknown; 2];
        for ((extent, input), axis) in extents.iter_mut().zip(inputs).zip(axes) {
            let Axis { kernel, stride, pad, more, dilation } = axis;
            match (input, shape::span(kernel, dilation)) {
                (Dim::Known(input), Some(span)) => {
                    let found = shape::transposed(input, span, stride, pad, more);
                    if found.is_none() && !std::mem::replace(&mut told, true) {
                        let message = format!(
                            "{}: nothing is left of the output: ({input} - 1) * {stride} + {span} + {more} - 2 * {pad} < 1\n  \
                             trace: {}\n  fix: use a smaller pad",
                            self.name(),
                            self.trace()
                        );
                        self.args.fault("pad", errors, message);
                    }
                    *extent = found.map_or(Dim::Unknown, Dim::Known);
                }
                (Dim::Symbol(_), _) if !std::mem::replace(&mut told, true) => self.symbolic(input, errors),
                _ => {}
            }
        }
        extents
    }
}

/// The numbers of a transposed convolution along one dimension.
struct Axis {
    kernel: u64,
    stride: u64,
    pad: u64,
    more: u64,
    dilation: u64,
}
