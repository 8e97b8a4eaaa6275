//! Masks on the way of their images: a class for each pixel, which is moved and never mixed.

use super::{DataError, IGNORED, Image, Preparation, target};

impl Preparation {
    /// The mask `[1, H, W]` of an image as `[H, W]` of the network's input: the class of each pixel that the network sees, and
    /// [`IGNORED`] where the image does not reach. It goes the way of its image, but no class is mixed with another: a pixel's class is
    /// that of one pixel of the mask, chosen as Pillow's `Image.resize(NEAREST)` does.
    ///
    /// ```
    /// use convnet::data::fit::Fit;
    /// use convnet::data::{IGNORED, Image, Normalisation, Preparation};
    ///
    /// let plain = Normalisation { mean: vec![0.0], std: vec![1.0] };
    /// let preparation = Preparation::plain([1, 4, 4], Fit::Pad, plain);
    /// let mask = preparation.mask(Image { shape: [1, 2, 2], pixels: vec![0, 1, 2, 3].into() })?;
    /// assert_eq!(mask[..8], [IGNORED, IGNORED, IGNORED, IGNORED, IGNORED, 0, 1, IGNORED]);
    /// // And back, to the image's own size.
    /// assert_eq!(preparation.unplaced(&mask, [2, 2]), [0, 1, 2, 3]);
    /// # Ok::<(), convnet::data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// When it has no pixels, or is no mask.
    pub fn mask(&self, mask: Image<'_>) -> Result<Vec<u8>, DataError> {
        Ok(self.framed_mask(mask)?.pixels.into_owned())
    }

    /// What a network says of each pixel of its input, `[H, W]`, brought back to the image of size `[H, W]` that the input was made of:
    /// each pixel of the image has the class of the input's pixel in which its middle lies, and [`IGNORED`] where the network has
    /// not seen it, because it was cut away.
    pub fn unplaced(&self, labels: &[u8], size: [usize; 2]) -> Vec<u8> {
        let way = || {
            let sizing = self.sizing(size)?;
            Ok::<_, DataError>((sizing, self.frame(sizing.map_or(size, |sizing| sizing.to))?))
        };
        match way() {
            Ok((Some(sizing), frame)) => sizing.back(&frame.back(labels)),
            Ok((None, frame)) => frame.back(labels),
            // An image without pixels has no way to the network's input, and none back.
            Err(_) => vec![IGNORED; size[0].saturating_mul(size[1])],
        }
    }

    /// As [`Preparation::mask`], `[1, H, W]`.
    pub(super) fn framed_mask<'a>(&self, mask: Image<'a>) -> Result<Image<'a>, DataError> {
        let mask = self.sized_mask(mask)?;
        Ok(self.frame(size(&mask))?.mask(mask))
    }

    /// The mask of an image as far as the image has to become like those of training.
    pub(super) fn sized_mask<'a>(&self, mask: Image<'a>) -> Result<Image<'a>, DataError> {
        target::well_formed(&mask)?;
        Ok(match self.sizing(size(&mask))? {
            Some(sizing) => sizing.mask(mask),
            None => mask,
        })
    }
}

