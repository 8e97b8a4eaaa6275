//! Generic code says that the network can run: `E: Real, D: Backend<E>`.
use convnet::prelude::*;
cnn! {
    pub struct Net: [1, 28, 28] -> [10] {
        flatten;
        fc: linear(10);
    }
}

fn logits<E: Dtype, D: Device<E>>(net: &Net<E, D>, image: Tensor<Rank3<1, 28, 28>, E, D>) -> Tensor<Rank1<10>, E, D> {
    net.forward(image)
}

fn main() {}
