//! Mistakes and warnings in a text that a running program reads, with their places in bytes, and how they are drawn: file, line, column, caret,
//! as rustc does it.

use crate::lints::Finding;
use crate::report::Errors;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::fmt;
use std::ops::Range;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mistake {
    /// What is wrong, with the shape trace and a fix on lines of their own where there are any.
    pub message: String,
    /// The bytes of the text that it is about, those of a byte-order mark not counted.
    pub range: Range<usize>,
    /// The lint that found it, where it is a warning.
    pub lint: Option<&'static str>,
}

/// Everything that is wrong with a text, or all warnings about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Only one.
    pub(crate) fn one(mistake: Mistake) -> Self {
        Mistakes(vec![mistake])
    }

    /// The mistakes in the order of the text.
    pub fn all(&self) -> &[Mistake] {
        &self.0
    }

    /// The mistakes in `text`, which is the one that was read, as rustc would draw them. `path` is what people know the text by;
    /// with `styled`, for a terminal that shows colours.
    pub fn draw(&self, path: &str, text: &str, styled: bool) -> String {
        let text = unmarked(text);
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let drawn = self.0.iter().map(|mistake| renderer.render(&[group(mistake, path, text)]).to_string());
        drawn.collect::<Vec<_>>().join("\n\n")
    }
}

fn group<'a>(mistake: &'a Mistake, path: &'a str, text: &'a str) -> Group<'a> {
    // The first line says what is wrong; what comes after it is trace and fix.
    let (title, rest) = mistake.message.split_once('\n').unwrap_or((&mistake.message, ""));
    let range = within(mistake.range.clone(), text);
    let snippet = Snippet::source(text).path(path).annotation(AnnotationKind::Primary.span(range));
    let title = match mistake.lint {
        Some(lint) => Level::WARNING.primary_title(title).id(lint),
        None => Level::ERROR.primary_title(title),
    };
    let group = title.element(snippet);
    let lines = rest.lines().map(str::trim_start).filter(|line| !line.is_empty());
    lines.fold(group, |group, line| match line.split_once(": ") {
        Some(("fix" | "off", fix)) => group.element(Level::HELP.message(fix)),
        _ => group.element(Level::NOTE.message(line)),
    })
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let Mistake { message, range, .. } = mistake;
            let end = if index + 1 < self.0.len() { "\n" } else { "" };
            write!(f, "bytes {} to {}: {message}{end}", range.start, range.end)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// What the passes have found, in the order of the text.
pub(crate) fn of(errors: &Errors, text: &str) -> Mistakes {
    let mistake = |error: &syn::Error| {
        let range = within(error.span().byte_range(), text);
        Mistake { message: error.to_string(), range, lint: None }
    };
    sorted(errors.all().iter().map(mistake).collect())
}

/// What the lints have found, in the order of the text.
pub(crate) fn warnings(findings: &[Finding], text: &str) -> Mistakes {
    let warning = |finding: &Finding| {
        let range = within(finding.place.byte_range(), text);
        Mistake { message: finding.on_layer(), range, lint: Some(finding.lint.name) }
    };
    sorted(findings.iter().map(warning).collect())
}

fn sorted(mut list: Vec<Mistake>) -> Mistakes {
    list.sort_by_key(|mistake| (mistake.range.start, mistake.range.end));
    Mistakes(list)
}

/// A text without the byte-order mark that some editors put before it.
pub(crate) fn unmarked(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// A range of whole characters of the text.
pub(crate) fn within(range: Range<usize>, text: &str) -> Range<usize> {
    let start = text.floor_char_boundary(range.start.min(text.len()));
    let end = text.ceil_char_boundary(range.end.clamp(start, text.len()));
    start..end
}
