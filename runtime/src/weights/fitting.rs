//! Which of a file's tensors are a network's: the state dict that has them, what wrappers put before their names, and all that
//! does not fit.

use super::format::{Candidate, Entry, FormatError, StateDict, largest, parse_choosing};
use super::{LoadOptions, WeightsError, about};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

/// Everything in a file that does not fit a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Keys that the network has and the file lacks.
    pub missing: Vec<String>,
    /// Keys that the file has and the network lacks.
    pub extra: Vec<String>,
    /// Keys with another shape: key, the network's shape, the file's.
    pub shapes: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Keys that are no floating-point numbers: key, the file's type.
    pub types: Vec<(String, String)>,
}

impl std::error::Error for Mismatch {}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the tensors do not fit the network:{}", self.lines())
    }
}

impl Mismatch {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A line for each kind of what does not fit, each behind a line break.
    pub(super) fn lines(&self) -> String {
        let mut text = String::new();
        let mut list = |what: &str, keys: Vec<String>| {
            if !keys.is_empty() {
                text += &format!("\n  {what}: {}", some_of(&keys));
            }
        };
        list("missing", self.missing.clone());
        list("not in the network", self.extra.clone());
        let shapes = self.shapes.iter().map(|(key, want, got)| format!("{key} (expected {want:?}, found {got:?})"));
        list("wrong shape", shapes.collect());
        let types = self.types.iter().map(|(key, got)| format!("{key} (expected floating-point numbers, found {got})"));
        list("wrong type", types.collect());
        if !self.extra.is_empty() {
            text += "\n  (--allow-extra, in the library LoadOptions, leaves out what is not in the network)";
        }
        text
    }
}

/// The first keys of a list, and how many more there are.
pub(super) fn some_of(keys: &[String]) -> String {
    let shown = keys.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
    let more = if keys.len() > 8 { format!(" and {} more", keys.len() - 8) } else { String::new() };
    shown + &more
}

/// Names and shapes of a network's tensors.
pub(super) type Wanted = [(String, Vec<usize>)];

/// What of a file goes into a network, under the network's names, and what was decided to come to that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fitted {
    /// The network's tensors, in its order, and what the file says about itself.
    pub dict: StateDict,
    /// Keys of the network that the file lacks or has in another shape, where [`LoadOptions::allow_missing`] permits it.
    pub missing: Vec<String>,
    /// Plain sentences on what a user should know: which state dict was taken, what came off the keys, what was left out.
    pub notes: Vec<String>,
}

/// Reads what of a file belongs to a network.
pub(super) fn fit(network: &str, wanted: &Wanted, path: &Path, options: &LoadOptions) -> Result<Fitted, WeightsError> {
    let mut notes = Vec::new();
    let bytes = crate::regular_file::read(path).map_err(|error| about(path, error.into()))?;
    let dict = parse_choosing(&bytes, &mut |candidates| match &options.state_dict {
        Some(place) => called(candidates, place),
        None => Ok(best(network, wanted, candidates, path, &mut notes)),
    });
    drop(bytes);
    let dict = dict.map_err(|error| about(path, error))?;
    let mut fitted = arrange(network, wanted, dict, path, options)?;
    notes.append(&mut fitted.notes);
    Ok(Fitted { notes, ..fitted })
}

/// Reads one of a file's state dicts as a whole.
pub(super) fn whole(path: &Path, options: &LoadOptions) -> Result<Fitted, WeightsError> {
    let mut notes = Vec::new();
    let bytes = crate::regular_file::read(path).map_err(|error| about(path, error.into()))?;
    let dict = parse_choosing(&bytes, &mut |candidates| {
        if let Some(place) = &options.state_dict {
            return called(candidates, place);
        }
        let chosen = largest(candidates);
        let places: Vec<String> = candidates.iter().map(|candidate| titled(&candidate.place)).collect();
        let file = path.display();
        notes.push(match candidates.get(chosen).map_or("", |candidate| candidate.place.as_str()) {
            "" => format!("{file} holds several state dicts: {}; the one at its top was taken", some_of(&places)),
            place => format!("{file} holds several state dicts: {}; `{place}` was taken", some_of(&places)),
        });
        Ok(chosen)
    });
    let mut dict = dict.map_err(|error| about(path, error))?;
    let mut off = String::new();
    for wrapper in ["module.", "_orig_mod."].iter().cycle().take(4) {
        if !dict.entries.is_empty() && dict.entries.iter().all(|entry| entry.name.starts_with(wrapper)) {
            dict.entries.iter_mut().for_each(|entry| drop(entry.name.drain(..wrapper.len())));
            off += wrapper;
        }
    }
    if !off.is_empty() {
        notes.push(format!("the prefix `{off}` was taken off all keys of {}", path.display()));
    }
    Ok(Fitted { dict, notes, missing: Vec::new() })
}