fn size(mask: &Image<'_>) -> [usize; 2] {
    [mask.shape[1], mask.shape[2]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Normalisation;
    use crate::data::fit::Fit;

    /// Each pixel's row, or column, as its class.
    fn lines([h, w]: [usize; 2], axis: usize) -> Image<'static> {
        let pixels = (0..h * w).map(|i| [i / w, i % w][axis] as u8).collect();
        Image { shape: [1, h, w], pixels }
    }

    #[test]
    fn what_was_seen_comes_back_to_its_place() {
        let plain = Normalisation { mean: vec![0.0], std: vec![1.0] };
        let mut cut = 0;
        for fit in [Fit::Auto, Fit::Pad, Fit::Resize, Fit::Crop] {
            for (inner, resize) in [(None, None), (Some([14, 12]), None), (None, Some(20)), (None, Some(33))] {
                let preparation =
                    Preparation { size: inner, resize, ..Preparation::plain([1, 16, 20], fit, plain.clone()) };
                for size in [[16, 20], [9, 13], [40, 30], [31, 90], [14, 12], [200, 17], [1, 1]] {
                    for axis in [0, 1] {
                        let seen = preparation.mask(lines(size, axis)).unwrap();
                        let back = preparation.unplaced(&seen, size);
                        assert_eq!(back.len(), size[0] * size[1]);
                        // Two pixels of the image that share one of the network's, in whichever step, are as far apart as that is large.
                        let largest = |steps: &[usize]| steps.iter().map(|step| size[axis].div_ceil(*step)).max();
                        let most = largest(&[[16, 20][axis], [14, 12][axis]]).unwrap();
                        for (i, found) in back.iter().enumerate() {
                            let own = [i / size[1], i % size[1]][axis];
                            let distance = usize::from(*found).abs_diff(own);
                            assert!(
                                *found == IGNORED || distance <= most,
                                "{fit} {inner:?} {resize:?} {size:?}: {found} for {own}"
                            );
                        }
                        cut += back.iter().filter(|class| **class == IGNORED).count();
                        // What the network sees of the image is not lost on the way back.
                        let [mut there, mut again] = [seen.clone(), back.clone()];
                        [&mut there, &mut again].into_iter().for_each(|list| {
                            list.sort_unstable();
                            list.dedup();
                        });
                        let all = fit == Fit::Resize
                            || size[0] <= 14 && size[1] <= 12 && resize.is_none() && fit != Fit::Crop;
                        assert!(!all || !again.contains(&IGNORED), "{fit} {inner:?} {resize:?} {size:?}");
                        assert!(again.iter().all(|class| *class == IGNORED || there.contains(class)));
                    }
                }
            }
        }
        assert!(cut > 1000);
    }

    #[test]
    fn an_image_as_large_as_the_input_comes_back_as_it_was() {
        let plain = Normalisation { mean: vec![0.0], std: vec![1.0] };
        for fit in [Fit::Auto, Fit::Pad, Fit::Resize, Fit::Crop] {
            let preparation = Preparation::plain([1, 16, 20], fit, plain.clone());
            let mask = lines([16, 20], 1);
            assert_eq!(preparation.mask(mask.clone()).unwrap(), mask.pixels[..]);
            assert_eq!(preparation.unplaced(&mask.pixels, [16, 20]), mask.pixels[..]);
            // Half as large, it is seen whole, in its place.
            let small = lines([8, 10], 0);
            assert_eq!(preparation.unplaced(&preparation.mask(small.clone()).unwrap(), [8, 10]), small.pixels[..]);
        }
        let crop = Preparation { resize: Some(16), ..Preparation::plain([1, 16, 16], Fit::Crop, plain) };
        let back = crop.unplaced(&crop.mask(lines([32, 64], 1)).unwrap(), [32, 64]);
        // The middle half is seen, at half its size.
        assert!(back[..16].iter().chain(&back[48..64]).all(|class| *class == IGNORED), "{back:?}");
        assert!((16..48).all(|x| usize::from(back[x]).abs_diff(x) <= 1));
    }

    #[test]
    fn what_is_no_mask_is_an_error() {
        let plain = Normalisation { mean: vec![0.0], std: vec![1.0] };
        let preparation = Preparation::plain([1, 4, 4], Fit::Auto, plain);
        for shape in [[3, 2, 2], [1, 2, 3], [1, 0, 4], [1, usize::MAX, 2]] {
            let mask = Image { shape, pixels: vec![0; 4].into() };
            assert!(preparation.mask(mask).is_err(), "{shape:?}");
        }
        assert!(preparation.mask(Image { shape: [1, 0, 4], pixels: vec![].into() }).is_err());
        assert!(preparation.unplaced(&[0; 16], [0, 4]).is_empty());
        let odd = Preparation { size: Some([0, 0]), ..preparation };
        assert_eq!(odd.unplaced(&[0; 16], [2, 1]), [IGNORED; 2]);
    }
}
