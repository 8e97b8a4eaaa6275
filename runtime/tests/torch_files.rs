//! What PyTorch's files may have beyond plain tensors, archives whose bits have changed, and files that look like others.

#[path = "common/torch_file.rs"]
mod torch_file;

use convnet::weights::{Candidate, DType, Entry, Format, StateDict, encode, parse, parse_choosing};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use torch_file::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const SIX: [f32; 6] = [0.5, -1.0, 2.0, -0.0, 1e-30, 6.0];

fn six() -> [(&'static str, Vec<u8>); 1] {
    [("0", floats(&SIX))]
}

fn values(bytes: &[u8]) -> Vec<f32> {
    let dict = parse(bytes).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((dict.entries.len(), dict.entries[0].name.as_str()), (1, "x"));
    dict.entries[0].to_f32().unwrap()
}

fn error(bytes: &[u8]) -> String {
    parse(bytes).unwrap_err().to_string()
}

#[test]
fn expanded_tensors_repeat_their_elements() {
    let expanded = |shape: &[i32], strides: &[i32]| {
        file(call("torch._utils", "_rebuild_tensor_v2", &view("FloatStorage", "0", 6, shape, strides)), &six())
    };
    // torch.tensor(0.5).expand(4); torch.tensor([[0.5], [-1.0]]).expand(2, 3); the same, turned.
    assert_eq!(values(&expanded(&[4], &[0])), [0.5; 4]);
    assert_eq!(values(&expanded(&[2, 3], &[1, 0])), [0.5, 0.5, 0.5, -1.0, -1.0, -1.0]);
    assert_eq!(values(&expanded(&[3, 2], &[0, 1])), [0.5, -1.0, 0.5, -1.0, 0.5, -1.0]);
    // Windows of a sequence overlap: torch.as_strided.
    assert_eq!(values(&expanded(&[3, 2], &[1, 1])), [0.5, -1.0, -1.0, 2.0, 2.0, -0.0]);
    let huge = error(&expanded(&[1 << 30, 2], &[0, 1]));
    assert!(huge.contains("`x`: shape [1073741824, 2] and strides [0, 1] repeat 6 elements to more bytes"), "{huge}");
}

#[test]
fn what_is_around_a_tensor_changes_no_number() {
    let (plain, rebuild) = (plain("0", &[2, 3]), global("torch._utils", "_rebuild_tensor_v2"));
    let parameter = || call("torch._utils", "_rebuild_parameter", &[plain.clone(), truth(true), hooks()]);
    let state = || dict(&[("_is_buffer", truth(true))]);
    let arguments = tuple(&view("FloatStorage", "0", 6, &[2, 3], &[3, 1]));
    let of_type = |function: &str, class: Piece| {
        call("torch._tensor", function, &[rebuild.clone(), class, arguments.clone(), state()])
    };
    let attributed = of_type("_rebuild_from_type_v2", global("torch", "Tensor"));
    let third = {
        let mut arguments = view("UntypedStorage", "0", 24, &[2, 3], &[3, 1]);
        arguments.push(global("torch", "float32"));
        call("torch._utils", "_rebuild_tensor_v3", &arguments)
    };
    let device = |dtype: &str| {
        let arguments = [plain.clone(), global("torch", dtype), text("xla:0"), truth(false)];
        call("torch._utils", "_rebuild_device_tensor_from_cpu_tensor", &arguments)
    };
    let stateful = |inner: &Piece| {
        call("torch._utils", "_rebuild_parameter_with_state", &[inner.clone(), truth(true), hooks(), state()])
    };
    let makes = [
        plain.clone(),
        parameter(),
        stateful(&plain),
        attributed.clone(),
        of_type("_rebuild_from_type", global("torch", "Tensor")),
        of_type("_rebuild_from_type_v2", global("torch.nn.parameter", "Parameter")),
        of_type("_rebuild_from_type_v2", global("monai.data.meta_tensor", "MetaTensor")),
        stateful(&attributed),
        third,
        device("float32"),
    ];
    for (i, make) in makes.into_iter().enumerate() {
        assert_eq!(values(&file(make, &six())), SIX, "{i}");
    }
    let cast = error(&file(device("bfloat16"), &six()));
    assert!(cast.contains("it is kept as F32 and would be turned into `torch.bfloat16`"), "{cast}");
    let wrapped = (0..9).fold(plain.clone(), |inner, _| stateful(&inner));
    assert!(error(&file(wrapped, &six())).contains("`x`: it is wrapped more than 8 times"));
}

#[test]
fn marks_that_change_numbers_are_heeded_or_refused() {
    let marked = |class: &str, marks: &[(&str, Piece)]| {
        let mut arguments = view(class, "0", 6, &[6], &[1]);
        arguments.push(dict(marks));
        call("torch._utils", "_rebuild_tensor_v2", &arguments)
    };
    let negated = values(&file(marked("FloatStorage", &[("neg", truth(true))]), &six()));
    assert_eq!(negated.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), SIX.map(|x| (-x).to_bits()));
    for marks in [&[][..], &[("neg", truth(false)), ("conj", truth(false))]] {
        assert_eq!(values(&file(marked("FloatStorage", marks), &six())), SIX);
    }
    let numbers = vec![0, 1, 0x7F, 0x80, 0x81, 0xFF];
    let bytes = file(marked("CharStorage", &[("neg", truth(true))]), &[("0", numbers)]);
    assert_eq!(parse(&bytes).unwrap().entries[0].bytes, [0, 0xFF, 0x81, 0x80, 0x7F, 1]);
    let shorts: Vec<u8> = [0_i16, 1, -1, 256, -300, i16::MIN].iter().flat_map(|n| n.to_le_bytes()).collect();
    let bytes = file(marked("ShortStorage", &[("neg", truth(true))]), &[("0", shorts)]);
    let wanted: Vec<u8> = [0_i16, -1, 1, -256, 300, i16::MIN].iter().flat_map(|n| n.to_le_bytes()).collect();
    assert_eq!(parse(&bytes).unwrap().entries[0].bytes, wanted);
    for marks in [[("conj", truth(true))], [("scale", int(3))], [("neg", int(1))]] {
        let error = error(&file(marked("FloatStorage", &marks), &six()));
        assert!(error.contains(&format!("`x`: its mark `{}` is not understood", marks[0].0)), "{error}");
    }
    // Of a machine that writes the highest byte first.
    let big: Vec<u8> = SIX.iter().flat_map(|x| x.to_be_bytes()).collect();
    let bytes = archive(&dict(&[("x", plain("0", &[6]))]), "big", &[("0", big)]);
    assert_eq!(values(&bytes), SIX);
    let strange = archive(&dict(&[("x", plain("0", &[6]))]), "middle", &six());
    assert!(error(&strange).contains("its byte order is \"middle\", not little or big"));
}

