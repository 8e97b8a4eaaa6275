//! What a method has found, ready to be shown: images, tables, curves and the numbers behind them; and the page that holds
//! several.

use super::chart::{Curve, chart};
use super::paint::Scale;
use super::paint::class_colour;
use super::style::{STYLE, escape, scrolled};
use super::ticks::Unit;
use super::{ReportError, failed};
use crate::atomic_file;
use crate::data::IGNORED;
use crate::explain::Volume;
use crate::weights::{Entry, Format, StateDict, encode};
use crate::wording::short;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What one method has found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Finding {
    /// The method, as the program calls it: the names of files begin with it.
    pub method: String,
    /// A heading.
    pub title: String,
    /// What is shown and how to read it.
    pub text: String,
    /// What a reader should know of these results: a map that is constant, an image that was resized.
    pub notes: Vec<String>,
    /// Images.
    pub figures: Vec<Figure>,
    /// Tables.
    pub tables: Vec<Table>,
    /// Curves.
    pub charts: Vec<Chart>,
    /// The numbers, by name.
    pub arrays: Vec<(String, Volume)>,
}

/// An image with its caption.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// For the name of its file.
    pub name: String,
    /// What it shows, for those who see it and those who do not.
    pub caption: String,
    /// The image.
    pub image: RgbImage,
    /// Whether a row of images begins with it.
    pub first: bool,
    /// What its colours stand for, where it is a map.
    pub scale: Option<Scale>,
}

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What it lists.
    pub caption: String,
    /// Names of its columns.
    pub head: Vec<String>,
    /// Its rows; the first entry of each names it.
    pub rows: Vec<Vec<String>>,
}

/// Curves over one axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// The horizontal axis.
    pub x_name: String,
    /// Names, and points `[x, y]`; six have colours of their own, and six more are dashed.
    pub curves: Vec<(String, Vec<[f64; 2]>)>,
}

const CLASSES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "a dash", "b dash", "c dash", "d dash", "e dash", "f dash"];

impl Finding {
    /// One without anything in it yet.
    pub fn new(method: &str, title: &str, text: &str) -> Self {
        Finding { method: method.into(), title: title.into(), text: text.into(), ..Finding::default() }
    }

    /// Adds a map, with its numbers and a note if it says nothing.
    pub fn map(&mut self, name: &str, caption: String, image: RgbImage, values: &Volume) {
        if let Some(value) = values.constant() {
            self.notes.push(format!("{name}: this map is {value} everywhere; it says nothing"));
        }
        self.figure(name, caption, image);
        self.arrays.push((name.into(), values.clone()));
    }

    /// Adds an image without numbers of its own.
    pub fn figure(&mut self, name: &str, caption: String, image: RgbImage) {
        let first = self.figures.is_empty();
        self.figures.push(Figure { name: name.into(), caption, image, first, scale: None });
    }

    /// Adds an image with which a row begins.
    pub fn first(&mut self, name: &str, caption: String, image: RgbImage) {
        self.figures.push(Figure { name: name.into(), caption, image, first: true, scale: None });
    }

    /// Says what the colours of the last image stand for: a bar with numbers is drawn below it.
    pub fn scale(&mut self, scale: Scale) {
        if let Some(figure) = self.figures.last_mut() {
            figure.scale = Some(scale);
        }
    }

