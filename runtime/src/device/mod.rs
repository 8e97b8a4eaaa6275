//! Which device a program runs on, chosen when it runs. Only this folder names a cargo feature.

mod choose;
#[doc(hidden)]
pub mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

pub use choose::{DeviceChoice, DeviceError, DeviceInfo, OnDevice, available};
