//! The layers of [`cnn!`](crate::cnn), each with its arguments and their defaults, its shapes and its parameters. In an editor, each
//! layer word in a network leads here.
//!
//! Shapes are for one image; every layer takes a batch. "Map" is a feature map `[C, H, W]`, "vector" is `[N]`. Where an
//! argument takes a pair, a single number stands for both dimensions. A flag is `true` or `false`, and its name alone sets it; flags
//! between bars (`nearest | bilinear`) exclude each other. The constants hold nothing; they are there for their
//! documentation, which is printed from the table that the language itself takes arguments and defaults from.
#![allow(non_upper_case_globals)]

convnet_macros::words! {}
