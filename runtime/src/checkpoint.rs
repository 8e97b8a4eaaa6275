//! A network's parameters and buffers in a weight file, under PyTorch's names.
//!
//! Loading is strict and all or nothing: every missing, extra and mis-shaped key is reported at once, and the network keeps
//! its old values unless everything fits. [`load_partly`] leaves out what the file lacks, for a network with a new head. The
//! file is read, not mapped: a file that shrinks under a map ends the process.

use crate::atomic_file;
use crate::backend::Backend;
use crate::graph::Graph;
use crate::net::{NamedTensor, Network, Real, named_shapes, named_tensors, set_named_tensors};
use crate::weights::{self, Entry, Format, StateDict, WeightsError};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a checkpoint could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
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
    /// The file is no weight file, damaged, or of a kind that is not written.
    #[error("{}: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        source: WeightsError,
    },
    /// Nothing in the file belongs to the network.
    #[error("{} holds nothing of {network}: its first keys are {keys}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Name of the network.
        network: &'static str,
        /// Some of the file's keys.
        keys: String,
    },
    /// Keys, shapes or types are not those of the network.
    #[error("{} does not fit {network}:{mismatch}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Name of the network.
        network: &'static str,
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

/// Everything in a file that does not fit a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Keys that the network has and the file lacks.
    pub missing: Vec<String>,
    /// Keys that the file has and the network lacks.
    pub extra: Vec<String>,
    /// Keys with another shape: key, the network's shape, the file's.
    pub shapes: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Keys that are no floating-point numbers: key, the file's type.
    pub types: Vec<(String, String)>,
}

impl Mismatch {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, what: &str, keys: Vec<String>| {
            if keys.is_empty() {
                return Ok(());
            }
            let shown = keys.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
            let more = if keys.len() > 8 { format!(" and {} more", keys.len() - 8) } else { String::new() };
            write!(f, "\n  {what}: {shown}{more}")
        };
        list(f, "missing", self.missing.clone())?;
        list(f, "not in the network", self.extra.clone())?;
        let shapes = self.shapes.iter().map(|(key, want, got)| format!("{key} (expected {want:?}, found {got:?})"));
        list(f, "wrong shape", shapes.collect())?;
        let types = self.types.iter().map(|(key, got)| format!("{key} (expected floating-point numbers, found {got})"));
        list(f, "wrong type", types.collect())
    }
}

/// What a checkpoint says about itself.
pub type Metadata = BTreeMap<String, String>;

/// Writes the network's parameters and buffers, with `metadata` beside the name of the network, atomically. A name that ends
/// in `.npz` makes a NumPy archive (without metadata), any other a safetensors file.
///
/// # Errors
/// When the file cannot be written, an older one is then untouched; or when its name asks for a PyTorch file.
pub fn save<N: Network<E, D>, E: Real, D: Backend<E>>(
    net: &N,
    path: &Path,
    metadata: &Metadata,
) -> Result<(), CheckpointError> {
    let format = Format::of_path(path).unwrap_or(Format::Safetensors);
    let mut dict = state_dict(net);
    dict.metadata.extend(metadata.clone());
    dict.metadata.insert("format".into(), "convnet".into());
    dict.metadata.insert("network".into(), N::GRAPH.name.into());
    write(&dict, path, format)
}

/// Writes a weight file atomically.
///
/// # Errors
/// As [`save`].
pub fn write(dict: &StateDict, path: &Path, format: Format) -> Result<(), CheckpointError> {
    let bytes =
        weights::encode(dict, format).map_err(|source| CheckpointError::Format { path: path.to_owned(), source })?;
    atomic_file::write(path, &bytes).map_err(|source| CheckpointError::Write { path: path.to_owned(), source })
}

/// The network's parameters and buffers, those of custom modules included.
pub fn state_dict<N: Network<E, D>, E: Real, D: Backend<E>>(net: &N) -> StateDict {
    let entry = |NamedTensor { name, shape, values }: NamedTensor<E>| match size_of::<E>() {
        8 => Entry::from_f64(name, &shape, &numbers(&values, |x| x.to_f64().unwrap_or(f64::NAN))),
        _ => Entry::from_f32(name, &shape, &numbers(&values, |x| x.to_f32().unwrap_or(f32::NAN))),
    };
    StateDict { entries: named_tensors(net).into_iter().map(entry).collect(), metadata: Metadata::new() }
}

fn numbers<E: Copy, F>(values: &[E], convert: impl Fn(E) -> F) -> Vec<F> {
    values.iter().map(|x| convert(*x)).collect()
}

/// Reads parameters and buffers into the network and returns what the file says about itself. Any weight file will do,
/// whatever its name; `num_batches_tracked` is ignored.
///
/// # Errors
/// When the file cannot be read, is damaged or does not fit; the network is then unchanged.
pub fn load<N: Network<E, D>, E: Real, D: Backend<E>>(net: &mut N, path: &Path) -> Result<Metadata, CheckpointError> {
    let dict = read(path)?;
    fits(N::GRAPH.name, path, compare(named_shapes(net), &dict))?;
    assign(net, &dict);
    Ok(dict.metadata)
}

