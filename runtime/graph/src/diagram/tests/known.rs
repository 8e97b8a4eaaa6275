//! Graphs like those of well-known networks that the zoo does not have, with the macro's naming: unnamed layers have the index
//! of the member as their name, and merges are called `add` and `concat`. The zoo's own are looked at where they are declared.

use super::net::Net;
use crate::{Activation, Graph, Op, Resample, Shape};

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

/// Every network above.
pub fn all() -> Vec<(&'static str, Graph)> {
    vec![("unet", unet("", "")), ("unet_halves", unet("encoder.", "decoder.")), ("mobile", mobile())]
}
