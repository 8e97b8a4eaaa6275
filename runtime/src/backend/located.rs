//! Which device something is on.
//!
//! What is generic over devices is compiled anew in every crate that uses it, with all of dfdx that it calls. There are two devices, so
//! what a training loop and explanations need of a network is compiled here, once for each, and its callers only say which one it is:
//! that halves what a user's crate has to compile. An enum of devices in place of types was rejected: dfdx's tensors have their
//! device in their type.

use super::Backend;
use dfdx::prelude::Cpu;
#[cfg(feature = "cuda")]
use dfdx::prelude::Cuda;

/// Something that is generic over the device it is on.
pub trait Placed {
    /// It on a device.
    type On<D: Backend<f32>>;
    /// What is made of it, whatever the device.
    type Made;
    /// Makes it.
    fn make<D: Backend<f32>>(on: Self::On<D>) -> Self::Made;
}

/// Something on the device that it is on.
pub enum Which<P: Placed> {
    /// On the CPU.
    Cpu(P::On<Cpu>),
    /// On an NVIDIA GPU.
    #[cfg(feature = "cuda")]
    Cuda(P::On<Cuda>),
}

impl<P: Placed> Which<P> {
    /// [`Placed::make`]; called by a function that is not generic, it is compiled with that one.
    pub fn made(self) -> P::Made {
        match self {
            Which::Cpu(on) => P::make(on),
            #[cfg(feature = "cuda")]
            Which::Cuda(on) => P::make(on),
        }
    }
}

/// A device that knows which one it is.
pub trait Located: Sized {
    /// Takes something on this device for what it is.
    fn which<P: Placed>(on: P::On<Self>) -> Which<P>
    where
        Self: Backend<f32>;
}

impl Located for Cpu {
    fn which<P: Placed>(on: P::On<Cpu>) -> Which<P> {
        Which::Cpu(on)
    }
}

#[cfg(feature = "cuda")]
impl Located for Cuda {
    fn which<P: Placed>(on: P::On<Cuda>) -> Which<P> {
        Which::Cuda(on)
    }
}
