//! The shell commands of the guide and of the README, as they stand there: each page is a story that `sh` tells in a folder of its own, with
//! the program on the path.
//!
//! Comments before a block, which readers do not see, say what a test needs beside it:
//!
//! * `<!-- test: train with OPTIONS -->`: options that make each `train` of the block quick, but one with `--resume`; the same of other commands;
//! * `<!-- test: do COMMANDS -->`: what the reader does by hand, or has already;
//! * `<!-- test: file NAME -->`: the block is what the reader writes to that file;
//! * `<!-- test: fails -->`: the block ends with an error;
//! * `<!-- test: output -->`: the block has lines that the one before it prints, in order; `...` stands for any others;
//! * `<!-- test: not run: REASON -->`.
//!
//! `../convnet` in a page is a checkout of the repository. `cargo` is asked for the dev profile, since it has been built.

#[path = "../examples/shapes/draw.rs"]
mod draw;

use convnet::data::{Dataset, mnist};
use convnet::net::DynNetwork;
use convnet::prelude::Cpu;
use convnet::weights;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

/// What a comment says about the block that follows.
enum Note {
    More { command: String, options: String },
    Do(String),
    File(String),
    Fails,
    Output,
    NotRun,
}

impl Note {
    fn read(text: &str) -> Option<Self> {
        Some(match text.split_once(' ').unwrap_or((text, "")) {
            ("fails", "") => Note::Fails,
            ("output", "") => Note::Output,
            ("do", commands) => Note::Do(commands.into()),
            ("file", name) => Note::File(name.into()),
            ("not", rest) => rest.strip_prefix("run: ").map(|_| Note::NotRun)?,
            (command, rest) => Note::More { command: command.into(), options: rest.strip_prefix("with ")?.into() },
        })
    }
}

/// A block of a page, and what the comments before it say.
struct Block {
    language: String,
    text: String,
    notes: Vec<Note>,
    line: usize,
}

fn blocks(page: &str) -> Vec<Block> {
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line_number = number + 1;
        if let Some(note) = line.strip_prefix("<!-- test: ") {
            let note = note.strip_suffix(" -->").and_then(Note::read);
            notes.push(note.unwrap_or_else(|| panic!("line {line_number}: {line} is no note")));
        } else if let Some(language) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            let (text, language) = (text.join("\n") + "\n", language.to_string());
            found.push(Block { language, text, notes: std::mem::take(&mut notes), line: line_number });
        } else {
            assert!(notes.is_empty(), "line {line_number}: no block follows the note");
        }
    }
    found
}

/// Puts the options of a note behind the command that it names.
const MORE_OPTIONS: &str = "#!/bin/sh
case \" $* \" in
    *' --resume '*) ;;
    *\" ${COMMAND:-none} \"*) set -- \"$@\" $OPTIONS ;;
esac
";

/// `cargo` in the dev profile, with the versions of the workspace's `Cargo.lock`.
fn cargo() -> String {
    format!(
        "{MORE_OPTIONS}for word; do shift; [ \"$word\" = --release ] || set -- \"$@\" \"$word\"; done
[ ! -f Cargo.toml ] || [ -f Cargo.lock ] || cp '{}/Cargo.lock' .
exec '{}' \"$@\"
",
        root().display(),
        env!("CARGO")
    )
}

/// A folder in which the commands of a page are run.
struct Story {
    folder: tempfile::TempDir,
    /// Where the last block has left the shell.
    here: PathBuf,
    path: String,
}

impl Story {
    fn begin(page: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("story");
        std::fs::create_dir(&here).unwrap();
        props(&here, page);
        let program = Path::new(env!("CARGO_BIN_EXE_convnet")).parent().unwrap();
        let tools = folder.path().join("tools");
        std::fs::create_dir(&tools).unwrap();
        for (name, text) in [
            ("cargo", cargo()),
            ("convnet", MORE_OPTIONS.to_string() + "exec '" + env!("CARGO_BIN_EXE_convnet") + "' \"$@\"\n"),
        ] {
            std::fs::write(tools.join(name), text).unwrap();
            std::fs::set_permissions(tools.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let folders = [tools, program.join("examples")];
        let path =
            std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())));
        Story { folder, here, path: path.unwrap().into_string().unwrap() }
    }

    /// What the commands print, and whether all went well.
    fn run(&mut self, commands: &str, more: Option<(&str, &str)>) -> (String, bool) {
        let (command, options) = more.unwrap_or_default();
        let place = self.folder.path().join("place");
        let script = format!("set -eu\ntrap 'pwd > {}' EXIT\nexec 2>&1\n{commands}", place.display());
        let output = Command::new("sh")
            .args(["-c", &script.replace("../convnet", &root().to_string_lossy())])
            .current_dir(&self.here)
            .envs([("PATH", &*self.path), ("COMMAND", command), ("OPTIONS", options)])
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TARGET_DIR", root().join("target/tests/outside"))
            .output()
            .unwrap();
        self.here = std::fs::read_to_string(&place).unwrap().trim_end().into();
        (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success())
    }
}

