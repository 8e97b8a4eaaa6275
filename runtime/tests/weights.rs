//! Weights files of PyTorch and NumPy (made by `fixtures/weights.py`): what they hold, bit by bit, and that damaged and
//! hostile ones are errors.

use convnet::net::params;
use convnet::prelude::*;
use convnet::weights::{DType, Entry, Format, StateDict, encode, parse, read};
use convnet::weights::{LoadOptions, Metadata, WeightsError, load, load_with, read_with, save};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/weights")
}

fn expected() -> serde_json::Map<String, Value> {
    let text = std::fs::read_to_string(folder().join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// An element as Python prints it.
fn texts(entry: &Entry) -> Vec<String> {
    let float = |x: f64| match x {
        x if x.is_nan() => "nan".into(),
        x if x.is_infinite() => "inf".into(),
        x => format!("{x:?}"),
    };
    let integer = |bytes: &[u8]| {
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0) && entry.dtype != DType::U8;
        let mut all = [if negative { 0xFF } else { 0 }; 8];
        all[..bytes.len()].copy_from_slice(bytes);
        i64::from_le_bytes(all)
    };
    match entry.dtype {
        DType::Bool => entry.bytes.iter().map(|b| if *b == 0 { "False".into() } else { "True".into() }).collect(),
        kind if kind.is_float() => entry.to_f64().unwrap().into_iter().map(float).collect(),
        kind => entry.bytes.chunks_exact(kind.size()).map(|bytes| integer(bytes).to_string()).collect(),
    }
}

fn same(found: &str, want: &str) -> bool {
    found == want
        || found
            .parse::<f64>()
            .ok()
            .zip(want.parse::<f64>().ok())
            .is_some_and(|(a, b)| a == b && (a != 0.0 || a.is_sign_negative() == b.is_sign_negative()))
}

#[test]
fn files_of_pytorch_and_numpy_hold_what_they_say() {
    let names = [
        ("float16", DType::F16),
        ("bfloat16", DType::BF16),
        ("float32", DType::F32),
        ("float64", DType::F64),
        ("int8", DType::I8),
        ("int16", DType::I16),
        ("int32", DType::I32),
        ("int64", DType::I64),
        ("uint8", DType::U8),
        ("bool", DType::Bool),
    ];
    for (file, tensors) in expected() {
        let dict = read_with(&folder().join(&file), &LoadOptions::default());
        let dict = dict.unwrap_or_else(|error| panic!("{file}: {error}")).dict;
        let tensors = tensors.as_array().unwrap();
        assert_eq!(dict.entries.len(), tensors.len(), "{file}");
        for tensor in tensors {
            let (name, kind) = (tensor[0].as_str().unwrap(), tensor[1].as_str().unwrap());
            let entry =
                dict.entries.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("{file}: {name}"));
            let shape: Vec<usize> =
                tensor[2].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
            assert_eq!(
                (entry.dtype, &entry.shape),
                (names.iter().find(|(n, _)| *n == kind).unwrap().1, &shape),
                "{file}: {name}"
            );
            let want: Vec<&str> = tensor[3].as_array().unwrap().iter().map(|x| x.as_str().unwrap()).collect();
            let found = texts(entry);
            assert_eq!(found.len(), want.len(), "{file}: {name}");
            for (found, want) in found.iter().zip(want) {
                assert!(same(found, want), "{file}: {name}: {found} and {want}");
            }
        }
    }
}

#[test]
fn from_format_to_format_nothing_changes() {
    for file in ["kinds.pt", "kinds_legacy.pt", "arrays.npz", "compressed.npz", "views.pt", "model.pt"] {
        let mut dict = read(&folder().join(file)).unwrap();
        dict.metadata.insert("b".into(), "a \"quoted\"\n".into());
        dict.metadata.insert("a".into(), "1".into());
        let bytes = encode(&dict, Format::Safetensors).unwrap();
        assert_eq!(bytes, encode(&dict, Format::Safetensors).unwrap(), "the same dict gives the same bytes");
        let mut again = parse(&bytes).unwrap();
        assert_eq!(again.metadata, dict.metadata);
        again.entries.sort_by(|a, b| a.name.cmp(&b.name));
        dict.entries.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(again.entries, dict.entries, "{file} as safetensors");
        dict.entries.retain(|entry| entry.dtype != DType::BF16);
        let bytes = encode(&dict, Format::Npz).unwrap();
        assert_eq!(bytes, encode(&dict, Format::Npz).unwrap());
        assert_eq!(parse(&bytes).unwrap().entries, dict.entries, "{file} as npz");
    }
    // For `weights.py --check`, which compares with NumPy and the Python library.
    if let Some(out) = std::env::var_os("CONVNET_WEIGHTS_OUT") {
        let dict = read(&folder().join("arrays.npz")).unwrap();
        for (name, format) in [("out.npz", Format::Npz), ("out.safetensors", Format::Safetensors)] {
            std::fs::write(Path::new(&out).join(name), encode(&dict, format).unwrap()).unwrap();
        }
    }
    let odd = Entry {
        name: "nan".into(),
        shape: vec![2],
        dtype: DType::F32,
        bytes: vec![1, 0, 0xA0, 0x7F, 2, 0, 0xC0, 0xFF],
    };
    let dict = StateDict { entries: vec![odd], ..StateDict::default() };
    for format in [Format::Npz, Format::Safetensors] {
        assert_eq!(parse(&encode(&dict, format).unwrap()).unwrap().entries, dict.entries, "the bits of a NaN");
    }
    let half = Entry { name: "x".into(), shape: vec![], dtype: DType::BF16, bytes: vec![0, 0] };
    let half = StateDict { entries: vec![half], ..StateDict::default() };
    assert!(encode(&half, Format::Npz).unwrap_err().to_string().contains("`x` is BF16, which NumPy does not have"));
    assert!(encode(&half, Format::PyTorch).unwrap_err().to_string().contains("are read, not written"));
}

