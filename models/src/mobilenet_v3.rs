//! MobileNetV3 (Howard et al., 2019: Searching for MobileNetV3), with torchvision's keys.
//!
//! Normalisation has an epsilon of 0.001, and running statistics move by 0.01 of the way.

use convnet::prelude::*;

cnn! {
    block point(out, swish) {
        conv(out, kernel = 1, bias = false);
        batch_norm(eps = 0.001, momentum = 0.01);
        if swish == 1 { hard_swish; } else { relu; }
    }

    block deep(kernel, stride, swish) {
        depthwise(kernel, stride, pad = kernel / 2, bias = false);
        batch_norm(eps = 0.001, momentum = 0.01);
        if swish == 1 { hard_swish; } else { relu; }
    }

    block stem(out) {
        conv(out, kernel = 3, stride = 2, pad = 1, bias = false);
        batch_norm(eps = 0.001, momentum = 0.01);
        hard_swish;
    }

    block project(out) { conv(out, kernel = 1, bias = false); batch_norm(eps = 0.001, momentum = 0.01); }

    /// Squeeze and excitation, whose factors come from a hard sigmoid (section 5.3).
    block excite(narrow, wide = channels) {
        gate {
            avgpool: adaptive_avg_pool(1);
            fc1: conv(narrow, kernel = 1); relu;
            fc2: conv(wide, kernel = 1); hard_sigmoid;
        }
    }

    block widened(kernel, wide, out, squeeze, swish, stride) {
        if wide != channels { point(wide, swish); }
        deep(kernel, stride, swish);
        if squeeze > 0 { excite(squeeze); }
        project(out);
    }

    /// A row of tables 1 and 2: the size of the kernel, the channels inside and those that come out; with `squeeze` above 0 there is
    /// squeeze and excitation by so many channels, which are a quarter of those inside, as a multiple of eight.
    block bneck(kernel, wide, out, squeeze = 0, swish = 1, stride = 1) {
        if stride == 1 && channels == out {
            residual { block: widened(kernel, wide, out, squeeze, swish, stride); }
        } else {
            block: widened(kernel, wide, out, squeeze, swish, stride);
        }
    }

    /// MobileNetV3-Small (table 2) at width 1.
    #[export(mobilenet_v3_small)]
    pub struct MobileNetV3Small<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: {
            stem(16);
            bneck(3, 16, 16, squeeze = 8, swish = 0, stride = 2);
            bneck(3, 72, 24, swish = 0, stride = 2);
            bneck(3, 88, 24, swish = 0);
            bneck(5, 96, 40, squeeze = 24, stride = 2);
            repeat 2 { bneck(5, 240, 40, squeeze = 64); }
            bneck(5, 120, 48, squeeze = 32);
            bneck(5, 144, 48, squeeze = 40);
            bneck(5, 288, 96, squeeze = 72, stride = 2);
            repeat 2 { bneck(5, 576, 96, squeeze = 144); }
            point(576, 1);
        }
        global_avg_pool;
        classifier: { linear(1024); hard_swish; dropout(0.2); linear(CLASSES); }
        assert params == 2_542_856, macs == 56_510_400;
    }

    /// MobileNetV3-Large (table 1) at width 1.
    #[export(mobilenet_v3_large)]
    pub struct MobileNetV3Large<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: {
            stem(16);
            bneck(3, 16, 16, swish = 0);
            bneck(3, 64, 24, swish = 0, stride = 2);
            bneck(3, 72, 24, swish = 0);
            bneck(5, 72, 40, squeeze = 24, swish = 0, stride = 2);
            repeat 2 { bneck(5, 120, 40, squeeze = 32, swish = 0); }
            bneck(3, 240, 80, stride = 2);
            bneck(3, 200, 80);
            repeat 2 { bneck(3, 184, 80); }
            bneck(3, 480, 112, squeeze = 120);
            bneck(3, 672, 112, squeeze = 168);
            bneck(5, 672, 160, squeeze = 168, stride = 2);
            repeat 2 { bneck(5, 960, 160, squeeze = 240); }
            point(960, 1);
        }
        global_avg_pool;
        classifier: { linear(1280); hard_swish; dropout(0.2); linear(CLASSES); }
        assert params == 5_483_032, macs == 216_589_760;
    }
}
