//! A run of the program killed at any moment goes on to the same weights, and its folder can always be read.

mod common;

use common::{fails, ok};
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

fn weights(folder: &Path) -> Vec<u8> {
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
    let (expected, time) = (weights(whole.path()), start.elapsed());
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
            if over {
                break;
            }
            killed += 1;
            if folder.path().join("run/config.toml").exists() {
                (arguments, begun) = (&resume, begun + 1);
            }
        }
        ok(folder.path(), arguments);
        assert!(weights(folder.path()) == expected, "after {killed} kills");
    }
    assert!(begun > kills() / 4, "too few of the kills hit a run that had begun");
}

#[cfg(unix)]
#[test]
fn an_interrupt_saves_and_a_second_one_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let long = ["train", "lenet5", "--epochs", "500", "--limit", "1280", "--quiet", "--run", "run"];
    let mut child = spawn(f, &long);
    let deadline = Instant::now() + Duration::from_secs(60);
    while !f.join("run/last.safetensors").exists() {
        assert!(Instant::now() < deadline, "no epoch in a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
    let interrupt = || Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt().success());
    let output = child.wait().unwrap();
    assert_eq!(output.code(), Some(130));
    let mut error = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut error).unwrap();
    assert!(error.starts_with("interrupted after step ") && error.contains("go on with --resume"), "{error}");
    let checkpoints = std::fs::read_dir(f.join("run/checkpoints")).unwrap().count();
    assert!((1..=2).contains(&checkpoints));
    // Another run does not take its place, and other options are not taken for it.
    fails(f, &long, 1, &["run holds a run already"]);
    fails(f, &["train", "--run", "run", "--resume", "--lr", "0.5"], 1, &["lr was 0.03 and is now 0.5"]);
    fails(f, &["train", "resnet20", "--run", "run", "--resume"], 1, &["the network LeNet5, not ResNet20"]);
}