/// A file, and what its error has to say.
const BAD: &[(&str, &str)] = &[
    ("harm.pt", "it calls `posix.system`, and only state dicts are read"),
    ("harm_inside.pt", "it holds no tensors; at the top there is x"),
    ("harm_legacy.pt", "it calls `posix.system`"),
    ("whole_model.pt", "it calls `torch.nn.modules.container.Sequential`"),
    ("no_tensors.pt", "it holds no tensors; at the top there is epoch"),
    ("beyond.pt", "`x`: shape [2, 2], strides [2, 1] and offset 1 reach beyond the 4 elements"),
    ("far_stride.pt", "reach beyond the 4 elements"),
    ("huge.pt", "`x`: the shape [2147483647, 2147483647, 2147483647, 2147483647] is too large"),
    ("repeated.pt", "repeat 4 elements to more bytes than"),
    ("negative.pt", "no whole numbers from 0 on"),
    ("no_storage.pt", "its storage `7` is not in the file"),
    ("strange_storage.pt", "`torch.QInt8Storage`, which is not read"),
    ("long_text.pt", "9223372036854775808 more bytes were announced (at byte 2 of its pickle)"),
    ("long_number.pt", "4294967295 more bytes were announced"),
    ("no_stack.pt", "takes something from an empty stack"),
    ("text.npz", "`x`: its type is \"<U1\""),
    ("big_endian.npz", "`x`: its type is \">f4\""),
];

