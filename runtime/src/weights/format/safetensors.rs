//! safetensors: a JSON header and the tensors behind it. Parsing is the `safetensors` crate's, which checks that tensors
//! neither overlap nor leave gaps.

use super::{DType, Entry, FormatError, StateDict, invalid};
use safetensors::tensor::{Metadata, TensorInfo, TensorView};
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use std::collections::{BTreeMap, HashMap};

fn kind_of(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
        Dtype::I8 => DType::I8,
        Dtype::I16 => DType::I16,
        Dtype::I32 => DType::I32,
        Dtype::I64 => DType::I64,
        Dtype::U8 => DType::U8,
        Dtype::BOOL => DType::Bool,
        _ => return None,
    })
}

fn dtype_of(kind: DType) -> Dtype {
    match kind {
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::I8 => Dtype::I8,
        DType::I16 => Dtype::I16,
        DType::I32 => Dtype::I32,
        DType::I64 => Dtype::I64,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
    }
}

pub fn parse(bytes: &[u8]) -> Result<StateDict, FormatError> {
    let damaged = |error: SafeTensorError| invalid("safetensors", describe(&error, bytes.len()));
    if let Some(end) = claimed_end(bytes).filter(|end| *end > bytes.len()) {
        return Err(invalid("safetensors", format!("its tensors claim {end} bytes, but it has {}", bytes.len())));
    }
    let (header_len, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let data = bytes.get(8 + header_len..).unwrap_or_default();
    // In the order of the file, so that the same tensors give the same bytes again.
    let mut tensors: Vec<(String, &TensorInfo)> = header.tensors().into_iter().collect();
    tensors.sort_by(|(a, x), (b, y)| (x.data_offsets, a).cmp(&(y.data_offsets, b)));
    let mut entries = Vec::new();
    for (name, TensorInfo { dtype, shape, data_offsets: (start, end) }) in tensors {
        let Some(kind) = kind_of(*dtype) else {
            let problem = format!("`{name}` has the type {dtype:?}, which nothing here uses");
            return Err(FormatError::Unsupported(problem));
        };
        let bytes = data.get(*start..*end).ok_or(SafeTensorError::MetadataIncompleteBuffer).map_err(damaged)?;
        entries.push(Entry { name, shape: shape.clone(), dtype: kind, bytes: bytes.to_vec() });
    }
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    Ok(StateDict { entries, metadata })
}

/// The metadata of a header, without its length before it; `None` where it is no header.
pub fn metadata(header: &[u8]) -> Option<BTreeMap<String, String>> {
    let header: Metadata = serde_json::from_slice(header).ok()?;
    Some(header.metadata().clone().unwrap_or_default().into_iter().collect())
}

/// Where the last tensor ends, as the header has it. The crate adds the header's length to that without a check, so a claim
/// near 2^64 has to be refused before.
fn claimed_end(bytes: &[u8]) -> Option<usize> {
    let (len, rest) = bytes.split_first_chunk::<8>()?;
    let header = rest.get(..usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
    let metadata: Metadata = serde_json::from_slice(header).ok()?;
    metadata.tensors().values().map(|info| info.data_offsets.1).max()
}

pub fn encode(dict: &StateDict) -> Result<Vec<u8>, FormatError> {
    let failed = |error: SafeTensorError| FormatError::Unsupported(error.to_string());
    let views = dict.entries.iter().map(|entry| {
        TensorView::new(dtype_of(entry.dtype), entry.shape.clone(), &entry.bytes).map(|view| (&entry.name, view))
    });
    let views = views.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let about: HashMap<String, String> = dict.metadata.clone().into_iter().collect();
    let about = (!about.is_empty()).then_some(about);
    safetensors::serialize(views, about).map(canonical).map_err(failed)
}

/// The header's metadata is written from a hash map, in an order that changes from run to run. The same dict has to give the
/// same bytes, so the metadata is written again in the order of its keys; its length stays what it was.
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

pub fn too_short(len: usize) -> String {
    format!("it has {len} bytes, too few for a header")
}

/// The reader's errors in words for someone who has the file, not the format, before them.
fn describe(error: &SafeTensorError, len: usize) -> String {
    use SafeTensorError::*;
    match error {
        HeaderTooSmall => too_short(len),
        HeaderTooLarge => "its header claims to be larger than 100 MB".into(),
        InvalidHeaderLength => format!("its header claims to be longer than the file ({len} bytes)"),
        InvalidHeader(_) | InvalidHeaderDeserialization(_) => format!("its header is not readable ({error})"),
        MetadataIncompleteBuffer => {
            format!("its tensors do not cover the file's {len} bytes exactly; it may have been cut short")
        }
        other => other.to_string(),
    }
}
