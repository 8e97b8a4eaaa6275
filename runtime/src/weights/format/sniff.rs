//! Which kind of file it is, by enough of its content that none passes for another.
//!
//! A safetensors file starts with the length of its header, which may be any number: its first bytes are those of a pickle or an
//! archive now and then. What it has and they have not is a length that the file accounts for, and the header's brace behind it.

use super::{FormatError, invalid, safetensors};

/// What a weights file is packed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    Safetensors,
    /// A zip archive: PyTorch since 1.6, or NumPy.
    Zip,
    /// A bare pickle: PyTorch before 1.6.
    Pickle,
}

/// What the bytes of a file are packed in.
pub fn container(bytes: &[u8]) -> Result<Container, FormatError> {
    let header = bytes.split_first_chunk::<8>().filter(|(_, rest)| rest.first() == Some(&b'{'));
    let fits = header.is_some_and(|(len, rest)| u64::from_le_bytes(*len) <= rest.len() as u64);
    match bytes {
        _ if fits => Ok(Container::Safetensors),
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Ok(Container::Zip),
        [0x80, 2..=5, opcode, ..] if begins_a_pickle(*opcode) => Ok(Container::Pickle),
        // Cut short, most likely; the reader of the format says more.
        _ if header.is_some() => Ok(Container::Safetensors),
        _ => Err(unknown(bytes)),
    }
}

/// Whether a pickle's first instruction may be this one: a number (PyTorch's magic one), an empty collection, a mark, a text, a
/// name, a constant or a frame.
fn begins_a_pickle(opcode: u8) -> bool {
    matches!(opcode, 0x8A | 0x8B | 0x95 | 0x88 | 0x89 | 0x8C | 0x8D) || b"(]})cXVUTJKMNGIL".contains(&opcode)
}

/// What other files are, as far as people have them where weights should be.
fn unknown(bytes: &[u8]) -> FormatError {
    const KNOWN: [(&[u8], &str); 8] = [
        (b"\x93NUMPY", "is a single array of NumPy (.npy); save the arrays by name with `numpy.savez`"),
        (b"\x89HDF", "is an HDF5 file, as Keras writes them"),
        (b"\x1f\x8b", "is packed by gzip; unpack it first"),
        (b"\x28\xb5\x2f\xfd", "is packed by zstd; unpack it first"),
        (b"version https://git-lfs", "is a pointer of Git LFS, not the file itself; fetch it with `git lfs pull`"),
        (b"<!DOCTYPE", "is a web page; the download went to a page instead of the file"),
        (b"<html", "is a web page; the download went to a page instead of the file"),
        (b"GGUF", "is a GGUF file, for language models"),
    ];
    let known =
        KNOWN.iter().find(|(start, _)| bytes.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start)));
    match (known, bytes) {
        (Some((_, what)), _) => FormatError::Unknown((*what).to_string()),
        (None, bytes) if bytes.len() < 9 => invalid("safetensors", safetensors::too_short(bytes.len())),
        (None, bytes) if bytes.iter().all(|byte| *byte == 0) => FormatError::Unknown("is all zeros".into()),
        (None, bytes) => {
            let start: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            FormatError::Unknown(format!("starts with the bytes {}", start.join(" ")))
        }
    }
}
