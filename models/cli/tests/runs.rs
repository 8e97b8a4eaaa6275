//! `convnet runs`: what it tells of runs, of folders that are none, and on its page; and two programs in one folder.

mod common;

#[path = "../../../runtime/tests/common/browser.rs"]
mod browser;
#[path = "../examples/shapes/draw.rs"]
mod draw;

use common::{convnet, fails, ok};
use serde_json::Value;
use std::path::Path;

/// Trains LeNet-5 for a moment.
fn train(folder: &Path, run: &str, more: &[&str]) {
    let fixed = ["train", "lenet5", "--data", "shapes", "--batch", "16", "--quiet", "--run", run, "--out", "out.npz"];
    ok(folder, &[&fixed, more].concat());
}

/// A folder with two runs, one of them with a name that would be a tag.
fn two_runs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    draw::dataset(&f.join("shapes"), 80, 28, 0).unwrap();
    train(f, "runs/a", &["--epochs", "2", "--lr", "0.05"]);
    train(f, "runs/<b>", &["--epochs", "1", "--lr", "0.1", "--augment", "flip"]);
    folder
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&ok(folder, arguments)).unwrap()
}

/// The epochs that a run's log has.
fn logged(folder: &Path) -> Vec<Value> {
    let log = std::fs::read_to_string(folder.join("log.jsonl")).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["event"] == "epoch").collect()
}

