//! `convnet new`: writes a crate whose program has all commands, with a network that is declared in its source.
//!
//! What is written is as short as it can be: everything in it is for the user to change. Nothing is written over.

use crate::common::{Outcome, print, say};
use crate::network::{Network, Sizes};
use convnet::atomic_file;
use convnet::wording::counted;
use std::error::Error;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  convnet new flowers --from resnet18 --classes 5\n  \
                        convnet new digits --from lenet5\n  convnet new shapes --input 3x32x32 --classes 4")]
pub struct Arguments {
    /// The folder to write; its last part is the name of the crate
    folder: PathBuf,
    /// The network to begin with: a name that `models` lists, a .cnn file or a weights file [default: a small one]
    #[arg(long, value_name = "NET")]
    from: Option<String>,
    #[command(flatten)]
    sizes: Sizes,
    /// A checkout of convnet's repository to depend on, instead of the published version [default: the one that this program was
    /// built in, if it was]
    #[arg(long, value_name = "FOLDER")]
    path: Option<PathBuf>,
}

/// What a new crate declares unless something else was asked for.
const SMALL: &str = include_str!("small.cnn");

pub fn run(arguments: Arguments) -> Outcome {
    let Arguments { folder, from, sizes, path } = arguments;
    let name = crate_name(&folder)?;
    let network = match &from {
        Some(net) => Network::find(net, &sizes)?,
        None => Network::of_text("small", "the small network".into(), SMALL.into(), &sizes)?,
    };
    let Some(source) = network.source() else {
        return Err(
            format!("{} has custom modules, which are Rust and stand in another crate", network.graph.name).into()
        );
    };
    let checkout = checkout(path)?;
    let files = [
        ("Cargo.toml", manifest(&name, checkout.as_deref())),
        ("src/main.rs", program(&network.graph.name, source)),
        ("README.md", readme(&name, &network)),
        (".gitignore", "/target\n/runs\n".into()),
    ];
    write(&folder, &files)?;
    let (shown, graph) = (folder.display(), &network.graph);
    let params = counted(graph.param_count(), "parameter");
    print(&format!("{shown} is written; {} ({params}) is declared in its src/main.rs", graph.name))?;
    Ok(say(&format!("next: cd {shown} && cargo run --release -- train --data FOLDER"))?)
}

/// The name of the crate, which Cargo takes.
fn crate_name(folder: &Path) -> Result<String, Box<dyn Error>> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if !begins || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err(format!(
            "`{name}` cannot be the name of a crate: it must be letters, digits, `-` and `_`, a letter first"
        )
        .into());
    }
    // The names of what it depends on, and those that Cargo refuses.
    const TAKEN: [&str; 11] = [
        "convnet",
        "convnet_cli",
        "test",
        "core",
        "std",
        "alloc",
        "proc_macro",
        "build",
        "deps",
        "examples",
        "incremental",
    ];
    let plain = name.replace('-', "_");
    let keyword = syn::parse_str::<syn::Ident>(&plain).is_err();
    if keyword || TAKEN.contains(&plain.as_str()) {
        return Err(format!(
            "`{name}` cannot be the name of a crate: it means something else already; take another one"
        )
        .into());
    }
    Ok(name)
}

/// The folder of the repository to depend on: the given one, or the one that the program was built in, unless Cargo had downloaded it.
fn checkout(given: Option<PathBuf>) -> Result<Option<PathBuf>, Box<dyn Error>> {
    let is_one =
        |folder: &Path| ["runtime", "models/cli"].iter().all(|part| folder.join(part).join("Cargo.toml").is_file());
    match given {
        Some(folder) if is_one(&folder) => Ok(Some(std::path::absolute(&folder)?)),
        Some(folder) => Err(format!(
            "{} is no checkout of convnet: it has no runtime/Cargo.toml and models/cli/Cargo.toml",
            folder.display()
        )
        .into()),
        None => Ok(Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .filter(|folder| is_one(folder))
            .map(Path::to_owned)),
    }
}

fn manifest(name: &str, checkout: Option<&Path>) -> String {
    let dependency = |krate: &str, part: &str| match checkout {
        Some(folder) => {
            format!("{krate} = {{ path = {} }}", toml::Value::from(folder.join(part).to_string_lossy().into_owned()))
        }
        None => format!("{krate} = {:?}", env!("CARGO_PKG_VERSION")),
    };
    format!(
        "[package]\nname = {name:?}\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [dependencies]\n{}\n{}\n\n\
         [features]\n# For NVIDIA GPUs: cargo run --release --features cuda -- train --data FOLDER\ncuda = [\"convnet-cli/cuda\"]\n\n\
         # It is a workspace of its own, wherever its folder lies.\n[workspace]\n",
        dependency("convnet", "runtime"),
        dependency("convnet-cli", "models/cli"),
    )
}

fn program(network: &str, source: &str) -> String {
    let indented: Vec<String> = source
        .trim_end()
        .lines()
        .map(|line| if line.is_empty() { String::new() } else { format!("    {line}") })
        .collect();
    format!(
        "//! Trains {network}, which is declared here, and has all of convnet's commands for it.\n\n\
         use convnet::prelude::*;\n\n\
         cnn! {{\n{}\n}}\n\n\
         fn main() -> std::process::ExitCode {{\n    convnet_cli::run(&[convnet_cli::declared::<{network}>()])\n}}\n",
        indented.join("\n")
    )
}

fn readme(name: &str, network: &Network) -> String {
    let (title, weights) = (&network.graph.name, format!("{}.safetensors", network.graph.name.to_lowercase()));
    format!(
        "# {name}\n\n{title} is declared in `src/main.rs`. A folder with a folder of images for each class is all that it needs:\n\n\
         ```sh\ncargo run --release -- train --data FOLDER\ncargo run --release -- predict {weights} IMAGE.png\n```\n\n\
         `cargo run --release -- help` lists the other commands.\n"
    )
}

/// Writes a new folder. What cannot be finished is taken away again.
fn write(folder: &Path, files: &[(&str, String)]) -> Outcome {
    let cannot = |path: &Path, error: std::io::Error| format!("cannot write {}: {error}", path.display());
    if let Some(above) = folder.parent() {
        std::fs::create_dir_all(above).map_err(|error| cannot(above, error))?;
    }
    std::fs::create_dir(folder).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => format!("{} is there already; choose another folder", folder.display()),
        _ => cannot(folder, error),
    })?;
    let written = std::fs::create_dir(folder.join("src")).and_then(|()| {
        files.iter().try_for_each(|(name, text)| atomic_file::write(&folder.join(name), text.as_bytes()))
    });
    written.map_err(|error| {
        let _ = std::fs::remove_dir_all(folder);
        cannot(folder, error).into()
    })
}
