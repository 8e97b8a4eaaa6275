//! The steps that a plan is made of, and their execution: slices and sizes, never tensors, tapes or devices.
//!
//! All `unsafe` code of the project is in this folder, but for the two views of a tensor in [`super::view`]. It rests on three
//! things:
//! * a [`Program`] checks, when it is made, that no step reaches beyond the arena it is made for;
//! * the tasks of one step write to places that do not meet, and no step of a *stage* (the steps between two barriers)
//!   reads what another of the same stage writes; the planner ends a stage after each step whose results are read;
//! * the instruction set that a step runs with has been found on this processor.

mod column;
mod conv_pool;
mod correlate;
mod crew;
mod denormals;
mod gather;
mod group_norm;
mod linear;
mod mem;
mod norm;
mod pack;
mod peak;
mod pointwise;
mod repack;
mod scale;
mod shuffle;
mod simd;
mod tile;
mod weight_grad;
mod weight_tile;
mod window;
mod winograd;

pub use column::{Across, Columns};
pub use conv_pool::{BEYOND, ConvPool, WIDEST_KERNEL};
pub use correlate::{Block, Correlate};
pub use crew::{Crew, Patience};
pub use denormals::FlushDenormals;
pub use gather::Gather;
pub use group_norm::GroupNorm;
pub use linear::{FEW, Linear};
pub use mem::{Mem, Outside};
pub use norm::BatchNorm;
pub use pack::{Bias, Pack, WeightBlock, WeightMap};
pub use peak::peak;
pub use pointwise::{Function, GradMode, Pointwise, PreluGrad, from_output};
pub use repack::{Clear, Repack};
pub use scale::{Scale, ScaleGrad};
pub use shuffle::{Order, Shuffle};
pub use simd::{Isa, Kernel, Simd};
pub use weight_grad::{BiasGrad, WeightGrad};
pub use window::{SubsampleGrad, Window, Windows};
pub use winograd::{Winograd, WinogradGrad, WinogradPack};

use super::profile::Clock;
use super::threads::{Team, Worker, threads};
use std::cell::RefCell;
use std::ops::Range;

/// One parallel operation.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // Each variant is documented by the type that it holds.
pub enum Step {
    Pack(Pack),
    Unpack(Pack),
    Bias(Bias),
    Repack(Repack),
    Clear(Clear),
    Correlate(Correlate),
    ConvPool(ConvPool),
    Winograd(Winograd),
    WinogradPack(WinogradPack),
    WinogradTiles(WinogradGrad),
    WinogradGrad(WinogradGrad),
    Linear(Linear),
    WeightGrad(WeightGrad),
    BiasGrad(BiasGrad),
    Pointwise(Pointwise),
    PreluGrad(PreluGrad),
    Window(Window),
    WindowGrad(Window),
    SubsampleGrad(SubsampleGrad),
    Statistics(BatchNorm),
    MergeStatistics(BatchNorm),
    Normalise(BatchNorm),
    NormGradSums(BatchNorm),
    NormParamGrad(BatchNorm),
    NormInputGrad(BatchNorm),
    Columns(Columns),
    ColumnsGrad(Columns),
    Gather(Gather),
    Shuffle(Shuffle),
    Scale(Scale),
    ScaleGrad(ScaleGrad),
    GroupStatistics(GroupNorm),
    GroupNormalise(GroupNorm),
    GroupParamGrad(GroupNorm),
    GroupInputGrad(GroupNorm),
    /// Ends a stage: what was written before may be read after.
    Barrier,
}

impl Step {
    fn tasks(&self, lanes: usize) -> usize {
        match self {
            Step::Pack(step) | Step::Unpack(step) => step.tasks(),
            Step::Bias(_) => 1,
            Step::Repack(step) => step.tasks(),
            Step::Clear(step) => step.tasks(),
            Step::Correlate(step) => step.tasks(),
            Step::ConvPool(step) => step.tasks(),
            Step::Winograd(step) => step.tasks(),
            Step::WinogradPack(step) => step.tasks(lanes),
            Step::WinogradTiles(step) => step.transform_tasks(),
            Step::WinogradGrad(step) => step.tasks(),
            Step::Linear(step) => step.tasks(),
            Step::WeightGrad(step) => step.tasks(),
            Step::BiasGrad(step) => step.tasks(),
            Step::Pointwise(step) => step.tasks(),
            Step::PreluGrad(step) => step.tasks(),
            Step::Window(step) => step.tasks(),
            Step::WindowGrad(step) => step.grad_tasks(),
            Step::SubsampleGrad(step) => step.tasks(),
            Step::Statistics(step) | Step::NormGradSums(step) => step.sum_tasks(),
            Step::MergeStatistics(step) | Step::NormParamGrad(step) => step.merge_tasks(),
            Step::Normalise(step) | Step::NormInputGrad(step) => step.row_tasks(),
            Step::Columns(step) | Step::ColumnsGrad(step) => step.tasks(),
            Step::Gather(step) => step.tasks(),
            Step::Shuffle(step) => step.tasks(),
            Step::Scale(step) => step.tasks(),
            Step::ScaleGrad(step) => step.tasks(),
            Step::GroupStatistics(step) | Step::GroupInputGrad(step) => step.batch,
            Step::GroupNormalise(step) => step.row_tasks(),
            Step::GroupParamGrad(step) => step.param_tasks(),
            Step::Barrier => 0,
        }
    }

