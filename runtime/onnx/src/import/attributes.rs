//! What a node says besides its inputs.

use crate::proto::{Attribute, Node, Tensor};

/// The attributes of a node.
#[derive(Clone, Copy)]
pub struct Attributes<'a>(pub &'a Node);

impl<'a> Attributes<'a> {
    fn find(self, name: &str) -> Option<&'a Attribute> {
        self.0.attribute.iter().find(|attribute| attribute.name == name)
    }

    pub fn has(self, name: &str) -> bool {
        self.find(name).is_some()
    }

    pub fn int(self, name: &str) -> Option<i64> {
        self.find(name)?.i
    }

    /// Whether a flag is set.
    pub fn flag(self, name: &str) -> bool {
        self.int(name).is_some_and(|value| value != 0)
    }

    pub fn float(self, name: &str) -> Option<f32> {
        self.find(name)?.f
    }

    pub fn text(self, name: &str) -> Option<&'a str> {
        self.find(name)?.s.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    pub fn ints(self, name: &str) -> Option<&'a [i64]> {
        self.find(name).map(|attribute| attribute.ints.as_slice())
    }

    pub fn floats(self, name: &str) -> Option<&'a [f32]> {
        self.find(name).map(|attribute| attribute.floats.as_slice())
    }

    pub fn tensor(self, name: &str) -> Option<&'a Tensor> {
        self.find(name)?.t.as_ref()
    }

    /// Sizes or distances, which are not negative.
    pub fn sizes(self, name: &str) -> Result<Option<Vec<usize>>, String> {
        let Some(values) = self.ints(name) else { return Ok(None) };
        let sizes: Option<Vec<usize>> = values.iter().map(|value| usize::try_from(*value).ok()).collect();
        sizes.map(Some).ok_or_else(|| format!("its {name} are {values:?}"))
    }

    /// Height and width, or what they are where nothing is said.
    pub fn pair(self, name: &str, default: usize) -> Result<[usize; 2], String> {
        match self.sizes(name)?.as_deref() {
            None => Ok([default; 2]),
            Some([height, width]) => Ok([*height, *width]),
            Some(other) => Err(format!("its {name} have {} dimensions; the language has two", other.len())),
        }
    }
}
