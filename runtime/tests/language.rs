//! What `cnn!` generates: fields and their types, names, counts, dfdx's traits, hygiene.
#![deny(warnings, missing_docs)]

use convnet::graph::{Graph, Op};
use convnet::net::{Network, params};
use convnet::prelude::*;

cnn! {
    block basic(out, stride = 1) {
        residual {
            conv1: conv(out, kernel = 3, stride, pad = 1, bias = false);
            bn1: batch_norm; relu;
            conv2: conv(out, kernel = 3, pad = 1, bias = false);
            bn2: batch_norm;
        } shortcut if stride != 1 || channels != out {
            downsample: { conv(out, kernel = 1, stride, bias = false); batch_norm; }
        }
        relu;
    }

    block inception(narrow, wide) {
        concat {
            branch1: conv(narrow, kernel = 1);
            branch2: { conv(narrow, kernel = 1); relu; conv(wide, kernel = 3, pad = 1); if wide > 4 { relu; } else { tanh; } }
            branch3: { max_pool(3, stride = 1, pad = 1); conv(narrow, kernel = 1); }
        }
    }

    /// Every structure of the language.
    pub struct Branching<const CLASSES: usize = 5>: [3, 16, 16] -> [CLASSES] {
        stem: conv(8, kernel = 3, pad = 1); relu;
        layer1: { repeat 3 { basic(8); } }
        layer2: { basic(12, stride = 2); repeat 2 { basic(12); } }
        mixed: inception(4, 6);
        plain: inception(4, 3);
        around: residual { conv(11, kernel = 1); }
        global_avg_pool;
        fc: linear(CLASSES);
    }

    /// Every layer of the language.
    #[allow(unread_pixels)]
    pub struct Everything<const WIDE: usize = 8, const CLASSES: usize = 10>: [3, 24, 20] -> [CLASSES] {
        stem: conv(WIDE, kernel = 3, pad = same, bias = false);
        bn: batch_norm;
        relu;
        features: {
            conv(12, kernel = (3, 5), stride = 2, pad = (1, 2), dilation = 1);
            prelu(per_channel);
            max_pool(2, ceil);
            conv(6, kernel = 1, groups = 3);
            inner: { lrn(3); named: conv(4, 1); conv(8, 1); gelu; }
        }
        table: conv(3, kernel = 2, connections = [[0, 1], [2, 7], [3]]);
        plain_table: conv(2, kernel = 2, bias = false, connections = [[0], [1, 2]]);
        subsample(2);
        channel_max_pool(2);
        nothing: { leaky_relu; dropout(0.1); }
        adaptive_avg_pool(2);
        flatten;
        linear(7, bias = false);
        prelu;
        dropout;
        last: linear(CLASSES);
    }

    /// No parameters at all.
    pub struct Pooling: [2, 4, 4] -> [2, 2, 2] {
        max_pool(2);
        softmax;
    }

    /// Names that generated code could want for itself.
    pub struct T<const B: usize = 3, const V: usize = 2>: [V] -> [B] {
        linear(B);
    }

    struct Private: [5] -> [3] {
        linear(3);
        tanh;
    }
}

/// The keys that dfdx visits.
fn visited<N: TensorCollection<f32, Cpu>>(net: &N) -> Vec<String> {
    struct Names(Vec<String>);
    impl TensorVisitor<f32, Cpu> for Names {
        type Viewer = (ViewTensorRef, ViewTensorName);
        type Err = <Cpu as HasErr>::Err;
        type E2 = f32;
        type D2 = Cpu;
        fn visit<S: convnet::dfdx::shapes::Shape>(
            &mut self,
            _: TensorOptions<S, f32, Cpu>,
            (_, name): (&Tensor<S, f32, Cpu>, String),
        ) -> Result<Option<Tensor<S, f32, Cpu>>, Self::Err> {
            self.0.push(name);
            Ok(None)
        }
    }
    let mut names = Names(Vec::new());
    N::iter_tensors(&mut RecursiveWalker { m: (net, String::new()), f: &mut names }).unwrap();
    names.0
}

/// What the graph says about parameters is what dfdx finds.
fn agrees<N: Network<f32, Cpu>>(net: &N) -> &'static Graph {
    let graph = N::GRAPH;
    let names: Vec<&str> = graph.params.iter().map(|param| &*param.name).collect();
    assert_eq!(visited(net), names);
    for (param, tensor) in graph.params.iter().zip(params(net).unwrap()) {
        let mut shape = [1; 4];
        shape[..param.shape.len()].copy_from_slice(&param.shape);
        let found = *tensor.shape();
        assert_eq!([found.0, found.1, found.2, found.3], shape, "{}", param.name);
    }
    assert_eq!(net.num_trainable_params(), graph.param_count());
    graph
}

