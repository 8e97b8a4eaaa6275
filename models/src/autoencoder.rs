//! A convolutional autoencoder (after Hinton and Salakhutdinov, 2006: Reducing the dimensionality of data with neural networks, and Masci et al.,
//! 2011: Stacked convolutional auto-encoders for hierarchical feature extraction).

use convnet::prelude::*;

cnn! {
    /// A digit of 28x28 pixels as 32 numbers, `code`, and the digit again.
    #[export(digit_autoencoder)]
    pub struct DigitAutoencoder: [1, 28, 28] -> [1, 28, 28] {
        conv1: conv(16, kernel = 3, stride = 2, pad = 1); relu;
        conv2: conv(32, kernel = 3, stride = 2, pad = 1); relu;
        code: conv(32, kernel = 7);
        back: conv_transpose(32, kernel = 7); relu;
        up1: conv_transpose(16, kernel = 2, stride = 2); relu;
        up2: conv_transpose(1, kernel = 2, stride = 2);
        assert params == 107_345, macs == 467_264;
    }
}
