//! The arena as the workers of a team see it: one buffer, written by several threads at places that do not meet.

use std::marker::PhantomData;
use std::ops::Range;

/// What a program reads and writes beside its arena.
#[derive(Clone, Copy)]
pub struct Bindings<'a> {
    /// The parameters of the network, by their index.
    pub params: &'a (dyn Fn(usize) -> &'a [f32] + Sync),
    /// Those that are stored in half precision.
    pub halves: &'a (dyn Fn(usize) -> &'a [u16] + Sync),
    /// The gradients of those parameters that have one and are packed.
    pub grads: &'a [Option<Mem<'a>>],
    /// The seed of the dropout masks.
    pub seed: Option<u64>,
}

impl Default for Bindings<'_> {
    fn default() -> Self {
        Bindings { params: &|_| &[], halves: &|_| &[], grads: &[], seed: None }
    }
}

/// A share of an exclusively borrowed buffer, copied to each worker.
#[derive(Clone, Copy)]
pub struct Mem<'a> {
    start: *mut f32,
    len: usize,
    buffer: PhantomData<&'a mut [f32]>,
}

// SAFETY: `Mem` is a raw view of a buffer borrowed for `'a`; each access through it is an unsafe function whose caller
// vouches that no other worker writes to the same elements.
unsafe impl Send for Mem<'_> {}
// SAFETY: as above.
unsafe impl Sync for Mem<'_> {}

impl<'a> Mem<'a> {
    /// A view of `buffer`.
    pub fn new(buffer: &'a mut [f32]) -> Self {
        Mem { start: buffer.as_mut_ptr(), len: buffer.len(), buffer: PhantomData }
    }

    fn check(&self, at: usize, len: usize) {
        assert!(at.checked_add(len).is_some_and(|end| end <= self.len), "engine: {at} + {len} is beyond {}", self.len);
    }

    /// `len` numbers at `at`.
    ///
    /// # Safety
    /// Nobody writes to them while the slice lives.
    #[inline(always)]
    pub unsafe fn read(self, at: usize, len: usize) -> &'a [f32] {
        self.check(at, len);
        // SAFETY: in bounds by the check; not written to meanwhile by the caller's word.
        unsafe { std::slice::from_raw_parts(self.start.add(at), len) }
    }

    /// `len` numbers at `at`, to write.
    ///
    /// # Safety
    /// Nobody else reads or writes them while the slice lives.
    #[inline(always)]
    pub unsafe fn write(self, at: usize, len: usize) -> &'a mut [f32] {
        self.check(at, len);
        // SAFETY: in bounds by the check; ours alone by the caller's word.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), len) }
    }

    /// Copies `count` numbers that lie `from[1]` apart from `from[0]` on to places that lie `to[1]` apart from `to[0]` on, or adds them to what is
    /// there.
    ///
    /// # Safety
    /// Nobody else reads or writes these places meanwhile, and nobody writes to what is read.
    #[inline(always)]
    pub unsafe fn copy_strided(self, from: [usize; 2], to: [usize; 2], count: usize, add: bool) {
        let Some(last) = count.checked_sub(1) else { return };
        for [at, step] in [from, to] {
            self.check(at, last * step + 1);
        }
        // SAFETY: in bounds by the checks; not touched meanwhile by the caller's word.
        unsafe {
            let (mut source, mut target) = (self.start.add(from[0]).cast_const(), self.start.add(to[0]));
            for i in 0..count {
                *target = if add { *target + *source } else { *source };
                if i < last {
                    (source, target) = (source.add(from[1]), target.add(to[1]));
                }
            }
        }
    }

    /// The address of element `at`, for kernels whose accesses [`Step::check`](super::Step::check) has bounded.
    #[inline(always)]
    pub fn address(self, at: usize) -> *mut f32 {
        self.start.wrapping_add(at)
    }

    /// Panics if the elements `range` are not all inside.
    pub fn contains(len: usize, range: Range<isize>, what: &str) {
        assert!(range.start >= 0 && range.end <= len as isize, "engine: {what} reaches {range:?} of {len}");
    }
}
