//! Work on plain numbers that all threads share: what an optimiser does to the parameters, and sums over gradients.

use super::threads::{self, Team, Worker};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Parameters of fewer numbers are updated before other threads would be awake.
const TOGETHER: usize = 1 << 16;

/// Updates the numbers of a parameter on all threads: `f` gets some of them, with their gradients and their part of each
/// slot, and gives whether all went well.
pub fn update(
    param: &mut [f32],
    gradient: &mut [f32],
    slots: &mut [Vec<f32>],
    f: impl Fn(&mut [f32], &mut [f32], &mut [&mut [f32]]) -> bool + Sync,
) -> bool {
    let team = threads::team();
    let len = if param.len() < TOGETHER { param.len().max(1) } else { param.len().div_ceil(team.size()) };
    let mut slots: Vec<_> = slots.iter_mut().map(|slot| slot.chunks_mut(len)).collect();
    let parts = param.chunks_mut(len).zip(gradient.chunks_mut(len));
    let parts =
        parts.map(|(param, gradient)| (param, gradient, slots.iter_mut().flat_map(Iterator::next).collect::<Vec<_>>()));
    let parts: Vec<_> = parts.map(Mutex::new).collect();
    let well = AtomicBool::new(true);
    let body = |worker: &Worker<'_>| {
        for part in &parts[worker.share(parts.len())] {
            let (param, gradient, slots) = &mut *part.lock().unwrap_or_else(PoisonError::into_inner);
            if !f(param, gradient, slots) {
                well.store(false, Ordering::Relaxed);
            }
        }
    };
    if parts.len() <= 1 {
        Team::run_alone(body)
    } else {
        team.run(body)
    }
    well.into_inner()
}

/// Numbers of a part of a sum: fixed, so that sums do not depend on the number of threads.
const PART: usize = 1 << 14;

/// The sum of what `f` gives for parts of `numbers`, computed on all threads and added in order.
pub fn sum_of_squares(numbers: &[f32], f: impl Fn(&[f32]) -> f64 + Sync) -> f64 {
    let parts: Vec<(&[f32], Mutex<f64>)> = numbers.chunks(PART).map(|part| (part, Mutex::new(0.0))).collect();
    let body = |worker: &Worker<'_>| {
        for (part, sum) in &parts[worker.share(parts.len())] {
            *sum.lock().unwrap_or_else(PoisonError::into_inner) = f(part);
        }
    };
    if numbers.len() < TOGETHER {
        Team::run_alone(body)
    } else {
        threads::team().run(body)
    }
    parts.into_iter().map(|(_, sum)| sum.into_inner().unwrap_or_else(PoisonError::into_inner)).sum()
}
