//! What the networks of the last ten years brought: slices and shares of channels, layers for each pixel, sizes that are asked for, and
//! functions in expressions.

use super::{check_shapes, checked, gives_one, graph, marked};
use convnet_graph::Op;

#[test]
fn shapes_of_slices_and_sizes() {
    check_shapes(
        "struct N: [24, 30, 20] -> [10] {
            layer_norm(each_pixel);
            //^ 24x30x20
            linear(48, each_pixel);
            //^ 48x30x20
            channel_crop((8, 24));
            //^ 16x30x20
            stochastic_depth(0.1);
            //^ 16x30x20
            pixel_unshuffle(2);
            //^ 64x15x10
            resize((7, 31), bilinear, antialias);
            //^ 64x7x31
            resize(12);
            //^ 64x12x12
            max_pool(3, stride = 2, pad = same);
            //^ 64x6x6
            max_pool(3, stride = 1, dilation = 2);
            //^ 64x2x2
            avg_pool(2, stride = 1, pad = (0, 1, 0, 1));
            //^ 64x2x2
            pad(2, circular);
            //^ 64x6x6
            conv(max(channels / 4, 8), kernel = 1);
            //^ 16x6x6
            conv(round_to(channels * 3 / 4, 8), kernel = 1);
            //^ 16x6x6
            conv(min(channels, 10), kernel = min(3, 5));
            //^ 10x4x4
            global_avg_pool;
        }",
    );
}

#[test]
fn a_split_shares_the_channels_out() {
    let graph = graph(
        "struct N: [24, 8, 8] -> [24, 8, 8] {
            split { identity; branch2: { conv(8, kernel = 1); relu; } { conv(8, kernel = 1, bias = false); } }
        }",
    );
    let before: Vec<usize> = graph
        .nodes
        .iter()
        .filter_map(|node| match node.op {
            Op::ChannelCrop { before } => Some(before),
            _ => None,
        })
        .collect();
    assert_eq!(before, [0, 8, 16]);
    let keys: Vec<String> =
        graph.nodes.iter().filter(|node| !node.params.is_empty()).map(|node| node.name.clone()).collect();
    assert_eq!(keys, ["branch2.0", "2"]);
    let last = graph.nodes.last().unwrap();
    assert_eq!((last.op, last.inputs.len()), (Op::Concat, 3));
}

#[test]
fn repetitions_are_numbered() {
    let graph = graph(
        "block unit(out, at) { residual { conv(channels, kernel = 1); stochastic_depth(0.5, layer = at, of = 10); } conv(out, kernel = 1); }
        block own(index) { repeat 2 { conv(index, kernel = 1); } }
        struct N: [3, 8, 8] -> [7, 8, 8] {
            repeat 3 { unit(8 * (index + 1), at = 4 + index); }
            repeat 2 { repeat 3 { conv(10 + index, kernel = 1); } conv(20 + index, kernel = 1); }
            own(7);
        }",
    );
    let channels: Vec<u64> = graph
        .nodes
        .iter()
        .filter(|node| matches!(node.op, Op::Conv(_)))
        .filter_map(|node| node.shape.chw()[0].known())
        .collect();
    assert_eq!(channels, [3, 8, 8, 16, 16, 24, 10, 11, 12, 20, 10, 11, 12, 21, 7, 7]);
    let shares: Vec<f64> = graph
        .nodes
        .iter()
        .filter_map(|node| if let Op::StochasticDepth { p } = node.op { Some(p) } else { None })
        .collect();
    assert_eq!(shares, [0.2, 0.25, 0.3]);
}

#[test]
fn mistakes_with_them_are_one_error_each() {
    for (body, expected) in [
        ("conv(10, kernel = 1); split { a: identity; b: identity; c: identity; }", "10 % 3 = 1"),
        ("split { }", "this split has no branches"),
        ("flatten; split { a: identity; b: identity; }", "`split` needs a feature map"),
        (
            "conv(K, kernel = 1); split { a: identity; b: identity; } conv(3, kernel = 1);",
            "`split` divides the channels",
        ),
        ("conv(8, kernel = 1); channel_crop(4);", "nothing is left of 8 channels without 4 + 4"),
        ("pixel_unshuffle(3);", "height 28 cannot be cut into squares of 3 x 3 pixels: 28 % 3 = 1"),
        ("permute(2, 2, 1);", "2 stands twice: `permute` takes each of 1 (channels), 2 (height) and 3 (width) once"),
        ("permute(2, 3, 4);", "a map has no dimension 4"),
        ("permute(0, 2, 3, 1);", "the dimension of the images is not written\n  fix: write `permute(2, 3, 1)`"),
        ("x = x.permute(0, 2, 3, 1);", "fix: write `permute(2, 3, 1);`"),
        ("flatten; permute(2, 3, 1);", "`permute` needs a feature map"),
        ("resize(8, antialias);", "`antialias` is for `bilinear` alone"),
        ("resize(8, nearest, bilinear);", "either `nearest` or `bilinear`"),
        ("resize(0);", "`size` is 0; it must be at least 1"),
        ("hard_tanh(1, -1);", "`min` has to be below `max`, but 1 is not below -1"),
        ("stochastic_depth(1);", "from 0 to below 1"),
        ("stochastic_depth(0.2, layer = 3, of = 2);", "`layer` is one of 0 to 2 (`of`), not 3"),
        ("pad(29, circular);", "a size of 28 can be continued by 28 pixels at most, not 29"),
        ("pad(1, circular, reflect);", "one of `value`, `reflect`, `replicate` and `circular`"),
        ("max_pool(3, pad = 3, dilation = 2);", "pad 3 is more than half of kernel 3 with dilation 2 (covers 5)"),
        ("max_pool(2, pad = 7, dilation = 40);", "apart, and all may lie outside a map of 28"),
        ("conv(max(4), kernel = 1);", "`max` takes two numbers, as in `max(channels / 4, 8)`"),
        ("conv(round_to(4, 0), kernel = 1);", "there are no multiples of 0"),
        ("conv(int(channels * 4), kernel = 1);", "fix: write `channels * 4`"),
        ("conv(mx(4, 8), kernel = 1);", "did you mean `max`?"),
        ("conv(max(K, 8), kernel = 1);", "`K` has no value when the network is checked"),
        ("conv(8, kernel = 1); split { a: conv(4, kernel = 3); b: identity; }", "channels cannot be joined"),
    ] {
        gives_one(body, expected);
    }
    let network = |body: &str| format!("struct N: [10, 8, 8] -> [10, 8, 8] {{ {body} }}");
    assert_eq!(marked(&network("split { a: identity; b: identity; c: identity; }")), ["split"]);
    let index = "conv(4 + index, kernel = 1);";
    gives_one(
        index,
        "nothing here is called `index`; it is the number of a repetition, and this stands in no `repeat`",
    );
    // A const generic may pass by.
    let passes = "struct N<const K: usize = 4>: [1, 8, 8] -> [K, 8, 8] { conv(K, kernel = 1); layer_norm(each_pixel); \
                  linear(K, each_pixel); stochastic_depth(0.1); }";
    assert_eq!(checked(passes).1, Vec::<String>::new());
}
