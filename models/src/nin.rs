//! Network in Network (Lin, Chen and Yan, 2013), for 32 x 32 images.

use convnet::prelude::*;

cnn! {
    /// A convolution and two more of 1 x 1: a small network at each position (section 3.1).
    block mlpconv(out, kernel, pad, second, third) {
        conv(out, kernel, pad); relu;
        conv(second, kernel = 1); relu;
        conv(third, kernel = 1); relu;
    }

    /// The authors' network for CIFAR-10 (section 4): three such layers and global average pooling instead of linear layers.
    #[export(nin)]
    pub struct Nin<const CLASSES: usize = 10>: [3, 32, 32] -> [CLASSES] {
        mlpconv1: mlpconv(192, 5, 2, second = 160, third = 96);
        max_pool(3, stride = 2, ceil); dropout;
        mlpconv2: mlpconv(192, 5, 2, second = 192, third = 192);
        avg_pool(3, stride = 2, ceil); dropout;
        mlpconv3: mlpconv(192, 3, 1, second = 192, third = CLASSES);
        global_avg_pool;
        assert params == 966_986;
    }
}
