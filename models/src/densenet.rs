//! DenseNet (Huang, Liu, van der Maaten and Weinberger, 2016: Densely connected convolutional networks), with torchvision's
//! keys.

use convnet::prelude::*;

cnn! {
    /// A bottleneck (section 3, DenseNet-B): 1 x 1 to four times the growth, 3 x 3 to the growth, beside everything before.
    block dense_layer(growth) {
        concat {
            identity;
            {
                norm1: batch_norm; relu1: relu;
                conv1: conv(4 * growth, kernel = 1, bias = false);
                norm2: batch_norm; relu2: relu;
                conv2: conv(growth, kernel = 3, pad = 1, bias = false);
            }
        }
    }

    /// 6, 12, 16, 24 or 32 such layers.
    block dense_block(layers, growth) {
        denselayer1: dense_layer(growth);
        denselayer2: dense_layer(growth);
        denselayer3: dense_layer(growth);
        denselayer4: dense_layer(growth);
        denselayer5: dense_layer(growth);
        denselayer6: dense_layer(growth);
        if layers >= 12 {
            denselayer7: dense_layer(growth);
            denselayer8: dense_layer(growth);
            denselayer9: dense_layer(growth);
            denselayer10: dense_layer(growth);
            denselayer11: dense_layer(growth);
            denselayer12: dense_layer(growth);
        }
        if layers >= 16 {
            denselayer13: dense_layer(growth);
            denselayer14: dense_layer(growth);
            denselayer15: dense_layer(growth);
            denselayer16: dense_layer(growth);
        }
        if layers >= 24 {
            denselayer17: dense_layer(growth);
            denselayer18: dense_layer(growth);
            denselayer19: dense_layer(growth);
            denselayer20: dense_layer(growth);
            denselayer21: dense_layer(growth);
            denselayer22: dense_layer(growth);
            denselayer23: dense_layer(growth);
            denselayer24: dense_layer(growth);
        }
        if layers >= 32 {
            denselayer25: dense_layer(growth);
            denselayer26: dense_layer(growth);
            denselayer27: dense_layer(growth);
            denselayer28: dense_layer(growth);
            denselayer29: dense_layer(growth);
            denselayer30: dense_layer(growth);
            denselayer31: dense_layer(growth);
            denselayer32: dense_layer(growth);
        }
    }

    /// Half the channels, half the size (section 3, compression 0.5).
    block transition() {
        norm: batch_norm; relu: relu;
        conv: conv(channels / 2, kernel = 1, bias = false);
        pool: avg_pool(2);
    }

    /// DenseNet-121 (table 1), growth 32.
    #[export(densenet121)]
    pub struct DenseNet121<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: {
            conv0: conv(64, kernel = 7, stride = 2, pad = 3, bias = false);
            norm0: batch_norm; relu0: relu;
            pool0: max_pool(3, stride = 2, pad = 1);
            denseblock1: dense_block(6, 32);
            transition1: transition();
            denseblock2: dense_block(12, 32);
            transition2: transition();
            denseblock3: dense_block(24, 32);
            transition3: transition();
            denseblock4: dense_block(16, 32);
            norm5: batch_norm;
        }
        relu;
        global_avg_pool;
        classifier: linear(CLASSES);
        assert params == 7_978_856, macs == 2_834_161_664;
    }

    /// DenseNet-169 (table 1), growth 32.
    #[export(densenet169)]
    pub struct DenseNet169<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: {
            conv0: conv(64, kernel = 7, stride = 2, pad = 3, bias = false);
            norm0: batch_norm; relu0: relu;
            pool0: max_pool(3, stride = 2, pad = 1);
            denseblock1: dense_block(6, 32);
            transition1: transition();
            denseblock2: dense_block(12, 32);
            transition2: transition();
            denseblock3: dense_block(32, 32);
            transition3: transition();
            denseblock4: dense_block(32, 32);
            norm5: batch_norm;
        }
        relu;
        global_avg_pool;
        classifier: linear(CLASSES);
        assert params == 14_149_480, macs == 3_359_843_328;
    }
}
