//! What is done to training images so that no epoch sees the same ones again.
//!
//! An augmentation is a word with numbers, `crop(pad = 2)`; `WORDS` is the one list of them. Those that know one image draw
//! their random numbers in `draw`, which gives what is done to it in `float_image` and to its mask in `moves`; those that mix the
//! images of a batch are in `mix`.

pub(super) mod draw;
pub(crate) mod float_image;
pub(super) mod mix;
mod moves;

use super::{DataError, TargetKind};
use crate::wording::{did_you_mean, either};
use std::fmt;
use std::str::FromStr;

/// An augmentation, by its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Word {
    /// A random part: of the image with a margin of `pad` zeros, or of one whose shorter side is `from` (Krizhevsky et al.,
    /// 2012, section 4.1).
    Crop,
    /// Left for right, with probability `p`.
    Flip,
    /// A random part of `from` to `to` of the area, with sides of 3:4 to 4:3, stretched (Szegedy et al., 2014, section 6).
    ResizedCrop,
    /// By up to so many `degrees` either way.
    Rotate,
    /// Brightness, contrast and saturation by up to these shares, hue by up to this part of the circle (Howard, 2013).
    Color,
    /// Colour noise along the principal components, of standard deviation `sigma` (Krizhevsky et al., 2012, section 4.1).
    Pca,
    /// A random rectangle is emptied, with probability `p` (Zhong et al., 2017).
    Erase,
    /// A random square of this `size` is emptied (DeVries and Taylor, 2017).
    Cutout,
    /// Images and labels are blended in pairs, by a share drawn from Beta(`alpha`, `alpha`) (Zhang et al., 2017).
    MixUp,
    /// A rectangle comes from another image, and its share of the label (Yun et al., 2019).
    CutMix,
}

/// A number of an augmentation: its name, its value unless said otherwise, the least and the most.
type Number = (&'static str, f64, f64, f64);

/// Each word with its numbers.
pub(crate) const WORDS: [(&str, Word, &[Number]); 10] = [
    ("crop", Word::Crop, &[("pad", 0.0, 0.0, 4096.0), ("from", 0.0, 0.0, 8192.0)]),
    ("flip", Word::Flip, &[("p", 0.5, 0.0, 1.0)]),
    ("resized_crop", Word::ResizedCrop, &[("from", 0.08, 0.001, 1.0), ("to", 1.0, 0.001, 1.0)]),
    ("rotate", Word::Rotate, &[("degrees", 10.0, 0.0, 180.0)]),
    (
        "color",
        Word::Color,
        &[
            ("brightness", 0.4, 0.0, 1.0),
            ("contrast", 0.4, 0.0, 1.0),
            ("saturation", 0.4, 0.0, 1.0),
            ("hue", 0.1, 0.0, 0.5),
        ],
    ),
    ("pca", Word::Pca, &[("sigma", 0.1, 0.0, 10.0)]),
    ("erase", Word::Erase, &[("p", 0.25, 0.0, 1.0)]),
    ("cutout", Word::Cutout, &[("size", 8.0, 1.0, 4096.0)]),
    ("mixup", Word::MixUp, &[("alpha", 0.2, 0.001, 100.0)]),
    ("cutmix", Word::CutMix, &[("alpha", 1.0, 0.001, 100.0)]),
];

/// One augmentation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Augment {
    /// Which one.
    pub word: Word,
    /// Its numbers, in the order in which [`Word`] names them.
    pub numbers: [f64; 4],
}

impl Augment {
    /// Whether it mixes the images of a batch.
    pub fn mixes(&self) -> bool {
        matches!(self.word, Word::MixUp | Word::CutMix)
    }

    fn entry(&self) -> (&'static str, &'static [Number]) {
        let found = WORDS.iter().find(|(_, word, _)| *word == self.word);
        found.map_or(("", &[]), |(name, _, numbers)| (name, numbers))
    }
}

/// Why one of these augmentations cannot be used where images have targets of this kind, as a sentence; nothing, if all can.
pub(crate) fn refused(augment: &[Augment], kind: TargetKind) -> Option<String> {
    let has = |word: Word| augment.iter().find(|augment| augment.word == word);
    match kind {
        TargetKind::Mask => has(Word::MixUp).map(|augment| {
            format!(
                "{augment} blends two images, and a pixel of a mask cannot be of two classes; cutmix takes a rectangle of another image with its mask"
            )
        }),
        TargetKind::Numbers => has(Word::CutMix).map(|augment| {
            format!(
                "{augment} takes a rectangle of another image, and {kind} have no part that belongs to it; mixup blends images and numbers alike"
            )
        }),
        TargetKind::Class | TargetKind::Labels | TargetKind::Nothing => None,
    }
}

/// What has to be said of these augmentations where images have targets of this kind, as a sentence: numbers do not move with
/// their image.
pub(crate) fn unmoved(augment: &[Augment], kind: TargetKind) -> Option<String> {
    let moving =
        |augment: &&Augment| matches!(augment.word, Word::Crop | Word::Flip | Word::ResizedCrop | Word::Rotate);
    let words: Vec<String> = augment.iter().filter(moving).map(ToString::to_string).collect();
    (kind == TargetKind::Numbers && !words.is_empty()).then(|| {
        let words = words.join(", ");
        format!(
            "{words}: what is in an image moves, and its numbers do not; if they are coordinates, they will be wrong"
        )
    })
}

