//! CUDA runs on `portable`: the model code is the same on both devices.
//!
//! cudarc 0.9, which dfdx 0.13 is bound to, unwraps what a driver answers when a device is made: without a GPU, or with another
//! number than there are, it panics. So the driver is asked before ([`answers`]). What comes later can panic, too: dfdx compiles two
//! of its kernels when they are first used, from headers where they were when the program was built. [`works`] finds that out.

use crate::backend::{Backend, Job, Outcome, Recording, State};
use crate::portable;
use crate::quietly::quietly;
use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys::CUresult;
use dfdx::prelude::*;

/// The device of this number, on which kernels run, or why there is none.
pub fn build(number: usize, seed: u64) -> Result<Cuda, String> {
    answers(number).map_err(|error| said(&error))?;
    let cuda = Cuda::try_build(number, seed).map_err(|error| told(&error))?;
    works(&cuda).map(|()| cuda)
}

fn told(error: &CudaError) -> String {
    match error {
        CudaError::Driver(error) => said(error),
        other => format!("{other:?}"),
    }
}

/// What the driver says, and what is behind it where it is about how the program was built. Not `{error:?}`, which unwraps the text that a
/// driver may not have.
fn said(error: &DriverError) -> String {
    let text = match error.error_string() {
        Ok(text) => text.to_string_lossy().into_owned(),
        Err(_) => format!("the driver's error {}", error.0 as u32),
    };
    let behind = match error.0 {
        CUresult::CUDA_ERROR_NO_BINARY_FOR_GPU | CUresult::CUDA_ERROR_INVALID_PTX => {
            "; the program was built for a newer GPU: build it on this machine"
        }
        CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION => {
            "; the program was built with a newer CUDA than the driver's: update the driver, or build with an older nvcc"
        }
        _ => "",
    };
    text + behind
}

/// Whether the driver is there and has a device of this number.
fn answers(number: usize) -> Result<(), DriverError> {
    result::init()?;
    let number = i32::try_from(number).map_err(|_| DriverError(CUresult::CUDA_ERROR_INVALID_DEVICE))?;
    result::device::get(number).map(drop)
}

/// Whether kernels run on a device, those included that are compiled when they are first used.
fn works(device: &Cuda) -> Result<(), String> {
    let sum = || -> Result<f32, CudaError> {
        let x: Tensor<(usize, usize), f32, Cuda> = device.try_tensor_from_vec(vec![1.0, 2.0, 3.0, 4.0], (2, 2))?;
        let joined = (x.clone(), x).try_concat_along(Axis::<0>)?.try_permute::<_, Axes2<1, 0>>()?;
        Ok(joined.try_contiguous()?.try_reshape_like(&(8,))?.try_sum::<Rank0, _>()?.as_vec()[0])
    };
    match quietly(sum) {
        Ok(Ok(20.0)) => Ok(()),
        Ok(Ok(sum)) => Err(format!("it adds up to {sum} what is 20")),
        Ok(Err(error)) => Err(told(&error)),
        Err(_) => Err("a kernel could not be loaded or compiled: the CUDA toolkit and the folder in which this program was built \
                       have to be where they were then"
            .into()),
    }
}

impl Backend<f32> for Cuda {
    fn run(
        job: Job<'_, f32, Self>,
        state: &State,
        tape: Recording<f32, Self>,
    ) -> Result<Outcome<f32, Self>, CudaError> {
        portable::run(job, Some(&state.kept.get()), tape)
    }
}

impl Backend<f64> for Cuda {
    fn run(
        job: Job<'_, f64, Self>,
        state: &State,
        tape: Recording<f64, Self>,
    ) -> Result<Outcome<f64, Self>, CudaError> {
        portable::run(job, Some(&state.kept.get()), tape)
    }
}
