//! `conv`: windows, padding, groups and connection tables.

use super::{Context, Draft, Window, count, extent, literal, pad_tokens, pair, param};
use crate::check::size;
use crate::cost::{Dim, product};
use crate::graph::{Module, Shape};
use crate::report::Errors;
use crate::shape;
use crate::values::SIZE;
use quote::quote;
use syn::Expr;

impl Context<'_> {
    /// `[(top, bottom), (left, right)]`; with `same`, for these extents.
    pub(super) fn pad(&self, errors: &mut Errors, input: [Dim; 2], window: &Window) -> Option<[(u64, u64); 2]> {
        let Some(expr) = self.args.expr("pad") else { return Some([(0, 0); 2]) };
        if crate::values::identifier(expr).is_some_and(|name| name == "same") {
            let side = |dimension: usize| {
                let span = shape::span(window.kernel[dimension], window.dilation[dimension])?;
                match input[dimension] {
                    Dim::Known(extent) => Some(shape::same(extent, span, window.stride[dimension])),
                    // With stride 1 the padding does not depend on the extent.
                    Dim::Symbol(_) if window.stride[dimension] == 1 => Some(shape::same(span, span, 1)),
                    _ => None,
                }
            };
            let sides = [side(0).unwrap_or((0, 0)), side(1).unwrap_or((0, 0))];
            // The larger half is the one after.
            if let Some((_, after)) = sides.into_iter().find(|(_, after)| *after > SIZE) {
                let message = format!("{}: `same` would be a padding of {after}, which is too large", self.name());
                self.args.fault("pad", errors, message);
                return None;
            }
            return Some(sides);
        }
        self.sides("pad", "`pad` takes a number, (height, width), (top, bottom, left, right) or `same`", errors)
    }

    /// `[(top, bottom), (left, right)]` from a number, a pair or all four.
    pub(super) fn sides(&self, name: &str, form: &str, errors: &mut Errors) -> Option<[(u64, u64); 2]> {
        let expr = self.args.expr(name)?;
        if let Expr::Tuple(tuple) = expr
            && tuple.elems.len() == 4
        {
            let number = |side| crate::values::number(side, &self.scope(), errors).known();
            let sides: Option<Vec<u64>> = tuple.elems.iter().map(number).collect();
            return match sides?[..] {
                [top, bottom, left, right] => Some([(top, bottom), (left, right)]),
                _ => None,
            };
        }
        if let Expr::Tuple(tuple) = expr
            && tuple.elems.len() != 2
        {
            errors.on(expr, form);
            return None;
        }
        let [h, w] = self.args.pair(name, None, 0, errors)?;
        Some([(h, h), (w, w)])
    }

    pub(super) fn conv(&self, errors: &mut Errors) -> Draft {
        let input = self.map(errors);
        let out = self.args.size("out", errors);
        let groups = self.args.count("groups", 1, errors);
        let mut draft = self.convolution("conv", out, groups, input, errors);
        if draft.shape.is_unknown() {
            draft.shape = Shape::Map([out, Dim::Unknown, Dim::Unknown]);
        }
        draft
    }

    /// Each channel by itself: as many groups as channels.
    pub(super) fn depthwise(&self, errors: &mut Errors) -> Draft {
        let input = self.map(errors);
        let channels = input[0];
        let multiplier = self.args.count("multiplier", 1, errors);
        if let Dim::Symbol(_) = channels {
            self.symbolic(channels, errors);
        }
        let out = match (channels, multiplier) {
            (Dim::Known(c), Some(m)) => Dim::Known(c.saturating_mul(m)),
            _ => Dim::Unknown,
        };
        self.convolution("depthwise", out, channels.known(), input, errors)
    }

    fn convolution(&self, word: &str, out: Dim, groups: Option<u64>, input: [Dim; 3], errors: &mut Errors) -> Draft {
        let [channels, height, width] = input;
        let mut draft = self.same(quote!(Flatten), word.into());
        let kernel = self.args.pair("kernel", None, 1, errors);
        let stride = self.args.pair("stride", Some([1, 1]), 1, errors);
        let dilation = self.args.pair("dilation", Some([1, 1]), 1, errors);
        let bias = self.args.flag("bias", true, errors);
        draft.shape = Shape::Map([out, Dim::Unknown, Dim::Unknown]);
        let (Some(kernel), Some(stride), Some(dilation), Some(groups)) = (kernel, stride, dilation, groups) else {
            return draft;
        };
        let mut window = Window { kernel, stride, dilation, pad: [(0, 0); 2], ceil: false, pools: false };
        let Some(pad) = self.pad(errors, [height, width], &window) else { return draft };
        window.pad = pad;
        let mut failed = false;
        let [oh, ow] = [0, 1].map(|i| self.windows(errors, &mut failed, i, [height, width][i], &window));
        draft.shape = Shape::Map([out, oh, ow]);
        draft.label = format!("{word} {}", extent(kernel));
        let per_group = self.per_group(groups, channels, out, errors);
        let links = self.connections(channels, out, groups, errors);
        let (kh, kw) = (Dim::Known(kernel[0]), Dim::Known(kernel[1]));
        let (weight, module) = match &links {
            Some(links) => {
                let n = Dim::Known(links.iter().map(|row| row.len() as u64).sum());
                let name = if bias { "LinkedConv" } else { "UnbiasedLinkedConv" };
                (vec![n, kh, kw], Module { name, sizes: vec![out, n, kh, kw] })
            }
            None => {
                let name = if bias { "Conv" } else { "UnbiasedConv" };
                (vec![out, per_group, kh, kw], Module { name, sizes: vec![out, per_group, kh, kw] })
            }
        };
        draft.macs = product(&weight).times(&product(&[oh, ow]));
        draft.params = vec![param("weight", weight)];
        if bias {
            draft.params.push(param("bias", vec![out]));
        }
        draft.module = Some(module);
        draft.span = [0, 1].map(|i| count(shape::span(kernel[i], dilation[i]).unwrap_or(1)));
        draft.stride = stride;
        draft.spread = [oh, ow];
        let links = links.map_or(quote!(::core::option::Option::None), |links| {
            let rows = links.iter().map(|row| {
                let row = row.iter().map(|channel| literal(*channel));
                quote!(&[#(#row),*])
            });
            quote!(::core::option::Option::Some(&[#(#rows),*]))
        });
        let (kernel, stride, dilation, groups) = (pair(kernel), pair(stride), pair(dilation), literal(groups));
        let pad = pad_tokens(pad);
        draft.op = quote!(Conv(::__convnet::graph::Conv {
            kernel: #kernel, stride: #stride, pad: #pad, dilation: #dilation, groups: #groups, bias: #bias, links: #links,
        }));
        draft
    }

    /// Input channels that an output channel reads.
    pub(super) fn per_group(&self, groups: u64, channels: Dim, out: Dim, errors: &mut Errors) -> Dim {
        if groups == 1 {
            return channels;
        }
        for (dim, what) in [(channels, "input"), (out, "output")] {
            let bad = match dim {
                Dim::Known(n) if n % groups == 0 => None,
                Dim::Known(n) => Some(format!(
                    "{n} {what} channels cannot be split into {groups} equal groups: {n} % {groups} = {}",
                    n % groups
                )),
                Dim::Symbol(_) => Some(format!(
                    "the const generic `{}` cannot be split into groups: it has no value when the network is checked",
                    size(dim, self.network)
                )),
                Dim::Unknown => None,
            };
            if let Some(message) = bad {
                self.args.fault("groups", errors, format!("{}: {message}\n  trace: {}", self.name(), self.trace()));
                return Dim::Unknown;
            }
        }
        channels.known().map_or(Dim::Unknown, |n| Dim::Known(n / groups))
    }

    /// LeNet's connection table.
    pub(super) fn connections(
        &self,
        channels: Dim,
        out: Dim,
        groups: u64,
        errors: &mut Errors,
    ) -> Option<Vec<Vec<u64>>> {
        let expr = self.args.expr("connections")?;
        let form =
            "`connections` takes a list with the input channels of each output channel: [[0, 1, 2], [1, 2, 3], ...]";
        let Expr::Array(rows) = expr else {
            errors.on(expr, form);
            return None;
        };
        if groups != 1 {
            self.args.fault("groups", errors, "`groups` and `connections` exclude each other");
            return None;
        }
        let scope = self.scope();
        let mut table = Vec::new();
        for row in &rows.elems {
            let Expr::Array(row_channels) = crate::values::bare(row) else {
                errors.on(row, form);
                return None;
            };
            if row_channels.elems.is_empty() {
                errors.on(row, format!("output channel {} reads no input channel", table.len()));
                return None;
            }
            let mut ins = Vec::new();
            for channel in &row_channels.elems {
                let value = crate::values::number(channel, &scope, errors).known()?;
                if let Dim::Known(n) = channels
                    && value >= n
                {
                    errors.on(
                        channel,
                        format!(
                            "there is no input channel {value}; they are 0 to {}\n  trace: {}",
                            n - 1,
                            self.trace()
                        ),
                    );
                    return None;
                }
                if ins.contains(&value) {
                    errors.on(channel, format!("input channel {value} is listed twice"));
                    return None;
                }
                ins.push(value);
            }
            table.push(ins);
        }
        match out {
            Dim::Known(n) if n != table.len() as u64 => {
                errors.on(expr, format!("{n} output channels need {n} lists of input channels, not {}", table.len()));
                None
            }
            Dim::Symbol(_) => {
                errors.on(
                    expr,
                    "a connection table needs a number of output channels that is known when the network is checked",
                );
                None
            }
            _ => Some(table),
        }
    }
}
