//! FCN (Long, Shelhamer and Darrell, 2014: Fully convolutional networks for semantic segmentation), as torchvision has it.

use convnet::prelude::*;

cnn! {
    block bottleneck(wide, stride = 1, dilation = 1) {
        residual {
            conv1: conv(wide, kernel = 1, bias = false);
            bn1: batch_norm; relu;
            conv2: conv(wide, kernel = 3, stride, pad = dilation, dilation, bias = false);
            bn2: batch_norm; relu;
            conv3: conv(4 * wide, kernel = 1, bias = false);
            bn3: batch_norm;
        } shortcut if stride != 1 || channels != 4 * wide {
            downsample: { conv(4 * wide, kernel = 1, stride, bias = false); batch_norm; }
        }
        relu;
    }

    /// The first block of a stage has a dilation of its own.
    block bottlenecks(wide, count, stride = 1, first = 1, dilation = 1) {
        bottleneck(wide, stride, dilation = first);
        repeat count - 1 { bottleneck(wide, dilation = dilation); }
    }

    /// A score for each class and place, an eighth of the image in size, which is enlarged to that of the image.
    block score(classes) {
        conv(channels / 4, kernel = 3, pad = 1, bias = false); batch_norm; relu;
        dropout(0.1);
        conv(classes, kernel = 1);
        upsample(8, bilinear);
    }

    /// FCN on ResNet-50, whose last two stages are dilated in place of having a stride, so that the maps stay an eighth of the image in size.
    /// The classes are those of Pascal VOC.
    #[export(fcn_resnet50)]
    pub struct FcnResNet50<const CLASSES: usize = 21>: [3, 224, 224] -> [CLASSES, 224, 224] {
        backbone: {
            conv1: conv(64, kernel = 7, stride = 2, pad = 3, bias = false);
            bn1: batch_norm; relu;
            max_pool(3, stride = 2, pad = 1);
            layer1: bottlenecks(64, 3);
            layer2: bottlenecks(128, 4, stride = 2);
            layer3: bottlenecks(256, 6, dilation = 2);
        }
        // It is no part of the backbone in the keys, so the backbone goes on after it.
        head aux_classifier: [CLASSES, 8 * height, 8 * width] = score(CLASSES);
        backbone_rest as "backbone": { layer4: bottlenecks(512, 3, first = 2, dilation = 4); }
        classifier: score(CLASSES);
        assert params == 35_322_218, macs == 26_484_498_432;
    }
}
