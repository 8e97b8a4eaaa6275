//! EfficientNet (Tan and Le, 2019: Rethinking model scaling for convolutional neural networks; 2021: Smaller models and faster training),
//! with torchvision's keys.

use convnet::prelude::*;

cnn! {
    block stem(out) { conv(out, kernel = 3, stride = 2, pad = 1, bias = false); batch_norm; silu; }

    block point(out) { conv(out, kernel = 1, bias = false); batch_norm; silu; }

    block deep(kernel, stride) { depthwise(kernel, stride, pad = kernel / 2, bias = false); batch_norm; silu; }

    block project(out) { conv(out, kernel = 1, bias = false); batch_norm; }

    block excite(narrow, wide = channels) {
        gate {
            avgpool: adaptive_avg_pool(1);
            fc1: conv(narrow, kernel = 1); silu;
            fc2: conv(wide, kernel = 1); sigmoid;
        }
    }

    /// `narrow` is a quarter of the channels that come in, before they are widened.
    block widened(out, expand, kernel, stride, narrow = channels / 4) {
        if expand != 1 { point(expand * channels); }
        deep(kernel, stride);
        excite(narrow);
        project(out);
    }

    /// A mobile inverted bottleneck with squeeze and excitation (section 4), number `layer` of the network's `of`.
    block mbconv(out, expand, kernel, layer, of, stride = 1) {
        if stride == 1 && channels == out {
            residual {
                block: widened(out, expand, kernel, stride);
                stochastic_depth(0.2, layer, of);
            }
        } else {
            block: widened(out, expand, kernel, stride);
        }
    }

    /// A row of table 1, of which the first bottleneck has the number `first`.
    block stage(out, count, first, of, kernel, expand = 6, stride = 1) {
        mbconv(out, expand, kernel, first, of, stride);
        repeat count - 1 { mbconv(out, expand, kernel, first + index + 1, of); }
    }

    /// EfficientNet-B0 (table 1).
    #[export(efficientnet_b0)]
    pub struct EfficientNetB0<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: {
            stem(32);
            stage(16, 1, 0, 16, kernel = 3, expand = 1);
            stage(24, 2, 1, 16, kernel = 3, stride = 2);
            stage(40, 2, 3, 16, kernel = 5, stride = 2);
            stage(80, 3, 5, 16, kernel = 3, stride = 2);
            stage(112, 3, 8, 16, kernel = 5);
            stage(192, 4, 11, 16, kernel = 5, stride = 2);
            stage(320, 1, 15, 16, kernel = 3);
            point(1280);
        }
        global_avg_pool;
        classifier: { dropout(0.2); linear(CLASSES); }
        assert params == 5_288_548, macs == 385_814_752;
    }

    /// EfficientNet-B1: 1.1 times as deep as B0.
    #[export(efficientnet_b1)]
    pub struct EfficientNetB1<const CLASSES: usize = 1000>: [3, 240, 240] -> [CLASSES] {
        features: {
            stem(32);
            stage(16, 2, 0, 23, kernel = 3, expand = 1);
            stage(24, 3, 2, 23, kernel = 3, stride = 2);
            stage(40, 3, 5, 23, kernel = 5, stride = 2);
            stage(80, 4, 8, 23, kernel = 3, stride = 2);
            stage(112, 4, 12, 23, kernel = 5);
            stage(192, 5, 16, 23, kernel = 5, stride = 2);
            stage(320, 2, 21, 23, kernel = 3);
            point(1280);
        }
        global_avg_pool;
        classifier: { dropout(0.2); linear(CLASSES); }
        assert params == 7_794_184, macs == 686_802_832;
    }

    /// EfficientNet-B2: 1.1 times as wide and 1.2 times as deep as B0. The images are those of torchvision, 288x288; the authors' are 260x260.
    #[export(efficientnet_b2)]
    pub struct EfficientNetB2<const CLASSES: usize = 1000>: [3, 288, 288] -> [CLASSES] {
        features: {
            stem(32);
            stage(16, 2, 0, 23, kernel = 3, expand = 1);
            stage(24, 3, 2, 23, kernel = 3, stride = 2);
            stage(48, 3, 5, 23, kernel = 5, stride = 2);
            stage(88, 4, 8, 23, kernel = 3, stride = 2);
            stage(120, 4, 12, 23, kernel = 5);
            stage(208, 5, 16, 23, kernel = 5, stride = 2);
            stage(352, 2, 21, 23, kernel = 3);
            point(1408);
        }
        global_avg_pool;
        classifier: { dropout(0.3); linear(CLASSES); }
        assert params == 9_109_994, macs == 1_087_529_456;
    }

    /// EfficientNet-B3: 1.2 times as wide and 1.4 times as deep as B0.
    #[export(efficientnet_b3)]
    pub struct EfficientNetB3<const CLASSES: usize = 1000>: [3, 300, 300] -> [CLASSES] {
        features: {
            stem(40);
            stage(24, 2, 0, 26, kernel = 3, expand = 1);
            stage(32, 3, 2, 26, kernel = 3, stride = 2);
            stage(48, 3, 5, 26, kernel = 5, stride = 2);
            stage(96, 5, 8, 26, kernel = 3, stride = 2);
            stage(136, 5, 13, 26, kernel = 5);
            stage(232, 6, 18, 26, kernel = 5, stride = 2);
            stage(384, 2, 24, 26, kernel = 3);
            point(1536);
        }
        global_avg_pool;
        classifier: { dropout(0.3); linear(CLASSES); }
        assert params == 12_233_232, macs == 1_827_141_392;
    }
}

