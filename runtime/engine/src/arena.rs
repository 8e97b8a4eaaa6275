//! The memory that programs work in.

use super::error::EngineError;
use super::regions::ALIGN;

/// Memory whose first element is at the start of a cache line.
pub struct Arena {
    memory: Vec<f32>,
    start: usize,
}

impl Arena {
    /// `len` zeros.
    pub fn new(len: usize) -> Result<Self, EngineError> {
        let len = len.checked_add(ALIGN).ok_or(EngineError::OutOfMemory)?;
        let mut memory = Vec::new();
        memory.try_reserve_exact(len).map_err(|_| EngineError::OutOfMemory)?;
        memory.resize(len, 0.0);
        let start = memory.as_ptr().align_offset(size_of::<f32>() * ALIGN).min(ALIGN);
        Ok(Arena { memory, start })
    }

    /// All of it.
    pub fn slice(&self) -> &[f32] {
        &self.memory[self.start..]
    }

    /// All of it, to write.
    pub fn slice_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..]
    }
}
