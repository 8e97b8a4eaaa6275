//! The forms in which exporters write layers of the language.

use super::{Draft, float, int, ints, word};

#[test]
fn a_flatten_by_the_shape_that_a_value_has() {
    let mut draft = Draft::new(&[3, 4, 4]);
    draft.ints("zero", &[0]).ints("rest", &[-1]).weight("fc.weight", &[5, 48]).weight("fc.bias", &[5]);
    draft.node("shape = Shape(x)", vec![]).node("batch = Gather(shape, zero)", vec![int("axis", 0)]);
    draft.node("to = Concat(batch, rest)", vec![int("axis", 0)]).node("flat = Reshape(x, to)", vec![]);
    draft.node("y = Gemm(flat, fc.weight, fc.bias)", vec![int("transB", 1)]);
    assert_eq!(draft.body(), "flatten; fc: linear(CLASSES);");
}

#[test]
fn a_linear_layer_as_product_and_sum() {
    let mut draft = Draft::new(&[6]);
    draft.weight("fc.weight", &[6, 5]).weight("bias", &[5]);
    draft.node("product = MatMul(x, fc.weight)", vec![]).node("y = Add(product, bias)", vec![]);
    assert_eq!(draft.body(), "fc: linear(CLASSES);");
    let found = draft.import().unwrap();
    // The matrix is turned: row by row for each output.
    let given: Vec<f32> = (0..30).map(|i| (i % 7) as f32 * 0.25 - 0.5).collect();
    let turned: Vec<f32> = (0..5).flat_map(|o| (0..6).map(move |i| i * 5 + o)).map(|at| given[at]).collect();
    assert_eq!(found.params, [turned, given[..5].to_vec()]);
}

#[test]
fn padding_before_a_convolution_is_its_own() {
    let mut draft = Draft::new(&[2, 6, 6]);
    draft.weight("conv.weight", &[4, 2, 3, 3]).ints("pads", &[0, 0, 1, 1, 0, 0, 1, 1]);
    draft.node("padded = Pad(x, pads)", vec![]).node("y = Conv(padded, conv.weight)", vec![]);
    assert_eq!(draft.body(), "conv: conv(4, kernel = 3, pad = 1, bias = false);");
    let mut draft = Draft::new(&[2, 6, 6]);
    draft.weight("conv.weight", &[4, 2, 3, 3]);
    draft.node("y = Conv(x, conv.weight)", vec![word("auto_pad", "SAME_UPPER"), ints("strides", &[2, 2])]);
    assert_eq!(draft.body(), "conv: conv(4, kernel = 3, stride = 2, pad = same, bias = false);");
}

#[test]
fn activations_in_several_steps() {
    let one = |steps: &[(&str, Vec<crate::proto::Attribute>)]| {
        let mut draft = Draft::new(&[3, 4, 4]);
        for (name, value) in [
            ("zero", 0.0),
            ("six", 6.0),
            ("three", 3.0),
            ("sixth", 1.0 / 6.0),
            ("half", 0.5),
            ("one", 1.0),
            ("root", std::f32::consts::SQRT_2),
        ] {
            draft.floats(name, &[], vec![value]);
        }
        for (step, attributes) in steps {
            draft.node(step, attributes.clone());
        }
        draft.body()
    };
    let plain = |steps: &[&str]| one(&steps.iter().map(|step| (*step, vec![])).collect::<Vec<_>>());
    let hard = vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)];
    assert_eq!(plain(&["y = Clip(x, zero, six)"]), "relu6;");
    assert_eq!(plain(&["y = Clip(x, zero)"]), "relu;");
    assert_eq!(plain(&["s = Sigmoid(x)", "y = Mul(x, s)"]), "silu;");
    assert_eq!(one(&[("h = HardSigmoid(x)", hard), ("y = Mul(h, x)", vec![])]), "hard_swish;");
    assert_eq!(plain(&["a = Add(x, three)", "b = Clip(a, zero, six)", "y = Div(b, six)"]), "hard_sigmoid;");
    let swish = ["a = Add(x, three)", "b = Clip(a, zero, six)", "c = Mul(x, b)", "y = Div(c, six)"];
    assert_eq!(plain(&swish), "hard_swish;");
    assert_eq!(plain(&["a = Softplus(x)", "b = Tanh(a)", "y = Mul(x, b)"]), "mish;");
    let gelu = ["a = Div(x, root)", "b = Erf(a)", "c = Add(b, one)", "d = Mul(x, c)", "y = Mul(d, half)"];
    assert_eq!(plain(&gelu), "gelu;");
    let gelu = ["h = Mul(x, half)", "a = Div(x, root)", "b = Erf(a)", "c = Add(b, one)", "y = Mul(h, c)"];
    assert_eq!(plain(&gelu), "gelu;");
}

