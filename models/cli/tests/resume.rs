//! A run of the program killed at any moment goes on to the same weights with all that it was started with, its folder can
//! always be read, and it takes nobody else's place.

mod common;

use ::convnet::weights::{self, Format};
use common::{convnet, fails, ok};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Sixty steps in three epochs, with a checkpoint after each of them.
const RUN: [&str; 16] = [
    "train",
    "lenet5",
    "--epochs",
    "3",
    "--limit",
    "1280",
    "--checkpoint-every",
    "1",
    "--augment",
    "crop(2), rotate(10)",
    "--ema",
    "0.9",
    "--quiet",
    "--run",
    "run",
    "--validation=0.02",
];

fn trained(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("lenet5.safetensors")).unwrap()
}

fn spawn(folder: &Path, arguments: &[&str]) -> std::process::Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convnet"));
    command.args(arguments).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// How often to kill: a few times here, as often as one likes by `CONVNET_KILLS=200`.
fn kills() -> usize {
    std::env::var("CONVNET_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(40)
}

#[cfg(unix)]
#[test]
fn a_killed_run_goes_on_to_the_same_weights() {
    let whole = tempfile::tempdir().unwrap();
    let start = Instant::now();
    ok(whole.path(), &RUN);
    let (expected, time) = (trained(whole.path()), start.elapsed());
    let resume = [&RUN[..], &["--resume"]].concat();
    let (mut killed, mut begun, mut state) = (0, 0, 7_u64);
    while killed < kills() {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = &RUN[..];
        // Up to four times in a run.
        for _ in 0..4 {
            let mut child = spawn(folder.path(), arguments);
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let wait = time.mul_f64((state >> 33) as f64 / (1_u64 << 31) as f64 * 0.6);
            std::thread::sleep(wait);
            let over = child.try_wait().unwrap().is_some();
            // SIGKILL: nothing can be tidied up.
            child.kill().unwrap();
            child.wait().unwrap();
            let has_begun = folder.path().join("run/config.toml").exists();
            if has_begun {
                arguments = &resume;
            }
            // On a busy machine a run may be faster than the one that was timed.
            if over {
                break;
            }
            killed += 1;
            begun += usize::from(has_begun);
        }
        ok(folder.path(), arguments);
        assert!(trained(folder.path()) == expected, "after {killed} kills");
    }
    assert!(begun > kills() / 4, "too few of the kills hit a run that had begun");
}

/// Waits for the first epoch of the run in `folder`, sends a signal, and gives what is on standard error.
#[cfg(unix)]
fn interrupted(child: &mut std::process::Child, folder: &Path, signal: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !folder.join("last.safetensors").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        assert!(Instant::now() < deadline, "no epoch in two minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
    send(child, signal);
    let output = child.wait().unwrap();
    let mut error = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut error).unwrap();
    assert_eq!(output.code(), Some(130), "{signal}: {error}");
    error
}

#[cfg(unix)]
fn send(child: &std::process::Child, signal: &str) {
    let sent = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[cfg(unix)]
#[test]
fn whatever_ends_a_run_gently_saves_it() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let long = |run: &'static str| ["train", "--epochs", "500", "--limit", "640", "--quiet", "--run", run];
    for signal in ["TERM", "HUP"] {
        let mut child = spawn(f, &long(signal));
        let error = interrupted(&mut child, &f.join(signal), signal);
        assert!(error.contains("interrupted after step "), "{signal}: {error}");
        assert!(std::fs::read_dir(f.join(signal).join("checkpoints")).unwrap().count() > 0);
    }
    // What was started by `nohup` outlives its terminal.
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_convnet")).args(long("nohup")).current_dir(f);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while !f.join("nohup/last.safetensors").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    send(&child, "HUP");
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "SIGHUP ended what nohup started");
    // Nobody else trains in its folder meanwhile.
    fails(f, &["train", "--quiet", "--resume", "--run", "nohup"], 1, &["another process is training in nohup"]);
    interrupted(&mut child, &f.join("nohup"), "TERM");
    // Before the first step there is nothing to save.
    let mut child = spawn(f, &["train", "--quiet", "--run", "early", "--epochs", "500"]);
    std::thread::sleep(Duration::from_millis(5));
    send(&child, "TERM");
    let code = child.wait().unwrap();
    assert!(code.code().is_none_or(|code| code == 130), "{code:?}");
}

