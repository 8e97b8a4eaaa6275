//! Threads that run one function at the same time, again and again.
//!
//! The caller is one of them and begins at once; the others are woken if they sleep, which they do some microseconds after
//! they had nothing to do. A hand-over costs about a microsecond while they are awake, and allocates nothing. Rayon's
//! broadcast, which did this before, took about fourteen.

use super::denormals::FlushDenormals;
use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

type Job = dyn Fn(usize) + Sync;

/// The threads beside the caller.
pub struct ThreadPool {
    /// Whether there are more threads than cores, so that one that spins keeps another from its work.
    pub crowded: bool,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    // Two functions at once would wait for each other's threads for ever.
    busy: Mutex<()>,
}

struct Shared {
    /// What to do in this round; only read between the start of a round and the thread's own end of it.
    job: UnsafeCell<Option<*const Job>>,
    round: AtomicUsize,
    /// Threads that are not done with the round.
    left: AtomicUsize,
    stop: AtomicBool,
    panics: Mutex<Vec<Box<dyn Any + Send>>>,
}

// SAFETY: `job` is written by the one caller (who holds `busy`) while no thread is in a round, and read by threads after they
// have seen, with acquire order, the round that was published with release order behind the write.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer is to a function that is `Sync`, and outlives the round since the caller waits for its end.
unsafe impl Send for Shared {}

/// Turns of a waiting loop before a thread without work goes to sleep: some tens of microseconds.
const SPINS: u32 = 20_000;

/// Bytes of stack for each thread, of which only what is used takes memory. A kernel without optimisation needs 0.4 MB.
const STACK: usize = 4 << 20;

impl ThreadPool {
    /// Starts `threads` threads less one, for the caller.
    ///
    /// # Errors
    /// When the operating system refuses to.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            job: UnsafeCell::new(None),
            round: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            panics: Mutex::new(Vec::new()),
        });
        let crowded = std::thread::available_parallelism().is_ok_and(|cores| threads > cores.get());
        let mut pool = ThreadPool { crowded, shared: shared.clone(), threads: Vec::new(), busy: Mutex::new(()) };
        let spins = if crowded { 0 } else { SPINS };
        for index in 1..threads {
            let shared = shared.clone();
            let builder = std::thread::Builder::new().name(format!("convnet-{index}")).stack_size(STACK);
            pool.threads.push(builder.spawn(move || work(&shared, index, spins))?);
        }
        Ok(pool)
    }

    /// Number of threads, the caller included.
    pub fn size(&self) -> usize {
        self.threads.len() + 1
    }

    /// Runs `f(0)` here and `f(1)` to `f(size - 1)` on the other threads, and waits for all of them. Gives what they
    /// panicked with.
    pub fn run(&self, f: &(dyn Fn(usize) + Sync)) -> Vec<Box<dyn Any + Send>> {
        let _alone = lock(&self.busy);
        // SAFETY: the lifetime is only forgotten until the end of this function, which waits for every thread's end.
        let job: *const Job = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static Job>(f) };
        // SAFETY: no thread is in a round, see `Shared`.
        unsafe { *self.shared.job.get() = Some(job) };
        self.shared.left.store(self.threads.len(), Ordering::Relaxed);
        self.shared.round.fetch_add(1, Ordering::Release);
        for thread in &self.threads {
            thread.thread().unpark();
        }
        attempt(&self.shared, f, 0);
        let mut patience = Patience::new(self.crowded);
        while self.shared.left.load(Ordering::Acquire) > 0 {
            patience.turn();
        }
        std::mem::take(&mut *lock(&self.shared.panics))
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // A thread's panics have been given to callers.
            let _ = thread.join();
        }
    }
}

/// The life of a thread.
fn work(shared: &Shared, index: usize, most_spins: u32) {
    let mut seen = 0;
    let mut spins = 0;
    while !shared.stop.load(Ordering::Acquire) {
        let round = shared.round.load(Ordering::Acquire);
        if round == seen {
            spins += 1;
            if spins < most_spins {
                std::hint::spin_loop()
            } else {
                std::thread::park()
            }
            continue;
        }
        (seen, spins) = (round, 0);
        // SAFETY: written before the round was published, see `Shared`; the caller waits for us before it returns.
        if let Some(job) = unsafe { *shared.job.get() } {
            // SAFETY: as above.
            attempt(shared, unsafe { &*job }, index);
        }
        shared.left.fetch_sub(1, Ordering::Release);
    }
}

fn attempt(shared: &Shared, f: &(dyn Fn(usize) + Sync), index: usize) {
    let _flush = FlushDenormals::start();
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| f(index))) {
        lock(&shared.panics).push(panic);
    }
}

/// How long a thread that waits for another has been waiting: it spins, then lets others have the core, which may be what the
/// other one needs, and in the end should sleep.
pub struct Patience {
    turns: u32,
    crowded: bool,
}

/// Turns of spinning where each thread has a core: some tens of microseconds, more than the next step is away.
const SPINNING: u32 = 5_000;
/// Turns of yielding: about a millisecond where nobody else wants the core.
const YIELDING: u32 = 2_000;

impl Patience {
    /// Without spinning, where threads are more than cores.
    pub fn new(crowded: bool) -> Self {
        Patience { turns: if crowded { SPINNING } else { 0 }, crowded }
    }

    /// Waits a little; false if it is time to sleep.
    pub fn turn(&mut self) -> bool {
        self.turns = self.turns.saturating_add(1);
        match self.turns {
            ..SPINNING => std::hint::spin_loop(),
            _ => std::thread::yield_now(),
        }
        let yielding = if self.crowded { YIELDING / 20 } else { YIELDING };
        self.turns < SPINNING + yielding
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
