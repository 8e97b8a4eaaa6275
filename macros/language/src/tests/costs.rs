//! Counts of parameters and operations against published ones, and receptive fields.

use super::graph;
use crate::cost::Count;
use crate::graph::Node;

fn total(source: &str, count: impl Fn(&Node) -> Count) -> i128 {
    let graph = graph(source);
    graph.nodes.iter().fold(Count::default(), |sum, node| sum.plus(&count(node))).evaluate(|_| None).unwrap()
}

fn check(source: &str, params: i128, macs: i128) {
    assert_eq!(total(source, Node::param_count), params, "parameters of {source}");
    assert_eq!(total(source, |node| node.macs.clone()), macs, "MACs of {source}");
}

const LENET: &str = "struct N: [1, 28, 28] -> [10] {
    conv(6, 5, pad = 2); relu; max_pool(2); conv(16, 5); relu; max_pool(2);
    flatten; linear(120); relu; linear(84); relu; linear(10);
}";

#[test]
fn lenet() {
    check(LENET, 61_706, 416_520);
    let caffe = "struct N: [1, 28, 28] -> [10] {
        conv(20, 5); max_pool(2); conv(50, 5); max_pool(2); flatten; linear(500); relu; linear(10);
    }";
    check(caffe, 431_080, 2_293_000);
}

/// The layers of 1998: 156 + 12 + 1,516 + 32 + 48,120 + 10,164 = 60,000 trainable parameters before the output.
#[test]
fn lenet_of_1998() {
    let source = "struct N: [1, 32, 32] -> [84] {
        conv(6, 5); subsample(2); scaled_tanh;
        conv(16, 5, connections = [
            [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 0], [5, 0, 1],
            [0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 0], [4, 5, 0, 1], [5, 0, 1, 2],
            [0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5], [0, 1, 2, 3, 4, 5],
        ]);
        subsample(2); scaled_tanh;
        conv(120, 5); scaled_tanh; flatten; linear(84); scaled_tanh;
    }";
    assert_eq!(total(source, Node::param_count), 60_000);
}

/// torchvision's documented counts.
#[test]
fn alexnet() {
    let torchvision = "struct N: [3, 224, 224] -> [1000] {
        features: {
            conv(64, 11, stride = 4, pad = 2); relu; max_pool(3, stride = 2);
            conv(192, 5, pad = 2); relu; max_pool(3, stride = 2);
            conv(384, 3, pad = 1); relu; conv(256, 3, pad = 1); relu; conv(256, 3, pad = 1); relu; max_pool(3, stride = 2);
        }
        adaptive_avg_pool(6, 6); flatten;
        classifier: { dropout; linear(4096); relu; dropout; linear(4096); relu; linear(1000); }
        assert receptive_field == 195;
    }";
    // The receptive field is that of the features; the adaptive pooling is the identity here.
    check(torchvision, 61_100_840, 714_188_480);
    let two_towers = "struct N: [3, 227, 227] -> [1000] {
        conv(96, 11, stride = 4); relu; lrn(5, alpha = 5e-4, beta = 0.75, k = 2); max_pool(3, stride = 2);
        conv(256, 5, pad = 2, groups = 2); relu; lrn(5, alpha = 5e-4, beta = 0.75, k = 2); max_pool(3, stride = 2);
        conv(384, 3, pad = 1); relu; conv(384, 3, pad = 1, groups = 2); relu; conv(256, 3, pad = 1, groups = 2); relu;
        max_pool(3, stride = 2); flatten; linear(4096); relu; dropout; linear(4096); relu; dropout; linear(1000);
    }";
    check(two_towers, 60_965_224, 724_406_816);
}

fn vgg(layers: &str, norm: &str) -> String {
    let mut body = String::new();
    for layer in layers.split(' ') {
        body += &match layer {
            "M" => "max_pool(2); ".to_string(),
            out => format!("conv({out}, 3, pad = 1); {norm} relu; "),
        };
    }
    format!(
        "struct N: [3, 224, 224] -> [1000] {{ features: {{ {body} }} adaptive_avg_pool(7, 7); flatten;
         classifier: {{ linear(4096); relu; dropout; linear(4096); relu; dropout; linear(1000); }} }}"
    )
}

#[test]
fn vgg_family() {
    let e11 = "64 M 128 M 256 256 M 512 512 M 512 512 M";
    let e16 = "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M";
    let e19 = "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M";
    check(&vgg(e11, ""), 132_863_336, 7_609_090_048);
    check(&vgg(e11, "batch_norm;"), 132_868_840, 7_609_090_048);
    check(&vgg(e16, ""), 138_357_544, 15_470_264_320);
    check(&vgg(e16, "batch_norm;"), 138_365_992, 15_470_264_320);
    check(&vgg(e19, ""), 143_667_240, 19_632_062_464);
}

