//! The way of batches from a worker of a loader to whoever trains.

use super::{Batch, DataError};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A bounded queue whose sender, once it had to wait for room, sleeps until half of it is free: to wake a thread costs as much
/// as making a small batch, so it must not happen for each of them, as it does in a channel of the standard library.
pub(super) struct Queue {
    state: Mutex<(VecDeque<Result<Batch, DataError>>, bool)>,
    room: Condvar,
    filled: Condvar,
    most: usize,
}

impl Queue {
    pub fn new(most: usize) -> Self {
        Queue { state: Mutex::default(), room: Condvar::new(), filled: Condvar::new(), most }
    }

    /// Puts a batch in; false if nobody wants it any more.
    pub fn push(&self, batch: Result<Batch, DataError>) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0.len() >= self.most {
            let full = |state: &mut (VecDeque<_>, bool)| state.0.len() > self.most / 2 && !state.1;
            state = self.room.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        }
        if state.1 {
            return false;
        }
        state.0.push_back(batch);
        if state.0.len() == 1 {
            self.filled.notify_one();
        }
        true
    }

    /// Takes the next batch out; nothing if the sender is `gone` and has left none.
    pub fn pop(&self, gone: impl Fn() -> bool) -> Option<Result<Batch, DataError>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.0.is_empty() {
            let over = gone();
            // Now and then, lest a thread that died without a word be waited for.
            let waited = self.filled.wait_timeout(state, Duration::from_millis(200));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if over && state.0.is_empty() {
                return None;
            }
        }
        let batch = state.0.pop_front();
        if state.0.len() == self.most / 2 {
            self.room.notify_one();
        }
        batch
    }

    pub fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.room.notify_one();
    }
}
