//! ResNet (He, Zhang, Ren and Sun, 2015: Deep residual learning for image recognition), with torchvision's keys.
//!
//! As in torchvision, a bottleneck has its stride in the 3 x 3 convolution. Those for small images have 6n + 2 layers. ResNeXt (Xie, Girshick,
//! Dollár, Tu and He, 2016: Aggregated residual transformations for deep neural networks) and Wide ResNet (Zagoruyko and Komodakis, 2016: Wide
//! residual networks) are ResNets with other bottlenecks.

use convnet::prelude::*;

cnn! {
    /// Where the shape changes, the shortcut is a projection (option B) or, without parameters, every other pixel and zeros
    /// for the new channels (option A).
    block basic(out, stride = 1, project = 1) {
        residual {
            conv1: conv(out, kernel = 3, stride, pad = 1, bias = false);
            bn1: batch_norm; relu;
            conv2: conv(out, kernel = 3, pad = 1, bias = false);
            bn2: batch_norm;
        } shortcut if stride != 1 || channels != out {
            if project == 1 {
                downsample: { conv(out, kernel = 1, stride, bias = false); batch_norm; }
            } else {
                avg_pool(1, stride);
                channel_pad((out - channels) / 2);
            }
        }
        relu;
    }

    /// The 3 x 3 convolution has `inner` channels in so many groups.
    block bottleneck(wide, stride = 1, inner = wide, groups = 1) {
        residual {
            conv1: conv(inner, kernel = 1, bias = false);
            bn1: batch_norm; relu;
            conv2: conv(inner, kernel = 3, stride, pad = 1, groups, bias = false);
            bn2: batch_norm; relu;
            conv3: conv(4 * wide, kernel = 1, bias = false);
            bn3: batch_norm;
        } shortcut if stride != 1 || channels != 4 * wide {
            downsample: { conv(4 * wide, kernel = 1, stride, bias = false); batch_norm; }
        }
        relu;
    }

    block basics(out, count, stride, project = 1) {
        basic(out, stride, project);
        repeat count - 1 { basic(out); }
    }

    block bottlenecks(wide, count, stride, inner = wide, groups = 1) {
        bottleneck(wide, stride, inner, groups);
        repeat count - 1 { bottleneck(wide, inner = inner, groups = groups); }
    }

    /// ResNet-18 (table 1).
    #[export(resnet18)]
    pub struct ResNet18<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        conv1: conv(64, kernel = 7, stride = 2, pad = 3, bias = false);
        bn1: batch_norm; relu;
        max_pool(3, stride = 2, pad = 1);
        layer1: basics(64, 2, stride = 1);
        layer2: basics(128, 2, stride = 2);
        layer3: basics(256, 2, stride = 2);
        layer4: basics(512, 2, stride = 2);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 11_689_512, macs == 1_814_073_344, receptive_field == 435;
    }

    /// ResNet-34 (table 1).
    #[export(resnet34)]
    pub struct ResNet34<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        conv1: conv(64, kernel = 7, stride = 2, pad = 3, bias = false);
        bn1: batch_norm; relu;
        max_pool(3, stride = 2, pad = 1);
        layer1: basics(64, 3, stride = 1);
        layer2: basics(128, 4, stride = 2);
        layer3: basics(256, 6, stride = 2);
        layer4: basics(512, 3, stride = 2);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 21_797_672, macs == 3_663_761_408, receptive_field == 899;
    }

    /// ResNet-50 (table 1).
    #[export(resnet50)]
    pub struct ResNet50<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        conv1: conv(64, kernel = 7, stride = 2, pad = 3, bias = false);
        bn1: batch_norm; relu;
        max_pool(3, stride = 2, pad = 1);
        layer1: bottlenecks(64, 3, stride = 1);
        layer2: bottlenecks(128, 4, stride = 2);
        layer3: bottlenecks(256, 6, stride = 2);
        layer4: bottlenecks(512, 3, stride = 2);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 25_557_032, macs == 4_089_184_256, receptive_field == 427;
    }

    /// ResNet-101 (table 1).
    #[export(resnet101)]
    pub struct ResNet101<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        conv1: conv(64, kernel = 7, stride = 2, pad = 3, bias = false);
        bn1: batch_norm; relu;
        max_pool(3, stride = 2, pad = 1);
        layer1: bottlenecks(64, 3, stride = 1);
        layer2: bottlenecks(128, 4, stride = 2);
        layer3: bottlenecks(256, 23, stride = 2);
        layer4: bottlenecks(512, 3, stride = 2);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 44_549_160, macs == 7_801_405_440, receptive_field == 971;
    }

    /// ResNet-152 (table 1).
    #[export(resnet152)]
    pub struct ResNet152<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        conv1: conv(64, kernel = 7, stride = 2, pad = 3, bias = false);
        bn1: batch_norm; relu;
        max_pool(3, stride = 2, pad = 1);
        layer1: bottlenecks(64, 3, stride = 1);
        layer2: bottlenecks(128, 8, stride = 2);
        layer3: bottlenecks(256, 36, stride = 2);
        layer4: bottlenecks(512, 3, stride = 2);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 60_192_808, macs == 11_513_626_624, receptive_field == 1451;
    }

    /// ResNeXt-50 (32 x 4d): the 3 x 3 convolutions have 32 groups of four channels in the first stage, and of twice as many in each that follows
    /// (Xie et al., 2016, table 1). torchvision calls it `resnext50_32x4d`.
    #[export(resnext50)]
    pub struct ResNeXt50<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        conv1: conv(64, kernel = 7, stride = 2, pad = 3, bias = false);
        bn1: batch_norm; relu;
        max_pool(3, stride = 2, pad = 1);
        layer1: bottlenecks(64, 3, stride = 1, inner = 128, groups = 32);
        layer2: bottlenecks(128, 4, stride = 2, inner = 256, groups = 32);
        layer3: bottlenecks(256, 6, stride = 2, inner = 512, groups = 32);
        layer4: bottlenecks(512, 3, stride = 2, inner = 1024, groups = 32);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 25_028_904, macs == 4_230_479_872, receptive_field == 427;
    }

    /// Wide ResNet-50-2: the 3 x 3 convolutions have twice the channels of those of ResNet-50 (Zagoruyko and Komodakis, 2016, section 3.4).
    /// torchvision calls it `wide_resnet50_2`.
    #[export(wide_resnet50)]
    pub struct WideResNet50<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        conv1: conv(64, kernel = 7, stride = 2, pad = 3, bias = false);
        bn1: batch_norm; relu;
        max_pool(3, stride = 2, pad = 1);
        layer1: bottlenecks(64, 3, stride = 1, inner = 128);
        layer2: bottlenecks(128, 4, stride = 2, inner = 256);
        layer3: bottlenecks(256, 6, stride = 2, inner = 512);
        layer4: bottlenecks(512, 3, stride = 2, inner = 1024);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 68_883_240, macs == 11_398_021_120, receptive_field == 427;
    }

    /// ResNet-20 for 32 x 32 pixels (section 4.2), n = 3.
    #[export(resnet20)]
    pub struct ResNet20<const CLASSES: usize = 10>: [3, 32, 32] -> [CLASSES] {
        conv1: conv(16, kernel = 3, pad = 1, bias = false);
        bn1: batch_norm; relu;
        layer1: basics(16, 3, stride = 1, project = 0);
        layer2: basics(32, 3, stride = 2, project = 0);
        layer3: basics(64, 3, stride = 2, project = 0);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 269_722, macs == 40_551_040;
    }

    /// ResNet-32, n = 5.
    #[export(resnet32)]
    pub struct ResNet32<const CLASSES: usize = 10>: [3, 32, 32] -> [CLASSES] {
        conv1: conv(16, kernel = 3, pad = 1, bias = false);
        bn1: batch_norm; relu;
        layer1: basics(16, 5, stride = 1, project = 0);
        layer2: basics(32, 5, stride = 2, project = 0);
        layer3: basics(64, 5, stride = 2, project = 0);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 464_154, macs == 68_862_592;
    }

    /// ResNet-44, n = 7.
    #[export(resnet44)]
    pub struct ResNet44<const CLASSES: usize = 10>: [3, 32, 32] -> [CLASSES] {
        conv1: conv(16, kernel = 3, pad = 1, bias = false);
        bn1: batch_norm; relu;
        layer1: basics(16, 7, stride = 1, project = 0);
        layer2: basics(32, 7, stride = 2, project = 0);
        layer3: basics(64, 7, stride = 2, project = 0);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 658_586, macs == 97_174_144;
    }

    /// ResNet-56, n = 9.
    #[export(resnet56)]
    pub struct ResNet56<const CLASSES: usize = 10>: [3, 32, 32] -> [CLASSES] {
        conv1: conv(16, kernel = 3, pad = 1, bias = false);
        bn1: batch_norm; relu;
        layer1: basics(16, 9, stride = 1, project = 0);
        layer2: basics(32, 9, stride = 2, project = 0);
        layer3: basics(64, 9, stride = 2, project = 0);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 853_018, macs == 125_485_696;
    }

    /// ResNet-110, n = 18.
    #[export(resnet110)]
    pub struct ResNet110<const CLASSES: usize = 10>: [3, 32, 32] -> [CLASSES] {
        conv1: conv(16, kernel = 3, pad = 1, bias = false);
        bn1: batch_norm; relu;
        layer1: basics(16, 18, stride = 1, project = 0);
        layer2: basics(32, 18, stride = 2, project = 0);
        layer3: basics(64, 18, stride = 2, project = 0);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 1_727_962, macs == 252_887_680;
    }

    /// ResNet-20 with projections for shortcuts (option B).
    pub struct ResNet20B<const CLASSES: usize = 10>: [3, 32, 32] -> [CLASSES] {
        conv1: conv(16, kernel = 3, pad = 1, bias = false);
        bn1: batch_norm; relu;
        layer1: basics(16, 3, stride = 1);
        layer2: basics(32, 3, stride = 2);
        layer3: basics(64, 3, stride = 2);
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 272_474;
    }
}