fn called(candidates: &[Candidate<'_>], place: &str) -> Result<usize, FormatError> {
    candidates.iter().position(|candidate| candidate.place == place).ok_or_else(|| {
        let places: Vec<String> = candidates.iter().map(|candidate| format!("`{}`", candidate.place)).collect();
        FormatError::Unsupported(format!("it has no state dict called `{place}`; there are {}", some_of(&places)))
    })
}

/// The candidate with the most of the network's keys, and of these the one with the fewest others; the first of equals.
fn best(network: &str, wanted: &Wanted, candidates: &[Candidate<'_>], path: &Path, notes: &mut Vec<String>) -> usize {
    let names: BTreeSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    let matched = |candidate: &Candidate<'_>| prefix(&names, candidate.keys.iter().map(|key| key.as_ref())).1;
    let scores: Vec<(usize, usize)> = candidates
        .iter()
        .map(|candidate| {
            let matched = matched(candidate);
            (matched, usize::MAX - (candidate.keys.len() - matched))
        })
        .collect();
    let top = scores.iter().max().copied().unwrap_or_default();
    let chosen = scores.iter().position(|score| *score == top).unwrap_or(0);
    let others: Vec<String> = (candidates.iter().zip(&scores).enumerate())
        .filter(|(i, (_, score))| *i != chosen && score.0 > 0)
        .map(|(_, (candidate, _))| titled(&candidate.place))
        .collect();
    if let Some(candidate) = candidates.get(chosen).filter(|_| !others.is_empty()) {
        notes.push(format!(
            "{} holds several state dicts with keys of {network}: {} was taken, not {} (--state-dict chooses)",
            path.display(),
            titled(&candidate.place),
            some_of(&others)
        ));
    }
    chosen
}

fn titled(place: &str) -> String {
    if place.is_empty() { "the one at its top".into() } else { format!("`{place}`") }
}

/// What stands before the network's names in most of a file's keys, and in how many. Wrappers put it there: `module.` (data
/// parallel), `_orig_mod.` (compiled), `model.` (Lightning). Nothing comes off if a name of the network begins so and the rest
/// does not fit entirely: then it is a part of the name.
fn prefix<'a>(wanted: &BTreeSet<&str>, keys: impl Iterator<Item = &'a str>) -> (String, usize) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for key in keys {
        let starts = std::iter::once(0).chain(key.match_indices('.').map(|(at, _)| at + 1));
        for start in starts.filter(|start| wanted.contains(&key[*start..])) {
            *counts.entry(&key[..start]).or_insert(0) += 1;
        }
    }
    let permitted = |prefix: &str, count: usize| {
        prefix.is_empty() || count == wanted.len() || !wanted.iter().any(|name| name.starts_with(prefix))
    };
    let found = counts.into_iter().filter(|(prefix, count)| permitted(prefix, *count));
    // Of equals the shortest.
    let found = found.max_by_key(|(prefix, count)| (*count, usize::MAX - prefix.len()));
    found.map_or((String::new(), 0), |(prefix, count)| (prefix.to_string(), count))
}