#[test]
fn pools_of_whole_maps() {
    let one = |op: &str, keeps: i64| {
        let mut draft = Draft::new(&[3, 4, 5]);
        draft.node(&format!("p = {op}(x)"), vec![ints("axes", &[-1, -2]), int("keepdims", keeps)]);
        draft
    };
    assert_eq!(one("ReduceMean", 0).body(), "global_avg_pool;");
    assert_eq!(one("ReduceMean", 1).node("y = Flatten(p)", vec![]).body(), "global_avg_pool;");
    assert_eq!(one("ReduceMax", 0).body(), "global_max_pool;");
    assert_eq!(one("ReduceMin", 0).body(), "min_pool((4, 5)); flatten;");
    let mut squeezed = one("GlobalAveragePool", 1);
    squeezed.node("y = Squeeze(p)", vec![ints("axes", &[2, 3])]);
    assert_eq!(squeezed.body(), "global_avg_pool;");
}

#[test]
fn groups_that_are_channels_for_a_while() {
    let mut draft = Draft::new(&[6, 4, 4]);
    draft.ints("to", &[0, 3, -1]).floats("ones", &[3], vec![1.0; 3]).floats("zeros", &[3], vec![0.0; 3]);
    draft.ints("back", &[0, 6, 4, 4]).weight("norm.weight", &[6, 1, 1]).weight("norm.bias", &[6, 1, 1]);
    draft.node("a = Reshape(x, to)", vec![]).node("b = InstanceNormalization(a, ones, zeros)", vec![]);
    draft.node("c = Reshape(b, back)", vec![]).node("d = Mul(c, norm.weight)", vec![]);
    draft.node("y = Add(d, norm.bias)", vec![]);
    assert_eq!(draft.body(), "group_norm(3);");
    let mut draft = Draft::new(&[6, 4, 4]);
    draft.ints("to", &[0, 3, 2, 4, 4]).ints("back", &[0, 6, 4, 4]);
    draft.node("a = Reshape(x, to)", vec![]).node("b = Transpose(a)", vec![ints("perm", &[0, 2, 1, 3, 4])]);
    draft.node("y = Reshape(b, back)", vec![]);
    assert_eq!(draft.body(), "channel_shuffle(3);");
}

#[test]
fn pixels_out_of_channels() {
    let mut draft = Draft::new(&[8, 3, 5]);
    draft.ints("to", &[0, 2, 2, 2, 3, 5]).ints("back", &[0, 2, 6, 10]);
    draft.node("a = Reshape(x, to)", vec![]).node("b = Transpose(a)", vec![ints("perm", &[0, 1, 4, 2, 5, 3])]);
    draft.node("y = Reshape(b, back)", vec![]);
    assert_eq!(draft.body(), "pixel_shuffle(2);");
}

#[test]
fn dimensions_in_another_order() {
    let flattened = |order: &[i64]| {
        let mut draft = Draft::new(&[2, 3, 4]);
        draft.weight("fc.weight", &[5, 24]).node("t = Transpose(x)", vec![ints("perm", order)]);
        draft.node("f = Flatten(t)", vec![]).node("y = Gemm(f, fc.weight)", vec![int("transB", 1)]);
        draft.body()
    };
    assert_eq!(flattened(&[0, 2, 3, 1]), "permute(2, 3, 1); flatten; fc: linear(CLASSES, bias = false);");
    assert_eq!(flattened(&[0, 3, 2, 1]), "permute(3, 2, 1); flatten; fc: linear(CLASSES, bias = false);");
}

#[test]
fn squeeze_and_excitation_by_convolutions_and_by_linear_layers() {
    let mut draft = Draft::new(&[8, 4, 4]);
    draft.weight("fc1.weight", &[2, 8, 1, 1]).weight("fc1.bias", &[2]);
    draft.weight("fc2.weight", &[8, 2, 1, 1]).weight("fc2.bias", &[8]);
    draft.node("p = GlobalAveragePool(x)", vec![]).node("a = Conv(p, fc1.weight, fc1.bias)", vec![]);
    draft.node("b = Relu(a)", vec![]).node("c = Conv(b, fc2.weight, fc2.bias)", vec![]);
    draft.node("s = Sigmoid(c)", vec![]).node("y = Mul(s, x)", vec![]);
    assert_eq!(draft.body(), "squeeze_excite(4);");
    let mut draft = Draft::new(&[8, 4, 4]);
    draft.weight("fc1.weight", &[2, 8]).weight("fc2.weight", &[8, 2]).ints("to", &[0, 8, 1, 1]);
    draft.node("p = ReduceMean(x)", vec![ints("axes", &[2, 3]), int("keepdims", 0)]);
    draft.node("a = Gemm(p, fc1.weight)", vec![int("transB", 1)]).node("b = Relu(a)", vec![]);
    draft.node("c = Gemm(b, fc2.weight)", vec![int("transB", 1)]).node("s = Sigmoid(c)", vec![]);
    draft.node("g = Reshape(s, to)", vec![]).node("y = Mul(x, g)", vec![]);
    assert_eq!(draft.body(), "squeeze_excite(4);");
}

