//! Weight files: named tensors from and to disk, in the formats that people have.
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

mod npz;
mod pickle;
mod safetensors;
mod storage;
mod torch;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // They are what their names say.
pub enum Kind {
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

impl Kind {
    /// Bytes of an element.
    pub const fn size(self) -> usize {
        match self {
            Kind::I8 | Kind::U8 | Kind::Bool => 1,
            Kind::F16 | Kind::BF16 | Kind::I16 => 2,
            Kind::F32 | Kind::I32 => 4,
            Kind::F64 | Kind::I64 => 8,
        }
    }

    /// Whether elements are floating-point numbers.
    pub const fn is_float(self) -> bool {
        matches!(self, Kind::F16 | Kind::BF16 | Kind::F32 | Kind::F64)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
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
    pub kind: Kind,
    /// Its elements, little-endian.
    pub bytes: Vec<u8>,
}

impl Entry {
    /// A tensor of numbers in single precision.
    pub fn from_f32(name: impl Into<String>, shape: &[usize], values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        Entry { name: name.into(), shape: shape.to_vec(), kind: Kind::F32, bytes }
    }

    /// A tensor of numbers in double precision.
    pub fn from_f64(name: impl Into<String>, shape: &[usize], values: &[f64]) -> Self {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        Entry { name: name.into(), shape: shape.to_vec(), kind: Kind::F64, bytes }
    }

    /// The elements of a floating-point tensor in single precision (those of `F32` bit by bit); `None` for other types.
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        let halves = || self.bytes.as_chunks::<2>().0.iter();
        Some(match self.kind {
            Kind::F16 => halves().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect(),
            Kind::BF16 => halves().map(|b| half::bf16::from_le_bytes(*b).to_f32()).collect(),
            Kind::F32 => self.bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Kind::F64 => self.bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
            _ => return None,
        })
    }

    /// The elements of a floating-point tensor in double precision; `None` for other types.
    pub fn to_f64(&self) -> Option<Vec<f64>> {
        match self.kind {
            Kind::F64 => Some(self.bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect()),
            _ => self.to_f32().map(|values| values.into_iter().map(f64::from).collect()),
        }
    }
}

/// What a weight file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateDict {
    /// Its tensors, in the order of the file.
    pub entries: Vec<Entry>,
    /// What it says about itself; only safetensors has that.
    pub metadata: BTreeMap<String, String>,
}

/// A kind of weight file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
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
    pub fn of_path(path: &Path) -> Result<Self, WeightsError> {
        match path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase).as_deref() {
            Some("safetensors") => Ok(Format::Safetensors),
            Some("npz") => Ok(Format::Npz),
            Some("pt" | "pth") => Ok(Format::PyTorch),
            _ => Err(WeightsError::Name),
        }
    }
}

/// Why a weight file could not be read or made. The file's name is the caller's to add.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The name does not say which format is meant.
    #[error("the name has to end in .safetensors or .npz, so that the format is known")]
    Name,
    /// The file could not be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The content is of no known format.
    #[error("not a weight file: expected safetensors, PyTorch (.pt, .pth) or NumPy (.npz), but it starts with {0}")]
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
}

fn invalid(format: &'static str, problem: impl Into<String>) -> WeightsError {
    WeightsError::Invalid { format, problem: problem.into() }
}

/// The names of an archive's members.
fn member_names<R: std::io::Read + std::io::Seek>(archive: &zip::ZipArchive<R>) -> Result<Vec<String>, WeightsError> {
    let damaged = |error: zip::result::ZipError| invalid("zip", format!("a member's name is damaged ({error})"));
    archive.file_names().map(|name| name.map(|name| name.into_owned()).map_err(damaged)).collect()
}

/// Reads a weight file of any format.
///
/// # Errors
/// When it cannot be read, is damaged, or holds no tensors.
pub fn read(path: &Path) -> Result<StateDict, WeightsError> {
    parse(&std::fs::read(path)?)
}

/// Reads the content of a weight file.
///
/// # Errors
/// When it is damaged, or holds no tensors.
pub fn parse(bytes: &[u8]) -> Result<StateDict, WeightsError> {
    match bytes {
        [b'P', b'K', 3 | 5, 4 | 6, ..] => match npz::is_npz(bytes)? {
            true => npz::parse(bytes),
            false => torch::parse_zip(bytes),
        },
        [0x80, 2..=5, ..] => torch::parse_legacy(bytes),
        // A header's length and its brace.
        [_, _, _, _, _, _, _, _, b'{', ..] => safetensors::parse(bytes),
        _ if bytes.len() < 9 => Err(invalid("safetensors", safetensors::too_short(bytes.len()))),
        [a, b, c, d, ..] => Err(WeightsError::Unknown(format!("the bytes {a:02x} {b:02x} {c:02x} {d:02x}"))),
        _ => Err(WeightsError::Unknown("nothing".into())),
    }
}

/// The content of a weight file.
///
/// # Errors
/// When the format cannot be written or cannot hold a type.
pub fn encode(dict: &StateDict, format: Format) -> Result<Vec<u8>, WeightsError> {
    match format {
        Format::Safetensors => safetensors::encode(dict),
        Format::Npz => npz::encode(dict),
        Format::PyTorch => Err(WeightsError::Unsupported(
            "PyTorch files are read, not written; write .safetensors (safetensors.torch.load_file reads it) or .npz"
                .into(),
        )),
    }
}
