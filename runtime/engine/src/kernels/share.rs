//! What a kernel has to be able to do to be a step, and what a thread is given of one.
//!
//! The list of steps is in [`step`](super::step), so that a kernel knows this file and none of its likes.

use super::mem::{Bindings, Mem};
use super::{Isa, Simd};
use std::ops::Range;

/// A thread's share of a step.
pub struct Share<'a, 'o> {
    /// The arena.
    pub mem: Mem<'a>,
    /// What is beside the arena.
    pub bindings: Bindings<'o>,
    /// As many numbers of the thread's own as [`StepKernel::arrange`] says.
    pub scratch: Mem<'a>,
    /// The tasks to do.
    pub tasks: Range<usize>,
}

/// A kernel that threads share out by tasks.
pub trait StepKernel {
    /// What a profile calls it.
    const NAME: &'static str;

    /// Into how many tasks it falls, which threads may share.
    fn tasks(&self, lanes: usize) -> usize;

    /// Panics if it could reach beyond `len` elements. A kernel has nothing to do here that goes through [`Mem::read`] and
    /// [`Mem::write`] alone, which check each row; one that uses [`Mem::address`] has to answer for all of its addresses.
    fn check(&self, len: usize, lanes: usize);

    /// Multiplications with addition that it does, where that is what takes its time.
    fn multiply_adds(&self, _lanes: usize) -> u64 {
        0
    }

    /// Its sizes, for the profile of one that multiplies.
    fn sizes(&self) -> String {
        String::new()
    }

    /// Fits it to an instruction set and so many threads; gives the numbers that each thread needs for itself.
    fn arrange(&mut self, _isa: Isa, _threads: usize) -> usize {
        0
    }

    /// Does a share of its tasks.
    ///
    /// # Safety
    /// The instruction set of `S` is there and switched on in the caller, [`check`](StepKernel::check) has passed for the
    /// length of the arena, nobody else touches what these tasks write, and nobody writes to what they read.
    unsafe fn run<S: Simd>(&self, share: Share<'_, '_>);
}