#[test]
fn tensors_that_are_not_read_say_why() {
    let typed = |class: &str, more: &[Piece]| [view(class, "0", 6, &[6], &[1]), more.to_vec()].concat();
    let nothing = || tuple(&[]);
    let cases = [
        (call("torch._utils", "_rebuild_sparse_tensor", &[global("torch", "sparse_coo"), nothing()]), "sparse tensor"),
        (call("torch._utils", "_rebuild_nested_tensor", &[nothing()]), "nested tensor"),
        (call("torch._utils", "_rebuild_qtensor", &typed("QInt8Storage", &[])), "quantised tensor"),
        (call("torch._utils", "_rebuild_meta_tensor_no_storage", &[nothing()]), "a shape and no numbers"),
        (call("torch._utils", "_rebuild_wrapper_subclass", &[nothing()]), "of a class of its own"),
        (call("torch._utils", "_rebuild_device_tensor_from_numpy", &[nothing()]), "NumPy array of another device"),
        (call("torch._utils", "_rebuild_something_new", &[nothing()]), "`torch._utils._rebuild_something_new`"),
        (
            call("torch._utils", "_rebuild_tensor_v3", &typed("UntypedStorage", &[global("torch", "float8_e4m3fn")])),
            "its elements are of the type `torch.float8_e4m3fn`, which is not read",
        ),
        (call("torch._utils", "_rebuild_tensor_v2", &typed("UntypedStorage", &[])), "nothing says of which type"),
        (call("torch._utils", "_rebuild_tensor_v2", &typed("ComplexFloatStorage", &[])), "ComplexFloatStorage`, which"),
    ];
    for (tensor, wanted) in cases {
        let error = error(&file(tensor, &six()));
        assert!(error.contains(wanted) && !error.contains('\n'), "{wanted}: {error}");
    }
}

