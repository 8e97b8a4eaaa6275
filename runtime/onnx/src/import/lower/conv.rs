//! What multiplies by weights: convolutions, transposed ones, linear layers.

use super::{Attributes, Lowering, Reason, said_by_us, weight};
use crate::import::draft::{Id, Layer, Op, Step, Value, Weight};
use crate::proto;

impl<'a> Lowering<'a> {
    pub(super) fn conv(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let mut input = self.given(node, 0)?;
        let [channels, ..] = self.map(input)?;
        let [out, _, tall, wide] = self.kernel(node)?;
        let kernel = [tall, wide];
        let (stride, dilation) = (attributes.pair("strides", 1)?, attributes.pair("dilations", 1)?);
        let groups = groups(attributes, channels)?;
        let weights = self.weighed(node, out, [out, channels / groups, tall, wide])?;
        let (mut pad, same) = self.pads(input, attributes, kernel, stride, dilation)?;
        let is_counted = matches!(attributes.text("auto_pad").unwrap_or("NOTSET"), "NOTSET" | "VALID");
        if let Some((inner, more)) = self.zeros_before(node, input).filter(|_| is_counted) {
            input = inner;
            pad.iter_mut().zip(more).for_each(|(pad, more)| *pad += more);
        }
        if said_by_us(node, "linear") && kernel == [1, 1] {
            let weights = weights.into_iter().enumerate().map(|(i, weight)| match i {
                0 => Weight { shape: vec![out, channels], ..weight },
                _ => weight,
            });
            return self.pixel_linear(input, weights.collect());
        }
        let pad = if same { Value::Word("same") } else { Value::sides(pad) };
        let bias = ("bias", Value::Flag(weights.len() == 2));
        let window = [("kernel", Value::pair(kernel)), ("stride", Value::pair(stride)), ("pad", pad)];
        let dilation = ("dilation", Value::pair(dilation));
        let layer = match groups == channels && channels > 1 && out % channels == 0 {
            true => {
                let multiplier = ("multiplier", Value::Number(out / channels));
                Layer::new("depthwise", window.into_iter().chain([dilation, multiplier, bias]).collect())
            }
            false => {
                let out = ("out", Value::Number(out));
                let groups = ("groups", Value::Number(groups));
                Layer::new("conv", std::iter::once(out).chain(window).chain([dilation, groups, bias]).collect())
            }
        };
        self.layer(layer, input, weights)
    }

    /// The four dimensions of a weight.
    fn kernel(&self, node: &'a proto::Node) -> Result<[usize; 4], Reason> {
        let constant = self.constant(node, 1).ok_or("its weights are computed")?;
        let found: Result<[usize; 4], _> = constant.shape.as_slice().try_into();
        match (found, constant.shape.len()) {
            (Ok(shape), _) if shape.contains(&0) => Err(format!("its weights have the shape {shape:?}")),
            (Ok(shape), _) => Ok(shape),
            (Err(_), 3) => Err("it is a convolution of one dimension; those of the language have two".into()),
            (Err(_), 5) => Err("it is a convolution of three dimensions; those of the language have two".into()),
            (Err(_), rank) => Err(format!("its weights have {rank} dimensions, not four")),
        }
    }

    /// Weight and, if there is one, bias.
    fn weighed(&self, node: &'a proto::Node, out: usize, shape: [usize; 4]) -> Result<Vec<Weight>, Reason> {
        let mut weights = vec![self.weight(node, 1, &shape)?];
        if self.has(node, 2) {
            weights.push(self.weight(node, 2, &[out])?);
        }
        Ok(weights)
    }

    /// Zeros that are put around a map for this convolution alone, and the map before.
    fn zeros_before(&self, node: &'a proto::Node, input: Id) -> Option<(Id, [usize; 4])> {
        let layer =
            self.draft.layer(input).filter(|layer| layer.word == "pad" && !self.own && self.is_alone(node, 0))?;
        let sides = layer.arg("amount")?.as_sides()?;
        let zero = layer.args.iter().all(|(name, value)| *name == "amount" || layer.is_default(name, value));
        zero.then(|| Some((*self.draft.nodes[input].inputs.first()?, sides))).flatten()
    }

