//! PyTorch's files: a pickle that names tensors, and their storages beside it (as members of a zip archive since PyTorch 1.6,
//! one after the other before).
//!
//! A tensor is a call of `torch._utils._rebuild_tensor_v2` with a storage, an offset, a shape and strides; that call and the
//! few around it are all that is understood. Archives are read as PyTorch writes them, without compression.

use super::pickle::{self, Id, Object, Pickle};
use super::storage::View;
use super::{Entry, Kind, StateDict, WeightsError, invalid, member_names};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use zip::{CompressionMethod, ZipArchive};

const FORMAT: &str = "PyTorch";

fn bad(problem: impl Into<String>) -> WeightsError {
    invalid(FORMAT, problem)
}

/// The storages of a file, by key.
type Storages = BTreeMap<String, Vec<u8>>;

pub fn parse_zip(bytes: &[u8]) -> Result<StateDict, WeightsError> {
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|error| bad(format!("its archive is damaged: {error}")))?;
    let names = member_names(&archive)?;
    let Some(prefix) = names.iter().find_map(|name| name.strip_suffix("data.pkl")).map(String::from) else {
        let first = names.first().map_or("nothing".into(), |name| format!("`{name}`"));
        return Err(bad(format!("its archive has no `data.pkl`, which lists the tensors; it starts with {first}")));
    };
    let mut budget = bytes.len();
    if let Some(order) = names.iter().find(|name| **name == format!("{prefix}byteorder")) {
        let order = member(&mut archive, order, &mut budget)?;
        if order != b"little" {
            return Err(bad(format!("its byte order is {:?}; only little is read", String::from_utf8_lossy(&order))));
        }
    }
    let pickle = member(&mut archive, &format!("{prefix}data.pkl"), &mut budget)?;
    let pickle = pickle::parse(&pickle).map_err(bad)?;
    let folder = format!("{prefix}data/");
    let mut storages = Storages::new();
    for name in &names {
        if let Some(key) = name.strip_prefix(&folder).filter(|key| !key.is_empty()) {
            storages.insert(key.into(), member(&mut archive, name, &mut budget)?);
        }
    }
    state_dict(&pickle, &storages, bytes.len())
}

/// A member of the archive. All together may not be longer than the file, as they are where no two overlap.
fn member(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str, budget: &mut usize) -> Result<Vec<u8>, WeightsError> {
    let damaged = |error: &dyn std::fmt::Display| bad(format!("`{name}` in its archive is damaged: {error}"));
    let file = archive.by_name(name).map_err(|error| damaged(&error))?;
    if file.compression() != CompressionMethod::Stored {
        return Err(bad(format!("`{name}` in its archive is compressed, which PyTorch never does")));
    }
    let size = usize::try_from(file.size()).unwrap_or(usize::MAX);
    let Some(left) = budget.checked_sub(size) else {
        return Err(bad(format!("`{name}` in its archive claims {size} bytes, more than there are")));
    };
    *budget = left;
    let mut bytes = Vec::with_capacity(size);
    file.take(size as u64).read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
    if bytes.len() != size {
        return Err(bad(format!("`{name}` in its archive ends after {} of {size} bytes", bytes.len())));
    }
    Ok(bytes)
}

/// PyTorch's magic number, 0x1950a86a20f9469cfc6c, as the pickle reader tells it.
const MAGIC: &str = "1950a86a20f9469cfc6c";

