//! Writing a file so that a crash, a full disk or a lost connection leaves the old one or the new one, never a mixture.
//!
//! Sibling temporary file, write, fsync, rename, fsync of the folder. A sibling because a rename is atomic only within one
//! file system; the folder because the rename itself lives there.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Replaces `path` by `bytes`. An existing file's permissions are kept, and a symbolic link still leads to it.
///
/// # Errors
/// Whatever the system says, or when `path` is a folder, a device or the like, or a file that may not be written to; then the
/// old file is untouched and no temporary file is left.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = target(path)?;
    let (folder, temporary) = beside(&target)?;
    let written = fill(&temporary, &target, bytes).and_then(|()| std::fs::rename(&temporary, &target));
    if let Err(error) = written {
        // The first error is the one to tell; a temporary file that cannot be removed either is no news.
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    sync_folder(&folder)
}

/// Finds out whether [`write()`] could write there, and changes nothing: better to know before the work than after it.
///
/// # Errors
/// As [`write()`].
pub fn check(path: &Path) -> io::Result<()> {
    let (folder, temporary) = beside(&target(path)?)?;
    if !folder.is_dir() {
        let message = format!("there is no folder {}", folder.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    File::create(&temporary)?;
    std::fs::remove_file(&temporary)
}

/// The file itself, where the path is a link to it; refused if it is no file or is protected.
fn target(path: &Path) -> io::Result<PathBuf> {
    let Ok(old) = std::fs::metadata(path) else { return Ok(path.to_owned()) };
    if !old.is_file() {
        let what = if old.is_dir() { "is a folder" } else { "is a device or a pipe, not a file" };
        return Err(io::Error::new(io::ErrorKind::IsADirectory, what));
    }
    if old.permissions().readonly() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "is a file that may not be written to"));
    }
    match std::fs::symlink_metadata(path)?.is_symlink() {
        true => std::fs::canonicalize(path),
        false => Ok(path.to_owned()),
    }
}

/// The folder of a file, and the temporary file in it.
fn beside(path: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut temporary = name.to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    Ok((folder.to_owned(), folder.join(temporary)))
}

fn fill(temporary: &PathBuf, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(temporary)?;
    file.write_all(bytes)?;
    if let Ok(old) = std::fs::metadata(path) {
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
