//! The engine's threads: a team that walks through a program together.
//!
//! A network is some twenty to several hundred small parallel steps. Handing each of them to a work-stealing pool costs
//! microseconds a step; here every worker runs the whole program and meets the others at a barrier, spinning at first, after each
//! step, which costs a fraction of one. The work of a step is shared out by fixed rules from the shapes alone, so that
//! results do not depend on the number of threads.

use super::kernels::{FlushDenormals, Patience, ThreadPool};
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Workers that run the same function at the same time.
pub struct Team {
    pool: ThreadPool,
}

static TEAM: Mutex<Option<Arc<Team>>> = Mutex::new(None);

/// Sets the number of threads that networks run on from now on; 0 means one for each core that the process may use.
/// Results do not depend on it.
///
/// # Errors
/// When the operating system refuses to start the threads; the old ones stay.
pub fn set_threads(threads: usize) -> io::Result<()> {
    let team = Arc::new(Team::new(threads)?);
    *lock(&TEAM) = Some(team);
    Ok(())
}

/// How many threads networks run on.
pub fn threads() -> usize {
    team().size()
}

/// The current team, started on first use.
pub(super) fn team() -> Arc<Team> {
    let mut slot = lock(&TEAM);
    if let Some(team) = &*slot {
        return team.clone();
    }
    // One thread can always be had: the caller's.
    let team = Team::new(0).or_else(|_| Team::new(1)).unwrap_or_else(|e| panic!("no thread for the engine: {e}"));
    slot.insert(Arc::new(team)).clone()
}

impl Team {
    fn new(threads: usize) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        let threads = if threads == 0 { cores } else { threads };
        Ok(Team { pool: ThreadPool::new(threads)? })
    }

    /// Number of workers.
    pub(super) fn size(&self) -> usize {
        self.pool.size()
    }

    /// Runs `body` on every worker, of which the caller is one, and waits for all of them. A panic in one ends the others at
    /// their next barrier and goes on in the caller.
    pub(super) fn run(&self, body: impl Fn(&Worker<'_>) + Sync) {
        let barrier = Barrier::new(self.size(), self.pool.crowded);
        let panics = self.pool.run(&|index| {
            let worker = Worker { index, barrier: &barrier };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(&worker))) {
                barrier.broken.store(true, Ordering::SeqCst);
                barrier.wake();
                resume_unwind(panic);
            }
        });
        // The first panic is a worker's own; those that follow only say that the barrier broke.
        if let Some(own) = panics.into_iter().min_by_key(|panic| panic.is::<BrokenBarrier>()) {
            resume_unwind(own);
        }
    }

    /// Runs `body` on the caller alone: for what is done before the others are awake.
    pub(super) fn run_alone(body: impl Fn(&Worker<'_>)) {
        let barrier = Barrier::new(1, false);
        let _flush = FlushDenormals::start();
        body(&Worker { index: 0, barrier: &barrier });
    }
}

/// One member of the team while a program runs.
pub(super) struct Worker<'a> {
    index: usize,
    barrier: &'a Barrier,
}

impl Worker<'_> {
    /// This worker's part of `tasks` equal tasks.
    pub(super) fn share(&self, tasks: usize) -> Range<usize> {
        let size = self.barrier.size;
        tasks * self.index / size..tasks * (self.index + 1) / size
    }

    /// Whether this is the one that keeps the time.
    pub(super) fn is_first(&self) -> bool {
        self.index == 0
    }

    /// Waits until every worker has come here.
    pub(super) fn wait(&self) {
        self.barrier.wait();
    }
}

struct BrokenBarrier;

/// Where workers wait for each other: they spin, then yield, then sleep.
struct Barrier {
    size: usize,
    crowded: bool,
    arrived: AtomicUsize,
    round: AtomicUsize,
    broken: AtomicBool,
    sleepers: AtomicUsize,
    bed: Mutex<()>,
    alarm: Condvar,
}

impl Barrier {
    fn new(size: usize, crowded: bool) -> Self {
        let zero = || AtomicUsize::new(0);
        let (broken, bed, alarm) = (AtomicBool::new(false), Mutex::new(()), Condvar::new());
        Barrier { size, crowded, arrived: zero(), round: zero(), broken, sleepers: zero(), bed, alarm }
    }

    fn wait(&self) {
        if self.size == 1 {
            return;
        }
        let round = self.round.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.size {
            self.arrived.store(0, Ordering::Release);
            // In one order with the counts of sleepers: whoever has not seen the new round is seen here.
            self.round.store(round + 1, Ordering::SeqCst);
            if self.sleepers.load(Ordering::SeqCst) > 0 {
                self.wake();
            }
            return;
        }
        let mut patience = Patience::new(self.crowded);
        while self.holds(round) {
            if !patience.turn() {
                self.sleep(round);
            }
        }
        if self.broken.load(Ordering::SeqCst) && self.round.load(Ordering::SeqCst) == round {
            resume_unwind(Box::new(BrokenBarrier));
        }
    }

    /// Whether those who came in `round` still have to wait.
    fn holds(&self, round: usize) -> bool {
        self.round.load(Ordering::SeqCst) == round && !self.broken.load(Ordering::SeqCst)
    }

    fn sleep(&self, round: usize) {
        let mut bed = lock(&self.bed);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        while self.holds(round) {
            bed = self.alarm.wait(bed).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Sleepers look again. They either are asleep, or hold the bed's lock and have not looked yet.
    fn wake(&self) {
        drop(lock(&self.bed));
        self.alarm.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once_for_any_number_of_threads() {
        for threads in 1..=5 {
            let team = Team::new(threads).unwrap();
            let done: Vec<AtomicUsize> = (0..23).map(|_| AtomicUsize::new(0)).collect();
            team.run(|worker| {
                for _ in 0..100 {
                    for task in worker.share(done.len()) {
                        done[task].fetch_add(1, Ordering::SeqCst);
                    }
                    worker.wait();
                }
            });
            assert!(done.iter().all(|n| n.load(Ordering::SeqCst) == 100));
        }
    }

    #[test]
    fn whoever_waits_long_sleeps_and_is_woken() {
        for threads in [2, 3, 16] {
            let team = Team::new(threads).unwrap();
            let done = AtomicUsize::new(0);
            team.run(|worker| {
                for round in 0..8 {
                    if worker.index == round % threads {
                        std::thread::sleep(std::time::Duration::from_millis(20));
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                    worker.wait();
                    assert_eq!(done.load(Ordering::SeqCst), round + 1);
                    worker.wait();
                }
            });
        }
    }

    #[test]
    fn a_panic_wakes_those_who_sleep() {
        let team = Team::new(4).unwrap();
        let result = catch_unwind(AssertUnwindSafe(|| {
            team.run(|worker| {
                if worker.index == 2 {
                    std::thread::sleep(std::time::Duration::from_millis(50));
                    panic!("too late");
                }
                worker.wait();
            });
        }));
        assert_eq!(result.unwrap_err().downcast_ref::<&str>(), Some(&"too late"));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_team_lives_on() {
        let team = Team::new(3).unwrap();
        let result = catch_unwind(AssertUnwindSafe(|| {
            team.run(|worker| {
                assert!(worker.index != 1, "worker one fails");
                worker.wait();
            });
        }));
        let message = result.unwrap_err();
        assert_eq!(message.downcast_ref::<&str>(), Some(&"worker one fails"));
        team.run(|worker| worker.wait());
    }
}
