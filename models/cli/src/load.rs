//! Weights into a network: the options of every command that loads some, and what there is to say about a file.

use crate::common::say;
use convnet::backend::Backend;
use convnet::net::AnyNetwork;
use convnet::weights::{self, LoadOptions, Loaded};
use std::error::Error;
use std::path::Path;

/// How far a weights file may differ from the network.
#[derive(clap::Args, Clone, Default)]
pub struct Loading {
    /// Leave out tensors of the weights file that the network does not have
    #[arg(long)]
    pub allow_extra: bool,
    /// The state dict to take where the weights file holds several, such as state_dict_ema [default: the one that fits best]
    #[arg(long, value_name = "NAME")]
    pub state_dict: Option<String>,
}

impl Loading {
    /// As the library has them.
    pub fn options(&self) -> LoadOptions {
        let mut options = LoadOptions::default();
        options.allow_extra = self.allow_extra;
        options.state_dict.clone_from(&self.state_dict);
        options
    }

    /// Reads weights into the network and says on standard error what was decided.
    pub fn load<D: Backend<f32>>(
        &self,
        net: &mut dyn AnyNetwork<f32, D>,
        path: &Path,
    ) -> Result<Loaded, Box<dyn Error>> {
        let loaded = weights::load_with(net, path, &self.options())?;
        loaded.notes.iter().try_for_each(|note| say(&format!("note: {note}")))?;
        Ok(loaded)
    }
}
