//! PyTorch's files by hand: the pickles that `torch.save` writes for tensors of every make, and their archive.
//!
//! The calls and the order of their arguments are those of `torch/_tensor.py`, `torch/_utils.py` and `torch/nn/parameter.py` of
//! PyTorch 2.9.
#![allow(dead_code)]

use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A piece of a pickle that leaves one object on the stack.
pub type Piece = Vec<u8>;

pub fn text(text: &str) -> Piece {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

pub fn int(n: i32) -> Piece {
    [b"J", &n.to_le_bytes()[..]].concat()
}

pub fn truth(yes: bool) -> Piece {
    vec![if yes { 0x88 } else { 0x89 }]
}

pub fn tuple(items: &[Piece]) -> Piece {
    [b"(", &items.concat()[..], b"t"].concat()
}

pub fn ints(numbers: &[i32]) -> Piece {
    tuple(&numbers.iter().map(|n| int(*n)).collect::<Vec<_>>())
}

/// `module.name`
pub fn global(module: &str, name: &str) -> Piece {
    format!("c{module}\n{name}\n").into_bytes()
}

pub fn dict(items: &[(&str, Piece)]) -> Piece {
    let items: Vec<u8> = items.iter().flat_map(|(key, value)| [text(key), value.clone()].concat()).collect();
    [b"}(", &items[..], b"u"].concat()
}

pub fn call(module: &str, name: &str, arguments: &[Piece]) -> Piece {
    [global(module, name), tuple(arguments), b"R".to_vec()].concat()
}

pub fn hooks() -> Piece {
    call("collections", "OrderedDict", &[])
}

/// A reference to the storage `key`, of the class `torch.CLASS`.
pub fn storage(class: &str, key: &str, count: i32) -> Piece {
    let reference = [text("storage"), global("torch", class), text(key), text("cpu"), int(count)];
    [tuple(&reference), b"Q".to_vec()].concat()
}

/// The arguments of `_rebuild_tensor_v2`: a storage of `count` elements and a view of it.
pub fn view(class: &str, key: &str, count: i32, shape: &[i32], strides: &[i32]) -> Vec<Piece> {
    vec![storage(class, key, count), int(0), ints(shape), ints(strides), truth(false), hooks()]
}

/// A tensor of single precision with all of its storage.
pub fn plain(key: &str, shape: &[i32]) -> Piece {
    let mut strides = vec![1; shape.len()];
    (1..shape.len()).rev().for_each(|i| strides[i - 1] = strides[i] * shape[i]);
    call("torch._utils", "_rebuild_tensor_v2", &view("FloatStorage", key, shape.iter().product(), shape, &strides))
}

/// The bytes of numbers in single precision.
pub fn floats(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// An archive as `torch.save` makes one.
pub fn archive(pickle: &[u8], byte_order: &str, storages: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut member = |name: String, content: &[u8]| {
        writer.start_file(name, options).unwrap();
        writer.write_all(content).unwrap();
    };
    member("archive/data.pkl".into(), &[b"\x80\x02", pickle, b"."].concat());
    member("archive/byteorder".into(), byte_order.as_bytes());
    storages.iter().for_each(|(key, bytes)| member(format!("archive/data/{key}"), bytes));
    member("archive/version".into(), b"3\n");
    writer.finish().unwrap().into_inner()
}

/// A file with the state dict `{x: tensor}` and storages.
pub fn file(tensor: Piece, storages: &[(&str, Vec<u8>)]) -> Vec<u8> {
    archive(&dict(&[("x", tensor)]), "little", storages)
}

/// Writes zeros where an archive has its checksums, as `torch.serialization.set_crc32_options(False)` does.
pub fn without_checksums(mut bytes: Vec<u8>) -> Vec<u8> {
    for (mark, at) in [(b"PK\x03\x04", 14), (b"PK\x01\x02", 16)] {
        let found: Vec<usize> = bytes.windows(4).enumerate().filter(|(_, four)| four == mark).map(|(i, _)| i).collect();
        found.iter().for_each(|start| bytes[start + at..start + at + 4].fill(0));
    }
    bytes
}
