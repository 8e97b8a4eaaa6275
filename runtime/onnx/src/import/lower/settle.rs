//! What is left when all operators are read: steps that no later one made a layer of, and layers that are better said as one.

use super::arithmetic::{MOST_CHANNELS, by_channel};
use crate::import::constant::Constant;
use crate::import::draft::{Draft, Id, Layer, Node, Op, Output, Step, Value, Weight};
use std::collections::HashMap;

/// A step that the language has no layer for, and why.
pub struct Left {
    pub id: Id,
    pub reason: String,
}

/// Only layers, sums and concatenations, in an order in which each reads what is before it; the last one is the output.
///
/// In a file of ours (`own`), a factor behind a batch normalisation is a layer of its own.
pub fn settle(draft: &Draft, own: bool) -> Result<Draft, Vec<Left>> {
    let (mut settled, mut left, mut places) = (Draft::default(), Vec::new(), HashMap::new());
    let alive = draft.alive();
    let mut readers = vec![0_usize; draft.nodes.len()];
    for node in draft.nodes.iter().zip(&alive).filter(|(_, alive)| **alive).map(|(node, _)| node) {
        node.inputs.iter().for_each(|input| readers[*input] += 1);
    }
    draft.outputs.iter().for_each(|output| readers[output.id] += 1);
    let mut joined: HashMap<Vec<Id>, Id> = HashMap::new();
    for (id, node) in draft.nodes.iter().enumerate().filter(|(id, _)| alive[*id]) {
        let inputs: Vec<Id> = node.inputs.iter().map(|input| places.get(input).copied().unwrap_or(0)).collect();
        let mut node = Node { inputs, ..node.clone() };
        match &node.op {
            Op::Step(Step::Product) if is_gate(&node, &settled) => {
                // The map first, then what it is multiplied by.
                if settled.nodes[node.inputs[0]].dims != node.dims {
                    node.inputs.reverse();
                }
                node.op = Op::Gate;
            }
            Op::Step(step) => match said(step, &node, &settled) {
                Ok(layered) if !own && readers[draft.nodes[id].inputs[0]] == 1 => {
                    node = absorbed(step, &layered, &settled).unwrap_or(layered);
                }
                Ok(layered) => node = layered,
                Err(reason) => {
                    left.push(Left { id, reason });
                    continue;
                }
            },
            Op::Layer(layer) if layer.word == "flatten" => {
                // A pool that only the flatten reads.
                let alone = draft.nodes[id].inputs.first().is_some_and(|input| readers[*input] == 1);
                if let Some(dropout) = flattened_before(&node, &mut settled).filter(|_| alone) {
                    places.insert(id, dropout);
                    continue;
                }
                if let Some(pool) = node.inputs.first().and_then(|input| settled.nodes.get(*input)).filter(|_| alone)
                    && let Some(word) = global(pool, &settled)
                {
                    let inputs = pool.inputs.clone();
                    node = Node { op: Op::Layer(Layer::new(word, Vec::new())), inputs, ..node };
                }
            }
            Op::Concat => {
                shortened(&mut node, &mut joined, settled.nodes.len());
            }
            Op::Input | Op::Layer(_) | Op::Add | Op::Gate => {}
        }
        places.insert(id, settled.push(node));
    }
    // What follows from another one has no reason of its own.
    left.retain(|left| !left.reason.is_empty());
    if !left.is_empty() {
        return Err(left);
    }
    let moved = |output: &Output| Output { id: places.get(&output.id).copied().unwrap_or(0), ..output.clone() };
    settled.outputs = draft.outputs.iter().map(moved).collect();
    Ok(compact(settled))
}

/// Without what nobody reads any more.
fn compact(draft: Draft) -> Draft {
    let alive = draft.alive();
    let (mut kept, mut places) = (Draft::default(), vec![0; draft.nodes.len()]);
    for (id, mut node) in draft.nodes.into_iter().enumerate() {
        // The input stays, whoever reads it.
        if alive[id] || id == 0 {
            node.inputs.iter_mut().for_each(|input| *input = places[*input]);
            places[id] = kept.push(node);
        }
    }
    kept.outputs = draft.outputs.into_iter().map(|output| Output { id: places[output.id], ..output }).collect();
    kept
}

