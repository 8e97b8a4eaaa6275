//! MNIST's 10,000 test images of handwritten digits and their labels: the bytes of two IDX files, compressed by gzip, 1.6 MB.
//!
//! `convnet::data::mnist::bundled` reads them. The digits are a package of their own because they have a licence of their own, and two
//! packages, train and test, because a registry takes at most 10 MiB in one.
//!
//! By Yann LeCun, Corinna Cortes and Christopher J. C. Burges; licence: [CC BY-SA 3.0](https://creativecommons.org/licenses/by-sa/3.0/).
#![forbid(unsafe_code)]

/// The images: a gzip file around an IDX file of bytes, `[N, 28, 28]`, bright digits on dark ground.
pub static IMAGES: &[u8] = include_bytes!("t10k-images-idx3-ubyte.gz");

/// The labels: a gzip file around an IDX file of bytes, `[N]`, from 0 to 9.
pub static LABELS: &[u8] = include_bytes!("t10k-labels-idx1-ubyte.gz");
