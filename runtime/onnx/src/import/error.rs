//! Why a file of ONNX cannot become a network.

use std::fmt;

/// Why a file of ONNX cannot become a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The bytes are no message of ONNX.
    #[error("this is no ONNX file: {0}")]
    Format(String),
    /// A tensor's size, type or place is not what it has to be.
    #[error("the tensor `{name}`: {problem}")]
    Tensor {
        /// Its name in the file.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The graph contradicts itself.
    #[error("the node `{node}`: {problem}")]
    Node {
        /// Its name in the file.
        node: String,
        /// What is wrong.
        problem: String,
    },
    /// The model's input is not one image.
    #[error("the input of this model: {0}")]
    Input(String),
    /// The model's output is not one value that the network computes.
    #[error("the output of this model: {0}")]
    Output(String),
    /// The language has no layers for some operators.
    #[error("{}", unsayable(.0))]
    Unsayable(Vec<Unsayable>),
    /// Some values are read in an order that the language's structures do not have.
    #[error("{0}")]
    Structure(String),
    /// What was written does not read back, which is a mistake of this program.
    #[error("the imported network does not read back, which is a mistake of `convnet`; please report it\n{0}")]
    ReadsBack(String),
}

/// An operator that the language has no layer for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsayable {
    /// The operator: `Einsum`.
    pub operator: String,
    /// The node's name, or that of its output.
    pub node: String,
    /// The shape of what it reads, for one image.
    pub shape: String,
    /// Why it cannot be said.
    pub reason: String,
}

/// So many are listed.
const LISTED: usize = 20;

fn unsayable(all: &[Unsayable]) -> String {
    let mut text = match all.len() {
        1 => "one operator of this model cannot be said in the language:".to_string(),
        n => format!("{n} operators of this model cannot be said in the language:"),
    };
    for one in all.iter().take(LISTED) {
        text.push_str(&format!("\n  {one}"));
    }
    if all.len() > LISTED {
        text.push_str(&format!("\n  and {} more", all.len() - LISTED));
    }
    text
}

impl fmt::Display for Unsayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unsayable { operator, node, shape, reason } = self;
        let of = if shape.is_empty() { String::new() } else { format!(" of {shape}") };
        write!(f, "{operator} `{node}`{of}: {reason}")
    }
}