/// A pool of a whole map before a flatten as one word.
fn global(pool: &Node, draft: &Draft) -> Option<&'static str> {
    let Op::Layer(layer) = &pool.op else { return None };
    let [_, height, width] = draft.nodes.get(*pool.inputs.first()?)?.dims[..] else { return None };
    match layer.word {
        "adaptive_avg_pool" if pool.dims.get(1..) == Some(&[1, 1]) => Some("global_avg_pool"),
        "max_pool" => {
            let whole = Layer::new("max_pool", vec![("kernel", Value::pair([height, width]))]);
            (whole.written() == layer.written()).then_some("global_max_pool")
        }
        _ => None,
    }
}

/// Dropout of what a pool left of each channel, of the vector instead.
fn flattened_before(flatten: &Node, draft: &mut Draft) -> Option<Id> {
    let dropout = draft.nodes.get(*flatten.inputs.first()?)?.clone();
    if !matches!(&dropout.op, Op::Layer(layer) if layer.word == "dropout") {
        return None;
    }
    let pool = draft.nodes.get(*dropout.inputs.first()?)?;
    let word = global(pool, draft)?;
    let inputs = pool.inputs.clone();
    let flat = Node { op: Op::Layer(Layer::new(word, Vec::new())), inputs, weights: Vec::new(), ..flatten.clone() };
    let dims = flat.dims.clone();
    let flat = draft.push(flat);
    Some(draft.push(Node { inputs: vec![flat], dims, ..dropout }))
}

/// A concatenation whose first or last parts are another one together reads that: DenseNet joins all that came before, again and again.
fn shortened(node: &mut Node, joined: &mut HashMap<Vec<Id>, Id>, id: Id) {
    let all = node.inputs.clone();
    let longest = (2..all.len()).rev().find_map(|len| joined.get(&all[..len]).map(|known| (len, *known)));
    let latest = || (2..all.len()).rev().find_map(|len| joined.get(&all[all.len() - len..]).map(|known| (len, *known)));
    if let Some((len, known)) = longest {
        node.inputs = std::iter::once(known).chain(all[len..].iter().copied()).collect();
    } else if let Some((len, known)) = latest() {
        node.inputs = all[..all.len() - len].iter().copied().chain([known]).collect();
    }
    joined.insert(all, id);
}

/// Whether a product is one of the language.
fn is_gate(product: &Node, draft: &Draft) -> bool {
    let [a, b] = product.inputs[..] else { return false };
    let (a, b) = (&draft.nodes[a].dims, &draft.nodes[b].dims);
    let is_factors = |factors: &[usize], of: &[usize]| matches!((factors, of), ([c, 1, 1], [d, _, _]) if c == d);
    matches!(a.len(), 1 | 3) && (a == b || is_factors(a, b) || is_factors(b, a))
}

/// A batch normalisation with the factor or the offset behind it, which Caffe has as a layer of its own.
fn absorbed(step: &Step, layered: &Node, draft: &Draft) -> Option<Node> {
    let norm = draft.nodes.get(*layered.inputs.first()?)?;
    if !matches!(&norm.op, Op::Layer(layer) if layer.word == "batch_norm") {
        return None;
    }
    let [weight, bias, mean, variance] = norm.weights.as_slice() else { return None };
    let (times, plus) = match step {
        Step::Times(factor) => (by_channel(factor, &norm.dims)?.values, None),
        Step::Plus(offset) => (vec![1.0; weight.values.len()].into(), Some(by_channel(offset, &norm.dims)?.values)),
        _ => return None,
    };
    let each = |values: &[f32], offset: Option<&[f32]>| -> std::rc::Rc<[f32]> {
        let scaled = values.iter().zip(times.iter()).map(|(value, factor)| value * factor);
        match offset {
            Some(offset) => scaled.zip(offset).map(|(value, offset)| value + offset).collect(),
            None => scaled.collect(),
        }
    };
    let weight = Weight { values: each(&weight.values, None), ..weight.clone() };
    let bias = Weight { values: each(&bias.values, plus.as_deref()), ..bias.clone() };
    Some(Node { weights: vec![weight, bias, mean.clone(), variance.clone()], ..norm.clone() })
}

