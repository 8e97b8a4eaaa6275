//! Choosing rows of a matrix, the one primitive behind convolution, pooling and channel windows.
//!
//! Which rows depends on the shapes of a network alone, but there are many: 15 million for ResNet-18, and to count them takes a
//! quarter of a second. So a network keeps them, on its device, from its first pass on ([`Lists`]).

use super::Flat;
use crate::backend::{NetTape, Real};
use dfdx::prelude::*;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// What an operation chooses, before it is on a device.
#[derive(Default)]
pub struct Choice {
    /// Lists of rows; `None` is a row of zeros.
    pub rows: Vec<Vec<Option<usize>>>,
    /// Numbers that go with them, as the operation says.
    pub factors: Vec<f64>,
}

impl Choice {
    /// These rows, once.
    pub fn one(rows: Vec<Option<usize>>) -> Self {
        Choice { rows: vec![rows], factors: Vec::new() }
    }
}

/// The same on a device.
#[derive(Debug)]
pub struct Chosen<D: Storage<usize>> {
    pub rows: Vec<Rows<D>>,
    pub factors: Vec<f64>,
}

/// A list of rows on a device.
#[derive(Debug)]
pub struct Rows<D: Storage<usize>> {
    index: Tensor<(usize,), usize, D>,
    /// Whether rows of zeros are among them. Then number 0 is such a row, and the others count from 1.
    padded: bool,
}

impl<D: Storage<usize>> Chosen<D> {
    /// Puts lists on a device.
    pub fn new<E: Real>(choice: Choice, device: &D) -> Result<Self, D::Err>
    where
        D: Device<E>,
    {
        let place = |list: Vec<Option<usize>>| {
            let padded = list.contains(&None);
            let index: Vec<usize> = match padded {
                true => list.into_iter().map(|row| row.map_or(0, |row| row + 1)).collect(),
                false => list.into_iter().flatten().collect(),
            };
            let len = index.len();
            Ok(Rows { index: device.try_tensor_from_vec(index, (len,))?, padded })
        };
        let lists = choice.rows.into_iter().map(place).collect::<Result<_, D::Err>>()?;
        Ok(Chosen { rows: lists, factors: choice.factors })
    }
}

/// What the operations of a network choose, by node, as far as it has been counted.
#[derive(Debug)]
pub struct Lists<D: Storage<usize>>(RefCell<HashMap<usize, Rc<Chosen<D>>>>);

impl<D: Storage<usize>> Default for Lists<D> {
    fn default() -> Self {
        Lists(RefCell::default())
    }
}

impl<D: Storage<usize>> Lists<D> {
    /// What node `id` chooses: what is known, or what `count` finds.
    pub fn of(&self, id: usize, count: impl FnOnce() -> Result<Chosen<D>, D::Err>) -> Result<Rc<Chosen<D>>, D::Err> {
        if let Some(chosen) = self.0.borrow().get(&id) {
            return Ok(chosen.clone());
        }
        let chosen = Rc::new(count()?);
        self.0.borrow_mut().insert(id, chosen.clone());
        Ok(chosen)
    }
}

/// These rows of `x`.
pub fn choose<E: Real, D: Device<E>, T: NetTape<E, D>>(
    x: Flat<E, D, T>,
    rows: &Rows<D>,
) -> Result<Flat<E, D, T>, D::Err> {
    if !rows.padded {
        return x.try_gather(rows.index.clone());
    }
    let zeros: Flat<E, D> = x.device().try_zeros_like(&(1_usize, x.shape().1))?;
    let (x, tape) = x.split_tape();
    (zeros.put_tape(tape), x).try_concat_along(Axis::<0>)?.try_gather(rows.index.clone())
}

/// The input positions along one dimension that a window at output position `o` covers, in order; outside: `None`.
pub fn window(
    o: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    input: usize,
) -> Vec<Option<usize>> {
    let position = |tap: usize| (o * stride + tap * dilation).checked_sub(before).filter(|position| *position < input);
    (0..kernel).map(position).collect()
}
