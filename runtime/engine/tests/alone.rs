//! The crate alone: a packed network and one step of training, against the definition in double precision.

mod common;

use common::{EPS, MOMENTUM, SIZES, assert_close, by_hand, numbers, params, small, wide};
use convnet_engine::{Cache, EngineError, Isa, Mode, Options, Session, Weight};
use convnet_graph::{Graph, Subgraph};
use std::sync::Arc;

const BATCH: usize = 3;

fn image() -> usize {
    SIZES[0] * SIZES[2] * SIZES[3]
}

fn named(graph: &Graph) -> Vec<Weight<String, Vec<f32>>> {
    let weights = graph.params.iter().zip(params(graph));
    // In another order than the graph's.
    weights
        .rev()
        .map(|(known, numbers)| Weight { name: known.name.to_string(), shape: known.shape.to_vec(), numbers })
        .collect()
}

#[test]
fn a_packed_network_computes_what_its_definition_says() {
    let graph = Arc::new(small());
    let images = numbers(7 * image(), 99);
    let weights: Vec<Vec<f64>> = params(&graph).iter().map(|param| wide(param)).collect();
    let (expected, _) = by_hand(&weights, &wide(&images), false);
    for isa in Isa::available() {
        // Seven images are two whole passes and a smaller one.
        let options = Options { isa, ..Options::new(BATCH) };
        let mut session = Session::from_named(graph.clone(), named(&graph), options).unwrap();
        for _ in 0..2 {
            let mut found = vec![f32::NAN; expected.len()];
            session.run(&images, &mut found).unwrap();
            assert_close(&found, &expected, "output");
        }
    }
}

#[test]
fn weights_that_are_not_the_networks_are_errors() {
    let graph = Arc::new(small());
    let pack = |change: &dyn Fn(&mut Vec<Weight<String, Vec<f32>>>)| {
        let mut weights = named(&graph);
        change(&mut weights);
        Session::from_named(graph.clone(), weights, Options::new(1)).err()
    };
    assert_eq!(pack(&|_| {}), None);
    let name = || "linear.bias".to_string();
    assert_eq!(pack(&|weights| drop(weights.remove(0))), Some(EngineError::Missing { name: name() }));
    let strange = |weights: &mut Vec<Weight<_, _>>| weights[0].name = "lunar.bias".into();
    assert_eq!(pack(&strange), Some(EngineError::Unknown { name: "lunar.bias".into() }));
    assert_eq!(pack(&|weights| weights.push(weights[0].clone())), Some(EngineError::Twice { name: name() }));
    let (expected, found) = (vec![SIZES[4]], vec![1, SIZES[4]]);
    let shape = EngineError::Shape { name: name(), expected, found: found.clone() };
    assert_eq!(pack(&|weights| weights[0].shape = found.clone()), Some(shape));
    let length = EngineError::Length { name: name(), expected: SIZES[4], found: SIZES[4] - 1 };
    assert_eq!(pack(&|weights| weights[0].numbers.truncate(SIZES[4] - 1)), Some(length.clone()));
    assert_eq!(length.to_string(), "parameter `linear.bias` has 2 numbers; it must have 3");
    let few = Session::new(graph.clone(), params(&graph)[1..].to_vec(), Options::new(1)).err();
    assert_eq!(few, Some(EngineError::Count { expected: 7, found: 6 }));
}

#[test]
fn lengths_that_are_not_those_of_images_are_errors() {
    let graph = Arc::new(small());
    let mut session = Session::new(graph.clone(), params(&graph), Options::new(2)).unwrap();
    let (images, mut outputs) = (numbers(2 * image(), 1), vec![0.0; 2 * SIZES[4]]);
    session.run(&images, &mut outputs).unwrap();
    let partly = EngineError::Images { found: image() + 1, image: image() };
    assert_eq!(session.run(&images[..image() + 1], &mut outputs), Err(partly));
    let room = EngineError::Outputs { images: 1, expected: SIZES[4], found: 2 * SIZES[4] };
    assert_eq!(session.run(&images[..image()], &mut outputs), Err(room));
}

/// The sum of the outputs times `factors`, as a function of everything.
fn loss(params: &[Vec<f64>], images: &[f64], factors: &[f32]) -> f64 {
    let (outputs, _) = by_hand(params, images, true);
    outputs.iter().zip(factors).map(|(output, factor)| output * f64::from(*factor)).sum()
}

