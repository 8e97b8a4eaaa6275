//! ResNet (He, Zhang, Ren and Sun, 2015: Deep residual learning for image recognition), with torchvision's keys.
//!
//! As in torchvision, a bottleneck has its stride in the 3 x 3 convolution.

use convnet::prelude::*;

cnn! {
    block basic(out, stride = 1) {
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

    block bottleneck(wide, stride = 1) {
        residual {
            conv1: conv(wide, kernel = 1, bias = false);
            bn1: batch_norm; relu;
            conv2: conv(wide, kernel = 3, stride, pad = 1, bias = false);
            bn2: batch_norm; relu;
            conv3: conv(4 * wide, kernel = 1, bias = false);
            bn3: batch_norm;
        } shortcut if stride != 1 || channels != 4 * wide {
            downsample: { conv(4 * wide, kernel = 1, stride, bias = false); batch_norm; }
        }
        relu;
    }

    /// ResNet-18 (table 1).
    pub struct ResNet18<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        conv1: conv(64, kernel = 7, stride = 2, pad = 3, bias = false);
        bn1: batch_norm; relu;
        max_pool(3, stride = 2, pad = 1);
        layer1: { repeat 2 { basic(64); } }
        layer2: { basic(128, stride = 2); repeat 1 { basic(128); } }
        layer3: { basic(256, stride = 2); repeat 1 { basic(256); } }
        layer4: { basic(512, stride = 2); repeat 1 { basic(512); } }
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 11_689_512, macs == 1_814_073_344, receptive_field == 435;
    }

    /// ResNet-34 (table 1).
    pub struct ResNet34<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        conv1: conv(64, kernel = 7, stride = 2, pad = 3, bias = false);
        bn1: batch_norm; relu;
        max_pool(3, stride = 2, pad = 1);
        layer1: { repeat 3 { basic(64); } }
        layer2: { basic(128, stride = 2); repeat 3 { basic(128); } }
        layer3: { basic(256, stride = 2); repeat 5 { basic(256); } }
        layer4: { basic(512, stride = 2); repeat 2 { basic(512); } }
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 21_797_672, macs == 3_663_761_408, receptive_field == 899;
    }

    /// ResNet-50 (table 1).
    pub struct ResNet50<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        conv1: conv(64, kernel = 7, stride = 2, pad = 3, bias = false);
        bn1: batch_norm; relu;
        max_pool(3, stride = 2, pad = 1);
        layer1: { repeat 3 { bottleneck(64); } }
        layer2: { bottleneck(128, stride = 2); repeat 3 { bottleneck(128); } }
        layer3: { bottleneck(256, stride = 2); repeat 5 { bottleneck(256); } }
        layer4: { bottleneck(512, stride = 2); repeat 2 { bottleneck(512); } }
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 25_557_032, macs == 4_089_184_256, receptive_field == 427;
    }

    /// ResNet-101 (table 1).
    pub struct ResNet101<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        conv1: conv(64, kernel = 7, stride = 2, pad = 3, bias = false);
        bn1: batch_norm; relu;
        max_pool(3, stride = 2, pad = 1);
        layer1: { repeat 3 { bottleneck(64); } }
        layer2: { bottleneck(128, stride = 2); repeat 3 { bottleneck(128); } }
        layer3: { bottleneck(256, stride = 2); repeat 22 { bottleneck(256); } }
        layer4: { bottleneck(512, stride = 2); repeat 2 { bottleneck(512); } }
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 44_549_160, macs == 7_801_405_440, receptive_field == 971;
    }

    /// ResNet-152 (table 1).
    pub struct ResNet152<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        conv1: conv(64, kernel = 7, stride = 2, pad = 3, bias = false);
        bn1: batch_norm; relu;
        max_pool(3, stride = 2, pad = 1);
        layer1: { repeat 3 { bottleneck(64); } }
        layer2: { bottleneck(128, stride = 2); repeat 7 { bottleneck(128); } }
        layer3: { bottleneck(256, stride = 2); repeat 35 { bottleneck(256); } }
        layer4: { bottleneck(512, stride = 2); repeat 2 { bottleneck(512); } }
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 60_192_808, macs == 11_513_626_624, receptive_field == 1451;
    }

    /// ResNet-20 for 32x32 pictures (section 4.2), with projections for shortcuts (option B).
    pub struct ResNet20<const CLASSES: usize = 10>: [3, 32, 32] -> [CLASSES] {
        conv1: conv(16, kernel = 3, pad = 1, bias = false);
        bn1: batch_norm; relu;
        layer1: { repeat 3 { basic(16); } }
        layer2: { basic(32, stride = 2); repeat 2 { basic(32); } }
        layer3: { basic(64, stride = 2); repeat 2 { basic(64); } }
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 272_474;
    }
}