pub fn parse_legacy(bytes: &[u8]) -> Result<StateDict, WeightsError> {
    let mut at = 0;
    let mut next = || {
        let found = pickle::parse(bytes.get(at..).unwrap_or_default()).map_err(bad)?;
        at += found.end;
        Ok::<Pickle, WeightsError>(found)
    };
    let magic = next()?;
    if magic.text(magic.root) != Some(MAGIC) {
        return Err(bad("it is a pickle, but not one of PyTorch's: the magic number is missing"));
    }
    // The protocol's number and the sizes of the writer's integers.
    let (_, _) = (next()?, next()?);
    let (pickle, keys) = (next()?, next()?);
    let kinds = storage_kinds(&pickle)?;
    let mut storages = Storages::new();
    let keys_listed = keys.tuple(keys.root).ok_or_else(|| bad("the list of storages is missing"))?;
    for key in keys_listed {
        let key = keys.text(*key).ok_or_else(|| bad("the key of a storage is no text"))?;
        let header = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
        let count = header.map(|count| u64::from_le_bytes(*count));
        let size = kinds.get(key).map_or(1, |kind| kind.size()) as u64;
        let end = count.and_then(|n| n.checked_mul(size)).and_then(|len| usize::try_from(len).ok());
        let range = end.and_then(|len| Some(at + 8..(at + 8).checked_add(len)?));
        let Some(data) = range.clone().and_then(|range| bytes.get(range)) else {
            let left = bytes.len().saturating_sub(at + 8);
            return Err(bad(format!(
                "storage `{key}` claims {} elements of {size} bytes at byte {at}, but {left} bytes are left",
                count.unwrap_or(0)
            )));
        };
        storages.insert(key.into(), data.to_vec());
        at += 8 + data.len();
    }
    state_dict(&pickle, &storages, bytes.len())
}

/// The type of each storage that the pickle refers to.
fn storage_kinds(pickle: &Pickle) -> Result<BTreeMap<String, Kind>, WeightsError> {
    let mut kinds = BTreeMap::new();
    for object in &pickle.objects {
        if let Object::Persistent(reference) = object {
            let (key, kind) = storage(pickle, *reference)?;
            kinds.insert(key.to_string(), kind);
        }
    }
    Ok(kinds)
}

/// Key and type of the storage that `("storage", torch.FloatStorage, key, device, count)` refers to.
fn storage(pickle: &Pickle, reference: Id) -> Result<(&str, Kind), WeightsError> {
    let parts = pickle.tuple(reference).unwrap_or_default();
    let (Some(class), Some(key)) = (parts.get(1), parts.get(2)) else {
        return Err(bad("a reference to a storage is incomplete"));
    };
    let class = pickle.global(*class).unwrap_or("something else");
    let kind = match class.rsplit('.').next().unwrap_or_default() {
        "HalfStorage" => Kind::F16,
        "BFloat16Storage" => Kind::BF16,
        "FloatStorage" => Kind::F32,
        "DoubleStorage" => Kind::F64,
        "CharStorage" => Kind::I8,
        "ShortStorage" => Kind::I16,
        "IntStorage" => Kind::I32,
        "LongStorage" => Kind::I64,
        "ByteStorage" => Kind::U8,
        "BoolStorage" => Kind::Bool,
        _ => return Err(bad(format!("a tensor has its elements in `{class}`, which is not read"))),
    };
    // An older form has a view of another storage here, which newer readers do not follow either.
    if parts.get(5).is_some_and(|view| !matches!(pickle.get(*view), Object::None)) {
        return Err(bad("a storage is a view of another one, a form of PyTorch before 0.4"));
    }
    let key = pickle.text(*key).ok_or_else(|| bad("the key of a storage is no text"))?;
    Ok((key, kind))
}

/// Names under which a checkpoint keeps its state dict.
const NESTED: &[&str] = &["state_dict", "model_state_dict", "model", "net", "params"];

