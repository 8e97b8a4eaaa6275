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
            other => return Err(format!("its mode is {other}, and `pad` has constant, reflect and replicate")),
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
        if (first, last) != (0, dims[0]) || parts[0].2 != 1 {
            return Err(format!(
                "it takes the channels {first} to {last} of {}, and the language has no such slice",
                dims[0]
            ));
        }
        let cut = [down.0, dims[1].saturating_sub(down.1), across.0, dims[2].saturating_sub(across.1)];
        let mut value = input;
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

    pub(super) fn resize(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        let [_, height, width] = self.map(input)?;
        let factor = self.factors(node, attributes, [height, width])?;
        let [Some(down), Some(across)] = factor else {
            return Err("it does not enlarge by whole numbers, as `upsample` does".into());
        };
        if [down, across] == [1, 1] {
            return Ok(input);
        }
        let mode = attributes.text("mode").unwrap_or("nearest");
        // Until version 11 there was nothing to choose.
        let old = node.op_type == "Upsample" || self.opset < 11;
        let place =
            attributes.text("coordinate_transformation_mode").unwrap_or(if old { "asymmetric" } else { "half_pixel" });
        let rounding = attributes.text("nearest_mode").unwrap_or(if old { "floor" } else { "round_prefer_floor" });
        let is_half = matches!(place, "half_pixel" | "pytorch_half_pixel");
        let bilinear = match (mode, place, rounding) {
            ("nearest", "asymmetric", "floor") => false,
            // By whole factors no pixel lies in the middle of two.
            ("nearest", _, "round_prefer_floor" | "round_prefer_ceil") if is_half => false,
            ("linear", ..) if is_half => true,
            _ => {
                return Err(format!(
                    "it is {mode}, {place}, {rounding}; `upsample` is nearest or bilinear by half pixels"
                ));
            }
        };
        let mut args = vec![("scale", Value::pair([down, across]))];
        if bilinear {
            args.push(("bilinear", Value::Flag(true)));
        }
        self.layer(Layer::new("upsample", args), input, Vec::new())
    }

    /// How many times larger height and width become, where that is a whole number.
    fn factors(
        &self,
        node: &'a proto::Node,
        attributes: Attributes<'a>,
        [height, width]: [usize; 2],
    ) -> Result<[Option<usize>; 2], Reason> {
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
                let whole = |scale: f32| (scale >= 1.0 && scale.fract() == 0.0).then_some(scale as usize);
                Ok([whole(scales[at]), whole(scales[at + 1])])
            }
            (None, Some(sizes)) => {
                let at = last(sizes.len()).ok_or("it has no two sizes")?;
                let whole = |size: Option<i64>, extent: usize| {
                    let size = usize::try_from(size?).ok()?;
                    (size >= extent && size.is_multiple_of(extent)).then(|| size / extent)
                };
                Ok([whole(sizes[at].number(), height), whole(sizes[at + 1].number(), width)])
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
}
