//! Chapter "The gradients of convolution and pooling": written out, and held against finite differences in double precision.
//!
//! `cargo run --release -p convnet-book --example gradients`
#![allow(missing_docs)]

use convnet::net::AnyNetwork;
use convnet::prelude::*;
use convnet_book::course::{Chart, Outcome, Page, Series, digit};
use std::fmt::Write;

/// Numbers `[C, H, W]`.
#[derive(Clone)]
struct Map {
    shape: [usize; 3],
    values: Vec<f64>,
}

impl Map {
    fn zeros(shape: [usize; 3]) -> Self {
        Map { shape, values: vec![0.0; shape.iter().product()] }
    }

    fn index(&self, c: usize, y: usize, x: usize) -> usize {
        (c * self.shape[1] + y) * self.shape[2] + x
    }
}

/// All places of a shape.
fn places([channels, height, width]: [usize; 3]) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..channels).flat_map(move |c| (0..height).flat_map(move |y| (0..width).map(move |x| (c, y, x))))
}

// ANCHOR: convolution
/// Weights `[OUT, IN, K, K]` on an image; `dy` is the gradient of the loss at the outputs. Gives those at the weights and the image.
fn convolution_backward(x: &Map, weights: &[f64], k: usize, dy: &Map) -> (Vec<f64>, Map) {
    let channels = x.shape[0];
    let (mut dw, mut dx) = (vec![0.0; weights.len()], Map::zeros(x.shape));
    for (out, row, column) in places(dy.shape) {
        let gradient = dy.values[dy.index(out, row, column)];
        for (c, i, j) in places([channels, k, k]) {
            let weight = ((out * channels + c) * k + i) * k + j;
            let pixel = x.index(c, row + i, column + j);
            // The forward pass has here: y += weights[weight] * x.values[pixel].
            dw[weight] += gradient * x.values[pixel];
            dx.values[pixel] += gradient * weights[weight];
        }
    }
    (dw, dx)
}
// ANCHOR_END: convolution

// ANCHOR: pooling
/// Where the largest number of each window lies gets the whole gradient of the window.
fn max_pool_backward(x: &Map, k: usize, dy: &Map) -> Map {
    let mut dx = Map::zeros(x.shape);
    for (c, row, column) in places(dy.shape) {
        let window = places([1, k, k]).map(|(_, i, j)| x.index(c, row * k + i, column * k + j));
        let largest = window.max_by(|a, b| x.values[*a].total_cmp(&x.values[*b]));
        dx.values[largest.expect("a window has pixels")] += dy.values[dy.index(c, row, column)];
    }
    dx
}

/// Every pixel of a window gets an equal share.
fn avg_pool_backward(shape: [usize; 3], k: usize, dy: &Map) -> Map {
    let mut dx = Map::zeros(shape);
    for (c, y, x) in places(shape) {
        let place = dx.index(c, y, x);
        dx.values[place] = dy.values[dy.index(c, y / k, x / k)] / (k * k) as f64;
    }
    dx
}
// ANCHOR_END: pooling

cnn! {
    struct Convolution: [2, 6, 6] -> [3, 4, 4] { conv(3, kernel = 3, bias = false); }
    struct MaxPool: [2, 6, 6] -> [2, 3, 3] { max_pool(2); }
    struct AvgPool: [2, 6, 6] -> [2, 3, 3] { avg_pool(2); }

    /// Not linear, so that finite differences are not exact.
    // So small that all can be written out.
    #[allow(narrow_receptive_field)]
    struct Bent: [2, 6, 6] -> [3, 2, 2] { conv(3, kernel = 3, bias = false); tanh; max_pool(2); }
}

type Net<'a> = &'a mut dyn AnyNetwork<f64, Cpu>;

/// The outputs of a network in double precision.
fn outputs(net: Net<'_>, x: &Map) -> Map {
    let dev = Cpu::default();
    let [c, h, w] = x.shape;
    let shape = net.graph().output_shape().chw();
    let image: Tensor<(usize, usize, usize, usize), f64, _> = dev.tensor_from_vec(x.values.clone(), (1, c, h, w));
    let y =
        convnet::net::forward(net, image, 1, (shape.iter().product::<usize>(),)).expect("there is memory for a map");
    Map { shape, values: y.as_vec() }
}

/// Half the sum of squares, whose gradient at an output is the output.
fn loss(net: Net<'_>, x: &Map) -> f64 {
    outputs(net, x).values.iter().map(|y| y * y / 2.0).sum()
}

// ANCHOR: differences
/// The slope of the loss along each pixel, by moving it a little both ways.
fn finite_differences(net: Net<'_>, x: &Map, step: f64) -> Vec<f64> {
    let moved = |i: usize, by: f64| {
        let mut moved = x.clone();
        moved.values[i] += by;
        moved
    };
    (0..x.values.len()).map(|i| (loss(net, &moved(i, step)) - loss(net, &moved(i, -step))) / (2.0 * step)).collect()
}
// ANCHOR_END: differences

