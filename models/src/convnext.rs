//! ConvNeXt (Liu et al., 2022: A ConvNet for the 2020s), with torchvision's keys. Layer normalisation has an epsilon of 1e-6.

use convnet::prelude::*;

cnn! {
    /// A block (figure 4), number `layer` of the network's `of`: a convolution of each channel, and two linear layers at each pixel, whose result is
    /// scaled channel by channel (Touvron et al., 2021). torchvision counts the places where it permutes dimensions as layers.
    block unit(layer, of) {
        residual {
            block: {
                depthwise(7, pad = 3);
                identity;
                layer_norm(eps = 1e-6, each_pixel);
                linear(4 * channels, each_pixel);
                gelu;
                linear(channels / 4, each_pixel);
                identity;
            }
            layer_scale: channel_scale;
            stochastic_depth(0.1, layer, of);
        }
    }

    /// What halves the map and widens it between two stages.
    block downsample(out) { layer_norm(eps = 1e-6, each_pixel); conv(out, kernel = 2, stride = 2); }

    block stage(count, first, of) { repeat count { unit(first + index, of); } }

    /// ConvNeXt-T: 3, 3, 9 and 3 blocks of 96, 192, 384 and 768 channels.
    #[export(convnext_tiny)]
    pub struct ConvNeXtTiny<const CLASSES: usize = 1000>: [3, 224, 224] -> [CLASSES] {
        features: {
            stem as "0": { conv(96, kernel = 4, stride = 4); layer_norm(eps = 1e-6, each_pixel); }
            stage(3, 0, 17);
            downsample(192);
            stage(3, 3, 17);
            downsample(384);
            stage(9, 6, 17);
            downsample(768);
            stage(3, 15, 17);
        }
        global_avg_pool;
        classifier: { layer_norm(eps = 1e-6); identity; linear(CLASSES); }
        assert params == 28_589_128, macs == 4_455_531_264;
    }
}
