//! Any number of threads gives the same bits, where layers are large enough that threads really share them.
//!
//! `engine.rs` asks the same of random networks, most of which are so small that one thread computes them alone. One test,
//! in a program of its own: the number of threads and the profile are the process's.
#![deny(warnings)]

mod common;

use convnet::engine::{self, Isa, profile};
use convnet::graph::Graph;
use convnet::net::{Map, Network, Pass};
use convnet::predict::Predictor;
use convnet::prelude::*;

cnn! {
    /// 3x3 kernels that Winograd's algorithm computes and others that it does not, and what stands around them.
    #[allow(bias_before_norm)]
    struct Shared: [3, 56, 56] -> [10] {
        conv(64, kernel = 5, pad = 2); batch_norm; relu;
        residual {
            conv(64, kernel = 3, pad = 1, bias = false); batch_norm; relu;
            conv(64, kernel = 3, pad = 1, bias = false); batch_norm;
        }
        relu;
        conv(40, kernel = 1); relu;
        depthwise(3, pad = 1); batch_norm; relu;
        concat {
            { max_pool(3, stride = 2, pad = 1); }
            { conv(24, kernel = 3, stride = 2, pad = 1); relu; }
        }
        conv(64, kernel = 3, pad = 1, groups = 2); group_norm(4); relu;
        avg_pool(2);
        flatten;
        linear(128); relu;
        linear(10);
    }
}

const GRAPH: &Graph = <Shared as Network<f32, Cpu>>::GRAPH;

/// Images: a pass of two, and one that is left.
const BATCH: usize = 2;
const IMAGES: usize = BATCH + 1;

/// Everything that a step of training gives: logits, the gradient of every parameter and of the input, running statistics.
fn train(isa: Isa, params: &[Map<f32, Cpu>], x: &Map<f32, Cpu>) -> common::Result {
    let pass = Pass { training: true, dropout: None, input_grad: true };
    // No plan of another number of threads.
    common::differentiate(GRAPH, params, x, pass, |job, tape| {
        engine::run_with(isa, job, &engine::Cache::default(), tape)
    })
}

fn infer(session: &mut engine::Session<Vec<f32>>, images: &[f32]) -> Vec<f32> {
    let mut logits = vec![f32::NAN; IMAGES * 10];
    session.run(images, &mut logits).unwrap();
    logits
}

#[test]
fn large_layers_give_the_same_bits_on_any_number_of_threads() {
    let (params, x) = common::random::<f32>(GRAPH, IMAGES, 1);
    let images = x.as_vec();
    for isa in Isa::available() {
        let freeze = || common::freeze(isa, GRAPH, &params, BATCH, false);
        engine::set_threads(1).unwrap();
        profile::start();
        let trained = train(isa, &params, &x);
        let mut planned_for_one = freeze();
        let frozen = infer(&mut planned_for_one, &images);
        let steps = profile::stop();
        // What the shapes above are there for.
        for kind in ["winograd F(4,3)", "winograd grad", "weight grad", "correlate", "linear"] {
            assert!(steps.keys().any(|step| step.starts_with(kind)), "{isa:?}: no {kind} among {:#?}", steps.keys());
        }
        assert!(frozen.iter().all(|logit| logit.is_finite()) && trained.d_params.iter().flatten().any(|d| *d != 0.0));
        for threads in [2, 3, 8] {
            engine::set_threads(threads).unwrap();
            assert!(infer(&mut freeze(), &images) == frozen, "{isa:?}: inference on {threads} threads");
            assert!(infer(&mut planned_for_one, &images) == frozen, "{isa:?}: planned for one, run on {threads}");
            let again = train(isa, &params, &x);
            for (name, same) in [
                ("output", again.output == trained.output),
                ("gradients", again.d_params == trained.d_params),
                ("input's gradient", again.d_input == trained.d_input),
                ("running statistics", again.running == trained.running),
            ] {
                assert!(same, "{isa:?}: {name} on {threads} threads");
            }
        }
    }
    // The public face of a session, for a network of its own.
    let net = Cpu::seed_from_u64(2).build_module::<Shared, f32>();
    let predict = |threads| {
        engine::set_threads(threads).unwrap();
        let mut logits = [f32::NAN; IMAGES * 10];
        Predictor::new(&net, BATCH).unwrap().predict(&images, &mut logits).unwrap();
        logits
    };
    let alone = predict(1);
    assert!([2, 3, 8].into_iter().all(|threads| predict(threads) == alone), "a predictor");
    engine::set_threads(0).unwrap();
}
