//! The methods of `explain` on small networks, against what can be computed another way: finite differences, brute force, and
//! networks whose answers are known beforehand.

use convnet::data::{Images, Loader, LoaderOptions, Normalisation, Pipeline, Sampling, fit::Fit};
use convnet::explain::backprop::{Rule, reconstruct};
use convnet::explain::concepts::{Concept, Marked, detectors, dissect};
use convnet::explain::field::{effective, theoretical};
use convnet::explain::grid::Grid;
use convnet::explain::invariance::{Change, invariance, pooling};
use convnet::explain::neighbours::{Index, features_of};
use convnet::explain::occlusion::{Occlusion, occlusion};
use convnet::explain::saliency::{IntegrationPath, SmoothGrad, gradient, integrated_gradients, smooth_grad};
use convnet::explain::tcav::{Tcav, tcav};
use convnet::explain::{
    Explain, ExplainError, Inspectable, NetworkView, Place, Unit, Volume, cam, last_map, layer, responses,
};
use convnet::net::{Network, set_named_tensors};
use convnet::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

fn quiet(_: usize, _: usize) {}

fn noise(shape: [usize; 3], seed: u64) -> Volume {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Volume::new(shape, (0..shape.iter().product()).map(|_| rng.gen_range(-1.0..1.0)).collect())
}

/// Grey images as they are, from 0 to 1.
fn plain() -> Normalisation {
    Normalisation { mean: vec![0.0], std: vec![1.0] }
}

cnn! {
    /// Smooth, so that finite differences are near to gradients; branches and a module from outside.
    struct Inner: [4, 6, 6] -> [4, 6, 6] { mix: conv(4, kernel = 3, pad = 1); relu; }
    #[allow(bias_before_norm)]
    struct Mixed: [2, 12, 12] -> [5] {
        conv1: conv(4, kernel = 3, pad = 1); relu;
        max_pool(2);
        custom inner: Inner<E, D> -> [4, 6, 6];
        around: concat { left: { conv(3, kernel = 1); relu; } right: { max_pool(3, stride = 1, pad = 1); } };
        res: residual { conv(7, kernel = 3, pad = 1); batch_norm; };
        relu;
        flatten;
        fc: linear(5);
    }
    /// Every way in which a layer chooses pixels, and nothing that may hide one.
    #[allow(unread_pixels, narrow_receptive_field)]
    struct Ways: [1, 40, 36] -> [2, 12, 10] {
        a: conv(2, kernel = (5, 3), stride = 2, pad = (1, 2));
        b: avg_pool(3, stride = 2, pad = 1);
        c: conv(2, kernel = 3, dilation = 2, pad = 2);
        d: conv_transpose(2, kernel = 4, stride = 2, pad = 1);
        e: upsample(2);
        f: crop((2, 1, 3, 2));
        g: avg_pool(3, stride = 3);
        output: adaptive_avg_pool(12, 10);
    }
}

/// The slope of a unit along a pixel, by finite differences.
fn slope(view: &dyn Inspectable, unit: Unit, image: &Volume, pixel: usize, step: f32) -> f64 {
    let value = |by: f32| {
        let mut moved = image.clone();
        moved.values[pixel] += by;
        f64::from(unit.values(view.graph(), &view.values(&[(0, &moved.values)], &[unit.node]).unwrap()[0])[0])
    };
    (value(step) - value(-step)) / (2.0 * f64::from(step))
}

#[test]
fn gradients_are_finite_differences() {
    let dev = Cpu::seed_from_u64(1);
    let net = dev.build_module::<Mixed, f32>();
    let (view, graph, image) = (NetworkView::new(&net, &dev), Mixed::graph(), noise([2, 12, 12], 2));
    let around = layer(graph, "around").unwrap_or_else(|_| last_map(graph).unwrap());
    let region = Unit::new(graph, around, 1, Place::Region).unwrap();
    for unit in [Unit::class(graph, 3).unwrap(), Unit::new(graph, around, 2, Place::At([1, 4])).unwrap(), region] {
        let map = gradient(&*view, unit, &image).unwrap();
        let largest = map.values.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let near = |pixel: &usize| {
            let found = slope(&*view, unit, &image, *pixel, 4e-4);
            (found - f64::from(map.values[*pixel])).abs() < 0.02 * f64::from(largest)
        };
        // A rectifier or a pool may change its mind within the step, but seldom does.
        let pixels: Vec<usize> = (0..288).step_by(3).collect();
        let count = pixels.iter().filter(|pixel| near(pixel)).count();
        assert!(count > pixels.len() * 9 / 10, "{count} of {}", pixels.len());
    }
}

