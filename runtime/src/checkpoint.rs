//! A network's parameters and buffers in a safetensors file, under PyTorch's names.
//!
//! Loading is strict and all or nothing: every missing, extra and mis-shaped key is reported at once, and the network keeps
//! its old values unless everything fits. The file is read, not mapped: a file that shrinks under a map ends the process.

use crate::atomic_file;
use crate::backend::Backend;
use crate::graph::Graph;
use crate::net::{Network, Real, params, set_params};
use safetensors::{Dtype as FileType, SafeTensors, tensor::TensorView};
use std::collections::{BTreeMap, BTreeSet, HashMap};
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
    /// The file is not safetensors, or damaged.
    #[error("{}: not a valid safetensors file: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        problem: String,
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
    /// Keys with another type than `F32`: key, the file's type.
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
        let types = self.types.iter().map(|(key, got)| format!("{key} (expected F32, found {got})"));
        list(f, "wrong type", types.collect())
    }
}

/// What a checkpoint says about itself.
pub type Metadata = BTreeMap<String, String>;

/// Writes the network's parameters and buffers, with `metadata` beside the name of the network, atomically.
///
/// # Errors
/// When the file cannot be written; an older one is then untouched.
pub fn save<N: Network<E, D>, E: Real, D: Backend<E>>(
    net: &N,
    path: &Path,
    metadata: &Metadata,
) -> Result<(), CheckpointError> {
    let write = |source| CheckpointError::Write { path: path.to_owned(), source };
    let tensors: Vec<Vec<u8>> = params(net)
        .iter()
        .map(|param| {
            let numbers = param.as_vec().into_iter();
            numbers.flat_map(|x| x.to_f32().unwrap_or(f32::NAN).to_le_bytes()).collect()
        })
        .collect();
    let invalid = |error: safetensors::SafeTensorError| write(std::io::Error::other(error.to_string()));
    let views = N::GRAPH.params.iter().zip(&tensors).map(|(param, bytes)| {
        TensorView::new(FileType::F32, param.shape.to_vec(), bytes).map(|view| (param.name, view))
    });
    let views = views.collect::<Result<Vec<_>, _>>().map_err(invalid)?;
    let mut about: HashMap<String, String> = metadata.clone().into_iter().collect();
    about.insert("format".into(), "convnet".into());
    about.insert("network".into(), N::GRAPH.name.into());
    let bytes = safetensors::serialize(views, Some(about)).map_err(invalid)?;
    atomic_file::write(path, &canonical(bytes)).map_err(write)
}

/// The header's metadata is written from a hash map, in an order that changes from run to run. The same network has to
/// give the same bytes, so the metadata is written again in the order of its keys; its length stays what it was.
fn canonical(mut bytes: Vec<u8>) -> Vec<u8> {
    let Some(header_len) = bytes.first_chunk::<8>().map(|len| u64::from_le_bytes(*len) as usize) else { return bytes };
    let Ok((_, metadata)) = SafeTensors::read_metadata(&bytes) else { return bytes };
    let Some(about) = metadata.metadata() else { return bytes };
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    let sorted: BTreeMap<&String, &String> = about.iter().collect();
    let text =
        sorted.iter().map(|(key, value)| format!("{}:{}", quote(key), quote(value))).collect::<Vec<_>>().join(",");
    let (Some(header), open) = (bytes.get(8..8 + header_len), "\"__metadata__\":{") else { return bytes };
    let found = header.windows(open.len()).position(|window| window == open.as_bytes());
    if let Some(start) = found.map(|at| 8 + at + open.len())
        && let Some(place) = bytes.get_mut(start..start + text.len())
    {
        place.copy_from_slice(text.as_bytes());
    }
    bytes
}

/// Reads parameters and buffers into the network and returns what the file says about itself. `num_batches_tracked` is
/// ignored.
///
/// # Errors
/// When the file cannot be read, is damaged or does not fit; the network is then unchanged.
pub fn load<N: Network<E, D>, E: Real, D: Backend<E>>(net: &mut N, path: &Path) -> Result<Metadata, CheckpointError> {
    let bytes = std::fs::read(path).map_err(|source| CheckpointError::Read { path: path.to_owned(), source })?;
    let format = |problem: String| CheckpointError::Format { path: path.to_owned(), problem };
    let file = SafeTensors::deserialize(&bytes).map_err(|error| format(describe(&error, bytes.len())))?;
    let (_, about) = SafeTensors::read_metadata(&bytes).map_err(|error| format(describe(&error, bytes.len())))?;
    let mismatch = compare(N::GRAPH, &file);
    if !mismatch.is_empty() {
        return Err(CheckpointError::Mismatch {
            path: path.to_owned(),
            network: N::GRAPH.name,
            mismatch: Box::new(mismatch),
        });
    }
    let mut values = Vec::new();
    for (index, param) in N::GRAPH.params.iter().enumerate() {
        let view = file.tensor(param.name).map_err(|error| format(error.to_string()))?;
        let numbers = view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        values.push((index, numbers.map(|x| E::from_f32(x).unwrap_or(E::nan())).collect()));
    }
    set_params(net, &values);
    Ok(about.metadata().clone().unwrap_or_default().into_iter().collect())
}

fn compare(graph: &Graph, file: &SafeTensors<'_>) -> Mismatch {
    let mut mismatch = Mismatch::default();
    let mut known = BTreeSet::new();
    for param in graph.params {
        known.insert(param.name);
        match file.tensor(param.name) {
            Err(_) => mismatch.missing.push(param.name.into()),
            Ok(view) if view.shape() != param.shape => {
                mismatch.shapes.push((param.name.into(), param.shape.to_vec(), view.shape().to_vec()));
            }
            Ok(view) if view.dtype() != FileType::F32 => {
                mismatch.types.push((param.name.into(), format!("{:?}", view.dtype())));
            }
            Ok(_) => {}
        }
    }
    let mut names = file.names();
    names.sort_unstable();
    let extra = names.into_iter().filter(|name| !known.contains(name) && !name.ends_with("num_batches_tracked"));
    mismatch.extra = extra.map(String::from).collect();
    mismatch
}

/// The reader's errors in words for someone who has the file, not the format, before them.
fn describe(error: &safetensors::SafeTensorError, len: usize) -> String {
    use safetensors::SafeTensorError::*;
    match error {
        HeaderTooSmall => format!("it has {len} bytes, too few for a header"),
        HeaderTooLarge => "its header claims to be larger than 100 MB".into(),
        InvalidHeaderLength => format!("its header claims to be longer than the file ({len} bytes)"),
        InvalidHeader(_) | InvalidHeaderDeserialization(_) => format!("its header is not readable ({error})"),
        MetadataIncompleteBuffer => {
            format!("its tensors do not cover the file's {len} bytes exactly; it may have been cut short")
        }
        other => other.to_string(),
    }
}
