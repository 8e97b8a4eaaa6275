//! The networks that the test and its program have.

convnet::cnn! {
    /// As many tensors as ResNet-152 has, in a file of some hundred kilobytes.
    pub struct Deep: [2, 4, 4] -> [3] {
        layers: { repeat 155 { conv(2, kernel = 3, pad = 1, bias = false); batch_norm; relu; } }
        global_avg_pool; flatten;
        fc: linear(3);
    }
}
