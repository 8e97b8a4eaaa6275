//! The images that a network was most wrong about, as a part of a page that holds all of them.

use super::pictures::{Shown, data_uri, name};
use super::style::escape;
use crate::objective::{ClassDetails, Mistake};
use std::fmt::Write;

/// The worst mistakes of an evaluation.
pub(super) fn mistakes(found: &ClassDetails, Shown { test, classes, when, .. }: &Shown<'_>) -> String {
    let mut html =
        format!("<section><h2>Worst mistakes</h2><p class=\"quiet\">{when}, those with the largest loss first.</p>");
    if found.mistakes.is_empty() {
        return html + "<p>None: every test image was classified correctly.</p></section>";
    }
    html += "<ul class=\"images\">";
    for Mistake { index, label, prediction, probabilities: [right, wrong] } in &found.mistakes {
        let [label, prediction] = [label, prediction].map(|class| escape(&classes[*class]));
        let image = match test.image(*index).ok().and_then(|image| data_uri(&image)) {
            Some(uri) => format!("<img src=\"{uri}\" alt=\"test image {index}: {label}\">"),
            None => "<p class=\"quiet\">The image cannot be read.</p>".into(),
        };
        let path = test.file(*index).map(|path| escape(&path.display().to_string()));
        let title = path.map_or_else(String::new, |path| format!(" title=\"{path}\""));
        let _ = write!(
            html,
            "<li{title}>{image}is <b>{label}</b> ({:.2}\u{a0}%)<br>predicted <b>{prediction}</b> ({:.1}\u{a0}%)<br>\
             <span class=\"quiet\">{}</span></li>",
            right * 100.0,
            wrong * 100.0,
            name(*test, *index)
        );
    }
    html + "</ul></section>"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::fit::Fit;
    use crate::data::{Images, Normalisation, Preparation};

    #[test]
    fn names_of_classes_are_text_and_an_image_that_cannot_be_shown_is_said_to_be() {
        let classes = ["<i>", "b"].map(String::from).to_vec();
        let test = Images { shape: [1, 0, 0], pixels: Vec::new(), labels: vec![0], classes: classes.clone() };
        let mistake = Mistake { index: 0, label: 0, prediction: 1, probabilities: [0.25, 0.75] };
        let preparation = Preparation::plain([1, 1, 1], Fit::Auto, Normalisation { mean: vec![0.0], std: vec![1.0] });
        let shown = Shown { test: &test, classes: &classes, preparation: &preparation, when: "After epoch 1" };
        let found = |mistakes| ClassDetails { confusion: vec![vec![0; 2]; 2], among_five: 0, mistakes };
        let html = mistakes(&found(vec![mistake]), &shown);
        assert!(html.contains("is <b>&lt;i&gt;</b> (25.00\u{a0}%)") && html.contains("cannot be read"), "{html}");
        assert!(mistakes(&found(Vec::new()), &shown).contains("None: "));
    }
}
