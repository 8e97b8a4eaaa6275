//! Element-wise functions, and the softmax.

use super::{Attributes, Lowering, Reason, decimal};
use crate::import::draft::{Id, Layer, Step, Value};
use crate::proto;

/// Constants that are the same number are no further apart.
const CLOSE: f64 = 1e-4;

pub(super) fn is_close(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() <= CLOSE * wanted.abs().max(1.0)
}

impl<'a> Lowering<'a> {
    pub(super) fn activation(&mut self, node: &'a proto::Node, attributes: Attributes<'a>) -> Result<Id, Reason> {
        let input = self.given(node, 0)?;
        let or = |name: &str, default: f32| attributes.float(name).unwrap_or(default);
        match node.op_type.as_str() {
            "Relu" => self.plain("relu", input),
            "Sigmoid" => self.plain("sigmoid", input),
            "Tanh" => self.plain("tanh", input),
            "Softplus" => self.plain("softplus", input),
            "HardSwish" => self.plain("hard_swish", input),
            "Mish" => self.plain("mish", input),
            "LeakyRelu" => {
                self.layer(Layer::new("leaky_relu", vec![("slope", decimal(or("alpha", 0.01)))]), input, Vec::new())
            }
            "Elu" => self.elu(or("alpha", 1.0), input),
            // With 1 both are the same.
            "Celu" if or("alpha", 1.0) == 1.0 => self.elu(1.0, input),
            "Selu" => {
                let (alpha, gamma) = (or("alpha", 1.673_263_2), or("gamma", 1.050_701));
                match is_close(alpha.into(), 1.673_263_2) && is_close(gamma.into(), 1.050_701) {
                    true => self.plain("selu", input),
                    false => Err(format!("its alpha and gamma are {alpha} and {gamma}; `selu` has the usual ones")),
                }
            }
            "Gelu" => match attributes.text("approximate").unwrap_or("none") {
                "none" => self.plain("gelu", input),
                "tanh" => self.layer(Layer::new("gelu", vec![("tanh", Value::Flag(true))]), input, Vec::new()),
                other => Err(format!("it is approximated by {other}, and `gelu` is exact or by tanh")),
            },
            "Swish" if or("alpha", 1.0) == 1.0 => self.plain("silu", input),
            "HardSigmoid" => {
                let (alpha, beta) = (or("alpha", 0.2), or("beta", 0.5));
                match is_close(alpha.into(), 1.0 / 6.0) && is_close(beta.into(), 0.5) {
                    true => self.plain("hard_sigmoid", input),
                    false => Err(format!(
                        "its alpha and beta are {alpha} and {beta}; those of `hard_sigmoid` are 1/6 and 1/2"
                    )),
                }
            }
            "Clip" => self.clip(node, attributes, input),
            "PRelu" => self.prelu(node, input),
            "Softmax" | "LogSoftmax" => self.softmax(node, attributes, input),
            _ => Err("the language has no such layer".into()),
        }
    }

    fn elu(&mut self, alpha: f32, input: Id) -> Result<Id, Reason> {
        self.layer(Layer::new("elu", vec![("alpha", decimal(alpha))]), input, Vec::new())
    }

    fn clip(&mut self, node: &'a proto::Node, attributes: Attributes<'a>, input: Id) -> Result<Id, Reason> {
        let bound = |name: &str, i: usize, open: f64| -> Result<f64, Reason> {
            if let Some(value) = attributes.float(name) {
                return Ok(value.into());
            }
            match (self.has(node, i), self.constant(node, i).and_then(|constant| constant.scalar())) {
                (false, _) => Ok(open),
                (true, Some(value)) => Ok(value),
                (true, None) => Err(format!("its {name} is computed")),
            }
        };
        let (low, high) = (bound("min", 1, f64::NEG_INFINITY)?, bound("max", 2, f64::INFINITY)?);
        match (low, high) {
            (0.0, 6.0) => self.plain("relu6", input),
            (0.0, high) if high > 1e30 => self.plain("relu", input),
            (low, high) if low < -1e30 && high > 1e30 => Ok(input),
            (low, high) if low.abs() <= 1e30 && high.abs() <= 1e30 && low < high => {
                let bounds = vec![("min", decimal(low)), ("max", decimal(high))];
                self.layer(Layer::new("hard_tanh", bounds), input, Vec::new())
            }
            _ => Err(format!("it clips to {low} and {high}; the language has `relu`, `relu6` and `hard_tanh`")),
        }
    }

    fn prelu(&mut self, node: &'a proto::Node, input: Id) -> Result<Id, Reason> {
        let slope = self.constant(node, 1).ok_or("its slopes are computed")?;
        let channels = self.dims(input).first().copied().unwrap_or(0);
        let sizes: Vec<usize> = slope.shape.iter().copied().skip_while(|size| *size == 1).collect();
        let (count, per_channel) = match slope.len() {
            1 => (1, false),
            // Broadcast by ONNX's rule, `[C, 1, 1]` for a map; until version 7 there was none.
            n if n == channels && (self.opset < 7 || sizes.len() == self.dims(input).len()) => (n, true),
            _ => return Err(format!("it has slopes of the shape {:?}, not one for each channel", slope.shape)),
        };
        let weight = self.weight(node, 1, &[count])?;
        self.layer(Layer::new("prelu", vec![("per_channel", Value::Flag(per_channel))]), input, vec![weight])
    }