/// A folder of images for each of ten classes.
fn images(folder: &Path) {
    for class in 0..10_u8 {
        let path = folder.join(class.to_string());
        std::fs::create_dir_all(&path).unwrap();
        for i in 0..10 {
            let image = image::GrayImage::from_fn(28, 28, |x, _| image::Luma([class * 20 + i + x as u8]));
            image.save(path.join(format!("{i}.png"))).unwrap();
        }
    }
}

#[cfg(unix)]
#[test]
fn a_run_goes_on_with_all_that_it_was_started_with() {
    let folder = tempfile::tempdir().unwrap();
    let [home, away] = ["home", "away"].map(|name| folder.path().join(name));
    images(&home.join("digits"));
    std::fs::create_dir(&away).unwrap();
    std::fs::write(away.join("lenet5.safetensors"), "another network").unwrap();
    let flags =
        ["--data", "digits", "--dataset", "folder", "--validation", "0.2", "--batch", "8", "--precision", "exact"];
    let start = |more: &[&'static str]| [&["train", "lenet5", "--quiet"], &flags[..], more].concat();
    ok(&home, &start(&["--epochs", "60", "--out", "whole.safetensors", "--run", "whole"]));
    let cut = start(&["--epochs", "60", "--out", "mine.safetensors", "--run", "cut", "--threads", "1"]);
    let mut child = spawn(&home, &cut);
    interrupted(&mut child, &home.join("cut"), "INT");
    // What may not change is refused, and what means the same is not.
    let resume = |more: &[&'static str]| [&["train", "--quiet", "--resume", "--run", "../home/cut"], more].concat();
    let refused: [&[&str]; 5] = [
        &["--precision", "fast"],
        &["--validation", "0.1"],
        &["--limit", "10"],
        &["--weights", "lenet5.safetensors"],
        &["--even-classes"],
    ];
    for flags in refused {
        fails(
            &away,
            &resume(flags),
            1,
            &["the run in ../home/cut was started with ", flags[0], "and cannot go on with"],
        );
    }
    let said = ok(&away, &resume(&["--precision", "exact", "--data", "../home/digits"]));
    assert!(said.contains("mine.safetensors"), "{said}");
    assert_eq!(std::fs::read_to_string(away.join("lenet5.safetensors")).unwrap(), "another network");
    assert_eq!(std::fs::read_dir(&away).unwrap().count(), 1, "something was written where it was gone on with from");
    let weights = |name: &str| std::fs::read(home.join(name)).unwrap();
    assert!(weights("mine.safetensors") == weights("whole.safetensors"), "other weights");
    // Another place for the trained network is heeded, and said, and kept.
    let output = convnet(&away, &["train", "--resume", "--run", "../home/cut", "--out", "other.safetensors"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("mine.safetensors\" for --out and goes on with \"other.safetensors\""), "{said}");
    assert!(std::fs::read(away.join("other.safetensors")).unwrap() == weights("whole.safetensors"));
    let config = std::fs::read_to_string(home.join("cut/config.toml")).unwrap();
    assert!(config.contains("away/other.safetensors") && config.contains("precision = \"exact\""), "{config}");
}

#[test]
fn the_trained_network_takes_nobodys_place_unsaid() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let short = |more: &[&'static str]| [&["train", "--limit", "64", "--epochs", "1"], more].concat();
    let net = f.join("lenet5.safetensors");
    std::fs::write(&net, "a pretrained network, for all I know").unwrap();
    fails(
        f,
        &short(&[]),
        1,
        &["lenet5.safetensors is there, and it is not the weights of an earlier run of LeNet5", "--out"],
    );
    assert!(!f.join("runs").exists());
    std::fs::remove_file(&net).unwrap();
    // One training after the other is what people do.
    let first = ok(f, &short(&[]));
    assert!(first.contains("saved to lenet5.safetensors; the run is in runs/lenet5"), "{first}");
    let again = convnet(f, &short(&["--seed", "2"]));
    let [said, error] = [again.stdout, again.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(error.contains("note: lenet5.safetensors is there and will be replaced at the end"), "{error}");
    assert!(said.contains("(in place of the file that was there); the run is in runs/lenet5-2"), "{said}");
    // Converted weights are nobody's run.
    ok(f, &["convert", "lenet5.safetensors", "plain.npz"]);
    ok(f, &["convert", "plain.npz", "lenet5.safetensors", "--model", "lenet5"]);
    fails(f, &short(&["--weights", "lenet5.safetensors"]), 1, &["it is not the weights of an earlier run"]);
    ok(f, &short(&["--quiet", "--weights", "lenet5.safetensors", "--out", "tuned.npz"]));
    assert_eq!(weights::read(&f.join("tuned.npz")).unwrap().entries.len(), 10);
    // Nothing is learned from what is not a number.
    let mut spoilt = weights::read(&f.join("plain.npz")).unwrap();
    spoilt.entries[3].bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let name = spoilt.entries[3].name.clone();
    std::fs::write(f.join("nan.npz"), weights::encode(&spoilt, Format::Npz).unwrap()).unwrap();
    fails(f, &short(&["--weights", "nan.npz", "--out", "x.npz"]), 1, &[&format!("nan.npz: `{name}`"), "not finite"]);
}

#[test]
fn what_cannot_be_written_is_an_error_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::write(f.join("file"), "").unwrap();
    for (flags, wanted) in [
        (["--out", "no/net.safetensors"], "cannot write no/net.safetensors: there is no folder no"),
        (["--out", "net.pth"], "net.pth: PyTorch files are read, not written"),
        (["--out", "net.onnx"], "net.onnx: its name promises a .onnx file"),
        (["--out", "."], "is a folder"),
        (["--run", "file/run"], "cannot write file/run/checkpoints"),
    ] {
        fails(f, &[&["train", "--quiet"], &flags[..]].concat(), 1, &[wanted]);
    }
    fails(f, &["convert", "file", "no/net.npz"], 1, &["cannot write no/net.npz: there is no folder no"]);
    assert_eq!(std::fs::read_dir(f).unwrap().count(), 1, "something was left behind");
}

#[test]
fn starts_at_one_moment_get_a_folder_each() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let out = |i: usize| format!("{i}.safetensors");
    let starts = (0..4).map(|i| {
        spawn(f, &["train", "--quiet", "--limit", "64", "--epochs", "1", "--validation", "0.1", "--out", &out(i)])
    });
    for child in starts.collect::<Vec<_>>() {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for run in ["lenet5", "lenet5-2", "lenet5-3", "lenet5-4"] {
        assert!(f.join("runs").join(run).join("last.safetensors").is_file(), "{run}");
    }
}

#[test]
fn probes_print_json_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let json = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&ok(folder.path(), &[&["train", "--limit", "640", "--json"], arguments].concat())).unwrap()
    };
    let found = json(&["--find-lr"]);
    let trials = found["trials"].as_array().unwrap();
    assert!(found["model"] == "lenet5" && found["steepest"].is_f64() && trials.len() > 20, "{found}");
    assert_eq!(trials[0]["lr"], 1e-6);
    let found = json(&["--overfit"]);
    let (steps, loss) = (found["steps"].as_u64().unwrap(), found["loss"].as_f64().unwrap());
    assert!(found["learnt"] == true && loss < 0.01, "{found}");
    assert_eq!(found["trials"].as_array().unwrap().len() as u64, steps);
    // A run's own weights are not what they look at.
    fails(folder.path(), &["train", "--find-lr", "--resume"], 2, &["cannot be used with"]);
    // One that does not learn is an error, and JSON all the same.
    let output = convnet(folder.path(), &["train", "--limit", "64", "--overfit", "--lr", "1e-9", "--json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && found["learnt"] == false, "{found}");
}

#[cfg(unix)]
#[test]
fn an_interrupt_saves_and_a_second_one_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let long = ["train", "lenet5", "--epochs", "500", "--limit", "1280", "--quiet", "--run", "run"];
    let mut child = spawn(f, &long);
    let error = interrupted(&mut child, &f.join("run"), "INT");
    assert!(
        error.starts_with("interrupted after step ")
            && error.ends_with("go on with `convnet train --resume --run run`\n"),
        "{error}"
    );
    let checkpoints = std::fs::read_dir(f.join("run/checkpoints")).unwrap().count();
    assert!((1..=2).contains(&checkpoints));
    // Another run does not take its place, and other options are not taken for it.
    fails(f, &long, 1, &["run holds a run already"]);
    fails(f, &["train", "--run", "run", "--resume", "--lr", "0.5"], 1, &["lr was 0.03 and is now 0.5"]);
    fails(f, &["train", "resnet20", "--run", "run", "--resume"], 1, &["the network LeNet5, not ResNet20"]);
}
