//! What a run was started with: kept in its `config.toml`, so that `--resume` goes on with all of it.

use super::Arguments;
use crate::common::{Precision, say};
use crate::load::Loading;
use crate::network::{self, Network, Sizes};
use crate::options;
use crate::source::{Parts, Source};
use convnet::device::DeviceChoice;
use convnet::train::Config;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::path::{Path, PathBuf};
use toml::Value;

/// Keys of a configuration file that are not the library's.
const KEYS: [&str; 15] = [
    "model",
    "classes",
    "input",
    "data",
    "dataset",
    "limit",
    "validation",
    "even_classes",
    "weights",
    "allow_missing",
    "allow_extra",
    "state_dict",
    "out",
    "device",
    "precision",
];

/// Keys that a run which goes on may have another value of; that is said.
const FREE: [&str; 3] = ["data", "out", "device"];

/// What [`KEYS`] say.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Wanted {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    #[serde(flatten)]
    pub source: Source,
    #[serde(flatten)]
    pub parts: Parts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_missing: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_extra: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_dict: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
}

impl Wanted {
    /// What to load weights by.
    pub fn loading(&self) -> Loading {
        Loading { allow_extra: self.allow_extra, state_dict: self.state_dict.clone() }
    }

    /// The network for data of so many classes, if the data has any.
    pub fn network(&self, classes: Option<usize>) -> Result<Network, Box<dyn Error>> {
        let sizes = Sizes { classes: self.classes, input: self.input.clone() };
        Network::find(&self.net(), &classes.map_or(sizes.clone(), |classes| sizes.or_classes(classes)))
    }

    /// What stands for the network.
    pub fn net(&self) -> String {
        self.model.clone().unwrap_or_else(network::usual)
    }

    /// The device that was asked for.
    pub fn device(&self) -> Result<Option<DeviceChoice>, Box<dyn Error>> {
        Ok(self.device.as_deref().map(str::parse).transpose()?)
    }

    /// For `config.toml`: paths hold wherever the run is gone on with from.
    pub fn record(&self, network: &Network, out: &Path) -> Result<toml::Table, Box<dyn Error>> {
        let absolute = |path: &PathBuf| std::path::absolute(path);
        let source = Source { data: self.source.data.as_ref().map(absolute).transpose()?, ..self.source.clone() };
        Ok(toml::Table::try_from(Wanted {
            model: Some(network.lasting_word()?),
            source,
            weights: self.weights.as_ref().map(absolute).transpose()?,
            out: Some(std::path::absolute(out)?),
            device: Some(self.device()?.unwrap_or(DeviceChoice::Auto).to_string()),
            precision: Some(self.precision.unwrap_or_default()),
            ..self.clone()
        })?)
    }
}

/// The options of the file, if there is one.
fn of_file(path: Option<&Path>) -> Result<(toml::Table, Wanted), Box<dyn Error>> {
    let Some(path) = path else { return Ok(Default::default()) };
    let (training, others) = options::read(path, &KEYS)?;
    let wanted = others.try_into().map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((training, wanted))
}

/// The options of the file that was named, and over them those given as flags.
fn named(arguments: &Arguments) -> Result<(toml::Table, Wanted), Box<dyn Error>> {
    let (mut training, file) = of_file(arguments.config.as_deref())?;
    training.extend(arguments.given.0.clone());
    let Source { data, dataset } = arguments.source.clone();
    let Parts { limit, validation, even_classes } = arguments.parts.clone();
    let Sizes { classes, input } = arguments.sizes.clone();
    let wanted = Wanted {
        model: arguments.model.clone().or(file.model),
        classes: classes.or(file.classes),
        input: input.or(file.input),
        source: Source { data: data.or(file.source.data), dataset: dataset.or(file.source.dataset) },
        parts: Parts {
            limit: limit.or(file.parts.limit),
            validation: validation.or(file.parts.validation),
            even_classes: even_classes | file.parts.even_classes,
        },
        weights: arguments.weights.clone().or(file.weights),
        allow_missing: arguments.allow_missing | file.allow_missing,
        allow_extra: arguments.loading.allow_extra | file.allow_extra,
        state_dict: arguments.loading.state_dict.clone().or(file.state_dict),
        out: arguments.out.clone().or(file.out),
        device: arguments.on.device.map(|device| device.to_string()).or(file.device),
        precision: arguments.on.precision.or(file.precision),
    };
    Ok((training, wanted))
}

/// What a new run is to do.
pub fn of(arguments: &Arguments) -> Result<(Config, Wanted), Box<dyn Error>> {
    let (training, wanted) = named(arguments)?;
    Ok((options::config(training, &arguments.given, arguments.config.as_deref())?, wanted))
}

/// What a run that goes on is to do: what it was started with. What was said now may only repeat it, but for a few things, which
/// are told.
pub fn again(arguments: &Arguments, folder: &Path, loud: bool) -> Result<(Config, Wanted), Box<dyn Error>> {
    let path = folder.join("config.toml");
    let (mut training, before) = of_file(Some(&path))?;
    let (changed, now) = named(arguments)?;
    training.extend(changed);
    let config = options::config(training, &arguments.given, Some(&path))?;
    let (before, mut now) = (toml::Table::try_from(before)?, toml::Table::try_from(now)?);
    // The trainer tells networks apart, by more than their names; switches that are off have not been given.
    now.retain(|_, value| *value != Value::Boolean(false));
    let mut both = before.clone();
    for (key, value) in now {
        let same = before.get(&key).is_some_and(|old| is_same(&key, old, &value));
        if same {
            continue;
        }
        let old = before.get(&key).map_or("nothing".to_string(), Value::to_string);
        let flag = key.replace('_', "-");
        if key != "model" && !FREE.contains(&key.as_str()) {
            return Err(format!(
                "the run in {} was started with {old} for --{flag} and cannot go on with {value}; leave it out, or begin \
                 another run",
                folder.display()
            )
            .into());
        }
        if loud && key != "model" {
            say(&format!("note: the run was started with {old} for --{flag} and goes on with {value}"))?;
        }
        both.insert(key, value);
    }
    let wanted = both.try_into().map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((config, wanted))
}

/// Whether an option says the same as before; a path may say it in another way.
fn is_same(key: &str, old: &Value, new: &Value) -> bool {
    let absolute = |value: &Value| value.as_str().and_then(|path| std::path::absolute(path).ok());
    match key {
        "data" | "weights" | "out" => absolute(old).is_some() && absolute(old) == absolute(new),
        _ => old == new,
    }
}
