//! The networks of the crate that a program was built from, and what that program is called.
//!
//! A program has all commands with networks of its own by two lines: `convnet_cli::run(&[declared::<Net>()])`. A network runs as its
//! type where the program's device and the sizes are those of the type, which gives it its `custom` modules; with other sizes, or on
//! a GPU, it is read from its source, which gives the same bits and needs no code for each device. The list is the program's and
//! does not change, so it is kept in one place instead of being passed through every command.

use convnet::backend::Backend;
use convnet::dfdx::prelude::{BuildOnDevice, Cpu, CpuError};
use convnet::graph::Graph;
use convnet::net::{AnyNetwork, BuildError, Network};
use convnet_models::plain;
use std::any::Any;
use std::path::PathBuf;
use std::sync::OnceLock;

/// A network that a program was built with, made by [`declared`].
#[derive(Debug, Clone, Copy)]
pub struct Declared {
    pub(crate) graph: &'static Graph,
    pub(crate) source: Option<&'static str>,
    pub(crate) notes: &'static [&'static str],
    build: fn(&Cpu) -> Result<Built<Cpu>, CpuError>,
}

type Built<D> = Box<dyn AnyNetwork<f32, D>>;

/// A network of this program's crate, for [`run`](crate::run).
pub fn declared<N>() -> Declared
where
    N: Network<f32, Cpu> + BuildOnDevice<Cpu, f32, Built = N> + 'static,
{
    Declared { graph: N::GRAPH, source: N::SOURCE, notes: N::NOTES, build: built::<N> }
}

fn built<N>(device: &Cpu) -> Result<Built<Cpu>, CpuError>
where
    N: Network<f32, Cpu> + BuildOnDevice<Cpu, f32, Built = N> + 'static,
{
    Ok(Box::new(N::try_build_on_device(device)?))
}

impl Declared {
    /// What files are called after it, and what stands for it on the command line: the type's name in lower case.
    pub(crate) fn name(&self) -> String {
        self.graph.name.to_lowercase()
    }

    /// The network with random weights as its type, on the CPU; none on another device.
    pub(crate) fn build<D: Backend<f32>>(&self, device: &D) -> Result<Option<Built<D>>, BuildError> {
        let Some(cpu) = (device as &dyn Any).downcast_ref() else { return Ok(None) };
        let built = (self.build)(cpu).map_err(|error| BuildError::Device {
            network: self.graph.name.to_string(),
            problem: format!("{error:?}"),
        })?;
        let built: Box<dyn Any> = Box::new(built);
        Ok(built.downcast().ok().map(|built| *built))
    }
}

static OWN: OnceLock<Vec<Declared>> = OnceLock::new();

/// Says which networks the program has beside those of the zoo.
pub(crate) fn set(networks: &[Declared]) {
    // A second call has the same list: the program runs once.
    let _ = OWN.set(networks.to_vec());
}

/// All networks of the program's own crate.
pub(crate) fn all() -> &'static [Declared] {
    OWN.get().map_or(&[], Vec::as_slice)
}

/// The network of this name among them; case, `-` and `_` do not matter, as for networks of the zoo.
pub(crate) fn find(name: &str) -> Option<&'static Declared> {
    all().iter().find(|own| plain(&own.graph.name) == plain(name))
}

/// What the program is called: its file's name, for commands that messages name.
pub(crate) fn program() -> String {
    let path = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    path.file_stem().map_or_else(|| "convnet".into(), |name| name.to_string_lossy().into_owned())
}
