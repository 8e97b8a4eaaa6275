//! Tensors that are known before the network runs: weights, shapes, lists of whole numbers.
//!
//! A file is not to be trusted: what a tensor says about its size is held against the bytes that are there before anything is allocated.

use super::error::ImportError;
use crate::proto::{DataLocation, DataType, Tensor};
use half::{bf16, f16};
use prost::bytes::Bytes;
use std::rc::Rc;

/// A whole number, or the number of images, which is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whole {
    Number(i64),
    Batch,
}

impl Whole {
    pub fn number(self) -> Option<i64> {
        match self {
            Whole::Number(n) => Some(n),
            Whole::Batch => None,
        }
    }
}

/// Elements in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    Floats(Rc<[f32]>),
    Whole(Rc<[Whole]>),
}

/// A tensor with its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    pub shape: Vec<usize>,
    pub data: Data,
}

impl Constant {
    pub fn floats(shape: Vec<usize>, values: Vec<f32>) -> Self {
        Constant { shape, data: Data::Floats(values.into()) }
    }

    pub fn whole(shape: Vec<usize>, values: Vec<Whole>) -> Self {
        Constant { shape, data: Data::Whole(values.into()) }
    }

    pub fn len(&self) -> usize {
        match &self.data {
            Data::Floats(values) => values.len(),
            Data::Whole(values) => values.len(),
        }
    }

    /// Its elements in single precision.
    pub fn as_floats(&self) -> Option<Rc<[f32]>> {
        match &self.data {
            Data::Floats(values) => Some(Rc::clone(values)),
            Data::Whole(values) => values.iter().map(|value| value.number().map(|n| n as f32)).collect(),
        }
    }

    /// Its elements as whole numbers.
    pub fn as_whole(&self) -> Option<&[Whole]> {
        match &self.data {
            Data::Whole(values) => Some(values),
            Data::Floats(_) => None,
        }
    }

    /// Its elements as whole numbers that are known.
    pub fn numbers(&self) -> Option<Vec<i64>> {
        self.as_whole()?.iter().map(|value| value.number()).collect()
    }

    /// The one number that it is everywhere.
    pub fn scalar(&self) -> Option<f64> {
        let values = self.as_floats()?;
        let first = *values.first()?;
        values.iter().all(|value| *value == first).then_some(f64::from(first))
    }
}

/// The bytes of a file beside the model, by its name.
pub type Beside<'a> = dyn Fn(&str) -> Result<Bytes, String> + 'a;

/// Reads a tensor of the file.
pub fn read(tensor: &Tensor, beside: &Beside<'_>) -> Result<Constant, ImportError> {
    read_inner(tensor, beside).map_err(|problem| ImportError::Tensor { name: tensor.name.clone(), problem })
}

fn read_inner(tensor: &Tensor, beside: &Beside<'_>) -> Result<Constant, String> {
    let shape: Option<Vec<usize>> = tensor.dims.iter().map(|dim| usize::try_from(*dim).ok()).collect();
    let shape = shape.ok_or("a dimension is negative")?;
    let count = shape.iter().try_fold(1_usize, |product, dim| product.checked_mul(*dim));
    let count = count.ok_or("its dimensions are larger than any file")?;
    let number = tensor.data_type.unwrap_or_default();
    let kind = DataType::try_from(number).map_err(|_| format!("the element type {number} is not one of numbers"))?;
    let raw = match tensor.data_location {
        Some(place) if place == DataLocation::External as i32 => Some(external(tensor, beside)?),
        _ => tensor.raw_data.clone(),
    };
    let data = match &raw {
        Some(raw) => from_raw(kind, raw, count)?,
        None => from_fields(kind, tensor, count)?,
    };
    Ok(Constant { shape, data })
}

