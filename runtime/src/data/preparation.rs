//! The one way from an image to what a network takes.
//!
//! It is decided in training, from the training images; it is kept in the metadata of weights files; and training, evaluation, prediction and
//! explanations all go this way, so that they see the same numbers for the same file. What it does to images unlike those of training
//! (grey instead of colour, inverted, brought to their size first) does nothing to images like those.

use super::fit::{Fit, coloured};
use super::frame::Frame;
use super::survey::{Survey, border};
use super::{DataError, Image, Normalisation, decode};
use crate::format_version;
use crate::graph::Graph;
use crate::weights::Metadata;
use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::path::Path;

/// When dark and bright change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Invert {
    /// Never.
    #[default]
    Never,
    /// In an image with a bright border. This is decided only where all training images were grey with a dark border, as MNIST's digits.
    Bright,
    /// Always.
    Always,
}

/// How an image becomes what a network takes.
///
/// ```
/// use convnet::weights::Metadata;
/// use convnet::data::{Image, Preparation};
/// use convnet::prelude::*;
///
/// cnn! { struct Net: [1, 28, 28] -> [10] { flatten; linear(10); } }
///
/// // As `weights::load` gives it; `Preparation::read(path)` is the same for a file.
/// let about: Metadata = [("mean", "0.1307"), ("std", "0.3081")].map(|(k, v)| (k.to_string(), v.to_string())).into();
/// let preparation = Preparation::of(&about, Net::graph())?.unwrap_or_else(|| Preparation::assumed(Net::graph()));
/// let pixels = preparation.pixels(&Image { shape: [3, 60, 40], pixels: vec![0; 7200].into() })?;
/// assert_eq!(pixels.len(), 28 * 28);
/// # Ok::<(), convnet::data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Preparation {
    /// `[C, H, W]` of the network's input.
    pub shape: [usize; 3],
    /// Whether images in colour become grey first, because all training images were grey.
    pub grey: bool,
    /// When dark and bright change places.
    pub invert: Invert,
    /// `[H, W]` of all training images, where they are smaller than the network's input and padded: others are brought to it first, lest
    /// they fill a frame that the network has only seen empty.
    pub size: Option<[usize; 2]>,
    /// How images of another size get that size, and then the network's.
    pub fit: Fit,
    /// With [`Fit::Crop`], to how many pixels the shorter side is resized before the middle is cut out, as torchvision does for ImageNet's
    /// networks (256 for 224x224). Nothing: so that the middle reaches from edge to edge.
    pub resize: Option<usize>,
    /// What is done last.
    pub normalisation: Normalisation,
}

/// Keys of a weights file's metadata.
const INPUT: &str = "input";
const MEAN: &str = "mean";
const STD: &str = "std";
const FIT: &str = "fit";
const COLOURS: &str = "colours";
const GROUND: &str = "ground";
const SIZE: &str = "size";
const RESIZE: &str = "resize";

/// How many times the input's shorter side the shorter side of an image may be resized to.
const MOST_RESIZED: usize = 8;

impl Preparation {
    /// Fits and normalises.
    pub fn plain(shape: [usize; 3], fit: Fit, normalisation: Normalisation) -> Self {
        Preparation { shape, grey: false, invert: Invert::Never, size: None, fit, resize: None, normalisation }
    }

    /// For images like those of a training set.
    pub(super) fn like(survey: &Survey, shape: [usize; 3], fit: Fit, normalisation: Normalisation) -> Self {
        let [_, height, width] = shape;
        let padded = |[h, w]: &[usize; 2]| {
            matches!(fit, Fit::Auto | Fit::Pad) && *h <= height && *w <= width && [*h, *w] != [height, width]
        };
        Preparation {
            grey: survey.grey(),
            invert: if survey.dark() { Invert::Bright } else { Invert::Never },
            size: survey.size().filter(padded),
            ..Preparation::plain(shape, fit, normalisation)
        }
    }

