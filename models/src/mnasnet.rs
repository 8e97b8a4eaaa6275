//! MNASNet (Tan, Chen, Pang, Vasudevan, Sandler, Howard and Le, 2018: Platform-aware neural architecture search for mobile), with
//! torchvision's keys.
//!
//! Running statistics move by 1 - 0.9997 of the way, as torchvision has it from the paper.

use convnet::prelude::*;

cnn! {
    block widened(out, kernel, expand, stride) {
        conv(expand * channels, kernel = 1, bias = false); batch_norm(momentum = 0.0003); relu;
        depthwise(kernel, stride, pad = kernel / 2, bias = false); batch_norm(momentum = 0.0003); relu;
        conv(out, kernel = 1, bias = false); batch_norm(momentum = 0.0003);
    }

    /// Figure 7 (b) and (c): wide inside, narrow outside, no activation at the end.
    block inverted(out, kernel, expand, stride = 1) {
        if stride == 1 && channels == out {
            residual { layers: widened(out, kernel, expand, stride); }
        } else {
            layers: widened(out, kernel, expand, stride);
        }
    }

    block stack(out, count, kernel, expand, stride = 1) {
        inverted(out, kernel, expand, stride);
        repeat count - 1 { inverted(out, kernel, expand); }
    }

    /// MNASNet-B1 at depth multiplier 1, the network of the paper without squeeze and excitation.
    #[export(mnasnet1_0)]
    pub struct MnasNet<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        layers: {
            conv(32, kernel = 3, stride = 2, pad = 1, bias = false); batch_norm(momentum = 0.0003); relu;
            depthwise(3, pad = 1, bias = false); batch_norm(momentum = 0.0003); relu;
            conv(16, kernel = 1, bias = false); batch_norm(momentum = 0.0003);
            stack(24, 3, kernel = 3, expand = 3, stride = 2);
            stack(40, 3, kernel = 5, expand = 3, stride = 2);
            stack(80, 3, kernel = 5, expand = 6, stride = 2);
            stack(96, 2, kernel = 3, expand = 6);
            stack(192, 4, kernel = 5, expand = 6, stride = 2);
            stack(320, 1, kernel = 3, expand = 6);
            conv(1280, kernel = 1, bias = false); batch_norm(momentum = 0.0003); relu;
        }
        global_avg_pool;
        classifier: { dropout(0.2); linear(CLASSES); }
        assert params == 4_383_312, macs == 314_415_872;
    }
}
