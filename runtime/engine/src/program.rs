//! Steps in order, checked once, run by a team: what a plan is carried out by.

use super::kernels::{Bindings, Isa, Mem, Share, Step};
use super::profile::Clock;
use super::threads::{Team, Worker, threads};
use std::cell::RefCell;

/// Steps that have been checked against an instruction set and the length of an arena.
#[derive(Debug)]
pub struct Program {
    steps: Vec<Step>,
    isa: Isa,
    arena_len: usize,
    /// Numbers that each thread needs for itself.
    scratch: usize,
    /// Multiplications with addition.
    work: u64,
}

impl Program {
    /// Checks `steps`.
    ///
    /// # Panics
    /// If a step could reach beyond `arena_len`, or the processor lacks `isa`: a mistake of the planner.
    pub fn new(mut steps: Vec<Step>, isa: Isa, arena_len: usize) -> Self {
        assert!(Isa::available().contains(&isa), "engine: this processor has no {}", isa.name());
        let mut scratch = 0;
        for step in &mut steps {
            scratch = scratch.max(step.arrange(isa, threads()));
            step.check(arena_len, isa.lanes());
        }
        let work = steps.iter().fold(0, |work: u64, step| work.saturating_add(step.multiply_adds(isa.lanes())));
        Program { steps, isa, arena_len, scratch, work }
    }

    /// Runs all steps on `team`.
    ///
    /// # Panics
    /// If `arena` or a parameter is shorter than the program was made for.
    pub fn run(&self, arena: &mut [f32], bindings: Bindings<'_>, team: &Team) {
        let mem = Mem::new(&mut arena[..self.arena_len]);
        let body = |worker: &Worker<'_>| {
            with_scratch(self.scratch, |scratch| {
                let mut clock = Clock::start(worker.is_first());
                for stage in self.steps.split(|step| matches!(step, Step::Barrier)) {
                    for step in stage {
                        let tasks = worker.share(step.tasks(self.isa.lanes()));
                        step.dispatch(self.isa, Share { mem, bindings, scratch, tasks });
                    }
                    worker.wait();
                    clock.stage(stage, self.isa.lanes());
                }
            })
        };
        if self.work < ALONE { Team::run_alone(body) } else { team.run(body) }
    }
}

/// Multiplications with addition that are done before other threads would have woken up.
const ALONE: u64 = 1_500_000;

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` with `len` numbers of this thread's own, which it keeps for the next time.
fn with_scratch(len: usize, f: impl FnOnce(Mem<'_>)) {
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.len() < len + 16 {
            scratch.resize(len + 16, 0.0);
        }
        let start = scratch.as_ptr().align_offset(64).min(16);
        f(Mem::new(&mut scratch[start..start + len]));
    });
}
