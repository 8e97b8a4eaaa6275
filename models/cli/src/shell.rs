//! `convnet completions` and `convnet man`, made from the definitions of the options themselves.

use crate::common::Outcome;
use crate::own;
use clap::Command;
use convnet::wording::did_you_mean;
use std::io::{self, Write};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  convnet completions bash > ~/.local/share/bash-completion/completions/convnet\n  \
                  convnet completions zsh > ~/.zfunc/_convnet\n  convnet completions fish > ~/.config/fish/completions/convnet.fish"
)]
pub struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

/// Writes the script to standard output.
pub fn completions(arguments: &Completions, mut program: Command) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, own::program(), &mut script);
    Ok(io::stdout().lock().write_all(&script)?)
}

#[derive(clap::Args)]
#[command(after_help = "Example:\n  convnet man train | man -l -")]
pub struct Man {
    /// The command [default: the program as a whole]
    command: Option<String>,
}

/// Writes the page to standard output.
pub fn man(arguments: &Man, mut program: Command) -> Outcome {
    // Subcommands get their full names in this.
    program.build();
    let page = match &arguments.command {
        None => program,
        Some(name) => subcommand(&program, name)?,
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    Ok(io::stdout().lock().write_all(&text)?)
}

fn subcommand(program: &Command, name: &str) -> Result<Command, String> {
    let found = program.find_subcommand(name).cloned();
    let found =
        found.map(|command| command.name(format!("{}-{name}", own::program())).version(env!("CARGO_PKG_VERSION")));
    found.ok_or_else(|| {
        let names: Vec<&str> = program.get_subcommands().map(Command::get_name).collect();
        format!("no command is called `{name}`{}; there are: {}", did_you_mean(name, &names), names.join(", "))
    })
}