/// As it is read: the first number without its name, the others with it, and none that is as usual, unless all are.
impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, numbers) = self.entry();
        let unusual: Vec<String> = (numbers.iter().zip(self.numbers).enumerate())
            .filter(|(_, ((_, usual, ..), value))| value != usual)
            .map(|(i, ((key, ..), value))| if i == 0 { value.to_string() } else { format!("{key} = {value}") })
            .collect();
        match unusual.is_empty() {
            true => write!(f, "{name}({})", self.numbers[0]),
            false => write!(f, "{name}({})", unusual.join(", ")),
        }
    }
}

impl FromStr for Augment {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        let error = |found: String, expected: String| DataError::Option {
            what: format!("augmentation `{text}`"),
            found,
            expected,
        };
        let (name, rest) = text.split_once('(').unwrap_or((text, ")"));
        let name = name.trim();
        let Some((_, word, known)) = WORDS.iter().find(|(word, ..)| *word == name) else {
            let names = WORDS.map(|(name, ..)| name);
            let hint = did_you_mean(name, &names);
            return Err(error(format!("there is no `{name}`"), format!("it must be {}{hint}", either(&names))));
        };
        let keys: Vec<&str> = known.iter().map(|(key, ..)| *key).collect();
        let takes = || format!("{name} takes {}", keys.join(", "));
        let Some(rest) = rest.trim_end().strip_suffix(')') else {
            return Err(error("a bracket is not closed".into(), takes()));
        };
        let mut numbers = [0.0; 4];
        numbers.iter_mut().zip(*known).for_each(|(number, (_, usual, ..))| *number = *usual);
        for (i, argument) in rest.split(',').map(str::trim).filter(|argument| !argument.is_empty()).enumerate() {
            let (at, value) = match argument.split_once('=') {
                Some((key, value)) => (keys.iter().position(|known| *known == key.trim()), value.trim()),
                None => (Some(i).filter(|i| *i < keys.len()), argument),
            };
            let at = at.ok_or_else(|| error(format!("`{argument}` means nothing here"), takes()))?;
            let (key, _, least, most) = known[at];
            let value: f64 = value.parse().map_err(|_| error(format!("`{value}` is no number"), takes()))?;
            if !(least..=most).contains(&value) {
                return Err(error(format!("{key} is {value}"), format!("it must be from {least} to {most}")));
            }
            numbers[at] = value;
        }
        let augment = Augment { word: *word, numbers };
        match (augment.word, numbers) {
            (Word::Crop, [0.0, 0.0, ..]) => {
                Err(error("nothing is cropped".into(), "say crop(pad = 2), or crop(from = 256)".into()))
            }
            (Word::Crop, [pad, from, ..]) if pad > 0.0 && from > 0.0 => {
                Err(error("both pad and from".into(), "one of them is enough".into()))
            }
            (Word::ResizedCrop, [from, to, ..]) if from > to => {
                Err(error(format!("from {from} to {to}"), "from must be less".into()))
            }
            _ => Ok(augment),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_back() {
        for (name, word, numbers) in WORDS {
            let text = if word == Word::Crop { "crop(2)".to_string() } else { name.to_string() };
            let augment: Augment = text.parse().unwrap();
            assert_eq!(augment.word, word);
            assert_eq!(augment.to_string().parse::<Augment>().unwrap(), augment, "{augment} with {numbers:?}");
        }
        assert_eq!("color(0.1, hue = 0.2)".parse::<Augment>().unwrap().numbers, [0.1, 0.4, 0.4, 0.2]);
        for (text, short) in [
            ("crop(pad = 2)", "crop(2)"),
            ("crop(from = 256)", "crop(from = 256)"),
            ("rotate", "rotate(10)"),
            ("color(0.1, 0.4, 0.4, 0.2)", "color(0.1, hue = 0.2)"),
        ] {
            assert_eq!(text.parse::<Augment>().unwrap().to_string(), short);
        }
    }

    #[test]
    fn what_a_kind_of_target_cannot_have_is_said() {
        let augment: Vec<Augment> = WORDS
            .map(|(name, ..)| name.replace("crop", "crop(2)").replace("_crop(2)", "_crop"))
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        for kind in [TargetKind::Class, TargetKind::Labels, TargetKind::Nothing] {
            assert_eq!((refused(&augment, kind), unmoved(&augment, kind)), (None, None));
        }
        let found = refused(&augment, TargetKind::Mask).unwrap();
        assert!(found.starts_with("mixup(0.2) blends two images"), "{found}");
        assert_eq!(unmoved(&augment, TargetKind::Mask), None);
        let found = refused(&augment, TargetKind::Numbers).unwrap();
        assert!(found.starts_with("cutmix(1) takes a rectangle"), "{found}");
        let found = unmoved(&augment, TargetKind::Numbers).unwrap();
        assert!(found.starts_with("crop(2), flip(0.5), resized_crop(0.08), rotate(10): what is in"), "{found}");
        let others: Vec<Augment> = augment[4..9].to_vec();
        assert_eq!((refused(&others, TargetKind::Numbers), unmoved(&others, TargetKind::Numbers)), (None, None));
    }

    #[test]
    fn what_means_nothing_is_explained() {
        for (text, hint) in [
            ("flop", "did you mean `flip`"),
            ("rotate(x)", "`x` is no number"),
            ("rotate(200)", "from 0 to 180"),
            ("rotate(1, 2)", "rotate takes degrees"),
            ("rotate(angle = 2)", "rotate takes degrees"),
            ("rotate(1", "not closed"),
            ("crop", "crop(pad = 2)"),
            ("crop(1, 2)", "one of them"),
            ("resized_crop(0.9, 0.1)", "must be less"),
            ("cutout(NaN)", "from 1"),
            ("", "it must be crop, flip"),
        ] {
            let error = text.parse::<Augment>().unwrap_err().to_string();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }
}