/// A step as a layer.
fn said(step: &Step, node: &Node, draft: &Draft) -> Result<Node, String> {
    let made = |layer: Layer, weights: Vec<Weight>| Node { op: Op::Layer(layer), weights, ..node.clone() };
    let scale = |factor: Weight| made(Layer::new("channel_scale", Vec::new()), vec![factor]);
    let dims = &node.dims;
    let channels = dims.first().copied().unwrap_or(0);
    let filled = |value: f32| Weight { shape: vec![channels], values: vec![value; channels].into(), name: None };
    let numbers = |constant: &Constant| {
        let by_channel = by_channel(constant, dims).filter(|_| matches!(dims.len(), 1 | 3));
        by_channel
            .ok_or_else(|| format!("its constant has the shape {:?}, not one number for each channel", constant.shape))
    };
    match step {
        Step::Times(factor) => numbers(factor).map(scale),
        Step::Negative if matches!(dims.len(), 1 | 3) && channels <= MOST_CHANNELS => Ok(scale(filled(-1.0))),
        Step::Plus(offset) => {
            let bias = numbers(offset)?;
            if dims.len() != 3 || channels > MOST_CHANNELS {
                return Err("it adds numbers to a vector; only layers with weights have a bias".into());
            }
            // Behind a factor it is that layer's bias.
            let before = node.inputs.first().and_then(|id| draft.nodes.get(*id));
            let scaled =
                before.filter(|before| matches!(&before.op, Op::Layer(layer) if layer.word == "channel_scale"));
            let (inputs, factor) = match scaled {
                Some(scaled) => (scaled.inputs.clone(), scaled.weights.first().cloned().unwrap_or_else(|| filled(1.0))),
                None => (node.inputs.clone(), filled(1.0)),
            };
            let weight = Weight { shape: vec![channels, 1, 1, 1], ..factor };
            let args = vec![("kernel", Value::Number(1)), ("bias", Value::Flag(true))];
            // Of a single channel, the two are the same.
            Ok(Node { inputs, ..made(Layer::new("depthwise", args), vec![weight, bias]) })
        }
        Step::Reshape => Err(format!("it makes the shape {dims:?} of its input's")),
        Step::Transpose(order)
            if order.as_slice() == [2, 0, 1]
                && node.inputs.first().is_some_and(|input| matches!(draft.nodes[*input].op, Op::Input)) =>
        {
            Err("its images have their channels last; export it with channels first (tf2onnx: `--inputs-as-nchw`)"
                .into())
        }
        Step::Transpose(order) if order.len() == 3 => {
            let names = ["channels", "height", "width"];
            let args = names.into_iter().zip(order).map(|(name, from)| (name, Value::Number(from + 1))).collect();
            Ok(made(Layer::new("permute", args), Vec::new()))
        }
        Step::Transpose(order) => Err(format!("it puts the dimensions in the order {order:?}")),
        Step::Expand => Err("it repeats values along a dimension".into()),
        Step::Negative => Err("it reads neither a map nor a vector".into()),
        Step::Power(exponent) => Err(format!("it raises to the power {exponent}")),
        Step::Quotient => Err("the language has no quotient of two branches".into()),
        Step::Product => {
            Err("a `gate` multiplies two values of one shape, or a map by a factor for each channel".into())
        }
        Step::Erf => Err("alone it is no activation of the language".into()),
        Step::Normalised { .. } => Err("it normalises what is no map".into()),
        Step::Matrix { .. } => Err("it multiplies maps by a matrix".into()),
        Step::ChannelMean(_) => Err("it is a mean over neighbouring channels".into()),
        Step::Unsayable(reason) => Err(reason.clone()),
    }
}
