//! Whether a file can be written where the user wants it, found out before the work.

use convnet::atomic_file;
use convnet::weights::Format;
use convnet::weights::WeightsError;
use std::error::Error;
use std::path::Path;

/// The error of a file that cannot be written.
pub fn unwritable(path: &Path, source: std::io::Error) -> WeightsError {
    WeightsError::Write { path: path.to_owned(), source }
}

/// Fails where `path` cannot be written.
pub fn check(path: &Path) -> Result<(), WeightsError> {
    atomic_file::check(path).map_err(|source| unwritable(path, source))
}

/// The format that a weights file of this name is to have.
pub fn weights_format(path: &Path) -> Result<Format, Box<dyn Error>> {
    let format = Format::of_path(path).map_err(|error| format!("{}: {error}", path.display()))?;
    match format {
        // Its error says what to write instead.
        Format::PyTorch => Ok(Format::to_write(path).map_err(|error| format!("{}: {error}", path.display()))?),
        format => Ok(format),
    }
}
