//! Curves as SVG with their text in HTML, so that the text keeps its size however narrow the page is.

use super::style::escape;
use super::ticks::{Unit, label, labels, ticks};
use std::fmt::Write;

/// A curve.
pub(super) struct Curve<'a> {
    pub name: &'a str,
    /// Its colour, one of the page's classes.
    pub class: &'a str,
    pub points: Vec<[f64; 2]>,
}

/// Points of a curve, at most.
const MOST: usize = 600;
/// Curves of more points than these have no dots.
const DOTS: usize = 60;

/// A chart of some curves over `x_name`, values of `y` in `unit`.
pub(super) fn chart(name: &str, x_name: &str, curves: &[Curve<'_>], unit: Unit) -> String {
    let curves: Vec<Curve<'_>> = curves.iter().map(thinned).filter(|curve| !curve.points.is_empty()).collect();
    let all = || curves.iter().flat_map(|curve| curve.points.iter());
    if curves.is_empty() {
        return "<p class=\"quiet\">Nothing to draw yet.</p>".into();
    }
    let range = |axis: usize| {
        let (low, high) =
            all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| (low.min(p[axis]), high.max(p[axis])));
        let half = if low == 0.0 { 0.5 } else { low.abs() / 2.0 };
        if high > low { (low, high) } else { (low - half, high + half) }
    };
    let ((x0, x1), y_ticks) = (range(0), ticks(range(1), 5));
    let (y0, y1) = (y_ticks[0], y_ticks[y_ticks.len() - 1]);
    // Both in percent of the drawing.
    let x_at = |x: f64| (x - x0) / (x1 - x0) * 100.0;
    let y_at = |y: f64| (y1 - y) / (y1 - y0) * 100.0;
    let mut html = format!("<div class=\"chart\" role=\"img\" aria-label=\"{}\"><div class=\"y\">", escape(name));
    labels(&y_ticks, unit).iter().for_each(|text| html += &format!("<span>{text}</span>"));
    html += "</div><div class=\"plot\"><svg>";
    for at in y_ticks.iter().map(|y| y_at(*y)) {
        let _ = write!(html, "<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{at:.2}%\" y2=\"{at:.2}%\"/>");
    }
    html += "<svg viewBox=\"0 0 100 100\" preserveAspectRatio=\"none\">";
    for curve in &curves {
        let place = |p: &[f64; 2]| format!("{:.2},{:.2}", x_at(p[0]), y_at(p[1]));
        let points: Vec<String> = curve.points.iter().map(place).collect();
        let _ = write!(html, "<polyline class=\"{}\" points=\"{}\"/>", curve.class, points.join(" "));
    }
    html += "</svg>";
    for curve in curves.iter().filter(|curve| curve.points.len() <= DOTS) {
        for [x, y] in &curve.points {
            let _ = write!(
                html,
                "<circle class=\"{}\" cx=\"{:.2}%\" cy=\"{:.2}%\" r=\"3\"><title>{} {x}: {} {}</title></circle>",
                curve.class,
                x_at(*x),
                y_at(*y),
                escape(x_name),
                escape(curve.name),
                label(*y, unit)
            );
        }
    }
    html += "</svg><div class=\"x\">";
    for x in ticks((x0, x1), 5).into_iter().filter(|x| (x0..=x1).contains(x) && x.fract() == 0.0) {
        let _ = write!(html, "<span style=\"left:{:.2}%\">{x}</span>", x_at(x));
    }
    let _ = write!(html, "</div><div class=\"name\">{}</div></div></div><p class=\"legend\">", escape(x_name));
    for curve in &curves {
        let _ = write!(html, "<span><i class=\"{}\"></i>{}</span>", curve.class, escape(curve.name));
    }
    html + "</p>"
}

/// Means of neighbouring points where there are too many to draw.
fn thinned<'a>(curve: &Curve<'a>) -> Curve<'a> {
    let finite: Vec<[f64; 2]> = curve.points.iter().copied().filter(|p| p[0].is_finite() && p[1].is_finite()).collect();
    let mean = |part: &[[f64; 2]]| [0, 1].map(|axis| part.iter().map(|p| p[axis]).sum::<f64>() / part.len() as f64);
    let points = match finite.len().div_ceil(MOST) {
        0 | 1 => finite,
        size => finite.chunks(size).map(mean).collect(),
    };
    Curve { name: curve.name, class: curve.class, points }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_curves_are_thinned_and_what_is_not_finite_left_out() {
        let points = (0..100_000).map(|i| [f64::from(i), if i == 7 { f64::NAN } else { 1.0 }]).collect();
        let curve = thinned(&Curve { name: "", class: "", points });
        assert!(curve.points.len() <= MOST && curve.points.iter().all(|p| p[1] == 1.0));
    }

    #[test]
    fn charts_of_one_point_or_one_value_have_ticks_that_differ() {
        for points in [vec![[1.0, 0.03]], vec![[1.0, 0.03], [2.0, 0.03]], vec![[1.0, 0.0]], vec![[1.0, -2.0]]] {
            let html = chart("", "step", &[Curve { name: "", class: "a", points }], Unit::Plain);
            let (_, axis) = html.split_once("<div class=\"y\">").unwrap();
            let mut texts: Vec<&str> = axis.split_once("</div>").unwrap().0.split("<span>").skip(1).collect();
            let found = texts.len();
            texts.dedup();
            assert!(found >= 2 && texts.len() == found && !html.contains("NaN"), "{texts:?}");
        }
    }
}
