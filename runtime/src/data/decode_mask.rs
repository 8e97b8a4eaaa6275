//! From a mask's PNG file to the numbers that it holds, trusting nothing in it.
//!
//! A mask is no picture: indices into a palette are kept and not turned into colours, and grey values of 1, 2 or 4 bits are
//! not stretched to 8. Limits, damage and panics are handled as in [`super::decode`].

use super::decode::{MOST_PIXELS, bad, bytes_in, too_large};
use super::{DataError, intact};
use crate::quietly::quietly;
use image::ImageFormat;
use png::{BitDepth, ColorType};
use std::io::Cursor;
use std::path::Path;

/// The largest class that a mask of 16 bits may have; 255 would be a class there and nothing that is ignored.
const LARGEST: u16 = 254;

/// How masks have to be, for the ends of sentences.
const WANTED: &str = "a mask is a PNG image that holds the number of each pixel's class as a grey value or as an index into a \
                      palette, and 255 where a pixel does not count";

/// What a mask's file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawMask {
    pub width: usize,
    pub height: usize,
    /// Row by row.
    pub values: Vec<u8>,
    /// Whether they are grey values and no indices into a palette.
    pub grey: bool,
}

/// Reads a mask.
pub(super) fn read(path: &Path) -> Result<RawMask, DataError> {
    from_bytes(&bytes_in(path)?, path)
}

fn from_bytes(bytes: &[u8], path: &Path) -> Result<RawMask, DataError> {
    if bytes.is_empty() {
        return Err(bad(path, "is empty".into()));
    }
    match image::guess_format(bytes) {
        Ok(ImageFormat::Png) => {}
        Ok(ImageFormat::Jpeg) => {
            let problem =
                "is a JPEG image, and JPEG changes values a little, so that no number of a class can be relied on";
            return Err(bad(path, format!("{problem}; {WANTED}")));
        }
        _ => {
            let what = intact::other_format(bytes).unwrap_or("no PNG file");
            return Err(bad(path, format!("is {what}; {WANTED}")));
        }
    }
    if let Some(damage) = intact::damage(bytes, ImageFormat::Png) {
        return Err(bad(path, damage));
    }
    quietly(|| decode(bytes))
        .unwrap_or_else(|panic| Err(format!("is damaged: the decoder has failed ({panic})")))
        .map_err(|problem| bad(path, problem))
}

fn decode(bytes: &[u8]) -> Result<RawMask, String> {
    let failed = |error: png::DecodingError| format!("cannot be decoded: {error}");
    let most = usize::try_from(MOST_PIXELS * 16).unwrap_or(usize::MAX);
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: most });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(png::Transformations::IDENTITY);
    let (width, height) = decoder.read_header_info().map_err(failed)?.size();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(too_large(width, height));
    }
    let mut reader = decoder.read_info().map_err(failed)?;
    if reader.info().is_animated() {
        return Err(format!("is an animation of several pictures; {WANTED}"));
    }
    let size = reader.output_buffer_size().ok_or_else(|| too_large(width, height))?;
    let mut packed = vec![0; size];
    let frame = reader.next_frame(&mut packed).map_err(failed)?;
    reader.finish().map_err(failed)?;
    let (width, height) = (width as usize, height as usize);
    let mut values = Vec::with_capacity(width * height);
    for (y, row) in packed.chunks_exact(frame.line_size.max(1)).take(height).enumerate() {
        let at = |x: usize| format!("at column {x} of row {y}, counted from 0");
        for x in 0..width {
            values.push(value(row, x, frame.color_type, frame.bit_depth).map_err(|what| what.problem(&at(x)))?);
        }
    }
    Ok(RawMask { width, height, values, grey: frame.color_type != ColorType::Indexed })
}

/// Why a pixel has no value that could be a class.
enum NoClass {
    Colour,
    Transparent,
    TooLarge(u16),
    Cut,
}

impl NoClass {
    fn problem(&self, at: &str) -> String {
        match self {
            NoClass::Colour => {
                format!("has a colour {at}, and nobody has said which colour stands for which class; {WANTED}")
            }
            NoClass::Transparent => {
                format!("has a transparent pixel {at}, and what that means is not known; {WANTED}")
            }
            NoClass::TooLarge(value) => {
                format!("has 16 bits a pixel and the value {value} {at}; classes are numbers up to {LARGEST}")
            }
            NoClass::Cut => format!("is damaged: there is no pixel {at}"),
        }
    }
}

