//! Operations that compute nothing: values that are given, and the same value looked at differently.

use super::{Facts, Operation, Reads, Shares, Unit};
use crate::plan::PlanKey;
use crate::writer::Writer;

/// A value that comes from outside: plans are not made of graphs that would have to compute it.
pub struct Given;

impl Operation for Given {
    fn facts(&self, _key: &PlanKey) -> Facts {
        Facts { reads: Reads::Nothing, unit: Unit::Whole, shares: Shares::Never, reads_planar: false }
    }

    fn forward(&self, _to: &mut Writer<'_>, _id: usize) {}

    fn backward(&self, _to: &mut Writer<'_>, _id: usize) {}
}

/// The value of its input: a flatten, or nothing at all.
pub struct Same;

impl Operation for Same {
    fn facts(&self, _key: &PlanKey) -> Facts {
        Facts { reads: Reads::Nothing, unit: Unit::Whole, shares: Shares::Always, reads_planar: false }
    }

    fn forward(&self, _to: &mut Writer<'_>, _id: usize) {}

    fn backward(&self, _to: &mut Writer<'_>, _id: usize) {}
}
