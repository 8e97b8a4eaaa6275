//! Files that are not what they say.

use super::{Draft, float, int, ints, value};
use crate::import::{ImportError, ImportOptions, import};
use crate::proto::{Attribute, DataLocation, DataType, Dimension, Entry, Extent, Shape, Tensor};
use prost::bytes::Bytes;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

fn conv() -> Draft {
    let mut draft = Draft::new(&[1, 4, 4]);
    draft.weight("conv.weight", &[2, 1, 3, 3]).node("y = Conv(x, conv.weight)", vec![]);
    draft
}

fn told(draft: &Draft) -> String {
    draft.import().unwrap_err().to_string()
}

#[test]
fn what_is_no_model() {
    for bytes in [&b""[..], b"PK\x03\x04", b"\x08\x0a", &[0xff; 64]] {
        let error = import(Bytes::copy_from_slice(bytes), &|_| Err(String::new()), &ImportOptions::default());
        assert!(matches!(error, Err(ImportError::Format(_))), "{bytes:?}");
    }
}

#[test]
fn sizes_are_held_against_what_is_there() {
    let mut draft = conv();
    draft.graph.initializer[0].dims = vec![1 << 40, 1 << 40, 3, 3];
    assert_eq!(told(&draft), "the tensor `conv.weight`: its dimensions are larger than any file");
    draft.graph.initializer[0].dims = vec![1 << 30, 1, 3, 3];
    assert!(told(&draft).contains("its dimensions need 9663676416 elements, and there are 18"));
    draft.graph.initializer[0].dims = vec![-2, 1, 3, 3];
    assert!(told(&draft).contains("a dimension is negative"));
    let mut draft = conv();
    draft.ints("shape", &[i64::MAX, 2]).node("huge = ConstantOfShape(shape)", vec![]).node("z = Add(y, huge)", vec![]);
    assert!(matches!(draft.import(), Err(ImportError::Unsayable(_))));
    let mut draft = conv();
    draft.node("z = MaxPool(y)", vec![ints("kernel_shape", &[i64::MAX, 1])]);
    assert!(told(&draft).contains("its window is larger than the map"));
}

#[test]
fn weights_outside_are_in_the_same_folder() {
    let mut draft = conv();
    let entry = |key: &str, value: &str| Entry { key: key.into(), value: value.into() };
    let outside = |location: &str, offset: &str, length: &str| Tensor {
        name: "conv.weight".into(),
        dims: vec![2, 1, 3, 3],
        data_type: Some(DataType::Float.into()),
        external_data: vec![entry("location", location), entry("offset", offset), entry("length", length)],
        data_location: Some(DataLocation::External.into()),
        ..Tensor::default()
    };
    let file: Bytes = (0..20).flat_map(|i| (i as f32).to_le_bytes()).collect::<Vec<_>>().into();
    let mut read = |tensor: Tensor| {
        draft.graph.initializer[0] = tensor;
        let beside = |name: &str| if name == "w.data" { Ok(file.clone()) } else { Err(format!("cannot read {name}")) };
        import(draft.bytes(), &beside, &ImportOptions::default()).map(|found| found.params)
    };
    let values: Vec<f32> = (2..20).map(|i| i as f32).collect();
    assert_eq!(read(outside("w.data", "8", "72")).unwrap(), [values]);
    for location in ["../w.data", "/etc/passwd", "..", "a/w.data", "C:\\w.data", ""] {
        let text = read(outside(location, "8", "72")).unwrap_err().to_string();
        assert!(text.contains("only files in the model's own folder are read"), "{location}: {text}");
    }
    assert!(read(outside("other", "0", "72")).unwrap_err().to_string().contains("cannot read other"));
    for (offset, length) in [("12", "72"), ("18446744073709551615", "72"), ("90", "72")] {
        assert!(read(outside("w.data", offset, length)).unwrap_err().to_string().contains("would end beyond w.data"));
    }
    assert!(read(outside("w.data", "-1", "72")).unwrap_err().to_string().contains("is no number"));
}

