//! Networks with several outputs: their types, their values and gradients, inference, training by an objective of one's own, and what is refused.
#![deny(warnings)]

mod common;

use common::{loss_weights, numbers, random};
use convnet::data::{DataError, Dataset, Image, Preparation, Split, Target, TargetKind};
use convnet::engine;
use convnet::graph::{Graph, Subgraph};
use convnet::net::{DynNetwork, Job, Map, Outcome, Pass, Recording};
use convnet::objective::{Metric, Objective};
use convnet::predict::Predictor;
use convnet::prelude::*;
use convnet::train::{Config, TrainError, Trainer, evaluate};
use convnet::weights;
use std::sync::Arc;

cnn! {
    /// Two levels of a feature pyramid, what is in the image, and a head for training.
    pub struct Pyramid: [3, 8, 8] -> [4, 4, 4] {
        conv(6, kernel = 3, stride = 2, pad = 1, bias = false); batch_norm; relu;
        residual {
            conv(8, kernel = 3, stride = 2, pad = 1); relu;
            inner: conv(4, kernel = 1);
            output p3: [4, 2, 2] = conv(4, kernel = 3, pad = 1);
            upsample(2);
        } shortcut {
            lateral: conv(4, kernel = 1);
        }
        output objects: [5] { global_avg_pool; flatten; linear(5); }
        head deep: [10] { flatten; linear(10); }
        p2: conv(4, kernel = 3, pad = 1);
    }
}

type Logits<const N: usize> = Tensor<Rank2<2, N>, f32, Cpu>;
type Level<const SIDE: usize> = Tensor<Rank4<2, 4, SIDE, SIDE>, f32, Cpu>;

#[test]
fn forward_gives_a_tuple() {
    let dev = Cpu::seed_from_u64(1);
    let mut net = dev.build_module::<Pyramid, f32>();
    let images: Tensor<Rank4<2, 3, 8, 8>, f32, Cpu> = dev.sample_normal();
    let (p2, p3, objects): (Level<4>, Level<2>, Logits<5>) = net.forward(images.clone());
    let one: (Tensor<Rank3<4, 4, 4>, f32, Cpu>, Tensor<Rank3<4, 2, 2>, f32, Cpu>, Tensor<Rank1<5>, f32, Cpu>) =
        net.forward(images.clone().select(dev.tensor(1)));
    assert!(close(&p2.as_vec()[64..], &one.0.as_vec()) && close(&objects.as_vec()[5..], &one.2.as_vec()));
    // A tap gives the same.
    let tapped = net.forward_to(Pyramid::taps().p3, images.clone());
    assert!(close(&p3.as_vec(), &tapped.as_vec()));
    // Training gives the head behind them; the first one carries the tape.
    let (trained, _, _, deep) = net.forward_mut(images.leaky_trace());
    let _: &Rank2<2, 10> = deep.shape();
    let grads = (trained.square().sum::<Rank0, _>() + deep.square().sum::<Rank0, _>()).backward();
    assert!(grads.get(&net.deep.1.weight).as_vec().iter().any(|g| *g != 0.0));
    assert!(Pyramid::graph().summary().to_string().contains("gives output [4, 4, 4], p3 [4, 2, 2], objects [5]"));
}

#[test]
fn a_predictor_gives_all_outputs_of_an_image_together() {
    let dev = Cpu::seed_from_u64(2);
    let net = dev.build_module::<Pyramid, f32>();
    let images: Tensor<Rank4<2, 3, 8, 8>, f32, Cpu> = dev.sample_normal();
    let (p2, p3, objects): (Level<4>, Level<2>, Logits<5>) = net.forward(images.clone());
    for batch in [1, 2, 3] {
        let predictor = Predictor::new(&net, batch).unwrap();
        assert_eq!(predictor.output_len(), 64 + 16 + 5);
        let mut found = vec![f32::NAN; 2 * 85];
        predictor.predict(&images.as_vec(), &mut found).unwrap();
        for (image, row) in found.chunks_exact(85).enumerate() {
            assert!(close(&row[..64], &p2.as_vec()[image * 64..][..64]));
            assert!(close(&row[64..80], &p3.as_vec()[image * 16..][..16]));
            assert!(close(&row[80..], &objects.as_vec()[image * 5..][..5]));
        }
    }
}

fn close(found: &[f32], expected: &[f32]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5)
}

const PASS: Pass = Pass { training: true, dropout: None, input_grad: true };