#[test]
fn runs_are_listed_with_what_their_logs_say() {
    let folder = two_runs();
    let f = folder.path();
    let table = ok(f, &["runs"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    for (line, parts) in [
        (lines[1], ["runs/<b>", "lenet5", "shapes", "1/1", "finished", "augment=[\"flip(0.5)\"] lr=0.1"]),
        (lines[2], ["runs/a", "lenet5", "shapes", "2/2", "finished", "augment=[] lr=0.05"]),
    ] {
        parts.iter().for_each(|part| assert!(line.contains(part), "no {part}: {table}"));
    }
    let places = ["settings", "augment", "augment"].map(String::from);
    let places: Vec<usize> = lines.iter().zip(&places).map(|(line, word)| line.find(word.as_str()).unwrap()).collect();
    assert!(places.iter().all(|place| *place == places[0]), "{table}");
    let found = json(f, &["runs", "--json"]);
    let a = &found["runs"][1];
    let epochs = logged(&f.join("runs/a"));
    let number = |value: &Value| value.as_f64().unwrap();
    assert_eq!(
        (number(&a["last_loss"]), number(&a["last_metric"])),
        (number(&epochs[1]["test_loss"]), number(&epochs[1]["test_accuracy"]))
    );
    let best = |key: &str| epochs.iter().map(|epoch| number(&epoch[key])).collect::<Vec<_>>();
    assert_eq!(number(&a["best_metric"]), best("test_accuracy").into_iter().fold(0.0, f64::max));
    assert_eq!(number(&a["best_loss"]), best("test_loss").into_iter().fold(f64::INFINITY, f64::min));
    assert_eq!((&a["epochs"], &a["epochs_planned"], &a["state"]), (&2.into(), &2.into(), &"finished".into()));
    assert_eq!(a["differs"], serde_json::json!({"augment": "[]", "lr": "0.05"}));
    assert!(a["started"].as_str().unwrap().starts_with("20") && number(&a["seconds"]) > 0.0);
    // A run that is named twice, in two ways, is one.
    assert_eq!(json(f, &["runs", "runs", "runs/a", "--json"])["runs"].as_array().unwrap().len(), 2);
    // Nothing moves a cursor where nobody looks at a terminal.
    for arguments in [&["runs"][..], &["eval", "--weights", "runs/a/last.safetensors", "--data", "shapes"]] {
        let output = convnet(f, arguments);
        let all = [output.stdout, output.stderr].concat();
        assert!(all.iter().all(|byte| *byte >= b' ' || *byte == b'\n'), "{arguments:?}");
    }
}

#[test]
fn what_is_damaged_or_no_run_is_named_and_left_out() {
    let folder = two_runs();
    let f = folder.path();
    let write = |run: &str, file: &str, text: &str| {
        let path = f.join("runs").join(run).join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("notes", "notes.txt", "no run");
    write("garbage", "config.toml", "\u{1b}[2J = = =");
    write("future", "config.toml", "format_version = 99\nepochs = 1");
    write("project", "config.toml", "name = \"something else\"");
    write("cut", "config.toml", "epochs = 3");
    write("cut", "checkpoints/step-000000001.safetensors", "cut");
    write("young", "config.toml", "epochs = 3\nmodel = \"\\u001b[2J\"");
    let output = convnet(f, &["runs"]);
    let [table, notes] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{notes}");
    for (run, reason) in [
        ("notes", "it has no config.toml"),
        ("garbage", "config.toml"),
        ("future", "use a newer convnet"),
        ("project", "no whole number of `epochs`"),
        ("cut", "step-000000001.safetensors"),
    ] {
        let named = |line: &str| line.starts_with(&format!("note: left out runs/{run}: ")) && line.contains(reason);
        assert!(notes.lines().any(named), "{run}: {notes}");
    }
    assert!(table.lines().any(|line| line.contains("runs/young") && line.contains("0/3")), "{table}");
    assert!(!table.contains('\u{1b}') && table.lines().count() == 4, "{table}");
    fails(f, &["runs", "runs/notes"], 1, &["there is no run in runs/notes"]);
    fails(f, &["runs", "nowhere"], 1, &["cannot look into nowhere"]);
}

#[test]
fn runs_of_0_1_are_listed_and_left_as_they_are() {
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/version_0_1/run");
    let before = std::fs::read_dir(&run).unwrap().count();
    let folder = tempfile::tempdir().unwrap();
    let found = json(folder.path(), &["runs", run.to_str().unwrap(), "--json"]);
    let run_of = &found["runs"][0];
    assert_eq!((&run_of["epochs"], &run_of["epochs_planned"]), (&2.into(), &3.into()));
    assert_eq!((&run_of["state"], &run_of["network"]), (&"interrupted".into(), &"lenet5".into()));
    assert_eq!((&run_of["data"], &run_of["started"]), (&"bundled digits".into(), &Value::Null));
    assert_eq!(std::fs::read_dir(&run).unwrap().count(), before);
}

#[test]
fn two_runs_are_compared_on_a_page_that_stands_by_itself() {
    let folder = two_runs();
    let f = folder.path();
    let compare = ["runs", "runs/a", "runs/<b>"];
    let said = ok(f, &compare);
    assert!(said.contains("comparison.html has the curves of 2 runs"), "{said}");
    let path = f.join("comparison.html");
    let page = std::fs::read_to_string(&path).unwrap();
    for part in
        ["Training loss", "Validation loss", "Accuracy", "runs/&lt;b&gt;", "<td>0.05</td>", "prefers-color-scheme"]
    {
        assert!(page.contains(part), "no {part}");
    }
    assert_eq!(page.matches("<polyline").count(), 6);
    for part in ["<b>\"", "runs/<b>", "src=\"http", "href=\"http", "url(http", "@import", "<script", "NaN"] {
        assert!(!page.contains(part), "{part}");
    }
    browser::is_legible(&path);
    if let Some([(light, bright), (dark, dim)]) = browser::looks_at(&path) {
        assert!(light > 0.02 && dark > 0.02, "an empty page: {light} {dark}");
        assert!(bright > 200 && dim < 60, "light and dark are {bright} and {dim}");
    }
    // A page of ours may go, another file may not, unless it is named.
    ok(f, &compare);
    std::fs::write(&path, "mine").unwrap();
    fails(f, &compare, 1, &["comparison.html is there", "--out"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    ok(f, &["runs", "--out", "comparison.html"]);
    assert!(std::fs::read_to_string(&path).unwrap().contains("Training runs compared"));
}

#[cfg(unix)]
#[test]
fn a_second_program_in_one_folder_is_told_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    draw::dataset(&f.join("shapes"), 80, 28, 0).unwrap();
    let long = ["train", "lenet5", "--data", "shapes", "--batch", "8", "--epochs", "5000", "--quiet", "--run", "run"];
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_convnet"));
    let mut first = command.args(long).current_dir(f).stderr(std::process::Stdio::null()).spawn().unwrap();
    while !f.join("run/last.safetensors").exists() {
        assert!(first.try_wait().unwrap().is_none(), "it has ended");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    fails(f, &long, 1, &["run holds a run already"]);
    fails(f, &["train", "--quiet", "--resume", "--run", "run"], 1, &["another process is training in run"]);
    let running = std::fs::read_to_string(f.join("run/report.html")).unwrap();
    assert!(running.contains("http-equiv=\"refresh\"") && running.len() < 500_000, "{}", running.len());
    assert_eq!(json(f, &["runs", "run", "--json"])["runs"][0]["state"], "running");
    std::process::Command::new("kill").arg(first.id().to_string()).status().unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(130));
    assert_eq!(json(f, &["runs", "run", "--json"])["runs"][0]["state"], "interrupted");
    let log = std::fs::read_to_string(f.join("run/log.jsonl")).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let steps: Vec<u64> =
        lines.filter(|line| line["event"] == "step").map(|line| line["step"].as_u64().unwrap()).collect();
    assert!(steps.iter().zip(1..).all(|(step, n)| *step == n), "{steps:?}");
    assert!(!std::fs::read_to_string(f.join("run/report.html")).unwrap().contains("http-equiv=\"refresh\""));
}