#[test]
fn receptive_fields() {
    for (layers, expected) in [
        ("64 M 128 M 256 256 M 512 512 M 512 512 M", 150),
        ("64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M", 212),
    ] {
        let source =
            vgg(layers, "").replace("classifier", &format!("assert receptive_field == {expected}; classifier"));
        graph(&source);
    }
    let graph = graph(LENET);
    let fields: Vec<i128> =
        graph.nodes.iter().map(|node| node.receptive_field[0].evaluate(|_| None).unwrap()).collect();
    assert_eq!(fields, [1, 5, 5, 6, 14, 14, 16, 16, 32, 32, 32, 32, 32]);
    assert_eq!(graph.nodes.last().unwrap().jump, [4, 4]);
}

fn resnet(block: &str, blocks: [usize; 4]) -> String {
    let stage = |i: usize, out: usize, stride: usize| {
        format!("layer{i}: {{ {block}({out}, stride = {stride}); repeat {} {{ {block}({out}); }} }}", blocks[i - 1] - 1)
    };
    format!(
        "block basic(out, stride = 1) {{
            residual {{
                conv1: conv(out, 3, stride, pad = 1, bias = false); bn1: batch_norm; relu;
                conv2: conv(out, 3, pad = 1, bias = false); bn2: batch_norm;
            }} shortcut if stride != 1 || channels != out {{
                downsample: {{ conv(out, 1, stride, bias = false); batch_norm; }}
            }}
            relu;
        }}
        block bottleneck(wide, stride = 1) {{
            residual {{
                conv1: conv(wide, 1, bias = false); bn1: batch_norm; relu;
                conv2: conv(wide, 3, stride, pad = 1, bias = false); bn2: batch_norm; relu;
                conv3: conv(4 * wide, 1, bias = false); bn3: batch_norm;
            }} shortcut if stride != 1 || channels != 4 * wide {{
                downsample: {{ conv(4 * wide, 1, stride, bias = false); batch_norm; }}
            }}
            relu;
        }}
        struct N: [3, 224, 224] -> [1000] {{
            conv1: conv(64, 7, stride = 2, pad = 3, bias = false); bn1: batch_norm; relu; max_pool(3, stride = 2, pad = 1);
            {} {} {} {}
            global_avg_pool; fc: linear(1000);
        }}",
        stage(1, 64, 1),
        stage(2, 128, 2),
        stage(3, 256, 2),
        stage(4, 512, 2)
    )
}

/// torchvision's documented counts and keys.
#[test]
fn resnet_family() {
    check(&resnet("basic", [2, 2, 2, 2]), 11_689_512, 1_814_073_344);
    check(&resnet("basic", [3, 4, 6, 3]), 21_797_672, 3_663_761_408);
    check(&resnet("bottleneck", [3, 4, 6, 3]), 25_557_032, 4_089_184_256);
    check(&resnet("bottleneck", [3, 8, 36, 3]), 60_192_808, 11_513_626_624);
    let graph = graph(&resnet("basic", [2, 2, 2, 2]));
    let keys: Vec<String> =
        graph.nodes.iter().flat_map(|node| node.params.iter().map(|p| format!("{}.{}", node.name, p.name))).collect();
    assert_eq!(keys.len(), 102);
    for key in [
        "layer1.0.conv1.weight",
        "layer2.0.downsample.0.weight",
        "layer2.0.downsample.1.running_var",
        "layer4.1.bn2.bias",
    ] {
        assert!(keys.iter().any(|found| found == key), "{key}");
    }
    let last = graph.nodes.iter().rfind(|node| matches!(node.shape, crate::graph::Shape::Map(_))).unwrap();
    assert_eq!((last.receptive_field[0].evaluate(|_| None), last.jump), (Some(435), [32, 32]));
}

#[test]
fn activations() {
    // conv1 and its rectified twin at once: 2 * 6 * 784.
    graph(&LENET.replace("flatten;", "flatten; assert peak_activations == 9_408, activations == 15_786;"));
    // A residual keeps its input until the sum.
    graph(
        "struct N: [2, 4, 4] -> [2, 4, 4] {
            residual { conv(2, 1); conv(4, 1); conv(2, 1); }
            assert peak_activations == 128;
        }",
    );
    // With a const generic the larger of two.
    graph(
        "struct N<const K: usize = 500>: [1, 4, 4] -> [K] { conv(9, 1); flatten; linear(K); linear(K); assert peak_activations == 1_000; }",
    );
    graph(
        "struct N<const K: usize = 5>: [1, 4, 4] -> [K] { conv(9, 1); flatten; linear(K); linear(K); assert peak_activations == 160; }",
    );
}
