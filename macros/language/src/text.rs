//! How long and how deeply nested a text may be of which a network is read: whoever makes tokens of one recurses into its brackets.

use std::ops::Range;

/// The most bytes of a text.
pub const MOST: usize = 1 << 20;

/// The deepest nesting of brackets. What the grammar allows is less; this is what a lexer can take.
const DEPTH: usize = 256;

/// What is too much of a text, if anything is, and where.
pub fn excess(text: &str) -> Option<(Range<usize>, String)> {
    if text.len() > MOST {
        return Some((0..0, format!("this text has {} bytes; a network has at most {MOST}", text.len())));
    }
    too_deep(text).map(|at| (at..at + 1, format!("nested more than {DEPTH} deep")))
}

/// The bracket that is too deep, whatever comments and texts may hold.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    text.bytes().position(|byte| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEPTH
    })
}

/// What is wrong with a text of which no tokens can be made.
pub const NO_TOKENS: &str =
    "this cannot be read: a bracket or a quote that has no partner, or a character without a meaning";
