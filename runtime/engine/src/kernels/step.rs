//! The one table of steps: a line for each kernel that a plan may be made of.

use super::share::{Share, StepKernel};
use super::*;

/// Declares [`Step`] with a variant for each kernel, named as its type, and asks that type whatever a step is asked. It is a
/// macro since a function would have to go through `dyn`, and then no kernel could be inlined where its instruction set is
/// switched on.
macro_rules! steps {
    ($($kernel:ident,)*) => {
        /// One parallel operation.
        #[derive(Debug, Clone)]
        #[allow(missing_docs)] // Each variant is documented by the type that it holds.
        pub enum Step {
            $($kernel($kernel),)*
            /// Ends a stage: what was written before may be read after.
            Barrier,
        }

        $(impl From<$kernel> for Step {
            fn from(kernel: $kernel) -> Self {
                Step::$kernel(kernel)
            }
        })*

        impl Step {
            /// Into how many tasks the step falls, which threads may share.
            pub fn tasks(&self, lanes: usize) -> usize {
                match self {
                    $(Step::$kernel(kernel) => kernel.tasks(lanes),)*
                    Step::Barrier => 0,
                }
            }

            /// Multiplications with addition that the step does, where that is what takes its time.
            pub fn multiply_adds(&self, lanes: usize) -> u64 {
                match self {
                    $(Step::$kernel(kernel) => kernel.multiply_adds(lanes),)*
                    Step::Barrier => 0,
                }
            }

            /// What a profile calls the step: its kind, and the sizes of one that multiplies.
            pub fn describe(&self) -> String {
                let (name, sizes) = match self {
                    $(Step::$kernel(kernel) => ($kernel::NAME, kernel.sizes()),)*
                    Step::Barrier => ("", String::new()),
                };
                if sizes.is_empty() { name.into() } else { format!("{name} {sizes}") }
            }

            /// Fits the step to an instruction set and so many threads; gives the numbers that each thread needs for itself.
            pub fn arrange(&mut self, isa: Isa, threads: usize) -> usize {
                match self {
                    $(Step::$kernel(kernel) => kernel.arrange(isa, threads),)*
                    Step::Barrier => 0,
                }
            }

            /// Panics if the step could reach beyond `len` elements.
            pub fn check(&self, len: usize, lanes: usize) {
                match self {
                    $(Step::$kernel(kernel) => kernel.check(len, lanes),)*
                    Step::Barrier => {}
                }
            }

            /// # Safety
            /// As for [`StepKernel::run`].
            #[inline(always)]
            unsafe fn run<S: Simd>(&self, share: Share<'_, '_>) {
                // SAFETY: passed on from the caller.
                unsafe {
                    match self {
                        $(Step::$kernel(kernel) => kernel.run::<S>(share),)*
                        Step::Barrier => {}
                    }
                }
            }
        }
    };
}

steps! {
    // Weights and values, from place to place.
    Pack,
    Unpack,
    Bias,
    Repack,
    Clear,
    // Convolutions and linear layers.
    Correlate,
    ConvPool,
    Winograd,
    WinogradPack,
    WinogradTiles,
    WinogradGrad,
    Linear,
    WeightGrad,
    BiasGrad,
    // Element by element.
    Pointwise,
    PreluGrad,
    FactorsGrad,
    // Windows of pixels.
    Window,
    WindowGrad,
    SubsampleGrad,
    // Normalisation.
    Statistics,
    MergeStatistics,
    Normalise,
    NormGradSums,
    NormParamGrad,
    NormInputGrad,
    GroupStatistics,
    GroupNormalise,
    GroupParamGrad,
    GroupInputGrad,
    PixelNorm,
    PixelInputGrad,
    PixelParamGrad,
    // Across the channels of a pixel.
    Columns,
    ColumnsGrad,
    // Pixels and channels in another place.
    Collect,
    Gather,
    Shuffle,
    Permute,
    Scale,
    ScaleGrad,
}

impl Step {
    /// Runs some of the step's tasks with the kernels of `isa`, which a [`Program`](crate::program::Program) has found
    /// on this processor.
    pub fn dispatch(&self, isa: Isa, share: Share<'_, '_>) {
        if share.tasks.is_empty() {
            return;
        }
        // SAFETY: `Program::new` has found the instruction set and checked the bounds; stages keep tasks apart.
        unsafe { isa.enter(Entered { step: self, share }) }
    }
}

/// A thread's share with the step that it is of.
struct Entered<'a, 'o> {
    step: &'a Step,
    share: Share<'a, 'o>,
}

impl Kernel for Entered<'_, '_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: passed on from the caller.
        unsafe { self.step.run::<S>(self.share) }
    }
}