/// Takes the values of a state dict into the network.
///
/// # Errors
/// When keys, shapes or types are not the network's, which is then unchanged.
pub fn set<N: Network<E, D>, E: Real, D: Backend<E>>(net: &mut N, dict: &StateDict) -> Result<(), Mismatch> {
    let mismatch = compare(named_shapes(net), dict);
    if !mismatch.is_empty() {
        return Err(mismatch);
    }
    assign(net, dict);
    Ok(())
}

/// What of a file belongs to a network without `custom` modules, as it is, in the network's order; the file's name is for the
/// error.
///
/// # Errors
/// When keys, shapes or types are not the network's.
pub fn fitted(graph: &'static Graph, mut dict: StateDict, path: &Path) -> Result<StateDict, CheckpointError> {
    let params = || graph.params.iter().map(|param| (param.name.to_string(), param.shape.to_vec()));
    fits(graph.name, path, compare(params(), &dict))?;
    let place: BTreeMap<&str, usize> = graph.params.iter().enumerate().map(|(i, param)| (param.name, i)).collect();
    dict.entries.retain(|entry| place.contains_key(entry.name.as_str()));
    dict.entries.sort_by_key(|entry| place.get(entry.name.as_str()).copied());
    Ok(dict)
}

/// [`load`], but what the file lacks or has in another shape keeps the values that it has. Returns its keys, too.
///
/// # Errors
/// When the file cannot be read, is damaged, has keys that the network lacks, or none that fits; the network is then
/// unchanged.
pub fn load_partly<N: Network<E, D>, E: Real, D: Backend<E>>(
    net: &mut N,
    path: &Path,
) -> Result<(Metadata, Vec<String>), CheckpointError> {
    let mut dict = read(path)?;
    let known = named_shapes(net);
    let mut mismatch = compare(known.clone(), &dict);
    let mut kept = std::mem::take(&mut mismatch.missing);
    kept.extend(std::mem::take(&mut mismatch.shapes).into_iter().map(|(key, ..)| key));
    fits(N::GRAPH.name, path, mismatch)?;
    dict.entries.retain(|entry| !kept.contains(&entry.name));
    let known: BTreeSet<String> = known.into_iter().map(|(name, _)| name).collect();
    if !dict.entries.iter().any(|entry| known.contains(&entry.name)) {
        let keys: Vec<&str> = dict.entries.iter().take(4).map(|entry| entry.name.as_str()).collect();
        return Err(CheckpointError::Foreign { path: path.to_owned(), network: N::GRAPH.name, keys: keys.join(", ") });
    }
    assign(net, &dict);
    Ok((dict.metadata, kept))
}

/// Reads a weight file.
///
/// # Errors
/// When it cannot be read or is damaged.
pub fn read(path: &Path) -> Result<StateDict, CheckpointError> {
    weights::read(path).map_err(|error| match error {
        WeightsError::Io(source) => CheckpointError::Read { path: path.to_owned(), source },
        source => CheckpointError::Format { path: path.to_owned(), source },
    })
}

fn fits(network: &'static str, path: &Path, mismatch: Mismatch) -> Result<(), CheckpointError> {
    if mismatch.is_empty() {
        return Ok(());
    }
    let mismatch = Box::new(mismatch);
    Err(CheckpointError::Mismatch { path: path.to_owned(), network, mismatch })
}

/// Writes what the file has into the network; everything has been compared before.
fn assign<N: Network<E, D>, E: Real, D: Backend<E>>(net: &mut N, dict: &StateDict) {
    let values = dict.entries.iter().filter_map(|entry| {
        let values: Vec<E> = match size_of::<E>() {
            8 => numbers(&entry.to_f64()?, |x| E::from_f64(x).unwrap_or(E::nan())),
            _ => numbers(&entry.to_f32()?, |x| E::from_f32(x).unwrap_or(E::nan())),
        };
        Some((entry.name.clone(), values))
    });
    set_named_tensors(net, &values.collect::<Vec<_>>());
}

/// What of a file does not fit the tensors with these names and shapes.
fn compare(wanted: impl IntoIterator<Item = (String, Vec<usize>)>, dict: &StateDict) -> Mismatch {
    let mut mismatch = Mismatch::default();
    let found: BTreeMap<&str, &Entry> = dict.entries.iter().map(|entry| (entry.name.as_str(), entry)).collect();
    let mut known = BTreeSet::new();
    for (name, shape) in wanted {
        match found.get(name.as_str()) {
            None => mismatch.missing.push(name.clone()),
            Some(entry) if entry.shape != shape => {
                mismatch.shapes.push((name.clone(), shape, entry.shape.clone()));
            }
            Some(entry) if !entry.kind.is_float() => mismatch.types.push((name.clone(), entry.kind.to_string())),
            Some(_) => {}
        }
        known.insert(name);
    }
    let extra = found.keys().filter(|name| !known.contains(**name) && !name.ends_with("num_batches_tracked"));
    mismatch.extra = extra.map(ToString::to_string).collect();
    mismatch
}
