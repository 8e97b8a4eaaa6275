//! What a run leaves for people and programs to look at, as callbacks of the trainer: a log of JSON lines, TensorBoard's event
//! files, and one page.

mod chart;
mod environment;
mod events;
mod log;
mod page;
mod style;

pub use environment::environment;
pub use events::TensorBoard;
pub use log::{JsonLines, Line};
pub use page::Page;

use std::path::{Path, PathBuf};

/// A file of a report that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct ReportError {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    pub source: std::io::Error,
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> ReportError + '_ {
    |source| ReportError { path: path.to_owned(), source }
}
