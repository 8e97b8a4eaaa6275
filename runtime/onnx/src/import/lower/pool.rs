//! Pooling over windows and over whole maps.

use super::{Attributes, Lowering, Reason};
use crate::bins::LOWEST;
use crate::import::draft::{Id, Layer, Step, Value};
use crate::proto;

impl<'a> Lowering<'a> {
    pub(super) fn pool(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let mut input = self.given(node, 0)?;
        let is_max = node.op_type == "MaxPool";
        if !attributes.has("kernel_shape") {
            return Err("it has no kernel_shape".into());
        }
        let (kernel, stride) = (attributes.pair("kernel_shape", 1)?, attributes.pair("strides", 1)?);
        let dilation = attributes.pair("dilations", 1)?;
        if dilation != [1, 1] && !is_max {
            return Err("its windows have gaps (dilations), and those of `avg_pool` have none".into());
        }
        if let (false, Some((Step::Reshape, before))) = (is_max, self.draft.step(input)) {
            // The window of a local response normalisation over an even number of channels.
            let pixels: usize = self.dims(before).iter().skip(1).product();
            let size = kernel[0];
            let window = Some(vec![size / 2, 0, size.saturating_sub(1) / 2, 0]);
            let [channels, height, width] = self.map(input)?;
            let is =
                (channels, width, kernel[1], stride) == (1, pixels, 1, [1, 1]) && attributes.flag("count_include_pad");
            if is && attributes.sizes("pads")? == window {
                return Ok(self.step(Step::ChannelMean(size), vec![input], vec![1, height, width]));
            }
        }
        let mut sides = self.pads(input, attributes, kernel, stride, dilation)?.0;
        if let Some((inner, more)) = self.lowest_before(node, input).filter(|_| is_max) {
            input = inner;
            sides.iter_mut().zip(more).for_each(|(side, more)| *side += more);
        }
        let [channels, height, width] = self.map(input)?;
        let counts = !is_max && attributes.flag("count_include_pad");
        let windows = Windows { kernel, stride, dilation, sides, ceil: attributes.flag("ceil_mode") };
        let wanted = [windows.count(0, height)?, windows.count(1, width)?];
        let word = if is_max { "max_pool" } else { "avg_pool" };
        if !self.own && (kernel, stride, sides) == ([1; 2], [1; 2], [0; 4]) {
            // An adaptive pool that has nothing to do.
            return Ok(input);
        }
        // What lies beyond the map counts nothing, so that only where windows begin and how many there are matters.
        let [top, bottom, left, right] = sides;
        let covers = dilation == [1, 1] && top + height <= kernel[0] && left + width <= kernel[1];
        if wanted == [1, 1] && covers && !counts && kernel != [height, width] {
            // A window that is larger than the map.
            return self.whole(word, input);
        }
        let padded = sides != [0; 4];
        if !counts || (top, left) == (bottom, right) {
            for ceil in [false, true] {
                // ONNX counts padding and not what lies beyond it, as PyTorch does.
                let layer = windows.layer(word, [top, top, left, left], ceil, is_max, counts || !padded);
                if let Ok(id) = self.layer(layer, input, Vec::new())
                    && self.dims(id) == [channels, wanted[0], wanted[1]]
                    && (!counts || ceil == windows.ceil)
                {
                    return Ok(id);
                }
            }
        }
        if !windows.ceil || !counts {
            // As it is written, with each side by itself.
            for ceil in [false, true] {
                let layer = windows.layer(word, sides, ceil, is_max, counts);
                if let Ok(id) = self.layer(layer, input, Vec::new())
                    && self.dims(id) == [channels, wanted[0], wanted[1]]
                {
                    return Ok(id);
                }
            }
        }
        if !is_max && !counts {
            return Err(format!(
                "its padding at top, bottom, left and right is {sides:?} and does not count; that of `avg_pool` is at most half of the kernel"
            ));
        }
        self.padded_pool(word, &windows, input, [channels, wanted[0], wanted[1]])
    }

