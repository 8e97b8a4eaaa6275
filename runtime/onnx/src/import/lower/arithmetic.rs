//! Sums, products and what is put together from them: activations, gates, the factors behind a normalisation.

use super::{Lowering, Reason, Value, weight};
use crate::import::constant::{Constant, Data};
use crate::import::draft::{Id, Layer, Node, Op, Step, Value as Argument, Weight};
use crate::proto;
use std::rc::Rc;

impl<'a> Lowering<'a> {
    pub(super) fn arithmetic(&mut self, node: &'a proto::Node) -> Result<Id, Reason> {
        let op = node.op_type.as_str();
        match op {
            "Neg" => {
                let input = self.given(node, 0)?;
                return self.negative(input);
            }
            "Erf" => {
                let input = self.given(node, 0)?;
                let dims = self.dims(input).to_vec();
                return Ok(self.step(Step::Erf, vec![input], dims));
            }
            "Sum" if node.input.len() == 1 => return self.given(node, 0),
            "Sum" => return self.sum_of_all(node),
            _ => {}
        }
        match (self.value(node, 0), self.value(node, 1)) {
            (Some(Value::Node(a)), Some(Value::Node(b))) => match op {
                "Add" => self.sum(a, b),
                "Mul" => self.product(a, b),
                "Div" => self.quotient(a, b),
                _ => Err("it is of two values that the network computes".into()),
            },
            (Some(Value::Node(x)), Some(Value::Constant(c))) => {
                let c = self.broadcast(x, c)?;
                match op {
                    "Add" => self.plus(node, 0, x, c),
                    "Sub" => self.plus(node, 0, x, Rc::new(each(&c, |c| -c)?)),
                    "Mul" => self.times(x, c),
                    "Div" => self.times(x, Rc::new(each(&c, |c| 1.0 / c)?)),
                    _ => self.power(x, &c),
                }
            }
            (Some(Value::Constant(c)), Some(Value::Node(x))) => {
                let c = self.broadcast(x, c)?;
                match op {
                    "Add" => self.plus(node, 1, x, c),
                    "Mul" => self.times(x, c),
                    "Sub" => {
                        let negative = self.negative(x)?;
                        self.plus(node, 1, negative, c)
                    }
                    _ => Err("its first value is a constant".into()),
                }
            }
            _ => Err("one of its inputs is missing".into()),
        }
    }

    /// A constant that does not make the value larger.
    fn broadcast(&self, x: Id, constant: Rc<Constant>) -> Result<Rc<Constant>, Reason> {
        let dims = self.dims(x);
        let shape = &constant.shape;
        let fits = shape.iter().rev().zip(dims.iter().rev()).all(|(a, b)| *a == 1 || a == b);
        let excess = shape.len().saturating_sub(dims.len());
        match fits && shape.iter().take(excess).all(|size| *size == 1) {
            true => Ok(constant),
            false => Err(format!("its constant has the shape {shape:?}")),
        }
    }

    fn negative(&mut self, input: Id) -> Result<Id, Reason> {
        if let Some(pooled) = self.draft.before(input, "max_pool")
            && let Some((Step::Negative, x)) = self.draft.step(pooled)
        {
            let args = self.draft.layer(input).map(|layer| layer.args.clone()).unwrap_or_default();
            return self.layer(Layer::new("min_pool", args), x, Vec::new());
        }
        let dims = self.dims(input).to_vec();
        Ok(self.step(Step::Negative, vec![input], dims))
    }

    fn times(&mut self, x: Id, factor: Rc<Constant>) -> Result<Id, Reason> {
        let scalar = factor.scalar().filter(|_| factor.len() == 1);
        if let Some(found) = scalar.and_then(|factor| self.scaled(x, factor)) {
            return Ok(found);
        }
        let dims = self.dims(x).to_vec();
        Ok(self.step(Step::Times(factor), vec![x], dims))
    }

