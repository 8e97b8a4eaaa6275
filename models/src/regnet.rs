//! RegNet (Radosavovic, Kosaraju, Girshick, He and Dollár, 2020: Designing network design spaces), with torchvision's keys.

use convnet::prelude::*;

cnn! {
    block stem(out) { conv(out, kernel = 3, stride = 2, pad = 1, bias = false); batch_norm; relu; }

    block point(out) { conv(out, kernel = 1, bias = false); batch_norm; relu; }

    /// 3 x 3 in groups of `group` channels.
    block grouped(out, group, stride) {
        conv(out, kernel = 3, stride, pad = 1, groups = out / group, bias = false);
        batch_norm; relu;
    }

    block project(out, stride = 1) { conv(out, kernel = 1, stride, bias = false); batch_norm; }

    block excite(narrow, wide = channels) {
        gate {
            avgpool: adaptive_avg_pool(1);
            fc1: conv(narrow, kernel = 1); relu;
            fc2: conv(wide, kernel = 1); sigmoid;
        }
    }

    /// As many channels inside as outside (section 3.1); in Y networks squeeze and excitation, by a quarter of the channels that come in.
    block transform(out, group, excited, stride, narrow = channels / 4) {
        a: point(out);
        b: grouped(out, group, stride);
        if excited == 1 { se: excite(narrow); }
        c: project(out);
    }

    block bottleneck(out, group, excited = 0, stride = 1) {
        residual {
            f: transform(out, group, excited, stride);
        } shortcut if stride != 1 || channels != out {
            proj: project(out, stride);
        }
        relu;
    }

    /// RegNetX-400MF: stages of 1, 2, 7 and 12 blocks, groups of 16 channels (table 5).
    #[export(regnet_x_400mf)]
    pub struct RegNetX400MF<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        stem: stem(32);
        trunk_output: {
            block1: {
                block1_0 as "block1-0": bottleneck(32, 16, stride = 2);
            }
            block2: {
                block2_0 as "block2-0": bottleneck(64, 16, stride = 2);
                block2_1 as "block2-1": bottleneck(64, 16);
            }
            block3: {
                block3_0 as "block3-0": bottleneck(160, 16, stride = 2);
                block3_1 as "block3-1": bottleneck(160, 16);
                block3_2 as "block3-2": bottleneck(160, 16);
                block3_3 as "block3-3": bottleneck(160, 16);
                block3_4 as "block3-4": bottleneck(160, 16);
                block3_5 as "block3-5": bottleneck(160, 16);
                block3_6 as "block3-6": bottleneck(160, 16);
            }
            block4: {
                block4_0 as "block4-0": bottleneck(400, 16, stride = 2);
                block4_1 as "block4-1": bottleneck(400, 16);
                block4_2 as "block4-2": bottleneck(400, 16);
                block4_3 as "block4-3": bottleneck(400, 16);
                block4_4 as "block4-4": bottleneck(400, 16);
                block4_5 as "block4-5": bottleneck(400, 16);
                block4_6 as "block4-6": bottleneck(400, 16);
                block4_7 as "block4-7": bottleneck(400, 16);
                block4_8 as "block4-8": bottleneck(400, 16);
                block4_9 as "block4-9": bottleneck(400, 16);
                block4_10 as "block4-10": bottleneck(400, 16);
                block4_11 as "block4-11": bottleneck(400, 16);
            }
        }
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 5_495_976, macs == 413_812_608;
    }

    /// RegNetY-400MF: stages of 1, 3, 6 and 6 blocks, groups of 8 channels, squeeze and excitation (table 6).
    #[export(regnet_y_400mf)]
    pub struct RegNetY400MF<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        stem: stem(32);
        trunk_output: {
            block1: {
                block1_0 as "block1-0": bottleneck(48, 8, excited = 1, stride = 2);
            }
            block2: {
                block2_0 as "block2-0": bottleneck(104, 8, excited = 1, stride = 2);
                block2_1 as "block2-1": bottleneck(104, 8, excited = 1);
                block2_2 as "block2-2": bottleneck(104, 8, excited = 1);
            }
            block3: {
                block3_0 as "block3-0": bottleneck(208, 8, excited = 1, stride = 2);
                block3_1 as "block3-1": bottleneck(208, 8, excited = 1);
                block3_2 as "block3-2": bottleneck(208, 8, excited = 1);
                block3_3 as "block3-3": bottleneck(208, 8, excited = 1);
                block3_4 as "block3-4": bottleneck(208, 8, excited = 1);
                block3_5 as "block3-5": bottleneck(208, 8, excited = 1);
            }
            block4: {
                block4_0 as "block4-0": bottleneck(440, 8, excited = 1, stride = 2);
                block4_1 as "block4-1": bottleneck(440, 8, excited = 1);
                block4_2 as "block4-2": bottleneck(440, 8, excited = 1);
                block4_3 as "block4-3": bottleneck(440, 8, excited = 1);
                block4_4 as "block4-4": bottleneck(440, 8, excited = 1);
                block4_5 as "block4-5": bottleneck(440, 8, excited = 1);
            }
        }
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 4_344_144, macs == 401_842_848;
    }
}