#[test]
fn flipped_bits_of_an_archive_are_found() {
    let whole = file(plain("0", &[6]), &six());
    let data = floats(&SIX);
    let start = whole.windows(data.len()).position(|window| window == data).unwrap();
    let pickle = whole.windows(4).position(|window| window == b"\x80\x02}(").unwrap();
    for bit in (start * 8..(start + data.len()) * 8).chain(pickle * 8..(pickle + 40) * 8) {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let error = error(&damaged);
        assert!(error.contains("its checksum (CRC-32) is"), "bit {bit}: {error}");
    }
    // PyTorch may leave checksums out; NumPy never does.
    assert_eq!(values(&without_checksums(whole)), SIX);
    let dict = StateDict { entries: vec![Entry::from_f32("x", &[6], &SIX)], ..StateDict::default() };
    let arrays = encode(&dict, Format::Npz).unwrap();
    assert_eq!(values(&arrays), SIX);
    assert!(error(&without_checksums(arrays.clone())).contains("`x`: its checksum (CRC-32) is"));
    let start = arrays.windows(data.len()).position(|window| window == data).unwrap();
    for bit in start * 8..(start + data.len()) * 8 {
        let mut damaged = arrays.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(error(&damaged).contains("`x`: its checksum (CRC-32) is"), "bit {bit}");
    }
    // Whatever happens to compressed ones, none gives other numbers.
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    writer.start_file("x.npy", options).unwrap();
    let at = arrays.windows(6).position(|window| window == b"\x93NUMPY").unwrap();
    writer.write_all(&arrays[at..start + data.len()]).unwrap();
    let packed = writer.finish().unwrap().into_inner();
    assert_eq!(values(&packed), SIX);
    for bit in 0..packed.len() * 8 {
        let mut damaged = packed.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(dict) = parse(&damaged) {
            assert_eq!(dict.entries[0].to_f32().unwrap(), SIX, "bit {bit}");
        }
    }
}

#[test]
fn every_state_dict_of_a_file_can_be_had() {
    let part = |numbers: [&str; 2]| dict(&[("a", plain(numbers[0], &[1])), ("b", plain(numbers[1], &[1]))]);
    let moments = dict(&[("exp_avg", plain("4", &[1])), ("exp_avg_sq", plain("5", &[1]))]);
    // Python's optimisers have numbers for keys.
    let moments = [b"}(".to_vec(), int(0), moments, b"u".to_vec()].concat();
    let top = dict(&[
        ("epoch", int(3)),
        ("state_dict_ema", part(["2", "3"])),
        ("optimizer", dict(&[("state", moments)])),
        ("state_dict", part(["0", "1"])),
    ]);
    let storages: Vec<(String, Vec<u8>)> = (0..6).map(|i| (i.to_string(), floats(&[i as f32]))).collect();
    let storages: Vec<(&str, Vec<u8>)> = storages.iter().map(|(key, bytes)| (key.as_str(), bytes.clone())).collect();
    let bytes = archive(&top, "little", &storages);
    let numbers = |dict: StateDict| dict.entries.iter().flat_map(|entry| entry.to_f32().unwrap()).collect::<Vec<_>>();
    assert_eq!(numbers(parse(&bytes).unwrap()), [0.0, 1.0]);
    let mut seen = Vec::new();
    for i in 0..3 {
        let choose = &mut |candidates: &[Candidate<'_>]| {
            seen = candidates.iter().map(|candidate| candidate.place.clone()).collect();
            Ok(i)
        };
        let first = 2.0 * i as f32;
        assert_eq!(numbers(parse_choosing(&bytes, choose).unwrap()), [first, first + 1.0]);
    }
    assert_eq!(seen, ["state_dict", "state_dict_ema", "optimizer.state.0"]);
    // One that is not wanted need not be readable.
    let odd = dict(&[("q", call("torch._utils", "_rebuild_qtensor", &view("QInt8Storage", "9", 1, &[1], &[1])))]);
    let bytes = archive(&dict(&[("model", part(["0", "1"])), ("quantised", odd)]), "little", &storages);
    assert_eq!(numbers(parse(&bytes).unwrap()), [0.0, 1.0]);
    // `torch.save((model.state_dict().unwrap(), 3))`
    let bytes = archive(&tuple(&[part(["0", "1"]), int(3)]), "little", &storages);
    assert_eq!(numbers(parse(&bytes).unwrap()), [0.0, 1.0]);
}

