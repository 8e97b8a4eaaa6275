//! What each layer makes of its input: operation, output shape, parameters, cost.
//!
//! A layer that does not fit reports one error on the value at fault and gives an output whose size is unknown, but keeps
//! what can be told all the same (its channels, its parameters), so that the layers after it can still be checked.

use crate::ast::{Layer, Network};
use crate::check::{show, size};
use crate::cost::{Count, Dim, product};
use crate::graph::{Module, Param, Shape};
use crate::report::Errors;
use crate::shape;
use crate::values::Args;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Expr;

/// What a layer is checked against.
pub struct Context<'a> {
    pub layer: &'a Layer,
    pub args: &'a Args<'a>,
    pub shape: Shape,
    pub network: &'a Network,
    /// The last shapes, in words.
    pub trace: String,
    /// See `Checker::spread`.
    pub spread: [Dim; 2],
}

/// What a layer is.
pub struct Draft {
    pub op: TokenStream,
    pub label: String,
    pub shape: Shape,
    pub params: Vec<Param>,
    pub macs: Count,
    pub module: Option<Module>,
    /// Extent of its window on the input, and its stride.
    pub span: [Count; 2],
    pub stride: [u64; 2],
    pub spread: [Dim; 2],
}

/// Checks the layer `word`.
pub fn draft(word: &str, context: &Context<'_>, errors: &mut Errors) -> Draft {
    let before = errors.count();
    let mut draft = checked(word, context, errors);
    // A layer that got a vector for a map is in the wrong place; what it would have given says nothing.
    if matches!((context.shape, draft.shape), (Shape::Vector(_), Shape::Map(_))) && errors.count() > before {
        draft.shape = Shape::Unknown;
    }
    draft
}

fn checked(word: &str, context: &Context<'_>, errors: &mut Errors) -> Draft {
    match word {
        "conv" => context.conv(errors),
        "max_pool" | "min_pool" | "avg_pool" => context.pool(word, errors),
        "adaptive_avg_pool" => context.adaptive(errors),
        "global_avg_pool" | "global_max_pool" => context.global(word, errors),
        "channel_max_pool" | "channel_avg_pool" => context.channel_pool(word, errors),
        "subsample" => context.subsample(errors),
        "flatten" => context.flatten(errors),
        "linear" => context.linear(errors),
        "batch_norm" => context.batch_norm(errors),
        "lrn" => context.lrn(errors),
        "dropout" => context.dropout(errors),
        "prelu" => context.prelu(errors),
        "softmax" => context.same(quote!(Softmax), "softmax".into()),
        "log_softmax" => context.same(quote!(LogSoftmax), "log_softmax".into()),
        _ => context.activation(word, errors),
    }
}

fn param(name: &'static str, shape: Vec<Dim>) -> Param {
    Param { name, shape, trainable: true }
}