/// The derivative of `f` by each number of `at`, by finite differences.
fn derivative(at: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    const STEP: f64 = 1e-6;
    let beside = |i: usize, step: f64| {
        let mut beside = at.to_vec();
        beside[i] += step;
        f(&beside)
    };
    (0..at.len()).map(|i| (beside(i, STEP) - beside(i, -STEP)) / (2.0 * STEP)).collect()
}

#[test]
fn a_step_of_training_has_the_gradients_of_its_definition() {
    let graph = small();
    let (params, images) = (params(&graph), numbers(BATCH * image(), 5));
    let factors = numbers(BATCH * SIZES[4], 6);
    let weights: Vec<Vec<f64>> = params.iter().map(|param| wide(param)).collect();
    let pixels = wide(&images);
    let (expected, [mean, var]) = by_hand(&weights, &pixels, true);
    let slices: Vec<&[f32]> = params.iter().map(Vec::as_slice).collect();
    for isa in Isa::available() {
        let cache = Cache::default();
        // The second pass takes the plan and the memory that the first one has left.
        for input_grad in [true, false, true] {
            let mode = Mode { training: true, backward: true, input_grad, isa, ..Mode::default() };
            let mut pass = cache.pass(&graph, &Subgraph::whole(&graph, true), BATCH, mode, &[]).unwrap();
            pass.forward(&[&images], &slices);
            assert_close(pass.outputs().next().unwrap(), &expected, "output");
            let running = pass.running();
            assert_eq!(running.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [3, 4]);
            let count = (BATCH * SIZES[2] * SIZES[3]) as f64;
            let fold = |old: &f64, new: f64| (1.0 - MOMENTUM) * old + MOMENTUM * new;
            let means: Vec<f64> = weights[3].iter().zip(&mean).map(|(old, new)| fold(old, *new)).collect();
            let unbiased = |new: &f64| new * count / (count - 1.0);
            let vars: Vec<f64> = weights[4].iter().zip(&var).map(|(old, new)| fold(old, unbiased(new))).collect();
            assert_close(&running[0].1, &means, "running mean");
            assert_close(&running[1].1, &vars, "running variance");

            assert_eq!(pass.trained(), [0, 1, 2, 5, 6]);
            // Gradients are added to what is there.
            let mut gradients: Vec<Vec<f32>> = params.iter().map(|param| vec![0.5; param.len()]).collect();
            let mut lent: Vec<&mut [f32]> = gradients.iter_mut().map(Vec::as_mut_slice).collect();
            pass.backward(&[&factors], &slices, &mut lent);
            for index in pass.trained() {
                let by = |at: &[f64]| {
                    let mut weights = weights.clone();
                    weights[index] = at.to_vec();
                    loss(&weights, &pixels, &factors)
                };
                let expected: Vec<f64> = derivative(&weights[index], by).iter().map(|d| 0.5 + d).collect();
                assert_close(&gradients[index], &expected, &graph.params[index].name);
            }
            assert!([3, 4].iter().all(|buffer: &usize| gradients[*buffer].iter().all(|d| *d == 0.5)));
            match pass.input_gradient(0) {
                Some(found) => {
                    let expected = derivative(&pixels, |at| loss(&weights, at, &factors));
                    assert!(input_grad);
                    assert_close(found, &expected, "gradient of the input");
                }
                None => assert!(!input_grad),
            }
        }
    }
}

/// The test's own arithmetic, by one channel whose statistics can be seen at a glance.
#[test]
fn the_definition_normalises() {
    let mut weights: Vec<Vec<f64>> = params(&small()).iter().map(|param| wide(param)).collect();
    // The middle of the kernel over the first input alone: the convolution copies.
    weights[0].iter_mut().for_each(|x| *x = 0.0);
    weights[0][4] = 1.0;
    let pixels: Vec<f64> = (0..image()).map(|i| (i % 12) as f64).collect();
    let (_, [mean, var]) = by_hand(&weights, &pixels, true);
    assert!((mean[0] - 5.5).abs() < EPS && (var[0] - 143.0 / 12.0).abs() < EPS, "{mean:?} {var:?}");
    assert_eq!((mean[1], var[1]), (0.0, 0.0));
}
