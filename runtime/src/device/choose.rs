//! `auto`, `cpu`, `cuda` or `cuda:N`, and running generic code on the one that was meant.

use crate::backend::Backend;
use crate::wording::{counted, did_you_mean};
use convnet_engine as engine;
use dfdx::prelude::*;
use std::fmt;
use std::str::FromStr;

/// The device that a user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DeviceChoice {
    /// CUDA where it is compiled in and works, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device with this number.
    Cuda(usize),
}

/// Why a device cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The text names no device.
    #[error("unknown device `{0}`; expected auto, cpu, cuda or cuda:N (for example cuda:1){hint}", hint = did_you_mean(.0, &["auto", "cpu", "cuda"]))]
    Unknown(String),
    /// The program was built without CUDA.
    #[error(
        "{0} is not compiled into this program; build it on a machine with an NVIDIA GPU and the CUDA toolkit by \
         `cargo build --release --features cuda`, or use --device cpu"
    )]
    NotCompiled(DeviceChoice),
    /// CUDA is compiled in, but the device does not answer.
    #[error(
        "{device} does not answer: {problem}; `nvidia-smi` lists the devices that there are, and --device cpu needs none"
    )]
    Absent {
        /// The device.
        device: DeviceChoice,
        /// What the driver says.
        problem: String,
    },
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(text.to_string());
        match text {
            "auto" => Ok(DeviceChoice::Auto),
            "cpu" => Ok(DeviceChoice::Cpu),
            "cuda" => Ok(DeviceChoice::Cuda(0)),
            _ => {
                let number = text.strip_prefix("cuda:").ok_or_else(unknown)?;
                number.parse().map(DeviceChoice::Cuda).map_err(|_| unknown())
            }
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Auto => f.write_str("auto"),
            DeviceChoice::Cpu => f.write_str("cpu"),
            DeviceChoice::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

/// Generic code that wants a device.
pub trait OnDevice {
    /// What it gives back.
    type Output;
    /// Runs on `device`; `name` is how a user would ask for it.
    fn run<D: Backend<f32>>(self, device: D, name: DeviceChoice) -> Self::Output;
}

impl DeviceChoice {
    /// The CUDA device with this number where there is one, else the CPU: what one of several processes on a machine takes.
    pub fn own(number: usize) -> Self {
        let device = DeviceChoice::Cuda(number);
        if device.run(0, Probe).is_ok() { device } else { DeviceChoice::Cpu }
    }

    /// Runs `task` on this device, whose random numbers start from `seed`.
    ///
    /// # Errors
    /// When the device cannot be had.
    pub fn run<T: OnDevice>(self, seed: u64, task: T) -> Result<T::Output, DeviceError> {
        match self {
            DeviceChoice::Cuda(number) => cuda(number, seed, task).map_err(|(_, error)| error),
            DeviceChoice::Cpu => Ok(task.run(Cpu::seed_from_u64(seed), DeviceChoice::Cpu)),
            DeviceChoice::Auto => match cuda(0, seed, task) {
                Ok(output) => Ok(output),
                Err((task, _)) => Ok(task.run(Cpu::seed_from_u64(seed), DeviceChoice::Cpu)),
            },
        }
    }
}

#[cfg(feature = "cuda")]
fn cuda<T: OnDevice>(number: usize, seed: u64, task: T) -> Result<T::Output, (T, DeviceError)> {
    let device = DeviceChoice::Cuda(number);
    match super::cuda::build(number, seed) {
        Ok(cuda) => Ok(task.run(cuda, device)),
        Err(problem) => Err((task, DeviceError::Absent { device, problem })),
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda<T: OnDevice>(number: usize, _: u64, task: T) -> Result<T::Output, (T, DeviceError)> {
    Err((task, DeviceError::NotCompiled(DeviceChoice::Cuda(number))))
}

/// A device that this program could run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// How to ask for it.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Why it cannot be used, if it cannot.
    pub problem: Option<String>,
}

/// Nothing but the question whether a device answers.
struct Probe;

impl OnDevice for Probe {
    type Output = ();

    fn run<D: Backend<f32>>(self, _: D, _: DeviceChoice) {}
}

/// The devices that this program knows, usable or not.
pub fn available() -> Vec<DeviceInfo> {
    let cpu = DeviceInfo {
        name: "cpu".into(),
        description: format!("{}, {} kernels", counted(engine::threads(), "thread"), engine::Isa::detect().name()),
        problem: None,
    };
    let cuda = DeviceInfo {
        name: "cuda:0".into(),
        description: "NVIDIA GPU".into(),
        problem: DeviceChoice::Cuda(0).run(0, Probe).err().map(|error| error.to_string()),
    };
    vec![cpu, cuda]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for choice in [DeviceChoice::Auto, DeviceChoice::Cpu, DeviceChoice::Cuda(0), DeviceChoice::Cuda(3)] {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU "] {
            assert_eq!(text.parse::<DeviceChoice>(), Err(DeviceError::Unknown(text.into())));
        }
    }
}
