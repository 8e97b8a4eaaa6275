//! `conv`: windows, padding, groups and connection tables.

use super::{Context, Made, Window, count, extent, groups, number, pair, param, sides};
use crate::args::below_zero;
use crate::cost::{Dim, product};
use crate::graph::{Connections, Init, Param, Shape, size};
use crate::report::Errors;
use crate::shape;
use crate::values::SIZE;
use convnet_graph::{Conv, Groups, Op};
use syn::{Expr, ExprArray};

/// A weight, and a bias of this many outputs, which begin alike.
pub(super) fn weights(weight: Vec<Dim>, bias: Option<Dim>, init: Init) -> Vec<Param> {
    let bias = bias.map(|out| param("bias", vec![out], init.clone()));
    std::iter::once(param("weight", weight, init)).chain(bias).collect()
}

impl Context<'_> {
    /// `[(top, bottom), (left, right)]`; with `same`, for these extents.
    pub(super) fn pad(&self, errors: &mut Errors, input: [Dim; 2], window: &Window) -> Option<[(u64, u64); 2]> {
        if self.args.expr("pad").and_then(crate::values::identifier).is_some_and(|name| name == "same") {
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

    /// `[(top, bottom), (left, right)]` from a number, a pair or all four, or its default.
    pub(super) fn sides(&self, name: &str, form: &str, errors: &mut Errors) -> Option<[(u64, u64); 2]> {
        let expr = self.args.expr(name);
        if let Some(Expr::Tuple(tuple)) = expr
            && tuple.elems.len() == 4
        {
            if let Some((side, message)) = tuple.elems.iter().find_map(|side| Some((side, below_zero(name, 0, side)?)))
            {
                errors.on(side, message);
                return None;
            }
            let number = |side| crate::values::number(side, &self.scope(), errors).known();
            let sides: Option<Vec<u64>> = tuple.elems.iter().map(number).collect();
            return match sides?[..] {
                [top, bottom, left, right] => Some([(top, bottom), (left, right)]),
                _ => None,
            };
        }
        if let Some(Expr::Tuple(tuple)) = expr
            && tuple.elems.len() != 2
        {
            errors.on(expr, form);
            return None;
        }
        let [h, w] = self.args.pair(name, 0, errors)?;
        Some([(h, h), (w, w)])
    }

    pub fn conv(&self, errors: &mut Errors) -> Made {
        let input = self.map(errors);
        let out = self.args.size("out", errors);
        let count = self.args.count("groups", errors);
        self.convolution(out, count.map(|count| (count, groups(count))), input, errors)
    }

    /// Each channel by itself: as many groups as channels.
    pub fn depthwise(&self, errors: &mut Errors) -> Made {
        let input = self.map(errors);
        let channels = input[0];
        let multiplier = self.args.count("multiplier", errors);
        if let Dim::Symbol(_) = channels {
            self.symbolic(channels, errors);
        }
        let out = match (channels, multiplier) {
            (Dim::Known(c), Some(m)) => Dim::Known(c.saturating_mul(m)),
            _ => Dim::Unknown,
        };
        self.convolution(out, channels.known().map(|channels| (channels, Groups::Each)), input, errors)
    }

    /// `groups` are how many there are and how they are meant.
    fn convolution(&self, out: Dim, groups: Option<(u64, Groups)>, input: [Dim; 3], errors: &mut Errors) -> Made {
        let [channels, height, width] = input;
        let kernel = self.args.pair("kernel", 1, errors);
        let stride = self.args.pair("stride", 1, errors);
        let dilation = self.args.pair("dilation", 1, errors);
        let bias = self.args.flag("bias", errors);
        let failed = || self.failed(Shape::Map([out, Dim::Unknown, Dim::Unknown]));
        let (Some(kernel), Some(stride), Some(dilation), Some((group_count, groups))) =
            (kernel, stride, dilation, groups)
        else {
            return failed();
        };
        let mut window = Window { kernel, stride, dilation, pad: [(0, 0); 2], ceil: false, pools: false };
        let Some(pad) = self.pad(errors, [height, width], &window) else { return failed() };
        window.pad = pad;
        let mut told = false;
        let [oh, ow] = [0, 1].map(|i| self.windows(errors, &mut told, i, [height, width][i], &window));
        let per_group = self.per_group(group_count, channels, out, errors);
        let connections = self.connections(channels, out, group_count, errors);
        let [kh, kw] = kernel.map(Dim::Known);
        let (weight, fan_in) = match &connections {
            Some(rows) => {
                let n = rows.iter().map(|row| row.len() as u64).sum::<u64>();
                // It differs from channel to channel; the mean is what the whole layer has.
                let mean = Dim::Known(n.div_ceil(rows.len().max(1) as u64));
                (vec![Dim::Known(n), kh, kw], product(&[mean, kh, kw]))
            }
            None => (vec![out, per_group, kh, kw], product(&[per_group, kh, kw])),
        };
        let conv = Conv {
            kernel: pair(kernel),
            stride: pair(stride),
            pad: sides(pad),
            dilation: pair(dilation),
            groups,
            bias,
            // The walk keeps the table and says where.
            connections: None,
        };
        Made {
            label: format!("{} {}", self.layer.word, extent(kernel)),
            shape: Shape::Map([out, oh, ow]),
            macs: product(&weight).times(&product(&[oh, ow])),
            params: weights(weight, bias.then_some(out), Init::Uniform { fan_in, closed: true }),
            connections,
            span: [0, 1].map(|i| count(shape::span(kernel[i], dilation[i]).unwrap_or(1))),
            stride,
            source_extent: [oh, ow],
            ..self.same(Op::Conv(conv))
        }
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
                    "{n} {what} channel{} cannot be split into {groups} equal groups: {n} % {groups} = {}",
                    if n == 1 { "" } else { "s" },
                    n % groups
                )),
                Dim::Symbol(_) => Some(format!(
                    "the const generic `{}` cannot be split into groups: it has no value when the network is checked",
                    size(dim, self.network)
                )),
                Dim::Unknown => None,
            };
            if let Some(message) = bad {
                let fix = fitting_groups(groups, channels, out);
                self.args.fault(
                    "groups",
                    errors,
                    format!("{}: {message}\n  trace: {}{fix}", self.name(), self.trace()),
                );
                return Dim::Unknown;
            }
        }
        channels.known().map_or(Dim::Unknown, |n| Dim::Known(n / groups))
    }

    /// LeNet's connection table.
    fn connections(&self, channels: Dim, out: Dim, groups: u64, errors: &mut Errors) -> Option<Connections> {
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
            table.push(self.row(row_channels, channels, errors)?);
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

    /// The input channels that an output channel reads.
    fn row(&self, row: &ExprArray, channels: Dim, errors: &mut Errors) -> Option<Vec<usize>> {
        let scope = self.scope();
        let mut ins = Vec::new();
        for channel in &row.elems {
            let value = crate::values::number(channel, &scope, errors).known()?;
            if let Dim::Known(n) = channels
                && value >= n
            {
                let last = n - 1;
                let message =
                    format!("there is no input channel {value}; they are 0 to {last}\n  trace: {}", self.trace());
                errors.on(channel, message);
                return None;
            }
            if ins.contains(&number(value)) {
                errors.on(channel, format!("input channel {value} is listed twice"));
                return None;
            }
            ins.push(number(value));
        }
        Some(ins)
    }
}

/// The number of groups nearest below the one that was written into which both numbers of channels can be split.
fn fitting_groups(groups: u64, channels: Dim, out: Dim) -> String {
    let (Dim::Known(channels), Dim::Known(out)) = (channels, out) else { return String::new() };
    // A number of groups is small; looking further is nobody's concern.
    let fits = |n: &u64| channels.is_multiple_of(*n) && out.is_multiple_of(*n);
    match (1..groups.min(4096)).rev().find(fits) {
        Some(fitting) if fitting > 1 => format!("\n  fix: write `{fitting}`"),
        _ if channels == out => format!("\n  fix: make the channels a multiple of {groups}"),
        _ => format!("\n  fix: make both numbers of channels multiples of {groups}"),
    }
}