#[test]
fn factors_and_offsets_of_channels_are_layers() {
    let mut draft = Draft::new(&[3, 4, 4]);
    draft.weight("mean", &[3, 1, 1]).weight("std", &[1, 3, 1, 1]);
    draft.node("a = Sub(x, mean)", vec![]).node("y = Div(a, std)", vec![]);
    assert_eq!(draft.body(), "depthwise(1); channel_scale;");
    let mut draft = Draft::new(&[3, 4, 4]);
    draft.weight("factor", &[3, 1, 1]).floats("offset", &[], vec![2.0]);
    draft.node("a = Mul(x, factor)", vec![]).node("y = Add(a, offset)", vec![]);
    assert_eq!(draft.body(), "depthwise(1);");
    assert_eq!(draft.import().unwrap().params, [vec![-0.5, -0.25, 0.0], vec![2.0; 3]]);
}

#[test]
fn windows_that_reach_out_and_padding_on_one_side() {
    let sized = |extent: i64, op: &str, more: Vec<crate::proto::Attribute>| {
        let mut draft = Draft::new(&[3, extent, extent]);
        let window = vec![ints("kernel_shape", &[3, 3]), ints("strides", &[2, 2])];
        draft.node(&format!("y = {op}(x)"), window.into_iter().chain(more).collect());
        draft.body()
    };
    let pool = |op: &str, more: Vec<crate::proto::Attribute>| sized(7, op, more);
    assert_eq!(pool("MaxPool", vec![ints("pads", &[1, 1, 1, 1])]), "max_pool(3, stride = 2, pad = 1);");
    // One more row below than above makes no window more than symmetric padding does.
    assert_eq!(pool("MaxPool", vec![ints("pads", &[0, 0, 1, 1])]), "max_pool(3, stride = 2);");
    assert_eq!(sized(8, "MaxPool", vec![ints("pads", &[0, 0, 1, 1])]), "max_pool(3, stride = 2, ceil);");
    assert_eq!(
        pool("MaxPool", vec![ints("pads", &[2, 2, 2, 2])]),
        "pad(2, value = -3.4028235e38); max_pool(3, stride = 2);"
    );
    assert_eq!(pool("AveragePool", vec![]), "avg_pool(3, stride = 2);");
    assert_eq!(
        pool("AveragePool", vec![ints("pads", &[1, 1, 1, 1])]),
        "avg_pool(3, stride = 2, pad = 1, count_include_pad = false);"
    );
    assert_eq!(
        pool("AveragePool", vec![ints("pads", &[0, 0, 2, 2]), int("count_include_pad", 1)]),
        "pad((0, 2, 0, 2)); avg_pool(3, stride = 2);"
    );
}

#[test]
fn what_repeats_is_a_block() {
    let mut draft = Draft::new(&[4, 8, 8]);
    let (mut before, mut channels) = ("x".to_string(), 4);
    for (i, (out, stride)) in [(4, 1), (8, 2), (8, 1), (8, 1)].into_iter().enumerate() {
        let (first, second) = (format!("layer.{i}.conv1.weight"), format!("layer.{i}.conv2.weight"));
        draft.weight(&first, &[out, channels, 3, 3]).weight(&second, &[out, out, 3, 3]);
        let window = |stride: i64| vec![ints("pads", &[1; 4]), ints("strides", &[stride, stride])];
        draft
            .node(&format!("a{i} = Conv({before}, {first})"), window(stride))
            .node(&format!("b{i} = Relu(a{i})"), vec![]);
        draft.node(&format!("c{i} = Conv(b{i}, {second})"), window(1));
        let mut shortcut = before.clone();
        if (channels, stride) != (out, 1) {
            let down = format!("layer.{i}.downsample.0.weight");
            draft.weight(&down, &[out, channels, 1, 1]);
            draft.node(&format!("d{i} = Conv({before}, {down})"), vec![ints("strides", &[stride, stride])]);
            shortcut = format!("d{i}");
        }
        draft.node(&format!("e{i} = Add(c{i}, {shortcut})"), vec![]).node(&format!("f{i} = Relu(e{i})"), vec![]);
        (before, channels) = (format!("f{i}"), out);
    }
    assert_eq!(
        draft.import().unwrap().source,
        "//! Imported from an ONNX file.

block residual_unit(out, stride = 1) {
    residual {
        conv1: conv(out, kernel = 3, stride, pad = 1, bias = false); relu;
        conv2: conv(out, kernel = 3, pad = 1, bias = false);
    } shortcut if stride != 1 || channels != out {
        downsample: { conv(out, kernel = 1, stride, bias = false); }
    }
    relu;
}

pub struct Imported: [4, 8, 8] -> [8, 4, 4] {
    layer: {
        residual_unit(4);
        residual_unit(8, stride = 2);
        repeat 2 { residual_unit(8); }
    }
}
"
    );
}

