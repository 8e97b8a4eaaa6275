//! The digest of a safetensors file's numbers, for `compare_builds.sh`: names, types, shapes and bytes of its tensors, whatever
//! their order is. What the file says about itself is left out, since that may change between two builds with equal weights.
#![forbid(unsafe_code)]

use safetensors::{SafeTensorError, SafeTensors};
use std::process::ExitCode;

/// The BLAKE3 digest of all tensors, as hexadecimal digits.
///
/// # Errors
/// When the bytes are no safetensors file.
fn digest(file: &[u8]) -> Result<String, SafeTensorError> {
    let file = SafeTensors::deserialize(file)?;
    let mut tensors = file.tensors();
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut hasher = blake3::Hasher::new();
    // Each part with its length, so that none can pass for two others.
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for (name, tensor) in &tensors {
        part(name.as_bytes());
        part(format!("{:?} {:?}", tensor.dtype(), tensor.shape()).as_bytes());
        part(tensor.data());
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: digest FILE.safetensors");
        return ExitCode::from(2);
    };
    let read = std::fs::read(&path).map_err(|error| error.to_string());
    match read.and_then(|bytes| digest(&bytes).map_err(|error| error.to_string())) {
        Ok(digest) => {
            println!("{digest}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::digest;
    use safetensors::tensor::{Dtype, TensorView};
    use std::collections::HashMap;

    fn file(name: &str, shape: &[usize], bytes: &[u8], note: &str) -> Vec<u8> {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap();
        safetensors::serialize([(name, view)], Some(HashMap::from([("note".into(), note.into())]))).unwrap()
    }

    #[test]
    fn only_numbers_names_and_shapes_count() {
        let one = digest(&file("a", &[2], &[0; 8], "before")).unwrap();
        assert_eq!(digest(&file("a", &[2], &[0; 8], "after")).unwrap(), one);
        // A single bit, the name, the shape.
        assert_ne!(digest(&file("a", &[2], &[0, 0, 0, 0, 0, 0, 0, 1], "before")).unwrap(), one);
        assert_ne!(digest(&file("b", &[2], &[0; 8], "before")).unwrap(), one);
        assert_ne!(digest(&file("a", &[2, 1], &[0; 8], "before")).unwrap(), one);
        assert!(digest(b"no weights").is_err());
    }
}
