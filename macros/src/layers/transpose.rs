//! `conv_transpose`: the transposed map of a convolution, so that its sizes run backwards.

use super::{Context, Draft, count, extent, literal, pad_tokens, pair, param};
use crate::cost::{Dim, product};
use crate::graph::{Module, Shape};
use crate::report::Errors;
use crate::shape;
use quote::quote;

impl Context<'_> {
    pub(super) fn conv_transpose(&self, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(Flatten), "conv_transpose".into());
        let out = self.args.size("out", errors);
        let kernel = self.args.pair("kernel", None, 1, errors);
        let stride = self.args.pair("stride", Some([1, 1]), 1, errors);
        let pad = self.args.pair("pad", Some([0, 0]), 0, errors);
        let more = self.args.pair("output_pad", Some([0, 0]), 0, errors);
        let dilation = self.args.pair("dilation", Some([1, 1]), 1, errors);
        let groups = self.args.count("groups", 1, errors);
        let bias = self.args.flag("bias", true, errors);
        draft.shape = Shape::Map([out, Dim::Unknown, Dim::Unknown]);
        let (Some(kernel), Some(stride), Some(pad), Some(more)) = (kernel, stride, pad, more) else { return draft };
        let (Some(dilation), Some(groups)) = (dilation, groups) else { return draft };
        if let Some(i) = (0..2).find(|i| more[*i] >= stride[*i].max(dilation[*i])) {
            let message = format!(
                "{}: `output_pad` is {}; it must be smaller than the stride ({}) or the dilation ({})",
                self.name(),
                more[i],
                stride[i],
                dilation[i]
            );
            self.args.fault("output_pad", errors, message);
            return draft;
        }
        let mut failed = false;
        let extents = [height, width].into_iter().enumerate().map(|(i, input)| match input {
            Dim::Known(input) => {
                let span = shape::span(kernel[i], dilation[i])?;
                let found = shape::transposed(input, span, stride[i], pad[i], more[i]);
                if found.is_none() && !std::mem::replace(&mut failed, true) {
                    let message = format!(
                        "{}: nothing is left of the output: ({input} - 1) * {} + {span} + {} - 2 * {} < 1\n  trace: {}\n  \
                         fix: use a smaller pad",
                        self.name(),
                        stride[i],
                        more[i],
                        pad[i],
                        self.trace()
                    );
                    self.args.fault("pad", errors, message);
                }
                found
            }
            Dim::Symbol(_) => {
                if !std::mem::replace(&mut failed, true) {
                    self.symbolic(input, errors);
                }
                None
            }
            Dim::Unknown => None,
        });
        let extents: Vec<Dim> = extents.map(|extent| extent.map_or(Dim::Unknown, Dim::Known)).collect();
        let [oh, ow] = [0, 1].map(|i| extents.get(i).copied().unwrap_or(Dim::Unknown));
        draft.shape = Shape::Map([out, oh, ow]);
        draft.label = format!("conv_transpose {}", extent(kernel));
        self.per_group(groups, channels, out, errors);
        let out_per_group = match out {
            Dim::Known(n) => Dim::Known(n / groups),
            other => other,
        };
        let [kh, kw] = kernel.map(Dim::Known);
        let weight = vec![channels, out_per_group, kh, kw];
        // Each weight meets each input pixel once.
        draft.macs = product(&weight).times(&product(&[height, width]));
        draft.params = vec![param("weight", weight)];
        let (name, mut sizes) = match bias {
            true => ("ConvTranspose", vec![channels, out_per_group, out]),
            false => ("UnbiasedConv", vec![channels, out_per_group]),
        };
        if bias {
            draft.params.push(param("bias", vec![out]));
        }
        sizes.extend([kh, kw]);
        draft.module = Some(Module { name, sizes });
        let span = |i: usize| shape::span(kernel[i], dilation[i]).unwrap_or(1).div_ceil(stride[i]);
        draft.span = [count(span(0)), count(span(1))];
        draft.up = stride;
        draft.spread = [oh, ow];
        let pad = pad_tokens(pad.map(|side| (side, side)));
        let (kernel, stride, dilation, groups) = (pair(kernel), pair(stride), pair(dilation), literal(groups));
        draft.op = quote!(ConvTranspose(::__convnet::graph::ConvTranspose {
            kernel: #kernel, stride: #stride, pad: #pad, dilation: #dilation, groups: #groups, bias: #bias,
        }));
        draft
    }
}
