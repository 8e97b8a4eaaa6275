//! Means and extremes along dimensions, as global pools and pools of channels are written.

use super::{Attributes, Lowering, Reason};
use crate::import::draft::{Id, Layer, Step, Value};
use crate::proto;

impl<'a> Lowering<'a> {
    pub(super) fn reduce(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        let dims = self.dims(input).to_vec();
        let rank = dims.len() as i64 + 1;
        let said = match attributes.ints("axes") {
            Some(axes) => axes.to_vec(),
            None => self.constant(node, 1).and_then(|axes| axes.numbers()).ok_or("it is over all dimensions")?,
        };
        let mut axes: Vec<i64> =
            said.iter().map(|axis| if *axis < 0 { axis.saturating_add(rank) } else { *axis }).collect();
        axes.sort_unstable();
        let keeps = attributes.int("keepdims").unwrap_or(1) != 0;
        let (whole, channels) = match node.op_type.as_str() {
            "ReduceMean" => ("avg_pool", Some("channel_avg_pool")),
            "ReduceMax" => ("max_pool", Some("channel_max_pool")),
            _ => ("min_pool", None),
        };
        match (axes.as_slice(), channels, dims.len()) {
            ([2, 3], _, 3) => {
                let pooled = self.whole(whole, input)?;
                if keeps { Ok(pooled) } else { self.reshaped(pooled, &dims[..1]) }
            }
            ([1], Some(word), 3) if keeps => {
                self.layer(Layer::new(word, vec![("size", Value::Number(dims[0]))]), input, Vec::new())
            }
            // Channels in groups for a while.
            ([2], Some(word), 4) if !keeps => match self.draft.step(input) {
                Some((Step::Reshape, x)) if self.dims(x) == [dims[0] * dims[1], dims[2], dims[3]] => {
                    self.layer(Layer::new(word, vec![("size", Value::Number(dims[1]))]), x, Vec::new())
                }
                _ => Err("it is over groups of what is no map".into()),
            },
            _ => Err(format!("it is over the dimensions {said:?}; pools are over height and width, or over channels")),
        }
    }
}
