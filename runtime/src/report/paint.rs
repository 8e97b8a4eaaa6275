//! Numbers as colours: images, signed and unsigned maps, sheets of many.

use crate::data::{IGNORED, Image, Normalisation};
use crate::explain::Volume;
use crate::explain::field::Field;
use colorgrad::Gradient;
use colorgrad::preset::{inferno, rd_bu};
use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage};

/// An image as a network takes it, in the colours it came in.
pub fn photo(image: &Volume, normalisation: &Normalisation) -> RgbImage {
    let share = |c: usize, x: f32| {
        let [low, high] = normalisation.range(c);
        (x - low) / (high - low)
    };
    coloured(image, share)
}

/// Up to three channels from 0 to 1, each by itself stretched over all shades: filters of a first layer.
pub fn stretched(volume: &Volume) -> RgbImage {
    let [low, high] = volume.range();
    let span = if high > low { high - low } else { 1.0 };
    coloured(volume, |_, x| (x - low) / span)
}

/// Three channels with signs: grey is zero.
pub fn centred(volume: &Volume) -> RgbImage {
    let most = extreme(volume);
    coloured(volume, |_, x| 0.5 + 0.5 * x / most)
}

fn coloured(volume: &Volume, share: impl Fn(usize, f32) -> f32) -> RgbImage {
    let [channels, height, width] = volume.shape;
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let value = |c: usize| {
            let c = if channels == 3 { c } else { 0 };
            (share(c, volume.at(c, y as usize, x as usize)).clamp(0.0, 1.0) * 255.0).round() as u8
        };
        Rgb([0, 1, 2].map(value))
    })
}

/// What the colours of a map stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Whether the sign matters: red is positive, blue negative, white zero. Else black is zero or less, bright yellow the most.
    pub signed: bool,
    /// The absolute value that has the full colour.
    pub most: f32,
    /// The largest absolute value that there is; it may be larger than `most`, and has the same colour then.
    pub largest: f32,
}

impl Scale {
    /// For numbers whose sign matters; of several channels, one scale for all of them.
    pub fn signed(map: &Volume) -> Self {
        let largest = map.values.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        Scale { signed: true, most: extreme(map), largest }
    }

    /// For strengths, of which negative ones count as none.
    pub fn strength(map: &Volume) -> Self {
        Scale { signed: false, ..Scale::signed(map) }
    }

    /// A map `[1, H, W]` in these colours.
    pub fn paint(&self, map: &Volume) -> RgbImage {
        let [_, height, width] = map.shape;
        RgbImage::from_fn(width as u32, height as u32, |x, y| Rgb(self.colour(map.at(0, y as usize, x as usize))))
    }

    /// The least and the greatest number that has a colour of its own.
    pub fn ends(&self) -> [f32; 2] {
        [if self.signed { -self.most } else { 0.0 }, self.most]
    }

    /// The colour of a number.
    pub fn colour(&self, x: f32) -> [u8; 3] {
        let share = x / self.most;
        let [r, g, b, _] = match self.signed {
            true => rd_bu().at((0.5 - 0.5 * share).clamp(0.0, 1.0)),
            false => inferno().at(share.clamp(0.0, 1.0)),
        }
        .to_rgba8();
        [r, g, b]
    }
}

/// A map whose sign matters, `[1, H, W]`, in the colours of its own [`Scale::signed`].
pub fn signed(map: &Volume) -> RgbImage {
    Scale::signed(map).paint(map)
}

/// A map of strengths, `[1, H, W]`, in the colours of its own [`Scale::strength`].
pub fn strength(map: &Volume) -> RgbImage {
    Scale::strength(map).paint(map)
}

/// The largest absolute value that is not an outlier: a single bright pixel would leave everything else in the dark.
fn extreme(map: &Volume) -> f32 {
    let mut sizes: Vec<f32> = map.values.iter().map(|x| x.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    let at = |share: f64| sizes.get(((sizes.len().max(1) - 1) as f64 * share).ceil() as usize).copied().unwrap_or(0.0);
    // Where most is zero, the percentile says nothing.
    let most = if at(0.995) > 0.0 { at(0.995) } else { at(1.0) };
    most.max(f32::MIN_POSITIVE)
}

/// An image of a dataset, whatever its channels, in colour.
pub fn of_image(image: &Image<'_>) -> RgbImage {
    let [channels, height, width] = image.shape;
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let value = |c: usize| {
            let plane = if channels >= 3 { c } else { 0 };
            let at = plane * height * width + y as usize * width + x as usize;
            image.pixels.get(at).copied().unwrap_or(0)
        };
        Rgb([0, 1, 2].map(value))
    })
}

