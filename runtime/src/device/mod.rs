//! Which device a program runs on, chosen when it runs. Only this folder and `backend::located` name the feature of a device.

mod choose;
#[doc(hidden)]
pub mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

pub use choose::{DeviceChoice, DeviceError, DeviceInfo, OnDevice, available};