    /// Writes each image as `METHOD-NAME.png` and all numbers as `METHOD.npz`; gives the files.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
        let mut files = Vec::new();
        let mut write = |name: String, bytes: &[u8]| {
            let path = folder.join(name);
            atomic_file::write(&path, bytes).map_err(failed(&path))?;
            files.push(path);
            Ok(())
        };
        for figure in &self.figures {
            write(format!("{}-{}.png", self.method, file_name(&figure.name)), &png(&figure.image))?;
        }
        let entry = |(name, volume): &(String, Volume)| Entry::from_f32(name.as_str(), &volume.shape, &volume.values);
        let entries: Vec<Entry> = self.arrays.iter().map(entry).collect();
        if !entries.is_empty() {
            let dict = StateDict { entries, ..StateDict::default() };
            let path = folder.join(format!("{}.npz", self.method));
            let bytes = encode(&dict, Format::Npz).map_err(|error| failed(&path)(std::io::Error::other(error)))?;
            write(format!("{}.npz", self.method), &bytes)?;
        }
        Ok(files)
    }

    fn html(&self) -> String {
        let mut html = format!("<section id=\"{}\"><h2>{}</h2>", escape(&self.method), escape(&self.title));
        let _ = write!(html, "<p>{}</p>", escape(&self.text));
        for note in &self.notes {
            let _ = write!(html, "<p class=\"note\"><b>Note:</b> {}</p>", escape(note));
        }
        html += "<div class=\"rows\">";
        for row in self.figures.chunk_by(|_, next| !next.first) {
            html += &format!("<div class=\"figures\">{}</div>", row.iter().map(Figure::html).collect::<String>());
        }
        html += "</div>";
        for Chart { title, x_name, curves } in &self.charts {
            let curves: Vec<Curve<'_>> = curves
                .iter()
                .zip(CLASSES.iter().cycle())
                .map(|((name, points), class)| Curve { name, class, points: points.clone() })
                .collect();
            let svg = chart(title, x_name, &curves, Unit::Plain);
            let _ = write!(html, "<h3>{}</h3>{svg}", escape(title));
        }
        self.tables.iter().for_each(|table| html += &table.html());
        html + "</section>"
    }
}

impl Figure {
    fn html(&self) -> String {
        let (uri, caption) = (STANDARD.encode(png(&self.image)), escape(&self.caption));
        format!(
            "<figure><img src=\"data:image/png;base64,{uri}\" alt=\"{caption}\" width=\"{}\" height=\"{}\">\
             <figcaption>{}{caption}</figcaption></figure>",
            self.image.width(),
            self.image.height(),
            self.scale.as_ref().map_or_else(String::new, bar)
        )
    }
}

/// Colours of a bar, from end to end.
const STOPS: usize = 9;

/// A bar of a scale's colours between its numbers.
fn bar(scale: &Scale) -> String {
    let [low, high] = scale.ends();
    let colour = |i: usize| {
        let [r, g, b] = scale.colour(low + (high - low) * i as f32 / (STOPS - 1) as f32);
        format!("#{r:02x}{g:02x}{b:02x}")
    };
    let stops: Vec<String> = (0..STOPS).map(colour).collect();
    // A few outliers may lie beyond the ends.
    let beyond = |sign: &str| if scale.largest > scale.most { format!("{sign} ") } else { String::new() };
    let ends = [(low, beyond(if scale.signed { "≤" } else { "" })), (high, beyond("≥"))];
    let [low, high] = ends.map(|(x, sign)| format!("{}{}", sign.trim_start(), short(f64::from(x))));
    format!(
        "<span class=\"bar\"><span>{low}</span><i style=\"background:linear-gradient(to right,{})\"></i><span>{high}</span></span>",
        stops.join(",")
    )
}

/// Rows of a table that are shown without being asked for, at most.
const LONG: usize = 12;

impl Table {
    fn html(&self) -> String {
        let head: String = self.head.iter().map(|name| format!("<th scope=\"col\">{}</th>", escape(name))).collect();
        let cell = |(i, text): (usize, &String)| match i {
            0 => format!("<th scope=\"row\">{}</th>", escape(text)),
            _ => format!("<td>{}</td>", escape(text)),
        };
        let row = |row: &Vec<String>| format!("<tr>{}</tr>", row.iter().enumerate().map(cell).collect::<String>());
        let rows: String = self.rows.iter().map(row).collect();
        let table = scrolled(&self.caption, &format!("<table><tr>{head}</tr>{rows}</table>"));
        let caption = escape(&self.caption);
        // A long table is opened by who wants to read it.
        match self.rows.len() > LONG {
            true => format!("<details><summary>{caption} ({} rows)</summary>{table}</details>", self.rows.len()),
            false => format!("<p class=\"tell\">{caption}</p>{table}"),
        }
    }
}

