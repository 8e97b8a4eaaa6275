//! Models of others as networks: a file goes in, the language's text and weights come out.

use super::OnnxError;
use crate::backend::Backend;
use crate::graph::Graph;
use crate::net::{BuildError, DynNetwork, set_params};
use crate::weights::{Entry, StateDict};
use convnet_onnx::Bytes;
pub use convnet_onnx::{ImportError, ImportOptions, Unsayable};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// A network that was an ONNX file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Import {
    /// The network in the language, as it stands between the braces of `cnn!`: for a `.cnn` file, or to paste.
    pub source: String,
    /// What the language reads there.
    pub graph: Arc<Graph>,
    /// Its parameters and buffers, and what the file says about itself.
    pub weights: StateDict,
    /// What was guessed, or left behind, a sentence each.
    pub notes: Vec<String>,
    params: Vec<Vec<f32>>,
}

impl Import {
    /// The network with the file's weights.
    ///
    /// # Errors
    /// When the device runs out of memory.
    pub fn build<D: Backend<f32>>(&self, device: &D) -> Result<DynNetwork<f32, D>, BuildError> {
        let mut net = DynNetwork::build(self.graph.clone(), device)?;
        let values: Vec<(usize, Vec<f32>)> = self.params.iter().cloned().enumerate().collect();
        set_params(&mut net, &values);
        Ok(net)
    }
}

/// Reads an ONNX model as a network. Operators that the language has words for become layers, sums become `residual`, joined branches
/// `concat`; modules of one form become blocks, and what comes several times in a row a `repeat`. Weights in files of their own are read from
/// the model's folder, and from nowhere else.
///
/// ```no_run
/// use convnet::onnx;
/// use convnet::prelude::*;
///
/// let import = onnx::import("resnet18.onnx".as_ref(), &onnx::ImportOptions::default())?;
/// println!("{}", import.source);
/// let net = import.build(&Cpu::default())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the file cannot be read, is no model, or has operators that the language has no words for: the error lists them all.
pub fn import(path: &Path, options: &ImportOptions) -> Result<Import, OnnxError> {
    let read = |path: &Path| std::fs::read(path).map(Bytes::from);
    let bytes = read(path).map_err(|source| OnnxError::Read { path: path.into(), source })?;
    // Each file once, for all its tensors.
    let files: RefCell<HashMap<String, Bytes>> = RefCell::default();
    let beside = |name: &str| -> Result<Bytes, String> {
        if let Some(bytes) = files.borrow().get(name) {
            return Ok(bytes.clone());
        }
        let path = path.with_file_name(name);
        let bytes = read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        files.borrow_mut().insert(name.into(), bytes.clone());
        Ok(bytes)
    };
    let mut options = options.clone();
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    options.fallback_name = options.fallback_name.or(stem);
    let found = convnet_onnx::import(bytes, &beside, &options);
    let found = found.map_err(|source| OnnxError::Import { path: path.into(), source })?;
    let entries = found.graph.params.iter().zip(&found.params);
    let entries = entries.map(|(param, values)| Entry::from_f32(param.name.as_ref(), &param.shape, values)).collect();
    Ok(Import {
        source: found.source,
        graph: Arc::new(found.graph),
        weights: StateDict { entries, metadata: found.metadata },
        notes: found.notes,
        params: found.params,
    })
}