/// The files that a page speaks of, as far as its commands do not make them.
fn props(folder: &Path, page: &str) {
    let uses = |name: &str| page.contains(name);
    if uses("three.png") {
        let test = mnist::bundled().unwrap().test;
        let three = (0..test.len()).find(|i| test.labels[*i] == 3).unwrap();
        let image = image::GrayImage::from_raw(28, 28, test.bytes(three).to_vec()).unwrap();
        image.save(folder.join("three.png")).unwrap();
    }
    for photo in ["cat.jpg", "photo.jpg"].into_iter().filter(|name| uses(name)) {
        let image = image::RgbImage::from_fn(300, 240, |x, y| image::Rgb([x as u8, y as u8, (x * y / 200) as u8]));
        image.save(folder.join(photo)).unwrap();
    }
    if uses("my-images") && !uses("shapes my-images") {
        draw::dataset(&folder.join("my-images"), 40, 64, 0).unwrap();
    }
    // As `torch.save` leaves it for us: names and shapes, and nothing about images or classes.
    if uses("resnet18.pth") {
        let entry = convnet_models::find("resnet18").unwrap();
        let net = DynNetwork::<f32, Cpu>::build(Arc::new(entry.graph.clone()), &Cpu::seed_from_u64(1)).unwrap();
        weights::save(&net, &folder.join("w.safetensors"), &Default::default()).unwrap();
        std::fs::rename(folder.join("w.safetensors"), folder.join("resnet18.pth")).unwrap();
    }
}

/// The expected lines that are not among those that were printed, in their order.
fn first_missing<'a>(expected: &'a str, printed: &str) -> Option<&'a str> {
    let mut printed = printed.lines().map(str::trim_end);
    expected.lines().filter(|line| *line != "...").find(|line| !printed.any(|found| found == *line))
}

/// Runs the blocks of a page one after another, but so many of them.
fn tell(page: &str, not_run: usize) {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let (mut story, mut printed, mut left_out) = (Story::begin(&text), String::new(), 0);
    for Block { language, text, notes, line } in blocks(&text) {
        let (mut run, mut fails, mut more) = (language == "sh", false, None);
        for note in &notes {
            match note {
                Note::More { command, options } => more = Some((&**command, &**options)),
                Note::Fails => fails = true,
                Note::NotRun => (run, left_out) = (false, left_out + 1),
                Note::File(name) => std::fs::write(story.here.join(name), &text).unwrap(),
                Note::Do(commands) => {
                    let (said, well) = story.run(commands, None);
                    assert!(well, "{page}, line {line}: {commands}\n{said}");
                }
                Note::Output => {
                    let missing = first_missing(&text, &printed).unwrap_or_default();
                    assert!(
                        missing.is_empty(),
                        "{page}, line {line}: {missing} is not what is printed, but\n{printed}"
                    );
                }
            }
        }
        if run {
            let (said, well) = story.run(&text, more);
            assert_ne!(well, fails, "{page}, line {line}:\n{text}{said}");
            printed = said;
        }
    }
    assert_eq!(left_out, not_run, "{page}: blocks that are not run");
}

#[test]
fn every_page_with_commands_is_told() {
    let guide = root().join("docs/src/guide");
    for entry in std::fs::read_dir(guide).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("docs/src/guide/{}", path.file_name().unwrap().to_string_lossy());
        let has_commands = name.ends_with(".md") && std::fs::read_to_string(&path).unwrap().contains("\n```sh");
        let is_told = include_str!("guide.rs").contains(&format!("tell(\"{name}\""));
        assert!(!has_commands || is_told, "{name} has commands, and no test tells it");
    }
}

#[test]
fn the_readme() {
    tell("README.md", 2);
}

#[test]
fn program() {
    tell("docs/src/guide/program.md", 1);
}

#[test]
fn first_network() {
    tell("docs/src/guide/first-network.md", 0);
}

#[test]
fn own_images() {
    tell("docs/src/guide/own-images.md", 1);
}

#[test]
fn runs() {
    tell("docs/src/guide/runs.md", 0);
}

#[test]
fn tasks() {
    tell("docs/src/guide/tasks.md", 3);
}

#[test]
fn fine_tuning() {
    tell("docs/src/guide/fine-tuning.md", 1);
}

#[test]
fn explain() {
    tell("docs/src/guide/explain.md", 0);
}

#[test]
fn deploying() {
    tell("docs/src/guide/deploying.md", 1);
}

#[test]
fn onnx() {
    tell("docs/src/guide/onnx.md", 0);
}

#[test]
fn own_program() {
    tell("docs/src/guide/own-program.md", 0);
}

#[test]
fn weights() {
    tell("docs/src/guide/weights.md", 0);
}

#[test]
fn zoo() {
    tell("docs/src/guide/zoo.md", 1);
}

#[test]
fn distributed() {
    tell("docs/src/guide/distributed.md", 3);
}

#[test]
fn cuda() {
    tell("docs/src/guide/cuda.md", 1);
}