    /// Multiplications with addition that the step does, where that is what takes its time.
    pub fn multiply_adds(&self, lanes: usize) -> u64 {
        match self {
            Step::Correlate(step) => step.multiply_adds(lanes),
            Step::ConvPool(step) => step.correlate.multiply_adds(lanes),
            Step::Winograd(step) => step.multiply_adds(),
            Step::WinogradGrad(step) => step.multiply_adds(),
            Step::Linear(step) => step.multiply_adds(),
            Step::WeightGrad(step) => step.correlate.multiply_adds(lanes),
            _ => 0,
        }
    }

    /// What a profile calls the step: its kind, and the sizes of one that multiplies.
    pub fn describe(&self) -> String {
        match self {
            Step::Correlate(step) => format!("correlate {}", step.describe()),
            Step::ConvPool(step) => format!("conv pool {}", step.correlate.describe()),
            Step::Winograd(step) => format!("winograd {}", step.describe()),
            Step::WinogradPack(_) => "winograd pack".into(),
            Step::WinogradTiles(step) => format!("winograd tiles {}", step.describe()),
            Step::WinogradGrad(step) => format!("winograd grad {}", step.describe()),
            Step::Linear(step) => format!("linear {}x{} to {}", step.batch, step.len, step.out.chw[0]),
            Step::WeightGrad(step) => format!("weight grad {}", step.correlate.describe()),
            Step::Pack(_) => "pack".into(),
            Step::Unpack(_) => "unpack".into(),
            Step::Bias(_) => "bias".into(),
            Step::Repack(_) => "repack".into(),
            Step::Clear(_) => "clear".into(),
            Step::BiasGrad(_) => "bias grad".into(),
            Step::Pointwise(_) => "pointwise".into(),
            Step::PreluGrad(_) => "prelu grad".into(),
            Step::Window(_) => "window".into(),
            Step::WindowGrad(_) => "window grad".into(),
            Step::SubsampleGrad(_) => "subsample grad".into(),
            Step::Statistics(_) => "statistics".into(),
            Step::MergeStatistics(_) => "merge statistics".into(),
            Step::NormGradSums(_) => "norm grad sums".into(),
            Step::Normalise(_) => "normalise".into(),
            Step::NormParamGrad(_) => "norm param grad".into(),
            Step::NormInputGrad(_) => "norm input grad".into(),
            Step::Columns(_) => "columns".into(),
            Step::ColumnsGrad(_) => "columns grad".into(),
            Step::Gather(_) => "gather".into(),
            Step::Shuffle(_) => "shuffle".into(),
            Step::Scale(_) => "scale".into(),
            Step::ScaleGrad(_) => "scale grad".into(),
            Step::GroupStatistics(_) => "group statistics".into(),
            Step::GroupNormalise(_) => "group normalise".into(),
            Step::GroupParamGrad(_) => "group param grad".into(),
            Step::GroupInputGrad(_) => "group input grad".into(),
            Step::Barrier => String::new(),
        }
    }

    /// Panics if the step could reach beyond `len` elements. Steps that are not named here check each row they touch.
    fn check(&self, len: usize, lanes: usize) {
        match self {
            Step::Correlate(step) => step.check(len, lanes),
            Step::ConvPool(step) => step.check(len, lanes),
            Step::Winograd(step) => step.check(len, lanes),
            Step::WinogradTiles(step) | Step::WinogradGrad(step) => step.check(len, lanes),
            Step::WeightGrad(step) => step.check(len, lanes),
            _ => {}
        }
    }

