//! Images and what a network that learns its own input gives for them.

use super::paint::photo;
use super::pictures::{Shown, uri_of};
use crate::explain::Volume;

/// The images as the network takes them, each beside what it gives.
pub(super) fn pairs(found: &[(usize, Vec<f32>)], shown: &Shown<'_>) -> String {
    let painted = |values: Vec<f32>| {
        let normalisation = &shown.preparation.normalisation;
        uri_of(photo(&Volume::new(shown.preparation.shape, values), normalisation))
    };
    let item = |(index, output): &(usize, Vec<f32>)| {
        let given = shown.test.image(*index).ok().and_then(|image| shown.preparation.pixels(&image).ok());
        shown.pictures(*index, &[given.and_then(painted), painted(output.clone())], "")
    };
    let items: Vec<String> = found.iter().map(item).collect();
    shown.section("Images", ": what the network is given, and below it what it gives back.", &items)
}
