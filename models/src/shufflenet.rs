//! ShuffleNetV2 (Ma et al., 2018: Practical guidelines for efficient CNN architecture design), with torchvision's keys.

use convnet::prelude::*;

cnn! {
    /// The branch of a unit that computes (figure 3, c and d).
    block convolved(out, stride = 1) {
        conv(out, kernel = 1, bias = false); batch_norm; relu;
        depthwise(3, stride, pad = 1, bias = false); batch_norm;
        conv(out, kernel = 1, bias = false); batch_norm; relu;
    }

    /// Half of the channels passes by (figure 3, c).
    block unit() {
        split {
            identity;
            branch2: convolved(channels);
        }
        channel_shuffle(2);
    }

    /// A unit that halves the map: both branches get all channels and give half of the new ones (figure 3, d).
    block down(half) {
        concat {
            branch1: {
                depthwise(3, stride = 2, pad = 1, bias = false); batch_norm;
                conv(half, kernel = 1, bias = false); batch_norm; relu;
            }
            branch2: convolved(half, stride = 2);
        }
        channel_shuffle(2);
    }

    block stage(out, count) { down(out / 2); repeat count - 1 { unit(); } }

    /// ShuffleNetV2 at width 1 (table 5).
    #[export(shufflenet_v2_x1_0)]
    pub struct ShuffleNetV2<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        conv1: { conv(24, kernel = 3, stride = 2, pad = 1, bias = false); batch_norm; relu; }
        max_pool(3, stride = 2, pad = 1);
        stage2: stage(116, 4);
        stage3: stage(232, 8);
        stage4: stage(464, 4);
        conv5: { conv(1024, kernel = 1, bias = false); batch_norm; relu; }
        global_avg_pool;
        fc: linear(CLASSES);
        assert params == 2_278_604, macs == 144_907_992;
    }
}
