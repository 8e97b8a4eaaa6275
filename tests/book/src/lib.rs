//! The pages of the book that hold Rust, and the README, one module for each, so that rustdoc compiles and runs their blocks. `tests/builds.rs`
//! holds that none is missing. What a block needs and readers do not is in its hidden lines.
#![forbid(unsafe_code)]

#[doc = include_str!("../../../README.md")]
mod readme {}

#[doc = include_str!("../../../docs/src/guide/first-network.md")]
mod first_network {}

#[doc = include_str!("../../../docs/src/guide/tasks.md")]
mod tasks {}

#[doc = include_str!("../../../docs/src/guide/fine-tuning.md")]
mod fine_tuning {}

#[doc = include_str!("../../../docs/src/guide/explain.md")]
mod explain {}

#[doc = include_str!("../../../docs/src/guide/deploying.md")]
mod deploying {}
#[doc = include_str!("../../../docs/src/guide/onnx.md")]
mod onnx {}

#[doc = include_str!("../../../docs/src/guide/own-program.md")]
mod own_program {}

#[doc = include_str!("../../../docs/src/guide/dfdx.md")]
mod dfdx {}

#[doc = include_str!("../../../docs/src/guide/weights.md")]
mod weights {}

#[doc = include_str!("../../../docs/src/guide/zoo.md")]
mod zoo {}

#[doc = include_str!("../../../docs/src/guide/distributed.md")]
mod distributed {}

#[doc = include_str!("../../../docs/src/language/overview.md")]
mod language {}

#[doc = include_str!("../../../docs/src/language/structure.md")]
mod structure {}

#[doc = include_str!("../../../docs/src/language/branches.md")]
mod branches {}

#[doc = include_str!("../../../docs/src/language/sizes.md")]
mod sizes {}

#[doc = include_str!("../../../docs/src/language/elsewhere.md")]
mod elsewhere {}

#[doc = include_str!("../../../docs/src/coming-from/index.md")]
mod coming_from {}

#[doc = include_str!("../../../docs/src/coming-from/pytorch.md")]
mod coming_from_pytorch {}

#[doc = include_str!("../../../docs/src/coming-from/keras.md")]
mod coming_from_keras {}

#[doc = include_str!("../../../docs/src/coming-from/burn.md")]
mod coming_from_burn {}

#[doc = include_str!("../../../docs/src/coming-from/dfdx.md")]
mod coming_from_dfdx {}

#[doc = include_str!("../../../docs/src/engine/exact.md")]
mod exact {}

#[doc = include_str!("../../../docs/src/course/about.md")]
mod about_the_course {}

pub mod course;
