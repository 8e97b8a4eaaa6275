//! What is done to images in training: the preparation that is done to all images, and in its middle what is left to chance.

use super::augment::draw::{Drawn, part, place};
use super::augment::float_image::{Components, FloatImage};
use super::augment::{Augment, Word};
use super::fit::{Fit, coloured, scaled};
use super::frame::{Frame, Part};
use super::survey::Survey;
use super::{DataError, Dataset, Image, Normalisation, NormalisationKind, Preparation, Statistics};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// What is done to each image.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// What is done to images in any case, in training and afterwards.
    pub preparation: Preparation,
    /// What is done to them at random, in order.
    pub augment: Vec<Augment>,
    /// The principal components of colour, where `pca` asks for them.
    pub components: Components,
}

impl From<Preparation> for Pipeline {
    /// The preparation alone, with nothing left to chance.
    fn from(preparation: Preparation) -> Self {
        Pipeline { preparation, augment: Vec::new(), components: Vec::new() }
    }
}

impl Pipeline {
    /// Fits and normalises, and leaves nothing to chance.
    pub fn plain(shape: [usize; 3], fit: Fit, normalisation: Normalisation) -> Self {
        Preparation::plain(shape, fit, normalisation).into()
    }

    /// For training on `data`: a `normalisation` by name or, as `Auto`, by the images' own mean and deviation. What the images have in
    /// common (all grey, a dark ground, a size) becomes part of the preparation.
    ///
    /// # Errors
    /// When the normalisation is for another number of channels, or statistics are needed and images cannot be read (unless they are skipped).
    pub fn training(
        shape: [usize; 3],
        fit: Fit,
        augment: Vec<Augment>,
        normalisation: NormalisationKind,
        data: &dyn Dataset,
        skip: bool,
    ) -> Result<Self, DataError> {
        let needs_components = augment.iter().any(|augment| augment.word == Word::Pca);
        let (statistics, survey) = match needs_components || normalisation == NormalisationKind::Auto {
            true => {
                Statistics::surveyed(data, shape[0], skip).map(|(statistics, survey)| (Some(statistics), survey))?
            }
            false => (None, Survey::of(data)),
        };
        let normalisation = match (&statistics, normalisation) {
            (Some(statistics), NormalisationKind::Auto) => statistics.normalisation(),
            (_, kind) => Normalisation::named(&kind.to_string(), shape[0])?,
        };
        let components =
            statistics.filter(|_| needs_components).map_or_else(Vec::new, |statistics| statistics.components());
        Ok(Pipeline { preparation: Preparation::like(&survey, shape, fit, normalisation), augment, components })
    }

    /// The same without chance, for images to evaluate on.
    pub fn without_chance(&self) -> Self {
        self.preparation.clone().into()
    }

    /// Whether something is done to single images at random.
    fn draws(&self) -> bool {
        self.augment.iter().any(|augment| !augment.mixes())
    }

    /// Puts an image behind `to`; says whether dark and bright have changed places in it.
    ///
    /// # Errors
    /// When its channels cannot become the network's, or it has no pixels.
    pub fn extend(&self, image: Image<'_>, rng: &mut ChaCha8Rng, to: &mut Vec<f32>) -> Result<bool, DataError> {
        self.extend_masked(image, None, rng, to).map(|(inverted, _)| inverted)
    }

    /// The same for an image that may have a mask of its own size; gives the mask as it lies over what the network sees.
    pub(super) fn extend_masked<'a>(
        &self,
        image: Image<'_>,
        mask: Option<Image<'a>>,
        rng: &mut ChaCha8Rng,
        to: &mut Vec<f32>,
    ) -> Result<(bool, Option<Image<'a>>), DataError> {
        if !self.draws() {
            let mask = mask.map(|mask| self.preparation.framed_mask(mask)).transpose()?;
            return Ok((self.preparation.extend(image, to)?, mask));
        }
        let (image, inverted) = self.preparation.likened(image)?;
        let (image, mask) = self.drawn(image, mask, rng)?;
        self.preparation.normalisation.extend_from(&image.values, to);
        Ok((inverted, mask))
    }

    /// An image after all that is done to it at random.
    ///
    /// # Errors
    /// As [`Pipeline::extend`].
    pub fn augmented(&self, image: Image<'_>, rng: &mut ChaCha8Rng) -> Result<FloatImage, DataError> {
        self.augmented_masked(image, None, rng).map(|(image, _)| image)
    }

    /// The same for an image that may have a mask, as [`Pipeline::extend_masked`].
    pub(super) fn augmented_masked<'a>(
        &self,
        image: Image<'_>,
        mask: Option<Image<'a>>,
        rng: &mut ChaCha8Rng,
    ) -> Result<(FloatImage, Option<Image<'a>>), DataError> {
        self.drawn(self.preparation.likened(image)?.0, mask, rng)
    }

    /// What chance makes of an image that has become like those of training, and of a mask that has not yet.
    fn drawn<'a>(
        &self,
        image: Image<'_>,
        mask: Option<Image<'a>>,
        rng: &mut ChaCha8Rng,
    ) -> Result<(FloatImage, Option<Image<'a>>), DataError> {
        let image = coloured(image, self.preparation.shape[0])?;
        let [_, height, width] = image.shape;
        let frame = self.chosen_frame([height, width], rng)?;
        let image = frame.image(image);
        let mut image = FloatImage::new(image.shape, &image.pixels);
        let mask = mask.map(|mask| self.preparation.sized_mask(mask)).transpose()?;
        let mut mask = mask.map(|mask| frame.mask(mask));
        for augment in &self.augment {
            let drawn = Drawn::of(augment, frame.to, &self.components, rng);
            drawn.apply(&mut image, &self.components);
            if let Some(mask) = &mut mask {
                drawn.apply_to_mask(mask);
            }
        }
        Ok((image, mask))
    }

    /// The way of an image into the network's input: of a random part of it, where an augmentation says so.
    fn chosen_frame(&self, from: [usize; 2], rng: &mut ChaCha8Rng) -> Result<Frame, DataError> {
        let [_, height, width] = self.preparation.shape;
        let (to, [h, w]) = ([height, width], from);
        let chooses = |augment: &&Augment| {
            augment.word == Word::ResizedCrop || augment.word == Word::Crop && augment.numbers[1] > 0.0
        };
        match self.augment.iter().find(chooses) {
            Some(Augment { word: Word::ResizedCrop, numbers: [least, most, ..] }) if h * w > 0 => {
                let sides = part(rng, from, [*least, *most], [0.75, 4.0 / 3.0]);
                let part = Part { at: place(rng, from, sides), sides };
                Ok(Frame { from, part, size: to, window: Part::whole(to), to })
            }
            Some(Augment { numbers: [_, shorter, ..], .. }) if h * w > 0 => {
                let least = (*shorter as usize).max(height).max(width);
                let scale = least as f64 / h.min(w) as f64;
                let size = scaled(from, scale, [least, least]);
                let at = [rng.gen_range(0..=size[0] - height), rng.gen_range(0..=size[1] - width)];
                Ok(Frame { from, part: Part::whole(from), size, window: Part { at, sides: to }, to })
            }
            _ => self.preparation.frame(from),
        }
    }
}
