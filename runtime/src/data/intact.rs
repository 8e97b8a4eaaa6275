//! What is known to be wrong with an image file before it is decoded: decoders make up what is missing of some files, and
//! panic at others.

use image::ImageFormat;

/// What is wrong with a PNG or JPEG file, if anything is.
pub(super) fn damage(bytes: &[u8], format: ImageFormat) -> Option<String> {
    match format {
        ImageFormat::Jpeg if !jpeg_ends(bytes) => {
            Some("is cut off: it ends without the marker that ends a JPEG image".into())
        }
        ImageFormat::Png => png(bytes),
        _ => None,
    }
}

/// Whether a JPEG image ends with its marker EOI (ITU-T T.81, B.1.1). Segments are skipped by their length, since a thumbnail
/// within them has such a marker too. What comes after the marker does not matter: cameras append things.
fn jpeg_ends(bytes: &[u8]) -> bool {
    let mut at = 2;
    while at + 1 < bytes.len() {
        if bytes[at] != 0xff {
            at += 1;
            continue;
        }
        match bytes[at + 1] {
            // A byte that fills, so the marker starts later.
            0xff => at += 1,
            // A byte 255 of the data, and markers without a segment: TEM, RST0 to RST7 and SOI.
            0x00 | 0x01 | 0xd0..=0xd8 => at += 2,
            0xd9 => return true,
            _ => {
                let Some(length) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
            }
        }
    }
    false
}

/// What is wrong with the chunks of a PNG image: a palette that is no whole number of colours, at which the decoder would panic
/// (PNG specification, 11.2.2), or no chunk that ends the image.
fn png(bytes: &[u8]) -> Option<String> {
    const SIGNATURE: usize = 8;
    const CHECKSUM: usize = 4;
    let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
    while let Some((start, after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([start[0], start[1], start[2], start[3]]) as usize;
        if &start[4..] == b"PLTE" && !length.is_multiple_of(3) {
            return Some(format!("is damaged: its palette has {length} bytes, which is no multiple of 3"));
        }
        let Some(next) = length.checked_add(CHECKSUM).and_then(|length| after.get(length..)) else { break };
        if &start[4..] == b"IEND" {
            return None;
        }
        rest = next;
    }
    Some("is cut off: it ends without the chunk that ends a PNG image".into())
}

/// What a file is that is neither PNG nor JPEG, as far as its first bytes tell.
pub(super) fn other_format(bytes: &[u8]) -> Option<&'static str> {
    const STARTS: [(&[u8], &str); 15] = [
        (b"GIF8", "a GIF image"),
        (b"BM", "a BMP image"),
        (b"II*\0", "a TIFF image"),
        (b"MM\0*", "a TIFF image"),
        (b"\0\0\x01\0", "an icon"),
        (b"8BPS", "a Photoshop file"),
        (b"%PDF", "a PDF file"),
        (b"<!DOCTYPE", "a web page"),
        (b"<html", "a web page"),
        (b"<svg", "an SVG image"),
        (b"<?xml", "an XML file"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x1f\x8b", "a gzip file"),
        (b"\0\x05\x16\x07", "an AppleDouble file, which macOS makes beside an image"),
        (b"version https://git-lfs", "a pointer of Git LFS, whose file was not downloaded"),
    ];
    let boxed =
        |kinds: &[&[u8]]| bytes.get(4..8) == Some(b"ftyp") && bytes.get(8..12).is_some_and(|b| kinds.contains(&b));
    match () {
        () if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") => Some("a WebP image"),
        () if boxed(&[b"heic", b"heix", b"mif1", b"msf1", b"hevc"]) => Some("a HEIC image"),
        () if boxed(&[b"avif", b"avis"]) => Some("an AVIF image"),
        () => STARTS.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, what)| *what),
    }
}
