//! From a stretch of memory and strides to a contiguous tensor, with every claim of the file checked.

/// A view of a storage, as a file claims it. Counts are in elements.
pub struct View<'a> {
    /// The storage's bytes.
    pub storage: &'a [u8],
    /// Bytes of an element.
    pub size: usize,
    /// Where it starts.
    pub offset: usize,
    /// Its shape.
    pub shape: &'a [usize],
    /// The distance between neighbours along each dimension.
    pub strides: &'a [usize],
    /// How many bytes the tensor may have.
    pub budget: usize,
}

/// The number of elements of a shape, if it fits.
pub fn product(shape: &[usize]) -> Option<usize> {
    // A zero makes all empty, whatever the others are.
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size))
}

impl View<'_> {
    /// The elements in row-major order.
    ///
    /// # Errors
    /// What is wrong with the claim.
    pub fn contiguous(&self) -> Result<Vec<u8>, String> {
        let available = self.storage.len() / self.size;
        let count = product(self.shape).ok_or_else(|| format!("the shape {:?} is too large", self.shape))?;
        if self.strides.len() != self.shape.len() {
            return Err(format!("{} strides for the shape {:?}", self.strides.len(), self.shape));
        }
        if count == 0 {
            return Ok(Vec::new());
        }
        let reach = self.shape.iter().zip(self.strides).try_fold(self.offset, |reach, (size, stride)| {
            (size - 1).checked_mul(*stride).and_then(|steps| reach.checked_add(steps))
        });
        if reach.is_none_or(|last| last >= available) {
            return Err(format!(
                "shape {:?}, strides {:?} and offset {} reach beyond the {available} elements that are there",
                self.shape, self.strides, self.offset
            ));
        }
        // A tensor that repeats elements (an expanded one, with strides of 0) could claim to be of any size.
        if count.checked_mul(self.size).is_none_or(|bytes| bytes > self.budget) {
            return Err(format!(
                "shape {:?} and strides {:?} repeat {available} elements to more bytes than the {} that are left for \
                 a file of this length",
                self.shape, self.strides, self.budget
            ));
        }
        let mut bytes = Vec::with_capacity(count * self.size);
        if self.is_contiguous() {
            let start = self.offset * self.size;
            bytes.extend_from_slice(self.storage.get(start..start + count * self.size).unwrap_or_default());
            return Ok(bytes);
        }
        let mut index = vec![0; self.shape.len()];
        for _ in 0..count {
            let at: usize = self.offset + index.iter().zip(self.strides).map(|(i, stride)| i * stride).sum::<usize>();
            bytes.extend_from_slice(self.storage.get(at * self.size..(at + 1) * self.size).unwrap_or_default());
            for (i, size) in index.iter_mut().zip(self.shape).rev() {
                *i += 1;
                if *i < *size {
                    break;
                }
                *i = 0;
            }
        }
        Ok(bytes)
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(self.strides).rev().all(|(size, stride)| {
            let fits = *size == 1 || *stride == expected;
            expected *= size;
            fits
        })
    }
}
