//! Masks over their images: what is there, and what a network says.

use super::paint::{class_colour, of_image, tinted};
use super::pictures::{Shown, uri_of};
use super::style::{escape, percent, scrolled};
use crate::data::Target;
use crate::objective::{MaskDetails, MaskExample};
use std::fmt::Write;

/// The images on which the masks agree least: the true mask beside the network's.
pub(super) fn overlays(found: &MaskDetails, shown: &Shown<'_>) -> String {
    let item = |MaskExample { index, mean_iou, prediction }: &MaskExample| {
        let photo = shown.test.image(*index).ok().and_then(|image| shown.preparation.placed(image).ok());
        let photo = photo.as_ref().map(of_image);
        let truth = match shown.test.target(*index) {
            Ok(Target::Mask(mask)) => shown.preparation.mask(mask).ok(),
            _ => None,
        };
        let over = |labels: Option<&[u8]>| Some(tinted(photo.as_ref()?, labels?)).and_then(uri_of);
        let pictures = [over(truth.as_deref()), over(Some(prediction))];
        shown.pictures(*index, &pictures, &format!("IoU {}", percent(*mean_iou)))
    };
    let items: Vec<String> = found.worst.iter().map(item).collect();
    let sentence = ", those with the lowest mean IoU first: the mask of the dataset, and below it the network's.";
    shown.section("Worst masks", sentence, &items)
}

/// How each class did, with the colour that it has over images.
pub(super) fn table(found: &MaskDetails, classes: &[String]) -> String {
    let all = (0..classes.len()).map(|class| found.pixels(class)).sum::<u64>().max(1) as f64;
    let mut table = String::from(
        "<table><tr><th scope=\"col\">class</th><th scope=\"col\">IoU</th><th scope=\"col\">Dice</th>\
         <th scope=\"col\">share of the pixels</th></tr>",
    );
    for (class, name) in classes.iter().enumerate() {
        let [r, g, b] = class_colour(class);
        let value = |x: Option<f64>| x.map_or("–".into(), percent);
        let _ = write!(
            table,
            "<tr><th scope=\"row\"><i style=\"display:inline-block;width:.8em;height:.8em;margin-right:.4em;\
             background:rgb({r},{g},{b})\"></i>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(name),
            value(found.iou(class)),
            value(found.dice(class)),
            percent(found.pixels(class) as f64 / all)
        );
    }
    format!("<section><h2>Classes</h2>{}</section>", scrolled("Classes", &(table + "</table>")))
}
