//! Training on several processes, each with its part of every batch.
//!
//! Starting processes and moving numbers between them is MPI's work; this module has what the trainer asks of it
//! ([`Communicator`]), a process by itself (`Alone`), MPI ([`start`], with the feature `mpi`), and where a process stands
//! ([`launch`]). A transport of our own was never considered: clusters come with one that is better.

#[doc(hidden)]
pub mod launch;
#[cfg(feature = "mpi")]
mod mpi;

use launch::Launch;

/// The processes ("ranks") of a run, as one of them sees them.
///
/// All ranks call the same methods in the same order, and each call waits for the others. There are no errors: a process
/// without its peers cannot go on, so an implementation ends it, as MPI does.
pub trait Communicator {
    /// The number of this process, from 0.
    fn rank(&self) -> usize;

    /// How many processes there are.
    fn size(&self) -> usize;

    /// Adds up what the ranks have, in place. All get the same bits, and the same again with the same number of ranks.
    fn sum(&self, values: &mut [f32]);

    /// What each rank has, in their order; lengths may differ.
    fn gather(&self, own: &[f64]) -> Vec<Vec<f64>>;

    /// What rank 0 has.
    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8>;

    /// Says that this rank cannot go on, and why, so that the others do not wait for it for ever. With MPI it ends all
    /// processes, this one too.
    fn fail(&self, message: &str);

    /// Adds up small lists of numbers, in the order of the ranks.
    fn total(&self, own: &[f64]) -> Vec<f64> {
        let mut total = vec![0.0; own.len()];
        for part in self.gather(own) {
            total.iter_mut().zip(part).for_each(|(total, x)| *total += x);
        }
        total
    }
}

/// One process.
#[derive(Debug, Clone, Copy, Default)]
#[doc(hidden)]
pub struct Alone;

impl Communicator for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn sum(&self, _: &mut [f32]) {}

    fn gather(&self, own: &[f64]) -> Vec<Vec<f64>> {
        vec![own.to_vec()]
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    fn fail(&self, _: &str) {}
}

/// Why processes do not find each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DistributedError {
    /// The program was built without MPI.
    #[error(
        "{variable} says that this is one of {size} processes, but MPI is not compiled into this program: build it by \
         `cargo build --release --features mpi`, or start one process"
    )]
    NotCompiled {
        /// What says so.
        variable: &'static str,
        /// How many processes.
        size: usize,
    },
    /// Something else than MPI has started the processes.
    #[error(
        "{variable} says that there are {expected} processes, but MPI knows {found}: start them with MPI's own launcher, \
         `mpirun -n {expected} convnet train ...` (or `srun --mpi=pmix`); torchrun starts processes but gives them no MPI"
    )]
    World {
        /// What says so.
        variable: &'static str,
        /// How many it says.
        expected: usize,
        /// How many MPI knows.
        found: usize,
    },
    /// An environment variable is no number.
    #[error("the environment variable {variable} is `{found}`; expected a number")]
    Variable {
        /// Which.
        variable: &'static str,
        /// What it is.
        found: String,
    },
    /// MPI does not start.
    #[error("MPI does not start: {0}")]
    Mpi(String),
}

/// The processes of this run: those that MPI's launcher has started, or this one alone. Call it once, before anything else.
///
/// # Errors
/// When the environment says that there are several processes and MPI does not know them.
pub fn start() -> Result<Box<dyn Communicator>, DistributedError> {
    match launch::launch(&|name| std::env::var(name).ok())? {
        Some(launch) => several(&launch),
        None => Ok(Box::new(Alone)),
    }
}

#[cfg(feature = "mpi")]
fn several(launch: &Launch) -> Result<Box<dyn Communicator>, DistributedError> {
    let world = mpi::Mpi::start()?;
    let Launch { variable, size: expected } = *launch;
    match world.size() {
        found if expected.is_none_or(|expected| expected == found) => Ok(Box::new(world)),
        found => Err(DistributedError::World { variable, expected: expected.unwrap_or(1), found }),
    }
}

#[cfg(not(feature = "mpi"))]
fn several(launch: &Launch) -> Result<Box<dyn Communicator>, DistributedError> {
    match launch.size {
        Some(size) if size > 1 => Err(DistributedError::NotCompiled { variable: launch.variable, size }),
        _ => Ok(Box::new(Alone)),
    }
}
