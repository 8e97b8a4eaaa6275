//! PyTorch's files: a pickle that names tensors, and their storages beside it (as members of a zip archive since PyTorch 1.6,
//! one after the other before).
//!
//! Which calls of the pickle mean a tensor is in [`super::rebuild`]. Archives are read as PyTorch writes them, without
//! compression.

use super::pickle::{self, Id, Object, Pickle};
use super::rebuild::{self, Storages, bad};
use super::{Candidate, Choose, Entry, FormatError, StateDict, archive};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use zip::{CompressionMethod, ZipArchive};

/// A file of PyTorch whose tensors have not been put together yet.
pub struct File {
    pickle: Pickle,
    storages: Storages,
    /// Bytes of the file.
    len: usize,
}

pub fn open_zip(bytes: &[u8]) -> Result<File, FormatError> {
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|error| bad(format!("its archive is damaged: {error}")))?;
    let names = archive::names(&archive)?;
    let Some(prefix) = names.iter().find_map(|name| name.strip_suffix("data.pkl")).map(String::from) else {
        let first = names.first().map_or("nothing".into(), |name| format!("`{name}`"));
        return Err(bad(format!("its archive has no `data.pkl`, which lists the tensors; it starts with {first}")));
    };
    let mut budget = bytes.len();
    let mut storages = Storages::default();
    if let Some(order) = names.iter().find(|name| **name == format!("{prefix}byteorder")) {
        let order = member(&mut archive, order, &mut budget)?;
        storages.big_endian = match &order[..] {
            b"little" => false,
            b"big" => true,
            other => {
                let problem = format!("its byte order is {:?}, not little or big", String::from_utf8_lossy(other));
                return Err(bad(problem));
            }
        };
    }
    let pickle = member(&mut archive, &format!("{prefix}data.pkl"), &mut budget)?;
    let pickle = pickle::parse(&pickle).map_err(bad)?;
    let folder = format!("{prefix}data/");
    for name in &names {
        if let Some(key) = name.strip_prefix(&folder).filter(|key| !key.is_empty()) {
            storages.by_key.insert(key.into(), member(&mut archive, name, &mut budget)?);
        }
    }
    Ok(File { pickle, storages, len: bytes.len() })
}

/// A member of the archive. All together may not be longer than the file, as they are where no two overlap.
fn member(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str, budget: &mut usize) -> Result<Vec<u8>, FormatError> {
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
    // PyTorch may be told to write no checksums; they are 0 then.
    archive::content(file, size, true).map_err(|problem| damaged(&problem))
}

/// PyTorch's magic number, 0x1950a86a20f9469cfc6c, as the pickle reader tells it.
const MAGIC: &str = "1950a86a20f9469cfc6c";

pub fn open_legacy(bytes: &[u8]) -> Result<File, FormatError> {
    let mut at = 0;
    let mut next = || {
        let found = pickle::parse(bytes.get(at..).unwrap_or_default()).map_err(bad)?;
        at += found.end;
        Ok::<Pickle, FormatError>(found)
    };
    let magic = next()?;
    if magic.text(magic.root) != Some(MAGIC) {
        return Err(bad("it is a pickle, but not one of PyTorch's: the magic number is missing"));
    }
    // The protocol's number and the sizes of the writer's integers.
    let (_, _) = (next()?, next()?);
    let (pickle, keys) = (next()?, next()?);
    let sizes = element_sizes(&pickle)?;
    let mut storages = Storages::default();
    let keys_listed = keys.tuple(keys.root).ok_or_else(|| bad("the list of storages is missing"))?;
    for key in keys_listed {
        let key = keys.text(*key).ok_or_else(|| bad("the key of a storage is no text"))?;
        let header = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
        let count = header.map(|count| u64::from_le_bytes(*count));
        let size = sizes.get(key).copied().unwrap_or(1) as u64;
        let end = count.and_then(|n| n.checked_mul(size)).and_then(|len| usize::try_from(len).ok());
        let range = end.and_then(|len| Some(at + 8..(at + 8).checked_add(len)?));
        let Some(data) = range.clone().and_then(|range| bytes.get(range)) else {
            let left = bytes.len().saturating_sub(at + 8);
            return Err(bad(format!(
                "storage `{key}` claims {} elements of {size} bytes at byte {at}, but {left} bytes are left",
                count.unwrap_or(0)
            )));
        };
        storages.by_key.insert(key.into(), data.to_vec());
        at += 8 + data.len();
    }
    Ok(File { pickle, storages, len: bytes.len() })
}

/// The size of the elements of each storage that the pickle refers to.
fn element_sizes(pickle: &Pickle) -> Result<BTreeMap<&str, usize>, FormatError> {
    let references = pickle.objects.iter().filter_map(|object| match object {
        Object::Persistent(reference) => Some(*reference),
        _ => None,
    });
    references
        .map(|reference| rebuild::storage(pickle, reference).map(|(key, elements)| (key, elements.size())))
        .collect()
}