/// A map has two channels here. The first channel has the larger value at three pixels, and the second channel has it at all other pixels. So the
/// region of each channel is known, and the value of the unit is the mean of the channel over it.
#[test]
fn a_region_is_where_a_channel_wins() {
    let graph = Mixed::graph();
    let node =
        graph.nodes.iter().position(|node| node.shape.chw()[0] == 2 && node.shape.chw()[1] * node.shape.chw()[2] > 4);
    let node = node.unwrap();
    let plane = graph.nodes[node].shape.len() / 2;
    let mut maps = vec![0.0; 2 * plane];
    (maps[0], maps[1], maps[plane - 1]) = (1.0, 3.0, 5.0);
    let wins: Vec<f32> = (0..plane).map(|at| if [0, 1, plane - 1].contains(&at) { 0.0 } else { 0.5 }).collect();
    maps[plane..].copy_from_slice(&wins);
    let unit = |channel| Unit::new(graph, node, channel, Place::Region).unwrap();
    // The shares of a mean are rounded.
    for (channel, mean) in [(0, 3.0), (1, 0.5)] {
        assert!((unit(channel).values(graph, &maps)[0] - mean).abs() < 1e-6, "{channel}");
    }
    // A channel that wins nowhere is asked about where it is strongest.
    maps[plane..].fill(-1.0);
    maps[plane + 2] = -0.5;
    assert_eq!(unit(1).values(graph, &maps), [-0.5]);
}

#[test]
fn walking_back_layer_by_layer_is_the_gradient_where_no_signal_is_negative() {
    // With weights that are not negative, no rectifier has anything to do on the way back, custom modules and branches included.
    let dev = Cpu::seed_from_u64(3);
    let mut net = dev.build_module::<Mixed, f32>();
    let positive: Vec<(String, Vec<f32>)> = convnet::net::named_tensors(&net)
        .unwrap()
        .into_iter()
        .map(|tensor| (tensor.name, tensor.values.iter().map(|x| x.abs() + 0.01).collect()))
        .collect();
    set_named_tensors(&mut net, &positive);
    let (view, graph) = (NetworkView::new(&net, &dev), Mixed::graph());
    let image = Volume::new([2, 12, 12], noise([2, 12, 12], 4).values.iter().map(|x| x.abs()).collect());
    let unit = Unit::class(graph, 1).unwrap();
    let expected = gradient(&*view, unit, &image).unwrap();
    for rule in [Rule::Guided, Rule::Deconvnet] {
        let found = reconstruct(&*view, unit, &image, rule).unwrap();
        let apart = found.zip(&expected, |a, b| (a - b).abs()).range()[1];
        assert!(apart < 1e-4 * expected.range()[1], "{rule:?}: {apart}");
    }
}

#[test]
fn smoothing_and_adding_up_follow_their_definitions() {
    let dev = Cpu::seed_from_u64(5);
    let net = dev.build_module::<Mixed, f32>();
    let (view, graph, image) = (NetworkView::new(&net, &dev), Mixed::graph(), noise([2, 12, 12], 6));
    let unit = Unit::class(graph, 0).unwrap();
    let still = smooth_grad(&*view, unit, &image, SmoothGrad { samples: 3, noise: 0.0, seed: 1 }, &mut quiet).unwrap();
    assert!(still.zip(&gradient(&*view, unit, &image).unwrap(), |a, b| (a - b).abs()).range()[1] < 1e-6);
    let drawn =
        |seed| smooth_grad(&*view, unit, &image, SmoothGrad { seed, ..SmoothGrad::default() }, &mut quiet).unwrap();
    assert!(drawn(1) == drawn(1) && drawn(1) != drawn(2));
    let zero = Volume::filled([2, 12, 12], 0.0);
    let found = integrated_gradients(&*view, unit, &image, &zero, IntegrationPath::default(), &mut quiet).unwrap();
    assert!(found.gap() < 0.01, "{} after {} steps", found.gap(), found.steps);
    assert!((found.map.sum() - found.difference).abs() < 0.01 * found.difference.abs());
}

