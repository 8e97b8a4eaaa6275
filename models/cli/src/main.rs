//! The program `convnet`.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    convnet_cli::run(&[])
}