    fn plus(&mut self, node: &'a proto::Node, i: usize, x: Id, offset: Rc<Constant>) -> Result<Id, Reason> {
        if let Some((Step::Times(factor), norm)) = self.draft.step(x) {
            let factor = Rc::clone(factor);
            if let Some(found) = self.affine(norm, &factor, &offset) {
                return Ok(found);
            }
        }
        let dims = self.dims(x).to_vec();
        if self.is_alone(node, i)
            && let Some(bias) = by_channel(&offset, &dims)
            && let Some(found) = self.with_bias(x, bias)
        {
            return Ok(found);
        }
        Ok(self.step(Step::Plus(offset), vec![x], dims))
    }

    fn power(&mut self, x: Id, exponent: &Constant) -> Result<Id, Reason> {
        let exponent = exponent.scalar().ok_or("its exponents differ")?;
        let dims = self.dims(x).to_vec();
        Ok(self.step(Step::Power(exponent), vec![x], dims))
    }

    fn sum(&mut self, a: Id, b: Id) -> Result<Id, Reason> {
        let (left, right) = (self.dims(a).to_vec(), self.dims(b));
        if left != right {
            return Err(format!("it adds shapes {left:?} and {right:?}, and a `residual` has one shape"));
        }
        if !matches!(left.len(), 1 | 3) {
            return Err(format!("it adds values of {} dimensions", left.len() + 1));
        }
        Ok(self.draft.push(Node { op: Op::Add, inputs: vec![a, b], dims: left, weights: Vec::new(), origin: self.at }))
    }

    /// One sum after another.
    fn sum_of_all(&mut self, node: &'a proto::Node) -> Result<Id, Reason> {
        let mut sum = self.given(node, 0)?;
        for i in 1..node.input.len() {
            let next = self.given(node, i)?;
            sum = self.sum(sum, next)?;
        }
        Ok(sum)
    }

    fn product(&mut self, a: Id, b: Id) -> Result<Id, Reason> {
        // What is repeated only to have the map's size.
        let plain = |this: &Self, id: Id, other: Id| match this.draft.step(id) {
            Some((Step::Expand, inner)) if this.dims(id) == this.dims(other) => inner,
            _ => id,
        };
        let (a, b) = (plain(self, a, b), plain(self, b, a));
        if let Some(found) = self.activated(a, b) {
            return Ok(found);
        }
        for (x, gate) in [(a, b), (b, a)] {
            if let (&[channels, _, _], &[gates, 1, 1]) = (self.dims(x), self.dims(gate))
                && channels == gates
                && let Some(found) = self.squeezed(x, gate)
            {
                return Ok(found);
            }
        }
        let (left, right) = (self.dims(a).to_vec(), self.dims(b).to_vec());
        let fits = left.len() == right.len() && left.iter().zip(&right).all(|(a, b)| a == b || *a == 1 || *b == 1);
        let dims = left.iter().zip(&right).map(|(a, b)| *a.max(b)).collect();
        match fits {
            true => Ok(self.step(Step::Product, vec![a, b], dims)),
            false => Err(format!("it multiplies shapes {left:?} and {right:?}")),
        }
    }

    /// Squeeze and excitation, where `gate` is its numbers for the channels of `x`.
    fn squeezed(&mut self, x: Id, gate: Id) -> Option<Id> {
        let draft = &self.draft;
        let through = |mut id: Id| {
            // Vectors and maps of one pixel are the same numbers.
            while let Some(inner) = match draft.step(id) {
                Some((Step::Reshape, inner)) => Some(inner),
                _ => draft.before(id, "flatten"),
            } {
                id = inner;
            }
            id
        };
        let wide = through(draft.before(through(gate), "sigmoid")?);
        let relu = through(*draft.nodes[wide].inputs.first()?);
        let narrow = through(draft.before(relu, "relu")?);
        let pool = through(*draft.nodes[narrow].inputs.first()?);
        if draft.before(pool, "adaptive_avg_pool")? != x || draft.nodes[pool].dims.get(1..) != Some(&[1, 1]) {
            return None;
        }
        let channels = *draft.nodes[x].dims.first()?;
        let middle = *draft.nodes[narrow].dims.first()?;
        let mut weights = one_by_one(&draft.nodes[narrow], [middle, channels])?;
        weights.extend(one_by_one(&draft.nodes[wide], [channels, middle])?);
        let reduction =
            channels.checked_div(middle).filter(|reduction| (channels / (*reduction).max(1)).max(1) == middle)?;
        let layer = Layer::new("squeeze_excite", vec![("reduction", Argument::Number(reduction))]);
        self.layer(layer, x, weights).ok()
    }

