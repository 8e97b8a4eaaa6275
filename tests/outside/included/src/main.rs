//! A network in a file, with a block, a const generic and a macro that exports it.

use convnet::prelude::*;

cnn! { include = "nets/small.cnn" }

tiny! { pub struct Tiny: [1, 12, 12] -> [3] }

fn main() {
    let net = Cpu::default().build_module::<Small<4>, f32>();
    let image: Tensor<Rank3<1, 8, 8>, f32, Cpu> = Cpu::default().zeros();
    let logits: Tensor<Rank1<4>, f32, Cpu> = net.forward(image);
    println!("{} {} {}", Small::<4>::PARAMS, Tiny::PARAMS, net.stem.weight.as_vec().len() + logits.array().len());
}