#[test]
fn names_shapes_and_counts_agree_with_dfdx() {
    let dev = Cpu::default();
    let graph = agrees(&dev.build_module::<Everything, f32>());
    agrees(&dev.build_module::<Everything<5, 3>, f32>());
    agrees(&dev.build_module::<Pooling, f32>());
    agrees(&dev.build_module::<Private, f32>());
    let keys: Vec<&str> = graph.params.iter().map(|param| &*param.name).collect();
    for key in [
        "stem.weight",
        "bn.running_var",
        "features.0.bias",
        "features.1.weight",
        "features.inner.named.weight",
        "features.inner.2.weight",
        "table.weight",
        "6.weight",
        "11.weight",
        "last.bias",
    ] {
        assert!(keys.contains(&key), "{key} in {keys:?}");
    }
    assert!(!keys.contains(&"stem.bias") && !keys.contains(&"11.bias"));
}

#[test]
fn structures_name_and_run_as_sequences_do() {
    let dev = Cpu::default();
    let mut net = dev.build_module::<Branching, f32>();
    let graph = agrees(&net);
    let keys: Vec<&str> = graph.params.iter().map(|param| &*param.name).collect();
    for key in [
        "layer1.2.conv1.weight",
        "layer2.0.downsample.1.running_mean",
        "mixed.branch1.weight",
        "mixed.branch2.2.bias",
        "around.0.weight",
    ] {
        assert!(keys.contains(&key), "{key} in {keys:?}");
    }
    assert!(!keys.contains(&"layer1.0.downsample.0.weight"));
    // Equal blocks share a type, and others do not.
    let _: [&Tensor<Rank4<8, 8, 3, 3>, f32, Cpu>; 2] = [&net.layer1.0.conv2.weight, &net.layer1.2.conv2.weight];
    let _: &Tensor<Rank4<12, 8, 1, 1>, f32, Cpu> = &net.layer2.0.downsample.0.weight;
    let _: &Tensor<Rank4<6, 4, 3, 3>, f32, Cpu> = &net.mixed.branch2.2.weight;
    let _: &Tensor<Rank4<3, 4, 3, 3>, f32, Cpu> = &net.plain.branch2.2.weight;
    let x: Tensor<Rank4<2, 3, 16, 16>, f32, Cpu> = dev.sample_normal();
    let y: Tensor<Rank2<2, 5>, f32, Cpu> = net.forward(x.clone());
    assert!(y.as_vec().iter().all(|y| y.is_finite()));
    let gradients = net.forward_mut(x.traced(Gradients::leaky())).square().mean().backward();
    for weight in [&net.layer1.0.conv1.weight, &net.layer1.1.conv1.weight] {
        assert!(gradients.get(weight).as_vec().iter().any(|g| *g != 0.0));
    }
}

#[test]
fn fields_are_typed() {
    let dev = Cpu::default();
    let net = dev.build_module::<Everything, f32>();
    let _: &Tensor<Rank4<8, 3, 3, 3>, f32, Cpu> = &net.stem.weight;
    let _: &Tensor<Rank1<8>, f32, Cpu> = &net.bn.running_mean;
    let _: &Tensor<Rank4<12, 8, 3, 5>, f32, Cpu> = &net.features._0.weight;
    let _: &Tensor<Rank1<12>, f32, Cpu> = &net.features._1.weight;
    let _: &Tensor<Rank4<6, 4, 1, 1>, f32, Cpu> = &net.features._3.weight;
    let _: &Tensor<Rank4<8, 4, 1, 1>, f32, Cpu> = &net.features.inner._2.weight;
    let _: &Tensor<Rank3<5, 2, 2>, f32, Cpu> = &net.table.weight;
    let _: &Tensor<Rank3<3, 2, 2>, f32, Cpu> = &net.plain_table.weight;
    let _: &Tensor<Rank1<2>, f32, Cpu> = &net._6.weight;
    let _: &Tensor<Rank2<10, 7>, f32, Cpu> = &net.last.weight;
    let wide = dev.build_module::<Everything<16, 3>, f64>();
    let _: &Tensor<Rank4<16, 3, 3, 3>, f64, Cpu> = &wide.stem.weight;
    let _: &Tensor<Rank2<3, 7>, f64, Cpu> = &wide.last.weight;
}

#[test]
fn facts_are_constants() {
    const PARAMS: usize = Everything::<8, 10>::PARAMS;
    const { assert!(PARAMS > 0 && Everything::<16, 10>::PARAMS > PARAMS) };
    assert_eq!((Pooling::PARAMS, Pooling::MACS, Pooling::RECEPTIVE_FIELD), (0, 0, [2, 2]));
    assert_eq!(<Everything>::graph().output_shape().to_string(), "[10]");
    let summary = Private::summary().to_string();
    assert!(summary.contains("Private: 18 parameters, 15 MACs"), "{summary}");
    assert!(Everything::<8, 10>::graph().nodes.iter().any(|node| matches!(node.op, Op::Lrn { size: 3, .. })));
}

