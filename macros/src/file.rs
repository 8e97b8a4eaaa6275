//! Which file a call names, and what is read of it: the header of weights that `embed!` includes, the text of a network that `cnn!` includes.
//! This is the one place of the macros that reads files and variables of the environment: rustc has no other way to compare what is in a
//! file with a constant, and none to make tokens of one.

use convnet_language::report::did_you_mean;
use convnet_language::text::MOST as MOST_TEXT;
use proc_macro2::Span;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, ExprMacro, Lit, Token};

/// Headers are shorter; the format allows no more.
const LONGEST_HEADER: u64 = 100_000_000;

/// Where a relative path starts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// At the folder of the file of the call, as in `include_bytes!`.
    Source,
    /// At the folder of the package.
    Package,
}

/// A file, as the call has it and as the system finds it.
pub struct Place {
    pub written: String,
    from: From,
    path: PathBuf,
    /// Absolute, for `include_bytes!`.
    pub full: PathBuf,
}

/// The file that an expression names.
pub fn path(expr: &Expr, from: From) -> syn::Result<Place> {
    let mut place = None;
    let written = text(expr, &mut place)?;
    let given = Path::new(&written);
    let source = || place.and_then(|span| span.local_file()).and_then(|file| file.parent().map(Path::to_owned));
    // Older editors do not say where the source is.
    let folder = if from == From::Source { source() } else { None };
    let path = folder.unwrap_or_else(manifest_folder).join(given);
    let full = std::path::absolute(&path)
        .map_err(|error| Error::new_spanned(expr, format!("cannot tell where `{written}` is: {error}")))?;
    if written.is_empty() {
        let example = if from == From::Source { "weights: `\"net.safetensors\"`" } else { "network: `\"net.cnn\"`" };
        return Err(Error::new_spanned(expr, format!("an empty path; name the file of the {example}")));
    }
    Ok(Place { written, from, path, full })
}

/// The text that a literal, `concat!` or `env!` stands for; `place` becomes the first literal's place.
fn text(expr: &Expr, place: &mut Option<Span>) -> syn::Result<String> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            place.get_or_insert(text.span());
            Ok(text.value())
        }
        Expr::Group(group) => text(&group.expr, place),
        Expr::Macro(ExprMacro { mac, .. }) if mac.path.is_ident("concat") => {
            let parts = mac.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated)?;
            parts.iter().map(|part| text(part, place)).collect()
        }
        Expr::Macro(ExprMacro { mac, .. }) if mac.path.is_ident("env") => {
            let name: syn::LitStr = mac.parse_body()?;
            std::env::var(name.value())
                .map_err(|_| Error::new_spanned(expr, format!("the variable {} is not set here", name.value())))
        }
        other => Err(Error::new_spanned(
            other,
            "the path has to be known before anything is compiled: a text, or `concat!` and `env!` with texts in them",
        )),
    }
}

fn manifest_folder() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(PathBuf::new, PathBuf::from)
}

/// The header of a weights file, and the length of the file.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn header(place: &Place) -> Result<(Vec<u8>, u64), String> {
    let (start, text, len) = read(&place.path).map_err(|error| unreadable(place, &error))?;
    text.map(|text| (text, len)).ok_or_else(|| format!("{} {}", place.written, other(&start)))
}

/// The text of a network.
///
/// # Errors
/// When it cannot be read, or is longer than any network.
pub fn network(place: &Place) -> Result<String, String> {
    let read = || {
        let (file, len) = open(&place.path)?;
        if len > MOST_TEXT as u64 {
            return Err(io::Error::other(format!("it has {len} bytes; a network has at most {MOST_TEXT}")));
        }
        let mut text = String::new();
        file.take(len).read_to_string(&mut text)?;
        Ok(text)
    };
    read().map_err(|error| unreadable(place, &error))
}

fn unreadable(place: &Place, error: &io::Error) -> String {
    format!("cannot read {}: {error}{}", place.written, hint(place, error))
}

/// A regular file, and its length.
fn open(path: &Path) -> io::Result<(fs::File, u64)> {
    // Opening a named pipe waits, so its kind has to be known before.
    let found = fs::metadata(path)?;
    if !found.is_file() {
        return Err(io::Error::other(if found.is_dir() { "it is a folder" } else { "it is not a regular file" }));
    }
    Ok((fs::File::open(path)?, found.len()))
}

/// The first bytes of a regular file, its header if they claim one that it has room for, and its length.
fn read(path: &Path) -> io::Result<(Vec<u8>, Option<Vec<u8>>, u64)> {
    let (mut file, len) = open(path)?;
    let mut start = Vec::new();
    file.by_ref().take(9).read_to_end(&mut start)?;
    let claimed = match start.split_first_chunk::<8>() {
        Some((claimed, [b'{'])) => u64::from_le_bytes(*claimed),
        _ => return Ok((start, None, len)),
    };
    if claimed > LONGEST_HEADER.min(len.saturating_sub(8)) {
        let problem =
            format!("it is not a valid safetensors file: its header claims {claimed} bytes, and it has {len}");
        return Err(io::Error::other(problem));
    }
    let mut text = vec![b'{'];
    file.take(claimed.saturating_sub(1)).read_to_end(&mut text)?;
    Ok((start, Some(text), len))
}

/// What a file is that is not safetensors, and what to do.
fn other(start: &[u8]) -> String {
    let what = match start {
        [b'P', b'K', 3 | 5, ..] => "is a zip archive, as PyTorch (.pt, .pth) and NumPy (.npz) write them",
        [0x80, 2..=5, ..] => "is a pickle, as PyTorch writes its files (.pt, .pth)",
        [0x89, b'H', b'D', b'F', ..] => "is an HDF5 file, as Keras writes them; save the weights as safetensors",
        [b'v', b'e', b'r', b's', b'i', b'o', b'n', b' ', ..] => {
            return "is a pointer of Git LFS, not the file itself; fetch it with `git lfs pull`".into();
        }
        [] => return "is empty".into(),
        _ => "is not a safetensors file",
    };
    let fix = "`convnet convert FILE net.safetensors` makes one of a file of PyTorch or NumPy";
    format!("{what}; only safetensors files can be embedded\n  fix: {fix}")
}

/// Where the file might be that there is not.
fn hint(Place { written, from, path, .. }: &Place, error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::NotFound {
        return String::new();
    }
    let package = manifest_folder();
    let folder = path.parent().unwrap_or(Path::new(""));
    if *from == From::Source
        && package.join(written).is_file()
        && let Some(up) = depth(folder, &package)
    {
        return format!(
            "\n  the path starts at the folder of this source file\n  fix: `\"{}{written}\"`",
            "../".repeat(up)
        );
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(1000);
    let names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    let (ending, start) = match from {
        From::Source => (".safetensors", "the folder of this source file, as in `include_bytes!`"),
        From::Package => (".cnn", "the folder of the package, where its Cargo.toml is"),
    };
    let near = did_you_mean(&wanted, names.iter().map(String::as_str).filter(|name| name.ends_with(ending)));
    format!("{near}\n  the path starts at {start}")
}

/// How many folders below the package one is.
fn depth(folder: &Path, package: &Path) -> Option<usize> {
    let below = std::path::absolute(folder).ok()?;
    Some(below.strip_prefix(package).ok()?.components().count())
}