#[test]
fn graphs_that_contradict_themselves() {
    let mut draft = Draft::new(&[1, 4, 4]);
    draft.node("y = Relu(z)", vec![]).node("z = Relu(y)", vec![]);
    assert_eq!(told(&draft), "the node `y`: it reads `z`, which nothing before it gives");
    let mut draft = Draft::new(&[1, 4, 4]);
    draft.node("y = Relu(x)", vec![]).node("y = Relu(x)", vec![]);
    assert_eq!(told(&draft), "the node `y`: it gives `y`, which is there already");
    let mut draft = conv();
    draft.graph.input.push(value("z", Shape::default()));
    assert_eq!(told(&draft), "the input of this model: there are 2, `x`, `z`; a network has one");
    draft.graph.input.clear();
    assert_eq!(told(&draft), "the input of this model: it has none");
    let open = Dimension { extent: Some(Extent::Name("height".into())) };
    draft.graph.input = vec![value("x", Shape { dim: vec![open.clone(), open.clone(), open.clone(), open] })];
    assert!(told(&draft).contains("the file leaves the shape of `x` open"));
    let mut options = ImportOptions { input: Some(vec![1, 6, 6]), ..ImportOptions::default() };
    let found = import(draft.bytes(), &|_| Err(String::new()), &options).unwrap();
    assert_eq!(found.graph.output_shape().chw(), [2, 4, 4]);
    options.output = Some("nowhere".into());
    let error = import(draft.bytes(), &|_| Err(String::new()), &options).unwrap_err();
    assert_eq!(error.to_string(), "the output of this model: no operator gives `nowhere`");
}

#[test]
fn what_cannot_be_said_is_listed_once() {
    let mut draft = Draft::new(&[3, 4, 4]);
    draft.node("a = Einsum(x)", vec![]).node("b = Relu(a)", vec![]).node("c = Sign(x)", vec![]);
    draft.node("y = Add(b, c)", vec![]);
    assert_eq!(
        told(&draft),
        "2 operators of this model cannot be said in the language:
  Einsum `a` of [3, 4, 4]: the language has no such layer
  Sign `c` of [3, 4, 4]: the language has no such layer"
    );
    let mut draft = Draft::new(&[3, 4, 4]);
    draft.node("y = Softmax(x)", vec![int("axis", 3)]);
    assert_eq!(
        told(&draft),
        "one operator of this model cannot be said in the language:
  Softmax `y` of [3, 4, 4]: it is over dimension 3 of 4, and that of the language over channels"
    );
    // What a layer gives beside its value.
    let mut draft = Draft::new(&[4]);
    draft.node("a = Split(x)", vec![]).graph.node[0].output.push("b".into());
    draft.node("y = Add(a, b)", vec![]);
    let why = "it reads a value of 2 dimensions, and layers of maps read [N, C, H, W]";
    assert!(told(&draft).ends_with(&format!("\n  Split `a` of [4]: {why}")), "{}", told(&draft));
    // One branch reads what is inside the other one.
    let mut draft = Draft::new(&[3, 4, 4]);
    draft.node("a = Relu(x)", vec![]).node("b = Tanh(a)", vec![]).node("c = Add(b, x)", vec![]);
    draft.node("y = Add(c, a)", vec![]);
    assert!(told(&draft).contains("the branches of this model are not nested: `a`"), "{}", told(&draft));
}

