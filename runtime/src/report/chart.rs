//! Curves as SVG.

use super::style::escape;
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

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 38.0;

/// A chart of some curves over `x_name`; values of `y` are written by `write`.
pub(super) fn chart(label: &str, x_name: &str, curves: &[Curve<'_>], write: fn(f64) -> String) -> String {
    let curves: Vec<Curve<'_>> = curves.iter().map(thinned).filter(|curve| !curve.points.is_empty()).collect();
    let all = || curves.iter().flat_map(|curve| curve.points.iter());
    if curves.is_empty() {
        return "<p class=\"quiet\">Nothing to draw yet.</p>".into();
    }
    let range = |axis: usize| {
        let (low, high) =
            all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| (low.min(p[axis]), high.max(p[axis])));
        if high > low { (low, high) } else { (low - 0.5, high + 0.5) }
    };
    let ((x0, x1), y_ticks) = (range(0), ticks(range(1), 5));
    let (y0, y1) = (y_ticks[0].min(range(1).0), y_ticks[y_ticks.len() - 1].max(range(1).1));
    let x_at = |x: f64| LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT);
    let y_at = |y: f64| HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM);
    let mut svg =
        format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\" class=\"chart\">", escape(label));
    for y in &y_ticks {
        let (at, text) = (y_at(*y), write(*y));
        let _ =
            write!(svg, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>", WIDTH - RIGHT);
        let _ = write!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", LEFT - 8.0, at + 4.0);
    }
    for x in ticks((x0, x1), 6).into_iter().filter(|x| (x0..=x1).contains(x) && x.fract() == 0.0) {
        let at = x_at(x);
        let _ = write!(svg, "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{x}</text>", HEIGHT - BOTTOM + 17.0);
    }
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    let _ = write!(
        svg,
        "<text class=\"axis\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{x_name}</text>",
        HEIGHT - 5.0
    );
    for curve in &curves {
        let place = |p: &[f64; 2]| format!("{:.1},{:.1}", x_at(p[0]), y_at(p[1]));
        let points: Vec<String> = curve.points.iter().map(place).collect();
        let _ = write!(svg, "<polyline class=\"{}\" points=\"{}\"/>", curve.class, points.join(" "));
        if curve.points.len() <= 60 {
            for [x, y] in &curve.points {
                let (class, at) = (curve.class, [x_at(*x), y_at(*y)]);
                let _ = write!(
                    svg,
                    "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>{} {x}: {} {}</title></circle>",
                    at[0],
                    at[1],
                    escape(x_name),
                    escape(curve.name),
                    write(*y)
                );
            }
        }
    }
    svg += "</svg><p class=\"legend\">";
    for curve in &curves {
        let _ = write!(svg, "<span><i class=\"{}\"></i>{}</span>", curve.class, escape(curve.name));
    }
    svg + "</p>"
}

/// A number of an axis.
pub(super) fn short(x: f64) -> String {
    match x.abs() {
        0.0 => "0".into(),
        small if small < 1e-3 => format!("{x:.1e}"),
        small if small < 10.0 => format!("{x:.3}").trim_end_matches('0').trim_end_matches('.').to_string(),
        _ => format!("{x:.0}"),
    }
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

/// About `n` round numbers that cover a range.
fn ticks((low, high): (f64, f64), n: usize) -> Vec<f64> {
    let rough = (high - low) / n as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= rough).unwrap_or(10.0 * power);
    let (first, last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_range() {
        assert_eq!(ticks((0.0, 1.0), 5), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0].map(|x: f64| (x * 5.0).round() * 0.2));
        let found = ticks((0.93, 0.993), 5);
        assert!(found[0] <= 0.93 && *found.last().unwrap() >= 0.993 && found.len() <= 8, "{found:?}");
    }

    #[test]
    fn long_curves_are_thinned_and_what_is_not_finite_left_out() {
        let points = (0..100_000).map(|i| [f64::from(i), if i == 7 { f64::NAN } else { 1.0 }]).collect();
        let curve = thinned(&Curve { name: "", class: "", points });
        assert!(curve.points.len() <= MOST && curve.points.iter().all(|p| p[1] == 1.0));
    }
}