/// The largest difference of two lists, as a share of the largest number of the second.
fn apart(a: &[f64], b: &[f64]) -> f64 {
    let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
    let difference = largest(&mut a.iter().zip(b).map(|(a, b)| (a - b).abs()));
    difference / largest(&mut b.iter().map(|b| b.abs()))
}

/// Two channels of 6x6 pixels of real digits.
fn image() -> Result<Map, Box<dyn std::error::Error>> {
    let digits = [digit(0)?, digit(18)?];
    let value =
        |(c, y, x): (usize, usize, usize)| f64::from(digits[c].at(0, 8 + 2 * y, 8 + 2 * x)) + 0.01 * (y * 6 + x) as f64;
    Ok(Map { shape: [2, 6, 6], values: places([2, 6, 6]).map(value).collect() })
}

pub fn gradients(page: &mut Page) -> Outcome {
    page.part("checked");
    let (dev, x) = (Cpu::seed_from_u64(1), image()?);
    let mut conv = dev.build_module::<Convolution, f64>();
    let weights = convnet::net::named_tensors::<f64, Cpu>(&conv)?.remove(0).values;
    let y = outputs(&mut conv, &x);
    let (dw, dx) = convolution_backward(&x, &weights, 3, &y);
    let slopes = finite_differences(&mut conv, &x, 1e-5);
    tell(page, "convolution, at the pixels", &dx.values, &slopes)?;
    tell(page, "convolution, at the weights", &dw, &weight_differences(&mut conv, &x, &weights))?;

    let mut max = dev.build_module::<MaxPool, f64>();
    let dx = max_pool_backward(&x, 2, &outputs(&mut max, &x));
    tell(page, "max_pool", &dx.values, &finite_differences(&mut max, &x, 1e-5))?;
    let touched = dx.values.iter().filter(|x| **x != 0.0).count();
    let mut avg = dev.build_module::<AvgPool, f64>();
    let dx = avg_pool_backward(x.shape, 2, &outputs(&mut avg, &x));
    tell(page, "avg_pool", &dx.values, &finite_differences(&mut avg, &x, 1e-5))?;
    writeln!(
        page,
        "pixels of {} with a gradient: max_pool {touched}, avg_pool {}",
        dx.values.len(),
        dx.values.iter().filter(|x| **x != 0.0).count()
    )?;
    step_sizes(page, &x)
}

fn tell(page: &mut Page, what: &str, written_out: &[f64], slopes: &[f64]) -> Outcome {
    let error = apart(written_out, slopes);
    assert!(error < 1e-8, "{what}: {error}");
    Ok(writeln!(page, "{what}: {} gradients, off by less than 1e-8 of the largest", slopes.len())?)
}

fn weight_differences(net: Net<'_>, x: &Map, weights: &[f64]) -> Vec<f64> {
    let step = 1e-5;
    let mut at = |i: usize, by: f64| {
        let mut moved = weights.to_vec();
        moved[i] += by;
        let name = net.graph().params[0].name.to_string();
        convnet::net::set_named_tensors(net, &[(name, moved)]);
        loss(net, x)
    };
    (0..weights.len()).map(|i| (at(i, step) - at(i, -step)) / (2.0 * step)).collect()
}

/// The error of finite differences for steps from large to tiny.
fn step_sizes(page: &mut Page, x: &Map) -> Outcome {
    page.part("steps");
    let dev = Cpu::seed_from_u64(1);
    let mut net = dev.build_module::<Bent, f64>();
    let dev_x: Tensor<Rank3<2, 6, 6>, f64, _> = dev.tensor(x.values.clone());
    let y = net.forward(dev_x.leaky_trace());
    let taken = (y.square().sum::<Rank0, _>() / 2.0).backward();
    let exact = taken.get(&dev_x).as_vec();
    let mut points = Vec::new();
    for exponent in 1..=12 {
        let error = apart(&finite_differences(&mut net, x, 10_f64.powi(-exponent)), &exact);
        points.push([f64::from(-exponent), error]);
    }
    let best = points.iter().fold([0.0, f64::INFINITY], |best, point| if point[1] < best[1] { *point } else { best });
    let error = |exponent: usize| points[exponent - 1][1];
    assert!(error(1) > 100.0 * best[1] && error(12) > 100.0 * best[1] && (-7.0..=-4.0).contains(&best[0]));
    writeln!(page, "the best step is between 1e-7 and 1e-4;\nsteps of 0.1 and of 1e-12 are more than 100 times worse")?;
    let chart = Chart {
        x: "step, as a power of ten",
        y: "largest error, as a share",
        log: true,
        series: vec![Series::new("finite differences against the backward pass", points)],
    };
    page.drawing("gradients-steps", &chart.svg())
}

fn main() -> Outcome {
    Page::show(gradients)
}
