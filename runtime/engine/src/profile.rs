//! Where the time of programs goes: the seconds of each kind of step, taken at the barriers that end its stages.

use super::kernels::Step;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

static ENABLED: AtomicBool = AtomicBool::new(false);
static TIMES: Mutex<BTreeMap<String, Entry>> = Mutex::new(BTreeMap::new());

/// The time that stages of one kind have taken.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Entry {
    /// Stages of this kind that have run.
    pub stages: usize,
    /// Their time together, the waiting for the slowest thread included.
    pub time: Duration,
    /// Multiplications with addition that they did; 0 where that is not what they do.
    pub multiply_adds: u64,
}

/// Starts to collect times, from nothing.
pub fn start() {
    lock().clear();
    ENABLED.store(true, Ordering::Release);
}

/// Stops, and gives what was collected: by the name of the stage.
pub fn stop() -> BTreeMap<String, Entry> {
    ENABLED.store(false, Ordering::Release);
    std::mem::take(&mut *lock())
}

fn lock() -> std::sync::MutexGuard<'static, BTreeMap<String, Entry>> {
    TIMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The clock of one run of a program.
pub(super) struct Clock(Option<(Instant, BTreeMap<String, Entry>)>);

impl Clock {
    pub(super) fn start(wanted: bool) -> Self {
        Clock((wanted && ENABLED.load(Ordering::Acquire)).then(|| (Instant::now(), BTreeMap::new())))
    }

    /// Books the time since the last stage on `steps`.
    pub(super) fn stage(&mut self, steps: &[Step], lanes: usize) {
        let Some((since, times)) = &mut self.0 else { return };
        let now = Instant::now();
        let name = steps.iter().max_by_key(|step| step.multiply_adds(lanes)).map_or_else(String::new, Step::describe);
        let entry = times.entry(name).or_default();
        entry.stages += 1;
        entry.time += now - *since;
        entry.multiply_adds += steps.iter().map(|step| step.multiply_adds(lanes)).sum::<u64>();
        *since = Instant::now();
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        let Some((_, times)) = self.0.take() else { return };
        let mut all = lock();
        for (name, new) in times {
            let entry = all.entry(name).or_default();
            entry.stages += new.stages;
            entry.time += new.time;
            entry.multiply_adds += new.multiply_adds;
        }
    }
}