#[test]
fn files_that_refer_to_the_same_over_and_over_take_no_longer_than_they_are_long() {
    let list = [b"]q\x01(".to_vec(), plain("0", &[1]).repeat(1000), b"e".to_vec()].concat();
    let lists = [b"(".to_vec(), b"h\x01".repeat(1_000_000), b"t".to_vec()].concat();
    let key = [b"X\x00\x00\x10\x00".to_vec(), b"k.".repeat(1 << 19), b"q\x02".to_vec()].concat();
    let tensor = [plain("0", &[1]), b"q\x03".to_vec()].concat();
    // A hundred thousand dicts with a key of a megabyte.
    let dicts = b"}(h\x02h\x03u".repeat(100_000);
    let pickle = [b"(".to_vec(), list, lists, key, tensor, dicts, b"t".to_vec()].concat();
    let start = std::time::Instant::now();
    let dict = parse(&archive(&pickle, "little", &[("0", floats(&[1.0]))])).unwrap();
    assert_eq!(dict.entries.len(), 1000);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

/// A header's length may begin as a pickle (0x80 0x02) or as an archive does.
#[test]
fn safetensors_of_every_length_of_header_are_read() {
    let data = floats(&SIX);
    let header = br#"{"x":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}}"#;
    for len in header.len()..=4096 {
        let header = [header.to_vec(), vec![b' '; len - header.len()]].concat();
        let bytes = [&(len as u64).to_le_bytes()[..], &header, &data].concat();
        assert_eq!(values(&bytes), SIX, "{len}");
        // Cut short, it is still taken for what it is.
        let error = error(&bytes[..bytes.len() - 1]);
        assert!(error.contains("not a valid safetensors file"), "{len}: {error}");
    }
    for len in 0..4096 {
        let metadata = BTreeMap::from([("note".to_string(), "n".repeat(len))]);
        let dict = StateDict { entries: vec![Entry::from_f32("x", &[6], &SIX)], metadata };
        let bytes = encode(&dict, Format::Safetensors).unwrap();
        assert_eq!(parse(&bytes).unwrap(), dict, "{len}");
    }
}

proptest! {
    #[test]
    fn whatever_a_file_says_about_itself_it_says_again(
        metadata in proptest::collection::btree_map(".{0,40}", ".{0,200}", 0..8),
        names in proptest::collection::btree_set("[a-z_\"{:.]{1,20}", 1..5),
    ) {
        let entries = names.into_iter().map(|name| Entry::from_f32(name, &[2], &[1.0, -2.0])).collect();
        let dict = StateDict { entries, metadata };
        let bytes = encode(&dict, Format::Safetensors).unwrap();
        prop_assert_eq!(&bytes, &encode(&dict, Format::Safetensors).unwrap());
        let mut again = parse(&bytes).unwrap();
        again.entries.sort_by(|a, b| a.name.cmp(&b.name));
        prop_assert_eq!(again, dict);
    }
}

#[test]
fn other_files_are_told_by_what_they_are() {
    let page = b"<!doctype html><html>Please confirm that you are no robot</html>";
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 45000000\n";
    let mut array = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', }".to_vec();
    array.resize(200, 0);
    let cases: [(&[u8], &str); 8] = [
        (page, "is a web page"),
        (pointer, "is a pointer of Git LFS, not the file itself"),
        (&array, "is a single array of NumPy (.npy)"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "is packed by gzip"),
        (b"\x89HDF\r\n\x1a\n\x00\x00", "is an HDF5 file"),
        (&[0; 100], "is all zeros"),
        // What begins as a pickle does, and is none.
        (b"\x80\x02\x00\x00\x00\x00\x00\x00!!", "starts with the bytes 80 02 00 00"),
        (b"\x80\x02\x8a\x0a garbage", "not a valid PyTorch file"),
    ];
    for (bytes, wanted) in cases {
        assert!(error(bytes).contains(wanted), "{wanted}: {}", error(bytes));
    }
    assert_eq!(parse(&file(plain("0", &[2, 3]), &six())).unwrap().entries[0].dtype, DType::F32);
}
