//! Graphs like those of well-known networks with the macro's naming: unnamed layers have the index
//! of the member as their name, and merges are called `add` and `concat`.

use super::net::Net;
use crate::{Activation, AvgDivisor, Graph, Op, Output, PoolKind, Resample, Shape};

pub fn resnet(name: &'static str, counts: [usize; 4]) -> Graph {
    let mut net = Net::new(name, [3, 224, 224]);
    let x = net.conv("conv1", 0, 64, 7, 2);
    let x = net.bn("bn1", x);
    let x = net.relu("2", x);
    let mut x = net.max_pool("3", x, 3, 2);
    for (i, count) in counts.into_iter().enumerate() {
        let wide = 64 << i;
        for j in 0..count {
            let at = |name: &str| format!("layer{}.{j}.{name}", i + 1);
            let stride = if j == 0 && i > 0 { 2 } else { 1 };
            let start = x;
            x = net.conv(&at("conv1"), x, wide, 1, 1);
            x = net.bn(&at("bn1"), x);
            x = net.relu(&at("2"), x);
            x = net.conv(&at("conv2"), x, wide, 3, stride);
            x = net.bn(&at("bn2"), x);
            x = net.relu(&at("5"), x);
            x = net.conv(&at("conv3"), x, 4 * wide, 1, 1);
            x = net.bn(&at("bn3"), x);
            let mut other = start;
            if j == 0 {
                other = net.conv(&at("downsample.0"), start, 4 * wide, 1, stride);
                other = net.bn(&at("downsample.1"), other);
            }
            x = net.add(&at("add"), x, other);
            x = net.relu(&at("9"), x);
        }
    }
    let x = net.global("8", x);
    let x = net.flatten("9", x);
    net.linear("fc", x, 1000);
    net.done()
}

fn inception(net: &mut Net, name: &str, from: usize, widths: [usize; 6]) -> usize {
    let [ones, reduce3, threes, reduce5, fives, pooled] = widths;
    let at = |branch: &str| format!("{name}.{branch}");
    let a = net.basic(&at("branch1"), from, ones, 1, 1);
    let b = net.basic(&at("branch2.0"), from, reduce3, 1, 1);
    let b = net.basic(&at("branch2.1"), b, threes, 3, 1);
    let c = net.basic(&at("branch3.0"), from, reduce5, 1, 1);
    let c = net.basic(&at("branch3.1"), c, fives, 3, 1);
    let d = net.max_pool(&at("branch4.0"), from, 3, 1);
    let d = net.basic(&at("branch4.1"), d, pooled, 1, 1);
    net.concat(&at("concat"), &[a, b, c, d])
}

fn auxiliary(net: &mut Net, name: &'static str, from: usize) {
    net.auxiliary = true;
    let [c, ..] = net.chw(from);
    let x = net.node(&format!("{name}.0"), Op::AdaptiveAvgPool, &[from], Shape::Map([c, 4, 4]));
    let x = net.basic(&format!("{name}.conv"), x, 128, 1, 1);
    let x = net.flatten(&format!("{name}.2"), x);
    let x = net.linear(&format!("{name}.fc1"), x, 1024);
    let x = net.relu(&format!("{name}.4"), x);
    let x = net.dropout(&format!("{name}.5"), x, 0.7);
    let node = net.linear(&format!("{name}.fc2"), x, 1000);
    net.heads.push(Output { name: name.into(), node });
    net.auxiliary = false;
}