fn literal(n: u64) -> TokenStream {
    let n = proc_macro2::Literal::u64_unsuffixed(n);
    quote!(#n)
}

fn pair([h, w]: [u64; 2]) -> TokenStream {
    let (h, w) = (literal(h), literal(w));
    quote!([#h, #w])
}

fn extent([h, w]: [u64; 2]) -> String {
    format!("{h}x{w}")
}

fn count(n: u64) -> Count {
    Count::number(i128::from(n))
}

impl Context<'_> {
    /// How the layer is called in errors.
    fn name(&self) -> String {
        match &self.layer.name {
            Some(name) => format!("`{name}`"),
            None => format!("`{}`", self.layer.word),
        }
    }

    fn show(&self, shape: Shape) -> String {
        show(shape, self.network)
    }

    /// Shape, parameters and window unchanged.
    fn same(&self, op: TokenStream, label: String) -> Draft {
        Draft {
            op,
            label,
            shape: self.shape,
            params: Vec::new(),
            macs: Count::default(),
            module: None,
            span: [count(1), count(1)],
            stride: [1, 1],
            spread: self.spread,
        }
    }

    /// A map as input, or one error and unknown dimensions.
    fn map(&self, errors: &mut Errors) -> [Dim; 3] {
        match self.shape {
            Shape::Map(chw) => chw,
            Shape::Unknown => [Dim::Unknown; 3],
            Shape::Vector(_) => {
                let message = format!(
                    "{} needs a feature map [C, H, W], but gets the vector {}\n  trace: {}\n  fix: put it before `flatten`",
                    self.name(),
                    self.show(self.shape),
                    self.trace
                );
                errors.on(&self.layer.word, message);
                [Dim::Unknown; 3]
            }
        }
    }

    /// The output extent along one dimension, or one error on argument `name`.
    fn windows(&self, errors: &mut Errors, failed: &mut bool, dimension: usize, input: Dim, given: &Window) -> Dim {
        let (kernel, stride, dilation) = (given.kernel[dimension], given.stride[dimension], given.dilation[dimension]);
        let (before, after) = given.pad[dimension];
        let Some(span) = shape::span(kernel, dilation) else { return Dim::Unknown };
        let input = match input {
            Dim::Known(input) => input,
            Dim::Unknown => return Dim::Unknown,
            // A symbolic extent passes through a window that does not change it.
            Dim::Symbol(_) if stride == 1 && before + after + 1 == span => return input,
            Dim::Symbol(_) => {
                if !std::mem::replace(failed, true) {
                    let message = format!(
                        "{} changes a size that is the const generic `{}`, which has no value when the network is checked\n  \
                         fix: declare the input with numbers, or use stride 1 and `pad = same`",
                        self.name(),
                        size(input, self.network)
                    );
                    errors.on(&self.layer.word, message);
                }
                return Dim::Unknown;
            }
        };
        let outputs = match given.ceil {
            true => shape::windows_ceil(input, before, span, stride),
            false => shape::windows(input, before, after, span, stride),
        };
        match outputs {
            Ok(outputs) => Dim::Known(outputs),
            Err(shape::DoesNotFit) => {
                if !std::mem::replace(failed, true) {
                    self.too_large(errors, dimension, input, span, given);
                }
                Dim::Unknown
            }
        }
    }

    fn too_large(&self, errors: &mut Errors, dimension: usize, input: u64, span: u64, given: &Window) {
        let (before, after) = given.pad[dimension];
        let kernel = given.kernel[dimension];
        let along = ["height", "width"].get(dimension).copied().unwrap_or("size");
        let padded = input.saturating_add(before).saturating_add(after);
        let missing = span.saturating_sub(padded);
        let what = match given.dilation[dimension] {
            1 => format!("kernel {kernel}"),
            dilation => format!("kernel {kernel} with dilation {dilation} (covers {span})"),
        };
        let fix = match given.dilation[dimension] {
            1 => format!("use kernel <= {padded}"),
            dilation => format!("use kernel <= {}", (padded.saturating_sub(1)) / dilation + 1),
        };
        let pad = if given.pools { String::new() } else { format!(", or pad >= {}", before + missing.div_ceil(2)) };
        let message = format!(
            "{}: {what} does not fit into {along} {input} (pad {before} + {after}): {input} + {before} + {after} - {span} < 0\n  \
             trace: {}\n  fix: {fix}{pad}",
            self.name(),
            self.trace
        );
        // On the dimension's own number where the kernel was given as (height, width).
        match self.args.expr("kernel") {
            Some(Expr::Tuple(tuple)) if tuple.elems.len() == 2 => {
                errors.on(tuple.elems.iter().nth(dimension), message);
            }
            _ => self.args.fault("kernel", errors, message),
        }
    }

    /// `[(top, bottom), (left, right)]`; with `same`, for these extents.
    fn pad(&self, errors: &mut Errors, input: [Dim; 2], window: &Window) -> Option<[(u64, u64); 2]> {
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
            return Some([side(0).unwrap_or((0, 0)), side(1).unwrap_or((0, 0))]);
        }
        if let Expr::Tuple(tuple) = expr
            && tuple.elems.len() == 4
        {
            let scope = crate::values::Scope { symbols: &self.network.symbols, shape: self.shape };
            let sides: Option<Vec<u64>> =
                tuple.elems.iter().map(|side| crate::values::number(side, &scope, errors).known()).collect();
            return match sides?[..] {
                [top, bottom, left, right] => Some([(top, bottom), (left, right)]),
                _ => None,
            };
        }
        if let Expr::Tuple(tuple) = expr
            && tuple.elems.len() != 2
        {
            errors.on(expr, "`pad` takes a number, (height, width), (top, bottom, left, right) or `same`");
            return None;
        }
        let [h, w] = self.args.pair("pad", None, 0, errors)?;
        Some([(h, h), (w, w)])
    }

    fn conv(&self, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(Flatten), "conv".into());
        let out = self.args.size("out", errors);
        let kernel = self.args.pair("kernel", None, 1, errors);
        let stride = self.args.pair("stride", Some([1, 1]), 1, errors);
        let dilation = self.args.pair("dilation", Some([1, 1]), 1, errors);
        let groups = self.args.count("groups", 1, errors);
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
        draft.label = format!("conv {}", extent(kernel));
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
        let [top_bottom, left_right] = pad.map(|(a, b)| (literal(a), literal(b)));
        let ((top, bottom), (left, right)) = (top_bottom, left_right);
        let (kernel, stride, dilation, groups) = (pair(kernel), pair(stride), pair(dilation), literal(groups));
        draft.op = quote!(Conv(::convnet::graph::Conv {
            kernel: #kernel, stride: #stride,
            pad: ::convnet::graph::Pad { top: #top, bottom: #bottom, left: #left, right: #right },
            dilation: #dilation, groups: #groups, bias: #bias, links: #links,
        }));
        draft
    }

    /// Input channels that an output channel reads.
    fn per_group(&self, groups: u64, channels: Dim, out: Dim, errors: &mut Errors) -> Dim {
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
                self.args.fault("groups", errors, format!("{}: {message}\n  trace: {}", self.name(), self.trace));
                return Dim::Unknown;
            }
        }
        channels.known().map_or(Dim::Unknown, |n| Dim::Known(n / groups))
    }

    /// LeNet's connection table.
    fn connections(&self, channels: Dim, out: Dim, groups: u64, errors: &mut Errors) -> Option<Vec<Vec<u64>>> {
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
        let scope = crate::values::Scope { symbols: &self.network.symbols, shape: self.shape };
        let mut table = Vec::new();
        for row in &rows.elems {
            let Expr::Array(row_channels) = row else {
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
                        format!("there is no input channel {value}; they are 0 to {}\n  trace: {}", n - 1, self.trace),
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

    fn pool(&self, word: &str, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(Flatten), word.into());
        draft.shape = Shape::Map([channels, Dim::Unknown, Dim::Unknown]);
        let Some(kernel) = self.args.pair("kernel", None, 1, errors) else { return draft };
        let stride = self.args.pair("stride", Some(kernel), 1, errors);
        let pad = self.args.pair("pad", Some([0, 0]), 0, errors);
        let ceil = self.args.flag("ceil", false, errors);
        let include = self.args.flag("count_include_pad", true, errors);
        let (Some(stride), Some(pad)) = (stride, pad) else { return draft };
        if let Some(i) = (0..2).find(|i| pad[*i] > kernel[*i] / 2) {
            let message = format!(
                "{}: pad {} is more than half of kernel {}: a window would lie outside the map\n  fix: use pad <= {}",
                self.name(),
                pad[i],
                kernel[i],
                kernel[i] / 2
            );
            self.args.fault("pad", errors, message);
            return draft;
        }
        let sides = pad.map(|pad| (pad, pad));
        let window = Window { kernel, stride, dilation: [1, 1], pad: sides, ceil, pools: true };
        let mut failed = false;
        let [oh, ow] = [0, 1].map(|i| self.windows(errors, &mut failed, i, [height, width][i], &window));
        draft.shape = Shape::Map([channels, oh, ow]);
        draft.label = format!("{word} {}", extent(kernel));
        draft.span = kernel.map(count);
        draft.stride = stride;
        draft.spread = [oh, ow];
        let kind = match (word, include) {
            ("max_pool", _) => quote!(Max),
            ("min_pool", _) => quote!(Min),
            (_, true) => quote!(Avg(::convnet::graph::AvgDivisor::WithPad)),
            (_, false) => quote!(Avg(::convnet::graph::AvgDivisor::WithoutPad)),
        };
        let (kernel, stride) = (pair(kernel), pair(stride));
        let [h, w] = pad.map(literal);
        draft.op = pool_op(&kind, &kernel, &stride, &quote!({ top: #h, bottom: #h, left: #w, right: #w }));
        draft
    }

    fn adaptive(&self, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(AdaptiveAvgPool), "adaptive_avg_pool".into());
        let h = self.args.count("height", 1, errors);
        let w = if self.args.has("width") { self.args.count("width", 1, errors) } else { h };
        let (Some(h), Some(w)) = (h, w) else {
            draft.shape = Shape::Map([channels, Dim::Unknown, Dim::Unknown]);
            return draft;
        };
        draft.shape = Shape::Map([channels, Dim::Known(h), Dim::Known(w)]);
        draft.label = format!("adaptive_avg_pool {h}x{w}");
        draft.spread = [Dim::Known(h), Dim::Known(w)];
        for (i, (input, output)) in [(height, h), (width, w)].into_iter().enumerate() {
            if let (Dim::Known(input), Some(span)) = (input, draft.span.get_mut(i)) {
                *span = count(shape::largest_bin(input, output));
            }
        }
        draft.stride =
            [(height, h), (width, w)].map(|(input, output)| input.known().map_or(1, |n| (n / output).max(1)));
        draft
    }

    fn global(&self, word: &str, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(AdaptiveAvgPool), word.into());
        draft.shape = Shape::Vector(channels);
        draft.span = [height.count(), width.count()];
        draft.spread = [Dim::Known(1); 2];
        if word == "global_max_pool" {
            let names = crate::emit::symbols(self.network);
            let extents = [height, width].map(|dim| dim.count().tokens(&quote!(usize), &names));
            let [h, w] = extents;
            let window = quote!([#h, #w]);
            draft.op = pool_op(&quote!(Max), &window, &window, &quote!({ top: 0, bottom: 0, left: 0, right: 0 }));
        }
        draft
    }

    fn channel_pool(&self, word: &str, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(Flatten), word.into());
        draft.shape = Shape::Map([Dim::Unknown, height, width]);
        let Some(n) = self.args.count("size", 1, errors) else { return draft };
        let groups = match channels {
            Dim::Known(c) if c % n == 0 => Dim::Known(c / n),
            Dim::Known(c) => {
                let message = format!(
                    "{}: {c} channels cannot be pooled in groups of {n}: {c} % {n} = {}\n  trace: {}",
                    self.name(),
                    c % n,
                    self.trace
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
        draft.shape = Shape::Map([groups, height, width]);
        draft.label = format!("{word} {n}");
        let kind =
            if word == "channel_max_pool" { quote!(Max) } else { quote!(Avg(::convnet::graph::AvgDivisor::WithPad)) };
        let n = literal(n);
        draft.op = quote!(ChannelPool { kind: ::convnet::graph::PoolKind::#kind, size: #n });
        draft
    }

    fn subsample(&self, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(Flatten), "subsample".into());
        draft.shape = Shape::Map([channels, Dim::Unknown, Dim::Unknown]);
        let Some(k) = self.args.count("size", 1, errors) else { return draft };
        let window =
            Window { kernel: [k; 2], stride: [k; 2], dilation: [1; 2], pad: [(0, 0); 2], ceil: false, pools: true };
        let mut failed = false;
        let [oh, ow] = [0, 1].map(|i| self.windows(errors, &mut failed, i, [height, width][i], &window));
        draft.shape = Shape::Map([channels, oh, ow]);
        draft.label = format!("subsample {k}x{k}");
        draft.params = vec![param("weight", vec![channels]), param("bias", vec![channels])];
        draft.module = Some(Module { name: "Subsample", sizes: vec![channels, Dim::Known(k)] });
        draft.span = [count(k), count(k)];
        draft.stride = [k, k];
        draft.spread = [oh, ow];
        let k = literal(k);
        draft.op = quote!(Subsample { size: #k });
        draft
    }

    fn flatten(&self, errors: &mut Errors) -> Draft {
        let mut draft = self.same(quote!(Flatten), "flatten".into());
        let Shape::Map(dims) = self.shape else { return draft };
        let known: Option<Vec<u64>> = dims.iter().map(|dim| dim.known()).collect();
        draft.shape = match (known, dims) {
            (Some(known), _) => {
                let total = known.iter().try_fold(1_u64, |product, n| product.checked_mul(*n));
                Shape::Vector(total.filter(|n| *n <= u64::from(u32::MAX)).map_or(Dim::Unknown, Dim::Known))
            }
            (None, [channels, Dim::Known(1), Dim::Known(1)]) => Shape::Vector(channels),
            _ if self.shape.is_unknown() => Shape::Vector(Dim::Unknown),
            _ => {
                let message = format!(
                    "`flatten` would have to multiply {}, but a const generic has no value when the network is checked\n  fix: use `global_avg_pool`, or declare the size as a number",
                    self.show(self.shape)
                );
                errors.on(&self.layer.word, message);
                Shape::Vector(Dim::Unknown)
            }
        };
        draft
    }

    fn linear(&self, errors: &mut Errors) -> Draft {
        let mut draft = self.same(quote!(Flatten), "linear".into());
        let out = self.args.size("out", errors);
        let bias = self.args.flag("bias", true, errors);
        draft.shape = Shape::Vector(out);
        let inputs = match self.shape {
            Shape::Vector(n) => n,
            Shape::Unknown => Dim::Unknown,
            Shape::Map(_) => {
                let message = format!(
                    "{} needs a vector, but gets the feature map {}\n  trace: {}\n  fix: insert `flatten;` (or `global_avg_pool;`) before it",
                    self.name(),
                    self.show(self.shape),
                    self.trace
                );
                errors.on(&self.layer.word, message);
                Dim::Unknown
            }
        };
        draft.params = vec![param("weight", vec![out, inputs])];
        if bias {
            draft.params.push(param("bias", vec![out]));
        }
        draft.macs = product(&[out, inputs]);
        let name = if bias { "Linear" } else { "UnbiasedLinear" };
        draft.module = Some(Module { name, sizes: vec![inputs, out] });
        draft.span = self.spread.map(Dim::count);
        draft.spread = [Dim::Known(1); 2];
        draft.op = quote!(Linear { bias: #bias });
        draft
    }

    fn batch_norm(&self, errors: &mut Errors) -> Draft {
        let mut draft = self.same(quote!(Flatten), "batch_norm".into());
        let eps = self.args.float("eps", 1e-5, errors).unwrap_or(1e-5);
        let momentum = self.args.float("momentum", 0.1, errors).unwrap_or(0.1);
        if eps <= 0.0 {
            self.args.fault("eps", errors, "`eps` must be above 0");
        }
        if !(0.0..=1.0).contains(&momentum) {
            self.args.fault("momentum", errors, "`momentum` is the weight of the new batch, from 0 to 1");
        }
        let [channels, ..] = self.shape.chw();
        let buffer = |name| Param { name, shape: vec![channels], trainable: false };
        draft.params = vec![
            param("weight", vec![channels]),
            param("bias", vec![channels]),
            buffer("running_mean"),
            buffer("running_var"),
        ];
        draft.module = Some(Module { name: "BatchNorm", sizes: vec![channels] });
        draft.op = quote!(BatchNorm { eps: #eps, momentum: #momentum });
        draft
    }

    fn lrn(&self, errors: &mut Errors) -> Draft {
        self.map(errors);
        let n = self.args.count("size", 1, errors).unwrap_or(1);
        let float = |name, default, errors: &mut Errors| self.args.float(name, default, errors).unwrap_or(default);
        let (alpha, beta, k) = (float("alpha", 1e-4, errors), float("beta", 0.75, errors), float("k", 1.0, errors));
        let size = literal(n);
        self.same(quote!(Lrn { size: #size, alpha: #alpha, beta: #beta, k: #k }), format!("lrn {n}"))
    }

    fn dropout(&self, errors: &mut Errors) -> Draft {
        let p = self.args.float("p", 0.5, errors).unwrap_or(0.5);
        if !(0.0..1.0).contains(&p) {
            self.args.fault(
                "p",
                errors,
                format!("`p` is the share of elements that are dropped, from 0 to below 1, not {p}"),
            );
        }
        self.same(quote!(Dropout { p: #p }), format!("dropout {p}"))
    }

    fn prelu(&self, errors: &mut Errors) -> Draft {
        let per_channel = self.args.flag("per_channel", false, errors);
        let mut draft = self.same(quote!(Prelu { per_channel: #per_channel }), "prelu".into());
        let [channels, ..] = self.shape.chw();
        let slopes = if per_channel { channels } else { Dim::Known(1) };
        draft.params = vec![param("weight", vec![slopes])];
        draft.module = Some(Module { name: "Prelu", sizes: vec![slopes] });
        draft
    }

    fn activation(&self, word: &str, errors: &mut Errors) -> Draft {
        let camel: String = word.split('_').map(capital).collect();
        let variant = format_ident!("{camel}");
        let value = match word {
            "leaky_relu" => self.args.float("slope", 0.01, errors).or(Some(0.01)),
            "elu" => self.args.float("alpha", 1.0, errors).or(Some(1.0)),
            _ => None,
        };
        let value = value.map(|value| quote!((#value)));
        self.same(quote!(Activation(::convnet::graph::Activation::#variant #value)), word.into())
    }
}

/// `relu` as `Relu`.
pub fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// The windows of a convolution or pooling; pairs are for height and width.
struct Window {
    kernel: [u64; 2],
    stride: [u64; 2],
    dilation: [u64; 2],
    pad: [(u64, u64); 2],
    ceil: bool,
    pools: bool,
}

fn pool_op(kind: &TokenStream, kernel: &TokenStream, stride: &TokenStream, pad: &TokenStream) -> TokenStream {
    quote!(Pool(::convnet::graph::Pool {
        kind: ::convnet::graph::PoolKind::#kind, kernel: #kernel, stride: #stride, pad: ::convnet::graph::Pad #pad,
    }))
}