/// One page with all findings, that needs nothing beside it.
pub fn findings_page(title: &str, lead: &str, findings: &[Finding]) -> String {
    let link = |finding: &Finding| format!("<li><a href=\"#{}\">{}</a></li>", finding.method, escape(&finding.title));
    let links: String = findings.iter().map(link).collect();
    let sections: String = findings.iter().map(Finding::html).collect();
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head><body>\
         <a class=\"skip\" href=\"#findings\">Skip to the findings</a><main class=\"wide\"><h1>{title}</h1><p>{}</p>\
         <nav aria-label=\"Findings\"><ul>{links}</ul></nav><div id=\"findings\">{sections}</div></main></body></html>\n",
        escape(lead)
    )
}

/// An image as the bytes of a PNG file.
pub fn png(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new(&mut bytes);
    // Into memory, and with as many bytes as the size says, nothing can go wrong.
    let _ = encoder.write_image(image.as_raw(), image.width(), image.height(), ExtendedColorType::Rgb8);
    bytes
}

/// A mask `[H, W]` as a PNG whose pixels are the numbers of the classes, with a palette of their colours, so that it can be looked at and read back.
#[doc(hidden)]
pub fn mask_png(labels: &[u8], [height, width]: [usize; 2]) -> Vec<u8> {
    let palette = (0..=usize::from(u8::MAX)).flat_map(|class| match class == usize::from(IGNORED) {
        true => [0xe0; 3],
        false => class_colour(class),
    });
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.collect::<Vec<u8>>());
    // Into memory, and with as many bytes as the size says, nothing can go wrong.
    if let Ok(mut writer) = encoder.write_header() {
        let _ = writer.write_image_data(labels);
    }
    bytes
}

/// A name without what a file system may not like.
fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_that_says_nothing_is_reported_and_text_is_escaped() {
        let mut finding = Finding::new("gradient", "<b>", "a & b");
        finding.map("one", "first \"map\"".into(), RgbImage::new(2, 2), &Volume::filled([1, 2, 2], 0.5));
        assert_eq!(finding.notes, ["one: this map is 0.5 everywhere; it says nothing"]);
        finding.map("two", String::new(), RgbImage::new(2, 2), &Volume::new([1, 1, 2], vec![0.0, 1.0]));
        assert_eq!(finding.notes.len(), 1);
        let page = findings_page("<title>", "", &[finding]);
        assert!(
            page.contains("&lt;b&gt;") && page.contains("alt=\"first &quot;map&quot;\"") && !page.contains("<b>\"")
        );
    }

    #[test]
    fn maps_have_a_bar_with_the_numbers_of_their_colours() {
        let map = Volume::new([1, 1, 2], vec![-0.25, 0.5]);
        let mut finding = Finding::new("gradient", "", "");
        finding.map("map", "red and blue".into(), Scale::signed(&map).paint(&map), &map);
        assert!(!findings_page("", "", std::slice::from_ref(&finding)).contains("class=\"bar\""));
        finding.scale(Scale::signed(&map));
        let html = findings_page("", "", &[finding]);
        let (_, bar) = html.split_once("<span class=\"bar\">").unwrap();
        assert!(bar.starts_with("<span>-0.5</span>") && bar.contains("</i><span>0.5</span>"), "{bar}");
        // From blue over white to red.
        let [r, g, b] = Scale::signed(&map).colour(0.5);
        assert!(bar.contains(&format!("#{r:02x}{g:02x}{b:02x})\"></i>")), "{bar}");
        let clipped = Scale { signed: false, most: 1.0, largest: 3.0 };
        assert!(super::bar(&clipped).contains("<span>0</span>") && super::bar(&clipped).contains("<span>≥ 1</span>"));
    }

    #[test]
    fn files_are_written_under_names_that_every_system_takes() {
        let folder = std::env::temp_dir().join(format!("convnet-finding-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut finding = Finding::new("gradient", "", "");
        finding.map("a/b: c", String::new(), RgbImage::new(2, 2), &Volume::filled([1, 2, 2], 0.5));
        let names: Vec<String> =
            finding.write(&folder).unwrap().iter().map(|path| path.display().to_string()).collect();
        assert!(names[0].ends_with("gradient-a-b--c.png") && names[1].ends_with("gradient.npz"), "{names:?}");
        std::fs::remove_dir_all(&folder).unwrap();
        let error = finding.write(&folder).unwrap_err().to_string();
        assert!(error.contains("gradient-a-b--c.png"), "{error}");
    }
}