#[test]
fn occlusion_is_what_hiding_by_hand_gives() {
    let dev = Cpu::seed_from_u64(7);
    let net = dev.build_module::<Mixed, f32>();
    let (view, graph, image) = (NetworkView::new(&net, &dev), Mixed::graph(), noise([2, 12, 12], 8));
    let unit = Unit::class(graph, 2).unwrap();
    let options = Occlusion { patch: 5, stride: 3, cover: vec![0.5, -0.5] };
    let mut told = Vec::new();
    let map = occlusion(&*view, unit, &image, &options, &mut |done, total| told.push((done, total))).unwrap();
    let value = |image: &Volume| view.values(&[(0, &image.values)], &[graph.output()]).unwrap()[0][2];
    // Squares begin at 0, 3, 6 and, moved in, at 7.
    let mut falls = vec![Vec::new(); 144];
    for (top, left) in [0, 3, 6, 7].into_iter().flat_map(|top| [0, 3, 6, 7].map(|left| (top, left))) {
        let mut hidden = image.clone();
        let pixels: Vec<usize> = (top..top + 5).flat_map(|y| (left..left + 5).map(move |x| y * 12 + x)).collect();
        pixels.iter().for_each(|i| (hidden.values[*i], hidden.values[144 + i]) = (0.5, -0.5));
        let fall = value(&image) - value(&hidden);
        pixels.iter().for_each(|i| falls[*i].push(fall));
    }
    for (found, falls) in map.values.iter().zip(falls) {
        assert!((found - falls.iter().sum::<f32>() / falls.len() as f32).abs() < 1e-4);
    }
    assert_eq!(told.last(), Some(&(16, 16)));
}

#[test]
fn receptive_fields_are_where_gradients_are() {
    let dev = Cpu::seed_from_u64(9);
    let net = dev.build_module::<Ways, f32>();
    let (view, graph, image) = (NetworkView::new(&net, &dev), Ways::graph(), noise([1, 40, 36], 10));
    for node in 1..graph.nodes.len() {
        let [_, height, width] = graph.nodes[node].shape.chw();
        for at in [[0, 0], [height / 2, width / 2], [height - 1, width - 1], [height / 3, width - 1]] {
            let field = theoretical(graph, node, at);
            let unit = Unit::new(graph, node, 0, Place::At(at)).unwrap();
            let map = gradient(&*view, unit, &image).unwrap();
            let touched: Vec<[usize; 2]> =
                (0..40 * 36).filter(|i| map.values[*i] != 0.0).map(|i| [i / 36, i % 36]).collect();
            let range = |d: usize| {
                let along = || touched.iter().map(|place| place[d]);
                [along().min().unwrap_or(0), along().max().map_or(0, |last| last + 1)]
            };
            let name = &*graph.nodes[node].name;
            assert_eq!([field.rows, field.columns], [range(0), range(1)], "`{name}` at {at:?}");
        }
    }
    let found = effective(&*view, 1, 0, [3, 3], &[image], &mut quiet).unwrap();
    // No more than if all pixels of the window counted alike: four standard deviations of 5 and of 3.
    assert!(found.size[0] < 5.66 && found.size[1] < 3.27, "{:?}", found.size);
}

cnn! {
    /// Two channels that are told what to see: bright ground, and dark.
    struct Eyes: [1, 8, 8] -> [2] { eyes: conv(2, kernel = 1); act: relu; global_avg_pool; fc: linear(2); }
}

/// A network whose first channel sees brightness and whose second sees darkness; each class is one of them.
fn eyes(dev: &Cpu) -> Eyes<f32, Cpu> {
    let mut net = dev.build_module::<Eyes, f32>();
    let set = [
        ("eyes.weight", vec![1.0, -1.0]),
        ("eyes.bias", vec![0.0, 1.0]),
        ("fc.weight", vec![1.0, 0.0, 0.0, 1.0]),
        ("fc.bias", vec![0.0, 0.0]),
    ];
    set_named_tensors(&mut net, &set.map(|(name, values)| (name.to_string(), values)));
    net
}

