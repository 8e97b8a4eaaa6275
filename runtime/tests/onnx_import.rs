//! What is exported comes back as the same network, and what others write as one that a person would have written.
#![deny(warnings)]

mod common;
#[path = "common/meaning.rs"]
mod meaning;
#[path = "common/random_graph.rs"]
mod random_graph;

use convnet::engine::Isa;
use convnet::graph::Graph;
use convnet::language::{Sizes, read};
use convnet::net::{AnyNetwork, Map};
use convnet::onnx::{self, Import, ImportOptions, OnnxError, Options};
use convnet::prelude::*;
use convnet_language::words;
use meaning::meaning;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The largest error, as a share of the largest output, where ONNX has a word only decomposed.
const TOLERANCE: f64 = 1e-5;

fn imported(bytes: &[u8]) -> Result<Import, OnnxError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    std::fs::write(&path, bytes).unwrap();
    onnx::import(&path, &ImportOptions::default())
}

/// A network as an ONNX file, with random parameters and images.
fn exported(graph: &Graph, seed: u64) -> (Vec<u8>, Vec<Map<f32, Cpu>>, Vec<f32>) {
    let (params, images) = common::random::<f32>(graph, 2, seed);
    let numbers: Vec<Vec<f32>> = params.iter().map(Tensor::as_vec).collect();
    let bytes = onnx::export_graph(graph, &numbers, &Options::default()).unwrap().to_bytes().unwrap();
    (bytes, params, images.as_vec())
}

/// What a network gives for two images: its own output and, after that, further ones by their names.
fn outputs(graph: &Graph, params: &[Map<f32, Cpu>], images: &[f32]) -> Vec<f32> {
    let mut output = vec![f32::NAN; 2 * graph.output_len()];
    common::freeze(Isa::detect(), graph, params, 2, false).run(images, &mut output).unwrap();
    let mut start = 0;
    let mut places: Vec<(&str, std::ops::Range<usize>)> = Vec::new();
    for end in graph.outputs.iter() {
        let len = graph.nodes[end.node].shape.len();
        places.push((&end.name, start..start + len));
        start += len;
    }
    places[1..].sort_by_key(|(name, _)| *name);
    output
        .chunks_exact(start)
        .flat_map(|row| places.iter().flat_map(|(_, place)| &row[place.clone()]))
        .copied()
        .collect()
}

fn params(import: &Import) -> Vec<Map<f32, Cpu>> {
    let net = import.build(&Cpu::default()).unwrap();
    convnet::net::params(&net as &dyn AnyNetwork<f32, Cpu>).unwrap()
}

/// The declaration of a word's example.
fn example(example: &str) -> (String, Graph) {
    for input in [vec![16, 12, 12], vec![16]] {
        let Ok(output) = convnet_language::shape(example, &input) else { continue };
        let text = format!("struct Example: {input:?} -> {output:?} {{ {example}; }}");
        let graph = read(&text, &Sizes::default()).unwrap().remove(0).graph;
        return (text, graph);
    }
    panic!("no shape fits {example}")
}

#[test]
fn every_layer_comes_back() {
    // What ONNX has in other words: a table of weights with zeros, a convolution, windows as large as bins, the mean of one.
    let decomposed = ["subsample", "adaptive_avg_pool", "avg_pool"];
    let mut again = 0;
    for word in words::all() {
        let (text, graph) = example(word.signature.example);
        let (bytes, before, images) = exported(&graph, 3);
        let import = imported(&bytes).unwrap_or_else(|error| panic!("{text}: {error}"));
        let (expected, found) = (outputs(&graph, &before, &images), outputs(&import.graph, &params(&import), &images));
        if meaning(&graph) == meaning(&import.graph) {
            again += 1;
            assert!(expected.iter().zip(&found).all(|(a, b)| a.to_bits() == b.to_bits()), "{text}\n{}", import.source);
        } else {
            assert!(decomposed.contains(&word.name()), "{text}\n{}", import.source);
            close(&expected, &found, &text);
        }
    }
    assert!(again > 45, "{again}");
}

fn close(expected: &[f32], found: &[f32], what: &str) {
    let largest = expected.iter().fold(1e-30_f64, |most, x| most.max(f64::from(x.abs())));
    for (a, b) in expected.iter().zip(found) {
        let error = (f64::from(*a) - f64::from(*b)).abs() / largest;
        assert!(error <= TOLERANCE, "{what}: {error:e}");
    }
}

#[test]
fn random_networks_come_back_or_say_why_not() {
    let (mut same, mut agree, mut refused) = (0, 0, 0);
    for seed in 0..120 {
        let graph = random_graph::of_seed(seed);
        let (bytes, before, images) = exported(&graph, seed);
        let import = match imported(&bytes) {
            Ok(import) => import,
            Err(error) => {
                let text = error.to_string();
                assert!(
                    text.contains("cannot be said in the language") || text.contains("not nested"),
                    "{seed}: {text}"
                );
                refused += 1;
                continue;
            }
        };
        let (expected, found) = (outputs(&graph, &before, &images), outputs(&import.graph, &params(&import), &images));
        close(&expected, &found, &format!("{seed}: {}", import.source));
        agree += 1;
        same += usize::from(meaning(&graph) == meaning(&import.graph));
    }
    // Those that are not have gates that only `squeeze_excite` can say, minima over channels, or branches that are not nested.
    assert!(agree >= 80 && same >= 50 && refused + agree == 120, "{agree} agree, {same} of them the same networks");
}

