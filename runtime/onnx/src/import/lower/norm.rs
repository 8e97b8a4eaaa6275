//! Normalisation, and dropout, which does nothing in evaluation.

use super::{Attributes, Lowering, Reason, decimal, said_by_us, weight};
use crate::import::constant::Constant;
use crate::import::draft::{Id, Layer, Op, Step, Value, Weight};
use crate::proto;

impl<'a> Lowering<'a> {
    pub(super) fn batch_norm(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        if attributes.flag("training_mode") {
            return Err("it is that of training; export the model in evaluation mode".into());
        }
        let channels = self.dims(input).first().copied().unwrap_or(0);
        let weights = (1..5).map(|i| self.weight(node, i, &[channels])).collect::<Result<Vec<_>, _>>()?;
        let eps = attributes.float("epsilon").unwrap_or(1e-5);
        // In ONNX the momentum is the weight of the old statistics.
        let momentum = 1.0 - attributes.float("momentum").unwrap_or(0.9);
        let momentum = if (0.0..=1.0).contains(&momentum) { momentum } else { 0.1 };
        let args = vec![("eps", decimal(eps)), ("momentum", decimal((f64::from(momentum) * 1e6).round() / 1e6))];
        self.layer(Layer::new("batch_norm", args), input, weights)
    }

    pub(super) fn instance_norm(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        let channels = self.dims(input).first().copied().unwrap_or(0);
        let weights = vec![self.weight(node, 1, &[channels])?, self.weight(node, 2, &[channels])?];
        let eps = f64::from(attributes.float("epsilon").unwrap_or(1e-5));
        let nothing = weights[0].values.iter().all(|w| *w == 1.0) && weights[1].values.iter().all(|b| *b == 0.0);
        if self.dims(input).len() != 3 {
            // As PyTorch writes a normalisation of groups: a group becomes a channel.
            let dims = self.dims(input).to_vec();
            return match nothing {
                true => Ok(self.step(Step::Normalised { eps }, vec![input], dims)),
                false => Err("it normalises what is no map".into()),
            };
        }
        let args = vec![("eps", decimal(eps)), ("affine", Value::Flag(!nothing))];
        self.layer(Layer::new("instance_norm", args), input, if nothing { Vec::new() } else { weights })
    }

    pub(super) fn group_norm(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        let channels = self.dims(input).first().copied().unwrap_or(0);
        let groups = attributes.int("num_groups").and_then(|groups| usize::try_from(groups).ok()).filter(|n| *n > 0);
        let groups = groups.ok_or("it has no num_groups")?;
        let each = |i: usize| -> Result<Weight, Reason> {
            let constant = self.constant(node, i).ok_or("its weights are computed")?;
            if constant.len() != groups || groups == channels {
                return weight(&constant, &[channels], node.input.get(i).cloned());
            }
            // Until version 21 each group had one.
            let values = constant.as_floats().ok_or("its weights are no numbers")?;
            let values = (0..channels).map(|c| values[c * groups / channels]).collect();
            Ok(Weight { shape: vec![channels], values, name: None })
        };
        let weights = vec![each(1)?, each(2)?];
        let eps = attributes.float("epsilon").unwrap_or(1e-5);
        let args = vec![("groups", Value::Number(groups)), ("eps", decimal(eps)), ("affine", Value::Flag(true))];
        self.layer(Layer::new("group_norm", args), input, weights)
    }

    /// Groups that were channels for a while, without weights: those come behind it.
    pub(super) fn grouped(&mut self, groups: usize, eps: f64, input: Id) -> Result<Id, Reason> {
        let (eps, affine) = (("eps", decimal(eps)), ("affine", Value::Flag(false)));
        let channels = self.dims(input).first().copied().unwrap_or(0);
        let layer = match groups {
            1 => Layer::new("layer_norm", vec![eps, affine]),
            _ if groups == channels && self.dims(input).len() == 3 => Layer::new("instance_norm", vec![eps, affine]),
            _ => Layer::new("group_norm", vec![("groups", Value::Number(groups)), eps, affine]),
        };
        self.layer(layer, input, Vec::new())
    }

    /// A normalisation without weights, with these behind it; nothing where they are not those of one.
    pub(super) fn affine(&mut self, norm: Id, factor: &Constant, offset: &Constant) -> Option<Id> {
        let node = self.draft.nodes[norm].clone();
        let Op::Layer(layer) = &node.op else { return None };
        let input = *node.inputs.first()?;
        let (word, eps) = (layer.word, layer.arg("eps")?.clone());
        if !matches!(word, "layer_norm" | "group_norm" | "instance_norm") || layer.flag("affine") {
            return None;
        }
        let dims = node.dims.clone();
        let channels = *dims.first()?;
        let sizes = |constant: &Constant| -> Vec<usize> {
            constant.shape.iter().copied().skip_while(|size| *size == 1).collect()
        };
        let by_channel = |constant: &Constant| {
            let sizes = sizes(constant);
            constant.len() == channels
                && sizes.iter().filter(|size| **size > 1).count() <= 1
                && (dims.len() == 1 || sizes.len() == 3 || channels == 1)
        };
        let (eps, affine) = (("eps", eps), ("affine", Value::Flag(true)));
        let (layer, shape) = if by_channel(factor) && by_channel(offset) && !(word == "layer_norm" && dims.len() == 1) {
            let layer = match word {
                "layer_norm" => Layer::new("group_norm", vec![("groups", Value::Number(1)), eps, affine]),
                "group_norm" => Layer::new("group_norm", vec![("groups", layer.arg("groups")?.clone()), eps, affine]),
                _ => Layer::new(word, vec![eps, affine]),
            };
            (layer, vec![channels])
        } else if word == "layer_norm" {
            (Layer::new("layer_norm", vec![eps, affine]), dims)
        } else {
            return None;
        };
        let weights = vec![weight(factor, &shape, None).ok()?, weight(offset, &shape, None).ok()?];
        self.layer(layer, input, weights).ok()
    }

