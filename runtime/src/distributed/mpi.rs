//! MPI, through its crate: any implementation of the standard that the machine has.

use super::{Communicator, DistributedError};
use mpi::Threading;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::topology::{Communicator as _, SimpleCommunicator};
use mpi::traits::*;
use std::cell::RefCell;
use std::time::Duration;

/// The world of MPI. It is left when this is dropped.
pub struct Mpi {
    // Before the universe, which ends MPI.
    world: SimpleCommunicator,
    room: RefCell<Room>,
    _universe: Universe,
}

/// What [`Communicator::sum`] sends and gets.
#[derive(Default)]
struct Room {
    sent: Vec<f32>,
    received: Vec<f32>,
}

/// Numbers of a message, 4 MiB: see docs/src/guide/distributed.md for times by size.
const BUCKET: usize = 1 << 20;

impl Mpi {
    /// Starts MPI. All calls come from this thread; others may run.
    pub fn start() -> Result<Self, DistributedError> {
        let started = mpi::initialize_with_threading(Threading::Funneled);
        let (universe, threading) =
            started.ok_or_else(|| DistributedError::Mpi("it has been started before in this process".into()))?;
        if threading < Threading::Funneled {
            return Err(DistributedError::Mpi(format!("it allows no threads beside it ({threading:?})")));
        }
        Ok(Mpi { world: universe.world(), room: RefCell::default(), _universe: universe })
    }
}

impl Communicator for Mpi {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    /// Each rank adds up its part of the numbers, in the order of the ranks, and gives it to all. MPI's own reduction moves as
    /// much, but in which order it adds is left to the implementation.
    fn sum(&self, values: &mut [f32]) {
        let mut room = self.room.borrow_mut();
        let Room { sent, received } = &mut *room;
        for bucket in values.chunks_mut(BUCKET) {
            let part = bucket.len().div_ceil(self.size());
            sent.clear();
            sent.extend_from_slice(bucket);
            sent.resize(part * self.size(), 0.0);
            received.resize(sent.len(), 0.0);
            self.world.all_to_all_into(&sent[..], &mut received[..]);
            let (sum, others) = received.split_at_mut(part);
            for other in others.chunks_exact(part) {
                sum.iter_mut().zip(other).for_each(|(sum, x)| *sum += x);
            }
            self.world.all_gather_into(&*sum, &mut sent[..]);
            bucket.copy_from_slice(&sent[..bucket.len()]);
        }
    }

    fn gather(&self, own: &[f64]) -> Vec<Vec<f64>> {
        let mut lengths = vec![0_i32; self.size()];
        self.world.all_gather_into(&(own.len() as i32), &mut lengths[..]);
        let starts: Vec<i32> = lengths.iter().scan(0, |at, length| Some(std::mem::replace(at, *at + length))).collect();
        let mut all = vec![0.0; lengths.iter().sum::<i32>() as usize];
        self.world.all_gather_varcount_into(own, &mut PartitionMut::new(&mut all[..], &lengths[..], &starts[..]));
        let part = |(start, length): (&i32, &i32)| all[*start as usize..(*start + *length) as usize].to_vec();
        starts.iter().zip(&lengths).map(part).collect()
    }

    fn broadcast(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let root = self.world.process_at_rank(0);
        let mut length = bytes.len() as u64;
        root.broadcast_into(&mut length);
        bytes.resize(length as usize, 0);
        // A message has fewer than 2^31 elements.
        for part in bytes.chunks_mut(1 << 30) {
            root.broadcast_into(part);
        }
        bytes
    }

    fn fail(&self, message: &str) {
        // What is wrong for all ranks is said by the first, and ends the others before they say it again.
        if self.rank() > 0 {
            std::thread::sleep(Duration::from_millis(500));
        }
        eprintln!("error on rank {} of {}: {message}", self.rank(), self.size());
        self.world.abort(1);
    }
}
