//! Chapter "Looking into a trained network": all that the program's `explain` shows of a LeNet-5 that it has just trained.
//!
//! `cargo run --release -p convnet-book --example explained`
#![allow(missing_docs)]

use convnet_book::course::{Outcome, Page, frame, upscaled};
use image::RgbImage;
use std::error::Error;
use std::fmt::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// Set where this file of code is to be the program `convnet` and not the example: it has all of it inside.
const PROGRAM: &str = "CONVNET_BOOK_PROGRAM";

/// The program's own `main`, if this process was started to be it.
pub fn program() -> Option<ExitCode> {
    std::env::var_os(PROGRAM).map(|_| convnet_cli::run(&[]))
}

/// Runs `convnet WORDS` in a folder and gives what it prints.
fn convnet(folder: &Path, words: &str) -> Result<String, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg0("convnet").args(words.split(' ')).args(["--threads", "1"]).env(PROGRAM, "1").current_dir(folder);
    let done = command.stderr(Stdio::piped()).output()?;
    if !done.status.success() {
        return Err(format!("convnet {words}: {}", String::from_utf8_lossy(&done.stderr)).into());
    }
    Ok(String::from_utf8(done.stdout)?)
}

pub fn explained(page: &mut Page) -> Outcome {
    let folder = page.folder().join("explained-run");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir(&folder)?;
    convnet(&folder, "train lenet5 --epochs 2")?;
    page.part("eval");
    let eval = convnet(&folder, "eval lenet5")?;
    let accuracy = eval.split("test accuracy ").nth(1).and_then(|rest| rest.split(' ').next()).ok_or("no accuracy")?;
    writeln!(page, "test accuracy ~{accuracy} %")?;
    convnet(&folder, "explain --limit 200 --index 0")?;
    pictures(page, &folder.join("explained"))?;
    for (part, holds) in [("sparsity", "relu"), ("neighbours", " "), ("invariance", "layer")] {
        let text = convnet(&folder, &format!("explain {part} --limit 200 --index 0 --out {part}"))?;
        page.part(part);
        tables(page, text.rsplit_once(&format!("{part}/index")).map_or(&*text, |(text, _)| text), holds)?;
    }
    Ok(std::fs::remove_dir_all(&folder)?)
}

/// The lines that hold a word, and those without any number; what training has made gets its mark.
fn tables(page: &mut Page, text: &str, holds: &str) -> Outcome {
    for line in text.lines().filter(|line| line.contains(holds) || !line.contains(|c: char| c.is_ascii_digit())) {
        let mut marked = String::new();
        for word in line.split_inclusive(' ') {
            if word.contains('.') && word.trim().parse::<f64>().is_ok() {
                // In the place of a space, so that columns stay where they are.
                marked.truncate(marked.len() - usize::from(marked.ends_with("  ")));
                marked.push('~');
            }
            marked += word;
        }
        writeln!(page, "{}", marked.trim_end())?;
    }
    Ok(())
}

/// The program's images, in rows.
fn pictures(page: &Page, folder: &Path) -> Outcome {
    let rows: [(&str, &[&str]); 6] = [
        ("filters", &["filters-conv1", "activations-image-0-4"]),
        ("drivers", &["filters-4-drivers"]),
        (
            "attribution",
            &[
                "gradient-image-0",
                "gradient-image-0-absolute",
                "smooth-grad-image-0-absolute",
                "integrated-image-0-signed",
                "grad-cam-image-0-cam",
                "occlusion-image-0-occlusion",
            ],
        ),
        ("backward", &["deconvnet-image-0", "deconvnet-image-0-deconvnet", "guided-image-0-guided"]),
        (
            "invert",
            &[
                "invert-image-0",
                "invert-image-0-conv1",
                "invert-image-0-conv2",
                "invert-image-0-fc1",
                "invert-image-0-fc3",
            ],
        ),
        ("neighbours", &["neighbours-image-0"]),
    ];
    for (name, files) in rows {
        page.picture(&format!("explained-{name}"), &frame(&all(folder, files.iter().map(|file| file.to_string()))?))?;
    }
    page.picture("explained-maximise", &frame(&all(folder, (0..10).map(|class| format!("maximise-class-{class}")))?))?;
    page.picture(
        "explained-field",
        &frame(&all(folder, ["field-theoretical".into(), "field-effective".into()].into_iter())?),
    )
}

/// Small images are enlarged.
fn all(folder: &Path, files: impl Iterator<Item = String>) -> Result<Vec<RgbImage>, Box<dyn Error>> {
    let read = |file: String| {
        let path = folder.join(format!("{file}.png"));
        let image = image::open(&path).map_err(|error| format!("{}: {error}", path.display()))?.to_rgb8();
        Ok(if image.width() < 60 { upscaled(&image, 4) } else { image })
    };
    files.map(read).collect()
}

fn main() -> ExitCode {
    program().unwrap_or_else(|| match Page::show(explained) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    })
}
