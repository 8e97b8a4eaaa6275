//! ONNX: a network as a file that other programs run, such as ONNX Runtime, OpenVINO, TensorRT and browsers; with the feature `read` also
//! such files as networks.
//!
//! ```
//! use convnet::onnx;
//! use convnet::prelude::*;
//!
//! cnn! {
//!     struct Net: [1, 28, 28] -> [10] { conv(8, kernel = 3); relu; max_pool(2); flatten; linear(10); }
//! }
//!
//! let net = Cpu::default().build_module::<Net, f32>();
//! let model = onnx::export(&net, &onnx::Options::default())?;
//! assert_eq!(model.ends(), ["input [batch, 1, 28, 28] f32", "output [batch, 10] f32"]);
//! # let folder = std::env::temp_dir().join(format!("convnet-onnx-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let path = folder.join("net.onnx");
//! onnx::write(&model, &path, false)?;
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg(feature = "onnx")]
#![cfg_attr(docsrs, doc(cfg(feature = "onnx")))]

#[cfg(feature = "read")]
mod import;

use crate::atomic_file;
use crate::backend::{Backend, Real};
use crate::data::fit::Fit;
use crate::data::{Invert, Preparation};
use crate::net::AnyNetwork;
use crate::weights::{self, WeightsError};
#[doc(hidden)] // Of a graph and numbers, for tests.
pub use convnet_onnx::export as export_graph;
#[cfg(feature = "read")]
#[doc(hidden)] // Of bytes, for tests.
pub use convnet_onnx::import as import_bytes;
pub use convnet_onnx::{ExportError, Model, OPSET, Options, Preprocessing, Resizing};
#[cfg(feature = "read")]
#[cfg_attr(docsrs, doc(cfg(feature = "read")))]
pub use import::{Import, ImportError, ImportOptions, Unsayable, import};
use std::path::{Path, PathBuf};

/// Why there is no ONNX file, or no network of one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// The network cannot be said in ONNX, or not in one file.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Its parameters cannot be read from the device.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Images are prepared in a way that depends on each of them, or by something that ONNX has no operator for.
    #[error("the images of this network are {what}, which an ONNX model cannot do: {fix}")]
    Preparation {
        /// What is done to them.
        what: &'static str,
        /// What to do about it.
        fix: &'static str,
    },
    /// A model cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A model is none, or cannot be said in the language.
    #[cfg(feature = "read")]
    #[error("{}: {source}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ImportError,
    },
    /// A file cannot be written; an older one is then unchanged.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// The network as it is evaluated: auxiliary heads are left out, dropout does nothing, batch normalisation takes its running statistics.
/// Its input is called `input`, its output `output`, further outputs have their names, the number of images is open, parameters have their names, and the operators are those of
/// ONNX's version [`OPSET`].
///
/// # Errors
/// When the network has a `custom` module, or the device fails.
pub fn export<E: Real, D: Backend<E>>(net: &dyn AnyNetwork<E, D>, options: &Options) -> Result<Model, OnnxError> {
    let entries = weights::state_dict(net)?.entries;
    let numbers: Vec<Vec<f32>> = entries.iter().map(|entry| entry.to_f32().unwrap_or_default()).collect();
    Ok(convnet_onnx::export(net.graph(), &numbers, options)?)
}

/// Writes a model atomically, and says into which files. Weights go into a file of their own in the same folder where that is `wanted`, or
/// where they are too many for one file; its name is that of the model with a checksum, so that a model that is there already keeps its
/// weights until it is replaced.
///
/// # Errors
/// When a file cannot be written.
pub fn write(model: &Model, path: &Path, wanted: bool) -> Result<Vec<PathBuf>, OnnxError> {
    let put = |path: &Path, bytes: &[u8]| {
        atomic_file::write(path, bytes).map_err(|source| OnnxError::Write { path: path.into(), source })
    };
    if !wanted && !model.needs_two_files() {
        put(path, &model.to_bytes()?)?;
        return Ok(vec![path.into()]);
    }
    let [_, weights] = model.to_two_files("");
    let sum = blake3::hash(&weights).to_hex();
    let stem = path.file_stem().map_or_else(Default::default, |stem| stem.to_string_lossy());
    let name = format!("{stem}-{}.data", &sum[..8]);
    let beside = path.with_file_name(&name);
    put(&beside, &weights)?;
    put(path, &model.to_two_files(&name)[0])?;
    Ok(vec![path.into(), beside])
}

/// What a model has to do to the bytes of images so that the network sees what it saw in training; `resizes` asks for resizing, too, so
/// that images may have any size.
///
/// # Errors
/// When what is done depends on the image: whether it is inverted, or whether it is small enough to be padded.
pub fn preprocessing(preparation: &Preparation, resizes: bool) -> Result<Preprocessing, OnnxError> {
    let channels = preparation.shape[0];
    let factors: Vec<[f32; 2]> = (0..channels).map(|c| preparation.normalisation.factors(c)).collect();
    let (mut factor, mut offset): (Vec<f32>, Vec<f32>) =
        factors.iter().map(|[factor, offset]| (*factor, *offset)).unzip();
    if preparation.invert == Invert::Always {
        // 255 - x.
        offset
            .iter_mut()
            .zip(&mut factor)
            .for_each(|(offset, factor)| (*offset, *factor) = (*offset + 255.0 * *factor, -*factor));
    }
    let padded = OnnxError::Preparation { what: "padded where they are small", fix: "put only normalisation into it" };
    let resizing = match (resizes, preparation.fit, preparation.resize) {
        (false, ..) => None,
        (true, ..) if preparation.size.is_some() => return Err(padded),
        (true, Fit::Resize, _) => Some(Resizing::Stretched),
        (true, Fit::Crop, None) => Some(Resizing::Covering),
        (true, Fit::Crop, Some(short)) if preparation.shape[1..].iter().all(|side| *side <= short) => {
            Some(Resizing::Shorter(short))
        }
        (true, ..) => return Err(padded),
    };
    Ok(Preprocessing { shape: preparation.shape, factor, offset, resizing })
}
