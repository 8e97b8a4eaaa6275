//! What rustc knows of an embedded file: its header as a constant, and how a tensor is found in it.

use crate::graph::{Graph, Param};
use crate::weights::DType;
use std::borrow::Cow;

/// The header of an embedded file. `embed!` writes it.
#[derive(Debug)]
pub struct Header {
    /// The file's path, as it stands in the call.
    pub file: &'static str,
    /// What the file says about itself.
    pub metadata: &'static [(&'static str, &'static str)],
    /// What may come off all names, shorter ones first: nothing, or what wrappers of networks put there.
    pub prefixes: &'static [&'static str],
    /// In the order of their names.
    pub tensors: &'static [Stored],
}

/// A tensor of an embedded file.
#[derive(Debug)]
pub struct Stored {
    /// Its key: `conv1.weight`.
    pub name: &'static str,
    /// Its shape, row-major.
    pub shape: &'static [usize],
    /// The type of its elements.
    pub dtype: DType,
    /// Where they begin and end in the file.
    pub bytes: [usize; 2],
}

impl Header {
    /// What comes off the names: the prefix with which the most are the network's.
    pub const fn prefix(&self, graph: &Graph) -> &'static str {
        if let [only] = self.prefixes {
            return only;
        }
        let (params, mut best, mut most, mut i) = (params(graph), "", 0, 0);
        while i < self.prefixes.len() {
            let (mut matched, mut j) = (0, 0);
            while j < params.len() {
                matched += self.find(self.prefixes[i], name(&params[j])).is_some() as usize;
                j += 1;
            }
            if matched > most {
                (best, most) = (self.prefixes[i], matched);
            }
            if matched == params.len() {
                return best;
            }
            i += 1;
        }
        best
    }

    /// The index of the tensor that is called so behind the prefix.
    ///
    /// rustc counts the steps of constants, and warns when they are many. So the list is halved, and what the names on both sides have in
    /// common with this one is not compared again (Manber and Myers, 1990).
    pub const fn find(&self, prefix: &str, name: &str) -> Option<usize> {
        let (prefix, name) = (prefix.as_bytes(), name.as_bytes());
        // A call is a step, too.
        let (first, all) = (prefix.len(), prefix.len() + name.len());
        let (mut from, mut to, mut below, mut above) = (0, self.tensors.len(), 0, 0);
        while from < to {
            let middle = from + (to - from) / 2;
            let other = self.tensors[middle].name.as_bytes();
            let (len, mut at) = (other.len(), if below < above { below } else { above });
            let order = loop {
                if at == len || at == all {
                    break len as isize - all as isize;
                }
                let byte = if at < first { prefix[at] } else { name[at - first] };
                if other[at] != byte {
                    break other[at] as isize - byte as isize;
                }
                at += 1;
            };
            if order == 0 {
                return Some(middle);
            } else if order < 0 {
                (from, below) = (middle + 1, at);
            } else {
                (to, above) = (middle, at);
            }
        }
        None
    }

    /// What the file says under a key.
    pub const fn says(&self, key: &str) -> Option<&'static str> {
        let mut i = 0;
        while i < self.metadata.len() {
            if same(self.metadata[i].0, key) {
                return Some(self.metadata[i].1);
            }
            i += 1;
        }
        None
    }
}

/// Whether two texts are equal.
pub(super) const fn same(a: &str, b: &str) -> bool {
    let (a, b, mut i) = (a.as_bytes(), b.as_bytes(), 0);
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// The parameters of a network as a slice, in constants too.
pub(super) const fn params(graph: &Graph) -> &[Param] {
    match &graph.params {
        Cow::Borrowed(params) => params,
        Cow::Owned(params) => params.as_slice(),
    }
}

/// The key of a parameter, in constants too.
pub(super) const fn name(param: &Param) -> &str {
    text(&param.name)
}

/// A text that may be borrowed, in constants too.
#[allow(clippy::ptr_arg)] // Only a match on the `Cow` itself is constant.
pub(super) const fn text<'a>(text: &'a Cow<'static, str>) -> &'a str {
    match text {
        Cow::Borrowed(text) => text,
        Cow::Owned(text) => text.as_str(),
    }
}

/// The shape of a parameter, in constants too.
pub(super) const fn shape(param: &Param) -> &[usize] {
    match &param.shape {
        Cow::Borrowed(shape) => shape,
        Cow::Owned(shape) => shape.as_slice(),
    }
}
