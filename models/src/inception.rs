//! Inception v3 (Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, 2015: Rethinking the Inception architecture for computer vision), with
//! torchvision's keys.

use convnet::prelude::*;

cnn! {
    /// A convolution with batch normalisation, whose epsilon is 0.001. The pair of numbers is the height and the width of the kernel;
    /// its padding keeps the size, unless `valid` is 1.
    block basic(out, high = 1, wide = 1, stride = 1, valid = 0) {
        if valid == 1 {
            conv: conv(out, kernel = (high, wide), stride, bias = false);
        } else {
            conv: conv(out, kernel = (high, wide), stride, pad = (high / 2, wide / 2), bias = false);
        }
        bn: batch_norm(eps = 0.001);
        relu;
    }

    /// Figure 5: two 3 x 3 convolutions in place of one of 5 x 5.
    block inception_a(pooled) {
        concat {
            branch1x1: basic(64);
            { branch5x5_1: basic(48); branch5x5_2: basic(64, 5, 5); }
            { branch3x3dbl_1: basic(64); branch3x3dbl_2: basic(96, 3, 3); branch3x3dbl_3: basic(96, 3, 3); }
            { avg_pool(3, stride = 1, pad = 1); branch_pool: basic(pooled); }
        }
    }

    /// Figure 10: the size is halved beside a pool.
    block inception_b() {
        concat {
            branch3x3: basic(384, 3, 3, stride = 2, valid = 1);
            {
                branch3x3dbl_1: basic(64);
                branch3x3dbl_2: basic(96, 3, 3);
                branch3x3dbl_3: basic(96, 3, 3, stride = 2, valid = 1);
            }
            max_pool(3, stride = 2);
        }
    }

    /// Figure 6: 7 x 7 as a row and a column.
    block inception_c(narrow) {
        concat {
            branch1x1: basic(192);
            { branch7x7_1: basic(narrow); branch7x7_2: basic(narrow, 1, 7); branch7x7_3: basic(192, 7, 1); }
            {
                branch7x7dbl_1: basic(narrow);
                branch7x7dbl_2: basic(narrow, 7, 1);
                branch7x7dbl_3: basic(narrow, 1, 7);
                branch7x7dbl_4: basic(narrow, 7, 1);
                branch7x7dbl_5: basic(192, 1, 7);
            }
            { avg_pool(3, stride = 1, pad = 1); branch_pool: basic(192); }
        }
    }

    block inception_d() {
        concat {
            { branch3x3_1: basic(192); branch3x3_2: basic(320, 3, 3, stride = 2, valid = 1); }
            {
                branch7x7x3_1: basic(192);
                branch7x7x3_2: basic(192, 1, 7);
                branch7x7x3_3: basic(192, 7, 1);
                branch7x7x3_4: basic(192, 3, 3, stride = 2, valid = 1);
            }
            max_pool(3, stride = 2);
        }
    }

    /// Figure 7: a row and a column beside each other.
    block inception_e() {
        concat {
            branch1x1: basic(320);
            {
                branch3x3_1: basic(384);
                concat { branch3x3_2a: basic(384, 1, 3); branch3x3_2b: basic(384, 3, 1); }
            }
            {
                branch3x3dbl_1: basic(448);
                branch3x3dbl_2: basic(384, 3, 3);
                concat { branch3x3dbl_3a: basic(384, 1, 3); branch3x3dbl_3b: basic(384, 3, 1); }
            }
            { avg_pool(3, stride = 1, pad = 1); branch_pool: basic(192); }
        }
    }

    block auxiliary(classes) {
        avg_pool(5, stride = 3);
        conv0: basic(128);
        conv1: basic(768, 5, 5, valid = 1);
        global_avg_pool;
        fc: linear(classes);
    }

    /// The network of torchvision on 299x299 images (table 1). In training it gives two outputs, the main one and that of the auxiliary
    /// head (section 4), which has 3,326,696 of the parameters. The images are as the first layer sees them: what torchvision's
    /// `transform_input` does to them is a part of their preparation.
    #[export(inception_v3)]
    pub struct InceptionV3<const CLASSES: usize = 1000>: [3, 299, 299] -> [CLASSES] {
        conv2d_1a_3x3 as "Conv2d_1a_3x3": basic(32, 3, 3, stride = 2, valid = 1);
        conv2d_2a_3x3 as "Conv2d_2a_3x3": basic(32, 3, 3, valid = 1);
        conv2d_2b_3x3 as "Conv2d_2b_3x3": basic(64, 3, 3);
        maxpool1: max_pool(3, stride = 2);
        conv2d_3b_1x1 as "Conv2d_3b_1x1": basic(80);
        conv2d_4a_3x3 as "Conv2d_4a_3x3": basic(192, 3, 3, valid = 1);
        maxpool2: max_pool(3, stride = 2);
        mixed_5b as "Mixed_5b": inception_a(32);
        mixed_5c as "Mixed_5c": inception_a(64);
        mixed_5d as "Mixed_5d": inception_a(64);
        mixed_6a as "Mixed_6a": inception_b();
        mixed_6b as "Mixed_6b": inception_c(128);
        mixed_6c as "Mixed_6c": inception_c(160);
        mixed_6d as "Mixed_6d": inception_c(160);
        mixed_6e as "Mixed_6e": inception_c(192);
        head aux_logits as "AuxLogits": [CLASSES] = auxiliary(CLASSES);
        mixed_7a as "Mixed_7a": inception_d();
        mixed_7b as "Mixed_7b": inception_e();
        mixed_7c as "Mixed_7c": inception_e();
        global_avg_pool;
        dropout;
        fc: linear(CLASSES);
        assert params == 27_161_264, macs == 5_713_216_096;
    }
}
