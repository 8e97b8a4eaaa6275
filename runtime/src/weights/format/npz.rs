//! NumPy's `.npz`: a zip archive with one `.npy` file a tensor.
//!
//! A `.npy` file is a short Python literal that tells type, order and shape, and the elements behind it. The literal is read
//! as text, never evaluated.

use super::archive::{self, EXPANSION};
use super::storage::{View, product};
use super::{DType, Entry, FormatError, StateDict, invalid};
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

const FORMAT: &str = "NumPy";

fn bad(problem: impl Into<String>) -> FormatError {
    invalid(FORMAT, problem)
}

fn open(bytes: &[u8]) -> Result<ZipArchive<Cursor<&[u8]>>, FormatError> {
    ZipArchive::new(Cursor::new(bytes)).map_err(|error| invalid("zip", format!("it may have been cut short ({error})")))
}

/// Whether a zip archive is one of NumPy's.
pub fn is_npz(bytes: &[u8]) -> Result<bool, FormatError> {
    let names = archive::names(&open(bytes)?)?;
    Ok(!names.is_empty() && names.iter().all(|name| name.ends_with(".npy")))
}

pub fn parse(bytes: &[u8]) -> Result<StateDict, FormatError> {
    let mut archive = open(bytes)?;
    let names = archive::names(&archive)?;
    let mut budget = bytes.len().saturating_mul(EXPANSION).saturating_add(1 << 20);
    let mut entries = Vec::new();
    for name in names {
        let key = name.strip_suffix(".npy").unwrap_or(&name).to_string();
        let damaged = |error: &dyn std::fmt::Display| bad(format!("`{key}`: {error}"));
        let file = archive.by_name(&name).map_err(|error| damaged(&error))?;
        let size = usize::try_from(file.size()).unwrap_or(usize::MAX);
        let Some(left) = budget.checked_sub(size) else {
            return Err(damaged(&format!("it claims {size} bytes, far more than the file accounts for")));
        };
        budget = left;
        let content = archive::content(file, size, false).map_err(|problem| damaged(&problem))?;
        entries.push(npy(key.clone(), &content).map_err(|problem| damaged(&problem))?);
    }
    Ok(StateDict { entries, metadata: BTreeMap::new() })
}

fn npy(name: String, content: &[u8]) -> Result<Entry, String> {
    let (len_at, len_size) = match content {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, ..] => (8, 2),
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _, ..] => (8, 4),
        _ => return Err("it does not start as a .npy file of version 1 to 3 does".into()),
    };
    let len = content.get(len_at..len_at + len_size).ok_or("its header is cut short")?;
    let len = len.iter().rev().fold(0_usize, |n, byte| n << 8 | usize::from(*byte));
    let start = len_at + len_size;
    let header = start.checked_add(len).and_then(|end| content.get(start..end));
    let header = header.ok_or_else(|| format!("its header claims {len} bytes, more than there are"))?;
    let header = std::str::from_utf8(header).map_err(|_| "its header is no text".to_string())?;
    let (kind, fortran, shape) = literal(header)?;
    let data = content.get(start + len..).unwrap_or_default();
    let count = product(&shape).and_then(|count| count.checked_mul(kind.size()));
    if count != Some(data.len()) {
        return Err(format!("shape {shape:?} of {kind} does not go with {} bytes", data.len()));
    }
    let mut strides = vec![1; shape.len()];
    for i in 1..shape.len() {
        let (this, before) = if fortran { (i, i - 1) } else { (shape.len() - 1 - i, shape.len() - i) };
        strides[this] = strides[before] * shape[before].max(1);
    }
    let view =
        View { storage: data, size: kind.size(), offset: 0, shape: &shape, strides: &strides, budget: data.len() };
    let bytes = view.contiguous()?;
    Ok(Entry { name, shape, dtype: kind, bytes })
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`
fn literal(header: &str) -> Result<(DType, bool, Vec<usize>), String> {
    let after = |key: &str| {
        let found = header.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
        found.ok_or_else(|| format!("its header says nothing about `{key}`"))
    };
    let descr = after("descr")?.strip_prefix('\'').and_then(|rest| rest.split_once('\'')).map(|(descr, _)| descr);
    let kind = match descr.unwrap_or_default() {
        "<f2" => DType::F16,
        "<f4" => DType::F32,
        "<f8" => DType::F64,
        "|i1" => DType::I8,
        "<i2" => DType::I16,
        "<i4" => DType::I32,
        "<i8" => DType::I64,
        "|u1" => DType::U8,
        "|b1" => DType::Bool,
        other => return Err(format!("its type is {other:?}; little-endian f2, f4, f8, i1 to i8, u1 and b1 are read")),
    };
    let fortran = match after("fortran_order")? {
        rest if rest.starts_with("True") => true,
        rest if rest.starts_with("False") => false,
        _ => return Err("its order is neither True nor False".into()),
    };
    let shape = after("shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(shape, _)| shape);
    let sizes = shape.ok_or("its shape is no tuple")?.split(',').map(str::trim).filter(|size| !size.is_empty());
    let shape: Result<Vec<usize>, _> = sizes.map(|size| size.parse()).collect();
    let shape = shape.map_err(|_| "its shape holds something that is no size".to_string())?;
    if shape.len() > 32 {
        return Err(format!("its shape has {} dimensions", shape.len()));
    }
    Ok((kind, fortran, shape))
}

pub fn encode(dict: &StateDict) -> Result<Vec<u8>, FormatError> {
    let failed = |error: &dyn std::fmt::Display| FormatError::Unsupported(format!("cannot make an archive: {error}"));
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in &dict.entries {
        let descr = match entry.dtype {
            DType::F16 => "<f2",
            DType::F32 => "<f4",
            DType::F64 => "<f8",
            DType::I8 => "|i1",
            DType::I16 => "<i2",
            DType::I32 => "<i4",
            DType::I64 => "<i8",
            DType::U8 => "|u1",
            DType::Bool => "|b1",
            DType::BF16 => {
                let message = format!("`{}` is BF16, which NumPy does not have; write .safetensors", entry.name);
                return Err(FormatError::Unsupported(message));
            }
        };
        let sizes = entry.shape.iter().map(|size| format!("{size},")).collect::<Vec<_>>().join(" ");
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}), }}");
        // The elements start at a multiple of 64 bytes.
        let padded = (10 + header.len() + 1).next_multiple_of(64) - 10;
        header.push_str(&" ".repeat(padded - 1 - header.len()));
        header.push('\n');
        let len = u16::try_from(header.len()).map_err(|_| failed(&"a shape has too many dimensions"))?;
        // A fixed date, so that the same tensors give the same bytes.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::default())
            .large_file(entry.bytes.len() >= u32::MAX as usize / 2);
        writer.start_file(format!("{}.npy", entry.name), options).map_err(|error| failed(&error))?;
        let mut write = |bytes: &[u8]| writer.write_all(bytes).map_err(|error| failed(&error));
        write(b"\x93NUMPY\x01\x00")?;
        write(&len.to_le_bytes())?;
        write(header.as_bytes())?;
        write(&entry.bytes)?;
    }
    writer.finish().map(Cursor::into_inner).map_err(|error| failed(&error))
}
