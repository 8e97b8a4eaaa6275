//! What the examples of the course share: the page that they write on, pictures and charts.
//!
//! An example is a function that writes its numbers on a [`Page`] and leaves its figures there. Its `main` shows the page;
//! `tests/course.rs` holds the page against what the book includes.

mod chart;
mod picture;

pub use chart::{Chart, Series};
pub use picture::{digit, first_digits, frame, grey, moved, prepared, turned, upscaled};

use convnet::report::png;
use image::RgbImage;
use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

/// What an example gives.
pub type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The numbers of a chapter as text, in parts that the book includes one by one, and a folder with its figures.
pub struct Page {
    text: String,
    part: Option<&'static str>,
    folder: PathBuf,
}

/// What begins the lines in which mdBook finds the parts.
const ANCHOR: &str = "ANCHOR";

impl Page {
    /// An empty page, whose figures go into a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Page { text: String::new(), part: None, folder: folder.into() }
    }

    /// Runs an example and prints its page. Figures go into the folder of the first argument, `course` by default.
    ///
    /// # Errors
    /// What the example fails with, and where the folder or a figure cannot be written.
    pub fn show(example: fn(&mut Page) -> Outcome) -> Outcome {
        let folder = std::env::args().nth(1).unwrap_or_else(|| "course".into());
        std::fs::create_dir_all(&folder)?;
        let mut page = Page::new(&folder);
        example(&mut page)?;
        page.text().lines().filter(|line| !line.starts_with(ANCHOR)).for_each(|line| println!("{line}"));
        println!("The figures are in the folder {folder}.");
        Ok(())
    }

    /// Begins a part of the text, which the book includes by its name.
    pub fn part(&mut self, name: &'static str) {
        self.close();
        self.text += &format!("{ANCHOR}: {name}\n");
        self.part = Some(name);
    }

    fn close(&mut self) {
        if let Some(name) = self.part.take() {
            self.text += &format!("{ANCHOR}_END: {name}\n");
        }
    }

    /// All that was written.
    pub fn text(&mut self) -> &str {
        self.close();
        &self.text
    }

    /// Where the figures are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Leaves a picture as `NAME.png`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn picture(&self, name: &str, picture: &RgbImage) -> Outcome {
        Ok(std::fs::write(self.folder.join(format!("{name}.png")), png(picture))?)
    }

    /// Leaves a drawing as `NAME.svg`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn drawing(&self, name: &str, svg: &str) -> Outcome {
        Ok(std::fs::write(self.folder.join(format!("{name}.svg")), svg)?)
    }
}

impl Write for Page {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text.push_str(text);
        Ok(())
    }
}
