//! Crates outside of the workspace: what a stranger's own crate finds, whatever it depends on and under whatever name.
//!
//! Each case is a folder under `outside/`. It is copied into a temporary folder and built there; all share one target folder,
//! so that the dependencies are built once.
#![forbid(unsafe_code)]

mod editor;
#[path = "outside/embedded/src/networks.rs"]
mod networks;

use convnet::prelude::*;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Copies a folder; in manifests, `{root}` becomes the folder of the workspace.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let root = root().to_string_lossy().replace('\\', "/");
            // Cargo would take a manifest below the workspace for one of its members.
            let target = if target.ends_with("manifest.toml") { target.with_file_name("Cargo.toml") } else { target };
            std::fs::write(target, text.replace("{root}", &root)).unwrap();
        }
    }
}

/// Runs `cargo ARGUMENTS --offline` in a copy of `outside/NAME`, with the versions of the workspace's `Cargo.lock`.
fn outside(name: &str, arguments: &[&str]) -> Output {
    outside_with(name, arguments, &[])
}

/// The same with environment variables.
fn outside_with(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    cargo(copied(name).path(), arguments, variables)
}

/// A copy of `outside/NAME`.
fn copied(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&root().join("tests/outside").join(name), folder.path());
    std::fs::copy(root().join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    folder
}

fn cargo(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--offline")
        .current_dir(folder)
        .envs(variables.iter().copied())
        .env("CARGO_TARGET_DIR", root().join("target/tests/outside"))
        .output()
        .unwrap()
}

/// The case `name` passes `cargo check` without a warning.
fn checks(name: &str) {
    let output = outside(name, &["check"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}:\n{errors}");
    assert!(!errors.contains("warning:"), "{name}:\n{errors}");
}

/// `cnn = { package = "convnet" }`, in edition 2021.
#[test]
fn the_crate_under_another_name() {
    checks("renamed");
}

/// An architecture of the zoo in a crate that depends on the zoo alone.
#[test]
fn the_zoo_alone() {
    checks("models_alone");
}

/// A crate that exports an architecture, and one that depends on that crate alone.
#[test]
fn an_exporting_crate_of_the_users() {
    checks("chain");
}

/// A program without optimisation, as `cargo run` makes it outside of this workspace, with every kernel of every instruction set.
#[test]
fn a_debug_build_runs() {
    for (profile, sets) in [("dev", &["avx512", "avx2", "portable"][..]), ("hard", &["avx512"])] {
        for set in sets {
            let output = outside_with("debug", &["run", "--profile", profile], &[("CONVNET_ISA", set)]);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{profile}, {set}:\n{errors}");
            assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2, "{profile}, {set}:\n{errors}");
        }
    }
}

/// A network of as many tensors as ResNet-152 in a program without optimisation; the program is built anew when the file changes.
#[test]
fn an_embedded_network() {
    let folder = copied("embedded");
    let file = folder.path().join("deep.safetensors");
    let answer = |seed: u64| {
        let net = Cpu::seed_from_u64(seed).build_module::<networks::Deep, f32>();
        convnet::weights::save(&net, &file, &Default::default()).unwrap();
        let output = cargo(folder.path(), &["run"], &[]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !errors.contains("warning:"), "{errors}");
        String::from_utf8_lossy(&output.stdout).to_string()
    };
    assert_ne!(answer(1), answer(2));
    let fails = |expected: &str| {
        let output = cargo(folder.path(), &["build"], &[]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(expected) && !output.status.success(), "{errors}");
    };
    // A path from the package's folder, where that of the source file is meant.
    let main = folder.path().join("src/main.rs");
    let text = std::fs::read_to_string(&main).unwrap();
    std::fs::write(&main, text.replace("../deep", "deep")).unwrap();
    fails("fix: `\"../deep.safetensors\"`");
    std::fs::write(&main, text).unwrap();
    std::fs::remove_file(&file).unwrap();
    fails("deep.safetensors: No such file");
}

/// A network in a file of its own: the program is built anew when the file changes, and mistakes are drawn with the lines of the file.
#[test]
fn an_included_network() {
    let folder = copied("included");
    let file = folder.path().join("nets/small.cnn");
    let text = std::fs::read_to_string(&file).unwrap();
    let run = || {
        let output = cargo(folder.path(), &["run"], &[]);
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (first, errors) = run();
    assert!(!errors.contains("warning:"), "{errors}");
    std::fs::write(&file, text.replace("conv(4,", "conv(6,").replace("unit(4)", "unit(6)")).unwrap();
    let (second, errors) = run();
    assert!(first != second && !errors.contains("warning:"), "{first} {second} {errors}");

    let mistaken =
        text.replace("linear(CLASSES)", "linear(12)").replace("kernel = 3, pad = 1); relu;", "kernel = 31);");
    std::fs::write(&file, mistaken).unwrap();
    let (_, errors) = run();
    for expected in [
        "`stem`: kernel 31 does not fit into height 8",
        "--> nets/small.cnn:9:28",
        "9 |     stem: conv(4, kernel = 31);",
        "  |                            ^^",
        "5 | cnn! { include = \"nets/small.cnn\" }",
        "`fc` gives [12], but `Small` is declared to give [CLASSES]",
    ] {
        assert!(errors.contains(expected), "{expected} is not in\n{errors}");
    }

    std::fs::write(&file, text.replace("pad = 1); relu;", "pad = 1); relu; tanh;")).unwrap();
    let (_, errors) = run();
    let warned = "a second activation, right after `relu`";
    assert!(errors.contains(warned) && errors.contains("--> nets/small.cnn:9:47"), "{errors}");

    std::fs::remove_file(&file).unwrap();
    let (_, errors) = run();
    assert!(errors.contains("cannot read nets/small.cnn: No such file"), "{errors}");
}