/// The sum of all outputs and heads, each number times one of its own, with the gradient in each parameter and in the input.
fn differentiated<E: convnet::net::Real>(
    graph: &Graph,
    (params, x): (&[Map<E, Cpu>], &Map<E, Cpu>),
    executor: impl Fn(Job<'_, E, Cpu>, Recording<E, Cpu>) -> Result<Outcome<E, Cpu>, CpuError>,
) -> (f64, Vec<Vec<f64>>)
where
    Cpu: Device<E>,
{
    let (given, tape) = x.clone().traced(Gradients::leaky()).split_tape();
    let part = Subgraph::whole(graph, true);
    let job = Job { graph, part: &part, params: params.to_vec(), inputs: vec![given], pass: PASS, fixed: &[] };
    let outcome = executor(job, Some(tape)).unwrap().taped::<OwnedTape<E, Cpu>>();
    assert_eq!(outcome.outputs.len(), 4);
    let mut tape = outcome.tape;
    let sums = outcome.outputs.iter().map(|output| {
        let output = output.clone().put_tape(std::mem::take(&mut tape));
        let shape = *output.shape();
        let weights = output.device().tensor_from_vec(loss_weights(shape.num_elements()), shape);
        (output * weights).sum::<Rank0, _>()
    });
    let sum = sums.reduce(|a, b| a + b).unwrap();
    let value = sum.as_vec()[0].to_f64().unwrap();
    let mut grads = sum.backward();
    let all = graph.params.iter().zip(params).filter(|(param, _)| param.trainable).map(|(_, tensor)| tensor);
    let gradients = all.chain([x]).map(|tensor| {
        grads.try_alloc_for(tensor).unwrap();
        numbers(&grads.get(tensor).as_vec())
    });
    (value, gradients.collect())
}

#[test]
fn gradients_of_all_outputs_come_together() {
    let graph = Pyramid::graph();
    let (params, x) = random::<f64>(graph, 2, 5);
    let portable = |params: &[Map<f64, Cpu>], x: &Map<f64, Cpu>| {
        differentiated(graph, (params, x), |job, tape| convnet::portable::run(job, None, tape))
    };
    let (_, expected) = portable(&params, &x);
    // `portable` against finite differences: some numbers of each tensor.
    let trained: Vec<usize> = (0..graph.params.len()).filter(|i| graph.params[*i].trainable).collect();
    let dev = Cpu::default();
    let moved = |tensor: &Map<f64, Cpu>, at: usize, by: f64| {
        let mut values = tensor.as_vec();
        values[at] += by;
        dev.tensor_from_vec(values, *tensor.shape())
    };
    for (place, gradient) in expected.iter().enumerate() {
        for at in (0..gradient.len()).step_by(gradient.len() / 7 + 1) {
            let at_distance = |by: f64| match trained.get(place) {
                Some(param) => {
                    let mut params = params.clone();
                    params[*param] = moved(&params[*param], at, by);
                    portable(&params, &x).0
                }
                None => portable(&params, &moved(&x, at, by)).0,
            };
            let slope = (at_distance(1e-5) - at_distance(-1e-5)) / 2e-5;
            assert!((slope - gradient[at]).abs() < 1e-6, "tensor {place}, number {at}: {slope}, {}", gradient[at]);
        }
    }
    // The engine against `portable`.
    let single = |tensor: &Map<f64, Cpu>| -> Map<f32, Cpu> {
        dev.tensor_from_vec(tensor.as_vec().iter().map(|x| *x as f32).collect(), *tensor.shape())
    };
    let narrow: Vec<Map<f32, Cpu>> = params.iter().map(single).collect();
    let cache = engine::Cache::default();
    let (_, found) = differentiated(graph, (&narrow, &single(&x)), |job, tape| engine::run(job, &cache, tape));
    for (found, expected) in found.iter().zip(&expected) {
        let largest = expected.iter().fold(1e-3_f64, |max, x| max.max(x.abs()));
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5 * largest), "{found:?}\n{expected:?}");
    }
}

const SIDE: usize = 12;

/// A bright square, small or large, at a place that follows from the image's number.
struct Squares(usize);

impl Dataset for Squares {
    fn len(&self) -> usize {
        self.0
    }

    fn classes(&self) -> &[String] {
        static NAMES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
        NAMES.get_or_init(|| ["is large", "top"].map(String::from).to_vec())
    }

    fn label(&self, i: usize) -> usize {
        i % 2
    }