/// An image with a bright square, and which pixels it covers; around it, all is middling.
fn square(at: [usize; 2], inside: f32, seed: u64) -> (Volume, Vec<bool>) {
    let mask: Vec<bool> =
        (0..64).map(|i| (at[0]..at[0] + 2).contains(&(i / 8)) && (at[1]..at[1] + 1).contains(&(i % 8))).collect();
    let around = noise([1, 8, 8], seed);
    let values = around.values.iter().zip(&mask).map(|(x, on)| if *on { inside } else { 0.5 + 0.1 * x }).collect();
    (Volume::new([1, 8, 8], values), mask)
}

#[test]
fn channels_are_told_by_what_they_see() {
    let dev = Cpu::default();
    let net = eyes(&dev);
    let view = NetworkView::new(&net, &dev);
    let concept = |name: &str, inside: f32| Concept {
        name: name.into(),
        images: (0..100)
            .map(|i| square([i % 6, i % 7], inside, i as u64))
            .map(|(image, mask)| Marked { image, mask: Some(mask) })
            .collect(),
    };
    let concepts = [concept("bright", 1.0), concept("dark", 0.0)];
    let act = layer(Eyes::graph(), "act").unwrap();
    let scores = dissect(&*view, act, &concepts, &mut quiet).unwrap();
    let best = detectors(&scores, 1).unwrap();
    assert_eq!((best[0][0].channel, best[1][0].channel), (0, 1));
    assert!(best.iter().all(|best| best[0].auc == 1.0 && best[0].iou.unwrap() > 0.2), "{best:?}");
    assert!(scores[0][1].auc == 0.0 && scores[0][1].iou == Some(0.0), "{scores:?}");
    // A class leans on what its channel sees, and away from the other; on what nobody sees, no more than chance.
    let images =
        |inside: f32, seed: u64| (0..30).map(|i| square([2, 3 + i % 2], inside, seed + i as u64).0).collect::<Vec<_>>();
    let (bright, dark, others) = (images(9.0, 0), images(-9.0, 50), images(0.5, 100));
    let mut others = [others, images(0.45, 200), images(0.55, 300)].concat();
    others.rotate_left(7);
    let unit = Unit::class(Eyes::graph(), 0).unwrap();
    let test =
        |concept: &[Volume]| tcav(&*view, act, unit, [concept, &others, &bright], Tcav::default(), &mut quiet).unwrap();
    let (on, away) = (test(&bright), test(&dark));
    assert!(on.score() == 1.0 && on.p < 1e-3 && on.accuracy > 0.95, "{on:?}");
    assert!(away.score() < 0.5 && away.accuracy > 0.95, "{away:?}");
}

#[test]
fn cams_show_where_the_channels_of_a_class_are_bright() {
    let dev = Cpu::default();
    let net = eyes(&dev);
    let (view, (image, _)) = (NetworkView::new(&net, &dev), square([2, 3], 3.0, 1));
    let act = layer(Eyes::graph(), "act").unwrap();
    let unit = Unit::class(Eyes::graph(), 0).unwrap();
    let map = cam::grad_cam(&*view, act, unit, &image).unwrap();
    // The class is the mean of the first channel, so its weight is 1/64 everywhere.
    let expected = image.values.iter().map(|x| (x / 64.0).max(0.0));
    // The mean over places of a gradient of 1/64 at each.
    assert!(map.values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6));
    assert!(matches!(cam::grad_cam(&*view, 4, unit, &image), Err(ExplainError::Method { .. })));
    assert!(matches!(
        cam::grad_cam(&*view, act, Unit::new(Eyes::graph(), 1, 0, Place::Strongest).unwrap(), &image),
        Err(ExplainError::Method { .. })
    ));
}

