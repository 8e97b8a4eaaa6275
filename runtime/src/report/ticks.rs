//! Round numbers for an axis, and how they are written: all of one axis alike, each another text.

use crate::wording::short;

/// What the numbers of an axis are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Numbers without a unit.
    Plain,
    /// Shares, written in percent.
    Percent,
}

/// About `n` round numbers, evenly spaced, that cover a range.
pub(super) fn ticks((low, high): (f64, f64), n: usize) -> Vec<f64> {
    let rough = (high - low) / n as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|m| m * power).into_iter().find(|step| *step >= rough * (1.0 - 1e-9));
    let step = step.unwrap_or(10.0 * power);
    // What rounding has moved beyond a tick is not worth another one.
    let (first, last) = ((low / step + 1e-9).floor() as i64, (high / step - 1e-9).ceil() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

/// The texts of an axis: as many decimals as its step takes, powers of ten where these would be many.
pub(super) fn labels(ticks: &[f64], unit: Unit) -> Vec<String> {
    let factor = if unit == Unit::Percent { 100.0 } else { 1.0 };
    let values: Vec<f64> = ticks.iter().map(|tick| tick * factor).collect();
    let step = values.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    let most = values.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    let is_whole = |x: f64| x.round() >= 1.0 && (x - x.round()).abs() < 1e-6 * x;
    let decimals = (0..12).find(|d| is_whole(step * 10_f64.powi(*d))).unwrap_or(12) as usize;
    let end = if unit == Unit::Percent { " %" } else { "" };
    let text = |x: &f64| match decimals > 4 || most >= 1e6 {
        _ if x.abs() < step * 1e-6 => format!("0{end}"),
        // Decimals of the mantissa, so that neighbours differ.
        true => {
            let places = ((x.abs() / step).log10().floor().max(0.0) as usize + 1).min(12);
            let text = format!("{x:.places$e}");
            let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
            let mantissa =
                if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
            format!("{mantissa}e{power}{end}")
        }
        false => format!("{x:.decimals$}{end}"),
    };
    values.iter().map(text).collect()
}

/// A number by itself: four digits that count, or two decimals of a percentage.
pub(super) fn label(x: f64, unit: Unit) -> String {
    match unit {
        Unit::Percent => format!("{:.2} %", x * 100.0),
        Unit::Plain => short(x),
    }
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
    fn texts_of_an_axis_differ_and_are_as_short_as_can_be() {
        for (range, unit, expected) in [
            ((0.0, 0.003), Unit::Plain, vec!["0", "0.001", "0.002", "0.003"]),
            ((0.0015, 0.003), Unit::Plain, vec!["0.0015", "0.0020", "0.0025", "0.0030"]),
            ((0.0, 2e-5), Unit::Plain, vec!["0", "5e-6", "1e-5", "1.5e-5", "2e-5"]),
            ((0.2, 1.0), Unit::Percent, vec!["20 %", "40 %", "60 %", "80 %", "100 %"]),
            ((0.985, 0.9925), Unit::Percent, vec!["98.4 %", "98.6 %", "98.8 %", "99.0 %", "99.2 %", "99.4 %"]),
            ((0.0, 3e6), Unit::Plain, vec!["0", "1e6", "2e6", "3e6"]),
        ] {
            assert_eq!(labels(&ticks(range, 4), unit), expected);
        }
        // Whatever the range, no two texts are the same, and each is the tick's value.
        for power in -9..8 {
            for (low, wide) in [(0.0, 1.0), (3.0, 0.01), (-1.0, 2.3), (0.97, 0.03), (7.0, 0.7), (-5.0, 4.9)] {
                let scale = 10_f64.powi(power);
                let found = ticks((low * scale, (low + wide) * scale), 5);
                let texts = labels(&found, Unit::Plain);
                for (text, tick) in texts.iter().zip(&found) {
                    let step = found[1] - found[0];
                    assert!((text.parse::<f64>().unwrap() - tick).abs() < 0.01 * step, "{texts:?} for {found:?}");
                }
                assert!(texts.windows(2).all(|pair| pair[0] != pair[1]), "{texts:?}");
                assert!(texts.iter().all(|text| text.len() <= 9), "{texts:?}");
            }
        }
    }
}
