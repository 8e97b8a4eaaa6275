//! What moves pixels and channels.

use super::{Attributes, Lowering, Reason};
use crate::import::draft::{Id, Layer, Value};
use crate::proto;

impl<'a> Lowering<'a> {
    pub(super) fn pad(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        self.map(input)?;
        let said = match attributes.ints("pads").or(attributes.ints("paddings")) {
            Some(pads) => pads.to_vec(),
            None => self.constant(node, 1).and_then(|pads| pads.numbers()).ok_or("its padding is computed")?,
        };
        let pads = match (self.has(node, 3), said.len()) {
            (false, 8) => said,
            (true, _) => self.placed(node, &said)?,
            _ => return Err(format!("its padding is {said:?}")),
        };
        let fill = match (attributes.float("value"), self.has(node, 2)) {
            (Some(value), _) => f64::from(value),
            (None, false) => 0.0,
            (None, true) => self.constant(node, 2).and_then(|value| value.scalar()).ok_or("its value is computed")?,
        };
        let mode = attributes.text("mode").unwrap_or("constant");
        let [first, before, top, left, last, after, bottom, right] = pads[..] else { return Err(String::new()) };
        if (first, last) != (0, 0) {
            return Err("it pads the dimension of images".into());
        }
        let positive = |side: i64| usize::try_from(side.max(0)).unwrap_or(0);
        let mut value = input;
        if (before, after) != (0, 0) {
            if before < 0 || after < 0 || mode != "constant" || fill != 0.0 {
                return Err("it pads channels with something else than zeros".into());
            }
            let ends = match before == after {
                true => Value::Number(positive(before)),
                false => Value::Numbers(vec![positive(before), positive(after)]),
            };
            value = self.layer(Layer::new("channel_pad", vec![("amount", ends)]), value, Vec::new())?;
        }
        let sides = [top, bottom, left, right];
        let cut = sides.map(|side| positive(side.saturating_neg()));
        if cut != [0; 4] {
            value = self.layer(Layer::new("crop", vec![("amount", Value::sides(cut))]), value, Vec::new())?;
        }
        let more = sides.map(positive);
        if more == [0; 4] {
            return Ok(value);
        }
        let how = match mode {
            "constant" => ("value", Value::Decimal(fill)),
            "reflect" => ("reflect", Value::Flag(true)),
            "edge" => ("replicate", Value::Flag(true)),
            "wrap" => ("circular", Value::Flag(true)),
            other => {
                return Err(format!("its mode is {other}, and `pad` has constant, reflect, replicate and circular"));
            }
        };
        self.layer(Layer::new("pad", vec![("amount", Value::sides(more)), how]), value, Vec::new())
    }

    /// Padding of some dimensions as that of all.
    fn placed(&self, node: &'a proto::Node, said: &[i64]) -> Result<Vec<i64>, Reason> {
        let axes = self.constant(node, 3).and_then(|axes| axes.numbers()).ok_or("its axes are computed")?;
        let mut pads = vec![0; 8];
        for (i, axis) in axes.iter().enumerate() {
            let at = usize::try_from(if *axis < 0 { axis.saturating_add(4) } else { *axis }).ok().filter(|at| *at < 4);
            let (Some(at), Some(before), Some(after)) = (at, said.get(i), said.get(i + axes.len())) else {
                return Err("its axes are not those of its padding".into());
            };
            (pads[at], pads[at + 4]) = (*before, *after);
        }
        Ok(pads)
    }

