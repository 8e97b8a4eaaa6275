//! GoogLeNet (Szegedy et al., 2014: Going deeper with convolutions), as torchvision has it and as the paper does.
//!
//! In training both give three outputs: the main one and the auxiliary heads after `inception4a` and `inception4d`
//! (section 5), whose losses count 0.3 each.

use convnet::prelude::*;

cnn! {
    /// A convolution with batch normalisation; torchvision's `eps` is 0.001 here.
    block basic(out, kernel, stride = 1, pad = 0) {
        conv: conv(out, kernel, stride, pad, bias = false);
        bn: batch_norm(eps = 0.001);
        relu;
    }

    /// Figure 2b. torchvision's "5 x 5" branch has a 3 x 3 kernel, and its trained weights are for that.
    block inception(ones, reduce3, threes, reduce5, fives, pooled) {
        concat {
            branch1: basic(ones, 1);
            branch2: { basic(reduce3, 1); basic(threes, 3, pad = 1); }
            branch3: { basic(reduce5, 1); basic(fives, 3, pad = 1); }
            branch4: { max_pool(3, stride = 1, pad = 1, ceil); basic(pooled, 1); }
        }
    }

    block auxiliary(classes) {
        adaptive_avg_pool(4, 4);
        conv: basic(128, 1);
        flatten;
        fc1: linear(1024); relu;
        dropout(0.7);
        fc2: linear(classes);
    }

    /// The network of torchvision, with its keys: batch normalisation, pools that round up. 6,624,904 parameters without
    /// the auxiliary heads.
    #[export(googlenet)]
    pub struct GoogLeNet<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        conv1: basic(64, 7, stride = 2, pad = 3);
        maxpool1: max_pool(3, stride = 2, ceil);
        conv2: basic(64, 1);
        conv3: basic(192, 3, pad = 1);
        maxpool2: max_pool(3, stride = 2, ceil);
        inception3a: inception(64, 96, 128, 16, 32, 32);
        inception3b: inception(128, 128, 192, 32, 96, 64);
        maxpool3: max_pool(3, stride = 2, ceil);
        inception4a: inception(192, 96, 208, 16, 48, 64);
        head aux1: [CLASSES] = auxiliary(CLASSES);
        inception4b: inception(160, 112, 224, 24, 64, 64);
        inception4c: inception(128, 128, 256, 24, 64, 64);
        inception4d: inception(112, 144, 288, 32, 64, 64);
        head aux2: [CLASSES] = auxiliary(CLASSES);
        inception4e: inception(256, 160, 320, 32, 128, 128);
        maxpool4: max_pool(2, ceil);
        inception5a: inception(256, 160, 320, 32, 128, 128);
        inception5b: inception(384, 192, 384, 48, 128, 128);
        global_avg_pool;
        dropout(0.2);
        fc: linear(CLASSES);
        assert params == 13_004_888, macs == 1_498_376_192;
    }
}

cnn! {
    block rectified(out, kernel, stride = 1, pad = 0) {
        conv: conv(out, kernel, stride, pad);
        relu;
    }

    block inception(ones, reduce3, threes, reduce5, fives, pooled) {
        concat {
            branch1: rectified(ones, 1);
            branch2: { rectified(reduce3, 1); rectified(threes, 3, pad = 1); }
            branch3: { rectified(reduce5, 1); rectified(fives, 5, pad = 2); }
            branch4: { max_pool(3, stride = 1, pad = 1); rectified(pooled, 1); }
        }
    }

    block auxiliary(classes) {
        avg_pool(5, stride = 3, ceil);
        conv: rectified(128, 1);
        flatten;
        fc1: linear(1024); relu;
        dropout(0.7);
        fc2: linear(classes);
    }

    /// The network of the paper (table 1): local response normalisation, biases, true 5 x 5 kernels. 6,998,552 parameters
    /// without the auxiliary heads; the paper's budget (section 1) is 1.5 billion multiply-adds.
    #[export(googlenet2014)]
    pub struct GoogLeNet2014<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        conv1: rectified(64, 7, stride = 2, pad = 3);
        max_pool(3, stride = 2, ceil);
        lrn(5);
        conv2: rectified(64, 1);
        conv3: rectified(192, 3, pad = 1);
        lrn(5);
        max_pool(3, stride = 2, ceil);
        inception3a: inception(64, 96, 128, 16, 32, 32);
        inception3b: inception(128, 128, 192, 32, 96, 64);
        max_pool(3, stride = 2, ceil);
        inception4a: inception(192, 96, 208, 16, 48, 64);
        head aux1: [CLASSES] = auxiliary(CLASSES);
        inception4b: inception(160, 112, 224, 24, 64, 64);
        inception4c: inception(128, 128, 256, 24, 64, 64);
        inception4d: inception(112, 144, 288, 32, 64, 64);
        head aux2: [CLASSES] = auxiliary(CLASSES);
        inception4e: inception(256, 160, 320, 32, 128, 128);
        max_pool(3, stride = 2, ceil);
        inception5a: inception(256, 160, 320, 32, 128, 128);
        inception5b: inception(384, 192, 384, 48, 128, 128);
        global_avg_pool;
        dropout(0.4);
        fc: linear(CLASSES);
        assert params == 13_378_280, macs <= 1_600_000_000;
    }
}
