//! A network while it is read: layers of the language, and steps between them that it has no word for but that a few operators
//! together may turn out to be a layer of.

use super::constant::Constant;
use convnet_language::words::{self, DefaultValue};
use std::rc::Rc;

/// A place in [`Draft::nodes`].
pub type Id = usize;

/// Steps so far; each reads only what is before it. What nobody reads is left out at the end.
#[derive(Default)]
pub struct Draft {
    pub nodes: Vec<Node>,
    /// What the network gives, the first one as its own output.
    pub outputs: Vec<Output>,
}

/// A value that the network gives.
#[derive(Clone)]
pub struct Output {
    /// What the file calls it.
    pub name: String,
    pub id: Id,
}

/// One value.
#[derive(Clone)]
pub struct Node {
    pub op: Op,
    pub inputs: Vec<Id>,
    /// Its shape for one image: `[C, H, W]`, `[N]`, or whatever a step has.
    pub dims: Vec<usize>,
    /// Parameters and buffers in the language's order.
    pub weights: Vec<Weight>,
    /// The operator's place in the file.
    pub origin: usize,
}

/// A parameter.
#[derive(Clone)]
pub struct Weight {
    pub shape: Vec<usize>,
    pub values: Rc<[f32]>,
    /// The tensor's name in the file, if it comes from one as it is.
    pub name: Option<String>,
}

#[derive(Clone)]
pub enum Op {
    Input,
    Layer(Layer),
    Add,
    /// The first value times the second one, which is like it or `[C, 1, 1]`.
    Gate,
    Concat,
    Step(Step),
}

/// What the language has no word for.
#[derive(Clone)]
pub enum Step {
    Reshape,
    Transpose(Vec<usize>),
    /// One pixel for all of a map.
    Expand,
    Times(Rc<Constant>),
    Plus(Rc<Constant>),
    Power(f64),
    /// The first by the second.
    Quotient,
    Product,
    Negative,
    Erf,
    /// A normalisation of each of the first dimension of something that is no map.
    Normalised {
        eps: f64,
    },
    /// A product with a matrix that is known, from the left or from the right.
    Matrix {
        constant: Rc<Constant>,
        left: bool,
    },
    /// The mean over so many neighbouring channels around each.
    ChannelMean(usize),
    /// Nothing, and why.
    Unsayable(String),
}

/// A layer of the language with all its arguments.
#[derive(Clone, PartialEq)]
pub struct Layer {
    pub word: &'static str,
    pub args: Vec<(&'static str, Value)>,
}

/// What an argument is.
#[derive(Clone, PartialEq)]
pub enum Value {
    Number(usize),
    Numbers(Vec<usize>),
    Decimal(f64),
    Flag(bool),
    Word(&'static str),
}

impl Value {
    /// One number where height and width have the same.
    pub fn pair([height, width]: [usize; 2]) -> Value {
        if height == width { Value::Number(height) } else { Value::Numbers(vec![height, width]) }
    }

    /// As few numbers as say the padding at top, bottom, left and right.
    pub fn sides(sides: [usize; 4]) -> Value {
        let [top, bottom, left, right] = sides;
        if top == bottom && left == right { Value::pair([top, left]) } else { Value::Numbers(sides.to_vec()) }
    }

    /// Padding at top, bottom, left and right, if it is that.
    pub fn as_sides(&self) -> Option<[usize; 4]> {
        match self {
            Value::Number(all) => Some([*all; 4]),
            Value::Numbers(all) => match all[..] {
                [height, width] => Some([height, height, width, width]),
                [top, bottom, left, right] => Some([top, bottom, left, right]),
                _ => None,
            },
            Value::Decimal(_) | Value::Flag(_) | Value::Word(_) => None,
        }
    }

    /// As it is written.
    pub fn written(&self) -> String {
        match self {
            Value::Number(n) => n.to_string(),
            Value::Numbers(all) => format!("({})", all.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
            Value::Decimal(x) => decimal(*x),
            Value::Flag(on) => on.to_string(),
            Value::Word(word) => (*word).into(),
        }
    }
}

/// A number of single precision by as few digits as it has, as people write it.
fn decimal(x: f64) -> String {
    let shortest = x as f32;
    let text = if f64::from(shortest) == x { shortest.to_string() } else { x.to_string() };
    match x != 0.0 && (x.abs() < 1e-3 || x.abs() >= 1e6) {
        true if f64::from(shortest) == x => format!("{shortest:e}"),
        true => format!("{x:e}"),
        false if text.contains('.') => text,
        false => format!("{text}.0"),
    }
}

impl Layer {
    pub fn new(word: &'static str, args: Vec<(&'static str, Value)>) -> Self {
        Layer { word, args }
    }

