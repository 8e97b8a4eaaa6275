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
}