/// Strengths over an image of the same size: the image in grey, brighter and warmer where the map is strong.
pub fn over(photo: &RgbImage, map: &Volume) -> RgbImage {
    let (heat, most) = (strength(map), extreme(map));
    RgbImage::from_fn(photo.width(), photo.height(), |x, y| {
        let (pixel, heat) = (photo.get_pixel(x, y).0, heat.get_pixel(x, y).0);
        let grey = pixel.iter().map(|x| f32::from(*x)).sum::<f32>() / 3.0;
        let share = 0.35 + 0.4 * (map.at(0, y as usize, x as usize) / most).clamp(0.0, 1.0);
        Rgb(heat.map(|heat| (grey * (1.0 - share) + f32::from(heat) * share) as u8))
    })
}

/// Colours of classes: dark and bright ones, that are told apart by those who see no difference between red and green too (Okabe and Ito,
/// 2008), and after these what is left.
const CLASSES: [[u8; 3]; 16] = [
    [0, 114, 178],
    [230, 159, 0],
    [0, 158, 115],
    [204, 121, 167],
    [86, 180, 233],
    [213, 94, 0],
    [240, 228, 66],
    [120, 60, 160],
    [140, 86, 75],
    [23, 190, 207],
    [188, 189, 34],
    [214, 39, 40],
    [31, 40, 120],
    [152, 223, 138],
    [255, 152, 150],
    [0, 90, 50],
];

/// The colour of a class in pictures of masks, by its number. There are 16 of them; class 16 has that of class 0 again.
pub fn class_colour(class: usize) -> [u8; 3] {
    CLASSES[class % CLASSES.len()]
}

/// A mask `[H, W]` over an image of the same size: half of each pixel is the colour of its class, or grey where the mask is
/// [`IGNORED`].
pub fn tinted(photo: &RgbImage, mask: &[u8]) -> RgbImage {
    let mut found = photo.clone();
    for (pixel, class) in found.pixels_mut().zip(mask) {
        let tint = if *class == IGNORED { [128; 3] } else { class_colour(usize::from(*class)) };
        pixel.0.iter_mut().zip(tint).for_each(|(x, tint)| *x = x.midpoint(tint));
    }
    found
}

/// Pixels of an image that is to be seen by people, at least, where it has fewer.
const LEGIBLE: u32 = 140;

/// The image enlarged, pixel by pixel, if it is small.
pub fn legible(image: &RgbImage) -> RgbImage {
    let zoom = (LEGIBLE / image.width().max(image.height()).max(1)).max(1);
    resize(image, image.width() * zoom, image.height() * zoom, FilterType::Nearest)
}

/// The outline of a rectangle of pixels, in an enlarged copy of the image.
pub fn outlined(image: &RgbImage, field: Field) -> RgbImage {
    let mut large = legible(image);
    let zoom = large.width() / image.width().max(1);
    let edge = |[first, end]: [usize; 2], side: u32| {
        [first as u32 * zoom, (end as u32 * zoom).saturating_sub(1).min(side.saturating_sub(1))]
    };
    let ([top, bottom], [left, right]) = (edge(field.rows, large.height()), edge(field.columns, large.width()));
    let thick = zoom.clamp(1, 2);
    for (x, y) in (top..=bottom).flat_map(|y| (left..=right).map(move |x| (x, y))) {
        let inside = [x - left, right - x, y - top, bottom - y].into_iter().min().unwrap_or(0);
        if inside < thick {
            large.put_pixel(x, y, Rgb([0, 200, 120]));
        }
    }
    large
}

/// Pixels between the images of a sheet.
const GAP: u32 = 3;