    /// # Safety
    /// The instruction set of `S` is there and switched on in the caller; the stage's other tasks keep out of the way.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, mem: Mem<'_>, outside: Outside<'_>, scratch: Mem<'_>, tasks: Range<usize>) {
        // SAFETY: passed on from the caller; bounds by `check`.
        unsafe {
            match self {
                Step::Pack(step) => step.pack::<S>(mem, outside, tasks),
                Step::Unpack(step) => step.unpack::<S>(mem, outside, tasks),
                Step::Bias(step) => step.run(mem, outside),
                Step::Repack(step) => step.run(mem, tasks),
                Step::Clear(step) => step.run(mem, tasks),
                Step::Correlate(step) => step.run::<S>(mem, tasks),
                Step::ConvPool(step) => step.run::<S>(mem, tasks),
                Step::Winograd(step) => step.run::<S>(mem, outside, scratch, tasks),
                Step::WinogradPack(step) => step.run::<S>(mem, outside, tasks),
                Step::WinogradTiles(step) => step.transform::<S>(mem, tasks),
                Step::WinogradGrad(step) => step.run::<S>(mem, outside, scratch, tasks),
                Step::Linear(step) => step.run::<S>(mem, outside, tasks),
                Step::WeightGrad(step) => step.run::<S>(mem, tasks),
                Step::BiasGrad(step) => step.run::<S>(mem, tasks),
                Step::Pointwise(step) => step.run::<S>(mem, outside.seed, tasks),
                Step::PreluGrad(step) => step.run(mem),
                Step::Window(step) => step.run::<S>(mem, scratch, tasks),
                Step::WindowGrad(step) => step.run_grad::<S>(mem, tasks),
                Step::SubsampleGrad(step) => step.run(mem, tasks),
                Step::Statistics(step) => step.statistics::<S>(mem, tasks),
                Step::Normalise(step) => step.normalise::<S>(mem, tasks),
                Step::MergeStatistics(step) => step.merge::<S>(mem, tasks),
                Step::NormGradSums(step) => step.grad_sums::<S>(mem, tasks),
                Step::NormParamGrad(step) => step.param_grad::<S>(mem, tasks),
                Step::NormInputGrad(step) => step.input_grad::<S>(mem, tasks),
                Step::Columns(step) => step.run(mem, tasks),
                Step::ColumnsGrad(step) => step.run_grad(mem, tasks),
                Step::Gather(step) => step.run::<S>(mem, tasks),
                Step::Shuffle(step) => step.run(mem, tasks),
                Step::Scale(step) => step.run::<S>(mem, tasks),
                Step::ScaleGrad(step) => step.run::<S>(mem, tasks),
                Step::GroupStatistics(step) => step.statistics::<S>(mem, tasks),
                Step::GroupNormalise(step) => step.normalise::<S>(mem, tasks),
                Step::GroupParamGrad(step) => step.param_grad::<S>(mem, tasks),
                Step::GroupInputGrad(step) => step.input_grad::<S>(mem, tasks),
                Step::Barrier => {}
            }
        }
    }

    /// Runs the worker's share of the step's tasks.
    fn dispatch(&self, isa: Isa, mem: Mem<'_>, outside: Outside<'_>, scratch: Mem<'_>, worker: &Worker<'_>) {
        let tasks = worker.share(self.tasks(isa.lanes()));
        if tasks.is_empty() {
            return;
        }
        // SAFETY: `Program::new` has found the instruction set and checked the bounds; stages keep tasks apart.
        unsafe { isa.enter(Share { step: self, mem, outside, scratch, tasks }) }
    }
}

/// A worker's share of a step.
struct Share<'a, 'o> {
    step: &'a Step,
    mem: Mem<'a>,
    outside: Outside<'o>,
    scratch: Mem<'a>,
    tasks: Range<usize>,
}

impl Kernel for Share<'_, '_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: passed on from the caller.
        unsafe { self.step.run::<S>(self.mem, self.outside, self.scratch, self.tasks) }
    }
}

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
            match step {
                Step::Correlate(correlate) => correlate.arrange(isa),
                Step::Winograd(winograd) => {
                    winograd.arrange(isa, threads());
                    scratch = scratch.max(winograd.scratch(isa.lanes()));
                }
                Step::WinogradGrad(grad) => scratch = scratch.max(grad.scratch()),
                Step::Window(window) => scratch = scratch.max(window.scratch(isa.lanes())),
                _ => {}
            }
            step.check(arena_len, isa.lanes());
        }
        let work = steps.iter().map(|step| step.multiply_adds(isa.lanes())).sum();
        Program { steps, isa, arena_len, scratch, work }
    }

    /// Runs all steps on `team`.
    ///
    /// # Panics
    /// If `arena` or a parameter is shorter than the program was made for.
    pub fn run(&self, arena: &mut [f32], outside: Outside<'_>, team: &Team) {
        let mem = Mem::new(&mut arena[..self.arena_len]);
        let body = |worker: &Worker<'_>| {
            with_scratch(self.scratch, |scratch| {
                let mut clock = Clock::start(worker.is_first());
                for stage in self.steps.split(|step| matches!(step, Step::Barrier)) {
                    for step in stage {
                        step.dispatch(self.isa, mem, outside, scratch, worker);
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
