//! From a picture file to bytes, trusting nothing in it.
//!
//! The decoders are those of the crate `image`, with limits of our own: dimensions are looked at before anything is unpacked,
//! so a file that claims a billion pixels costs nothing. Pictures are turned upright as their EXIF data says. Transparent
//! pixels become what lies over black; 16 bits become 8; palettes become colours.

use super::{DataError, Picture};
use image::metadata::Orientation;
use image::{DynamicImage, GenericImageView, ImageDecoder, ImageReader, Limits};
use std::borrow::Cow;
use std::io::{BufRead, Cursor, Seek};
use std::path::Path;

/// Pixels of a picture, at most.
pub const MOST_PIXELS: u64 = 1 << 26;

/// Reads a PNG or JPEG file.
///
/// # Errors
/// When it cannot be read, is no such picture, is damaged or too large.
pub fn read(path: &Path) -> Result<Picture<'static>, DataError> {
    let io = |source| DataError::Io { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.is_dir() {
        return Err(DataError::Picture { path: path.to_owned(), problem: "is a folder, not a picture".into() });
    }
    decode(std::io::BufReader::new(file), path)
}

/// Reads a PNG or JPEG file from memory; `path` names it in errors.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Picture<'static>, DataError> {
    decode(Cursor::new(bytes), path)
}

fn decode(source: impl BufRead + Seek, path: &Path) -> Result<Picture<'static>, DataError> {
    let bad = |problem: String| DataError::Picture { path: path.to_owned(), problem };
    let failed = |error: image::ImageError| bad(format!("no picture that can be read: {error}"));
    let reader = ImageReader::new(source).with_guessed_format();
    let reader = reader.map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    if reader.format().is_none() {
        return Err(bad("is no PNG or JPEG file".into()));
    }
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(bad(format!("claims {width} x {height} pixels; the most is {MOST_PIXELS}")));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_PIXELS * 16);
    decoder.set_limits(limits).map_err(failed)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(failed)?;
    picture.apply_orientation(orientation);
    if picture.width() == 0 || picture.height() == 0 {
        return Err(bad("has no pixels".into()));
    }
    Ok(bytes_of(&picture))
}

/// The bytes of a picture, plane by plane: one of a grey picture, three of any other.
pub fn bytes_of(picture: &DynamicImage) -> Picture<'static> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let grey = !picture.color().has_color();
    let flat = flattened(picture);
    let channels = if grey { 1 } else { 3 };
    let mut pixels = Vec::with_capacity(channels * width * height);
    for c in 0..channels {
        pixels.extend(flat.as_raw().iter().skip(c).step_by(3));
    }
    Picture { shape: [channels, height, width], pixels: Cow::Owned(pixels) }
}

/// What lies over black.
fn flattened(picture: &DynamicImage) -> image::RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let mut over = image::RgbImage::new(picture.width(), picture.height());
    for (to, (_, _, pixel)) in over.pixels_mut().zip(picture.pixels()) {
        let [r, g, b, alpha] = pixel.0.map(u32::from);
        to.0 = [r, g, b].map(|x| ((x * alpha + 127) / 255) as u8);
    }
    over
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};

    fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        picture.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    fn read(picture: DynamicImage) -> Picture<'static> {
        from_bytes(&encoded(&picture, ImageFormat::Png), Path::new("p.png")).unwrap()
    }

    #[test]
    fn every_kind_of_pixel_becomes_bytes() {
        let grey = DynamicImage::ImageLuma8(image::GrayImage::from_fn(2, 1, |x, _| Luma([10 + x as u8])));
        assert_eq!(read(grey), Picture { shape: [1, 1, 2], pixels: vec![10, 11].into() });
        let deep = DynamicImage::ImageLuma16(image::ImageBuffer::from_pixel(1, 1, Luma([0x8081_u16])));
        assert_eq!(read(deep).pixels[0], 0x80);
        let rgb = DynamicImage::ImageRgb8(RgbImage::from_fn(2, 1, |x, _| Rgb([x as u8, 50, 200])));
        assert_eq!(read(rgb), Picture { shape: [3, 1, 2], pixels: vec![0, 1, 50, 50, 200, 200].into() });
        let half = DynamicImage::ImageRgba8(RgbaImage::from_pixel(1, 1, Rgba([200, 100, 0, 51])));
        assert_eq!(read(half), Picture { shape: [3, 1, 1], pixels: vec![40, 20, 0].into() });
        let faint = DynamicImage::ImageLumaA8(image::ImageBuffer::from_pixel(1, 1, LumaA([200_u8, 51])));
        assert_eq!(read(faint), Picture { shape: [1, 1, 1], pixels: vec![40].into() });
    }

    #[test]
    fn what_is_no_picture_is_an_error_that_names_the_file() {
        let picture = DynamicImage::ImageRgb8(RgbImage::new(40, 30));
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let whole = encoded(&picture, format);
            for cut in [0, 1, 8, 20, whole.len() / 2] {
                let error = from_bytes(&whole[..cut], Path::new("cut.png")).unwrap_err().to_string();
                assert!(error.starts_with("cut.png: "), "{error}");
            }
        }
        assert!(from_bytes(b"hello, world, this is text", Path::new("t.png")).is_err());
    }

    #[test]
    fn a_file_that_claims_many_pixels_is_refused_before_it_is_unpacked() {
        let mut bytes = encoded(&DynamicImage::ImageLuma8(image::GrayImage::new(1, 1)), ImageFormat::Png);
        // The header of a PNG: width and height, and a checksum over both.
        bytes[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        let crc = flate2::Crc::new();
        let crc = {
            let mut crc = crc;
            crc.update(&bytes[12..29]);
            crc.sum()
        };
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        let error = from_bytes(&bytes, Path::new("bomb.png")).unwrap_err().to_string();
        assert!(error.contains("65536 x 65536"), "{error}");
    }
}
