//! Widths of text, cut-off text, and escapes.
//!
//! An image is laid out without knowing the reader's font, so widths are those of DejaVu Sans, the widest of the usual
//! sans-serif fonts; with any other font the text is a little shorter than its place. Reading a font file, or
//! `textLength` (which stretches the letters), was rejected.

use crate::wording::grouped;

/// Width in thousandths of the font size.
fn mils(c: char) -> usize {
    match c {
        'i' | 'j' | 'l' | '\'' => 280,
        ' ' | '.' | ',' | '·' | 'I' | '|' | '/' | ':' | ';' => 340,
        'f' | 't' | '[' | ']' | '(' | ')' | '-' | '!' => 405,
        'r' => 415,
        's' | 'z' | 'c' | '_' => 550,
        'm' | 'M' | 'W' => 1020,
        'w' | '+' | '=' | '<' | '>' | '×' | '→' | '–' => 840,
        'O' | 'Q' | 'G' | 'N' | 'D' | 'H' | 'U' => 865,
        'a'..='z' | '0'..='9' => 640,
        'A'..='Z' => 735,
        _ => 1000,
    }
}

/// Width in pixels, rounded up. Bold letters are wider by nearly the same amount each.
pub(super) fn width(text: &str, size: i32, bold: bool) -> i32 {
    let sum: usize = text.chars().map(|c| mils(c) + if bold { 85 } else { 0 }).sum();
    i32::try_from(sum).unwrap_or(i32::MAX / 1000).saturating_mul(size).saturating_add(999) / 1000
}

/// The text, or its beginning and an ellipsis, in at most `room` pixels.
pub(super) fn fit(text: &str, size: i32, bold: bool, room: i32) -> String {
    if width(text, size, bold) <= room {
        return text.to_string();
    }
    let mut cut: String = text.to_string();
    while cut.pop().is_some() {
        let shown = format!("{}…", cut.trim_end());
        if width(&shown, size, bold) <= room {
            return shown;
        }
    }
    String::new()
}

/// For text and attributes of XML. Control characters have no place in XML at all.
pub(super) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            '\n' => out += "&#10;",
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// `25557032` as `25.6 M`: three digits are enough to compare networks.
pub(super) fn amount(n: u64) -> String {
    let (unit, letter) = match n {
        0..100_000 => return grouped(n),
        100_000..1_000_000 => (1_000, 'k'),
        1_000_000..1_000_000_000 => (1_000_000, 'M'),
        _ => (1_000_000_000, 'G'),
    };
    let value = n as f64 / unit as f64;
    let decimals = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    format!("{value:.decimals$} {letter}")
}