#[test]
fn what_comes_after_global_pooling_does_not_see_a_shift() {
    let dev = Cpu::default();
    let net = eyes(&dev);
    let view = NetworkView::new(&net, &dev);
    // A bright dot on black: however it is moved, the mean is the same.
    let mut image = Volume::filled([1, 8, 8], 0.0);
    image.values[3 * 8 + 2] = 1.0;
    let nodes = pooling(Eyes::graph());
    let found = invariance(&*view, &nodes, &[image], &plain(), Change::Shift, &[0.0, 1.0, 3.0], &mut quiet).unwrap();
    assert_eq!(
        found.iter().map(|response| &*Eyes::graph().nodes[response.node].name).collect::<Vec<_>>(),
        ["act", "2"]
    );
    assert!(found[0].changes[0] == 0.0 && found[0].changes[1] > 0.1, "{found:?}");
    assert!(found[1].changes.iter().all(|change| *change < 1e-6), "{found:?}");
}

cnn! {
    /// One filter in four directions, and the strongest of them.
    struct Turned: [1, 9, 9] -> [1] {
        four: conv(4, kernel = 3, pad = 1, bias = false); relu;
        one: channel_max_pool(4);
        most: global_max_pool;
    }
}

#[test]
fn pooling_over_turned_filters_does_not_see_a_turn() {
    let dev = Cpu::default();
    let mut net = dev.build_module::<Turned, f32>();
    let mut filter = vec![1.0, 2.0, 3.0, -1.0, 0.5, 4.0, 0.0, -2.0, 1.5];
    let mut all = Vec::new();
    for _ in 0..4 {
        all.extend(&filter);
        filter = (0..9).map(|i| filter[(2 - i % 3) * 3 + i / 3]).collect();
    }
    set_named_tensors(&mut net, &[("four.weight".to_string(), all)]);
    let image = Volume::new([1, 9, 9], noise([1, 9, 9], 11).values.iter().map(|x| x.abs()).collect());
    let view = NetworkView::new(&net, &dev);
    let nodes = pooling(Turned::graph());
    let turns = [0.0, 90.0, 180.0, 270.0];
    let found = invariance(&*view, &nodes, &[image], &plain(), Change::Turn, &turns, &mut quiet).unwrap();
    let of = |name: &str| {
        let node = layer(Turned::graph(), name).unwrap();
        found.iter().find(|response| response.node == node).unwrap().changes.clone()
    };
    // Turned by a quarter, the filters change places, and so do the pixels of the strongest one; what is strongest of all stays.
    assert!(of("1")[1..].iter().chain(&of("one")[1..]).all(|change| *change > 0.2), "{found:?}");
    assert!(of("most").iter().all(|change| *change < 1e-5), "{found:?}");
}

fn squares() -> Loader {
    // Eight images with one bright row each; class 0 if it is in the upper half.
    let pixels: Vec<u8> = (0..8).flat_map(|row| (0..64).map(move |i| if i / 8 == row { 255 } else { 0 })).collect();
    let labels = (0..8).map(|row| u8::from(row > 3)).collect();
    let data = Images { shape: [1, 8, 8], pixels, labels, classes: vec!["up".into(), "down".into()] };
    let options = LoaderOptions { batch: 3, sampling: Sampling::InOrder, ..LoaderOptions::default() };
    Loader::new(Arc::new(data), Pipeline::plain([1, 8, 8], Fit::default(), plain()), options)
}

