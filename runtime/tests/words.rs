//! Every word of the language, by the example that its entry has: through the checker, both executors in every precision and
//! with every instruction set, training and evaluation, its gradient, what it can see, the table and the diagram.
//!
//! A word that some part has forgotten fails here even where its own tests are forgotten, too.

mod common;

use common::{Result, differentiate, portable, random};
use convnet::dfdx::prelude::*;
use convnet::explain::{field, grid::Grid};
use convnet::graph::{Graph, Init, Op};
use convnet::language::{Sizes, read};
use convnet::layers::begin;
use convnet::net::{Job, Map, Pass};
use convnet::{diagram, engine};
use convnet_language::words::{self, Meaning, Word};

/// The word's example as a network, behind a convolution or a linear layer that its gradient goes on to.
fn network(word: &Word) -> Graph {
    let example = word.signature.example;
    let vector = word.name() == "linear";
    let (input, before) = match vector {
        true => ("12", "linear(16)"),
        false => ("3, 8, 8", "conv(16, kernel = 3, pad = 1)"),
    };
    let declared = |output: &str| format!("struct N: [{input}] -> [{output}] {{ before: {before}; one: {example}; }}");
    // The error for another shape than the declared one says what to declare.
    let wrong = declared(if vector { "1, 1, 1" } else { "1, 1, 2" });
    let message = read(&wrong, &Sizes::default()).unwrap_err().all()[0].message.clone();
    let (_, output) = message.split_once("fix: declare `-> [").unwrap_or_else(|| panic!("{}: {message}", word.name()));
    let text = declared(output.split(']').next().unwrap());
    let found = read(&text, &Sizes::default());
    let found = found.unwrap_or_else(|mistakes| panic!("{}", mistakes.draw(word.name(), &text, false)));
    found.into_iter().next().unwrap().graph
}

fn wide(values: &Map<f32, Cpu>) -> Map<f64, Cpu> {
    let numbers = values.as_vec().into_iter().map(f64::from).collect();
    values.device().tensor_from_vec(numbers, *values.shape())
}

/// Everything that a pass gives, as one list.
fn all(result: &Result) -> Vec<f64> {
    let running = result.running.iter().map(|(_, values)| values);
    let lists = [&result.output, &result.d_input].into_iter().chain(&result.d_params).chain(running);
    lists.flatten().copied().collect()
}

fn close(what: &str, found: &Result, want: &Result) {
    let (found, want) = (all(found), all(want));
    assert_eq!(found.len(), want.len(), "{what}");
    let scale = want.iter().fold(1.0_f64, |scale, x| scale.max(x.abs()));
    for (found, want) in found.iter().zip(&want) {
        assert!((found - want).abs() <= 2e-3 * scale, "{what}: {found} is not {want}");
    }
}

#[test]
fn every_word_runs_everywhere() {
    for word in words::all() {
        let (name, graph) = (word.name(), network(word));
        let (params, x) = random::<f32>(&graph, 3, 7);
        let (wide_params, wide_x): (Vec<_>, _) = (params.iter().map(wide).collect(), wide(&x));
        for training in [false, true] {
            let pass = Pass { training, dropout: training.then_some(5), input_grad: true };
            let what = format!("{name}, training {training}");
            let want = portable(&graph, &wide_params, &wide_x, pass);
            assert!(all(&want).iter().all(|x| x.is_finite()), "{what}");
            assert!(want.output.iter().any(|x| *x != 0.0), "{what} gives nothing");
            assert!(want.d_input.iter().any(|x| *x != 0.0), "{what} has no gradient");
            close(&format!("{what}, portable in f32"), &portable(&graph, &params, &x, pass), &want);
            for isa in engine::Isa::available() {
                let cache = engine::Cache::default();
                let found =
                    differentiate(&graph, &params, &x, pass, |job, tape| engine::run_with(isa, job, &cache, tape));
                close(&format!("{what}, engine on {isa:?}"), &found, &want);
            }
        }
    }
}

