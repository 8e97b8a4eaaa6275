//! Tensors as PyTorch's pickles describe them: a call of one of a dozen functions.
//!
//! In the end most of them come to `_rebuild_tensor_v2` with a storage, an offset, a shape and strides. Around it there may be
//! a parameter, and around that attributes of Python's, which change no number. What changes numbers (a sign kept aside, scales of
//! quantisation) is either done here or refused.

use super::pickle::{Id, Object, Pickle};
use super::storage::View;
use super::{DType, Entry, FormatError, invalid};
use std::collections::BTreeMap;

/// A file of PyTorch that is damaged, or has what nobody here can read.
pub(super) fn bad(problem: impl Into<String>) -> FormatError {
    invalid("PyTorch", problem)
}

/// The storages of a file.
#[derive(Default)]
pub struct Storages {
    /// Their bytes, by key.
    pub by_key: BTreeMap<String, Vec<u8>>,
    /// Whether numbers are written with their highest byte first.
    pub big_endian: bool,
}

/// What a storage holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elements {
    /// Elements of one type.
    Of(DType),
    /// Bytes; the tensor says what they are.
    Bytes,
}

impl Elements {
    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Elements::Of(kind) => kind.size(),
            Elements::Bytes => 1,
        }
    }
}

/// Key and type of the storage that `("storage", torch.FloatStorage, key, device, count)` refers to.
pub fn storage(pickle: &Pickle, reference: Id) -> Result<(&str, Elements), FormatError> {
    let parts = pickle.tuple(reference).unwrap_or_default();
    let (Some(class), Some(key)) = (parts.get(1), parts.get(2)) else {
        return Err(bad("a reference to a storage is incomplete"));
    };
    let class = pickle.global(*class).unwrap_or("something else");
    let kind = match class.rsplit('.').next().unwrap_or_default() {
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "CharStorage" => DType::I8,
        "ShortStorage" => DType::I16,
        "IntStorage" => DType::I32,
        "LongStorage" => DType::I64,
        "ByteStorage" => DType::U8,
        "BoolStorage" => DType::Bool,
        "UntypedStorage" | "_UntypedStorage" => return Ok((key_of(pickle, *key)?, Elements::Bytes)),
        _ => return Err(bad(format!("a tensor has its elements in `{class}`, which is not read"))),
    };
    // An older form has a view of another storage here, which newer readers do not follow either.
    if parts.get(5).is_some_and(|view| !matches!(pickle.get(*view), Object::None)) {
        return Err(bad("a storage is a view of another one, a form of PyTorch before 0.4"));
    }
    Ok((key_of(pickle, *key)?, Elements::Of(kind)))
}

fn key_of(pickle: &Pickle, key: Id) -> Result<&str, FormatError> {
    pickle.text(key).ok_or_else(|| bad("the key of a storage is no text"))
}

/// The type that `torch.float32` and its like stand for.
fn dtype(name: &str) -> Option<DType> {
    Some(match name.strip_prefix("torch.")? {
        "float16" | "half" => DType::F16,
        "bfloat16" => DType::BF16,
        "float32" | "float" => DType::F32,
        "float64" | "double" => DType::F64,
        "int8" => DType::I8,
        "int16" | "short" => DType::I16,
        "int32" | "int" => DType::I32,
        "int64" | "long" => DType::I64,
        "uint8" => DType::U8,
        "bool" => DType::Bool,
        _ => return None,
    })
}

/// Whether it is made as tensors are, those that are not read included: they have to be errors, not missing.
pub fn is_tensor(pickle: &Pickle, id: Id) -> bool {
    const MAKERS: [&str; 2] = ["torch._utils._rebuild_", "torch._tensor._rebuild_"];
    pickle.call(id).is_some_and(|(name, _)| MAKERS.iter().any(|maker| name.starts_with(maker)))
}

/// Why a tensor that this function makes is not read.
fn refusal(function: &str) -> String {
    let name = function.rsplit('.').next().unwrap_or(function);
    let what = match name {
        "_rebuild_sparse_tensor" | "_rebuild_sparse_csr_tensor" => "it is a sparse tensor; save `x.to_dense()`",
        "_rebuild_nested_tensor" => "it is a nested tensor, of rows of unequal length",
        "_rebuild_qtensor" => "it is a quantised tensor; save `x.dequantize()`",
        "_rebuild_meta_tensor_no_storage" => "it is a tensor of the meta device, which has a shape and no numbers",
        "_rebuild_wrapper_subclass" => "it is of a class of its own, whose numbers are not where those of tensors are",
        "_rebuild_device_tensor_from_numpy" | "_rebuild_xla_tensor" => {
            "it is kept as a NumPy array of another device; save `x.cpu()`"
        }
        _ => return format!("it is made by `{function}`, which is not known here"),
    };
    format!("{what} (it is made by `{function}`)")
}

/// How many calls may be around a tensor.
const LAYERS: usize = 8;

