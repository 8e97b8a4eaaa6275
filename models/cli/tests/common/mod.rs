//! Running the program as a user does.
#![allow(dead_code)] // Each test target uses its part.

use std::path::Path;
use std::process::{Command, Output};

/// `convnet` with arguments, in `folder`.
pub fn convnet(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_convnet")).args(arguments).current_dir(folder).output().unwrap()
}

/// What it writes to standard output when all goes well.
pub fn ok(folder: &Path, arguments: &[&str]) -> String {
    let output = convnet(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Checks that it fails with `code`, and that its error contains all of `expected` and is not a panic.
pub fn fails(folder: &Path, arguments: &[&str], code: i32, expected: &[&str]) -> String {
    let output = convnet(folder, arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
    assert!(error.starts_with("error: ") || error.contains("\nerror: "), "{arguments:?}: {error}");
    assert!(!error.contains("panicked") && !error.contains("RUST_BACKTRACE"), "{arguments:?}: {error}");
    for expected in expected {
        assert!(error.contains(expected), "{arguments:?}: {error}\nexpected: {expected}");
    }
    error
}
