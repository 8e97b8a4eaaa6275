//! The header of a safetensors file, by the crate that reads such files at run time too.

use super::dtype_of;
use safetensors::tensor::{Metadata, TensorInfo};
use std::collections::BTreeMap;

/// As many tensors are taken; a network of this language has fewer.
const MOST_TENSORS: usize = 200_000;

/// What stands in front of the tensors.
pub struct Header {
    /// What the file says about itself.
    pub metadata: BTreeMap<String, String>,
    /// By name.
    pub tensors: BTreeMap<String, TensorInfo>,
    /// What may come off all names: nothing, or what wrappers of networks put before them, shorter ones first.
    pub prefixes: Vec<String>,
    /// Where the tensors begin in the file.
    pub data: usize,
    /// Bytes of the whole file.
    pub len: u64,
}

impl Header {
    /// Reads the text between the header's length and the tensors, of a file of `len` bytes.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with the file's name.
    pub fn read(text: &[u8], len: u64) -> Result<Self, String> {
        let read: Metadata = serde_json::from_slice(text)
            .map_err(|error| format!("is not a valid safetensors file: its header is not readable ({error})"))?;
        let data = 8 + text.len();
        let claimed = (data as u64).saturating_add(read.data_len() as u64);
        if claimed != len {
            return Err(format!(
                "is not a valid safetensors file: its tensors should end at byte {claimed}, but it has {len} bytes; it may have been cut short"
            ));
        }
        let tensors: BTreeMap<String, TensorInfo> =
            read.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
        if let Some((name, info)) = tensors.iter().find(|(_, info)| dtype_of(info.dtype).is_none()) {
            return Err(format!("cannot be embedded: `{name}` has the type {:?}, which nothing here uses", info.dtype));
        }
        if tensors.len() > MOST_TENSORS {
            return Err(format!("cannot be embedded: it has {} tensors, more than {MOST_TENSORS}", tensors.len()));
        }
        let prefixes = prefixes(tensors.keys().map(String::as_str));
        let metadata = read.metadata().clone().unwrap_or_default().into_iter().collect();
        Ok(Header { metadata, tensors, prefixes, data, len })
    }
}

/// What all names begin with, up to each of its dots. PyTorch's counts of batches do not count, since no layer here has one.
fn prefixes<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names = names.filter(|name| !name.ends_with("num_batches_tracked"));
    let first = names.next().unwrap_or_default();
    let common = names.fold(first.len(), |len, name| {
        let equal = name.bytes().zip(first.bytes()).take_while(|(a, b)| a == b).count();
        len.min(equal)
    });
    let dots = first.match_indices('.').map(|(at, _)| at + 1).filter(|end| *end <= common);
    std::iter::once(0).chain(dots).filter_map(|end| first.get(..end)).map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;

    #[test]
    fn a_header_that_does_not_account_for_the_file_is_none() -> Result<(), String> {
        let read = |text: &str, data: u64| Header::read(text.as_bytes(), 8 + text.len() as u64 + data);
        let header = read(TEXT, 8)?;
        assert_eq!((header.tensors.len(), header.prefixes), (1, vec![String::new()]));
        assert_eq!(header.metadata, [("a".to_string(), "b".to_string())].into());
        let error = read(TEXT, 7).map(drop).unwrap_err();
        assert!(error.contains(&format!(
            "should end at byte {}, but it has {} bytes",
            TEXT.len() + 16,
            TEXT.len() + 15
        )));
        for (from, to) in [
            ("[0,8]", "[0,18446744073709551615]"),
            ("[0,8]", "[8,0]"),
            ("[2]", "[18446744073709551615,18446744073709551615]"),
            ("[2]", "[-1]"),
            ("F32", "F31"),
            ("}}", ""),
            ("[2]", &"[".repeat(100_000)),
        ] {
            let error = read(&TEXT.replace(from, to), 8).map(drop).unwrap_err();
            assert!(error.contains("its header is not readable"), "{to}: {error}");
        }
        let error = read(&TEXT.replace("F32", "F8_E4M3").replace("[0,8]", "[0,2]"), 2).map(drop).unwrap_err();
        assert!(error.contains("`x` has the type F8_E4M3"), "{error}");
        Ok(())
    }

    #[test]
    fn what_stands_before_all_names_may_come_off() {
        let of = |names: &[&str]| prefixes(names.iter().copied());
        assert_eq!(of(&["module.a.weight", "module.b.weight", "n.num_batches_tracked"]), ["", "module."]);
        assert_eq!(of(&["m.a.weight", "m.a.bias"]), ["", "m.", "m.a."]);
        assert_eq!(of(&["ab.x", "ac.x"]), [""]);
        assert_eq!(of(&["a.\u{e9}.x", "a.\u{e8}.x"]), ["", "a."]);
        assert_eq!(of(&[]), [""]);
    }
}