/// The value of pixel `x` of a row as a PNG file packs it (PNG specification, 7.2).
fn value(row: &[u8], x: usize, colour: ColorType, depth: BitDepth) -> Result<u8, NoClass> {
    let bits = depth as usize;
    if bits < 8 {
        let per_byte = 8 / bits;
        let byte = row.get(x / per_byte).ok_or(NoClass::Cut)?;
        return Ok((byte >> (8 - bits * (x % per_byte + 1))) & ((1 << bits) - 1));
    }
    let (samples, bytes) = (colour.samples(), bits / 8);
    let pixel = row.get(x * samples * bytes..(x + 1) * samples * bytes).ok_or(NoClass::Cut)?;
    let sample = |i: usize| match bytes {
        1 => u16::from(pixel[i]),
        _ => u16::from_be_bytes([pixel[2 * i], pixel[2 * i + 1]]),
    };
    let opaque = if bytes == 1 { u16::from(u8::MAX) } else { u16::MAX };
    if matches!(colour, ColorType::Rgb | ColorType::Rgba) && (sample(0) != sample(1) || sample(1) != sample(2)) {
        return Err(NoClass::Colour);
    }
    if matches!(colour, ColorType::GrayscaleAlpha | ColorType::Rgba) && sample(samples - 1) != opaque {
        return Err(NoClass::Transparent);
    }
    match sample(0) {
        value if bytes == 2 && value > LARGEST => Err(NoClass::TooLarge(value)),
        value => u8::try_from(value).map_err(|_| NoClass::TooLarge(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(size: [u32; 2], colour: ColorType, depth: BitDepth, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, size[0], size[1]);
        encoder.set_color(colour);
        encoder.set_depth(depth);
        if colour == ColorType::Indexed {
            // Colours that are nothing like the indices.
            encoder.set_palette((0..3 << (depth as u8)).map(|i| 255 - (i * 7) as u8).collect::<Vec<u8>>());
        }
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        bytes
    }

    fn read(size: [u32; 2], colour: ColorType, depth: BitDepth, data: &[u8]) -> Result<RawMask, String> {
        from_bytes(&encoded(size, colour, depth, data), Path::new("m.png")).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_read_as_they_are_stored() {
        for (colour, grey) in [(ColorType::Grayscale, true), (ColorType::Indexed, false)] {
            for (depth, data, values) in [
                // Five pixels a row, so that rows end within a byte.
                (BitDepth::One, &[0b1011_0000, 0b0100_1000][..], [1, 0, 1, 1, 0, 0, 1, 0, 0, 1]),
                (BitDepth::Two, &[0b1101_1000, 0b0100_0000, 0b0001_1011, 0b1100_0000], [3, 1, 2, 0, 1, 0, 1, 2, 3, 3]),
                (BitDepth::Four, &[0xf0, 0x1a, 0x30, 0x12, 0x34, 0x50], [15, 0, 1, 10, 3, 1, 2, 3, 4, 5]),
                (BitDepth::Eight, &[0, 255, 7, 8, 9, 254, 1, 2, 3, 128], [0, 255, 7, 8, 9, 254, 1, 2, 3, 128]),
            ] {
                let expected = RawMask { width: 5, height: 2, values: values.to_vec(), grey };
                assert_eq!(read([5, 2], colour, depth, data), Ok(expected), "{colour:?} {depth:?}");
            }
        }
    }

    #[test]
    fn values_are_those_that_pillow_has_written() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/masks");
        let text = std::fs::read_to_string(folder.join("values.json")).unwrap();
        let expected: std::collections::BTreeMap<String, Vec<Vec<u8>>> = serde_json::from_str(&text).unwrap();
        assert_eq!(expected.len(), 5);
        for (name, rows) in expected {
            let mask = super::read(&folder.join(format!("{name}.png"))).unwrap();
            let grey = name.starts_with("grey");
            let rows = RawMask { width: rows[0].len(), height: rows.len(), values: rows.concat(), grey };
            assert_eq!(mask, rows, "{name}");
        }
    }

    #[test]
    fn what_is_as_good_as_grey_is_read_and_what_is_not_is_refused() {
        let values = |colour, depth, data: &[u8]| read([2, 1], colour, depth, data).map(|mask| mask.values);
        use {BitDepth::*, ColorType::*};
        assert_eq!(values(Rgb, Eight, &[3, 3, 3, 255, 255, 255]), Ok(vec![3, 255]));
        assert_eq!(values(Rgba, Eight, &[3, 3, 3, 255, 4, 4, 4, 255]), Ok(vec![3, 4]));
        assert_eq!(values(GrayscaleAlpha, Eight, &[9, 255, 8, 255]), Ok(vec![9, 8]));
        assert_eq!(values(Grayscale, Sixteen, &[0, 254, 0, 1]), Ok(vec![254, 1]));
        assert_eq!(values(Rgb, Sixteen, &[0, 2, 0, 2, 0, 2, 0, 7, 0, 7, 0, 7]), Ok(vec![2, 7]));
        for (colour, depth, data, expected) in [
            (
                Rgb,
                Eight,
                &[3, 3, 3, 4, 4, 5][..],
                "m.png: has a colour at column 1 of row 0, counted from 0, and nobody",
            ),
            (Rgba, Eight, &[3, 3, 3, 0, 4, 4, 4, 255], "m.png: has a transparent pixel at column 0 of row 0"),
            (GrayscaleAlpha, Eight, &[3, 255, 4, 254], "has a transparent pixel at column 1 of row 0"),
            (Grayscale, Sixteen, &[0, 1, 0, 255], "has 16 bits a pixel and the value 255 at column 1 of row 0"),
            (
                Grayscale,
                Sixteen,
                &[1, 0, 0, 1],
                "the value 256 at column 0 of row 0, counted from 0; classes are numbers up to",
            ),
        ] {
            let error = values(colour, depth, data).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_is_no_png_is_told_why_not() {
        let mut jpeg = Vec::new();
        let image = image::DynamicImage::ImageLuma8(image::GrayImage::new(8, 8));
        image.write_to(&mut Cursor::new(&mut jpeg), ImageFormat::Jpeg).unwrap();
        let png = encoded([9, 1], ColorType::Grayscale, BitDepth::Eight, &[1; 9]);
        for (bytes, expected) in [
            (&jpeg[..], "is a JPEG image, and JPEG changes values a little"),
            (b"GIF89a\x01\0", "is a GIF image; a mask is a PNG image that holds the number"),
            (b"hello", "is no PNG file; a mask is"),
            (b"", "is empty"),
            (&png[..png.len() - 4], "is cut off"),
        ] {
            let error = from_bytes(bytes, Path::new("m.png")).unwrap_err().to_string();
            assert!(error.starts_with("m.png: ") && error.contains(expected), "{error}");
        }
        // A header that claims 65536 x 65536 pixels, with a checksum that fits.
        let mut bomb = png;
        bomb[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        let mut crc = flate2::Crc::new();
        crc.update(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        let error = from_bytes(&bomb, Path::new("m.png")).unwrap_err().to_string();
        assert!(error.contains("claims 65536 x 65536 pixels"), "{error}");
    }

    #[test]
    fn damaged_masks_are_errors_and_no_panics() {
        use rand::{Rng, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let noise: Vec<u8> = (0..20 * 17 * 4).map(|i| (i * 97 % 251) as u8).collect();
        let kinds = [
            (ColorType::Indexed, BitDepth::Eight, 20),
            (ColorType::Indexed, BitDepth::Four, 10),
            (ColorType::Grayscale, BitDepth::One, 3),
            (ColorType::Grayscale, BitDepth::Sixteen, 40),
            (ColorType::Rgba, BitDepth::Eight, 80),
        ];
        for (colour, depth, line) in kinds {
            let file = encoded([20, 17], colour, depth, &noise[..line * 17]);
            for _ in 0..400 {
                let mut bytes = file.clone();
                for _ in 0..rng.gen_range(1..4) {
                    let at = rng.gen_range(8..bytes.len());
                    match rng.gen_range(0..3) {
                        0 => bytes[at] = rng.r#gen(),
                        1 => drop(bytes.remove(at)),
                        _ => bytes.insert(at, rng.r#gen()),
                    }
                }
                // Headers with checksums that fit get further.
                let mut crc = flate2::Crc::new();
                crc.update(&bytes[12..29]);
                bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
                if let Err(error) = from_bytes(&bytes, Path::new("m")) {
                    let error = error.to_string();
                    assert!(error.starts_with("m: ") && !error.contains("the decoder has failed"), "{error}");
                }
            }
        }
    }
}
