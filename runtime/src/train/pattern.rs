//! Patterns for names of parameters, which the options `freeze` and `lr_scale` have.

use super::config_error::ConfigError;
use crate::graph::Graph;
use crate::wording::did_you_mean;

/// A pattern and its share of the learning rate, of `pattern=share`.
pub(super) fn scale(text: &str) -> Result<(&str, f64), ConfigError> {
    let parts = text.rsplit_once('=').and_then(|(pattern, share)| Some((pattern.trim(), share.trim().parse().ok()?)));
    parts.filter(|(pattern, share): &(&str, f64)| !pattern.is_empty() && share.is_finite() && *share >= 0.0).ok_or_else(
        || {
            ConfigError::value(
                "lr_scale",
                format!("`{text}`"),
                "a pattern and a number from 0 on, as in features.*=0.1",
            )
        },
    )
}

/// The error about a pattern that no parameter matches.
pub(super) fn unmatched(option: &str, pattern: &str, graph: &Graph) -> ConfigError {
    let names: Vec<&str> = graph.params.iter().map(|param| &*param.name).collect();
    // A layer's name is a pattern as well.
    let layers: Vec<&str> = names.iter().filter_map(|name| name.rsplit_once('.').map(|(layer, _)| layer)).collect();
    let hint = did_you_mean(pattern, &[&layers[..], &names[..]].concat());
    let some = names.iter().take(6).copied().collect::<Vec<_>>().join(", ");
    let more = if names.len() > 6 { " ..." } else { "" };
    let expected = format!("a pattern that a parameter of {} matches: {some}{more}{hint}", graph.name);
    ConfigError::value(option, format!("`{pattern}`"), &expected)
}

/// Whether a name is as a pattern says, in which `*` stands for anything. The name of a layer stands for all its parameters.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        last = Some(part);
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    match last {
        None => rest.is_empty() || rest.starts_with('.'),
        Some(part) => rest.is_empty() || part.is_empty() || name.ends_with(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_a_shell_would() {
        for (pattern, name, expected) in [
            ("conv1.weight", "conv1.weight", true),
            ("conv1", "conv1.weight", true),
            ("conv1", "conv10.weight", false),
            ("features.*", "features.0.bias", true),
            ("*.bias", "fc.bias", true),
            ("*.bias", "fc.bias.weight", false),
            ("layer*.conv*.weight", "layer1.0.conv2.weight", true),
            ("layer*.conv*.weight", "layer1.0.bn2.weight", false),
            ("*", "anything", true),
            ("", "conv1.weight", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