    fn softmax(&mut self, node: &'a proto::Node, attributes: Attributes<'a>, input: Id) -> Result<Id, Reason> {
        let dims = self.dims(input).to_vec();
        let old = self.opset < 13;
        let axis = attributes.int("axis").unwrap_or(if old { 1 } else { -1 });
        let axis = if axis < 0 { axis.saturating_add(dims.len() as i64 + 1) } else { axis };
        // Until version 13, all dimensions from the axis on were one.
        let flat = old && dims.iter().skip(1).any(|size| *size != 1);
        if axis == 1 && flat {
            return Err(
                "until version 13 of ONNX it is over all values of an image, and that of the language over channels"
                    .into(),
            );
        }
        if axis != 1 {
            return Err(format!(
                "it is over dimension {axis} of {}, and that of the language over channels",
                dims.len() + 1
            ));
        }
        self.plain(if node.op_type == "Softmax" { "softmax" } else { "log_softmax" }, input)
    }

    // --- what exporters write in several steps ------------------------------------------------------------------------

    /// What `x * y` is, where it is an activation of `x`.
    pub(super) fn activated(&mut self, x: Id, y: Id) -> Option<Id> {
        for (x, y) in [(x, y), (y, x)] {
            let word = match () {
                () if self.draft.before(y, "sigmoid") == Some(x) => "silu",
                () if self.draft.before(y, "hard_sigmoid") == Some(x) => "hard_swish",
                () if self.is_mish(x, y) => "mish",
                () if self.is_gelu(x, y) => "gelu",
                () => continue,
            };
            let is_outside = word == "gelu" && !self.is_half_erf_of(y, x);
            let input = if is_outside { self.halved(x).unwrap_or(x) } else { x };
            return self.plain(word, input).ok();
        }
        None
    }

    fn is_mish(&self, x: Id, y: Id) -> bool {
        let softplus = self.draft.before(y, "tanh").and_then(|id| self.draft.before(id, "softplus"));
        softplus == Some(x)
    }

    /// The value of which this is a half.
    fn halved(&self, id: Id) -> Option<Id> {
        let (step, inner) = self.draft.step(id)?;
        matches!(step, Step::Times(half) if half.scalar().is_some_and(|half| is_close(half, 0.5))).then_some(inner)
    }

    /// Whether `x y` is `x/2 (1 + erf(x / sqrt 2))`, with the half on either side.
    fn is_gelu(&self, x: Id, y: Id) -> bool {
        self.halved(x).is_some_and(|inner| self.is_erf_of(y, inner)) || self.is_half_erf_of(y, x)
    }

    fn is_half_erf_of(&self, y: Id, x: Id) -> bool {
        self.halved(y).is_some_and(|inner| self.is_erf_of(inner, x))
    }

    /// Whether a value is `1 + erf(x / sqrt 2)`.
    fn is_erf_of(&self, y: Id, x: Id) -> bool {
        let Some((Step::Plus(one), erf)) = self.draft.step(y) else { return false };
        let Some((Step::Erf, scaled)) = self.draft.step(erf) else { return false };
        let Some((Step::Times(factor), inner)) = self.draft.step(scaled) else { return false };
        let is = |constant: &crate::import::constant::Constant, wanted| {
            constant.scalar().is_some_and(|x| is_close(x, wanted))
        };
        inner == x && is(one, 1.0) && is(factor, std::f64::consts::FRAC_1_SQRT_2)
    }

    /// What a value times a number is, where it is an activation.
    pub(super) fn scaled(&mut self, id: Id, factor: f64) -> Option<Id> {
        if is_close(factor, 1.7159)
            && let Some(inner) = self.draft.before(id, "tanh")
            && let Some((Step::Times(inside), x)) = self.draft.step(inner)
            && inside.scalar().is_some_and(|inside| is_close(inside, 2.0 / 3.0))
        {
            return self.plain("scaled_tanh", x).ok();
        }
        if is_close(factor, 1.0 / 6.0) {
            if let Some(x) = self.shifted(id) {
                return self.plain("hard_sigmoid", x).ok();
            }
            if let Some(x) = self.gated(id, |this, x, y| this.shifted(y) == Some(x)) {
                return self.plain("hard_swish", x).ok();
            }
        }
        if is_close(factor, 0.5)
            && let Some(x) = self.gated(id, |this, x, y| this.is_erf_of(y, x))
        {
            return self.plain("gelu", x).ok();
        }
        self.scaled_lrn(id, factor)
    }

    /// The value of which this is `relu6(x + 3)`.
    fn shifted(&self, id: Id) -> Option<Id> {
        let (step, x) = self.draft.step(self.draft.before(id, "relu6")?)?;
        matches!(step, Step::Plus(three) if three.scalar() == Some(3.0)).then_some(x)
    }

    /// The value that a product has as a factor beside one that is made of it.
    fn gated(&self, id: Id, made: impl Fn(&Self, Id, Id) -> bool) -> Option<Id> {
        let (Step::Product, _) = self.draft.step(id)? else { return None };
        let [a, b] = self.draft.nodes[id].inputs[..] else { return None };
        [(a, b), (b, a)].into_iter().find(|(x, y)| made(self, *x, *y)).map(|(x, _)| x)
    }
}
