//! Helpers that several test targets share.
#![forbid(unsafe_code)]