#[test]
fn hostile_files_are_errors_and_nothing_runs() {
    assert!(read(&folder().join("fits.pt")).is_ok());
    for (file, wanted) in BAD {
        let error = read(&folder().join(file)).unwrap_err().to_string();
        assert!(error.contains(wanted), "{file}: {error}");
        assert!(!error.contains('\n') && error.len() < 300, "{file}: {error}");
    }
    assert!(!Path::new("/tmp/convnet-was-executed").exists());
    // Nesting without end, and lists of lists of lists.
    let legacy = |pickle: Vec<u8>| {
        let magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.".to_vec();
        [magic, b"\x80\x02M\xe9\x03.".to_vec(), b"\x80\x02}.".to_vec(), pickle, b"\x80\x02].".to_vec()].concat()
    };
    let deep = legacy([b"\x80\x02".to_vec(), b"(".repeat(1_000_000), b"t".repeat(1_000_000), b".".to_vec()].concat());
    let doubling = b"]q\x00(h\x00h\x00h\x00h\x00e".repeat(100_000);
    let lists = legacy([b"\x80\x02".to_vec(), doubling, b".".to_vec()].concat());
    for file in [deep, lists] {
        assert!(parse(&file).unwrap_err().to_string().contains("it holds no state dict"));
    }
    for (bytes, wanted) in [
        (b"".as_slice(), "it has 0 bytes"),
        (b"hello, world", "it starts with the bytes 68 65 6c 6c"),
        (b"PK\x03\x04....", "not a valid zip file"),
        (b"\x80\x02K\x01.", "not one of PyTorch's"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f{}", "claims to be larger than 100 MB"),
    ] {
        let error = parse(bytes).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

/// A header whose tensors end just below 2^64, where adding its own length wraps around.
#[test]
fn a_header_whose_sum_overflows_is_an_error() {
    // Bits of a tensor are counted in 64 bits too, so it takes eight of the largest.
    let size = (1_u64 << 61) - 1;
    let each =
        |n: u64| format!(r#""{n}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{},{}]}}"#, n * size, (n + 1) * size);
    let header = format!("{{{}}}", (0..8).map(each).collect::<Vec<_>>().join(","));
    // With spaces after the header the wrapped sum passes through the length of the file.
    for spaces in 0..32 {
        let header = format!("{header}{}", " ".repeat(spaces));
        let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
        let error = parse(&file).unwrap_err().to_string();
        assert!(error.contains("its tensors claim 18446744073709551608 bytes"), "{error}");
    }
}

#[test]
fn damaged_files_are_errors_or_other_numbers() {
    let mut seed = 7_u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "json") {
            continue;
        }
        for len in 0..bytes.len() {
            let _ = parse(&bytes[..len]);
        }
        for _ in 0..2_000 {
            let mut damaged = bytes.clone();
            for _ in 0..1 + random() % 4 {
                let at = random() % damaged.len();
                damaged[at] = if random() % 2 == 0 { random() as u8 } else { damaged[at] ^ (1 << (random() % 8)) };
            }
            if let Ok(dict) = parse(&damaged) {
                let total: usize = dict.entries.iter().map(|entry| entry.bytes.len()).sum();
                assert!(total <= 64 * bytes.len() + (1 << 20), "{}: {total} bytes", path.display());
            }
        }
    }
}

cnn! {
    /// What `nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))` is, with a head.
    #[allow(bias_before_norm)]
    struct Net: [1, 5, 5] -> [3] {
        conv(2, kernel = 3);
        batch_norm;
        global_avg_pool;
        head: linear(3);
    }

    #[allow(bias_before_norm)]
    struct Plain: [1, 5, 5] -> [2, 3, 3] {
        conv(2, kernel = 3);
        batch_norm;
    }
}

#[test]
fn a_network_takes_the_weights_of_any_file() {
    let dev = Cpu::seed_from_u64(1);
    let out = tempfile::tempdir().unwrap();
    let values = |net: &Plain<f32, Cpu>| params(net).unwrap().iter().map(|param| param.as_vec()).collect::<Vec<_>>();
    let mut first = dev.build_module::<Plain, f32>();
    load(&mut first, &folder().join("model.pt")).unwrap();
    for file in ["model_legacy.pt", "checkpoint.pt", "checkpoint_legacy.pt", "parallel.pt"] {
        let mut other = dev.build_module::<Plain, f32>();
        load(&mut other, &folder().join(file)).unwrap();
        assert_eq!(values(&other), values(&first), "{file}");
    }
    for name in ["net.npz", "net.safetensors", "net"] {
        let path = out.path().join(name);
        save(&first, &path, &Metadata::new()).unwrap();
        let mut other = dev.build_module::<Plain, f32>();
        load(&mut other, &path).unwrap();
        assert_eq!(values(&other), values(&first), "{name}");
    }
    let error = save(&first, &out.path().join("net.pt"), &Metadata::new()).unwrap_err();
    assert!(error.to_string().contains("PyTorch files are read, not written"), "{error}");
    // In double precision bit by bit, too.
    let mut wide = dev.build_module::<Plain, f64>();
    wide._0.bias.copy_from(&[1.0 / 3.0, f64::MIN_POSITIVE]);
    save(&wide, &out.path().join("wide.safetensors"), &Metadata::new()).unwrap();
    let mut again = dev.build_module::<Plain, f64>();
    load(&mut again, &out.path().join("wide.safetensors")).unwrap();
    assert_eq!(again._0.bias.as_vec(), wide._0.bias.as_vec());
}

#[test]
fn a_new_head_keeps_its_own_weights() {
    let dev = Cpu::seed_from_u64(2);
    let path = folder().join("model.pt");
    let mut net = dev.build_module::<Net, f32>();
    let before = net.head.weight.as_vec();
    let error = load(&mut net, &path).unwrap_err();
    assert!(error.to_string().contains("missing: head.weight, head.bias"), "{error}");
    let mut options = LoadOptions::default();
    options.allow_missing = true;
    let loaded = load_with(&mut net, &path, &options).unwrap();
    assert_eq!(loaded.missing, ["head.weight", "head.bias"]);
    assert_eq!(net.head.weight.as_vec(), before);
    let want = read(&path).unwrap();
    assert_eq!(net._0.weight.as_vec(), want.entries[0].to_f32().unwrap());
    // What the network lacks is an error all the same, and so is a file of something else.
    let error = load_with(&mut net, &folder().join("kinds.pt"), &options).unwrap_err();
    assert!(matches!(error, WeightsError::Mismatch { .. }), "{error}");
    options.allow_extra = true;
    let error = load_with(&mut net, &folder().join("kinds.pt"), &options).unwrap_err();
    assert!(matches!(error, WeightsError::Foreign { .. }), "{error}");
    assert_eq!(net.head.weight.as_vec(), before);
}