/// Names under which a checkpoint keeps its state dict, the likely ones first.
const USUAL: [&str; 5] = ["state_dict", "model_state_dict", "model", "net", "params"];

/// How deep dicts are looked for in dicts.
const DEPTH: usize = 4;
/// How many state dicts of a file are offered, and how long a key may be that leads to one: more is no checkpoint of anybody's.
const MOST: usize = 64;
const LONGEST: usize = 256;

/// A key, which is a text or a number, and what it stands for.
type Member<'a> = (Cow<'a, str>, Id);

/// A state dict before it is read: what can be said about it, and the objects of its keys.
struct Found<'a> {
    candidate: Candidate<'a>,
    tensors: Vec<Id>,
}

impl File {
    /// Reads one of the file's state dicts.
    pub fn read(&self, choose: &mut Choose<'_>) -> Result<StateDict, FormatError> {
        let (candidates, mut tensors): (Vec<_>, Vec<_>) =
            self.state_dicts()?.into_iter().map(|found| (found.candidate, found.tensors)).unzip();
        let chosen = if candidates.len() > 1 { choose(&candidates)?.min(candidates.len() - 1) } else { 0 };
        let mut budget = self.len.saturating_mul(archive::EXPANSION).saturating_add(1 << 20);
        let mut entries: Vec<Entry> = Vec::new();
        for (name, id) in candidates[chosen].keys.iter().zip(tensors.swap_remove(chosen)) {
            let entry = rebuild::tensor(&self.pickle, id, name, &self.storages, budget)?;
            budget = budget.saturating_sub(entry.bytes.len());
            entries.push(entry);
        }
        Ok(StateDict { entries, metadata: BTreeMap::new() })
    }

    /// All dicts and lists with tensors in them, the likely ones first. Each is looked at once, however often it is referred to.
    fn state_dicts(&self) -> Result<Vec<Found<'_>>, FormatError> {
        let pickle = &self.pickle;
        if let (Object::Call { function, .. }, None) = (pickle.get(pickle.root), self.members(pickle.root)) {
            let name = pickle.global(*function).unwrap_or("something");
            return Err(bad(format!(
                "it calls `{name}`, and only state dicts are read: save `model.state_dict()` instead of the model"
            )));
        }
        let (mut found, mut level, mut seen) = (Vec::new(), vec![(String::new(), pickle.root)], BTreeSet::new());
        for _ in 0..DEPTH {
            let mut below = Vec::new();
            for (place, id) in level {
                let (mut keys, mut tensors, mut known) = (Vec::new(), Vec::new(), BTreeMap::new());
                for (key, id) in seen.insert(id).then(|| self.members(id)).flatten().unwrap_or_default() {
                    if rebuild::is_tensor(pickle, id) {
                        // A key that comes twice has its last value, as in Python.
                        match known.insert(key.clone(), tensors.len()).and_then(|at: usize| tensors.get_mut(at)) {
                            Some(before) => *before = id,
                            None => {
                                keys.push(key);
                                tensors.push(id);
                            }
                        }
                    } else if place.len() + key.len() < LONGEST {
                        let dot = if place.is_empty() { "" } else { "." };
                        below.push((format!("{place}{dot}{key}"), id));
                    }
                }
                if !tensors.is_empty() && found.len() < MOST {
                    found.push(Found { candidate: Candidate { place, keys }, tensors });
                }
            }
            level = below;
        }
        if found.is_empty() {
            return Err(bad(self.without_tensors()));
        }
        let rank = |place: &str| USUAL.iter().position(|name| *name == place).unwrap_or(USUAL.len());
        found.sort_by_key(|found| (!found.candidate.place.is_empty(), rank(&found.candidate.place)));
        Ok(found)
    }

    fn without_tensors(&self) -> String {
        let Some(items) = self.pickle.items(self.pickle.root) else { return "it holds no state dict".into() };
        let keys: Vec<&str> = items.iter().filter_map(|(key, _)| self.pickle.text(*key)).take(8).collect();
        let keys = if keys.is_empty() { "nothing".into() } else { keys.join(", ") };
        format!("it holds no tensors; at the top there is {keys}")
    }

    /// The members of a dict with their keys, or of a list with their numbers.
    fn members(&self, id: Id) -> Option<Vec<Member<'_>>> {
        let key = |key: Id| {
            let number = || self.pickle.int(key).map(|n| Cow::Owned(n.to_string()));
            self.pickle.text(key).map(Cow::Borrowed).or_else(number)
        };
        match self.pickle.items(id) {
            Some(items) => Some(items.iter().filter_map(|(name, value)| Some((key(*name)?, *value))).collect()),
            None => {
                let items = self.pickle.tuple(id)?;
                Some(items.iter().enumerate().map(|(i, value)| (Cow::Owned(i.to_string()), *value)).collect())
            }
        }
    }
}
