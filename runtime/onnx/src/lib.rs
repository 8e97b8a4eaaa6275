//! Networks as ONNX files, which other programs run: ONNX Runtime, OpenVINO, TensorRT, browsers; Netron shows them.
//!
//! A graph and the numbers of its parameters go in, the bytes of a file come out; and, by the feature `import`, the other way around: the bytes
//! of anybody's file go in, a network in the language's text and its weights come out. Who has a network of dfdx calls this through
//! `convnet::onnx`. What an operation is called in ONNX and where the two define it differently stands in one place for each family
//! of operations, below [`export`].
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod bins;
mod export;
#[cfg(feature = "import")]
mod import;
#[allow(missing_docs)] // The names of ONNX.
mod proto;

pub use export::{ExportError, Model, OPSET, Options, Preprocessing, Resizing, export};
#[cfg(feature = "import")]
pub use import::{ImportError, ImportOptions, Imported, Unsayable, import};
pub use prost::bytes::Bytes;