pub fn googlenet() -> Graph {
    let mut net = Net::new("GoogLeNet", [3, 224, 224]);
    let x = net.basic("conv1", 0, 64, 7, 2);
    let x = net.max_pool("maxpool1", x, 3, 2);
    let x = net.basic("conv2", x, 64, 1, 1);
    let x = net.basic("conv3", x, 192, 3, 1);
    let x = net.max_pool("maxpool2", x, 3, 2);
    let x = inception(&mut net, "inception3a", x, [64, 96, 128, 16, 32, 32]);
    let x = inception(&mut net, "inception3b", x, [128, 128, 192, 32, 96, 64]);
    let x = net.max_pool("maxpool3", x, 3, 2);
    let x = inception(&mut net, "inception4a", x, [192, 96, 208, 16, 48, 64]);
    auxiliary(&mut net, "aux1", x);
    let x = inception(&mut net, "inception4b", x, [160, 112, 224, 24, 64, 64]);
    let x = inception(&mut net, "inception4c", x, [128, 128, 256, 24, 64, 64]);
    let x = inception(&mut net, "inception4d", x, [112, 144, 288, 32, 64, 64]);
    auxiliary(&mut net, "aux2", x);
    let x = inception(&mut net, "inception4e", x, [256, 160, 320, 32, 128, 128]);
    let x = net.max_pool("maxpool4", x, 2, 2);
    let x = inception(&mut net, "inception5a", x, [256, 160, 320, 32, 128, 128]);
    let x = inception(&mut net, "inception5b", x, [384, 192, 384, 48, 128, 128]);
    let x = net.global("16", x);
    let x = net.flatten("17", x);
    let x = net.dropout("18", x, 0.2);
    net.linear("fc", x, 1000);
    net.done()
}

pub fn densenet(counts: [usize; 4]) -> Graph {
    let mut net = Net::new("DenseNet121", [3, 224, 224]);
    let x = net.conv("features.conv0", 0, 64, 7, 2);
    let x = net.bn("features.norm0", x);
    let x = net.relu("features.relu0", x);
    let mut x = net.max_pool("features.pool0", x, 3, 2);
    for (i, count) in counts.into_iter().enumerate() {
        for j in 1..=count {
            let at = |name: &str| format!("features.denseblock{}.denselayer{j}.{name}", i + 1);
            let start = net.same(&at("0"), Op::Identity, x);
            let y = net.bn(&at("norm1"), x);
            let y = net.relu(&at("relu1"), y);
            let y = net.conv(&at("conv1"), y, 128, 1, 1);
            let y = net.bn(&at("norm2"), y);
            let y = net.relu(&at("relu2"), y);
            let y = net.conv(&at("conv2"), y, 32, 3, 1);
            x = net.concat(&at("concat"), &[start, y]);
        }
        let at = |name: &str| format!("features.transition{}.{name}", i + 1);
        if i < 3 {
            x = net.bn(&at("norm"), x);
            x = net.relu(&at("relu"), x);
            let half = net.chw(x)[0] / 2;
            x = net.conv(&at("conv"), x, half, 1, 1);
            x = net.pool(&at("pool"), x, 2, 2, PoolKind::Avg(AvgDivisor::WithPad));
        }
    }
    let x = net.bn("features.norm5", x);
    let x = net.relu("1", x);
    let x = net.global("2", x);
    let x = net.flatten("3", x);
    net.linear("classifier", x, 1000);
    net.done()
}

fn double(net: &mut Net, name: &str, from: usize, out: usize) -> usize {
    let x = net.conv(&format!("{name}.0"), from, out, 3, 1);
    let x = net.bn(&format!("{name}.1"), x);
    let x = net.relu(&format!("{name}.2"), x);
    let x = net.conv(&format!("{name}.3"), x, out, 3, 1);
    let x = net.bn(&format!("{name}.4"), x);
    net.relu(&format!("{name}.5"), x)
}

/// `path` puts the two halves into modules, so that skips start and end inside frames.
pub fn unet(encoder: &str, decoder: &str) -> Graph {
    let mut net = Net::new("UNet", [1, 512, 512]);
    let mut x = 0;
    let mut skips = Vec::new();
    for i in 1..=4 {
        x = double(&mut net, &format!("{encoder}enc{i}"), x, 32 << i);
        skips.push(x);
        x = net.max_pool(&format!("{encoder}pool{i}"), x, 2, 2);
    }
    x = double(&mut net, "bottleneck", x, 1024);
    for (i, skip) in skips.into_iter().enumerate().rev() {
        let i = i + 1;
        let [c, h, w] = net.chw(x);
        let shape = Shape::Map([c, 2 * h, 2 * w]);
        x = net.node(&format!("{decoder}up{i}.0"), Op::Resample(Resample::Nearest), &[x], shape);
        x = net.conv(&format!("{decoder}up{i}.1"), x, 32 << i, 1, 1);
        x = net.concat(&format!("{decoder}concat"), &[skip, x]);
        x = double(&mut net, &format!("{decoder}dec{i}"), x, 32 << i);
    }
    net.conv("head", x, 2, 1, 1);
    net.done()
}