    /// Padding at top, bottom, left and right, and whether it is the language's `same`.
    pub(super) fn pads(
        &self,
        input: Id,
        attributes: Attributes<'_>,
        kernel: [usize; 2],
        stride: [usize; 2],
        dilation: [usize; 2],
    ) -> Result<([usize; 4], bool), Reason> {
        let [_, height, width] = self.map(input)?;
        let same = |i: usize, extent: usize| {
            let span = dilation[i].saturating_mul(kernel[i].saturating_sub(1)).saturating_add(1);
            let reach = (extent.div_ceil(stride[i].max(1)) - 1).saturating_mul(stride[i]).saturating_add(span);
            reach.saturating_sub(extent)
        };
        match attributes.text("auto_pad").unwrap_or("NOTSET") {
            "NOTSET" => match attributes.sizes("pads")?.as_deref() {
                None => Ok(([0; 4], false)),
                Some([top, left, bottom, right]) => Ok(([*top, *bottom, *left, *right], false)),
                Some(_) => Err("its padding is not that of two dimensions".into()),
            },
            "VALID" => Ok(([0; 4], false)),
            which @ ("SAME_UPPER" | "SAME_LOWER") => {
                let (down, across) = (same(0, height), same(1, width));
                let (less, more) = (down / 2, across / 2);
                match which {
                    "SAME_UPPER" => Ok(([less, down - less, more, across - more], true)),
                    _ => Ok(([down - less, less, across - more, more], false)),
                }
            }
            other => Err(format!("its auto_pad is {other}")),
        }
    }

    pub(super) fn conv_transpose(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        let [channels, height, width] = self.map(input)?;
        let [_, per_group, tall, wide] = self.kernel(node)?;
        let kernel = [tall, wide];
        let (stride, dilation) = (attributes.pair("strides", 1)?, attributes.pair("dilations", 1)?);
        let groups = groups(attributes, channels)?;
        let out = per_group.saturating_mul(groups);
        let weights = self.weighed(node, out, [channels, per_group, tall, wide])?;
        let mut more = attributes.pair("output_padding", 0)?;
        let reach = |i: usize, input: usize| {
            let spread = (input - 1).saturating_mul(stride[i]);
            spread.saturating_add(dilation[i].saturating_mul(kernel[i] - 1)).saturating_add(1 + more[i])
        };
        let whole = [reach(0, height), reach(1, width)];
        let auto = attributes.text("auto_pad").unwrap_or("NOTSET");
        let wanted = match attributes.sizes("output_shape")?.as_deref() {
            Some([.., height, width]) => Some([*height, *width]),
            Some(_) => return Err("its output_shape has no two dimensions".into()),
            None if auto.starts_with("SAME") => {
                Some([height.saturating_mul(stride[0]), width.saturating_mul(stride[1])])
            }
            None => None,
        };
        let [top, bottom, left, right] = match wanted {
            None => self.pads(input, attributes, kernel, stride, dilation)?.0,
            Some(wanted) => {
                // What is asked for and not there comes at the end.
                (0..2).for_each(|i| more[i] = more[i].saturating_add(wanted[i].saturating_sub(whole[i])));
                let cut = [0, 1].map(|i| whole[i].saturating_sub(wanted[i]));
                let half = cut.map(|cut| if auto == "SAME_UPPER" { cut / 2 } else { cut.div_ceil(2) });
                [half[0], cut[0] - half[0], half[1], cut[1] - half[1]]
            }
        };
        // Less cut off at the end is output padding, up to what the language takes.
        let open = [(top, bottom, 0), (left, right, 1)].map(|(before, after, i)| {
            let sum = more[i].saturating_add(before).checked_sub(after)?;
            (sum < stride[i].max(dilation[i])).then_some(sum)
        });
        let [pad, output_pad, crop] = match open {
            [Some(down), Some(across)] => [vec![top, left], vec![down, across], vec![]],
            _ => [vec![0, 0], more.to_vec(), vec![top, bottom, left, right]],
        };
        let layer = Layer::new(
            "conv_transpose",
            vec![
                ("out", Value::Number(out)),
                ("kernel", Value::pair(kernel)),
                ("stride", Value::pair(stride)),
                ("pad", Value::pair([pad[0], pad[1]])),
                ("output_pad", Value::pair([output_pad[0], output_pad[1]])),
                ("dilation", Value::pair(dilation)),
                ("groups", Value::Number(groups)),
                ("bias", Value::Flag(weights.len() == 2)),
            ],
        );
        let value = self.layer(layer, input, weights)?;
        self.cropped(value, &crop)
    }

