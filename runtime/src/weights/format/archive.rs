//! What the two formats that are zip archives have in common: names of members, and members that are what was written.

use super::{FormatError, invalid};
use std::io::{Read, Seek};
use zip::ZipArchive;
use zip::read::ZipFile;

/// How many times the file's length all tensors together may take: deflate can claim a thousand times, and a tensor may repeat
/// a single element.
pub const EXPANSION: usize = 64;

/// The names of an archive's members.
pub fn names<R: Read + Seek>(archive: &ZipArchive<R>) -> Result<Vec<String>, FormatError> {
    let damaged = |error: zip::result::ZipError| invalid("zip", format!("a member's name is damaged ({error})"));
    archive.file_names().map(|name| name.map(|name| name.into_owned()).map_err(damaged)).collect()
}

/// The content of a member that has `size` bytes, held against its checksum. A checksum of 0 stands for none if `may_lack` one.
pub fn content<R: Read>(file: ZipFile<'_, R>, size: usize, may_lack: bool) -> Result<Vec<u8>, String> {
    let written = file.crc32();
    let mut bytes = Vec::with_capacity(size);
    // No more than announced: the reader's own comparison comes after the last byte, and knows no files without checksums.
    file.take(size as u64).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() != size {
        return Err(format!("it ends after {} of {size} bytes", bytes.len()));
    }
    let found = crc32fast::hash(&bytes);
    if found != written && !(may_lack && written == 0) {
        return Err(format!("its checksum (CRC-32) is {found:08x}, but {written:08x} was written"));
    }
    Ok(bytes)
}
