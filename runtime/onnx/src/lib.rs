//! Networks as ONNX files, which other programs run: ONNX Runtime, OpenVINO, TensorRT, browsers; Netron shows them.
//!
//! A graph and the numbers of its parameters go in, the bytes of a file come out; who has a network of dfdx calls this through
//! `convnet::onnx`. What an operation is called in ONNX and where the two define it differently stands in one place for each family
//! of operations, below [`export`].
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod export;
#[allow(missing_docs)] // The names of ONNX.
mod proto;

pub use export::{ExportError, Model, OPSET, Options, Preprocessing, Resizing, export};
