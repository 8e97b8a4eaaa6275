//! Where in the model a layer stands: the path of its module, as exporters tell it in one way or another.
//!
//! PyTorch's newer exporter notes the modules beside each node, its older one makes node names of them (`/layer1/layer1.0/conv1/Conv`), ours
//! gives a node the layer's path. Where weights have kept their names, these say best whose they are.

use super::draft::{Draft, Id};
use crate::proto;
use std::collections::{BTreeMap, BTreeSet};

/// Where a layer stands.
#[derive(Clone, Default)]
pub struct Place {
    /// The modules around it, the outermost first; nothing where the file does not tell.
    pub scope: Option<Vec<String>>,
    /// What it is called there.
    pub name: Option<String>,
}

/// The places of all layers, and the classes of modules by their paths.
pub struct Places {
    pub all: Vec<Place>,
    pub classes: BTreeMap<Vec<String>, String>,
    /// Whether the names of outputs are paths.
    pub own: bool,
}

impl Places {
    pub fn of(draft: &Draft, nodes: &[proto::Node], own: bool) -> Self {
        let mut classes = BTreeMap::new();
        nodes.iter().for_each(|node| note_classes(node, &mut classes));
        let path = |id: Id| -> Option<Vec<String>> {
            let node = &draft.nodes[id];
            let weights = node.weights.iter().filter_map(|weight| weight.name.as_deref());
            let mut by_weight = weights.clone().find_map(module);
            if draft.layer(id).is_some_and(|layer| layer.word == "squeeze_excite") {
                // Its weights are those of the layers in it.
                by_weight.as_mut().map(Vec::pop);
            }
            let by_node = nodes.get(node.origin).filter(|_| id > 0).and_then(|node| noted(node, own));
            let guessed = || weights.clone().find_map(stem);
            by_weight.or(by_node).or_else(guessed)
        };
        let mut paths: Vec<Option<Vec<String>>> = (0..draft.nodes.len()).map(path).collect();
        unwrap(&mut paths);
        // What has layers with weights inside is a module of modules.
        let mut containers: BTreeSet<&[String]> = BTreeSet::from([&[][..]]);
        for (path, node) in paths.iter().zip(&draft.nodes) {
            if let (Some(path), false) = (path, node.weights.is_empty()) {
                (0..path.len()).for_each(|len| {
                    containers.insert(&path[..len]);
                });
            }
        }
        let place = |path: &Option<Vec<String>>| match path.as_deref() {
            None => Place::default(),
            Some(path) if containers.contains(path) => Place { scope: Some(path.to_vec()), name: None },
            Some(path) => match path.split_last() {
                Some((name, scope)) => Place { scope: Some(scope.to_vec()), name: Some(name.clone()) },
                None => Place::default(),
            },
        };
        Places { all: paths.iter().map(place).collect(), classes, own }
    }
}

/// Takes off a first module that holds everything and is no layer's name: the device that Caffe2 trained on.
fn unwrap(paths: &mut [Option<Vec<String>>]) {
    let first = paths.iter().flatten().next().and_then(|path| path.first()).cloned();
    let Some(first) = first.filter(|first| first.starts_with("gpu_")) else { return };
    if paths.iter().flatten().all(|path| path.first() == Some(&first)) {
        paths.iter_mut().flatten().for_each(|path| drop(path.remove(0)));
    }
}

/// The path of the module that a weight belongs to: `layer1.0.conv1` of `layer1.0.conv1.weight`.
fn module(weight: &str) -> Option<Vec<String>> {
    let (path, last) = weight.rsplit_once('.')?;
    let plain = !path.contains(['/', ':', ' ']) && last.chars().all(|c| c.is_alphanumeric() || c == '_');
    let parts: Vec<String> = path.split('.').map(str::to_string).collect();
    (plain && parts.iter().all(|part| !part.is_empty())).then_some(parts)
}

/// A layer's path where its weight has a name of another kind: `inception_3a/pool_proj_w_0`, `conv1/kernel:0`.
fn stem(weight: &str) -> Option<Vec<String>> {
    let name = weight.split(':').next().unwrap_or(weight);
    let mut parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).collect();
    let last = parts.pop()?;
    let ends = ["_w_0", "_b_0", "_w", "_weight", "_weights", "_kernel"];
    match ends.iter().find_map(|end| last.strip_suffix(end)) {
        Some(own) => parts.push(own),
        None if ["kernel", "weight", "weights", "w", "W"].contains(&last) => {}
        None => return None,
    }
    let fits = parts.iter().all(|part| part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'));
    (fits && !parts.is_empty()).then(|| parts.into_iter().map(str::to_string).collect())
}

/// The path that a node tells.
fn noted(node: &proto::Node, own: bool) -> Option<Vec<String>> {
    let dotted = |path: &str| path.split('.').filter(|part| !part.is_empty()).map(str::to_string).collect::<Vec<_>>();
    if let Some(scopes) = scopes(node) {
        // The last one is the operator.
        let path = scopes.len().checked_sub(2).and_then(|at| scopes.get(at))?;
        return Some(dotted(path));
    }
    if own {
        return node.name.split('/').next().map(dotted).filter(|path| !path.is_empty());
    }
    let parts: Vec<&str> = node.name.strip_prefix('/')?.split('/').collect();
    let (_, modules) = parts.split_last()?;
    let (mut path, mut before) = (Vec::new(), String::new());
    for module in modules {
        // In a list of modules, each has the list's path before its own name.
        let own = module.strip_prefix(before.as_str()).and_then(|rest| rest.strip_prefix('.'));
        path.extend(dotted(own.unwrap_or(module)));
        before = (*module).to_string();
    }
    Some(path)
}

/// What PyTorch notes as a list of Python: `['', 'layer1', 'layer1.0']`.
fn listed<'a>(node: &'a proto::Node, key: &str) -> Option<Vec<&'a str>> {
    let entry = node.metadata_props.iter().find(|entry| entry.key == key)?;
    let inner = entry.value.strip_prefix('[')?.strip_suffix(']')?;
    Some(inner.split(", ").map(|part| part.trim_matches(['\'', '"'])).collect())
}

fn scopes(node: &proto::Node) -> Option<Vec<&str>> {
    listed(node, "pkg.torch.onnx.name_scopes")
}

fn note_classes(node: &proto::Node, classes: &mut BTreeMap<Vec<String>, String>) {
    let (Some(scopes), Some(types)) = (scopes(node), listed(node, "pkg.torch.onnx.class_hierarchy")) else { return };
    for (path, class) in scopes.iter().zip(types).filter(|(path, _)| !path.is_empty()) {
        let name = class.rsplit('.').next().unwrap_or(class);
        if !matches!(name, "Sequential" | "ModuleList" | "default" | "Tensor") {
            classes.insert(path.split('.').map(str::to_string).collect(), name.to_string());
        }
    }
}