    /// A value without these pixels at its sides, if there are any to take.
    fn cropped(&mut self, value: Id, sides: &[usize]) -> Result<Id, Reason> {
        let Ok(sides) = <[usize; 4]>::try_from(sides) else { return Ok(value) };
        self.layer(Layer::new("crop", vec![("amount", Value::sides(sides))]), value, Vec::new())
    }

    pub(super) fn gemm(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        if self.dims(input).len() != 1 {
            return Err(format!("it reads a value of {} dimensions, not vectors", self.dims(input).len() + 1));
        }
        if attributes.flag("transA") {
            return Err("its first matrix is transposed".into());
        }
        let factor = |name: &str| attributes.float(name).unwrap_or(1.0);
        let mut weights = vec![self.matrix(node, input, attributes.flag("transB"))?];
        let out = weights[0].shape[0];
        if self.has(node, 2) {
            let bias = self.constant(node, 2).ok_or("its bias is computed")?;
            let bias = match bias.len() {
                1 if out != 1 => weight(&bias, &[1], None).map(|one| spread(&one, out)),
                _ => weight(&bias, &[out], node.input.get(2).cloned()),
            };
            weights.push(bias?);
        }
        for (one, factor) in weights.iter_mut().zip([factor("alpha"), factor("beta")]) {
            if factor != 1.0 {
                *one = Weight {
                    values: one.values.iter().map(|value| value * factor).collect(),
                    name: None,
                    ..one.clone()
                };
            }
        }
        self.linear(input, weights)
    }

    fn linear(&mut self, input: Id, weights: Vec<Weight>) -> Result<Id, Reason> {
        let (out, bias) = (weights[0].shape[0], weights.len() == 2);
        let layer = Layer::new("linear", vec![("out", Value::Number(out)), ("bias", Value::Flag(bias))]);
        self.layer(layer, input, weights)
    }

    /// A linear layer at each pixel of a map.
    fn pixel_linear(&mut self, map: Id, weights: Vec<Weight>) -> Result<Id, Reason> {
        let (out, bias) = (("out", Value::Number(weights[0].shape[0])), ("bias", Value::Flag(weights.len() == 2)));
        self.layer(Layer::new("linear", vec![out, bias, ("each_pixel", Value::Flag(true))]), map, weights)
    }

    /// The matrix of a linear layer, `[out, in]`, as it is in the file or transposed, for the channels of a map or the numbers of a vector.
    fn matrix(&self, node: &'a proto::Node, input: Id, is_transposed: bool) -> Result<Weight, Reason> {
        let constant = self.constant(node, 1).ok_or("its second matrix is computed")?;
        let ([inputs] | [inputs, _, _]) = self.dims(input) else {
            return Err(format!("it reads a value of {} dimensions, not vectors", self.dims(input).len() + 1));
        };
        let [rows, columns] = constant.shape[..] else {
            return Err(format!("its matrix has the shape {:?}", constant.shape));
        };
        let (out, given) = if is_transposed { (rows, columns) } else { (columns, rows) };
        if given != *inputs {
            return Err(format!("its matrix is for {given} numbers, and it reads {inputs}"));
        }
        if is_transposed {
            return weight(&constant, &[out, given], node.input.get(1).cloned());
        }
        let values = constant.as_floats().ok_or("its matrix has no numbers")?;
        let turned = (0..out).flat_map(|o| (0..given).map(move |i| i * out + o)).map(|at| values[at]).collect();
        Ok(Weight { shape: vec![out, given], values: turned, name: node.input.get(1).cloned() })
    }