    pub(super) fn layer_norm(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        let dims = self.dims(input).to_vec();
        let rank = dims.len() as i64 + 1;
        let axis = attributes.int("axis").unwrap_or(-1);
        if let Some(map) = self.channels_first(input).filter(|_| axis.saturating_add(rank) == 3 || axis == 3) {
            return self.pixel_norm(node, attributes, map);
        }
        if axis != 1 && axis.saturating_add(rank) != 1 {
            return Err(format!("it normalises from dimension {axis} on, and `layer_norm` all values of an image"));
        }
        let mut weights = vec![self.weight(node, 1, &dims)?];
        weights.push(match self.has(node, 2) {
            true => self.weight(node, 2, &dims)?,
            false => Weight { shape: dims.clone(), values: vec![0.0; dims.iter().product()].into(), name: None },
        });
        let eps = attributes.float("epsilon").unwrap_or(1e-5);
        let args = vec![("eps", decimal(eps)), ("affine", Value::Flag(true))];
        self.layer(Layer::new("layer_norm", args), input, weights)
    }

    /// A normalisation of the last dimension of `map`, whose channels are the last one for a while.
    fn pixel_norm(&mut self, node: &'a proto::Node, attributes: Attributes<'a>, map: Id) -> Result<Id, Reason> {
        let channels = self.dims(map).first().copied().unwrap_or(0);
        let weight = self.weight(node, 1, &[channels])?;
        let bias = match self.has(node, 2) {
            true => Some(self.weight(node, 2, &[channels])?),
            false => None,
        };
        let nothing = bias.is_none() && weight.values.iter().all(|w| *w == 1.0);
        let eps = ("eps", decimal(attributes.float("epsilon").unwrap_or(1e-5)));
        let args = vec![eps, ("affine", Value::Flag(!nothing)), ("each_pixel", Value::Flag(true))];
        let zeros = || Weight { shape: vec![channels], values: vec![0.0; channels].into(), name: None };
        let weights = if nothing { Vec::new() } else { vec![weight, bias.unwrap_or_else(zeros)] };
        let normal = self.layer(Layer::new("layer_norm", args), map, weights)?;
        self.channels_last(normal)
    }

    pub(super) fn lrn(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        let size = attributes.int("size").and_then(|size| usize::try_from(size).ok()).ok_or("it has no size")?;
        if size % 2 == 0 {
            return Err(format!(
                "its window of {size} channels is even, and ONNX and the language begin it differently"
            ));
        }
        let or = |name: &str, default: f32| decimal(attributes.float(name).unwrap_or(default));
        self.local(size, or("alpha", 1e-4), or("beta", 0.75), or("bias", 1.0), input)
    }

    fn local(&mut self, size: usize, alpha: Value, beta: Value, k: Value, input: Id) -> Result<Id, Reason> {
        let args = vec![("size", Value::Number(size)), ("alpha", alpha), ("beta", beta), ("k", k)];
        self.layer(Layer::new("lrn", args), input, Vec::new())
    }

    /// A local response normalisation times a factor, which is one with another `k`.
    pub(super) fn scaled_lrn(&mut self, id: Id, factor: f64) -> Option<Id> {
        let input = self.draft.before(id, "lrn").filter(|_| self.own)?;
        let layer = self.draft.layer(id)?;
        let number = |name: &str| match layer.arg(name) {
            Some(Value::Decimal(x)) => Some(*x),
            _ => None,
        };
        let (alpha, beta) = (number("alpha")?, number("beta")?);
        let Some(Value::Number(size)) = layer.arg("size") else { return None };
        if number("k")? != 1.0 || factor <= 0.0 {
            return None;
        }
        let exact = factor.powf(-1.0 / beta);
        // The shortest numbers that give what the file has.
        let short = |exact: f64, fits: &dyn Fn(f64) -> bool| {
            let rounded = (1..12).filter_map(|digits| format!("{exact:.digits$e}").parse::<f64>().ok());
            rounded.into_iter().find(|x| fits(*x)).unwrap_or(exact)
        };
        let k = short(exact, &|k| k.powf(-beta) as f32 == factor as f32);
        let alpha = short(alpha * k, &|whole| (whole / k) as f32 == alpha as f32);
        self.local(*size, decimal(alpha), decimal(beta), decimal(k), input).ok()
    }

    pub(super) fn dropout(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        let trains =
            self.constant(node, 2).and_then(|training| training.scalar()).is_some_and(|training| training != 0.0);
        if trains {
            return Err("it is that of training; export the model in evaluation mode".into());
        }
        let said = self.constant(node, 1).and_then(|ratio| ratio.scalar());
        let p = said.or(attributes.float("ratio").map(f64::from)).unwrap_or(0.5);
        if !(0.0..1.0).contains(&p) {
            return Ok(input);
        }
        let words = ["dropout2d", "stochastic_depth"];
        let word = words.into_iter().find(|word| said_by_us(node, word)).unwrap_or("dropout");
        self.layer(Layer::new(word, vec![("p", decimal(p))]), input, Vec::new())
    }
}