    pub fn arg(&self, name: &str) -> Option<&Value> {
        self.args.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Whether a flag is set.
    pub fn flag(&self, name: &str) -> bool {
        self.arg(name) == Some(&Value::Flag(true))
    }

    pub fn set(&mut self, name: &'static str, value: Value) {
        self.args.retain(|(known, _)| *known != name);
        self.args.push((name, value));
    }

    /// Whether the language has it this way where nothing is said.
    pub fn is_default(&self, name: &str, value: &Value) -> bool {
        let Some(spec) = words::find(self.word).and_then(|word| word.signature.arg(name)) else { return false };
        match (spec.default, value) {
            (DefaultValue::Whole(n), Value::Number(value)) => n == *value as u64,
            (DefaultValue::Decimal(default), Value::Decimal(value)) => default as f32 == *value as f32,
            (DefaultValue::On, Value::Flag(on)) => *on,
            (DefaultValue::Off | DefaultValue::Instead, Value::Flag(on)) => !on,
            (DefaultValue::Like(other), value) => self.arg(other) == Some(value),
            _ => false,
        }
    }

    /// The number that an argument is where it is not written.
    pub fn whole_default(&self, name: &str) -> Option<usize> {
        match words::find(self.word)?.signature.arg(name)?.default {
            DefaultValue::Whole(n) => usize::try_from(n).ok(),
            _ => None,
        }
    }

    /// As it is written: `conv(8, kernel = 3)`.
    pub fn written(&self) -> String {
        self.written_with(|_, value| value.written())
    }

    /// The same with values said in another way.
    pub fn written_with(&self, say: impl FnMut(usize, &Value) -> String) -> String {
        self.said(say, false)
    }

    /// The same, defaults included.
    pub fn written_all(&self, say: impl FnMut(usize, &Value) -> String) -> String {
        self.said(say, true)
    }

    fn said(&self, mut say: impl FnMut(usize, &Value) -> String, all: bool) -> String {
        let mut parts = Vec::new();
        let unnamed = unnamed(self.word);
        for (i, (name, value)) in self.args.iter().enumerate() {
            let said = say(i, value);
            if !all && self.is_default(name, value) && said == value.written() {
                continue;
            }
            parts.push(match value {
                // What everybody says without its name.
                _ if i < unnamed && !matches!(value, Value::Flag(_)) => said,
                _ if said == *name => said,
                Value::Flag(true) => (*name).into(),
                _ => format!("{name} = {said}"),
            });
        }
        if parts.is_empty() { self.word.into() } else { format!("{}({})", self.word, parts.join(", ")) }
    }
}

/// How many of a layer's first arguments stand without their names.
fn unnamed(word: &str) -> usize {
    words::find(word).map_or(0, |word| word.signature.unnamed())
}

impl Draft {
    pub fn push(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The layer that a value is, if it is one.
    pub fn layer(&self, id: Id) -> Option<&Layer> {
        if let Op::Layer(layer) = &self.nodes[id].op { Some(layer) } else { None }
    }

    /// The input of a value that is this layer.
    pub fn before(&self, id: Id, word: &str) -> Option<Id> {
        self.layer(id).filter(|layer| layer.word == word)?;
        self.nodes[id].inputs.first().copied()
    }

    /// The step that a value is, if it is one, and the first value that it reads.
    pub fn step(&self, id: Id) -> Option<(&Step, Id)> {
        let Op::Step(step) = &self.nodes[id].op else { return None };
        Some((step, self.nodes[id].inputs.first().copied()?))
    }

    /// The node of the network's own output.
    pub fn end(&self) -> Id {
        self.outputs.first().map_or(0, |output| output.id)
    }

    /// Which values the outputs depend on.
    pub fn alive(&self) -> Vec<bool> {
        let mut alive = vec![false; self.nodes.len()];
        self.outputs.iter().for_each(|output| alive[output.id] = true);
        for id in (0..self.nodes.len()).rev() {
            if alive[id] {
                self.nodes[id].inputs.iter().for_each(|input| alive[*input] = true);
            }
        }
        alive
    }
}
