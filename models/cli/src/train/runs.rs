//! Where runs and trained networks are kept, and whose place may be taken.

use crate::network;
use convnet::weights;
use std::error::Error;
use std::path::{Path, PathBuf};

/// The folder of the run that is to go on: the named one, or the last of the model's.
pub fn last(named: Option<&Path>, model: Option<&str>) -> Result<PathBuf, Box<dyn Error>> {
    if let Some(folder) = named {
        return match is_run(folder) {
            true => Ok(folder.to_owned()),
            false => Err(format!("there is no run in {}", folder.display()).into()),
        };
    }
    let model = &network::name(&model.map_or_else(network::usual, str::to_string));
    let last =
        (1..).map(|n| numbered(model, n)).take_while(|folder| folder.exists()).filter(|folder| is_run(folder)).last();
    last.ok_or_else(|| format!("there is no run in runs/{model}; name its folder with --run").into())
}

/// Whether a run has begun in a folder.
pub fn is_run(folder: &Path) -> bool {
    folder.join("config.toml").is_file()
}

fn numbered(model: &str, n: usize) -> PathBuf {
    if n == 1 { format!("runs/{model}").into() } else { format!("runs/{model}-{n}").into() }
}

/// Makes a folder for a new run. Two programs never get the same one: it is the making that takes it.
pub fn claim(model: &str) -> Result<PathBuf, Box<dyn Error>> {
    std::fs::create_dir_all("runs").map_err(|error| format!("cannot make the folder runs: {error}"))?;
    for folder in (1..).map(|n| numbered(model, n)) {
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("cannot make the folder {}: {error}", folder.display()).into()),
        }
    }
    Err("there are no numbers left for a run".into())
}

/// Whether there is a file where the trained network is to go. One that nobody has named is replaced only if it is of an earlier
/// run of the same network, as trainings in turn make it; anything else may be all that somebody has.
pub fn replaces(out: &Path, named: bool, network: &str) -> Result<bool, Box<dyn Error>> {
    if !out.exists() {
        return Ok(false);
    }
    let of_run = || {
        let about = weights::read(out).ok()?.metadata;
        (about.contains_key("epoch") && about.get("network").is_some_and(|name| name == network)).then_some(())
    };
    if !named && of_run().is_none() {
        let message = format!(
            "{} is there, and it is not the weights of an earlier run of {network}; say by --out where the trained network is \
             to go",
            out.display()
        );
        return Err(message.into());
    }
    Ok(true)
}
