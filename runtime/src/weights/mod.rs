//! A network's parameters and buffers in a weights file, under PyTorch's names.
//!
//! Loading is strict and all or nothing: every missing, extra and mis-shaped key is reported at once, and the network keeps
//! its old values unless everything fits. [`LoadOptions`] permit what a file lacks, for a network with a new head, and what it
//! has beside the network's own. What wrappers put before all names (`module.`, `_orig_mod.`) comes off, and of several state
//! dicts in a file the one is taken that fits; [`Loaded::notes`] say so. The file is read, not mapped: a file that shrinks under
//! a map ends the process.
//!
//! The formats themselves, of which no network is known, are in `format`.

mod fitting;
mod format;

#[doc(hidden)]
pub use fitting::Fitted;
pub use fitting::Mismatch;
#[doc(hidden)]
pub use format::{Candidate, Choose, encode, parse, parse_choosing};
pub use format::{DType, Entry, Format, FormatError, StateDict};

use crate::atomic_file;
use crate::backend::{Backend, Real};
use crate::format_version;
use crate::graph::Graph;
use crate::net::{AnyNetwork, NamedTensor, named_shapes, named_tensors, set_named_tensors};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Why a weights file could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file could not be written; an older one is untouched.
    #[error("cannot write {}: {source}{}", path.display(), hint(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no weights file, damaged, of a version that this program does not know, or of a kind that is not written.
    #[error("{}: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        source: FormatError,
    },
    /// Nothing in the file belongs to the network.
    #[error("{} holds nothing of {network}: its first keys are {keys}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Name of the network.
        network: String,
        /// Some of the file's keys.
        keys: String,
    },
    /// The device failed, most likely for want of memory.
    #[error("the device failed: {0}")]
    Device(String),
    /// Keys, shapes or types are not those of the network.
    #[error("{} does not fit {network}:{}", path.display(), mismatch.lines())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Name of the network.
        network: String,
        /// What does not fit.
        mismatch: Box<Mismatch>,
    },
}

fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::StorageFull => " (the old file, if any, is unchanged; free some space and try again)",
        _ => "",
    }
}

/// What a weights file says about itself.
pub type Metadata = BTreeMap<String, String>;

/// Writes the network's parameters and buffers, with `metadata` beside the name of the network and the [`format_version`],
/// atomically. A name that ends in `.npz` makes a NumPy archive (without metadata), any other a safetensors file.
///
/// # Errors
/// When the file cannot be written, an older one is then untouched; or when its name promises a file of another kind.
pub fn save<E: Real, D: Backend<E>>(
    net: &dyn AnyNetwork<E, D>,
    path: &Path,
    metadata: &Metadata,
) -> Result<(), WeightsError> {
    let format = Format::to_write(path).map_err(|error| about(path, error))?;
    let mut dict = state_dict(net)?;
    dict.metadata.extend(metadata.clone());
    format_version::mark(&mut dict.metadata);
    dict.metadata.insert("network".into(), net.graph().name.to_string());
    write(&dict, path, format)
}

/// Writes a weights file atomically.
///
/// # Errors
/// As [`save`].
pub fn write(dict: &StateDict, path: &Path, format: Format) -> Result<(), WeightsError> {
    let bytes = encode(dict, format).map_err(|source| WeightsError::Format { path: path.to_owned(), source })?;
    atomic_file::write(path, &bytes).map_err(|source| WeightsError::Write { path: path.to_owned(), source })
}

/// The network's parameters and buffers, those of custom modules included.
///
/// # Errors
/// When the device fails.
pub fn state_dict<E: Real, D: Backend<E>>(net: &dyn AnyNetwork<E, D>) -> Result<StateDict, WeightsError> {
    let tensors = named_tensors(net).map_err(|error| WeightsError::Device(format!("{error:?}")))?;
    let entry = |NamedTensor { name, shape, values }: NamedTensor<E>| match size_of::<E>() {
        8 => Entry::from_f64(name, &shape, &numbers(&values, |x| x.to_f64().unwrap_or(f64::NAN))),
        _ => Entry::from_f32(name, &shape, &numbers(&values, |x| x.to_f32().unwrap_or(f32::NAN))),
    };
    Ok(StateDict { entries: tensors.into_iter().map(entry).collect(), metadata: Metadata::new() })
}

fn numbers<E: Copy, F>(values: &[E], convert: impl Fn(E) -> F) -> Vec<F> {
    values.iter().map(|x| convert(*x)).collect()
}

/// How far a file may differ from the network that it is loaded into; by default, not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadOptions {
    /// What the file lacks or has in another shape keeps the values that it has in the network: a new head.
    pub allow_missing: bool,
    /// What the file has and the network lacks is left out.
    pub allow_extra: bool,
    /// The state dict to take where a file holds several, by the keys that lead to it with dots between them: `state_dict_ema`.
    /// Otherwise it is the one that fits best.
    pub state_dict: Option<String>,
}

