//! The functions that sizes may be computed by: numbers in, a number out. Their pages are in `words::structure`.

/// A function of two whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    Max,
    Min,
    RoundTo,
}

impl Function {
    /// Each with its name and an example.
    const ALL: [(Function, &'static str, &'static str); 3] = [
        (Function::Max, "max", "max(channels / 4, 8)"),
        (Function::Min, "min", "min(channels, 64)"),
        (Function::RoundTo, "round_to", "round_to(channels / 4, 8)"),
    ];

    /// The function of that name.
    pub fn named(name: &str) -> Option<Self> {
        Function::ALL.iter().find(|(_, known, _)| *known == name).map(|(function, ..)| *function)
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Function::ALL.iter().map(|(_, name, _)| *name)
    }

    /// How it is written.
    pub fn example(self) -> &'static str {
        Function::ALL.iter().find(|(function, ..)| *function == self).map_or("", |(_, _, example)| example)
    }

    /// What it makes of two numbers; nothing where that is too large, or a multiple of 0.
    pub fn of(self, a: u64, b: u64) -> Option<u64> {
        match self {
            Function::Max => Some(a.max(b)),
            Function::Min => Some(a.min(b)),
            Function::RoundTo => round_to(a, b),
        }
    }
}

/// MobileNet's rule (Sandler et al., 2018): the nearest multiple of `step`, at least one, and one more where more than a tenth would be lost.
fn round_to(n: u64, step: u64) -> Option<u64> {
    let twice = n.checked_mul(2)?.checked_add(step)?;
    let nearest = twice.checked_div(step.checked_mul(2)?)?.checked_mul(step)?.max(step);
    let loses = nearest.checked_mul(10)? < n.checked_mul(9)?;
    if loses { nearest.checked_add(step) } else { Some(nearest) }
}

#[cfg(test)]
mod tests {
    use super::Function;

    /// Values of torchvision's `_make_divisible`.
    #[test]
    fn widths_are_rounded_as_torchvision_does_it() {
        for (n, step, expected) in [
            (32, 8, 32),
            (33, 8, 32),
            (36, 8, 40),
            (35, 8, 32),
            (4, 8, 8),
            (0, 8, 8),
            (10, 8, 16),
            (11, 8, 16),
            (12, 8, 16),
            (18, 4, 20),
            (17, 4, 16),
            (7, 3, 9),
            (5, 3, 6),
            (9, 10, 10),
            (18, 8, 24),
            (30, 8, 32),
            (168, 8, 168),
        ] {
            assert_eq!(Function::RoundTo.of(n, step), Some(expected), "round_to({n}, {step})");
        }
        assert_eq!(Function::RoundTo.of(7, 0), None);
        assert_eq!(Function::RoundTo.of(u64::MAX, 8), None);
    }
}
