//! Inferred shapes.

use super::{check_shapes, graph};

#[test]
fn lenet() {
    check_shapes(
        "pub struct LeNet5: [1, 28, 28] -> [10] {
            conv1: conv(6, kernel = 5, pad = 2);
            //^ 6x28x28
            relu; max_pool(2);
            //^ 6x14x14
            conv2: conv(16, 5);
            //^ 16x10x10
            relu; max_pool(2);
            //^ 16x5x5
            flatten;
            //^ 400
            fc1: linear(120); relu;
            fc2: linear(84); relu;
            //^ 84
            fc3: linear(10);
            //^ 10
        }",
    );
}

#[test]
fn convolutions() {
    check_shapes(
        "struct N: [4, 32, 24] -> [8, 2, 1] {
            conv(6, kernel = (3, 5), stride = (2, 1), pad = (1, 2));
            //^ 6x16x24
            conv(6, kernel = 3, dilation = 2, pad = 2, groups = 3);
            //^ 6x16x24
            conv(6, kernel = 4, pad = same);
            //^ 6x16x24
            conv(6, kernel = 3, stride = 2, pad = same);
            //^ 6x8x12
            conv(6, kernel = 2, pad = (1, 0, 0, 0));
            //^ 6x8x11
            conv(channels + 2, kernel = (height / 2, width), pad = (0, 0));
            //^ 8x5x1
            conv(8, kernel = 1, stride = 4);
            //^ 8x2x1
        }",
    );
}

#[test]
fn pools() {
    check_shapes(
        "struct N: [12, 15, 15] -> [3] {
            max_pool(3, stride = 2);
            //^ 12x7x7
            max_pool(2, ceil);
            //^ 12x4x4
            avg_pool(3, stride = 2, pad = 1, ceil = true, count_include_pad = false);
            //^ 12x3x3
            min_pool((2, 1), stride = 1);
            //^ 12x2x3
            adaptive_avg_pool(7, 5);
            //^ 12x7x5
            adaptive_avg_pool(4);
            //^ 12x4x4
            channel_max_pool(2);
            //^ 6x4x4
            channel_avg_pool(2);
            //^ 3x4x4
            subsample(2);
            //^ 3x2x2
            global_max_pool;
            //^ 3
        }",
    );
}

/// PyTorch 2.15, `F.max_pool2d(torch.zeros(1, 1, n, n), k, s, p, ceil_mode=True).shape[-1]`.
#[test]
fn rounding_up_is_pytorchs() {
    for (n, k, s, p, expected) in [
        (5, 2, 2, 0, 3),
        (6, 3, 2, 0, 3),
        (7, 3, 2, 1, 4),
        (5, 1, 3, 0, 2),
        (4, 2, 3, 0, 2),
        (3, 2, 2, 1, 2),
        (2, 2, 3, 1, 1),
        (224, 3, 2, 0, 112),
    ] {
        assert_eq!(crate::shape::windows_ceil(n, p, p, k, s), Ok(expected), "{n} {k} {s} {p}");
    }
}

#[test]
fn layers_that_keep_the_shape() {
    check_shapes(
        "struct N: [6, 4, 4] -> [6, 4, 4] {
            batch_norm(eps = 1e-3, momentum = 0.2); lrn(5, alpha = 1e-4, beta = 0.75, k = 2); dropout(0.5); dropout;
            //^ 6x4x4
            relu; relu6; leaky_relu(0.2); elu(0.5); selu; gelu; silu; mish; hard_swish; sigmoid; tanh; scaled_tanh;
            //^ 6x4x4
            softplus; prelu; prelu(per_channel); softmax; log_softmax;
            //^ 6x4x4
        }",
    );
}

#[test]
fn const_generics_pass_through() {
    let graph = graph(
        "struct N<const WIDE: usize = 8, const CLASSES: usize = 10>: [3, 8, 8] -> [CLASSES] {
            conv(WIDE, kernel = 3, pad = 1); batch_norm; relu;
            conv(WIDE, kernel = 3, pad = 1, bias = false);
            global_avg_pool;
            fc: linear(CLASSES);
            assert params == 3 * 9 * 8 + 8 + 2 * 8 + 8 * 8 * 9 + 8 * 10 + 10;
        }",
    );
    assert_eq!(graph.nodes.last().map(|node| node.params.len()), Some(2));
}

#[test]
fn sequences_name_by_index() {
    let graph = graph(
        "struct N: [1, 4, 4] -> [2] {
            features: { conv(2, 3); relu; inner: { conv(2, 1); last: conv(2, 1) ; }; }
            flatten;
            classifier: { linear(3); relu; linear(2); };
        }",
    );
    let names: Vec<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
    let expected = [
        "input",
        "features.0",
        "features.1",
        "features.inner.0",
        "features.inner.last",
        "1",
        "classifier.0",
        "classifier.1",
        "classifier.2",
    ];
    assert_eq!(names, expected);
}

#[test]
fn enlarging_and_moving() {
    check_shapes(
        "struct N: [8, 7, 9] -> [1, 31, 35] {
            conv_transpose(16, kernel = 3, stride = 2, pad = 1, output_pad = 1);
            //^ 16x14x18
            conv_transpose(8, kernel = (2, 3), dilation = 2, groups = 4, bias = false);
            //^ 8x16x22
            crop((1, 0, 2, 3));
            //^ 8x15x17
            pad(1, reflect);
            //^ 8x17x19
            crop((1, 1));
            //^ 8x15x17
            depthwise(3, pad = 1, multiplier = 2);
            //^ 16x15x17
            squeeze_excite(4); channel_shuffle(4); group_norm(4); layer_norm; instance_norm(affine); dropout2d(0.1);
            //^ 16x15x17
            pixel_shuffle(2);
            //^ 4x30x34
            pad((0, 1, 0, 1), value = 1.5);
            //^ 4x31x35
            identity;
            //^ 4x31x35
            conv(1, kernel = 1);
            //^ 1x31x35
        }",
    );
    check_shapes(
        "struct N: [2, 3, 4] -> [2, 6, 12] {
            upsample((2, 3), bilinear);
            //^ 2x6x12
            upsample(1);
            //^ 2x6x12
        }",
    );
}
