//! AlexNet (Krizhevsky, Sutskever and Hinton, 2012: ImageNet classification with deep convolutional neural networks).

use convnet::prelude::*;

cnn! {
    /// The network of torchvision: one tower, after Krizhevsky, 2014 (One weird trick), with torchvision's keys.
    #[export(alexnet)]
    pub struct AlexNet<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: {
            conv(64, kernel = 11, stride = 4, pad = 2); relu;
            max_pool(3, stride = 2);
            conv(192, kernel = 5, pad = 2); relu;
            max_pool(3, stride = 2);
            conv(384, kernel = 3, pad = 1); relu;
            conv(256, kernel = 3, pad = 1); relu;
            conv(256, kernel = 3, pad = 1); relu;
            max_pool(3, stride = 2);
        }
        adaptive_avg_pool(6, 6);
        flatten;
        classifier: {
            dropout; linear(4096); relu;
            dropout; linear(4096); relu;
            linear(CLASSES);
        }
        assert params == 61_100_840, macs == 714_188_480;
    }

    /// The network of 2012 (section 3): two towers as groups, local response normalisation, overlapping pools.
    #[export(alexnet2012)]
    pub struct AlexNet2012<const CLASSES: usize = 1000>: [3, 227, 227] -> [CLASSES] {
        conv1: conv(96, kernel = 11, stride = 4); relu;
        lrn(5, alpha = 5e-4, beta = 0.75, k = 2);
        max_pool(3, stride = 2);
        conv2: conv(256, kernel = 5, pad = 2, groups = 2); relu;
        lrn(5, alpha = 5e-4, beta = 0.75, k = 2);
        max_pool(3, stride = 2);
        conv3: conv(384, kernel = 3, pad = 1); relu;
        conv4: conv(384, kernel = 3, pad = 1, groups = 2); relu;
        conv5: conv(256, kernel = 3, pad = 1, groups = 2); relu;
        max_pool(3, stride = 2);
        flatten;
        fc6: linear(4096); relu; dropout;
        fc7: linear(4096); relu; dropout;
        fc8: linear(CLASSES);
        assert params == 60_965_224, macs == 724_406_816;
    }
}