cnn! {
    block wide(out, kernel, stride = 1) {
        conv(out, kernel, stride, pad = kernel / 2, bias = false);
        batch_norm(eps = 0.001);
        silu;
    }

    block deep(stride) { depthwise(3, stride, pad = 1, bias = false); batch_norm(eps = 0.001); silu; }

    block project(out) { conv(out, kernel = 1, bias = false); batch_norm(eps = 0.001); }

    block excite(narrow, wide = channels) {
        gate {
            avgpool: adaptive_avg_pool(1);
            fc1: conv(narrow, kernel = 1); silu;
            fc2: conv(wide, kernel = 1); sigmoid;
        }
    }

    /// What widens is a 3 x 3 convolution of all channels where it is fused, and one of 1 x 1 and one of each channel elsewhere (2021, figure 2).
    block widened(out, expand, fused, stride, narrow = channels / 4) {
        if fused == 1 && expand == 1 {
            wide(out, 3, stride);
        } else if fused == 1 {
            wide(expand * channels, 3, stride);
            project(out);
        } else {
            wide(expand * channels, 1);
            deep(stride);
            excite(narrow);
            project(out);
        }
    }

    block bottleneck(out, expand, fused, layer, stride = 1) {
        if stride == 1 && channels == out {
            residual {
                block: widened(out, expand, fused, stride);
                stochastic_depth(0.2, layer, of = 40);
            }
        } else {
            block: widened(out, expand, fused, stride);
        }
    }

    /// A row of table 4, of which the first bottleneck has the number `first` of 40.
    block stage(out, count, first, expand, fused = 0, stride = 1) {
        bottleneck(out, expand, fused, first, stride);
        repeat count - 1 { bottleneck(out, expand, fused, first + index + 1); }
    }

    /// EfficientNetV2-S (2021, table 4), on images of the size that it is evaluated with; it is trained on smaller ones. Normalisation
    /// has an epsilon of 0.001.
    #[export(efficientnet_v2_s)]
    pub struct EfficientNetV2S<const CLASSES: usize = 1000>: [3, 384, 384] -> [CLASSES] {
        features: {
            wide(24, 3, stride = 2);
            stage(24, 2, 0, expand = 1, fused = 1);
            stage(48, 4, 2, expand = 4, fused = 1, stride = 2);
            stage(64, 4, 6, expand = 4, fused = 1, stride = 2);
            stage(128, 6, 10, expand = 4, stride = 2);
            stage(160, 9, 16, expand = 6);
            stage(256, 15, 25, expand = 6, stride = 2);
            wide(1280, 1);
        }
        global_avg_pool;
        classifier: { dropout(0.2); linear(CLASSES); }
        assert params == 21_458_488, macs == 8_365_617_152;
    }
}
