//! Five mistakes about shapes in burn: what it says, and when.
//!
//! `cargo run --features burn --bin mistakes_burn`
use burn::nn::conv::Conv2dConfig;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{LinearConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::relu;
use std::panic::catch_unwind;

fn conv(x: Tensor<4>, out: usize, kernel: usize, pad: usize) -> Tensor<4> {
    let config = Conv2dConfig::new([x.dims()[1], out], [kernel, kernel]);
    config.with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad)).init(&x.device()).forward(x)
}

fn linear(x: Tensor<2>, inputs: usize, outputs: usize) -> Tensor<2> {
    LinearConfig::new(inputs, outputs).init(&x.device()).forward(x)
}

fn lenet(x: Tensor<4>, kernel: usize, inputs: usize, classes: usize) -> Tensor<2> {
    let pool = MaxPool2dConfig::new([2, 2]).init();
    let x = pool.forward(relu(conv(x, 6, 5, 2)));
    let x = pool.forward(relu(conv(x, 16, kernel, 0)));
    linear(relu(linear(x.flatten(1, 3), inputs, 120)), 120, classes)
}

/// Runs a network and its loss, and prints what they say.
fn attempt(name: &str, network: fn(Tensor<4>) -> Tensor<2>) {
    let device = Device::flex();
    println!("\n{name}:");
    let Ok(logits) = catch_unwind(|| network(Tensor::zeros([10, 1, 28, 28], &device))) else {
        return println!("(in the first forward pass)");
    };
    let targets = Tensor::from_ints([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], &device);
    match catch_unwind(move || {
        CrossEntropyLossConfig::new().init(&device).forward(logits, targets).into_scalar::<f32>()
    }) {
        Ok(loss) => println!("(nothing: the loss is {loss})"),
        Err(_) => println!("(in the first loss)"),
    }
}

fn main() {
    attempt("a kernel larger than its map", |x| lenet(x, 17, 400, 10));
    attempt("a residual without padding", |x| linear((x.clone() + relu(conv(x, 1, 3, 0))).flatten(1, 3), 784, 10));
    attempt("wrong inputs of a linear layer", |x| lenet(x, 5, 512, 10));
    attempt("branches of different size", |x| {
        linear(Tensor::cat(vec![conv(x.clone(), 8, 1, 0), conv(x, 8, 3, 0)], 1).flatten(1, 3), 12544, 10)
    });
    attempt("too few classes", |x| lenet(x, 5, 400, 5));
    attempt("too many classes", |x| lenet(x, 5, 400, 12));
}
