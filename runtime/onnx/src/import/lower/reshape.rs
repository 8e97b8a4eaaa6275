//! The same numbers in another shape or order: flattening, shuffled channels, groups that are channels for a while.

use super::{Attributes, Lowering, Reason};
use crate::import::constant::Whole;
use crate::import::draft::{Id, Layer, Node, Op, Step, Value};
use crate::proto;

impl<'a> Lowering<'a> {
    pub(super) fn reshape(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        let dims = self.dims(input).to_vec();
        let rank = dims.len() as i64 + 1;
        let axes = || -> Result<Vec<usize>, Reason> {
            let said = match attributes.ints("axes") {
                Some(axes) => Some(axes.to_vec()),
                None => self.constant(node, 1).and_then(|axes| axes.numbers()),
            };
            let rank = if node.op_type == "Unsqueeze" { rank + said.as_ref().map_or(0, Vec::len) as i64 } else { rank };
            let all: Vec<i64> = match said {
                Some(said) => said,
                // All of one.
                None => dims.iter().zip(1..).filter(|(size, _)| **size == 1).map(|(_, axis)| axis).collect(),
            };
            let place = |axis: &i64| usize::try_from(if *axis < 0 { axis.saturating_add(rank) } else { *axis }).ok();
            let mut places =
                all.iter().map(place).collect::<Option<Vec<_>>>().ok_or("its axes are not those of its input")?;
            places.sort_unstable();
            match places.contains(&0) {
                true => Err("it changes the dimension of images".into()),
                false => Ok(places),
            }
        };
        let to = match node.op_type.as_str() {
            "Flatten" => match attributes.int("axis").unwrap_or(1) {
                axis if axis == 1 || axis.saturating_add(rank) == 1 => vec![dims.iter().product()],
                axis => return Err(format!("it flattens from dimension {axis} on, and `flatten` all of an image")),
            },
            "Squeeze" => {
                let axes = axes()?;
                let kept = dims.iter().zip(1..).filter(|(size, place)| **size != 1 || !axes.contains(place));
                kept.map(|(size, _)| *size).collect()
            }
            "Unsqueeze" => {
                let mut to = dims.clone();
                for axis in axes()? {
                    match axis - 1 {
                        at if at <= to.len() => to.insert(at, 1),
                        _ => return Err("its axes are not those of its input".into()),
                    }
                }
                to
            }
            _ => self.target(node, attributes, &dims)?,
        };
        self.reshaped(input, &to)
    }

    /// The shape for one image that a `Reshape` asks for.
    fn target(&self, node: &'a proto::Node, attributes: Attributes<'a>, dims: &[usize]) -> Result<Vec<usize>, Reason> {
        let said: Vec<Whole> = match attributes.ints("shape") {
            Some(sizes) => sizes.iter().map(|size| Whole::Number(*size)).collect(),
            None => {
                let constant = self.constant(node, 1).ok_or("its shape depends on what the network computes")?;
                constant.as_whole().ok_or("its shape has no whole numbers")?.to_vec()
            }
        };
        let len: usize = dims.iter().product();
        let Some((first, rest)) = said.split_first() else { return Err("it has no shape".into()) };
        let mut known = 1_usize;
        let mut to = Vec::new();
        for (i, size) in rest.iter().enumerate() {
            let size = match size.number().ok_or("it mixes images with what is in them")? {
                0 => *dims.get(i).ok_or("its shape is longer than that of its input")?,
                -1 => 0,
                size => usize::try_from(size).map_err(|_| "its shape has a negative size")?,
            };
            known = known.checked_mul(size.max(1)).ok_or("its shape is too large")?;
            to.push(size);
        }
        for size in to.iter_mut().filter(|size| **size == 0) {
            *size = len / known.max(1);
        }
        let is_batch = match first {
            Whole::Batch | Whole::Number(0 | -1) => true,
            Whole::Number(n) => self.batch.is_some_and(|batch| *n == batch as i64),
        };
        match is_batch && to.iter().try_fold(1_usize, |product, size| product.checked_mul(*size)) == Some(len) {
            true => Ok(to),
            false => Err("it mixes images with what is in them".into()),
        }
    }

    /// A value in another shape, where `to` has as many elements.
    pub(super) fn reshaped(&mut self, x: Id, to: &[usize]) -> Result<Id, Reason> {
        if self.dims(x) == to {
            return Ok(x);
        }
        if let Some((step, inner)) = self.draft.step(x) {
            let step = step.clone();
            if let Step::Normalised { eps } = step
                && let Some((Step::Reshape, before)) = self.draft.step(inner)
                && self.dims(before) == to
            {
                return self.grouped(self.dims(x).first().copied().unwrap_or(1), eps, before);
            }
            if let Some(found) = self.shuffled(x, to) {
                return found;
            }
            if let Step::Reshape = step {
                return self.reshaped(inner, to);
            }
        }
        if self.dims(x).len() == 3 && to.len() == 1 {
            return self.plain("flatten", x);
        }
        if let Some(before) = self.draft.before(x, "flatten").filter(|before| self.dims(*before) == to) {
            return Ok(before);
        }
        Ok(self.step(Step::Reshape, vec![x], to.to_vec()))
    }