#[test]
fn numbers_of_a_block_within_a_block_keep_their_names() {
    // Modules of two layers in modules; of the first parameters with defaults, only a later one differs.
    let mut draft = Draft::new(&[4, 9, 9]);
    let mut before = "x".to_string();
    for (i, dilation) in [1, 2, 3].into_iter().enumerate() {
        for (part, kernel, pad) in [("a", 1, 0), ("b", 3, 1)] {
            let (weight, value) = (format!("body.{i}.{part}.0.weight"), format!("{part}{i}"));
            draft.weight(&weight, &[4, 4, kernel, kernel]);
            let dilations = ints("dilations", &if part == "b" { [dilation; 2] } else { [1; 2] });
            draft.node(&format!("{value} = Conv({before}, {weight})"), vec![ints("pads", &[pad; 4]), dilations]);
            draft.node(&format!("{value}r = Relu({value})"), vec![]);
            draft.graph.node.last_mut().unwrap().name = format!("/body/body.{i}/{part}/{part}.1/Relu");
            before = format!("{value}r");
        }
        let weight = format!("body.{i}.c.weight");
        draft.weight(&weight, &[4, 4, 1, 1]);
        draft.node(&format!("c{i} = Conv({before}, {weight})"), vec![]);
        before = format!("c{i}");
    }
    let found = draft.import().unwrap();
    assert!(found.notes.is_empty(), "{:?}", found.notes);
    assert!(found.source.contains("unit(3, pad = 1, dilation = dilation);"), "{}", found.source);
    assert_eq!(found.graph.output_shape().chw(), [4, 3, 3], "{}", found.source);
}

#[test]
fn equal_statements_of_a_block_may_differ_in_another_one() {
    let mut draft = Draft::new(&[2, 9, 9]);
    let mut before = "x".to_string();
    for (i, dilations) in [[1, 2, 1], [1, 2, 2], [2, 2, 1]].into_iter().enumerate() {
        for (j, dilation) in dilations.into_iter().enumerate() {
            let weight = format!("layer{i}.{j}.weight");
            draft.weight(&weight, &[2, 2, 3, 3]);
            let window = vec![ints("pads", &[dilation; 4]), ints("dilations", &[dilation; 2])];
            draft.node(&format!("v{i}{j} = Conv({before}, {weight})"), window);
            before = format!("v{i}{j}");
        }
    }
    let found = draft.import().unwrap();
    assert!(found.notes.is_empty(), "{:?}\n{}", found.notes, found.source);
}

#[test]
fn what_looks_like_another_layer_is_none() {
    let refused = |draft: &mut Draft| draft.import().unwrap_err().to_string();
    // Whole numbers on the way.
    let mut draft = Draft::new(&[3, 4, 4]);
    draft.node("a = Cast(x)", vec![int("to", 2)]).node("y = Cast(a)", vec![int("to", 1)]);
    assert!(refused(&mut draft).contains("whole numbers"));
    // Zeros before padding that goes by the size.
    let mut draft = Draft::new(&[2, 8, 8]);
    draft.weight("conv.weight", &[5, 2, 3, 3]).ints("pads", &[0, 0, 1, 0, 0, 0, 1, 1]);
    draft.node("a = Pad(x, pads)", vec![]);
    draft.node("y = Conv(a, conv.weight)", vec![word("auto_pad", "SAME_UPPER"), ints("strides", &[2, 2])]);
    assert_eq!(draft.import().unwrap().graph.output_shape().chw(), [5, 5, 5]);
    // Width before height.
    let mut draft = Draft::new(&[2, 4, 4]);
    draft.ints("sizes", &[4, 8]).node("y = Resize(x, , , sizes)", vec![ints("axes", &[3, 2])]);
    assert!(refused(&mut draft).contains("in another order"));
    // Windows that begin in padding that is a part of the map here.
    let mut draft = Draft::new(&[2, 8, 7]);
    let window = vec![ints("kernel_shape", &[3, 3]), ints("strides", &[2, 2]), ints("pads", &[0, 0, 2, 2])];
    draft.node("y = MaxPool(x)", window.into_iter().chain([int("ceil_mode", 1)]).collect());
    assert!(draft.import().map_or(true, |found| found.graph.output_shape().chw() == [2, 4, 4]));
}
