//! What an editor is asked about: every kind of word of the language, and a program that uses the network.

use convnet::prelude::*;

cnn! {
    /// Two convolutions and a sum.
    block basic(out, stride = 1) {
        residual {
            conv1: conv(out, kernel = 3, stride, pad = 1, bias = false);
            bn1: batch_norm; relu;
            conv2: conv(out, kernel = 3, pad = same, bias = false);
        } shortcut if stride != 1 || channels != out {
            downsample: { conv(out, kernel = 1, stride, bias = false); batch_norm; }
        }
        relu;
    }

    /// A small network.
    pub struct Small: [3, 32, 32] -> [10] {
        stem: conv(16, kernel = 3, pad = 1);
        relu; max_pool(2);
        layer1: { repeat 2 { basic(16); } }
        layer2: basic(2 * channels, stride = 2);
        mixed: concat {
            narrow: conv(8, kernel = 1);
            wide: { conv(8, kernel = 1); relu; }
        }
        head early: [10] { global_avg_pool; fc: linear(10); }
        global_avg_pool;
        fc: linear(10);
        assert params <= 62_000, receptive_field <= 64;
    }

    pub struct Sized<const CLASSES: usize = 10>: [1, 8, 8] -> [CLASSES] { flatten; last: linear(CLASSES); }
}

/// Its types are written, so that they are known where rust-analyzer cannot read the standard library for want of a network.
fn used(net: &Small<f32, Cpu>) {
    let taps = Small::<f32, Cpu>::taps();
    let _ = (&net.stem, taps.layer2, Sized::<3>::PARAMS);
}

fn main() {
    used(&Cpu::default().build_module::<Small, f32>());
}
