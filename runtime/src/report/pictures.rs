//! Images of a dataset as parts of a page that holds all of them.

use super::style::escape;
use crate::data::{Dataset, Image, Preparation};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{DynamicImage, ImageFormat, RgbImage};
use std::io::Cursor;

/// Up to this width and height an image keeps every pixel; a larger one becomes a JPEG, since photographs would be most of the page.
const EXACT: u32 = 64;
/// The largest width and height in the page, in pixels: somewhat more than the style sheet gives an image.
const LARGEST: u32 = 128;

/// What a page needs to show images of a dataset.
pub(super) struct Shown<'a> {
    pub test: &'a dyn Dataset,
    /// Names of the classes, or of the numbers.
    pub classes: &'a [String],
    /// How the images come to the network.
    pub preparation: &'a Preparation,
    /// When the network was measured, as the beginning of a sentence.
    pub when: &'a str,
}

impl Shown<'_> {
    /// A list of images with a caption each, under a heading.
    pub fn section(&self, title: &str, sentence: &str, items: &[String]) -> String {
        let (when, items) = (self.when, items.concat());
        format!(
            "<section><h2>{title}</h2><p class=\"quiet\">{when}{sentence}</p><ul class=\"images\">{items}</ul></section>"
        )
    }

    /// An image of the dataset with a caption.
    pub fn item(&self, index: usize, caption: &str) -> String {
        let image = self.test.image(index).ok().and_then(|image| data_uri(&image));
        self.pictures(index, &[image], caption)
    }

    /// Pictures of one image of the dataset beside each other, with a caption.
    pub fn pictures(&self, index: usize, uris: &[Option<String>], caption: &str) -> String {
        let picture = |uri: &Option<String>| match uri {
            Some(uri) => format!("<img src=\"{uri}\" alt=\"test image {index}\">"),
            None => "<p class=\"quiet\">The image cannot be read.</p>".into(),
        };
        let pictures: Vec<String> = uris.iter().map(picture).collect();
        let path = self.test.file(index).map(|path| escape(&path.display().to_string()));
        let title = path.map_or_else(String::new, |path| format!(" title=\"{path}\""));
        let name = name(self.test, index);
        format!("<li{title}>{}{caption}<br><span class=\"quiet\">{name}</span></li>", pictures.concat())
    }
}

/// What an image is called: its file, or its number.
pub(super) fn name(test: &dyn Dataset, index: usize) -> String {
    let name = test.file(index).and_then(|path| path.file_name());
    name.map_or_else(|| format!("no. {index}"), |name| escape(&name.to_string_lossy()))
}

/// An image in colour as an address that holds all of it.
pub(super) fn uri_of(image: RgbImage) -> Option<String> {
    encoded(DynamicImage::ImageRgb8(image))
}

/// An image as an address that holds all of it.
pub(super) fn data_uri(image: &Image<'_>) -> Option<String> {
    let [_, height, width] = image.shape;
    let planes: Vec<&[u8]> = image.pixels.chunks_exact((height * width).max(1)).collect();
    let (w, h) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    let image = match planes[..] {
        [r, g, b] => {
            let mixed = r.iter().zip(g).zip(b).flat_map(|((r, g), b)| [*r, *g, *b]).collect();
            DynamicImage::ImageRgb8(RgbImage::from_raw(w, h, mixed)?)
        }
        [first, ..] => DynamicImage::ImageLuma8(image::GrayImage::from_raw(w, h, first.to_vec())?),
        [] => return None,
    };
    encoded(image)
}

fn encoded(image: DynamicImage) -> Option<String> {
    let (w, h) = (image.width(), image.height());
    let image = if w.max(h) > LARGEST { image.thumbnail(LARGEST, LARGEST) } else { image };
    let (format, word) = if w.max(h) > EXACT { (ImageFormat::Jpeg, "jpeg") } else { (ImageFormat::Png, "png") };
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).ok()?;
    Some(format!("data:image/{word};base64,{}", STANDARD.encode(bytes.into_inner())))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