    /// A shuffle: channels in groups, turned, and channels or pixels again.
    fn shuffled(&mut self, x: Id, to: &[usize]) -> Option<Result<Id, Reason>> {
        let (Step::Transpose(order), grouped) = self.draft.step(x)? else { return None };
        let (Step::Reshape, before) = self.draft.step(grouped)? else { return None };
        if let (&[channels, down, across, height, width], [0, 3, 1, 4, 2]) = (self.dims(grouped), order.as_slice())
            && down == across
            && self.dims(before) == [channels * down * across, height, width]
            && to == [channels, height * down, width * across]
        {
            let layer = Layer::new("pixel_shuffle", vec![("factor", Value::Number(down))]);
            return Some(self.layer(layer, before, Vec::new()));
        }
        if let (&[channels, height, down, width, across], [0, 2, 4, 1, 3]) = (self.dims(grouped), order.as_slice())
            && down == across
            && self.dims(before) == [channels, height * down, width * across]
            && to == [channels * down * across, height, width]
        {
            let layer = Layer::new("pixel_unshuffle", vec![("factor", Value::Number(down))]);
            return Some(self.layer(layer, before, Vec::new()));
        }
        let is = self.dims(before) == to && order.starts_with(&[1, 0]) && order[2..].iter().copied().eq(2..order.len());
        let (dims, channels) = (self.dims(grouped), *to.first()?);
        let groups = *dims.first()?;
        // Height and width stay, or are one.
        if !is || groups.checked_mul(*dims.get(1)?) != Some(channels) {
            return None;
        }
        let layer = Layer::new("channel_shuffle", vec![("groups", Value::Number(groups))]);
        Some(self.layer(layer, before, Vec::new()))
    }

    pub(super) fn transpose(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        let dims = self.dims(input).to_vec();
        let order: Vec<usize> = match attributes.sizes("perm")? {
            Some(order) => order,
            None => (0..=dims.len()).rev().collect(),
        };
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if sorted != (0..=dims.len()).collect::<Vec<_>>() {
            return Err(format!("its order is {order:?}"));
        }
        if order.first() != Some(&0) {
            return Err("it changes the dimension of images".into());
        }
        let order: Vec<usize> = order.iter().skip(1).map(|at| at - 1).collect();
        let turned: Vec<usize> = order.iter().map(|at| dims[*at]).collect();
        if let Some((Step::Transpose(first), inner)) = self.draft.step(input)
            && order.iter().map(|at| first[*at]).eq(0..order.len())
        {
            // Back in the order that it was in.
            return Ok(inner);
        }
        // Dimensions of one can go anywhere.
        let moved: Vec<usize> = order.iter().copied().filter(|at| dims[*at] != 1).collect();
        if moved.is_sorted() {
            return self.reshaped(input, &turned);
        }
        Ok(self.step(Step::Transpose(order), vec![input], turned))
    }

    pub(super) fn concat(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let inputs = (0..node.input.len()).map(|i| self.given(node, i)).collect::<Result<Vec<Id>, _>>()?;
        let Some(first) = inputs.first() else { return Err("it has no inputs".into()) };
        let mut dims = self.dims(*first).to_vec();
        let axis = attributes.int("axis").unwrap_or(1);
        let place = if axis < 0 { axis.saturating_add(dims.len() as i64 + 1) } else { axis };
        if let (2 | 3, 3) = (place, dims.len())
            && let Some(found) = self.ring(&inputs, place == 3)
        {
            return found;
        }
        if place != 1 {
            return Err(format!("it is along dimension {axis}, and `concat` joins channels"));
        }
        let mut channels = 0_usize;
        for input in &inputs {
            let others = self.dims(*input);
            if others.len() != dims.len() || others.get(1..) != dims.get(1..) || !matches!(dims.len(), 1 | 3) {
                return Err("what it joins has different shapes".into());
            }
            channels = channels.saturating_add(others[0]);
        }
        if let [only] = inputs[..] {
            return Ok(only);
        }
        dims[0] = channels;
        Ok(self.draft.push(Node { op: Op::Concat, inputs, dims, weights: Vec::new(), origin: self.at }))
    }

    /// A map with rows, or columns, of its opposite side around it: circular padding, if that is what these values beside each other are.
    fn ring(&mut self, inputs: &[Id], across: bool) -> Option<Result<Id, Reason>> {
        let whole = |id: Id| self.draft.before(id, "crop").unwrap_or(id);
        let base = whole(*inputs.first()?);
        let [_, height, width] = self.map(base).ok()?;
        let extent = if across { width } else { height };
        let (mut at, mut before, mut len) = (None, 0, 0);
        for input in inputs {
            let (start, end) = match self.draft.layer(*input).filter(|layer| layer.word == "crop" && *input != base) {
                None => (0, extent),
                Some(layer) => match (layer.arg("amount")?.as_sides()?, across) {
                    ([top, bottom, 0, 0], false) => (top, extent.checked_sub(bottom)?),
                    ([0, 0, left, right], true) => (left, extent.checked_sub(right)?),
                    _ => return None,
                },
            };
            // The next one goes on where the one before ended.
            if whole(*input) != base || at.is_some_and(|at: usize| at % extent != start) {
                return None;
            }
            if at.is_none() {
                before = (extent - start) % extent;
            }
            (at, len) = (Some(end), len + end.checked_sub(start)?);
        }
        let after = len.checked_sub(extent + before)?;
        // Three times the map is one of it before and one behind.
        let (before, after) = if after > extent { (before + extent, after - extent) } else { (before, after) };
        let mut sides = if across { [0, 0, before, after] } else { [before, after, 0, 0] };
        let mut inner = base;
        if let Some(layer) =
            self.draft.layer(base).filter(|layer| layer.word == "pad" && layer.flag("circular") && across)
            && let Some([top, bottom, 0, 0]) = layer.arg("amount").and_then(Value::as_sides)
        {
            (sides[0], sides[1]) = (top, bottom);
            inner = *self.draft.nodes[base].inputs.first()?;
        }
        let args = vec![("amount", Value::sides(sides)), ("circular", Value::Flag(true))];
        Some(self.layer(Layer::new("pad", args), inner, Vec::new()))
    }
}