    /// What a weights file says in its metadata about the images of `graph`'s network; nothing, if it says nothing, as files of PyTorch.
    ///
    /// # Errors
    /// When what it says has no meaning, or is about another input than the network's; the error names the key.
    pub fn of(about: &Metadata, graph: &Graph) -> Result<Option<Self>, DataError> {
        let shape = graph.input().chw();
        let says = |keys: &[&str]| keys.iter().any(|key| about.contains_key(*key));
        // What others call `size` or `input` is about something else.
        let ours = format_version::is_ours(about);
        let described = says(&[MEAN, STD]) || ours && says(&[INPUT, FIT, COLOURS, GROUND, SIZE, RESIZE]);
        if !described {
            return Ok(None);
        }
        let said = Said { about, shape };
        if said.text(INPUT).is_some_and(|input| serde_json::from_str(input).ok() != Some(shape)) {
            return Err(said.wrong(INPUT, format!("the input of {}, {shape:?}", graph.name)));
        }
        let normalisation =
            Normalisation { mean: said.numbers(MEAN, f32::NEG_INFINITY)?, std: said.numbers(STD, 0.0)? };
        let unsaid = if about.contains_key(RESIZE) { Fit::Crop } else { Fit::Auto };
        let fit = said.text(FIT).map_or(Ok(unsaid), str::parse);
        let fit = fit.map_err(|_| said.wrong(FIT, "auto, pad, resize or crop".into()))?;
        let (grey, dark) = (said.is(COLOURS, "grey")?, said.is(GROUND, "dark")?);
        let invert = if dark { Invert::Bright } else { Invert::Never };
        Ok(Some(Preparation { shape, grey, invert, size: said.size()?, fit, resize: said.resize(fit)?, normalisation }))
    }

    /// Whether a weights file says on what ground training images were; those of version 0.1 do not.
    pub fn says_ground(about: &Metadata) -> bool {
        about.contains_key(GROUND)
    }

    /// What most likely holds for a network whose weights file says nothing: in colour ImageNet's mean and deviation, which torchvision's
    /// files were trained with; else MNIST's, and in grey its dark ground and, for inputs of up to 32x32, its size too.
    pub fn assumed(graph: &Graph) -> Self {
        let shape = graph.input().chw();
        let named = |name| Normalisation::named(name, shape[0]);
        let (mnist, grey) = (named("mnist"), shape[0] == 1);
        let normalisation = if shape[0] == 3 { named("imagenet") } else { mnist };
        // Both are there: one for three channels, the other for any number.
        let normalisation = normalisation.unwrap_or_else(|_| Normalisation { mean: vec![], std: vec![] });
        let padded = grey && shape[1..].iter().all(|side| (28..=32).contains(side)) && shape != [1, 28, 28];
        Preparation {
            grey,
            invert: if grey { Invert::Bright } else { Invert::Never },
            size: padded.then_some([28, 28]),
            ..Preparation::plain(shape, Fit::Auto, normalisation)
        }
    }