    pub(super) fn slice(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        let dims = self.map(input)?;
        let list = |name: &str, i: usize| match attributes.ints(name) {
            Some(values) => Ok(Some(values.to_vec())),
            None if !self.has(node, i) => Ok(None),
            None => match self.constant(node, i).and_then(|constant| constant.numbers()) {
                Some(values) => Ok(Some(values)),
                None => Err(format!("its {name} are computed")),
            },
        };
        let starts = list("starts", 1)?.ok_or("it has no starts")?;
        let ends = list("ends", 2)?.ok_or("it has no ends")?;
        let axes = list("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = list("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
        let mut parts = [(0, dims[0], 1), (0, dims[1], 1), (0, dims[2], 1)];
        for (((start, end), axis), step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
            let axis = if *axis < 0 { axis.saturating_add(4) } else { *axis };
            let whole = *start == 0 && *end >= i64::from(i32::MAX) && *step == 1;
            if axis == 0 && whole {
                continue;
            }
            let at = usize::try_from(axis - 1).ok().filter(|at| *at < 3).ok_or("it takes some of the images")?;
            let extent = dims[at] as i64;
            let place = |at: i64| (if at < 0 { at.saturating_add(extent) } else { at }).clamp(0, extent) as usize;
            let step = usize::try_from(*step).ok().filter(|step| *step > 0).ok_or("it goes backwards")?;
            parts[at] = (place(*start), place(*end), step);
        }
        let [(first, last, _), down, across] = parts;
        if parts[0].2 != 1 {
            return Err(format!("it takes every {}th channel", parts[0].2));
        }
        let cut = [down.0, dims[1].saturating_sub(down.1), across.0, dims[2].saturating_sub(across.1)];
        let mut value = self.channels(input, first, last)?;
        if cut != [0; 4] {
            value = self.layer(Layer::new("crop", vec![("amount", Value::sides(cut))]), value, Vec::new())?;
        }
        if (down.2, across.2) != (1, 1) {
            // Every other pixel is the mean of one.
            let stride = Value::pair([down.2, across.2]);
            let every = Layer::new("avg_pool", vec![("kernel", Value::Number(1)), ("stride", stride)]);
            value = self.layer(every, value, Vec::new())?;
        }
        Ok(value)
    }

    /// The channels from `first` to before `last`.
    fn channels(&mut self, input: Id, first: usize, last: usize) -> Result<Id, Reason> {
        let [channels, ..] = self.map(input)?;
        let ends = [first, channels.saturating_sub(last)];
        match ends {
            [0, 0] => Ok(input),
            [before, after] if before == after => {
                self.layer(Layer::new("channel_crop", vec![("amount", Value::Number(before))]), input, Vec::new())
            }
            ends => {
                let amount = vec![("amount", Value::Numbers(ends.to_vec()))];
                self.layer(Layer::new("channel_crop", amount), input, Vec::new())
            }
        }
    }

    /// The parts of a value along its channels, one for each output.
    pub(super) fn split(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Vec<Id>, Reason> {
        let input = self.given(node, 0)?;
        let [channels, ..] = self.map(input)?;
        let axis = attributes.int("axis").unwrap_or(0);
        if axis != 1 && axis != -3 {
            return Err(format!("it cuts dimension {axis} up, and `split` shares channels out"));
        }
        let parts = node.output.len();
        let said = match attributes.ints("split") {
            Some(sizes) => Some(sizes.to_vec()),
            None if self.has(node, 1) => {
                Some(self.constant(node, 1).and_then(|sizes| sizes.numbers()).ok_or("its sizes are computed")?)
            }
            None => None,
        };
        let each = channels.div_ceil(parts.max(1));
        let sizes = match said {
            Some(sizes) => sizes.iter().map(|size| usize::try_from(*size).ok()).collect::<Option<Vec<_>>>(),
            None => Some((0..parts).map(|i| each.min(channels.saturating_sub(i * each))).collect()),
        };
        let sizes = sizes.filter(|sizes| sizes.len() == parts).ok_or("its sizes are not those of its outputs")?;
        let mut first = 0_usize;
        let mut found = Vec::new();
        for size in sizes {
            let last = first.saturating_add(size);
            found.push(self.channels(input, first, last)?);
            first = last;
        }
        match first == channels {
            true => Ok(found),
            false => Err(format!("its parts have {first} channels, and its input {channels}")),
        }
    }

    pub(super) fn resize(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        let [_, height, width] = self.map(input)?;
        let to = self.resized_to(node, attributes, [height, width])?;
        if to == [height, width] {
            return Ok(input);
        }
        let factor = |i: usize, extent: usize| to[i].is_multiple_of(extent).then_some(to[i] / extent);
        let factors = factor(0, height).zip(factor(1, width));
        let mode = attributes.text("mode").unwrap_or("nearest");
        // Until version 11 there was nothing to choose.
        let old = node.op_type == "Upsample" || self.opset < 11;
        let place =
            attributes.text("coordinate_transformation_mode").unwrap_or(if old { "asymmetric" } else { "half_pixel" });
        let rounding = attributes.text("nearest_mode").unwrap_or(if old { "floor" } else { "round_prefer_floor" });
        // The latter takes the first pixel, and not the middle, where one is left.
        let is_first = (to[0] == 1 && height > 1) || (to[1] == 1 && width > 1);
        let is_half = place == "half_pixel" || place == "pytorch_half_pixel" && !is_first;
        let bilinear = match (mode, place, rounding) {
            ("nearest", "asymmetric", "floor") => false,
            // By whole factors no pixel lies in the middle of two.
            ("nearest", _, "round_prefer_floor" | "round_prefer_ceil") if is_half && factors.is_some() => false,
            ("linear", ..) if is_half => true,
            _ => {
                return Err(format!(
                    "it is {mode}, {place}, {rounding}; `resize` is nearest, rounded down, or bilinear by half pixels"
                ));
            }
        };
        let antialias = attributes.flag("antialias");
        let how = bilinear.then_some(("bilinear", Value::Flag(true)));
        match factors {
            Some((down, across)) if !antialias && !self.is_resize(node) => {
                let args = std::iter::once(("scale", Value::pair([down, across]))).chain(how).collect();
                self.layer(Layer::new("upsample", args), input, Vec::new())
            }
            _ => {
                let mut args: Vec<_> = std::iter::once(("size", Value::pair(to))).chain(how).collect();
                if antialias {
                    args.push(("antialias", Value::Flag(true)));
                }
                self.layer(Layer::new("resize", args), input, Vec::new())
            }
        }
    }

    /// Whether a file of ours says that it is a `resize`, which may be one by whole factors, too.
    fn is_resize(&self, node: &proto::Node) -> bool {
        self.own && node.input.len() > 3
    }

    /// Height and width of what comes out.
    fn resized_to(
        &self,
        node: &'a proto::Node,
        attributes: Attributes<'a>,
        [height, width]: [usize; 2],
    ) -> Result<[usize; 2], Reason> {
        let scales_at = if node.op_type == "Resize" && self.opset >= 11 { 2 } else { 1 };
        let scales: Option<Vec<f32>> = match attributes.floats("scales") {
            Some(scales) => Some(scales.to_vec()),
            None => self.constant(node, scales_at).and_then(|scales| scales.as_floats()).map(|scales| scales.to_vec()),
        };
        let sizes = self.constant(node, 3).and_then(|sizes| sizes.as_whole().map(<[_]>::to_vec));
        if attributes.text("keep_aspect_ratio_policy").is_some_and(|policy| policy != "stretch") {
            return Err("it keeps the ratio of height and width".into());
        }
        let axes: Option<Vec<i64>> = attributes
            .ints("axes")
            .map(|axes| axes.iter().map(|axis| if *axis < 0 { axis + 4 } else { *axis }).collect());
        if axes.is_some_and(|axes| !axes.is_sorted() || !axes.ends_with(&[2, 3])) {
            return Err("it resizes other dimensions than height and width, or in another order".into());
        }
        let last = |len: usize| (len >= 2).then(|| len - 2);
        match (scales.filter(|scales| !scales.is_empty()), sizes) {
            (Some(scales), _) => {
                let at = last(scales.len()).ok_or("it has no two scales")?;
                if scales[..at].iter().any(|scale| *scale != 1.0) {
                    return Err("it changes the number of channels or images".into());
                }
                // Rounded down, as ONNX has it; by another scale than that of both sizes, pixels would lie elsewhere.
                let side = |scale: f32, extent: usize| {
                    let size = (f64::from(scale) * extent as f64).floor();
                    let is_even = (size / extent as f64 - f64::from(scale)).abs() < 1e-6 * f64::from(scale);
                    ((1.0..1e9).contains(&size) && is_even).then_some(size as usize)
                };
                let sides = side(scales[at], height).zip(side(scales[at + 1], width));
                sides.map(|(h, w)| [h, w]).ok_or_else(|| {
                    format!(
                        "it makes {height}x{width} larger by {:?}, which is no whole number of pixels",
                        &scales[at..]
                    )
                })
            }
            (None, Some(sizes)) => {
                let at = last(sizes.len()).ok_or("it has no two sizes")?;
                let side = |size: Option<i64>| usize::try_from(size?).ok().filter(|size| *size > 0);
                let sides = side(sizes[at].number()).zip(side(sizes[at + 1].number()));
                sides.map(|(h, w)| [h, w]).ok_or_else(|| "its sizes are no numbers of pixels".into())
            }
            (None, None) => Err("its scales are computed".into()),
        }
    }

    pub(super) fn depth_to_space(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let mut value = self.given(node, 0)?;
        let side =
            attributes.int("blocksize").and_then(|side| usize::try_from(side).ok()).ok_or("it has no blocksize")?;
        if attributes.text("mode").unwrap_or("DCR") != "CRD" {
            // The channels of a pixel are the slowest there.
            let groups = Value::Number(side.saturating_mul(side));
            value = self.layer(Layer::new("channel_shuffle", vec![("groups", groups)]), value, Vec::new())?;
        }
        self.layer(Layer::new("pixel_shuffle", vec![("factor", Value::Number(side))]), value, Vec::new())
    }

    /// Squares that become channels, the place in the square before the channel: a shuffle brings the channel first.
    pub(super) fn space_to_depth(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        let [channels, ..] = self.map(input)?;
        let side =
            attributes.int("blocksize").and_then(|side| usize::try_from(side).ok()).ok_or("it has no blocksize")?;
        let layer = Layer::new("pixel_unshuffle", vec![("factor", Value::Number(side))]);
        let value = self.layer(layer, input, Vec::new())?;
        self.layer(Layer::new("channel_shuffle", vec![("groups", Value::Number(channels))]), value, Vec::new())
    }
}