/// Puts the tensors of a state dict in the network's order and under its names.
fn arrange(
    network: &str,
    wanted: &Wanted,
    dict: StateDict,
    path: &Path,
    options: &LoadOptions,
) -> Result<Fitted, WeightsError> {
    let names: BTreeSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    let StateDict { mut entries, metadata } = dict;
    entries.iter_mut().for_each(|entry| in_a_module(wanted, entry));
    let (prefix, matched) = prefix(&names, entries.iter().map(|entry| entry.name.as_str()));
    let first_keys: Vec<String> = entries.iter().take(4).map(|entry| entry.name.clone()).collect();
    let (mut known, mut extra, total) = (BTreeMap::new(), Vec::new(), entries.len());
    for entry in entries {
        match entry.name.strip_prefix(&prefix).filter(|name| names.contains(name)) {
            Some(name) => {
                let name = name.to_string();
                known.insert(name.clone(), Entry { name, ..entry });
            }
            // PyTorch's count of batches, which no layer here needs.
            None if entry.name.ends_with("num_batches_tracked") => {}
            None => extra.push(entry.name),
        }
    }
    let mut mismatch = compare(wanted, known.values());
    let (mut notes, mut missing) = (Vec::new(), Vec::new());
    if !prefix.is_empty() {
        let of = if matched == total { "all".to_string() } else { format!("{matched} of {total}") };
        notes.push(format!("the prefix `{prefix}` was taken off {of} keys of {}", path.display()));
    }
    if options.allow_extra && !extra.is_empty() {
        let count = extra.len();
        let (path, some) = (path.display(), some_of(&extra));
        notes.push(format!("{count} tensors of {path} are not in {network} and were left out: {some}"));
    } else {
        mismatch.extra = extra;
    }
    if options.allow_missing {
        missing = std::mem::take(&mut mismatch.missing);
        missing.extend(std::mem::take(&mut mismatch.shapes).into_iter().map(|(key, ..)| key));
        missing.iter().for_each(|key| drop(known.remove(key)));
    }
    if !mismatch.is_empty() {
        return Err(WeightsError::Mismatch {
            path: path.to_owned(),
            network: network.to_string(),
            mismatch: Box::new(mismatch),
        });
    }
    if known.is_empty() && !wanted.is_empty() {
        return Err(WeightsError::Foreign {
            path: path.to_owned(),
            network: network.to_string(),
            keys: first_keys.join(", "),
        });
    }
    let entries = wanted.iter().filter_map(|(name, _)| known.remove(name)).collect();
    Ok(Fitted { dict: StateDict { entries, metadata }, missing, notes })
}

/// Gives a factor for each channel the name and the shape that it has here, where a layer holds it: torchvision's ConvNeXt has it as a parameter
/// of the block, `features.1.0.layer_scale [96, 1, 1]` for `features.1.0.layer_scale.weight [96]`.
fn in_a_module(wanted: &Wanted, entry: &mut Entry) {
    let [channels, 1, 1] = entry.shape[..] else { return };
    let holds = |(name, shape): &&(String, Vec<usize>)| {
        let stem = name.strip_suffix(".weight").filter(|_| *shape == [channels]);
        let before = stem.and_then(|stem| entry.name.strip_suffix(stem));
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    if wanted.iter().any(|one| holds(&one)) {
        entry.name.push_str(".weight");
        entry.shape = vec![channels];
    }
}

/// What of these tensors does not fit those with these names and shapes; extra ones are not looked for.
fn compare<'a>(wanted: &Wanted, found: impl Iterator<Item = &'a Entry>) -> Mismatch {
    let found: BTreeMap<&str, &Entry> = found.map(|entry| (entry.name.as_str(), entry)).collect();
    let mut mismatch = Mismatch::default();
    for (name, shape) in wanted {
        match found.get(name.as_str()) {
            None => mismatch.missing.push(name.clone()),
            Some(entry) if entry.shape != *shape => {
                mismatch.shapes.push((name.clone(), shape.clone(), entry.shape.clone()));
            }
            Some(entry) if !entry.dtype.is_float() => mismatch.types.push((name.clone(), entry.dtype.to_string())),
            Some(_) => {}
        }
    }
    mismatch
}

/// What of a state dict, whose names have to be the network's, does not fit it.
pub(super) fn exactly(wanted: &Wanted, dict: &StateDict) -> Mismatch {
    let mut mismatch = compare(wanted, dict.entries.iter());
    let names: BTreeSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    let extra = dict.entries.iter().map(|entry| &entry.name);
    let extra = extra.filter(|name| !names.contains(name.as_str()) && !name.ends_with("num_batches_tracked"));
    mismatch.extra = extra.cloned().collect();
    mismatch
}
