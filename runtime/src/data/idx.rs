//! MNIST's IDX format (LeCun, Cortes, Burges): a magic number that holds the type and the number of dimensions, the
//! dimensions as big-endian `u32`, then the elements.
//!
//! Whether a file is compressed is seen from its first bytes, not from its name. A header is believed only as far as the
//! data that follows it: at most one byte more than it declares is ever unpacked, so neither a lying header nor a
//! compressed bomb takes memory.

use super::DataError;
use crate::regular_file;
use flate2::read::MultiGzDecoder;
use std::io::{BufReader, Read};
use std::path::Path;

/// An IDX file of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// Extent of each dimension.
    pub dims: Vec<usize>,
    /// The elements, row-major.
    pub bytes: Vec<u8>,
}

/// The most elements that a file may declare: 4 GiB.
const LIMIT: u64 = 1 << 32;

/// Reads a file of bytes with `rank` dimensions; `what` names its content in errors.
///
/// # Errors
/// When the file cannot be read, or is not such a file from the first byte to the last.
pub fn read(path: &Path, rank: usize, what: &'static str) -> Result<Idx, DataError> {
    let io = |source| DataError::Io { path: path.to_owned(), source };
    let file = regular_file::open(path).map_err(io)?;
    parse(BufReader::new(file), path, rank, what)
}

/// Reads a file of bytes from memory; `path` names it in errors.
///
/// # Errors
/// As for [`read`].
pub fn parse(mut source: impl Read, path: &Path, rank: usize, what: &'static str) -> Result<Idx, DataError> {
    let mut start = Vec::new();
    let io = |source| DataError::Io { path: path.to_owned(), source };
    source.by_ref().take(2).read_to_end(&mut start).map_err(io)?;
    let compressed = start == [0x1f, 0x8b];
    let whole = std::io::Cursor::new(start).chain(source);
    if compressed {
        Reader { path, what, compressed, source: MultiGzDecoder::new(whole) }.idx(rank)
    } else {
        Reader { path, what, compressed, source: whole }.idx(rank)
    }
}

struct Reader<'a, R> {
    path: &'a Path,
    what: &'static str,
    compressed: bool,
    source: R,
}

impl<R: Read> Reader<'_, R> {
    fn idx(mut self, rank: usize) -> Result<Idx, DataError> {
        let magic = self.bytes(4, 0, "the magic number")?;
        let expected = [0, 0, 8, rank as u8];
        if magic != expected {
            let found = match magic[..] {
                [0, 0, 8, other @ 1..=4] => format!("{other} dimensions (this holds {})", content(other)),
                [0, 0, kind, _] => format!("element type 0x{kind:02x}"),
                _ => format!("bytes {magic:02x?}: not an IDX file"),
            };
            let expected = format!("bytes {expected:02x?} ({} of unsigned bytes, {rank} dimensions)", self.what);
            return Err(self.format(0, "the magic number", expected, found));
        }
        let mut dims = Vec::new();
        for dim in 0..rank {
            let offset = 4 + 4 * dim as u64;
            let bytes = self.bytes(4, offset, "a dimension")?;
            let size = bytes.iter().fold(0_u64, |size, byte| size << 8 | u64::from(*byte));
            if size == 0 {
                return Err(self.format(offset, "a dimension", "at least 1".into(), "0".into()));
            }
            dims.push(size);
        }
        let header = 4 + 4 * rank as u64;
        let len = dims.iter().try_fold(1_u64, |len, dim| len.checked_mul(*dim)).filter(|len| *len <= LIMIT);
        let Some(len) = len else {
            return Err(self.format(4, "the dimensions", format!("at most {LIMIT} elements"), format!("{dims:?}")));
        };
        let bytes = self.bytes(len, header, "the elements")?;
        let more = self.bytes_up_to(1, header + len)?;
        if !more.is_empty() {
            return Err(self.format(header + len, "the end", "the end of the file".into(), "more bytes".into()));
        }
        Ok(Idx { dims: dims.into_iter().map(|dim| dim as usize).collect(), bytes })
    }

    /// Exactly `len` bytes.
    fn bytes(&mut self, len: u64, offset: u64, part: &'static str) -> Result<Vec<u8>, DataError> {
        let bytes = self.bytes_up_to(len, offset)?;
        if bytes.len() as u64 != len {
            let found = format!("the end of the file after {}", bytes.len());
            return Err(self.format(offset, part, format!("{len} bytes"), found));
        }
        Ok(bytes)
    }

    fn bytes_up_to(&mut self, len: u64, _offset: u64) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        match self.source.by_ref().take(len).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(source) if self.compressed => Err(DataError::Gzip { path: self.path.to_owned(), source }),
            Err(source) => Err(DataError::Io { path: self.path.to_owned(), source }),
        }
    }

    fn format(&self, offset: u64, what: &'static str, expected: String, found: String) -> DataError {
        DataError::Format { path: self.path.to_owned(), offset, what, expected, found }
    }
}

fn content(rank: u8) -> &'static str {
    match rank {
        1 => "labels?",
        3 => "images?",
        _ => "something else",
    }
}