    /// What [`Preparation::assumed`] takes for granted, as the end of a sentence.
    pub fn assumption(graph: &Graph) -> &'static str {
        match graph.input().chw()[0] {
            1 => "MNIST's mean, deviation and dark ground are used",
            3 => "ImageNet's mean and deviation are used",
            _ => "MNIST's mean and deviation are used",
        }
    }

    /// Puts it into the metadata of a weights file, for [`Preparation::of`] to read.
    pub fn to_metadata(&self, about: &mut Metadata) {
        let numbers = |list: &[f32]| list.iter().map(f32::to_string).collect::<Vec<_>>().join(",");
        let mut put = |key: &str, value: String| about.insert(key.into(), value);
        put(INPUT, format!("{:?}", self.shape));
        put(MEAN, numbers(&self.normalisation.mean));
        put(STD, numbers(&self.normalisation.std));
        put(FIT, self.fit.to_string());
        put(COLOURS, if self.grey { "grey" } else { "any" }.into());
        put(GROUND, if self.invert == Invert::Bright { "dark" } else { "any" }.into());
        if let Some(size) = self.size {
            put(SIZE, format!("{size:?}"));
        }
        if let (Fit::Crop, Some(resize)) = (self.fit, self.resize) {
            put(RESIZE, resize.to_string());
        }
    }

    /// The same, with the shorter side of an image resized to so many pixels before the middle is cut out.
    ///
    /// # Errors
    /// When the middle would not fill the network's input, or would be a small part of the image.
    #[doc(hidden)]
    pub fn resized_to(self, resize: usize) -> Result<Self, DataError> {
        let sides = resizes(self.shape);
        if sides.contains(&resize) {
            return Ok(Preparation { fit: Fit::Crop, resize: Some(resize), ..self });
        }
        Err(DataError::Option {
            what: "resize".into(),
            found: resize.to_string(),
            expected: format!("it must be {}", within(&sides)),
        })
    }

    /// The image as the network takes it: `[C, H, W]`, normalised.
    ///
    /// # Errors
    /// When its channels cannot become the network's, or it has no pixels.
    pub fn pixels(&self, image: &Image<'_>) -> Result<Vec<f32>, DataError> {
        let mut pixels = Vec::with_capacity(self.shape.iter().product());
        let lent = Image { shape: image.shape, pixels: Cow::Borrowed(&image.pixels) };
        self.extend(lent, &mut pixels)?;
        Ok(pixels)
    }

    /// The image in a PNG or JPEG file as the network takes it: `[C, H, W]`, normalised.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or as for [`Preparation::pixels`]; the error names the file.
    pub fn read(&self, path: &Path) -> Result<Vec<f32>, DataError> {
        self.pixels(&decode::read(path)?).map_err(|error| error.of(path))
    }

    /// Whether dark and bright change places in this image.
    pub fn inverts(&self, image: &Image<'_>) -> bool {
        match self.invert {
            Invert::Never => false,
            Invert::Always => true,
            Invert::Bright => {
                let lent = Image { shape: image.shape, pixels: Cow::Borrowed(&image.pixels) };
                coloured(lent, 1).is_ok_and(|grey| has_bright_ground(&grey))
            }
        }
    }

    /// Puts the image behind `to`; says whether it was inverted.
    pub(super) fn extend(&self, image: Image<'_>, to: &mut Vec<f32>) -> Result<bool, DataError> {
        let (image, inverted) = self.likened(image)?;
        let image = self.framed(image)?;
        self.normalisation.extend(&image.pixels, to);
        Ok(inverted)
    }

    /// The image as far as it has to become like those of training; says whether it was inverted.
    pub(super) fn likened<'a>(&self, image: Image<'a>) -> Result<(Image<'a>, bool), DataError> {
        let mut image = if self.grey { coloured(image, 1)? } else { image };
        let inverted = self.inverts(&image);
        if inverted {
            image.pixels.to_mut().iter_mut().for_each(|x| *x = 255 - *x);
        }
        Ok((self.sized(image)?, inverted))
    }

    /// The image, or a mask of it, in the place that it takes in the network's input: in its own channels, with its own values.
    ///
    /// # Errors
    /// When it has no pixels.
    pub fn placed<'a>(&self, image: Image<'a>) -> Result<Image<'a>, DataError> {
        let [_, height, width] = self.shape;
        let shape = [image.shape[0], height, width];
        Preparation { shape, ..self.clone() }.framed(self.sized(image)?)
    }

    /// The image in the network's channels, height and width.
    fn framed<'a>(&self, image: Image<'a>) -> Result<Image<'a>, DataError> {
        let image = coloured(image, self.shape[0])?;
        let [_, height, width] = image.shape;
        Ok(self.frame([height, width])?.image(image))
    }

    fn sized<'a>(&self, image: Image<'a>) -> Result<Image<'a>, DataError> {
        let [_, height, width] = image.shape;
        Ok(match self.sizing([height, width])? {
            Some(sizing) => sizing.image(image),
            None => image,
        })
    }

    /// The way of an image to the size of training's, where these had one.
    pub(super) fn sizing(&self, from: [usize; 2]) -> Result<Option<Frame>, DataError> {
        self.size.map(|to| Frame::fitted(from, to, self.fit)).transpose()
    }

    /// The way of an image, or of what [`Preparation::sizing`] has made of it, into the network's input.
    pub(super) fn frame(&self, from: [usize; 2]) -> Result<Frame, DataError> {
        let [_, height, width] = self.shape;
        match (self.fit, self.resize) {
            (Fit::Crop, Some(short)) => Frame::centred(from, short, [height, width]),
            (fit, _) => Frame::fitted(from, [height, width], fit),
        }
    }
}

