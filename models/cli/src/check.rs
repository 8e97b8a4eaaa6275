//! `convnet check`

use crate::common::{self, Outcome, print, say};
use crate::network::{Drawn, Network, Sizes, is_cnn};
use crate::own;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

#[derive(clap::Args)]
#[command(after_help = "Example:\n  convnet check my.cnn --watch")]
pub struct Arguments {
    /// The .cnn file: what stands between the braces of `cnn! { ... }`
    file: PathBuf,
    #[command(flatten)]
    sizes: Sizes,
    /// Check it again at each save, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

/// How often a file is looked at.
const PAUSE: Duration = Duration::from_millis(200);

pub fn run(arguments: Arguments) -> Outcome {
    if !is_cnn(&arguments.file) {
        let file = arguments.file.display();
        return Err(format!(
            "{file} is no .cnn file by its name; `{} summary` shows networks of all kinds",
            own::program()
        )
        .into());
    }
    if !arguments.watch {
        return check(&arguments);
    }
    loop {
        let before = saved(&arguments);
        match check(&arguments) {
            Err(error) if common::is_closed_pipe(error.as_ref()) => return Ok(()),
            Err(error) => say(&format!("{}{error}", if error.is::<Drawn>() { "" } else { "error: " }))?,
            Ok(()) => {}
        }
        say(&format!("\nwaiting for {} to be saved", arguments.file.display()))?;
        while saved(&arguments) == before {
            std::thread::sleep(PAUSE);
        }
    }
}

/// When the file was saved last; an editor may replace it by another one.
fn saved(arguments: &Arguments) -> Option<(SystemTime, u64)> {
    let found = std::fs::metadata(&arguments.file).ok()?;
    Some((found.modified().ok()?, found.len()))
}

fn check(arguments: &Arguments) -> Outcome {
    let network = Network::find(&arguments.file.to_string_lossy(), &arguments.sizes)?;
    network.warnings().map_or(Ok(()), say)?;
    Ok(print(&network.graph.summary().to_string())?)
}
