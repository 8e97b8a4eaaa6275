//! From a picture to what a network takes: fitted, augmented, normalised.

use super::augment::picture::{Components, Image, part, place};
use super::augment::{Augment, Word};
use super::fit::{Fit, coloured, cropped, fitted, resized};
use super::{DataError, Dataset, Normalisation, Picture, Statistics};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// What is done to each picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// `[C, H, W]` of the network's input.
    pub shape: [usize; 3],
    /// How pictures of another size get that shape.
    pub fit: Fit,
    /// What is done to them at random, in order.
    pub augment: Vec<Augment>,
    /// What is done last.
    pub normalisation: Normalisation,
    /// The principal components of colour, where `pca` asks for them.
    pub components: Components,
}

impl Pipeline {
    /// Fits and normalises, and leaves nothing to chance.
    pub fn plain(shape: [usize; 3], fit: Fit, normalisation: Normalisation) -> Self {
        Pipeline { shape, fit, augment: Vec::new(), normalisation, components: Vec::new() }
    }

    /// For training on `data`: a `normalisation` by name or, as `auto`, by the pictures' own mean and deviation.
    ///
    /// # Errors
    /// When there is no such normalisation, or statistics are needed and pictures cannot be read (unless they are skipped).
    pub fn training(
        shape: [usize; 3],
        fit: Fit,
        augment: Vec<Augment>,
        normalisation: &str,
        data: &dyn Dataset,
        skip: bool,
    ) -> Result<Self, DataError> {
        let needs_components = augment.iter().any(|augment| augment.word == Word::Pca);
        let statistics = match needs_components || normalisation == "auto" {
            true => Some(Statistics::of(data, shape[0], skip)?),
            false => None,
        };
        let normalisation = match (&statistics, normalisation) {
            (Some(statistics), "auto") => statistics.normalisation(),
            (_, name) => Normalisation::named(name, shape[0])?,
        };
        let components =
            statistics.filter(|_| needs_components).map_or_else(Vec::new, |statistics| statistics.components());
        Ok(Pipeline { shape, fit, augment, normalisation, components })
    }

    /// The same without chance, for pictures to judge by.
    pub fn without_chance(&self) -> Self {
        Pipeline::plain(self.shape, self.fit, self.normalisation.clone())
    }

    /// Whether something is done to single pictures at random.
    fn draws(&self) -> bool {
        self.augment.iter().any(|augment| !augment.mixes())
    }

    /// Puts a picture behind `to`.
    ///
    /// # Errors
    /// When its channels cannot become the network's, or it has no pixels.
    pub fn extend(&self, picture: Picture<'_>, rng: &mut ChaCha8Rng, to: &mut Vec<f32>) -> Result<(), DataError> {
        if !self.draws() {
            let picture = fitted(picture, self.shape, self.fit)?;
            self.normalisation.extend(&picture.pixels, to);
            return Ok(());
        }
        let image = self.augmented(picture, rng)?;
        self.normalisation.extend_from(&image.values, to);
        Ok(())
    }

    /// A picture after all that is done to it at random.
    ///
    /// # Errors
    /// As [`Pipeline::extend`].
    pub fn augmented(&self, picture: Picture<'_>, rng: &mut ChaCha8Rng) -> Result<Image, DataError> {
        let picture = self.chosen_part(coloured(picture, self.shape[0])?, rng)?;
        let mut image = Image::new(picture.shape, &picture.pixels);
        self.augment.iter().for_each(|augment| image.apply(augment, &self.components, rng));
        Ok(image)
    }

    /// The part of the picture that is used: a random one, where an augmentation says so.
    fn chosen_part<'a>(&self, picture: Picture<'a>, rng: &mut ChaCha8Rng) -> Result<Picture<'a>, DataError> {
        let [_, height, width] = self.shape;
        let chooses = |augment: &&Augment| {
            augment.word == Word::ResizedCrop || augment.word == Word::Crop && augment.numbers[1] > 0.0
        };
        let [_, h, w] = picture.shape;
        match self.augment.iter().find(chooses) {
            Some(Augment { word: Word::ResizedCrop, numbers: [from, to, ..] }) if h * w > 0 => {
                let sides = part(rng, [h, w], [*from, *to], [0.75, 4.0 / 3.0]);
                let at = place(rng, [h, w], sides);
                Ok(resized(&cropped(&picture, at, sides), height, width))
            }
            Some(Augment { numbers: [_, from, ..], .. }) if h * w > 0 => {
                let least = (*from as usize).max(height).max(width);
                let scale = least as f64 / h.min(w) as f64;
                let side = |x: usize| ((x as f64 * scale).round() as usize).max(least);
                let large = resized(&picture, side(h), side(w));
                let at = [rng.gen_range(0..=large.shape[1] - height), rng.gen_range(0..=large.shape[2] - width)];
                Ok(cropped(&large, at, [height, width]))
            }
            _ => fitted(picture, self.shape, self.fit),
        }
    }
}
