//! A dfdx tensor's numbers as a slice, which dfdx has no public way to give.

use crate::net::Map;
use dfdx::prelude::*;

/// The numbers of a tensor that lie in row-major order without gaps; nothing for another (a broadcast or permuted one).
pub fn dense(tensor: &Map<f32, Cpu>) -> Option<&[f32]> {
    let (a, b, c, d) = *tensor.shape();
    let (sizes, strides) = ([a, b, c, d], [b * c * d, c * d, d, 1]);
    let len = sizes.iter().product::<usize>();
    if len == 0 {
        return Some(&[]);
    }
    let first: *const f32 = &tensor[[0; 4]];
    let distance = |index: [usize; 4]| {
        let other: *const f32 = &tensor[index];
        (other as usize).wrapping_sub(first as usize) / size_of::<f32>()
    };
    let unit = |axis: usize| std::array::from_fn(|i| usize::from(i == axis));
    let row_major = (0..4).all(|axis| sizes[axis] == 1 || distance(unit(axis)) == strides[axis]);
    // SAFETY: dfdx keeps a tensor's numbers in one `Vec`, and its bounds-checked index has given the first and, `len - 1`
    // further on, the last of them; the borrow of the tensor keeps others from writing.
    (row_major && distance(sizes.map(|size| size - 1)) == len - 1)
        .then(|| unsafe { std::slice::from_raw_parts(first, len) })
}

/// The numbers of a tensor of any rank that lie in row-major order without gaps, to write; its own from now on, if it
/// shared them.
pub fn dense_mut<S: Shape>(tensor: &mut Tensor<S, f32, Cpu>) -> Option<&mut [f32]> {
    let sizes = tensor.shape().concrete();
    let axes = || 0..S::NUM_DIMS;
    let len = axes().map(|axis| sizes[axis]).product::<usize>();
    if len == 0 {
        return Some(&mut []);
    }
    let zero = S::Concrete::default();
    let first: *mut f32 = &mut tensor[zero];
    let mut last = zero;
    let mut stride = 1;
    for axis in axes().rev() {
        let mut unit = zero;
        unit[axis] = 1;
        let distance = |other: &f32| (other as *const f32 as usize).wrapping_sub(first as usize) / size_of::<f32>();
        if sizes[axis] > 1 && distance(&tensor[unit]) != stride {
            return None;
        }
        last[axis] = sizes[axis] - 1;
        stride *= sizes[axis];
    }
    let end: *const f32 = &tensor[last];
    // SAFETY: as for `dense`; dfdx has given a mutable reference to the first number, after making the `Vec` this tensor's
    // own, and the tensor stays borrowed.
    (end as usize - first as usize == (len - 1) * size_of::<f32>())
        .then(|| unsafe { std::slice::from_raw_parts_mut(first, len) })
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