#[test]
fn several_outputs_come_back() {
    let text = "block level(n) { conv(n, kernel = 3, pad = 1); relu; output out: [2, 8, 8] = conv(2, kernel = 1); }
        struct Pyramid: [3, 8, 8] -> [4, 8, 8] {
            first: level(6);
            residual {
                conv(8, kernel = 3, stride = 2, pad = 1); relu;
                inner: conv(4, kernel = 1);
                output p3: [4, 4, 4] = conv(4, kernel = 3, pad = 1);
                upsample(2);
            } shortcut {
                lateral: conv(4, kernel = 1);
            }
            output seen: [4, 8, 8] = identity;
            output objects: [5] { global_avg_pool; classes: { linear(7); relu; linear(5); } }
            second: level(4);
        }";
    let graph = read(text, &Sizes::default()).unwrap().remove(0).graph;
    let (bytes, before, images) = exported(&graph, 5);
    let import = imported(&bytes).unwrap();
    for line in [
        "output p3: [4, 4, 4] = conv(4, kernel = 3, pad = 1);",
        "output seen: [4, 8, 8] = identity;",
        "output objects: [5] {",
        "block unit(out)",
    ] {
        assert!(import.source.contains(line), "{line}\n{}", import.source);
    }
    assert_eq!(meaning(&graph), meaning(&import.graph), "{}", import.source);
    let names = |graph: &Graph| graph.outputs.iter().map(|output| output.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&graph), names(&import.graph));
    let keys = |graph: &Graph| graph.params.iter().map(|param| param.name.to_string()).collect::<Vec<_>>();
    assert_eq!(keys(&graph), keys(&import.graph));
    assert_eq!(outputs(&graph, &before, &images), outputs(&import.graph, &params(&import), &images));
    // One of them alone, with what it needs.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    std::fs::write(&path, bytes).unwrap();
    let mut options = ImportOptions::default();
    options.output = Some("p3".into());
    let one = onnx::import(&path, &options).unwrap();
    assert_eq!((one.graph.outputs.len(), one.graph.output_shape().chw()), (1, [4, 4, 4]));
    assert!(!one.source.contains("second") && !one.source.contains("output"), "{}", one.source);
    options.output = Some("p4".into());
    let error = onnx::import(&path, &options).unwrap_err().to_string();
    assert!(error.contains("no operator gives `p4`"), "{error}");
}

/// What `tests/onnx/small.py` has PyTorch write of one network: by its older exporter, by the same with batch normalisations left as they are,
/// and by its newer one. With `UPDATE_IMPORTS=1` the texts are kept as they are now.
#[test]
fn what_pytorch_exports_reads_as_a_person_would_write_it() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/imports");
    let numbers = |name: &str| -> Vec<f32> {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
    };
    let (images, expected) = (numbers("small.input"), numbers("small.output"));
    for exporter in ["torchscript", "whole", "dynamo"] {
        let import = onnx::import(&folder.join(format!("small.{exporter}.onnx")), &ImportOptions::default()).unwrap();
        let text = folder.join(format!("small.{exporter}.cnn"));
        if std::env::var_os("UPDATE_IMPORTS").is_some() {
            std::fs::write(&text, &import.source).unwrap();
        }
        assert_eq!(import.source, std::fs::read_to_string(&text).unwrap(), "{exporter}");
        close(&expected, &outputs(&import.graph, &params(&import), &images), exporter);
        assert_eq!(import.weights.entries.len(), import.graph.params.len());
    }
}

/// Bytes that are changed here and there.
fn damaged(bytes: &[u8], rng: &mut StdRng) -> Vec<u8> {
    let mut found = bytes.to_vec();
    for _ in 0..rng.gen_range(1..6) {
        let at = rng.gen_range(0..found.len());
        match rng.gen_range(0..5) {
            0 => found[at] ^= 1 << rng.gen_range(0..8),
            1 => found[at] = rng.gen_range(0..=255),
            2 => found.truncate(at.max(1)),
            3 => drop(found.remove(at)),
            _ => {
                let from = rng.gen_range(0..found.len());
                let part = found[from..(from + rng.gen_range(1..40)).min(found.len())].to_vec();
                found.splice(at..at, part);
            }
        }
        if found.is_empty() {
            found.push(0);
        }
    }
    found
}

/// With `CONVNET_FUZZ=100000`, so many; a few in each run of the tests.
#[test]
fn damaged_files_are_errors_and_take_no_more_memory_than_a_multiple_of_their_size() {
    let count = std::env::var("CONVNET_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(1500);
    let rng = &mut StdRng::seed_from_u64(7);
    let files: Vec<Vec<u8>> = (0..24)
        .map(|seed| exported(&random_graph::of_seed(seed), seed).0)
        .filter(|bytes| bytes.len() < 60_000)
        .collect();
    let (mut read, mut worst) = (0, 0.0_f64);
    for _ in 0..count {
        let bytes = damaged(&files[rng.gen_range(0..files.len())], rng);
        let size = bytes.len() as f64;
        let mut found = false;
        let info = allocation_counter::measure(|| {
            let none = |_: &str| Err("there is none".to_string());
            found = onnx::import_bytes(bytes.into(), &none, &ImportOptions::default()).is_ok();
        });
        read += usize::from(found);
        // A small file has what every network has: the language's tables.
        worst = worst.max((info.bytes_max as f64 - 2e6).max(0.0) / size);
    }
    assert!(read > count / 50 && worst < 64.0, "{read} of {count} read, {worst} times the size");
}
