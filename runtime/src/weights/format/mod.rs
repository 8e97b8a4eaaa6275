//! The formats of weights files: named tensors from and to bytes, as people have them.
//!
//! | format | read | write |
//! |---|---|---|
//! | safetensors | yes | yes |
//! | PyTorch (`.pt`, `.pth`; zip and the older form) | yes | no: a pickle is a program, and nobody should have to run ours |
//! | NumPy (`.npz`) | yes | yes |
//!
//! The format is found from the content, not from the name. Nothing in a file is executed, nothing is allocated that the
//! file's own size does not account for, and elements keep their bits: a tensor is bytes with a type until someone asks for
//! numbers.

mod archive;
mod npz;
mod pickle;
mod rebuild;
mod safetensors;
mod sniff;
mod storage;
mod torch;

use crate::format_version::{self, UnknownVersion};
use crate::regular_file;
use sniff::Container;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // They are what their names say.
#[non_exhaustive]
pub enum DType {
    F16,
    BF16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    Bool,
}

impl DType {
    /// Bytes of an element.
    pub const fn size(self) -> usize {
        match self {
            DType::I8 | DType::U8 | DType::Bool => 1,
            DType::F16 | DType::BF16 | DType::I16 => 2,
            DType::F32 | DType::I32 => 4,
            DType::F64 | DType::I64 => 8,
        }
    }

    /// Whether elements are floating-point numbers.
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
    }

    /// As the variant is called, in constants too.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            DType::F16 => "F16",
            DType::BF16 => "BF16",
            DType::F32 => "F32",
            DType::F64 => "F64",
            DType::I8 => "I8",
            DType::I16 => "I16",
            DType::I32 => "I32",
            DType::I64 => "I64",
            DType::U8 => "U8",
            DType::Bool => "Bool",
        }
    }

    /// Floating-point numbers, of little-endian bytes, in single precision (those of `F32` bit by bit); `None` for other types.
    pub(crate) fn to_f32(self, bytes: &[u8]) -> Option<Vec<f32>> {
        let halves = || bytes.as_chunks::<2>().0.iter();
        Some(match self {
            DType::F16 => halves().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect(),
            DType::BF16 => halves().map(|b| half::bf16::from_le_bytes(*b).to_f32()).collect(),
            DType::F32 => bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            DType::F64 => bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
            _ => return None,
        })
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key: `conv1.weight`.
    pub name: String,
    /// Its shape, row-major.
    pub shape: Vec<usize>,
    /// The type of its elements.
    pub dtype: DType,
    /// Its elements, little-endian.
    pub bytes: Vec<u8>,
}

impl Entry {
    /// A tensor of numbers in single precision.
    pub fn from_f32(name: impl Into<String>, shape: &[usize], values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        Entry { name: name.into(), shape: shape.to_vec(), dtype: DType::F32, bytes }
    }

    /// A tensor of numbers in double precision.
    pub fn from_f64(name: impl Into<String>, shape: &[usize], values: &[f64]) -> Self {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        Entry { name: name.into(), shape: shape.to_vec(), dtype: DType::F64, bytes }
    }

    /// The elements of a floating-point tensor in single precision (those of `F32` bit by bit); `None` for other types.
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        self.dtype.to_f32(&self.bytes)
    }

    /// The elements of a floating-point tensor in double precision; `None` for other types.
    pub fn to_f64(&self) -> Option<Vec<f64>> {
        match self.dtype {
            DType::F64 => Some(self.bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect()),
            _ => self.to_f32().map(|values| values.into_iter().map(f64::from).collect()),
        }
    }
}

/// What a weights file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateDict {
    /// Its tensors, in the order of the file.
    pub entries: Vec<Entry>,
    /// What it says about itself; only safetensors has that.
    pub metadata: BTreeMap<String, String>,
}

/// A kind of weights file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum Format {
    Safetensors,
    PyTorch,
    Npz,
}

impl Format {
    /// The format that the end of a file's name stands for.
    ///
    /// # Errors
    /// When it stands for none.
    pub fn of_path(path: &Path) -> Result<Self, FormatError> {
        match path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase).as_deref() {
            Some("safetensors") => Ok(Format::Safetensors),
            Some("npz") => Ok(Format::Npz),
            Some("pt" | "pth") => Ok(Format::PyTorch),
            _ => Err(FormatError::Name),
        }
    }

    /// The format to write a file of this name in: NumPy's for `.npz`, else safetensors, unless the name promises what is not
    /// written.
    ///
    /// # Errors
    /// When the end of the name stands for another format, such as `.pth` or `.onnx`.
    pub fn to_write(path: &Path) -> Result<Self, FormatError> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_lowercase();
        match extension.as_str() {
            "npz" => Ok(Format::Npz),
            "pt" | "pth" | "ckpt" => Err(FormatError::Unsupported(NO_PYTORCH.into())),
            end if OTHERS.contains(&end) => Err(FormatError::Unsupported(format!(
                "its name promises a .{end} file, but weights are written as .safetensors or .npz"
            ))),
            _ => Ok(Format::Safetensors),
        }
    }
}

const NO_PYTORCH: &str =
    "PyTorch files are read, not written; write .safetensors (safetensors.torch.load_file reads it) or .npz";

