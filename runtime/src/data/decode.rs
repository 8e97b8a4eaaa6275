//! From an image file to bytes, trusting nothing in it.
//!
//! The decoders are those of the crate `image`, with limits of our own: dimensions are looked at before anything is unpacked,
//! so a file that claims a billion pixels costs nothing; files that are cut off are errors, also where a decoder would make up the
//! rest; and nothing that a decoder does is a panic. Images are turned upright as their EXIF data says. Transparent
//! pixels become what lies over black; 16 bits become 8; palettes become colours.

use super::{DataError, Image, intact};
use crate::quietly::quietly;
use crate::regular_file;
use image::metadata::Orientation;
use image::{DynamicImage, GenericImageView, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::borrow::Cow;
use std::io::{Cursor, Read};
use std::path::Path;

/// Pixels of an image, at most.
pub(super) const MOST_PIXELS: u64 = 1 << 26;

/// Bytes of an image file, at most.
const MOST_BYTES: u64 = 1 << 30;

/// Reads a PNG or JPEG file.
///
/// # Errors
/// When it cannot be read, is no such image, is damaged, cut off or too large.
pub fn read(path: &Path) -> Result<Image<'static>, DataError> {
    from_bytes(&bytes_in(path)?, path)
}

/// What a file holds, if it is none too large for an image.
pub(super) fn bytes_in(path: &Path) -> Result<Vec<u8>, DataError> {
    let io = |source| DataError::Io { path: path.to_owned(), source };
    let mut file = regular_file::open(path).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    if len > MOST_BYTES {
        return Err(bad(path, format!("has {len} bytes; an image may have {MOST_BYTES}")));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Reads a PNG or JPEG file from memory; `path` names it in errors.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Image<'static>, DataError> {
    checked(bytes, path, decode)
}

/// Width and height of a PNG or JPEG file as they are stored, and how it has to be turned; nothing is unpacked.
pub(super) fn header(path: &Path) -> Result<([u32; 2], Orientation), DataError> {
    checked(&bytes_in(path)?, path, |bytes, format, path| {
        let mut decoder = decoder(bytes, format, path)?;
        let (width, height) = decoder.dimensions();
        Ok(([width, height], decoder.orientation().unwrap_or(Orientation::NoTransforms)))
    })
}

/// Gives an image file that is whole as far as can be told to something that reads it, which may fail and panic.
fn checked<T>(
    bytes: &[u8],
    path: &Path,
    read: impl FnOnce(&[u8], ImageFormat, &Path) -> Result<T, DataError>,
) -> Result<T, DataError> {
    if bytes.is_empty() {
        return Err(bad(path, "is empty".into()));
    }
    let format = image::guess_format(bytes).ok();
    let Some(format) = format.filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg)) else {
        let what = intact::other_format(bytes).map_or("is no PNG or JPEG file".into(), |what| {
            format!("is {what}; images that are read are PNG and JPEG")
        });
        return Err(bad(path, what));
    };
    if let Some(damage) = intact::damage(bytes, format) {
        return Err(bad(path, damage));
    }
    // A decoder that panics has met a file for which it was not written.
    quietly(|| read(bytes, format, path))
        .unwrap_or_else(|panic| Err(bad(path, format!("is damaged: the decoder has failed ({panic})"))))
}

pub(super) fn bad(path: &Path, problem: String) -> DataError {
    DataError::Image { path: path.to_owned(), problem }
}

fn failed(path: &Path) -> impl Fn(image::ImageError) -> DataError {
    |error| bad(path, format!("cannot be decoded: {error}"))
}

/// A decoder that has read the header, if the image is none too large.
fn decoder<'a>(bytes: &'a [u8], format: ImageFormat, path: &Path) -> Result<impl ImageDecoder + 'a, DataError> {
    let mut decoder = ImageReader::with_format(Cursor::new(bytes), format).into_decoder().map_err(failed(path))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(bad(path, too_large(width, height)));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_PIXELS * 16);
    decoder.set_limits(limits).map_err(failed(path))?;
    Ok(decoder)
}

pub(super) fn too_large(width: u32, height: u32) -> String {
    format!("claims {width} x {height} pixels; the most is {MOST_PIXELS}")
}

fn decode(bytes: &[u8], format: ImageFormat, path: &Path) -> Result<Image<'static>, DataError> {
    let mut decoder = decoder(bytes, format, path)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(failed(path))?;
    image.apply_orientation(orientation);
    if image.width() == 0 || image.height() == 0 {
        return Err(bad(path, "has no pixels".into()));
    }
    Ok(bytes_of(&image))
}

