//! What launchers tell the processes that they start, and how the processes of one machine share it.

use super::{Communicator, DistributedError};
use std::thread::available_parallelism;

/// Signs that a launcher has started this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launch {
    /// The environment variable that says so.
    pub variable: &'static str,
    /// How many processes it says there are, if it does.
    pub size: Option<usize>,
}

/// How many processes there are, as launchers say it: Open MPI; MPICH and Intel MPI; a step of Slurm; torchrun, and
/// everything that follows its names.
const SIZES: [&str; 4] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", "WORLD_SIZE"];
/// Set by any launcher that talks to MPI through PMIx.
const PMIX: &str = "PMIX_RANK";

/// What the environment says. One process is none: MPI is then not started, which takes a while and fails without a network.
///
/// # Errors
/// When a number is none.
pub fn launch(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Launch>, DistributedError> {
    let mut said = None;
    for name in SIZES {
        let Some(text) = variable(name) else { continue };
        let size: usize =
            text.trim().parse().map_err(|_| DistributedError::Variable { variable: name, found: text.clone() })?;
        // The largest: a container may say 1 of itself inside of a larger run.
        if said.is_none_or(|launch: Launch| launch.size < Some(size)) {
            said = Some(Launch { variable: name, size: Some(size) });
        }
    }
    let pmix = || variable(PMIX).map(|_| Launch { variable: PMIX, size: None });
    Ok(said.or_else(pmix).filter(|launch| launch.size != Some(1)))
}

/// Where a process stands among those on the same machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its number there, from 0; torchrun's `LOCAL_RANK`.
    pub local_rank: usize,
    /// Threads that it should run on, so that all processes together use each core once.
    pub threads: usize,
}

/// Where this process stands. Launchers bind processes to cores or do not; those that may run on the same cores share them.
pub fn place(ranks: &dyn Communicator) -> Place {
    let cores = available_parallelism().map_or(1, |n| n.get());
    // 48 bits are a number that f64 holds exactly.
    let name = |bytes: &[u8]| {
        let hash = blake3::hash(bytes);
        hash.as_bytes()[..6].iter().fold(0.0, |sum, byte| sum * 256.0 + f64::from(*byte))
    };
    let [host, mask] = [name(&host()), name(&mask())];
    shared(&ranks.gather(&[host, mask]), ranks.rank(), cores)
}

/// `all` has a name of the machine and one of the cores of each rank.
fn shared(all: &[Vec<f64>], rank: usize, cores: usize) -> Place {
    let own = &all[rank];
    Place {
        local_rank: all[..rank].iter().filter(|other| other[0] == own[0]).count(),
        threads: (cores / all.iter().filter(|other| *other == own).count()).max(1),
    }
}

fn host() -> Vec<u8> {
    rustix::system::uname().nodename().to_bytes().to_vec()
}

/// The cores that this process may run on.
#[cfg(target_os = "linux")]
fn mask() -> Vec<u8> {
    let set = rustix::thread::sched_getaffinity(None).unwrap_or_else(|_| rustix::thread::CpuSet::new());
    (0..rustix::thread::CpuSet::MAX_CPU).map(|core| u8::from(set.is_set(core))).collect()
}

#[cfg(not(target_os = "linux"))]
fn mask() -> Vec<u8> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(variables: &[(&str, &str)]) -> Result<Option<Launch>, DistributedError> {
        launch(&|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string()))
    }

    #[test]
    fn launchers_are_known_by_their_variables() {
        assert_eq!(said(&[]), Ok(None));
        assert_eq!(said(&[("WORLD_SIZE", "1"), ("PMIX_RANK", "0")]), Ok(None));
        let of = |variable, size| Ok(Some(Launch { variable, size }));
        assert_eq!(said(&[("OMPI_COMM_WORLD_SIZE", "4")]), of("OMPI_COMM_WORLD_SIZE", Some(4)));
        assert_eq!(said(&[("PMI_SIZE", "1"), ("WORLD_SIZE", "3")]), of("WORLD_SIZE", Some(3)));
        assert_eq!(said(&[("PMIX_RANK", "0")]), of("PMIX_RANK", None));
        let error = said(&[("WORLD_SIZE", "two")]).unwrap_err().to_string();
        assert_eq!(error, "the environment variable WORLD_SIZE is `two`; expected a number");
    }

    #[test]
    fn processes_on_the_same_cores_share_them() {
        // Two machines; on the first one two processes are free to run anywhere, and one is bound to a core of its own.
        let all = [vec![1.0, 7.0], vec![1.0, 8.0], vec![2.0, 7.0], vec![1.0, 7.0]];
        assert_eq!(shared(&all, 3, 8), Place { local_rank: 2, threads: 4 });
        assert_eq!(shared(&all, 1, 1), Place { local_rank: 1, threads: 1 });
        assert_eq!(shared(&all, 2, 8), Place { local_rank: 0, threads: 8 });
        assert_eq!(shared(&all, 0, 1).threads, 1);
    }
}
