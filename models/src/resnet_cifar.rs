//! ResNet for small pictures (He et al., 2015, section 4.2): 6n + 2 layers on 32 x 32 pixels.

use convnet::prelude::*;

cnn! {
    /// Two convolutions and a shortcut without parameters: every other pixel, and zeros for the new channels (option A).
    block plain(out, stride = 1) {
        residual {
            conv1: conv(out, kernel = 3, stride, pad = 1, bias = false);
            bn1: batch_norm; relu;
            conv2: conv(out, kernel = 3, pad = 1, bias = false);
            bn2: batch_norm;
        } shortcut if stride != 1 || channels != out {
            avg_pool(1, stride);
            channel_pad((out - channels) / 2);
        }
        relu;
    }

    block projected(out, stride = 1) {
        residual {
            conv1: conv(out, kernel = 3, stride, pad = 1, bias = false);
            bn1: batch_norm; relu;
            conv2: conv(out, kernel = 3, pad = 1, bias = false);
            bn2: batch_norm;
        } shortcut if stride != 1 || channels != out {
            downsample: { conv(out, kernel = 1, stride, bias = false); batch_norm; }
        }
        relu;
    }

    block plains(out, count, stride) {
        plain(out, stride);
        repeat count - 1 { plain(out); }
    }

    block projections(out, count, stride) {
        projected(out, stride);
        repeat count - 1 { projected(out); }
    }

    /// ResNet-20, n = 3.
    #[export(resnet20)]
    pub struct ResNet20<const CLASSES: usize = 10>: [3, 32, 32] -> [CLASSES] {
        conv1: conv(16, kernel = 3, pad = 1, bias = false);
        bn1: batch_norm; relu;
        layer1: plains(16, 3, stride = 1);
        layer2: plains(32, 3, stride = 2);
        layer3: plains(64, 3, stride = 2);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 269_722, macs == 40_551_040;
    }

    /// ResNet-32, n = 5.
    #[export(resnet32)]
    pub struct ResNet32<const CLASSES: usize = 10>: [3, 32, 32] -> [CLASSES] {
        conv1: conv(16, kernel = 3, pad = 1, bias = false);
        bn1: batch_norm; relu;
        layer1: plains(16, 5, stride = 1);
        layer2: plains(32, 5, stride = 2);
        layer3: plains(64, 5, stride = 2);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 464_154, macs == 68_862_592;
    }

    /// ResNet-44, n = 7.
    #[export(resnet44)]
    pub struct ResNet44<const CLASSES: usize = 10>: [3, 32, 32] -> [CLASSES] {
        conv1: conv(16, kernel = 3, pad = 1, bias = false);
        bn1: batch_norm; relu;
        layer1: plains(16, 7, stride = 1);
        layer2: plains(32, 7, stride = 2);
        layer3: plains(64, 7, stride = 2);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 658_586, macs == 97_174_144;
    }

    /// ResNet-56, n = 9.
    #[export(resnet56)]
    pub struct ResNet56<const CLASSES: usize = 10>: [3, 32, 32] -> [CLASSES] {
        conv1: conv(16, kernel = 3, pad = 1, bias = false);
        bn1: batch_norm; relu;
        layer1: plains(16, 9, stride = 1);
        layer2: plains(32, 9, stride = 2);
        layer3: plains(64, 9, stride = 2);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 853_018, macs == 125_485_696;
    }

    /// ResNet-110, n = 18.
    #[export(resnet110)]
    pub struct ResNet110<const CLASSES: usize = 10>: [3, 32, 32] -> [CLASSES] {
        conv1: conv(16, kernel = 3, pad = 1, bias = false);
        bn1: batch_norm; relu;
        layer1: plains(16, 18, stride = 1);
        layer2: plains(32, 18, stride = 2);
        layer3: plains(64, 18, stride = 2);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 1_727_962, macs == 252_887_680;
    }

    /// ResNet-20 with projections for shortcuts (option B).
    pub struct ResNet20B<const CLASSES: usize = 10>: [3, 32, 32] -> [CLASSES] {
        conv1: conv(16, kernel = 3, pad = 1, bias = false);
        bn1: batch_norm; relu;
        layer1: projections(16, 3, stride = 1);
        layer2: projections(32, 3, stride = 2);
        layer3: projections(64, 3, stride = 2);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 272_474;
    }
}