/// Images in rows of so many, small ones enlarged alike.
pub fn sheet(images: &[RgbImage], columns: usize) -> RgbImage {
    let (width, height) = images.iter().fold((1, 1), |(w, h), image| (w.max(image.width()), h.max(image.height())));
    let columns = columns.clamp(1, images.len().max(1)) as u32;
    let zoom = (64 / width.max(height)).clamp(1, 12);
    let rows = (images.len() as u32).div_ceil(columns);
    let (cell_w, cell_h) = (width * zoom + GAP, height * zoom + GAP);
    let mut sheet = RgbImage::from_pixel(columns * cell_w + GAP, rows * cell_h + GAP, Rgb([128, 128, 128]));
    for (i, image) in (0..).zip(images) {
        let large = resize(image, image.width() * zoom, image.height() * zoom, FilterType::Nearest);
        let (x, y) = (i % columns * cell_w + GAP, i / columns * cell_h + GAP);
        image::imageops::replace(&mut sheet, &large, x.into(), y.into());
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_lie_over_their_image() {
        let photo = RgbImage::from_pixel(2, 2, Rgb([100, 0, 200]));
        let found = tinted(&photo, &[0, 1, IGNORED, 16]);
        let colours: Vec<[u8; 3]> = found.pixels().map(|pixel| pixel.0).collect();
        assert_eq!(colours, [[50, 57, 189], [165, 79, 100], [114, 64, 164], [50, 57, 189]]);
        let distance = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).map(|(a, b)| usize::from(a.abs_diff(b))).sum::<usize>();
        for (a, b) in (0..16).flat_map(|a| (0..a).map(move |b| (a, b))) {
            assert!(distance(class_colour(a), class_colour(b)) > 60, "{a} {b}");
        }
    }

    #[test]
    fn signs_have_their_colours() {
        let map = signed(&Volume::new([1, 1, 3], vec![-2.0, 0.0, 2.0]));
        let [negative, zero, positive] = [0, 1, 2].map(|x| map.get_pixel(x, 0).0);
        assert!(negative[2] > negative[0] + 50 && positive[0] > positive[2] + 50, "{negative:?} {positive:?}");
        assert!(zero.iter().all(|x| *x > 235), "{zero:?}");
        let heat = strength(&Volume::new([1, 1, 2], vec![0.0, 5.0]));
        assert!(heat.get_pixel(0, 0).0.iter().all(|x| *x < 20) && heat.get_pixel(1, 0).0[0] > 200);
    }

    #[test]
    fn the_ends_of_a_scale_have_the_colours_of_their_numbers() {
        let map = Volume::new([1, 1, 4], vec![-4.0, 0.0, 1.0, 2.0]);
        for (scale, ends) in [(Scale::signed(&map), [-4.0, 4.0]), (Scale::strength(&map), [0.0, 4.0])] {
            assert_eq!((scale.ends(), scale.largest), (ends, 4.0));
            let painted = scale.paint(&map);
            for (x, value) in (0..).zip(&map.values) {
                assert_eq!(painted.get_pixel(x, 0).0, scale.colour(*value));
            }
        }
        // A single bright pixel is beyond the scale, which says so.
        let mut values = vec![1.0; 1000];
        values[3] = 50.0;
        let scale = Scale::strength(&Volume::new([1, 25, 40], values));
        assert_eq!((scale.most, scale.largest), (1.0, 50.0));
    }

    #[test]
    fn photos_are_what_they_were() {
        let normalisation = Normalisation { mean: vec![0.5, 0.4, 0.3], std: vec![0.2, 0.3, 0.4] };
        let bytes: Vec<u8> = (0..12).map(|i| i * 20).collect();
        let mut values = Vec::new();
        normalisation.extend(&bytes, &mut values);
        let found = photo(&Volume::new([3, 2, 2], values), &normalisation);
        assert_eq!(found.get_pixel(1, 1).0, [bytes[3], bytes[7], bytes[11]]);
    }

    #[test]
    fn sheets_have_room_for_all() {
        let sheet = sheet(&vec![RgbImage::new(32, 32); 5], 3);
        assert_eq!(sheet.dimensions(), (3 * 67 + 3, 2 * 67 + 3));
        let framed = outlined(&RgbImage::new(28, 28), Field { rows: [0, 28], columns: [3, 9] });
        assert_eq!((framed.get_pixel(15, 0).0, framed.get_pixel(60, 70).0), ([0, 200, 120], [0, 0, 0]));
    }
}