/// What a weights file says about images, key by key.
struct Said<'a> {
    about: &'a Metadata,
    /// `[C, H, W]` of the network's input.
    shape: [usize; 3],
}

impl Said<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.about.get(key).map(String::as_str)
    }

    fn wrong(&self, key: &'static str, expected: String) -> DataError {
        DataError::Metadata { key, found: self.text(key).unwrap_or_default().into(), expected }
    }

    /// A finite number above `least` for each channel; one alone serves all.
    fn numbers(&self, key: &'static str, least: f32) -> Result<Vec<f32>, DataError> {
        let channels = self.shape[0];
        let list = self.text(key).unwrap_or_default().split(',').map(|x| x.trim().parse().ok());
        let list: Option<Vec<f32>> = list.collect::<Option<_>>();
        match list.filter(|list| list.iter().all(|x| x.is_finite() && *x > least)) {
            Some(list) if list.len() == 1 => Ok(vec![list[0]; channels]),
            Some(list) if list.len() == channels => Ok(list),
            _ => {
                let above = if least == 0.0 { " above 0" } else { "" };
                Err(self.wrong(
                    key,
                    match channels {
                        1 => format!("a number{above}"),
                        _ => format!("one or {channels} numbers{above} between commas"),
                    },
                ))
            }
        }
    }

    /// Whether it says `this`, and not `any` or nothing.
    fn is(&self, key: &'static str, this: &str) -> Result<bool, DataError> {
        match self.text(key) {
            Some(word) if word == this => Ok(true),
            None | Some("any") => Ok(false),
            Some(_) => Err(self.wrong(key, format!("{this} or any"))),
        }
    }

    fn resize(&self, fit: Fit) -> Result<Option<usize>, DataError> {
        let Some(text) = self.text(RESIZE) else { return Ok(None) };
        if fit != Fit::Crop {
            return Err(self.wrong(RESIZE, format!("nothing, as {FIT} is `{fit}` and not `{}`", Fit::Crop)));
        }
        let sides = resizes(self.shape);
        let found = text.parse().ok().filter(|side| sides.contains(side));
        found.map(Some).ok_or_else(|| self.wrong(RESIZE, within(&sides)))
    }

    fn size(&self) -> Result<Option<[usize; 2]>, DataError> {
        let Some(text) = self.text(SIZE) else { return Ok(None) };
        let [_, height, width] = self.shape;
        let size: Option<[usize; 2]> = serde_json::from_str(text).ok();
        let fits = |[h, w]: &[usize; 2]| (1..=height).contains(h) && (1..=width).contains(w);
        let wrong = || self.wrong(SIZE, format!("a height and a width within {height}x{width}"));
        size.filter(fits).map(Some).ok_or_else(wrong)
    }
}

/// What the shorter side of an image may be resized to: what fills the input `[C, H, W]`, up to a multiple of it.
fn resizes([_, height, width]: [usize; 3]) -> RangeInclusive<usize> {
    let shorter = height.min(width);
    shorter..=shorter.saturating_mul(MOST_RESIZED)
}

fn within(sides: &RangeInclusive<usize>) -> String {
    format!("a whole number of pixels from {} to {}", sides.start(), sides.end())
}

/// Whether the border of an image is bright.
pub(super) fn has_bright_ground(image: &Image<'_>) -> bool {
    border(image) > 127
}
