//! How a value is written: what other languages put into quotes or square brackets.

use super::too_many::text;
use super::{Args, is_same};
use crate::report::Errors;
use crate::signature::{ArgKind, Spec};
use crate::values::listed;
use syn::Expr;

impl Args<'_> {
    /// Reports a text, and a list where a pair is taken. Whoever reads the value says nothing more of the same place.
    pub(super) fn form(&self, spec: &Spec, value: &Expr, errors: &mut Errors) {
        let name = spec.name;
        let is_tuple = matches!(spec.kind, ArgKind::Pair | ArgKind::Ends | ArgKind::Sides | ArgKind::Pad);
        // Others have a number in its place, which is told where the number is known.
        let is_misplaced = name == "pad" && is_same(value) && !self.takes_same();
        match (value, text(value)) {
            (_, Some(text)) if !is_misplaced => {
                let fix = unquoted(&text, spec.kind).map_or_else(
                    || format!("\n  `{name}` takes {}", spec.kind.takes()),
                    |value| format!("\n  fix: write `{value}`"),
                );
                errors.on(value, format!("`{name}` takes no text in quotes{fix}"));
            }
            (Expr::Array(array), _) if is_tuple => {
                let what = match spec.kind {
                    ArgKind::Sides | ArgKind::Pad => "a number, or a pair or four of them in round brackets",
                    _ => "a number or a pair in round brackets",
                };
                errors.on(value, format!("`{name}` takes {what}\n  fix: write `{}`", listed(array)));
            }
            _ => {}
        }
    }
}

/// What a text says that an option of this kind takes.
fn unquoted(text: &str, kind: ArgKind) -> Option<String> {
    let is_number = |text: &str| text.parse::<u64>().is_ok();
    let parts: Vec<&str> = text.trim_matches(['(', ')', '[', ']']).split(['x', ',']).map(str::trim).collect();
    match kind {
        ArgKind::Pad if text.eq_ignore_ascii_case("same") => Some("same".into()),
        ArgKind::Pad if text.eq_ignore_ascii_case("valid") => Some("0".into()),
        ArgKind::Flag => ["true", "false"].into_iter().find(|flag| text.eq_ignore_ascii_case(flag)).map(Into::into),
        ArgKind::Float => text.parse::<f64>().is_ok_and(f64::is_finite).then(|| text.into()),
        ArgKind::Table => None,
        ArgKind::Size | ArgKind::Count | ArgKind::Pair | ArgKind::Ends | ArgKind::Sides | ArgKind::Pad => {
            match parts[..] {
                _ if !parts.iter().all(|part| is_number(part)) => None,
                [one] => Some(one.into()),
                _ => Some(format!("({})", parts.join(", "))),
            }
        }
    }
}