fn state_dict(pickle: &Pickle, storages: &Storages, file_len: usize) -> Result<StateDict, WeightsError> {
    let top = pickle.items(pickle.root).ok_or_else(|| match pickle.get(pickle.root) {
        Object::Call { function, .. } => {
            let name = pickle.global(*function).unwrap_or("something");
            bad(format!(
                "it calls `{name}`, and only state dicts are read: save `model.state_dict()` instead of the model"
            ))
        }
        _ => bad("it holds no state dict"),
    })?;
    let named = |items: &[(Id, Id)], name: &str| {
        items.iter().find(|(key, _)| pickle.text(*key) == Some(name)).and_then(|(_, value)| pickle.items(*value))
    };
    let holds_tensors = |items: &[(Id, Id)]| items.iter().any(|(_, value)| is_tensor(pickle, *value));
    let nested = NESTED.iter().filter_map(|name| named(top, name)).find(|items| holds_tensors(items));
    let items = if holds_tensors(top) { top } else { nested.unwrap_or(top) };
    // Tensors may share storages; a file that repeats one without end is refused.
    let mut budget = file_len.saturating_mul(8).saturating_add(1 << 20);
    let mut entries: Vec<Entry> = Vec::new();
    for (key, value) in items {
        let Some(name) = pickle.text(*key) else { continue };
        if !is_tensor(pickle, *value) {
            continue;
        }
        let entry = tensor(pickle, *value, name, storages)?;
        budget = budget
            .checked_sub(entry.bytes.len())
            .ok_or_else(|| bad("its tensors repeat the same elements over and over"))?;
        match entries.iter_mut().find(|known| known.name == entry.name) {
            Some(known) => *known = entry,
            None => entries.push(entry),
        }
    }
    if entries.is_empty() {
        let keys: Vec<&str> = top.iter().filter_map(|(key, _)| pickle.text(*key)).take(8).collect();
        let keys = if keys.is_empty() { "nothing".into() } else { keys.join(", ") };
        return Err(bad(format!("it holds no tensors; at the top there is {keys}")));
    }
    // What `DataParallel` puts before each name.
    if entries.iter().all(|entry| entry.name.starts_with("module.")) {
        entries.iter_mut().for_each(|entry| entry.name = entry.name.replacen("module.", "", 1));
    }
    Ok(StateDict { entries, metadata: BTreeMap::new() })
}

/// The name and arguments of a call.
fn call(pickle: &Pickle, id: Id) -> Option<(&str, &[Id])> {
    match pickle.get(id) {
        Object::Call { function, arguments, .. } => Some((pickle.global(*function)?, pickle.tuple(*arguments)?)),
        _ => None,
    }
}

/// Whether it is made as tensors are, those that are not read included: they have to be errors, not missing.
fn is_tensor(pickle: &Pickle, id: Id) -> bool {
    const MAKERS: [&str; 2] = ["torch._utils._rebuild_", "torch._tensor._rebuild_"];
    call(pickle, id).is_some_and(|(name, _)| MAKERS.iter().any(|maker| name.starts_with(maker)))
}

fn tensor(pickle: &Pickle, id: Id, name: &str, storages: &Storages) -> Result<Entry, WeightsError> {
    let bad = |problem: String| bad(format!("`{name}`: {problem}"));
    let (mut function, mut arguments) = call(pickle, id).ok_or_else(|| bad("it is no tensor".into()))?;
    // A parameter holds its tensor; a parameter of a parameter does not exist.
    if function.starts_with("torch._utils._rebuild_parameter") {
        let inner = arguments.first().and_then(|inner| call(pickle, *inner));
        (function, arguments) = inner.ok_or_else(|| bad("a parameter without a tensor".into()))?;
    }
    if !matches!(function, "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor") {
        return Err(bad(format!("it is made by `{function}`; only dense tensors are read")));
    }
    let [reference, offset, shape, strides, ..] = arguments else {
        return Err(bad("its description is incomplete".into()));
    };
    let Object::Persistent(reference) = pickle.get(*reference) else {
        return Err(bad("its storage is missing".into()));
    };
    let (key, kind) = storage(pickle, *reference)?;
    let count = |id: Id| pickle.int(id).and_then(|n| usize::try_from(n).ok());
    let counts = |id: Id| pickle.tuple(id)?.iter().map(|n| count(*n)).collect::<Option<Vec<usize>>>();
    let (Some(offset), Some(shape), Some(strides)) = (count(*offset), counts(*shape), counts(*strides)) else {
        return Err(bad("its offset, shape or strides are no whole numbers from 0 on".into()));
    };
    let storage = storages.get(key).ok_or_else(|| bad(format!("its storage `{key}` is not in the file")))?;
    let view = View { storage, size: kind.size(), offset, shape: &shape, strides: &strides };
    let bytes = view.contiguous().map_err(bad)?;
    Ok(Entry { name: name.into(), shape, kind, bytes })
}