/// What loading has led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loaded {
    /// What the file says about itself.
    pub metadata: Metadata,
    /// Keys of the network that kept their values, where [`LoadOptions::allow_missing`] permits it.
    pub missing: Vec<String>,
    /// Names of tensors that hold a number that is not finite, which no trained network has.
    pub not_finite: Vec<String>,
    /// Plain sentences on what a user should know: which state dict was taken, what came off the keys, what was left out.
    pub notes: Vec<String>,
}

/// Reads parameters and buffers into the network. Any weights file will do, whatever its name; `num_batches_tracked` is ignored.
///
/// # Errors
/// When the file cannot be read, is damaged or does not fit; the network is then unchanged.
pub fn load<E: Real, D: Backend<E>>(net: &mut dyn AnyNetwork<E, D>, path: &Path) -> Result<Loaded, WeightsError> {
    load_with(net, path, &LoadOptions::default())
}

/// [`load`] of a file that may differ from the network.
///
/// # Errors
/// As [`load`]; also when no key of the file is the network's, whatever the options are.
pub fn load_with<E: Real, D: Backend<E>>(
    net: &mut dyn AnyNetwork<E, D>,
    path: &Path,
    options: &LoadOptions,
) -> Result<Loaded, WeightsError> {
    let Fitted { dict, missing, notes } = fitting::fit(&net.graph().name, &named_shapes(net), path, options)?;
    assign(net, &dict);
    let odd = dict.entries.iter().filter(|entry| !is_finite(entry)).map(|entry| entry.name.clone());
    Ok(Loaded { missing, notes, not_finite: odd.collect(), metadata: dict.metadata })
}

fn is_finite(entry: &Entry) -> bool {
    entry.to_f64().is_none_or(|values| values.iter().all(|x| x.is_finite()))
}

/// Takes the values of a state dict into the network.
///
/// # Errors
/// When keys, shapes or types are not the network's, which is then unchanged.
#[doc(hidden)]
pub fn set<E: Real, D: Backend<E>>(net: &mut dyn AnyNetwork<E, D>, dict: &StateDict) -> Result<(), Mismatch> {
    let mismatch = fitting::exactly(&named_shapes(net), dict);
    if !mismatch.is_empty() {
        return Err(mismatch);
    }
    assign(net, dict);
    Ok(())
}

/// What of a file belongs to a network without `custom` modules, with every bit that it has, under the network's names and in
/// its order.
///
/// # Errors
/// As [`load_with`].
#[doc(hidden)]
pub fn fitted(graph: &Graph, path: &Path, options: &LoadOptions) -> Result<Fitted, WeightsError> {
    let wanted: Vec<_> = graph.params.iter().map(|param| (param.name.to_string(), param.shape.to_vec())).collect();
    fitting::fit(&graph.name, &wanted, path, options)
}

/// Reads a weights file.
///
/// # Errors
/// When it cannot be read or is damaged.
pub fn read(path: &Path) -> Result<StateDict, WeightsError> {
    format::read(path).map_err(|error| about(path, error))
}

/// What a weights file says about itself, without its tensors. Only safetensors files say anything.
///
/// # Errors
/// When it cannot be read, or its header is damaged.
pub fn metadata(path: &Path) -> Result<Metadata, WeightsError> {
    format::metadata(path).map_err(|error| about(path, error))
}

/// Reads a weights file for no network in particular: the state dict that the options name, or else the largest, without the
/// prefixes that PyTorch's wrappers (`module.`, `_orig_mod.`) put before all keys.
///
/// # Errors
/// When it cannot be read, is damaged, or has no state dict of that name.
#[doc(hidden)]
pub fn read_with(path: &Path, options: &LoadOptions) -> Result<Fitted, WeightsError> {
    fitting::whole(path, options)
}

/// The error with the file's name.
fn about(path: &Path, error: FormatError) -> WeightsError {
    match error {
        FormatError::Io(source) => WeightsError::Read { path: path.to_owned(), source },
        source => WeightsError::Format { path: path.to_owned(), source },
    }
}

/// Writes what the file has into the network; everything has been compared before.
fn assign<E: Real, D: Backend<E>>(net: &mut dyn AnyNetwork<E, D>, dict: &StateDict) {
    let values = dict.entries.iter().filter_map(|entry| {
        let values: Vec<E> = match size_of::<E>() {
            8 => numbers(&entry.to_f64()?, |x| E::from_f64(x).unwrap_or(E::nan())),
            _ => numbers(&entry.to_f32()?, |x| E::from_f32(x).unwrap_or(E::nan())),
        };
        Some((entry.name.clone(), values))
    });
    set_named_tensors(net, &values.collect::<Vec<_>>());
}