pub fn squeezenet() -> Graph {
    let mut net = Net::new("SqueezeNet", [3, 224, 224]);
    let x = net.conv("features.0", 0, 64, 3, 2);
    let x = net.relu("features.1", x);
    let mut x = net.max_pool("features.2", x, 3, 2);
    for (index, width) in [(3, 16), (4, 16), (6, 32), (7, 32), (9, 48), (10, 48), (11, 64), (12, 64)] {
        if index == 6 || index == 9 {
            x = net.max_pool(&format!("features.{}", index - 1), x, 3, 2);
        }
        let at = |name: &str| format!("features.{index}.{name}");
        let s = net.conv(&at("squeeze"), x, width, 1, 1);
        let s = net.relu(&at("squeeze_activation"), s);
        let a = net.conv(&at("expand1x1"), s, 4 * width, 1, 1);
        let a = net.relu(&at("expand1x1_activation"), a);
        let b = net.conv(&at("expand3x3"), s, 4 * width, 3, 1);
        let b = net.relu(&at("expand3x3_activation"), b);
        x = net.concat(&at("concat"), &[a, b]);
    }
    let x = net.dropout("classifier.0", x, 0.5);
    let x = net.conv("classifier.1", x, 1000, 1, 1);
    let x = net.relu("classifier.2", x);
    let x = net.global("classifier.3", x);
    net.flatten("2", x);
    net.done()
}

/// Inverted residuals with squeeze-and-excitation: a product inside a residual.
pub fn mobile() -> Graph {
    let mut net = Net::new("Mobile", [3, 224, 224]);
    let mut x = net.basic("stem", 0, 16, 3, 2);
    for i in 0..3 {
        let at = |name: &str| format!("blocks.{i}.{name}");
        let start = x;
        let y = net.basic(&at("expand"), x, 96, 1, 1);
        let y = net.basic(&at("depthwise"), y, 96, 3, 1);
        let s = net.global(&at("se.avgpool"), y);
        let s = net.conv(&at("se.fc1"), s, 24, 1, 1);
        let s = net.relu(&at("se.activation"), s);
        let s = net.conv(&at("se.fc2"), s, 96, 1, 1);
        let s = net.same(&at("se.scale_activation"), Op::Activation(Activation::Sigmoid), s);
        let y = net.node(&at("se.scale"), Op::Scale, &[y, s], Shape::Map([96, 112, 112]));
        let y = net.conv(&at("project"), y, 16, 1, 1);
        let y = net.bn(&at("norm"), y);
        x = net.add(&at("add"), y, start);
    }
    let x = net.global("head.0", x);
    let x = net.flatten("head.1", x);
    net.linear("head.2", x, 10);
    net.done()
}

pub fn vgg16() -> Graph {
    let mut net = Net::new("Vgg16", [3, 224, 224]);
    let (mut x, mut i) = (0, 0);
    for (count, width) in [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)] {
        for _ in 0..count {
            x = net.conv(&format!("features.{i}"), x, width, 3, 1);
            x = net.relu(&format!("features.{}", i + 1), x);
            i += 2;
        }
        x = net.max_pool(&format!("features.{i}"), x, 2, 2);
        i += 1;
    }
    x = net.flatten("1", x);
    for (i, out) in [(0, 4096), (3, 4096)] {
        x = net.linear(&format!("classifier.{i}"), x, out);
        x = net.relu(&format!("classifier.{}", i + 1), x);
        x = net.dropout(&format!("classifier.{}", i + 2), x, 0.5);
    }
    net.linear("classifier.6", x, 1000);
    net.done()
}

/// Every network above.
pub fn all() -> Vec<(&'static str, Graph)> {
    vec![
        ("resnet50", resnet("ResNet50", [3, 4, 6, 3])),
        ("resnet152", resnet("ResNet152", [3, 8, 36, 3])),
        ("googlenet", googlenet()),
        ("densenet121", densenet([6, 12, 24, 16])),
        ("unet", unet("", "")),
        ("unet_halves", unet("encoder.", "decoder.")),
        ("squeezenet", squeezenet()),
        ("mobile", mobile()),
        ("vgg16", vgg16()),
    ]
}
