//! How a run is told to stop: Ctrl-C, SIGTERM and, when its terminal goes away, SIGHUP.
//!
//! While the network trains, each of them lets the step end, saves and ends the program with 130; before and after that there is
//! nothing to save, and it ends at once, with 130 too. A second Ctrl-C always ends it at once; a second SIGTERM does not, since
//! supervisors send it to a process and to its group. SIGQUIT stays what it is everywhere: the end, at once.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_shutdown};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(unix)]
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// The exit code of a run that was told to stop.
pub const INTERRUPTED: i32 = 130;

/// What the signals have to do with a run.
#[derive(Debug, Clone)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    idle: Arc<AtomicBool>,
}

impl Stop {
    /// Begins to listen. Until [`Stop::training`] says otherwise, a signal ends the program.
    pub fn listen() -> std::io::Result<Self> {
        let stop = Stop { asked: Arc::default(), idle: Arc::new(AtomicBool::new(true)) };
        for signal in SIGNALS {
            // `nohup` has SIGHUP ignored. Not so the other two: a script has its programs in the background ignore SIGINT, and
            // who sends it to one of them means it.
            if ![SIGINT, SIGTERM].contains(&signal) && is_ignored(signal) {
                continue;
            }
            register_conditional_shutdown(signal, INTERRUPTED, stop.idle.clone())?;
            if signal == SIGINT {
                // Before the flag is set: the second one finds it set by the first.
                register_conditional_shutdown(signal, INTERRUPTED, stop.asked.clone())?;
            }
            register(signal, stop.asked.clone())?;
        }
        Ok(stop)
    }

    /// Says whether the network is training, so that there is something to save.
    pub fn training(&self, yes: bool) {
        self.idle.store(!yes, Ordering::SeqCst);
    }

    /// What becomes true with the first signal.
    pub fn asked(&self) -> Arc<AtomicBool> {
        self.asked.clone()
    }
}

/// Whether whoever started the program wants the signal ignored. Only Linux tells; elsewhere it is taken for no.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
