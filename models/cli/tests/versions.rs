//! Files of other versions: those of 0.1 load and go on as they did, and those of a version that is not known yet are refused.
//!
//! `version_0_1` was written by convnet 0.1, which put no version into its files:
//!
//! ```text
//! convnet train lenet5 --limit 640 --batch 32 --epochs 3 --seed 5 --lr 0.05 --ema 0.8 --checkpoint-every 10 --keep 100 \
//!     --augment 'crop(2), rotate(10)' --run run --out whole.safetensors
//! convnet train --resume --run run --out trained.safetensors    # from the checkpoint after step 50 of 60
//! convnet eval lenet5 --weights trained.safetensors --json      # eval.json, without the place of the weights
//! ```
//!
//! All with `CONVNET_ISA=portable`, as it is here, so that every processor computes the same bits.

mod common;

use ::convnet::weights::{self, Format, StateDict};
use common::{fails, ok};
use std::path::{Path, PathBuf};
use std::process::Command;

fn version_0_1() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/version_0_1")
}

/// A folder with copies of the run, without the lock and what else a run leaves.
fn run_in(folder: &Path) {
    std::fs::create_dir_all(folder.join("run/checkpoints")).unwrap();
    for file in ["run/config.toml", CHECKPOINT] {
        std::fs::copy(version_0_1().join(file), folder.join(file)).unwrap();
    }
}

const CHECKPOINT: &str = "run/checkpoints/step-000000050.safetensors";