/// Ends of names that stand for something else than a file of weights that is written here.
const OTHERS: [&str; 22] = [
    "pkl", "pickle", "bin", "onnx", "h5", "hdf5", "keras", "pb", "tflite", "npy", "gguf", "zip", "mlmodel", "msgpack",
    "json", "jsonl", "toml", "csv", "txt", "html", "png", "cnn",
];

/// Why a weights file could not be read or made. The file's name is the caller's to add.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The name does not say which format is meant.
    #[error("the name has to end in .safetensors or .npz, so that the format is known")]
    Name,
    /// The file could not be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The content is of no known format.
    #[error("not a weights file: expected safetensors, PyTorch (.pt, .pth) or NumPy (.npz), but it {0}")]
    Unknown(String),
    /// The file is damaged, or was made to do harm.
    #[error("not a valid {format} file: {problem}")]
    Invalid {
        /// Which format it seems to be.
        format: &'static str,
        /// What is wrong, and where.
        problem: String,
    },
    /// The format cannot hold or give what is asked for.
    #[error("{0}")]
    Unsupported(String),
    /// The file is ours, of a version that this program does not know.
    #[error(transparent)]
    Version(#[from] UnknownVersion),
}

fn invalid(format: &'static str, problem: impl Into<String>) -> FormatError {
    FormatError::Invalid { format, problem: problem.into() }
}

/// One of several state dicts in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(hidden)]
pub struct Candidate<'a> {
    /// Where it is: the keys that lead to it with dots between them, `state_dict_ema` say; empty if it is the file's top.
    pub place: String,
    /// Its own keys.
    pub keys: Vec<Cow<'a, str>>,
}

/// What says by its number which of several state dicts is wanted.
#[doc(hidden)]
pub type Choose<'a> = dyn FnMut(&[Candidate<'_>]) -> Result<usize, FormatError> + 'a;

/// Reads a weights file of any format.
///
/// # Errors
/// When it cannot be read, is no regular file, is damaged, holds no tensors, or is ours and of an unknown version.
pub fn read(path: &Path) -> Result<StateDict, FormatError> {
    parse(&regular_file::read(path)?)
}

/// What a file says about itself, from its header alone where it is a safetensors file; other formats say nothing.
///
/// # Errors
/// When it cannot be read or is no regular file; and as [`read`], where it begins like a safetensors file and is none.
pub fn metadata(path: &Path) -> Result<BTreeMap<String, String>, FormatError> {
    let mut file = regular_file::open(path)?;
    let has = file.metadata()?.len();
    let mut start = Vec::new();
    file.by_ref().take(8).read_to_end(&mut start)?;
    let claims =
        start.first_chunk::<8>().map(|len| u64::from_le_bytes(*len)).filter(|len| *len <= has.saturating_sub(8));
    let Some(claims) = claims else { return Ok(BTreeMap::new()) };
    let mut header = Vec::new();
    file.take(claims).read_to_end(&mut header)?;
    match safetensors::metadata(&header) {
        Some(found) => {
            format_version::check(&found)?;
            Ok(found)
        }
        None if header.first() == Some(&b'{') => Ok(read(path)?.metadata),
        None => Ok(BTreeMap::new()),
    }
}

/// Reads the content of a weights file. Where it holds several state dicts, it is the one with the most tensors, and of equally
/// large ones that at the top or with a usual name.
///
/// # Errors
/// When it is damaged, holds no tensors, or is ours and of an unknown version.
#[doc(hidden)]
pub fn parse(bytes: &[u8]) -> Result<StateDict, FormatError> {
    parse_choosing(bytes, &mut |candidates| Ok(largest(candidates)))
}

/// The state dict with the most tensors; the first of equals.
pub(crate) fn largest(candidates: &[Candidate<'_>]) -> usize {
    let most = candidates.iter().map(|candidate| candidate.keys.len()).max();
    candidates.iter().position(|candidate| Some(candidate.keys.len()) == most).unwrap_or(0)
}

/// [`parse`], but `choose` says which one (by its number) is read where a file holds several state dicts, such as the weights
/// and their moving average. It is not asked where there is one.
///
/// # Errors
/// As [`parse`], and those of `choose`.
#[doc(hidden)]
pub fn parse_choosing(bytes: &[u8], choose: &mut Choose<'_>) -> Result<StateDict, FormatError> {
    match sniff::container(bytes)? {
        Container::Zip if npz::is_npz(bytes)? => npz::parse(bytes),
        Container::Zip => torch::open_zip(bytes)?.read(choose),
        Container::Pickle => torch::open_legacy(bytes)?.read(choose),
        Container::Safetensors => {
            let dict = safetensors::parse(bytes)?;
            format_version::check(&dict.metadata)?;
            Ok(dict)
        }
    }
}

/// The content of a weights file.
///
/// # Errors
/// When the format cannot be written or cannot hold a type.
#[doc(hidden)]
pub fn encode(dict: &StateDict, format: Format) -> Result<Vec<u8>, FormatError> {
    match format {
        Format::Safetensors => safetensors::encode(dict),
        Format::Npz => npz::encode(dict),
        Format::PyTorch => Err(FormatError::Unsupported(NO_PYTORCH.into())),
    }
}