    fn image(&self, i: usize) -> Result<Image<'_>, DataError> {
        let (side, top, left) = (3 + i % 2 * 3, i * 5 % 7, i * 7 / 3 % 7);
        let inside = |at: usize| (top..top + side).contains(&(at / SIDE)) && (left..left + side).contains(&(at % SIDE));
        let pixels: Vec<u8> =
            (0..SIDE * SIDE).map(|at| if inside(at) { 200 } else { 20 + (at * 31 + i) as u8 % 20 }).collect();
        Ok(Image { shape: [1, SIDE, SIDE], pixels: pixels.into() })
    }

    fn in_memory(&self) -> bool {
        true
    }

    fn target_kind(&self) -> TargetKind {
        TargetKind::Numbers
    }

    fn target(&self, i: usize) -> Result<Target<'_>, DataError> {
        Ok(Target::Numbers(vec![(i % 2) as f32, (i * 5 % 7) as f32 / 7.0].into()))
    }
}

cnn! {
    /// Two tasks on one trunk: which kind of square, and where.
    struct Both: [1, 12, 12] -> [2] {
        conv(6, kernel = 3, pad = 1); relu; max_pool(2); flatten; linear(24); relu;
        output place: [1] = linear(1);
        linear(2);
    }

    struct Aided: [1, 12, 12] -> [2] {
        flatten; linear(8); relu;
        output place: [1] = linear(1);
        head aid: [2] = linear(2);
        linear(2);
    }
}

/// The cross-entropy of the kind and the squared error of the place.
struct KindAndPlace;

impl Objective for KindAndPlace {
    fn name(&self) -> &str {
        "kind-and-place"
    }

    fn loss(&self, output: &[f64], target: &[f32], gradient: &mut [f64]) -> f64 {
        let [small, large, place] = output else { panic!("{} numbers", output.len()) };
        let off = place - f64::from(target[1]);
        // Of two logits, only their difference counts.
        let sign = if target[0] > 0.5 { 1.0 } else { -1.0 };
        let wrong = 1.0 / (1.0 + (sign * (large - small)).exp());
        gradient.copy_from_slice(&[sign * wrong, -sign * wrong, 10.0 * off]);
        -(1.0 - wrong).ln() + 5.0 * off * off
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::lower("off", "distance of the place, or 1 where the kind is wrong")]
    }

    fn score(&self, output: &[f64], target: &[f32]) -> f64 {
        let is_right = (output[1] > output[0]) == (target[0] > 0.5);
        if is_right { (output[2] - f64::from(target[1])).abs() } else { 1.0 }
    }
}

fn data() -> Split {
    Split { train: Squares(91), test: Squares(42) }.shared()
}

fn config() -> Config {
    let config = Config { epochs: 40, batch: 16, optimizer: "adam".parse().unwrap(), lr: 0.01, ..Config::default() };
    Config { augment: Vec::new(), workers: Some(0), ..config }
}

#[test]
fn an_objective_of_ones_own_learns_several_tasks() {
    let dev = Cpu::seed_from_u64(3);
    let mut net = dev.build_module::<Both, f32>();
    let trainer = Trainer::new(&mut net, &dev).config(config()).objective(KindAndPlace);
    let summary = trainer.train(&data()).unwrap();
    assert!(summary.evaluation.metric("off") < 0.06, "{:?}", summary.evaluation.metrics);
    // The same network without a type learns the same.
    let dev = Cpu::seed_from_u64(3);
    let mut same = DynNetwork::<f32, Cpu>::build(Arc::new(Both::graph().clone()), &dev).unwrap();
    Trainer::new(&mut same, &dev).config(config()).objective(KindAndPlace).train(&data()).unwrap();
    assert_eq!(weights::state_dict(&same).unwrap().entries, weights::state_dict(&net).unwrap().entries);
    // With all but the last layers frozen, their inputs are computed once; all outputs are behind that.
    let front = Config { freeze: vec!["0".into(), "4".into()], epochs: 2, ..config() };
    let summary = Trainer::new(&mut net, &dev).config(front).objective(KindAndPlace).train(&data()).unwrap();
    assert!(summary.evaluation.metric("off") < 0.06, "{:?}", summary.evaluation.metrics);
}

#[test]
fn what_knows_one_output_says_so() {
    let dev = Cpu::seed_from_u64(3);
    let mut net = dev.build_module::<Both, f32>();
    let error = Trainer::new(&mut net, &dev).config(config()).train(&data()).unwrap_err().to_string();
    let expected = "Both gives output [2], place [1], and the tasks that are built in know one output; train it with an objective of your own";
    assert!(error.starts_with(expected), "{error}");
    let test: Arc<dyn Dataset> = Arc::new(Squares(9));
    let error = evaluate(&mut net, &dev, &test, Preparation::assumed(Both::graph()).into()).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
    let mut aided = dev.build_module::<Aided, f32>();
    let trainer = Trainer::new(&mut aided, &dev).config(config()).objective(KindAndPlace);
    let error = trainer.train(&data()).unwrap_err();
    assert!(matches!(error, TrainError::Head { .. }), "{error}");
}
