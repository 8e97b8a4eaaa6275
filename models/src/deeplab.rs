//! DeepLabV3 (Chen et al., 2017: Rethinking atrous convolution for semantic image segmentation), as torchvision has it.

use convnet::prelude::*;

cnn! {
    block point(out, swish) {
        conv(out, kernel = 1, bias = false);
        batch_norm(eps = 0.001, momentum = 0.01);
        if swish == 1 { hard_swish; } else { relu; }
    }

    block deep(kernel, stride, swish, dilation) {
        depthwise(kernel, stride, pad = kernel / 2 * dilation, dilation, bias = false);
        batch_norm(eps = 0.001, momentum = 0.01);
        if swish == 1 { hard_swish; } else { relu; }
    }

    block stem(out) {
        conv(out, kernel = 3, stride = 2, pad = 1, bias = false);
        batch_norm(eps = 0.001, momentum = 0.01);
        hard_swish;
    }

    block project(out) { conv(out, kernel = 1, bias = false); batch_norm(eps = 0.001, momentum = 0.01); }

    block excite(narrow, wide = channels) {
        gate {
            avgpool: adaptive_avg_pool(1);
            fc1: conv(narrow, kernel = 1); relu;
            fc2: conv(wide, kernel = 1); hard_sigmoid;
        }
    }

    block widened(kernel, wide, out, squeeze, swish, stride, dilation) {
        if wide != channels { point(wide, swish); }
        deep(kernel, stride, swish, dilation);
        if squeeze > 0 { excite(squeeze); }
        project(out);
    }

    /// A row of MobileNetV3's tables, as in `mobilenet_v3`, with a dilation in place of the last stride.
    block bneck(kernel, wide, out, squeeze = 0, swish = 1, stride = 1, dilation = 1) {
        if stride == 1 && channels == out {
            residual { block: widened(kernel, wide, out, squeeze, swish, stride, dilation); }
        } else {
            block: widened(kernel, wide, out, squeeze, swish, stride, dilation);
        }
    }

    block rate(dilation) {
        conv(256, kernel = 3, pad = dilation, dilation, bias = false); batch_norm; relu;
    }

    /// Atrous spatial pyramid pooling (figure 5): the same map by windows of four sizes, and the mean of all of it, which is enlarged to the size
    /// that the map has.
    block pyramid(down = height, across = width) {
        convs: concat {
            pixel as "0": { conv(256, kernel = 1, bias = false); batch_norm; relu; }
            near as "1": rate(12);
            middle as "2": rate(24);
            far as "3": rate(36);
            whole as "4": {
                adaptive_avg_pool(1);
                conv(256, kernel = 1, bias = false); batch_norm; relu;
                resize((down, across), bilinear);
            }
        }
        project: {
            conv(256, kernel = 1, bias = false); batch_norm; relu;
            // There is a normalisation behind it, as published.
            #[allow(dropout_before_norm)]
            dropout(0.5);
        }
    }

    /// DeepLabV3 on MobileNetV3-Large, whose last stage is dilated in place of having a stride, so that the maps stay a sixteenth of the image in
    /// size. The classes are those of Pascal VOC.
    #[export(deeplabv3_mobilenet_v3_large)]
    pub struct DeepLabV3MobileNetV3<const CLASSES: usize = 21>: [3, 224, 224] -> [CLASSES, 224, 224] {
        backbone: {
            stem(16);
            bneck(3, 16, 16, swish = 0);
            bneck(3, 64, 24, swish = 0, stride = 2);
            bneck(3, 72, 24, swish = 0);
            bneck(5, 72, 40, squeeze = 24, swish = 0, stride = 2);
        }
        head aux_classifier: [CLASSES, 8 * height, 8 * width] {
            conv(10, kernel = 3, pad = 1, bias = false); batch_norm; relu;
            dropout(0.1);
            conv(CLASSES, kernel = 1);
            upsample(8, bilinear);
        }
        backbone_rest as "backbone": {
            repeat 2 { bneck(5, 120, 40, squeeze = 32, swish = 0); }
            bneck(3, 240, 80, stride = 2);
            bneck(3, 200, 80);
            repeat 2 { bneck(3, 184, 80); }
            bneck(3, 480, 112, squeeze = 120);
            bneck(3, 672, 112, squeeze = 168);
            bneck(5, 672, 160, squeeze = 168, dilation = 2);
            repeat 2 { bneck(5, 960, 160, squeeze = 240, dilation = 2); }
            point(960, 1);
        }
        classifier: {
            pyramid();
            conv(256, kernel = 3, pad = 1, bias = false); batch_norm; relu;
            conv(CLASSES, kernel = 1);
            upsample(16, bilinear);
        }
        assert params == 11_029_328, macs == 1_882_169_120;
    }
}