    /// A quotient; the formula of a local response normalisation over an even number of channels is one.
    fn quotient(&mut self, a: Id, b: Id) -> Result<Id, Reason> {
        if let Some(found) = self.even_lrn(a, b) {
            return Ok(found);
        }
        let dims = self.dims(a).to_vec();
        match dims == self.dims(b) {
            true => Ok(self.step(Step::Quotient, vec![a, b], dims)),
            false => Err("it divides values of two shapes".into()),
        }
    }

    /// `x / (k + alpha * mean of x^2 over channels)^beta`, as `export` writes it.
    fn even_lrn(&mut self, x: Id, below: Id) -> Option<Id> {
        let (Step::Power(beta), sum) = self.draft.step(below)? else { return None };
        let (Step::Plus(k), scaled) = self.draft.step(sum)? else { return None };
        let (Step::Times(alpha), mean) = self.draft.step(scaled)? else { return None };
        let (Step::Reshape, pool) = self.draft.step(mean)? else { return None };
        let (&Step::ChannelMean(size), flat) = self.draft.step(pool)? else { return None };
        let (Step::Reshape, square) = self.draft.step(flat)? else { return None };
        let (Step::Product, _) = self.draft.step(square)? else { return None };
        if self.draft.nodes[square].inputs != [x, x] {
            return None;
        }
        let numbers = [alpha.scalar()?, *beta, k.scalar()?].map(super::decimal);
        let [alpha, beta, k] = numbers;
        let args = vec![("size", Argument::Number(size)), ("alpha", alpha), ("beta", beta), ("k", k)];
        self.layer(Layer::new("lrn", args), x, Vec::new()).ok()
    }
}

/// Weight and bias of a 1x1 convolution or a linear layer, as those of a convolution.
fn one_by_one(node: &Node, [out, inputs]: [usize; 2]) -> Option<Vec<Weight>> {
    let Op::Layer(layer) = &node.op else { return None };
    if !matches!(layer.word, "conv" | "linear") {
        return None;
    }
    let weight = node.weights.first().filter(|weight| weight.values.len() == out * inputs)?;
    let shape = vec![out, inputs, 1, 1];
    let bias = match node.weights.get(1) {
        Some(bias) => bias.clone(),
        None => Weight { shape: vec![out], values: vec![0.0; out].into(), name: None },
    };
    Some(vec![Weight { shape, ..weight.clone() }, bias])
}

/// Each element by a function.
fn each(constant: &Constant, value: impl Fn(f32) -> f32) -> Result<Constant, Reason> {
    let values = constant.as_floats().ok_or("its constant has no numbers")?;
    let values = values.iter().map(|x| value(*x)).collect();
    Ok(Constant { shape: constant.shape.clone(), data: Data::Floats(values) })
}

/// One number stands for those of so many channels.
pub(super) const MOST_CHANNELS: usize = 1 << 16;

/// One number for each channel of a value of this shape, if that is what a constant is.
pub(super) fn by_channel(constant: &Constant, dims: &[usize]) -> Option<Weight> {
    let channels = *dims.first()?;
    if constant.len() == 1 {
        // A file of a few bytes makes no network of gigabytes.
        let channels = Some(channels).filter(|channels| *channels <= MOST_CHANNELS)?;
        let value = *constant.as_floats()?.first()?;
        return Some(Weight { shape: vec![channels], values: vec![value; channels].into(), name: None });
    }
    // From the last dimension on, as it is broadcast.
    let mut aligned = constant.shape.iter().rev().copied().chain(std::iter::repeat(1));
    let sizes: Vec<usize> = dims.iter().map(|_| aligned.next().unwrap_or(1)).collect();
    let is = sizes.last() == Some(&channels) && sizes.iter().rev().skip(1).all(|size| *size == 1);
    if is { weight(constant, &[channels], None).ok() } else { None }
}
