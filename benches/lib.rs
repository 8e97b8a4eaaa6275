//! Nothing here: the benchmarks are targets of their own.
#![forbid(unsafe_code)]