/// A network with most of what is looked at in attributes and lists of numbers.
fn rich() -> Draft {
    let mut draft = Draft::new(&[4, 9, 9]);
    draft.weight("a.weight", &[8, 2, 3, 3]).weight("a.bias", &[8]).weight("t.weight", &[8, 2, 2, 2]);
    let window = vec![ints("kernel_shape", &[3, 3]), ints("strides", &[2, 1]), ints("pads", &[1, 0, 1, 1])];
    let more = vec![ints("dilations", &[1, 1]), int("group", 2)];
    draft.node("a = Conv(x, a.weight, a.bias)", window.iter().cloned().chain(more).collect());
    draft.node("b = MaxPool(a)", window.iter().cloned().chain([int("ceil_mode", 1)]).collect());
    draft.node("c = AveragePool(a)", window.into_iter().chain([int("count_include_pad", 1)]).collect());
    draft.node("d = Add(b, c)", vec![]);
    let transposed = vec![ints("strides", &[2, 2]), ints("output_padding", &[1, 0]), ints("pads", &[0, 1, 1, 0])];
    draft.node("e = ConvTranspose(d, t.weight)", transposed);
    draft.ints("pads", &[0, 0, 1, 1, 0, 0, 1, 1]).node("f = Pad(e, pads)", vec![]);
    draft.ints("starts", &[1]).ints("ends", &[-1]).ints("axes", &[2]);
    draft.node("g = Slice(f, starts, ends, axes)", vec![]).ints("groups", &[0, 2, -1, 1, 1]).ints("back", &[0, -1]);
    draft.node("shape = Shape(g)", vec![]).node("batch = Gather(shape, axes)", vec![int("axis", 0)]);
    draft.node("h = ReduceMean(g)", vec![ints("axes", &[2, 3]), int("keepdims", 1)]);
    draft.node("i = LRN(h)", vec![int("size", 3), float("alpha", 0.1), float("beta", 0.5), float("bias", 2.0)]);
    draft.node("j = Reshape(i, groups)", vec![]).node("k = Transpose(j)", vec![ints("perm", &[0, 2, 1, 3, 4])]);
    draft.node("l = Reshape(k, back)", vec![]).node("m = Softmax(l)", vec![int("axis", 1)]);
    draft
}

/// Numbers that files have by mistake or by malice.
const NUMBERS: [i64; 14] =
    [0, 1, -1, 2, 3, 5, -7, 64, 255, 1 << 20, i32::MAX as i64, i32::MIN as i64, i64::MAX, i64::MIN];

fn changed(attribute: &mut Attribute, rng: &mut StdRng) {
    let any = |rng: &mut StdRng| *NUMBERS.choose(rng).unwrap();
    match rng.gen_range(0..5) {
        0 => attribute.ints.iter_mut().for_each(|value| *value = any(rng)),
        1 => attribute.ints.push(any(rng)),
        2 => drop(attribute.ints.pop()),
        3 => attribute.i = Some(any(rng)),
        _ => attribute.f = Some([f32::NAN, f32::INFINITY, -0.0, 1e-40, -3.0, 1e38][rng.gen_range(0..6)]),
    }
}

#[test]
fn no_number_and_no_name_leads_to_a_panic() {
    let rng = &mut StdRng::seed_from_u64(1);
    let (plain, mut said) = (rich(), 0);
    assert!(plain.import().is_ok(), "{}", told(&plain));
    for _ in 0..4000 {
        let mut draft = Draft { graph: plain.graph.clone(), opset: *[7, 9, 11, 13, 18, 21].choose(rng).unwrap() };
        for _ in 0..rng.gen_range(1..4) {
            let node = rng.gen_range(0..draft.graph.node.len());
            let names: Vec<String> = draft.graph.node.iter().flat_map(|node| node.output.clone()).collect();
            let node = &mut draft.graph.node[node];
            match rng.gen_range(0..6) {
                0 | 1 if !node.attribute.is_empty() => changed(node.attribute.choose_mut(rng).unwrap(), rng),
                2 => *node.input.choose_mut(rng).unwrap() = names.choose(rng).unwrap().clone(),
                3 => {
                    node.op_type =
                        ["Conv", "Gemm", "Reshape", "Concat", "Mul", "Resize", "Flatten"][rng.gen_range(0..7)].into()
                }
                4 => node.input.truncate(1),
                _ => {
                    let tensor = draft.graph.initializer.choose_mut(rng).unwrap();
                    match rng.gen_bool(0.5) {
                        true => *tensor.dims.choose_mut(rng).unwrap() = *NUMBERS.choose(rng).unwrap(),
                        false => tensor.int64_data.iter_mut().for_each(|value| *value = *NUMBERS.choose(rng).unwrap()),
                    }
                }
            }
        }
        said += usize::from(draft.import().is_ok());
    }
    assert!(said > 100, "{said}");
}
