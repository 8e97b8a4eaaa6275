//! The closed list of steps, and what is asked of each: into how many tasks it falls, what it is called, whether it stays within
//! the arena, and to run.

use super::*;
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
    /// Into how many tasks the step falls, which threads may share.
    pub fn tasks(&self, lanes: usize) -> usize {
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
            Step::Pack(_) | Step::Unpack(_) | Step::Bias(_) | Step::Repack(_) | Step::Clear(_) => 0,
            Step::WinogradPack(_) | Step::WinogradTiles(_) | Step::BiasGrad(_) => 0,
            Step::Pointwise(_) | Step::PreluGrad(_) => 0,
            Step::Window(_) | Step::WindowGrad(_) | Step::SubsampleGrad(_) => 0,
            Step::Statistics(_) | Step::MergeStatistics(_) | Step::Normalise(_) => 0,
            Step::NormGradSums(_) | Step::NormParamGrad(_) | Step::NormInputGrad(_) => 0,
            Step::Columns(_) | Step::ColumnsGrad(_) | Step::Gather(_) | Step::Shuffle(_) => 0,
            Step::Scale(_) | Step::ScaleGrad(_) => 0,
            Step::GroupStatistics(_) | Step::GroupNormalise(_) => 0,
            Step::GroupParamGrad(_) | Step::GroupInputGrad(_) => 0,
            Step::Barrier => 0,
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

    /// Fits the step to an instruction set and so many threads; gives the numbers that each thread needs for itself.
    pub fn arrange(&mut self, isa: Isa, threads: usize) -> usize {
        match self {
            Step::Correlate(correlate) => {
                correlate.arrange(isa);
                0
            }
            Step::Winograd(winograd) => {
                winograd.arrange(isa, threads);
                winograd.scratch(isa.lanes())
            }
            Step::WinogradGrad(grad) => grad.scratch(),
            Step::Window(window) => window.scratch(isa.lanes()),
            Step::Pack(_) | Step::Unpack(_) | Step::Bias(_) | Step::Repack(_) | Step::Clear(_) => 0,
            Step::WinogradPack(_) | Step::WinogradTiles(_) | Step::ConvPool(_) | Step::Linear(_) => 0,
            Step::WeightGrad(_) | Step::BiasGrad(_) | Step::Pointwise(_) | Step::PreluGrad(_) => 0,
            Step::WindowGrad(_) | Step::SubsampleGrad(_) => 0,
            Step::Statistics(_) | Step::MergeStatistics(_) | Step::Normalise(_) => 0,
            Step::NormGradSums(_) | Step::NormParamGrad(_) | Step::NormInputGrad(_) => 0,
            Step::Columns(_) | Step::ColumnsGrad(_) | Step::Gather(_) | Step::Shuffle(_) => 0,
            Step::Scale(_) | Step::ScaleGrad(_) => 0,
            Step::GroupStatistics(_) | Step::GroupNormalise(_) => 0,
            Step::GroupParamGrad(_) | Step::GroupInputGrad(_) => 0,
            Step::Barrier => 0,
        }
    }

    /// Panics if the step could reach beyond `len` elements.
    pub fn check(&self, len: usize, lanes: usize) {
        match self {
            Step::Correlate(step) => step.check(len, lanes),
            Step::ConvPool(step) => step.check(len, lanes),
            Step::Winograd(step) => step.check(len, lanes),
            Step::WinogradTiles(step) | Step::WinogradGrad(step) => step.check(len, lanes),
            Step::WeightGrad(step) => step.check(len, lanes),
            // These check each row that they touch.
            Step::Pack(_) | Step::Unpack(_) | Step::Bias(_) | Step::Repack(_) | Step::Clear(_) => {}
            Step::WinogradPack(_) | Step::Linear(_) | Step::BiasGrad(_) => {}
            Step::Pointwise(_) | Step::PreluGrad(_) => {}
            Step::Window(_) | Step::WindowGrad(_) | Step::SubsampleGrad(_) => {}
            Step::Statistics(_) | Step::MergeStatistics(_) | Step::Normalise(_) => {}
            Step::NormGradSums(_) | Step::NormParamGrad(_) | Step::NormInputGrad(_) => {}
            Step::Columns(_) | Step::ColumnsGrad(_) | Step::Gather(_) | Step::Shuffle(_) => {}
            Step::Scale(_) | Step::ScaleGrad(_) => {}
            Step::GroupStatistics(_) | Step::GroupNormalise(_) => {}
            Step::GroupParamGrad(_) | Step::GroupInputGrad(_) => {}
            Step::Barrier => {}
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
                Step::Correlate(step) => S::enter(Alone(step, mem, tasks)),
                Step::ConvPool(step) => S::enter(Alone(step, mem, tasks)),
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

    /// Runs some of the step's tasks with the kernels of `isa`, which a [`Program`](crate::program::Program) has found
    /// on this processor.
    pub fn dispatch(&self, isa: Isa, mem: Mem<'_>, outside: Outside<'_>, scratch: Mem<'_>, tasks: Range<usize>) {
        if tasks.is_empty() {
            return;
        }
        // SAFETY: `Program::new` has found the instruction set and checked the bounds; stages keep tasks apart.
        unsafe { isa.enter(Share { step: self, mem, outside, scratch, tasks }) }
    }
}

/// A step whose innermost loop is its own: among all the others in one function, it would have to do with the registers and the
/// place that they leave it.
struct Alone<'a, T>(&'a T, Mem<'a>, Range<usize>);

impl Kernel for Alone<'_, Correlate> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.run::<S>(self.1, self.2) }
    }
}

impl Kernel for Alone<'_, ConvPool> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: passed on from the caller.
        unsafe { self.0.run::<S>(self.1, self.2) }
    }
}

/// A thread's share of a step.
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