#[test]
fn datasets_are_searched_as_by_hand() {
    let dev = Cpu::default();
    let net = eyes(&dev);
    let (view, loader) = (NetworkView::new(&net, &dev), squares());
    let sparsity = responses::sparsity(&*view, &loader, &mut quiet).unwrap();
    // Of brightness seven eighths are zero, of darkness one eighth.
    assert!((sparsity[0].zeros - 0.5).abs() < 1e-12 && sparsity[0].dead == 0.0, "{sparsity:?}");
    let index = Index::new(&*view, 0, &loader, &mut quiet).unwrap();
    let mut query = Volume::filled([1, 8, 8], 0.0);
    query.values[24..32].fill(1.0);
    let near = index.nearest(&features_of(&*view, 0, &query).unwrap(), 3, None);
    assert_eq!((near[0].index, near[0].distance, near[0].label), (3, 0.0, 0));
    assert!((near[1].distance - 4.0).abs() < 1e-6 && near.len() == 3);
    // All rows are equally far apart, so the first ones are taken: of class 0 those of image 0 are, of class 1 none.
    assert!((index.agreement(3, 8) - 0.5).abs() < 1e-12, "{}", index.agreement(3, 8));
    let drivers = responses::strongest_inputs(&*view, 1, &loader, 2, &mut quiet).unwrap();
    assert_eq!(drivers.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    assert_eq!((drivers[0][0].value, drivers[0][0].patch.values.as_slice()), (1.0, &[1.0][..]));
}

#[test]
fn mistakes_are_told_in_words() {
    let dev = Cpu::default();
    let net = eyes(&dev);
    let (view, graph) = (NetworkView::new(&net, &dev), Eyes::graph());
    let text = |error: ExplainError| error.to_string();
    let error = text(layer(graph, "eye").unwrap_err());
    assert!(error.contains("no layer `eye` (did you mean `eyes`?)") && error.contains("act, 2, fc"), "{error}");
    let error = text(Unit::new(graph, 1, 2, Place::Everywhere).unwrap_err());
    assert!(error.contains("channel 2 of `eyes`") && error.contains("0 to 1"), "{error}");
    let error = text(Unit::new(graph, 1, 0, Place::At([3, 8])).unwrap_err());
    assert!(error.contains("column 8 of `eyes`") && error.contains("0 to 7"), "{error}");
    let error = text(Unit::class(graph, 7).unwrap_err());
    assert!(error.contains("channel 7 of `fc`"), "{error}");
    let unit = Unit::class(graph, 0).unwrap();
    let error = text(gradient(&*view, unit, &Volume::filled([1, 7, 8], 0.0)).unwrap_err());
    assert!(error.contains("[1, 8, 8]") && error.contains("[1, 7, 8]"), "{error}");
    let image = Volume::filled([1, 8, 8], 0.3);
    let error = text(reconstruct(&*view, unit, &image, Rule::Deconvnet).unwrap_err());
    assert!(error.contains("max-pools") && error.contains("guided"), "{error}");
    let error = text(responses::filters(&*view, layer(graph, "fc").unwrap()).unwrap_err());
    assert!(error.contains("`fc` is a linear") && error.contains("try eyes"), "{error}");
    let broken = Volume::filled([1, 8, 8], f32::NAN);
    assert!(text(gradient(&*view, unit, &broken).unwrap_err()).contains("no finite numbers"));
    let large = Occlusion { patch: 9, stride: 1, cover: vec![0.0] };
    assert!(text(occlusion(&*view, unit, &image, &large, &mut quiet).unwrap_err()).contains("fit into the image"));
    let none = dissect(&*view, 1, &[], &mut quiet).unwrap_err();
    assert!(text(none).contains("at least two concepts"));
}

#[test]
fn typed_methods_are_those_without_types() {
    let dev = Cpu::default();
    let net = eyes(&dev);
    let (volume, _) = square([1, 1], 2.0, 3);
    let image: Tensor<Rank3<1, 8, 8>, f32, Cpu> = dev.tensor_from_vec(volume.values.clone(), (Const, Const, Const));
    let (taps, view) = (Eyes::taps(), NetworkView::new(&net, &dev));
    let unit = Unit::class(Eyes::graph(), 1).unwrap();
    let map: Tensor<Rank3<1, 8, 8>, f32, Cpu> = net.gradient(taps.fc, 1, Place::Everywhere, &image).unwrap();
    assert_eq!(map.as_vec(), gradient(&*view, unit, &volume).unwrap().values);
    let values: Tensor<Rank3<2, 8, 8>, f32, Cpu> = net.activation(taps.eyes, &image).unwrap();
    assert_eq!(values.as_vec(), net.forward_to(taps.eyes, image.reshape::<Rank4<1, 1, 8, 8>>()).as_vec());
    let heat: Tensor<Rank3<1, 8, 8>, f32, Cpu> = {
        let image = dev.tensor_from_vec(volume.values.clone(), Rank3::<1, 8, 8>::default());
        net.grad_cam(taps.act, taps.fc, 0, &image).unwrap()
    };
    assert!(heat.as_vec().iter().all(|x| *x >= 0.0));
    assert!(<Eyes<f32, Cpu> as Network<f32, Cpu>>::GRAPH.name == "Eyes");
}

cnn! {
    /// Nothing is padded, as in LeNet-5's second convolution: the first centre lies inside the image.
    struct Bare: [1, 30, 28] -> [2, 4, 3] {
        a: conv(2, kernel = 5);
        b: max_pool(2);
        c: conv(2, kernel = (3, 5), stride = (2, 1));
        d: residual { conv(2, kernel = 3, dilation = 2, pad = 2); };
        e: avg_pool((3, 4), stride = (1, 2));
    }
    /// As residual networks begin: the first centre is the first pixel.
    #[allow(narrow_receptive_field)]
    struct Padded: [1, 32, 32] -> [1, 4, 4] {
        a: conv(1, kernel = 7, stride = 2, pad = 3);
        b: max_pool(3, stride = 2, pad = 1);
        c: residual { conv(1, kernel = 3, stride = 2, pad = 1); } shortcut { conv(1, kernel = 1, stride = 2); };
    }
}

#[test]
fn cells_are_centred_in_what_they_see() {
    // By hand: conv 5 moves the first centre by 2, the pool by 0.5, conv 3x5 by 2 * (1, 2), the last pool by 4 * 1 and 2 * 1.5.
    let node = |graph: &convnet::graph::Graph, name: &str| layer(graph, name).unwrap();
    let grid = Grid::new(Bare::graph(), node(Bare::graph(), "e"));
    assert_eq!(grid.centres, [vec![8.5, 12.5, 16.5, 20.5], vec![9.5, 13.5, 17.5]]);
    let grid = Grid::new(Padded::graph(), Padded::graph().output());
    assert_eq!(grid.centres, [vec![0.0, 8.0, 16.0, 24.0], vec![0.0, 8.0, 16.0, 24.0]]);
    // And by the geometry of fields, wherever these are not cut off by an edge: all ways to choose pixels, some of which see by turns one
    // pixel more on this side or that.
    for (graph, tolerance) in [(Bare::graph(), 0.0), (Padded::graph(), 0.0), (Ways::graph(), 2.0)] {
        let mut compared = 0;
        for id in 1..graph.nodes.len() {
            let [_, height, width] = graph.nodes[id].shape.chw();
            let grid = Grid::new(graph, id);
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                let field = theoretical(graph, id, [y, x]);
                for (d, i, [first, end]) in [(0, y, field.rows), (1, x, field.columns)] {
                    if first > 0 && end < grid.image[d] {
                        let middle = (first + end - 1) as f64 / 2.0;
                        let off = (grid.centres[d][i] - middle).abs();
                        assert!(off <= tolerance, "{} {y} {x}: {middle} {:?}", graph.nodes[id].name, grid.centres[d]);
                        compared += 1;
                    }
                }
            }
        }
        assert!(compared > 100, "{compared}");
    }
}

