//! VGG (Simonyan and Zisserman, 2014: Very deep convolutional networks for large-scale image recognition), with and
//! without batch normalisation, with torchvision's keys.

use convnet::prelude::*;

cnn! {
    /// Five stages of that many 3 x 3 convolutions (table 1); with `norm = 1` each is normalised.
    // torchvision's weights have the biases, too.
    #[allow(bias_before_norm)]
    block stages(a, b, c, d, e, norm = 0) {
        repeat a { conv(64, kernel = 3, pad = 1); if norm == 1 { batch_norm; } relu; }
        max_pool(2);
        repeat b { conv(128, kernel = 3, pad = 1); if norm == 1 { batch_norm; } relu; }
        max_pool(2);
        repeat c { conv(256, kernel = 3, pad = 1); if norm == 1 { batch_norm; } relu; }
        max_pool(2);
        repeat d { conv(512, kernel = 3, pad = 1); if norm == 1 { batch_norm; } relu; }
        max_pool(2);
        repeat e { conv(512, kernel = 3, pad = 1); if norm == 1 { batch_norm; } relu; }
        max_pool(2);
    }

    block dense(classes) {
        linear(4096); relu; dropout;
        linear(4096); relu; dropout;
        linear(classes);
    }

    /// VGG-11 (table 1, column A).
    #[export(vgg11)]
    pub struct Vgg11<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: stages(1, 1, 2, 2, 2);
        adaptive_avg_pool(7, 7);
        flatten;
        classifier: dense(CLASSES);
        assert params == 132_863_336, macs == 7_609_090_048;
    }

    /// VGG-11 (table 1, column A) with batch normalisation.
    #[export(vgg11_bn)]
    pub struct Vgg11Bn<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: stages(1, 1, 2, 2, 2, norm = 1);
        adaptive_avg_pool(7, 7);
        flatten;
        classifier: dense(CLASSES);
        assert params == 132_868_840, macs == 7_609_090_048;
    }

    /// VGG-13 (table 1, column B).
    #[export(vgg13)]
    pub struct Vgg13<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: stages(2, 2, 2, 2, 2);
        adaptive_avg_pool(7, 7);
        flatten;
        classifier: dense(CLASSES);
        assert params == 133_047_848, macs == 11_308_466_176;
    }

    /// VGG-13 (table 1, column B) with batch normalisation.
    #[export(vgg13_bn)]
    pub struct Vgg13Bn<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: stages(2, 2, 2, 2, 2, norm = 1);
        adaptive_avg_pool(7, 7);
        flatten;
        classifier: dense(CLASSES);
        assert params == 133_053_736, macs == 11_308_466_176;
    }

    /// VGG-16 (table 1, column D).
    #[export(vgg16)]
    pub struct Vgg16<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: stages(2, 2, 3, 3, 3);
        adaptive_avg_pool(7, 7);
        flatten;
        classifier: dense(CLASSES);
        assert params == 138_357_544, macs == 15_470_264_320;
    }

    /// VGG-16 (table 1, column D) with batch normalisation.
    #[export(vgg16_bn)]
    pub struct Vgg16Bn<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: stages(2, 2, 3, 3, 3, norm = 1);
        adaptive_avg_pool(7, 7);
        flatten;
        classifier: dense(CLASSES);
        assert params == 138_365_992, macs == 15_470_264_320;
    }

    /// VGG-19 (table 1, column E).
    #[export(vgg19)]
    pub struct Vgg19<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: stages(2, 2, 4, 4, 4);
        adaptive_avg_pool(7, 7);
        flatten;
        classifier: dense(CLASSES);
        assert params == 143_667_240, macs == 19_632_062_464;
    }

    /// VGG-19 (table 1, column E) with batch normalisation.
    #[export(vgg19_bn)]
    pub struct Vgg19Bn<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: stages(2, 2, 4, 4, 4, norm = 1);
        adaptive_avg_pool(7, 7);
        flatten;
        classifier: dense(CLASSES);
        assert params == 143_678_248, macs == 19_632_062_464;
    }
}
