//! MobileNetV2 (Sandler, Howard, Zhu, Zhmoginov and Chen, 2018: Inverted residuals and linear bottlenecks), with
//! torchvision's keys.

use convnet::prelude::*;

cnn! {
    block point(out) { conv(out, kernel = 1, bias = false); batch_norm; relu6; }

    block stem(out) { conv(out, kernel = 3, stride = 2, pad = 1, bias = false); batch_norm; relu6; }

    block deep(stride) { depthwise(3, stride, pad = 1, bias = false); batch_norm; relu6; }

    block widened(out, expand, stride) {
        if expand != 1 { point(expand * channels); }
        deep(stride);
        conv(out, kernel = 1, bias = false);
        batch_norm;
    }

    /// Table 1: wide inside, narrow outside, no activation at the end.
    block inverted(out, expand = 6, stride = 1) {
        if stride == 1 && channels == out {
            residual { conv: widened(out, expand, stride); }
        } else {
            conv: widened(out, expand, stride);
        }
    }

    /// MobileNetV2 at width 1 (table 2).
    #[export(mobilenet_v2)]
    pub struct MobileNetV2<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: {
            stem(32);
            inverted(16, expand = 1);
            inverted(24, stride = 2); inverted(24);
            inverted(32, stride = 2); repeat 2 { inverted(32); }
            inverted(64, stride = 2); repeat 3 { inverted(64); }
            repeat 3 { inverted(96); }
            inverted(160, stride = 2); repeat 2 { inverted(160); }
            inverted(320);
            point(1280);
        }
        global_avg_pool;
        classifier: { dropout(0.2); linear(CLASSES); }
        assert params == 3_504_872, macs == 300_774_272;
    }
}