/// The bytes of an image, plane by plane: one of a grey image, three of any other.
pub(super) fn bytes_of(image: &DynamicImage) -> Image<'static> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let grey = !image.color().has_color();
    let flat = flattened(image);
    let channels = if grey { 1 } else { 3 };
    let mut pixels = Vec::with_capacity(channels * width * height);
    for c in 0..channels {
        pixels.extend(flat.as_raw().iter().skip(c).step_by(3));
    }
    Image { shape: [channels, height, width], pixels: Cow::Owned(pixels) }
}

/// What lies over black.
fn flattened(image: &DynamicImage) -> image::RgbImage {
    if !image.color().has_alpha() {
        return image.to_rgb8();
    }
    let mut over = image::RgbImage::new(image.width(), image.height());
    for (to, (_, _, pixel)) in over.pixels_mut().zip(image.pixels()) {
        let [r, g, b, alpha] = pixel.0.map(u32::from);
        to.0 = [r, g, b].map(|x| ((x * alpha + 127) / 255) as u8);
    }
    over
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};

    fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    fn read(image: DynamicImage) -> Image<'static> {
        from_bytes(&encoded(&image, ImageFormat::Png), Path::new("p.png")).unwrap()
    }

    #[test]
    fn every_kind_of_pixel_becomes_bytes() {
        let grey = DynamicImage::ImageLuma8(image::GrayImage::from_fn(2, 1, |x, _| Luma([10 + x as u8])));
        assert_eq!(read(grey), Image { shape: [1, 1, 2], pixels: vec![10, 11].into() });
        let deep = DynamicImage::ImageLuma16(image::ImageBuffer::from_pixel(1, 1, Luma([0x8081_u16])));
        assert_eq!(read(deep).pixels[0], 0x80);
        let rgb = DynamicImage::ImageRgb8(RgbImage::from_fn(2, 1, |x, _| Rgb([x as u8, 50, 200])));
        assert_eq!(read(rgb), Image { shape: [3, 1, 2], pixels: vec![0, 1, 50, 50, 200, 200].into() });
        let half = DynamicImage::ImageRgba8(RgbaImage::from_pixel(1, 1, Rgba([200, 100, 0, 51])));
        assert_eq!(read(half), Image { shape: [3, 1, 1], pixels: vec![40, 20, 0].into() });
        let faint = DynamicImage::ImageLumaA8(image::ImageBuffer::from_pixel(1, 1, LumaA([200_u8, 51])));
        assert_eq!(read(faint), Image { shape: [1, 1, 1], pixels: vec![40].into() });
    }

    #[test]
    fn what_is_no_image_is_an_error_that_names_the_file() {
        let image = DynamicImage::ImageRgb8(RgbImage::new(40, 30));
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let whole = encoded(&image, format);
            for cut in [0, 1, 8, 20, whole.len() / 2] {
                let error = from_bytes(&whole[..cut], Path::new("cut.png")).unwrap_err().to_string();
                assert!(error.starts_with("cut.png: "), "{error}");
            }
        }
        assert!(from_bytes(b"hello, world, this is text", Path::new("t.png")).is_err());
    }

    /// Cuts at every byte and says which cuts could still be read.
    fn readable_cuts(whole: &[u8]) -> Vec<usize> {
        (0..whole.len()).filter(|cut| from_bytes(&whole[..*cut], Path::new("cut")).is_ok()).collect()
    }

    #[test]
    fn a_file_that_is_cut_off_is_never_read() {
        let image = DynamicImage::ImageRgb8(RgbImage::from_fn(40, 30, |x, y| Rgb([x as u8 * 6, y as u8 * 8, 99])));
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let whole = encoded(&image, format);
            assert_eq!(readable_cuts(&whole), [0; 0], "{format:?}");
            // Cut off, with zeros for what was not copied.
            let mut padded = whole.clone();
            padded[whole.len() / 2..].fill(0);
            assert!(from_bytes(&padded, Path::new("padded")).is_err(), "{format:?}");
        }
        let progressive = include_bytes!("../../tests/fixtures/progressive.jpg");
        assert!(from_bytes(progressive, Path::new("p.jpg")).is_ok());
        assert_eq!(readable_cuts(progressive), [0; 0]);
    }

    #[test]
    fn what_cameras_add_to_a_jpeg_does_no_harm() {
        let jpeg = encoded(&DynamicImage::ImageRgb8(RgbImage::from_pixel(16, 16, Rgb([9, 9, 9]))), ImageFormat::Jpeg);
        let plain = from_bytes(&jpeg, Path::new("p.jpg")).unwrap();
        // A thumbnail within a segment, and bytes behind the end.
        let segment = [&[0xff, 0xe5][..], &(jpeg.len() as u16 + 2).to_be_bytes(), &jpeg].concat();
        let long = [&jpeg[..2], &segment, &jpeg[2..], b"more \xff\xd8 of anything"].concat();
        assert_eq!(from_bytes(&long, Path::new("p.jpg")).unwrap(), plain);
        let cut = &long[..2 + segment.len() + jpeg.len() / 2];
        assert!(from_bytes(cut, Path::new("p.jpg")).unwrap_err().to_string().contains("cut off"));
    }

    /// A chunk of a PNG with its checksum.
    fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let body = [&kind[..], data].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&body);
        [&(data.len() as u32).to_be_bytes()[..], &body, &crc.sum().to_be_bytes()].concat()
    }

    /// A PNG of one pixel of a palette.
    fn of_palette(palette: &[u8]) -> Vec<u8> {
        let header = [0, 0, 0, 1, 0, 0, 0, 1, 8, 3, 0, 0, 0];
        let mut pixels = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut pixels, &[0, 0]).unwrap();
        let (start, pixels) = (b"\x89PNG\r\n\x1a\n", pixels.finish().unwrap());
        [&start[..], &chunk(b"IHDR", &header), &chunk(b"PLTE", palette), &chunk(b"IDAT", &pixels), &chunk(b"IEND", &[])]
            .concat()
    }

    #[test]
    fn a_palette_that_is_no_whole_number_of_colours_is_found_before_the_decoder_panics() {
        assert_eq!(from_bytes(&of_palette(&[1, 2, 3]), Path::new("p.png")).unwrap().pixels[..], [1, 2, 3]);
        for length in [1, 2, 4, 767] {
            let error = from_bytes(&of_palette(&vec![7; length]), Path::new("p.png")).unwrap_err().to_string();
            assert_eq!(error, format!("p.png: is damaged: its palette has {length} bytes, which is no multiple of 3"));
        }
    }

    #[test]
    fn damaged_files_are_errors_and_no_panics() {
        use rand::{Rng, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let image = DynamicImage::ImageRgb8(RgbImage::from_fn(20, 17, |x, y| Rgb([x as u8 * 9, y as u8 * 9, 3])));
        let grey = DynamicImage::ImageLuma16(image::ImageBuffer::from_fn(9, 8, |x, y| Luma([(x * y * 999) as u16])));
        let files = [
            encoded(&image, ImageFormat::Png),
            encoded(&image, ImageFormat::Jpeg),
            encoded(&grey, ImageFormat::Png),
            of_palette(&[1, 2, 3, 4, 5, 6]),
            include_bytes!("../../tests/fixtures/progressive.jpg").to_vec(),
        ];
        for file in files {
            for _ in 0..200 {
                let mut bytes = file.clone();
                for _ in 0..rng.gen_range(1..4) {
                    let at = rng.gen_range(8..bytes.len());
                    match rng.gen_range(0..3) {
                        0 => bytes[at] = rng.r#gen(),
                        1 => drop(bytes.remove(at)),
                        _ => bytes.insert(at, rng.r#gen()),
                    }
                }
                if let Err(error) = from_bytes(&bytes, Path::new("p")) {
                    let error = error.to_string();
                    assert!(error.starts_with("p: ") && !error.contains("the decoder has failed"), "{error}");
                }
            }
        }
    }

    #[test]
    fn other_formats_are_named() {
        for (bytes, what) in [
            (&b"GIF89a\x01\0"[..], "is a GIF image; images that are read are PNG and JPEG"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "is a WebP image"),
            (b"\0\0\0\x18ftypheic", "is a HEIC image"),
            (b"version https://git-lfs.github.com/spec/v1", "is a pointer of Git LFS"),
            (b"", "is empty"),
            (b"hello", "is no PNG or JPEG file"),
        ] {
            let error = from_bytes(bytes, Path::new("x.jpg")).unwrap_err().to_string();
            assert!(error.starts_with("x.jpg: ") && error.contains(what), "{error}");
        }
    }

    #[test]
    fn inks_become_colours() {
        // One block of a light grey, from Pillow's reading of the same files: 217 in each channel.
        for file in
            [&include_bytes!("../../tests/fixtures/ycck.jpg")[..], include_bytes!("../../tests/fixtures/cmyk.jpg")]
        {
            let read = from_bytes(file, Path::new("inks.jpg")).unwrap();
            assert!(read.pixels.iter().all(|value| value.abs_diff(217) <= 1), "{:?}", read.pixels);
        }
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