/// What the program prints when it computes with what every processor has.
fn portable(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convnet"));
    let output = command.args(arguments).current_dir(folder).env("CONVNET_ISA", "portable").output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// The weights are those of version 0.1 to the bit, and say what those say, their version, their task, the network's
/// declaration and how they were trained.
fn is_what_0_1_trained(file: &Path) {
    let [was, mut is] = [&version_0_1().join("trained.safetensors"), file].map(|file| weights::read(file).unwrap());
    for (old, new) in was.entries.iter().zip(&is.entries) {
        assert!(old == new, "{} is not what it was", old.name);
    }
    assert_eq!((was.entries.len(), is.entries.len()), (10, 10));
    assert_eq!(is.metadata.remove("format_version").as_deref(), Some("1"));
    assert!(is.metadata.remove("source").is_some_and(|source| source.contains("struct LeNet5<")));
    assert_eq!(is.metadata.remove("task").as_deref(), Some("classes"));
    let training: serde_json::Value = serde_json::from_str(&is.metadata.remove("training").unwrap()).unwrap();
    let of_that = |key: &str| was.metadata[key].parse::<serde_json::Value>().unwrap();
    for key in ["epoch", "seed", "test_accuracy"] {
        assert_eq!(training[key], of_that(key), "{training}");
    }
    // The one metric that version 0.1 did not write into weights.
    assert!(is.metadata.remove("test_top5").is_some());
    assert_eq!(is.metadata, was.metadata);
}

#[test]
fn weights_of_0_1_classify_as_they_did() {
    let weights = version_0_1().join("trained.safetensors");
    let folder = tempfile::tempdir().unwrap();
    let said = portable(folder.path(), &["eval", "lenet5", "--weights", weights.to_str().unwrap(), "--json"]);
    let mut is: serde_json::Value = serde_json::from_str(&said).unwrap();
    is.as_object_mut().unwrap().remove("weights").unwrap();
    let was = std::fs::read_to_string(version_0_1().join("eval.json")).unwrap();
    let mut was: serde_json::Value = serde_json::from_str(&was).unwrap();
    // The one key that has another name today.
    let images = was.as_object_mut().unwrap().remove("pictures").unwrap();
    was.as_object_mut().unwrap().insert("images".into(), images);
    // The one key that is new.
    assert_eq!(is.as_object_mut().unwrap().remove("task"), Some("classes".into()));
    assert_eq!(is, was);
}

#[test]
fn a_run_of_0_1_goes_on_to_the_weights_that_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    run_in(f);
    portable(f, &["train", "--resume", "--run", "run", "--out", "trained.safetensors", "--quiet"]);
    is_what_0_1_trained(&f.join("trained.safetensors"));
    // It went on from the checkpoint and did not begin anew.
    let log = std::fs::read_to_string(f.join("run/log.jsonl")).unwrap();
    assert_eq!(log.matches(r#""event":"step""#).count(), 10, "{log}");
    assert!(f.join("run/checkpoints/step-000000060.safetensors").exists());
}

#[test]
fn a_config_of_0_1_starts_the_same_run() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    run_in(f);
    let config = ["train", "--config", "run/config.toml", "--run", "again", "--out", "trained.safetensors", "--quiet"];
    portable(f, &config);
    is_what_0_1_trained(&f.join("trained.safetensors"));
    // What is written today has all that stood there, and its version.
    let read = |file: &str| std::fs::read_to_string(f.join(file)).unwrap().parse::<toml::Table>().unwrap();
    let (mut was, mut is) = (read("run/config.toml"), read("again/config.toml"));
    assert_eq!(is.remove("format_version"), Some(1.into()));
    assert_eq!(is.remove("lr_scale"), Some(toml::Value::Array(Vec::new())));
    assert_eq!([is.remove("task"), is.remove("loss")], [Some("auto".into()), Some("auto".into())]);
    assert!(was.remove("out").is_some() && is.remove("out").is_some());
    assert_eq!(is, was);
}

/// Puts a version into the metadata of a file.
fn set_version(from: &Path, to: &Path, version: &str) {
    let mut dict: StateDict = weights::read(from).unwrap();
    dict.metadata.insert("format".into(), "convnet".into());
    dict.metadata.insert("format_version".into(), version.into());
    std::fs::write(to, weights::encode(&dict, Format::Safetensors).unwrap()).unwrap();
}

/// What an error says of a file with this version.
fn refusal(file: &str, version: &str, fix: &'static str) -> [String; 2] {
    [
        format!("{file}: its format version is `{version}`, but this program reads version 1, and files without one"),
        fix.into(),
    ]
}

const UNKNOWN: [(&str, &str); 4] = [
    ("2", "use a newer convnet"),
    ("4000000000000", "use a newer convnet"),
    ("0", "take another copy of it"),
    ("newest", "take another copy of it"),
];

#[test]
fn weights_of_an_unknown_version_are_refused_by_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let old = version_0_1().join("trained.safetensors");
    image::GrayImage::new(28, 28).save(f.join("digit.png")).unwrap();
    let commands: [&[&str]; 5] = [
        &["eval", "lenet5", "--weights", "new.safetensors"],
        &["predict", "lenet5", "--weights", "new.safetensors", "digit.png"],
        &["explain", "gradient", "lenet5", "--weights", "new.safetensors", "--image", "digit.png"],
        &["convert", "new.safetensors", "new.npz"],
        &["train", "lenet5", "--weights", "new.safetensors", "--limit", "64", "--quiet"],
    ];
    for (version, fix) in UNKNOWN {
        set_version(&old, &f.join("new.safetensors"), version);
        let expected = refusal("new.safetensors", version, fix);
        for command in commands {
            fails(f, command, 1, &expected.each_ref().map(String::as_str));
        }
    }
    // That of today is read, and so is a file of others whose metadata has the same word.
    set_version(&old, &f.join("new.safetensors"), "1");
    ok(f, commands[1]);
    let mut foreign = weights::read(&old).unwrap();
    foreign.metadata = [("format", "pt"), ("format_version", "2")].map(|(k, v)| (k.into(), v.into())).into();
    std::fs::write(f.join("new.safetensors"), weights::encode(&foreign, Format::Safetensors).unwrap()).unwrap();
    ok(f, commands[1]);
}

#[test]
fn a_run_of_an_unknown_version_does_not_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    run_in(f);
    // The place for the weights that the run had is one of another machine.
    let resume = ["train", "--resume", "--run", "run", "--out", "trained.safetensors", "--quiet"];
    // The older checkpoint could be gone on from, but a newer program has trained since.
    let newer = "run/checkpoints/step-000000060.safetensors";
    for (version, fix) in UNKNOWN {
        set_version(&f.join(CHECKPOINT), &f.join(newer), version);
        fails(f, &resume, 1, &refusal(newer, version, fix).each_ref().map(String::as_str));
    }
    std::fs::remove_file(f.join(newer)).unwrap();
    let config = std::fs::read_to_string(f.join("run/config.toml")).unwrap();
    for (version, fix) in [("2", UNKNOWN[0].1), ("-1", UNKNOWN[2].1), ("\"1\"", UNKNOWN[2].1), ("[]", UNKNOWN[2].1)] {
        // Options of the other version may have any name.
        let newer = format!("format_version = {version}\nnobody_knows = 3\n{config}");
        std::fs::write(f.join("run/config.toml"), newer).unwrap();
        fails(f, &resume, 1, &refusal("run/config.toml", version, fix).each_ref().map(String::as_str));
    }
    assert!(!f.join("trained.safetensors").exists() && !f.join("run/log.jsonl").exists());
}