    pub(super) fn matmul(&mut self, node: &'a proto::Node) -> Result<Id, Reason> {
        if let (Ok(input), Some(_)) = (self.given(node, 0), self.constant(node, 1))
            && self.dims(input).len() == 1
        {
            let weight = self.matrix(node, input, false)?;
            return self.linear(input, vec![weight]);
        }
        if let (Ok(input), Some(_)) = (self.given(node, 0), self.constant(node, 1))
            && let Some(map) = self.channels_first(input)
        {
            let weight = self.matrix(node, map, false)?;
            let made = self.pixel_linear(map, vec![weight])?;
            return self.channels_last(made);
        }
        // Bins of an adaptive pool are two products, first over columns, then over rows.
        let (input, constant, left) = match (self.given(node, 0), self.given(node, 1)) {
            (Ok(input), Err(_)) => (input, self.constant(node, 1), false),
            (Err(_), Ok(input)) => (input, self.constant(node, 0), true),
            _ => return Err("it multiplies two values that the network computes".into()),
        };
        let constant = constant.ok_or("one of its inputs is missing")?;
        let [channels, height, width] = self.map(input)?;
        let [rows, columns] = constant.shape[..] else {
            return Err("one of its inputs is no matrix".into());
        };
        let dims = match left {
            true if columns == height => vec![channels, rows, width],
            false if rows == width => vec![channels, height, columns],
            _ => return Err("its matrices do not fit".into()),
        };
        if let (true, Some((Step::Matrix { constant: across, left: false }, inner))) = (left, self.draft.step(input)) {
            let [_, height, width] = self.map(inner)?;
            let [out_height, out_width] = [rows, self.dims(input)[2]];
            let turned: Option<Vec<f32>> = across.as_floats().map(|values| {
                (0..out_width).flat_map(|o| (0..width).map(move |i| i * out_width + o)).map(|at| values[at]).collect()
            });
            let rows = constant.as_floats();
            let are = |matrix: fn(usize, usize) -> Vec<f32>| {
                let [columns, rows] = [turned.as_deref(), rows.as_deref()];
                columns == Some(&matrix(width, out_width)[..]) && rows == Some(&matrix(height, out_height)[..])
            };
            if are(crate::bins::shares) {
                let (h, w) = (("height", Value::Number(out_height)), ("width", Value::Number(out_width)));
                return self.layer(Layer::new("adaptive_avg_pool", vec![h, w]), inner, Vec::new());
            }
            if are(crate::bins::antialiased) {
                let size = ("size", Value::pair([out_height, out_width]));
                let args = vec![size, ("bilinear", Value::Flag(true)), ("antialias", Value::Flag(true))];
                return self.layer(Layer::new("resize", args), inner, Vec::new());
            }
        }
        Ok(self.step(Step::Matrix { constant, left }, vec![input], dims))
    }

    /// A layer without a bias that nobody else reads, with this one.
    pub(super) fn with_bias(&mut self, id: Id, bias: Weight) -> Option<Id> {
        let mut node = self.draft.nodes[id].clone();
        let Op::Layer(layer) = &mut node.op else { return None };
        let takes = matches!(layer.word, "conv" | "depthwise" | "conv_transpose" | "linear") && !layer.flag("bias");
        let out = node.dims.first() == bias.shape.first();
        if !takes || !out || node.weights.len() != 1 {
            return None;
        }
        layer.set("bias", Value::Flag(true));
        node.weights.push(bias);
        Some(self.draft.push(node))
    }
}

fn groups(attributes: Attributes<'_>, channels: usize) -> Result<usize, Reason> {
    let groups = attributes.int("group").unwrap_or(1);
    let found = usize::try_from(groups).ok().filter(|groups| *groups > 0 && channels.is_multiple_of(*groups));
    found.ok_or_else(|| format!("its {channels} channels are in {groups} groups"))
}

/// One number for each output.
fn spread(one: &Weight, out: usize) -> Weight {
    let value = one.values.first().copied().unwrap_or(0.0);
    Weight { shape: vec![out], values: vec![value; out].into(), name: None }
}
