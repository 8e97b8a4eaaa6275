//! What is left for people and programs to look at. Of a training run, as callbacks of the trainer: a log of JSON lines,
//! TensorBoard's event files, and one page. Of a network that was explained: images, numbers, and one page.

mod chart;
mod confusion;
mod environment;
mod events;
mod examples;
mod finding;
mod html_report;
mod live;
mod log;
mod mistakes;
mod overlays;
#[doc(hidden)]
pub mod paint;
mod pairs;
mod pictures;
mod scatter;
mod style;
mod ticks;

#[doc(hidden)]
pub use environment::environment;
pub use events::TensorBoard;
#[doc(hidden)]
pub use finding::{Chart, Figure, Finding, Table, findings_page, mask_png, png};
pub use html_report::HtmlReport;
pub use log::JsonLines;
#[doc(hidden)]
pub use log::Line;

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