    /// Padding that never wins, for this pool alone, and the map before.
    fn lowest_before(&self, node: &'a proto::Node, input: Id) -> Option<(Id, [usize; 4])> {
        let layer = self.draft.layer(input).filter(|layer| layer.word == "pad" && self.is_alone(node, 0))?;
        let is_lowest = matches!(layer.arg("value"), Some(Value::Decimal(fill)) if *fill <= LOWEST);
        let inner = *self.draft.nodes[input].inputs.first()?;
        is_lowest.then_some((inner, layer.arg("amount")?.as_sides()?))
    }

    /// A pool of a map that is padded before, where its own padding cannot be as the file's.
    fn padded_pool(
        &mut self,
        word: &'static str,
        windows: &Windows,
        input: Id,
        wanted: [usize; 3],
    ) -> Result<Id, Reason> {
        let is_max = word == "max_pool";
        let fill = if is_max { LOWEST } else { 0.0 };
        let pad = Layer::new("pad", vec![("amount", Value::sides(windows.sides)), ("value", Value::Decimal(fill))]);
        let padded = self.layer(pad, input, Vec::new())?;
        for ceil in [windows.ceil, false] {
            let pooled = self.layer(windows.layer(word, [0; 4], ceil, is_max, true), padded, Vec::new())?;
            if self.dims(pooled) == wanted {
                return Ok(pooled);
            }
        }
        Err("it rounds up, and its last windows would begin in the padding".into())
    }

    pub(super) fn global_pool(&mut self, node: &'a proto::Node) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        let word = if node.op_type == "GlobalMaxPool" { "max_pool" } else { "avg_pool" };
        self.whole(word, input)
    }

    /// One value of a whole map: `[C, 1, 1]`.
    pub(super) fn whole(&mut self, word: &'static str, input: Id) -> Result<Id, Reason> {
        let [_, height, width] = self.map(input)?;
        let layer = match word {
            "avg_pool" => {
                Layer::new("adaptive_avg_pool", vec![("height", Value::Number(1)), ("width", Value::Number(1))])
            }
            _ => Layer::new(word, vec![("kernel", Value::pair([height, width]))]),
        };
        self.layer(layer, input, Vec::new())
    }
}

/// Windows as ONNX has them: padding at top, bottom, left and right.
struct Windows {
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    sides: [usize; 4],
    ceil: bool,
}

impl Windows {
    /// How many there are along a dimension.
    fn count(&self, i: usize, extent: usize) -> Result<usize, Reason> {
        let (before, after) = (self.sides[2 * i], self.sides[2 * i + 1]);
        let padded = extent.saturating_add(before).saturating_add(after);
        let span = self.kernel[i].saturating_sub(1).saturating_mul(self.dilation[i]).saturating_add(1);
        let free = padded.checked_sub(span).ok_or("its window is larger than the map")?;
        let stride = if self.stride[i] == 0 { return Err("its stride is 0".into()) } else { self.stride[i] };
        if !self.ceil {
            return Ok(free / stride + 1);
        }
        let count = free.div_ceil(stride) + 1;
        // The last window begins within the map or the padding before it.
        let beyond = (count - 1).saturating_mul(stride) >= extent.saturating_add(before);
        Ok(if beyond { count - 1 } else { count })
    }

    fn layer(&self, word: &'static str, pad: [usize; 4], ceil: bool, is_max: bool, counts: bool) -> Layer {
        let mut args = vec![
            ("kernel", Value::pair(self.kernel)),
            ("stride", Value::pair(self.stride)),
            ("pad", Value::sides(pad)),
            ("ceil", Value::Flag(ceil)),
        ];
        match is_max {
            true => args.push(("dilation", Value::pair(self.dilation))),
            false => args.push(("count_include_pad", Value::Flag(counts))),
        }
        Layer::new(word, args)
    }
}
