//! A dfdx tensor's numbers as a slice, which dfdx has no public way to give, to read or to write.
//!
//! Both views are worth their `unsafe`: without the first, every pass copies all parameters; without the second, an optimiser
//! does (`benches/NOTES.md` has the figures). They rest on dfdx keeping a tensor's numbers in one `Vec`, of which its public,
//! bounds-checked index gives references to single numbers. A pointer that started as one of these goes on to its neighbours:
//! within one allocation, which is what compilers and the model of Tree Borrows ask for, though Stacked Borrows would not
//! let it.

use crate::backend::Map;
use dfdx::prelude::*;
use dfdx::tensor::CpuError;

/// A tensor whose numbers are a slice, since they lie in row-major order: so a packed network can share parameters.
pub struct Shared(Map<f32, Cpu>);

impl Shared {
    /// The tensor, or a copy in row-major order of one whose numbers lie in another.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn new(tensor: Map<f32, Cpu>) -> Result<Self, CpuError> {
        tensor.try_contiguous().map(Shared)
    }

    /// The tensor.
    pub fn tensor(&self) -> &Map<f32, Cpu> {
        &self.0
    }
}

impl AsRef<[f32]> for Shared {
    fn as_ref(&self) -> &[f32] {
        dense(&self.0).unwrap_or_else(|| unreachable!("a contiguous tensor is row-major"))
    }
}

/// The numbers of a tensor that lie in row-major order without gaps; nothing for another (a broadcast or permuted one).
pub fn dense(tensor: &Map<f32, Cpu>) -> Option<&[f32]> {
    let len = row_major(tensor)?;
    if len == 0 {
        return Some(&[]);
    }
    let first: *const f32 = &tensor[[0; 4]];
    // SAFETY: `row_major` has found the last number `len - 1` behind the first in the same `Vec`; the borrow of the tensor
    // keeps others from writing.
    Some(unsafe { std::slice::from_raw_parts(first, len) })
}

/// The same of any rank, to write; the numbers are the tensor's own from now on, if it shared them.
pub fn dense_mut<S: Shape>(tensor: &mut Tensor<S, f32, Cpu>) -> Option<&mut [f32]> {
    let len = row_major(tensor)?;
    if len == 0 {
        return Some(&mut []);
    }
    // After all reading: this copies numbers that are shared, to a `Vec` of the same length.
    let first: *mut f32 = &mut tensor[S::Concrete::default()];
    // SAFETY: `row_major` has found the last number `len - 1` behind the first in the same `Vec`. The line above has made a `Vec` of
    // that length this tensor's own, and the exclusive borrow keeps everybody else away.
    Some(unsafe { std::slice::from_raw_parts_mut(first, len) })
}

/// How many numbers a tensor has, if they lie in row-major order without gaps.
fn row_major<S: Shape>(tensor: &Tensor<S, f32, Cpu>) -> Option<usize> {
    let (sizes, zero) = (tensor.shape().concrete(), S::Concrete::default());
    let len = (0..S::NUM_DIMS).map(|axis| sizes[axis]).product();
    if len == 0 {
        return Some(0);
    }
    let address = |index: S::Concrete| &raw const tensor[index] as usize;
    let distance = |index| address(index).wrapping_sub(address(zero)) / size_of::<f32>();
    let (mut last, mut stride) = (zero, 1);
    for axis in (0..S::NUM_DIMS).rev() {
        let mut unit = zero;
        unit[axis] = 1;
        if sizes[axis] > 1 && distance(unit) != stride {
            return None;
        }
        last[axis] = sizes[axis] - 1;
        stride *= sizes[axis];
    }
    (distance(last) == len - 1).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_row_major_tensors_are_slices() {
        let dev = Cpu::default();
        let tensor: Map<f32, Cpu> = dev.tensor_from_vec((0..24).map(|i| i as f32).collect(), (2, 3, 4, 1));
        assert_eq!(dense(&tensor), Some(&tensor.as_vec()[..]));
        let permuted: Map<f32, Cpu> = tensor.clone().permute::<_, Axes4<1, 0, 2, 3>>();
        assert_eq!(dense(&permuted), None);
        let vector: Tensor<(usize,), f32, Cpu> = dev.tensor_from_vec(vec![1.0, 2.0], (2,));
        let broadcast: Map<f32, Cpu> = vector.broadcast_like::<_, Axes3<0, 2, 3>>(&(3, 2, 1, 1));
        assert_eq!(dense(&broadcast), None);
        let empty: Map<f32, Cpu> = dev.zeros_like(&(0, 3, 2, 1));
        assert_eq!(dense(&empty), Some(&[][..]));
    }

    #[test]
    fn a_tensor_that_is_written_is_nobody_elses() {
        let dev = Cpu::default();
        let mut tensor: Tensor<Rank3<2, 3, 4>, f32, Cpu> =
            dev.tensor_from_vec((0..24).map(|i| i as f32).collect(), Default::default());
        let shared = tensor.clone();
        dense_mut(&mut tensor).into_iter().flatten().for_each(|x| *x += 1.0);
        let written: Vec<f32> = (1..25).map(|i| i as f32).collect();
        assert_eq!(tensor.as_vec(), written);
        assert_eq!(shared.as_vec()[23], 23.0);
        let mut permuted = tensor.permute::<_, Axes3<1, 0, 2>>();
        assert!(dense_mut(&mut permuted).is_none());
        let mut scalar: Tensor<Rank0, f32, Cpu> = dev.tensor(2.0);
        assert_eq!(dense_mut(&mut scalar), Some(&mut [2.0][..]));
    }
}
