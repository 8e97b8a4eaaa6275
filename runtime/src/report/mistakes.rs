//! The images that a network was most wrong about, as a part of a page that holds all of them.

use super::style::escape;
use crate::data::{Dataset, Image};
use crate::train::{Evaluation, Mistake};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{DynamicImage, ImageFormat};
use std::fmt::Write;
use std::io::Cursor;

/// Up to this width and height an image keeps every pixel; a larger one becomes a JPEG, since photographs would be most of the page.
const EXACT: u32 = 64;
/// The largest width and height in the page, in pixels: somewhat more than the style sheet gives an image.
const LARGEST: u32 = 128;

/// The worst mistakes of an evaluation on `test`; `when` says when it was.
pub(super) fn mistakes(evaluation: &Evaluation, test: &dyn Dataset, classes: &[String], when: &str) -> String {
    let mut html =
        format!("<section><h2>Worst mistakes</h2><p class=\"quiet\">{when}, those with the largest loss first.</p>");
    if evaluation.mistakes.is_empty() {
        return html + "<p>None: every test image was classified correctly.</p></section>";
    }
    html += "<ul class=\"images\">";
    for Mistake { index, label, prediction, probabilities: [right, wrong] } in &evaluation.mistakes {
        let [label, prediction] = [label, prediction].map(|class| escape(&classes[*class]));
        let image = match test.image(*index).ok().and_then(|image| data_uri(&image)) {
            Some(uri) => format!("<img src=\"{uri}\" alt=\"test image {index}: {label}\">"),
            None => "<p class=\"quiet\">The image cannot be read.</p>".into(),
        };
        let path = test.file(*index).map(|path| escape(&path.display().to_string()));
        let title = path.map_or_else(String::new, |path| format!(" title=\"{path}\""));
        let _ = write!(
            html,
            "<li{title}>{image}is <b>{label}</b> ({:.2}\u{a0}%)<br>predicted <b>{prediction}</b> ({:.1}\u{a0}%)<br>\
             <span class=\"quiet\">{}</span></li>",
            right * 100.0,
            wrong * 100.0,
            name(test, *index)
        );
    }
    html + "</ul></section>"
}

/// What an image is called: its file, or its number.
fn name(test: &dyn Dataset, index: usize) -> String {
    let name = test.file(index).and_then(|path| path.file_name());
    name.map_or_else(|| format!("no. {index}"), |name| escape(&name.to_string_lossy()))
}

/// An image as an address that holds all of it.
fn data_uri(image: &Image<'_>) -> Option<String> {
    let [_, height, width] = image.shape;
    let planes: Vec<&[u8]> = image.pixels.chunks_exact((height * width).max(1)).collect();
    let (w, h) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    let image = match planes[..] {
        [r, g, b] => {
            let mixed = r.iter().zip(g).zip(b).flat_map(|((r, g), b)| [*r, *g, *b]).collect();
            DynamicImage::ImageRgb8(image::RgbImage::from_raw(w, h, mixed)?)
        }
        [first, ..] => DynamicImage::ImageLuma8(image::GrayImage::from_raw(w, h, first.to_vec())?),
        [] => return None,
    };
    let image = if w.max(h) > LARGEST { image.thumbnail(LARGEST, LARGEST) } else { image };
    let (format, word) = if w.max(h) > EXACT { (ImageFormat::Jpeg, "jpeg") } else { (ImageFormat::Png, "png") };
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).ok()?;
    Some(format!("data:image/{word};base64,{}", STANDARD.encode(bytes.into_inner())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Images;

    #[test]
    fn whatever_the_images_are_they_take_little_room_and_small_ones_keep_every_pixel() {
        for (side, kind) in [(1, "png"), (64, "png"), (65, "jpeg"), (700, "jpeg")] {
            let mut noise = 1_u32;
            let pixels: Vec<u8> = (0..3 * side * side)
                .map(|_| {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (noise >> 24) as u8
                })
                .collect();
            let image = Image { shape: [3, side, side], pixels: pixels.into() };
            let uri = data_uri(&image).unwrap();
            let (head, text) = uri.split_once(";base64,").unwrap();
            assert_eq!(head, format!("data:image/{kind}"));
            // Noise is the worst that there can be; 24 of them stay below half a megabyte.
            assert!(uri.len() < 20_000, "{side}: {}", uri.len());
            let back = image::load_from_memory(&STANDARD.decode(text).unwrap()).unwrap().to_rgb8();
            assert_eq!(back.width() as usize, side.min(128));
            if kind == "png" {
                let red: Vec<u8> = back.pixels().map(|pixel| pixel.0[0]).collect();
                assert_eq!(red, image.pixels[..side * side]);
            }
        }
    }

    #[test]
    fn names_of_classes_are_text_and_an_image_that_cannot_be_shown_is_said_to_be() {
        let classes = ["<i>", "b"].map(String::from).to_vec();
        let test = Images { shape: [1, 0, 0], pixels: Vec::new(), labels: vec![0], classes: classes.clone() };
        let mistake = Mistake { index: 0, label: 0, prediction: 1, probabilities: [0.25, 0.75] };
        let evaluation = Evaluation { mistakes: vec![mistake], ..Evaluation::new(2) };
        let html = mistakes(&evaluation, &test, &classes, "After epoch 1");
        assert!(html.contains("is <b>&lt;i&gt;</b> (25.00\u{a0}%)") && html.contains("cannot be read"), "{html}");
        assert!(mistakes(&Evaluation::new(2), &test, &classes, "").contains("None: "));
    }
}
