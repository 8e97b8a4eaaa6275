//! Operators on numbers that are known before the network runs. Exporters compute shapes by them: `x.view(x.size(0), -1)` becomes five.
//!
//! What is made here is bounded by what there is: a list of whole numbers, or as many elements as the inputs have.

use super::attributes::Attributes;
use super::constant::{Constant, Data, Whole};
use std::rc::Rc;

/// Lists of whole numbers are shapes and the like.
const LONGEST: usize = 1 << 12;

/// The value of an operator on constants, if it is one that exporters compute with.
pub fn fold(op: &str, attributes: Attributes<'_>, inputs: &[Option<&Constant>]) -> Option<Constant> {
    let first = *inputs.first()?.as_ref()?;
    let second = || inputs.get(1).copied().flatten();
    match op {
        "Identity" | "Cast" | "CastLike" => cast(op, attributes, first),
        "Reshape" => reshaped(first, second()?.numbers()?),
        "Unsqueeze" | "Squeeze" => with_ones(op, first, attributes, second()),
        "Transpose" => transposed(first, attributes.ints("perm")),
        "Concat" => joined(inputs),
        "Gather" => gathered(first, second()?, attributes.int("axis").unwrap_or(0)),
        "Slice" => sliced(first, attributes, inputs),
        "ConstantOfShape" => filled(first, attributes),
        "Add" | "Sub" | "Mul" | "Div" | "Equal" => arithmetic(op, first, second()?),
        "Where" => chosen(first, second()?, inputs.get(2).copied().flatten()?),
        "Neg" | "Sqrt" | "Exp" | "Floor" | "Ceil" | "Reciprocal" => function(op, first),
        "ReduceProd" => {
            let product = first.numbers()?.iter().try_fold(1_i64, |product, n| product.checked_mul(*n))?;
            Some(Constant::whole(Vec::new(), vec![Whole::Number(product)]))
        }
        _ => None,
    }
}

fn cast(op: &str, attributes: Attributes<'_>, from: &Constant) -> Option<Constant> {
    let to = if op == "Cast" { attributes.int("to") } else { None };
    match (&from.data, to) {
        // Whole numbers.
        (Data::Floats(values), Some(6 | 7)) => {
            let whole = values.iter().map(|value| Whole::Number(*value as i64)).collect();
            Some(Constant { shape: from.shape.clone(), data: Data::Whole(whole) })
        }
        // Numbers with a point.
        (Data::Whole(values), Some(1 | 10 | 11 | 16)) if values.iter().all(|value| value.number().is_some()) => {
            Some(Constant { shape: from.shape.clone(), data: Data::Floats(from.as_floats()?) })
        }
        _ => Some(from.clone()),
    }
}

fn reshaped(from: &Constant, to: Vec<i64>) -> Option<Constant> {
    let known: i64 = to.iter().filter(|size| **size > 0).try_fold(1_i64, |product, size| product.checked_mul(*size))?;
    let len = i64::try_from(from.len()).ok()?;
    let size = |(i, size): (usize, &i64)| match *size {
        -1 => len.checked_div(known).and_then(|size| usize::try_from(size).ok()),
        0 => from.shape.get(i).copied(),
        size => usize::try_from(size).ok(),
    };
    let shape: Vec<usize> = to.iter().enumerate().map(size).collect::<Option<_>>()?;
    let count = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size))?;
    (count == from.len()).then(|| Constant { shape, data: from.data.clone() })
}

/// A tensor with more or fewer dimensions of one.
fn with_ones(op: &str, from: &Constant, attributes: Attributes<'_>, axes: Option<&Constant>) -> Option<Constant> {
    let said = match attributes.ints("axes") {
        Some(axes) => Some(axes.to_vec()),
        None => axes.and_then(Constant::numbers),
    };
    let mut shape = from.shape.clone();
    let rank = shape.len() + if op == "Unsqueeze" { said.as_ref()?.len() } else { 0 };
    let place = |axis: &i64| usize::try_from(if *axis < 0 { axis.checked_add(rank as i64)? } else { *axis }).ok();
    let places: Option<Vec<usize>> =
        said.map(|axes| axes.iter().map(place).collect::<Option<Vec<_>>>()).unwrap_or_default();
    if op == "Squeeze" {
        let kept = shape.iter().enumerate();
        let is_gone = |at: &usize, size: &usize| *size == 1 && places.as_ref().is_none_or(|places| places.contains(at));
        shape = kept.filter(|(at, size)| !is_gone(at, size)).map(|(_, size)| *size).collect();
    } else {
        let mut places = places?;
        places.sort_unstable();
        for at in places {
            if at > shape.len() {
                return None;
            }
            shape.insert(at, 1);
        }
    }
    Some(Constant { shape, data: from.data.clone() })
}

