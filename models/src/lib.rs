//! The zoo: declarations only, one family a file, and a way to run generic code on a network by its name.
#![forbid(unsafe_code)]

mod lenet;

pub use lenet::LeNet5;

use convnet::backend::Backend;
use convnet::dfdx::prelude::{BuildOnDevice, Cpu};
use convnet::net::Network;

/// A network of the zoo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// How a user asks for it.
    pub name: &'static str,
    /// Where it comes from.
    pub paper: &'static str,
}

/// All networks, by name.
pub const CATALOGUE: &[Entry] =
    &[Entry { name: "lenet5", paper: "LeCun et al., 1998, with ReLU and max pooling, on 28x28 grey-scale digits" }];

/// Generic code that wants a network.
pub trait WithModel {
    /// What it gives back.
    type Output;
    /// Runs with the network `N`; `N::Built<D>` is it on a device.
    fn run<N: Model>(self, name: &'static str) -> Self::Output;
}

/// A network that can be built on every device.
pub trait Model: Network<f32, Cpu> {
    /// The same network on the device `D`.
    type On<D: Backend<f32>>: Network<f32, D> + BuildOnDevice<D, f32, Built = Self::On<D>>;
}

impl Model for LeNet5 {
    type On<D: Backend<f32>> = LeNet5<f32, D>;
}

/// A name that stands for no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no network is called `{name}`{hint}; the zoo has: {}", names.join(", "))]
pub struct UnknownModel {
    name: String,
    hint: String,
    names: Vec<&'static str>,
}

/// Runs `task` with the network that `name` stands for; case, `-` and `_` do not matter.
///
/// # Errors
/// When no network has that name.
pub fn with_model<T: WithModel>(name: &str, task: T) -> Result<T::Output, UnknownModel> {
    let plain = |name: &str| name.to_lowercase().replace(['-', '_'], "");
    match plain(name).as_str() {
        "lenet5" => Ok(task.run::<LeNet5>("lenet5")),
        wanted => {
            let names: Vec<&'static str> = CATALOGUE.iter().map(|entry| entry.name).collect();
            let likeness = |candidate: &&str| strsim::jaro_winkler(wanted, candidate);
            let best = names.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            let best = best.filter(|best| likeness(best) > 0.7);
            let hint = best.map_or(String::new(), |best| format!("; did you mean `{best}`?"));
            Err(UnknownModel { name: name.into(), hint, names })
        }
    }
}
