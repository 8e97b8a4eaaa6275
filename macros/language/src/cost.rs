//! Counts of parameters, operations and pixels: polynomials in the network's const generics.

use std::collections::BTreeMap;

/// A size: a number, a const generic (by its index), or not known because of an error that has been reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dim {
    Known(u64),
    Symbol(usize),
    Unknown,
}

impl Dim {
    /// The number, if it is one.
    pub fn known(self) -> Option<u64> {
        if let Dim::Known(n) = self { Some(n) } else { None }
    }

    /// As a count; what is not known counts as 1, so that types stay plausible after an error.
    pub fn count(self) -> Count {
        match self {
            Dim::Known(n) => Count::number(i128::from(n)),
            Dim::Symbol(index) => Count(BTreeMap::from([(vec![index], 1)])),
            Dim::Unknown => Count::number(1),
        }
    }
}

/// A polynomial: for each product of symbols (sorted), its coefficient.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Count(BTreeMap<Vec<usize>, i128>);

impl Count {
    /// A constant.
    pub fn number(n: i128) -> Self {
        Count(BTreeMap::from([(Vec::new(), n)]))
    }

    /// The sum.
    pub fn plus(&self, other: &Count) -> Count {
        let mut sum = self.clone();
        for (symbols, coefficient) in &other.0 {
            let entry = sum.0.entry(symbols.clone()).or_default();
            *entry = entry.saturating_add(*coefficient);
        }
        sum
    }

    /// The product.
    pub fn times(&self, other: &Count) -> Count {
        let mut product = Count::default();
        for (a, x) in &self.0 {
            for (b, y) in &other.0 {
                let mut symbols = [a.as_slice(), b.as_slice()].concat();
                symbols.sort_unstable();
                let entry = product.0.entry(symbols).or_default();
                *entry = entry.saturating_add(x.saturating_mul(*y));
            }
        }
        product
    }

    /// Whether this is never less than `other`, whatever the symbols (which are positive) stand for.
    fn covers(&self, other: &Count) -> bool {
        self.plus(&other.times(&Count::number(-1))).0.values().all(|coefficient| *coefficient >= 0)
    }

    /// The value where each symbol has the number that `value` gives; `None` where it gives none.
    pub fn evaluate(&self, value: impl Fn(usize) -> Option<u64>) -> Option<i128> {
        self.0.iter().try_fold(0_i128, |sum, (symbols, coefficient)| {
            let term = symbols.iter().try_fold(*coefficient, |product, symbol| {
                value(*symbol).map(|value| product.saturating_mul(i128::from(value)))
            })?;
            Some(sum.saturating_add(term))
        })
    }

    /// Its terms: the symbols of each product (by their indices, sorted) and the coefficient.
    pub fn terms(&self) -> impl Iterator<Item = (&[usize], i128)> {
        self.0.iter().map(|(symbols, coefficient)| (symbols.as_slice(), *coefficient))
    }
}

/// The product of dimensions.
pub fn product(dims: &[Dim]) -> Count {
    dims.iter().fold(Count::number(1), |product, dim| product.times(&dim.count()))
}

/// Those of `counts` of which one is the largest, whatever the symbols stand for.
pub fn largest(counts: impl IntoIterator<Item = Count>) -> Vec<Count> {
    let mut best: Vec<Count> = Vec::new();
    for count in counts {
        if !best.iter().any(|known| known.covers(&count)) {
            best.retain(|known| !count.covers(known));
            best.push(count);
        }
    }
    best
}