/// A tensor with its dimensions in another order.
fn transposed(from: &Constant, order: Option<&[i64]>) -> Option<Constant> {
    let rank = from.shape.len();
    let order: Vec<usize> = match order {
        None => (0..rank).rev().collect(),
        Some(order) => order.iter().map(|at| usize::try_from(*at).ok()).collect::<Option<_>>()?,
    };
    let mut sorted = order.clone();
    sorted.sort_unstable();
    // Without elements, a dimension may be as large as it likes.
    if sorted != (0..rank).collect::<Vec<_>>() || from.len() == 0 {
        return None;
    }
    let shape: Vec<usize> = order.iter().map(|at| from.shape[*at]).collect();
    let places = permuted(&from.shape, &order);
    let data = match &from.data {
        Data::Floats(values) => Data::Floats(places.iter().map(|at| values[*at]).collect()),
        Data::Whole(values) => Data::Whole(places.iter().map(|at| values[*at]).collect()),
    };
    Some(Constant { shape, data })
}

/// For each element of the transposed tensor, where it was.
fn permuted(shape: &[usize], order: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for at in (1..shape.len()).rev() {
        strides[at - 1] = strides[at] * shape[at];
    }
    let mut places = vec![0];
    for at in order {
        let steps = (0..shape[*at]).map(|i| i * strides[*at]);
        places = places.iter().flat_map(|place| steps.clone().map(move |step| place + step)).collect();
    }
    places
}

/// Lists one after the other.
fn joined(inputs: &[Option<&Constant>]) -> Option<Constant> {
    let all: Vec<&Constant> = inputs.iter().copied().collect::<Option<_>>()?;
    let len: usize = all.iter().map(|constant| constant.len()).sum();
    if len > LONGEST || all.iter().any(|constant| constant.shape.len() > 1) {
        return None;
    }
    let whole: Option<Vec<&[Whole]>> = all.iter().map(|constant| constant.as_whole()).collect();
    if let Some(whole) = whole {
        return Some(Constant::whole(vec![len], whole.concat()));
    }
    let floats = all.iter().map(|constant| constant.as_floats().map(|values| values.to_vec()));
    Some(Constant::floats(vec![len], floats.collect::<Option<Vec<_>>>()?.concat()))
}

fn gathered(from: &Constant, places: &Constant, axis: i64) -> Option<Constant> {
    let values = from.as_whole().filter(|_| axis == 0 && from.shape.len() <= 1)?;
    let shape = places.shape.clone();
    let places = places.numbers()?;
    let at = |place: &i64| {
        let place = if *place < 0 { place.checked_add(i64::try_from(values.len()).ok()?)? } else { *place };
        values.get(usize::try_from(place).ok()?).copied()
    };
    let found: Vec<Whole> = places.iter().take(LONGEST).map(at).collect::<Option<_>>()?;
    (found.len() == places.len()).then(|| Constant::whole(shape, found))
}

/// A part of a tensor of whole numbers along its first dimension, forwards or backwards.
fn sliced(from: &Constant, attributes: Attributes<'_>, inputs: &[Option<&Constant>]) -> Option<Constant> {
    let values = from.as_whole()?;
    let bound = |name: &str, at: usize| match attributes.ints(name) {
        Some(values) => (values.len() == 1).then(|| values.first().copied())?,
        None => inputs.get(at).copied().flatten()?.numbers()?.first().copied(),
    };
    let (axis, step) = (bound("axes", 3).unwrap_or(0), bound("steps", 4).unwrap_or(1));
    let rows = *from.shape.first()?;
    let row = values.len().checked_div(rows)?;
    if axis != 0 || !matches!(step, 1 | -1) {
        return None;
    }
    let len = i64::try_from(rows).ok()?;
    let place = |at: i64, low: i64, high: i64| (if at < 0 { at.saturating_add(len) } else { at }).clamp(low, high);
    let (start, end) = (bound("starts", 1)?, bound("ends", 2)?);
    let all: Vec<i64> = match step {
        1 => (place(start, 0, len)..place(end, 0, len)).collect(),
        _ => (place(end, -1, len - 1) + 1..=place(start, -1, len - 1)).rev().collect(),
    };
    let part = |at: &i64| values.get(usize::try_from(*at).ok()? * row..(usize::try_from(*at).ok()? + 1) * row);
    let found = all.iter().map(part).collect::<Option<Vec<_>>>()?.concat();
    let mut shape = from.shape.clone();
    *shape.first_mut()? = all.len();
    Some(Constant::whole(shape, found))
}

