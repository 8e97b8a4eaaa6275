//! SqueezeNet (Iandola et al., 2016: AlexNet-level accuracy with 50x fewer parameters), with torchvision's keys.

use convnet::prelude::*;

cnn! {
    /// Figure 1: few channels in between, then 1 x 1 and 3 x 3 side by side.
    block fire(narrow, wide) {
        squeeze: conv(narrow, kernel = 1);
        squeeze_activation: relu;
        concat {
            expand1x1: conv(wide, kernel = 1);
            expand3x3: conv(wide, kernel = 3, pad = 1);
        }
        relu;
    }

    /// SqueezeNet 1.0: the network of the paper (table 1).
    #[export(squeezenet1_0)]
    pub struct SqueezeNet10<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: {
            // As in torchvision: row and column 223 of an image are not read.
            #[allow(unread_pixels)]
            conv(96, kernel = 7, stride = 2); relu;
            max_pool(3, stride = 2, ceil);
            fire(16, 64); fire(16, 64); fire(32, 128);
            max_pool(3, stride = 2, ceil);
            fire(32, 128); fire(48, 192); fire(48, 192); fire(64, 256);
            max_pool(3, stride = 2, ceil);
            fire(64, 256);
        }
        classifier: { dropout; conv(CLASSES, kernel = 1); relu; global_avg_pool; }
        assert params == 1_248_424, macs == 818_924_576;
    }

    /// SqueezeNet 1.1: the authors' later version, with 2.4 times fewer operations than that of the paper.
    #[export(squeezenet1_1)]
    pub struct SqueezeNet<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: {
            // As in torchvision: row and column 223 of an image are not read.
            #[allow(unread_pixels)]
            conv(64, kernel = 3, stride = 2); relu;
            max_pool(3, stride = 2, ceil);
            fire(16, 64); fire(16, 64);
            max_pool(3, stride = 2, ceil);
            fire(32, 128); fire(32, 128);
            max_pool(3, stride = 2, ceil);
            fire(48, 192); fire(48, 192); fire(64, 256); fire(64, 256);
        }
        classifier: { dropout; conv(CLASSES, kernel = 1); relu; global_avg_pool; }
        assert params == 1_235_496, macs == 349_151_936;
    }
}