#[test]
fn a_hot_cell_is_painted_at_its_centre() {
    for (graph, name) in [(Bare::graph(), "e"), (Bare::graph(), "c"), (Padded::graph(), "b"), (Ways::graph(), "c")] {
        let id = layer(graph, name).unwrap();
        let [_, height, width] = graph.nodes[id].shape.chw();
        let grid = Grid::new(graph, id);
        for (y, x) in (1..height - 1).flat_map(|y| (1..width - 1).map(move |x| (y, x))) {
            let mut map = Volume::filled([1, height, width], 0.0);
            map.values[y * width + x] = 1.0;
            let painted = grid.spread(&map);
            assert_eq!(painted.shape[1..], grid.image);
            // Its centre of mass, since a centre may lie between two pixels.
            let mass = |place: &dyn Fn(usize) -> usize| {
                let each = painted.values.iter().enumerate().map(|(i, value)| f64::from(*value) * place(i) as f64);
                each.sum::<f64>() / painted.sum()
            };
            let (row, column) = (mass(&|i| i / grid.image[1]), mass(&|i| i % grid.image[1]));
            let off = (row - grid.centres[0][y]).abs().max((column - grid.centres[1][x]).abs());
            assert!(
                off < 1e-3,
                "{name} {y} {x}: painted at {row} {column}, not {:?}",
                [grid.centres[0][y], grid.centres[1][x]]
            );
        }
    }
}