fn filled(shape: &Constant, attributes: Attributes<'_>) -> Option<Constant> {
    let sizes: Vec<usize> = shape.numbers()?.iter().map(|size| usize::try_from(*size).ok()).collect::<Option<_>>()?;
    let count = sizes.iter().try_fold(1_usize, |product, size| product.checked_mul(*size))?;
    let value = attributes.tensor("value");
    let whole = value.and_then(|tensor| tensor.int64_data.first().copied());
    let raw = value.filter(|tensor| tensor.data_type == Some(7)).and_then(|tensor| {
        let bytes: [u8; 8] = tensor.raw_data.as_ref()?.as_ref().try_into().ok()?;
        Some(i64::from_le_bytes(bytes))
    });
    if count > LONGEST {
        return None;
    }
    match (whole.or(raw), value) {
        (Some(number), _) => Some(Constant::whole(sizes, vec![Whole::Number(number); count])),
        // Nothing said is zero in single precision.
        (None, None) => Some(Constant::floats(sizes, vec![0.0; count])),
        (None, Some(_)) => None,
    }
}

/// The element at `i` of a list, or the one that stands for all.
fn at<T: Copy>(values: &[T], i: usize) -> Option<T> {
    if values.len() == 1 { values.first().copied() } else { values.get(i).copied() }
}

fn arithmetic(op: &str, a: &Constant, b: &Constant) -> Option<Constant> {
    let (count, shape) = if a.len() >= b.len() { (a.len(), &a.shape) } else { (b.len(), &b.shape) };
    if (a.len() != count && a.len() != 1) || (b.len() != count && b.len() != 1) {
        return None;
    }
    if let (Some(left), Some(right)) = (a.as_whole(), b.as_whole()) {
        let value = |i: usize| {
            let pair = (at(left, i)?, at(right, i)?);
            if op == "Equal" {
                return Some(Whole::Number((pair.0 == pair.1).into()));
            }
            let (Whole::Number(x), Whole::Number(y)) = pair else { return None };
            let found = match op {
                "Add" => x.checked_add(y),
                "Sub" => x.checked_sub(y),
                "Mul" => x.checked_mul(y),
                _ => x.checked_div(y),
            };
            found.map(Whole::Number)
        };
        let values = (0..count.min(LONGEST)).map(value).collect::<Option<Vec<_>>>()?;
        return Some(Constant::whole(shape.clone(), values)).filter(|_| count <= LONGEST);
    }
    let (left, right) = (a.as_floats()?, b.as_floats()?);
    let value = |i: usize| {
        let (x, y) = (at(&left, i)?, at(&right, i)?);
        match op {
            "Add" => Some(x + y),
            "Sub" => Some(x - y),
            "Mul" => Some(x * y),
            "Div" => Some(x / y),
            _ => None,
        }
    };
    let values = (0..count).map(value).collect::<Option<Vec<_>>>()?;
    Some(Constant::floats(shape.clone(), values))
}

fn chosen(condition: &Constant, yes: &Constant, no: &Constant) -> Option<Constant> {
    let (condition, yes, no) = (condition.as_whole()?, yes.as_whole()?, no.as_whole()?);
    let count = condition.len().max(yes.len()).max(no.len());
    let value = |i: usize| match at(condition, i)? {
        Whole::Number(0) => at(no, i),
        Whole::Number(_) | Whole::Batch => at(yes, i),
    };
    let values = (0..count.min(LONGEST)).map(value).collect::<Option<Vec<_>>>()?;
    Some(Constant::whole(vec![values.len()], values))
}

fn function(op: &str, from: &Constant) -> Option<Constant> {
    if let (Data::Whole(values), "Neg" | "Floor" | "Ceil") = (&from.data, op) {
        let value = |value: &Whole| value.number().map(|n| if op == "Neg" { n.wrapping_neg() } else { n });
        let values: Rc<[Whole]> =
            values.iter().map(|one| value(one).map(Whole::Number)).collect::<Option<Vec<_>>>()?.into();
        return Some(Constant { shape: from.shape.clone(), data: Data::Whole(values) });
    }
    let value = |x: &f32| match op {
        "Neg" => -x,
        "Sqrt" => x.sqrt(),
        "Exp" => x.exp(),
        "Floor" => x.floor(),
        "Ceil" => x.ceil(),
        _ => 1.0 / x,
    };
    let values: Vec<f32> = from.as_floats()?.iter().map(value).collect();
    Some(Constant::floats(from.shape.clone(), values))
}
