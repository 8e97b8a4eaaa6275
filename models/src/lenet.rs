//! LeNet (LeCun, Bottou, Bengio and Haffner, 1998: Gradient-based learning applied to document recognition).

use convnet::prelude::*;

cnn! {
    /// LeNet-5 as it is taught today: rectifiers, max pooling and a full second convolution, on 28 x 28 digits.
    pub struct LeNet5: [1, 28, 28] -> [10] {
        conv1: conv(6, kernel = 5, pad = 2);
        relu;
        max_pool(2);
        conv2: conv(16, kernel = 5);
        relu;
        max_pool(2);
        flatten;
        fc1: linear(120);
        relu;
        fc2: linear(84);
        relu;
        fc3: linear(10);
        assert params == 61_706, macs == 416_520;
    }
}