/// The call that makes a tensor's numbers, and what is known of their type from the calls around it.
fn innermost(pickle: &Pickle, id: Id) -> Result<(&str, &[Id], Option<Id>), String> {
    let (mut function, mut arguments) = pickle.call(id).ok_or("it is no tensor")?;
    let mut wanted = None;
    for _ in 0..LAYERS {
        match function.rsplit('.').next().unwrap_or(function) {
            // (tensor, requires_grad, hooks) and (tensor, requires_grad, hooks, attributes)
            "_rebuild_parameter" | "_rebuild_parameter_with_state" => {
                let inner = arguments.first().and_then(|inner| pickle.call(*inner));
                (function, arguments) = inner.ok_or("it is a parameter without a tensor")?;
            }
            // (function, class, arguments, attributes)
            "_rebuild_from_type" | "_rebuild_from_type_v2" => {
                let inner = (arguments.first().and_then(|function| pickle.global(*function)))
                    .zip(arguments.get(2).and_then(|arguments| pickle.tuple(*arguments)));
                (function, arguments) = inner.ok_or("it has attributes, but no tensor")?;
            }
            // (tensor, type, device, requires_grad)
            "_rebuild_device_tensor_from_cpu_tensor" => {
                wanted = arguments.get(1).copied().or(wanted);
                let inner = arguments.first().and_then(|inner| pickle.call(*inner));
                (function, arguments) = inner.ok_or("it is of a device, but has no tensor")?;
            }
            _ => return Ok((function, arguments, wanted)),
        }
    }
    Err(format!("it is wrapped more than {LAYERS} times"))
}

/// Reads the tensor that a call makes, of at most `budget` bytes.
pub fn tensor(pickle: &Pickle, id: Id, name: &str, storages: &Storages, budget: usize) -> Result<Entry, FormatError> {
    let bad = |problem: String| bad(format!("`{name}`: {problem}"));
    let (function, arguments, wanted) = innermost(pickle, id).map_err(bad)?;
    let typed = match function {
        "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2" => true,
        "torch._utils._rebuild_tensor_v3" => false,
        _ => return Err(bad(refusal(function))),
    };
    let [reference, offset, shape, strides, rest @ ..] = arguments else {
        return Err(bad("its description is incomplete".into()));
    };
    let Object::Persistent(reference) = pickle.get(*reference) else {
        return Err(bad("its storage is missing".into()));
    };
    let (key, elements) = storage(pickle, *reference)?;
    // Behind these there are requires_grad, hooks and, in the third form, the type; then what the numbers do not tell.
    let (named, metadata) = if typed { (None, rest.get(2)) } else { (rest.get(2), rest.get(3)) };
    let named = named.map(|id| pickle.global(*id).unwrap_or("something else"));
    let kind = match (named.map(|name| dtype(name).ok_or(name)), elements) {
        (None, Elements::Of(kind)) | (Some(Ok(kind)), _) => kind,
        (Some(Err(name)), _) => return Err(bad(format!("its elements are of the type `{name}`, which is not read"))),
        (None, Elements::Bytes) => return Err(bad("its storage has bytes, and nothing says of which type".into())),
    };
    if let Some(wanted) =
        wanted.map(|id| pickle.global(id).unwrap_or("something else")).filter(|w| dtype(w) != Some(kind))
    {
        return Err(bad(format!("it is kept as {kind} and would be turned into `{wanted}`; save it as it is")));
    }
    let count = |id: Id| pickle.int(id).and_then(|n| usize::try_from(n).ok());
    let counts = |id: Id| pickle.tuple(id)?.iter().map(|n| count(*n)).collect::<Option<Vec<usize>>>();
    let (Some(offset), Some(shape), Some(strides)) = (count(*offset), counts(*shape), counts(*strides)) else {
        return Err(bad("its offset, shape or strides are no whole numbers from 0 on".into()));
    };
    let storage = storages.by_key.get(key).ok_or_else(|| bad(format!("its storage `{key}` is not in the file")))?;
    let view = View { storage, size: kind.size(), offset, shape: &shape, strides: &strides, budget };
    let mut bytes = view.contiguous().map_err(bad)?;
    if storages.big_endian {
        bytes.chunks_exact_mut(kind.size()).for_each(<[u8]>::reverse);
    }
    if negated(pickle, metadata.copied()).map_err(bad)? {
        negate(kind, &mut bytes).map_err(bad)?;
    }
    Ok(Entry { name: name.into(), shape, dtype: kind, bytes })
}

/// Whether the numbers are kept with the opposite sign, as views of conjugates are.
fn negated(pickle: &Pickle, metadata: Option<Id>) -> Result<bool, String> {
    let Some(metadata) = metadata.filter(|id| !matches!(pickle.get(*id), Object::None)) else { return Ok(false) };
    let items = pickle.items(metadata).ok_or("what follows its hooks is no dict")?;
    let mut negated = false;
    for (key, value) in items {
        let (key, value) = (pickle.text(*key).unwrap_or("something"), pickle.truth(*value));
        match (key, value) {
            ("neg", Some(truth)) => negated = truth,
            ("conj", Some(false)) => {}
            _ => return Err(format!("its mark `{key}` is not understood, and might change its numbers")),
        }
    }
    Ok(negated)
}

/// Turns the signs of little-endian numbers around.
fn negate(kind: DType, bytes: &mut [u8]) -> Result<(), String> {
    match kind {
        DType::F16 | DType::BF16 | DType::F32 | DType::F64 => {
            bytes.chunks_exact_mut(kind.size()).filter_map(<[u8]>::last_mut).for_each(|byte| *byte ^= 0x80);
        }
        DType::I8 | DType::I16 | DType::I32 | DType::I64 | DType::U8 => {
            for number in bytes.chunks_exact_mut(kind.size()) {
                // Two's complement: all bits turned around, and one more.
                let mut carry = true;
                for byte in number {
                    (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
                }
            }
        }
        DType::Bool => return Err("it is marked as negated, which truth values cannot be".into()),
    }
    Ok(())
}