/// What a neuron sees by the geometry of its layers holds every pixel that its gradient reaches; and the word stands in the table
/// and in the diagram.
#[test]
fn every_word_is_seen_and_drawn() {
    for word in words::all() {
        let (name, graph) = (word.name(), network(word));
        let [_, height, width] = graph.nodes[graph.output()].shape.chw();
        let at = [height / 2, width / 2];
        let seen = field::theoretical(&graph, graph.output(), at);
        let (params, x) = random::<f64>(&graph, 1, 3);
        let dev = Cpu::default();
        let (given, tape) = x.clone().traced(Gradients::leaky()).split_tape();
        let part = convnet::graph::Subgraph::whole(&graph, false);
        let job = Job { graph: &graph, part: &part, params, inputs: vec![given], pass: Pass::EVAL, fixed: &[] };
        let found = convnet::portable::run(job, None, Some(tape)).unwrap().taped::<OwnedTape<_, _>>();
        let output = found.outputs[0].clone().put_tape(found.tape);
        let [channels, h, w] = graph.nodes[graph.output()].shape.chw();
        let chosen = |i: usize| (i / w % h, i % w) == (at[0], at[1]);
        let weights = (0..channels * h * w).map(|i| if chosen(i) { 1.0 + i as f64 } else { 0.0 }).collect();
        let weights: Map<f64, Cpu> = dev.tensor_from_vec(weights, (1, channels, h, w));
        let gradient = (output * weights).sum::<Rank0, _>().backward().get(&x).as_vec();
        let [_, in_height, in_width] = graph.input().chw();
        for (i, _) in gradient.iter().enumerate().filter(|(_, x)| **x != 0.0) {
            let pixel = [i / in_width % in_height, i % in_width];
            assert!(seen.contains(pixel), "{name}: {pixel:?} is seen beyond {seen:?}");
        }
        let grid = Grid::new(&graph, graph.output());
        assert_eq!(grid.centres.each_ref().map(Vec::len), [h, w], "{name}");
        // Squeeze and excitation is no operation; what it ends in is.
        let drawn = match word.meaning {
            Meaning::Layer(_) => name,
            Meaning::SqueezeExcite => "scale",
        };
        assert!(graph.nodes.iter().any(|node| node.op.word() == drawn), "{name} is no operation's word");
        assert!(graph.summary().to_string().contains(drawn), "{name}: {}", graph.summary());
        let (svg, mermaid) = (diagram::svg(&graph), diagram::mermaid(&graph));
        // Convolutions are drawn by one word with their groups, a batch norm and its like by two letters.
        let short = ["conv", "bn", "ln", "in", "gn", "×", drawn];
        assert!(short.iter().any(|label| svg.contains(label) && mermaid.contains(label)), "{name}: {mermaid}");
        assert!(!matches!(graph.nodes[graph.output()].op, Op::Identity) || name == "identity", "{name} does nothing");
    }
}

/// Whoever makes a network by its graph draws the same numbers as a typed network does: in the order of the graph, each as the
/// graph says.
#[test]
fn numbers_to_begin_with_come_from_the_graph() {
    cnn! {
        #[allow(bias_before_norm, stacked_activations)]
        struct Everything: [3, 12, 12] -> [5] {
            conv(8, 3); conv(6, 3, bias = false); depthwise(3); conv_transpose(4, 2); conv_transpose(4, 2, bias = false);
            conv(6, 1, connections = [[0, 1], [2], [3], [0], [1], [2, 3]]); batch_norm; group_norm(2); layer_norm;
            instance_norm(affine); prelu; prelu(per_channel); subsample(2); flatten; linear(7, bias = false); linear(5);
        }
    }
    use convnet::prelude::cnn;
    let (typed, device) = (Cpu::seed_from_u64(9), Cpu::seed_from_u64(9));
    let net = typed.build_module::<Everything, f32>();
    let graph = Everything::graph();
    let mut drawn = Vec::new();
    for param in &*graph.params {
        let mut dims = [1; 4];
        dims.iter_mut().zip(&*param.shape).for_each(|(dim, size)| *dim = *size);
        let [a, b, c, d] = dims;
        let mut tensor: Map<f32, Cpu> = device.zeros_like(&(a, b, c, d));
        begin(&mut tensor, param.init).unwrap();
        drawn.push(tensor.as_vec());
    }
    let typed: Vec<Vec<f32>> = convnet::net::params(&net).unwrap().iter().map(Tensor::as_vec).collect();
    assert_eq!(drawn, typed);
    let uniform = |init: &Init| matches!(init, Init::Uniform { .. });
    assert_eq!(graph.params.iter().filter(|param| uniform(&param.init)).count(), 13);
}