#[test]
fn batches_and_single_images_go_through() {
    let dev = Cpu::default();
    let mut net = dev.build_module::<Everything, f32>();
    let fixed: Tensor<(Const<4>, Const<3>, Const<24>, Const<20>), f32, Cpu> = dev.sample_normal();
    let by_const: Tensor<(Const<4>, Const<10>), f32, Cpu> = net.forward(fixed.clone());
    let any = fixed.clone().realize::<(usize, Const<3>, Const<24>, Const<20>)>();
    let by_number: Tensor<(usize, Const<10>), f32, Cpu> = net.forward(any);
    assert_eq!(by_const.as_vec(), by_number.as_vec());
    let first: Tensor<Rank3<3, 24, 20>, f32, Cpu> = fixed.clone().select(dev.tensor(0));
    let single: Tensor<Rank1<10>, f32, Cpu> = net.forward(first.clone());
    assert_eq!(single.as_vec(), by_const.as_vec()[..10]);
    // In training too, with and without a tape.
    let _: Tensor<(Const<4>, Const<10>), f32, Cpu> = net.forward_mut(fixed.clone());
    let traced = net.forward_mut(fixed.traced(Gradients::leaky()));
    let gradients = traced.square().mean().backward();
    assert!(gradients.get(&net.stem.weight).as_vec().iter().any(|g| *g != 0.0));
    let _: Tensor<Rank1<10>, f32, Cpu> = net.forward_mut(first);
}

#[test]
fn training_moves_running_statistics_and_evaluation_does_not() {
    let dev = Cpu::default();
    let mut net = dev.build_module::<Everything, f32>();
    let x: Tensor<(Const<6>, Const<3>, Const<24>, Const<20>), f32, Cpu> = dev.sample_normal();
    let before = net.bn.running_var.as_vec();
    let _ = net.forward(x.clone());
    assert_eq!(net.bn.running_var.as_vec(), before);
    let _ = net.forward_mut(x);
    assert_ne!(net.bn.running_var.as_vec(), before);
}

/// The gradient of the input: always in evaluation; in training only where the input was computed on the tape.
#[test]
fn input_gradients_are_recorded_where_they_are_needed() {
    let dev = Cpu::default();
    let mut net = dev.build_module::<Private, f32>();
    let x: Tensor<Rank1<5>, f32, Cpu> = dev.sample_normal();
    let recorded = |gradients: &Gradients<f32, Cpu>, x: &Tensor<Rank1<5>, f32, Cpu>| {
        let mut gradients = gradients.clone();
        gradients.try_alloc_for(x).unwrap();
        gradients.get(x).as_vec().iter().any(|g| *g != 0.0)
    };
    assert!(recorded(&net.forward(x.clone().traced(Gradients::leaky())).sum().backward(), &x));
    assert!(!recorded(&net.forward_mut(x.clone().traced(Gradients::leaky())).sum().backward(), &x));
    assert!(recorded(&net.forward_mut(x.clone().traced(Gradients::leaky()) * 2.0).sum().backward(), &x));
}

#[test]
fn a_network_changes_dtype_and_is_copied() {
    let dev = Cpu::default();
    let net = dev.build_module::<Private, f32>();
    let x: Tensor<Rank1<5>, f32, Cpu> = dev.sample_normal();
    let wide = net.clone().to_dtype::<f64>();
    let (narrow_y, wide_y) = (net.forward(x.clone()).as_vec(), wide.forward(x.to_dtype::<f64>()).as_vec());
    for (a, b) in narrow_y.iter().zip(wide_y) {
        assert!((f64::from(*a) - b).abs() < 1e-6);
    }
}

/// User code may call its things as it likes.
mod hygiene {
    // `#![no_implicit_prelude]` cannot stand here: it takes away `#[diagnostic::..]` too, by which a network says what it takes.
    #![allow(dead_code, missing_docs)]

    pub struct Result;
    pub struct Option;
    pub struct Vec;
    pub struct Box;
    pub struct Tensor;
    pub mod std {}
    pub mod core {}
    pub mod dfdx {}

    ::convnet::cnn! {
        /// In a hostile place.
        pub struct Hygienic: [1, 4, 4] -> [2] {
            c: conv(2, 3);
            f: { linear_in_a_sequence: conv(1, 1); }
            global_avg_pool;
            linear(2);
        }
    }
}

#[test]
fn hygienic() {
    let net = Cpu::default().build_module::<hygiene::Hygienic, f32>();
    agrees(&net);
}