fn from_raw(kind: DataType, raw: &[u8], count: usize) -> Result<Data, String> {
    let size = match kind {
        DataType::Uint8 | DataType::Int8 | DataType::Bool => 1,
        DataType::Float16 | DataType::Bfloat16 => 2,
        DataType::Float | DataType::Int32 => 4,
        DataType::Int64 | DataType::Double => 8,
        DataType::Undefined => return Err("it has no element type".into()),
    };
    let wanted = count.checked_mul(size).ok_or("its dimensions are larger than any file")?;
    if raw.len() != wanted {
        return Err(format!("its dimensions need {wanted} bytes, and there are {}", raw.len()));
    }
    fn each<const N: usize, T>(raw: &[u8], value: impl Fn([u8; N]) -> T) -> Vec<T> {
        raw.chunks_exact(N).filter_map(|chunk| chunk.try_into().ok()).map(value).collect()
    }
    let whole = |values: Vec<i64>| Data::Whole(values.into_iter().map(Whole::Number).collect());
    Ok(match kind {
        DataType::Float => Data::Floats(each(raw, f32::from_le_bytes).into()),
        DataType::Double => Data::Floats(each(raw, |bytes| f64::from_le_bytes(bytes) as f32).into()),
        DataType::Float16 => Data::Floats(each(raw, |bytes| f16::from_bits(u16::from_le_bytes(bytes)).to_f32()).into()),
        DataType::Bfloat16 => {
            Data::Floats(each(raw, |bytes| bf16::from_bits(u16::from_le_bytes(bytes)).to_f32()).into())
        }
        DataType::Int64 => whole(each(raw, i64::from_le_bytes)),
        DataType::Int32 => whole(each(raw, |bytes| i32::from_le_bytes(bytes).into())),
        DataType::Int8 => whole(each(raw, |bytes| i8::from_le_bytes(bytes).into())),
        DataType::Uint8 | DataType::Bool => whole(each(raw, |[byte]: [u8; 1]| byte.into())),
        DataType::Undefined => return Err("it has no element type".into()),
    })
}

fn from_fields(kind: DataType, tensor: &Tensor, count: usize) -> Result<Data, String> {
    let checked = |found: usize| match found == count {
        true => Ok(()),
        false => Err(format!("its dimensions need {count} elements, and there are {found}")),
    };
    match kind {
        DataType::Float => {
            checked(tensor.float_data.len())?;
            Ok(Data::Floats(tensor.float_data.as_slice().into()))
        }
        DataType::Double => {
            checked(tensor.double_data.len())?;
            Ok(Data::Floats(tensor.double_data.iter().map(|value| *value as f32).collect()))
        }
        DataType::Float16 | DataType::Bfloat16 => {
            checked(tensor.int32_data.len())?;
            let value = |bits: &i32| match kind {
                DataType::Float16 => f16::from_bits(*bits as u16).to_f32(),
                _ => bf16::from_bits(*bits as u16).to_f32(),
            };
            Ok(Data::Floats(tensor.int32_data.iter().map(value).collect()))
        }
        DataType::Int64 => {
            checked(tensor.int64_data.len())?;
            Ok(Data::Whole(tensor.int64_data.iter().map(|value| Whole::Number(*value)).collect()))
        }
        DataType::Int32 | DataType::Int8 | DataType::Uint8 | DataType::Bool => {
            checked(tensor.int32_data.len())?;
            Ok(Data::Whole(tensor.int32_data.iter().map(|value| Whole::Number((*value).into())).collect()))
        }
        DataType::Undefined => Err("it has no element type".into()),
    }
}

/// The bytes of a tensor in a file beside the model, and nowhere else.
fn external(tensor: &Tensor, beside: &Beside<'_>) -> Result<Bytes, String> {
    let entry =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    let location = entry("location").ok_or("it does not say in which file its elements are")?;
    let plain =
        !location.is_empty() && location != ".." && location != "." && !location.contains(['/', '\\', ':', '\0']);
    if !plain {
        return Err(format!("its elements are in {location:?}, and only files in the model's own folder are read"));
    }
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(text) => text.parse::<usize>().map(Some).map_err(|_| format!("its {key} is {text:?}, which is no number")),
    };
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    let file = beside(location)?;
    let end = length.map_or(Some(file.len()), |length| offset.checked_add(length));
    match end.filter(|end| offset <= *end && *end <= file.len()) {
        Some(end) => Ok(file.slice(offset..end)),
        None => Err(format!("its elements would end beyond {location}, which has {} bytes", file.len())),
    }
}
