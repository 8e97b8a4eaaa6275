//! Hostile data files: each is one typed error that names the file, what was expected and what was found.

use convnet::data::{DataError, Dataset, Images, Normalisation, Split, idx, mnist};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::Path;

fn header(kind: u8, dims: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, dims.len() as u8];
    dims.iter().for_each(|dim| bytes.extend(dim.to_be_bytes()));
    bytes
}

fn images(n: u32) -> Vec<u8> {
    let mut bytes = header(8, &[n, 2, 3]);
    bytes.extend((0..n * 6).map(|i| i as u8));
    bytes
}

fn labels(n: u32) -> Vec<u8> {
    let mut bytes = header(8, &[n]);
    bytes.extend((0..n).map(|i| (i % 10) as u8));
    bytes
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn parse(bytes: &[u8], rank: usize) -> Result<idx::Idx, DataError> {
    idx::parse(bytes, Path::new("some/file"), rank, "images")
}

#[test]
fn good_files_are_read_plain_and_compressed() {
    let want = idx::Idx { dims: vec![4, 2, 3], bytes: (0..24).collect() };
    assert_eq!(parse(&images(4), 3).unwrap(), want);
    assert_eq!(parse(&gz(&images(4)), 3).unwrap(), want);
}

#[test]
fn every_truncation_is_an_error() {
    for file in [images(4), gz(&images(4))] {
        for len in 0..file.len() {
            // gzip's trailer (checksum and length) comes after the last element and is checked too.
            let error = parse(&file[..len], 3).unwrap_err().to_string();
            assert!(error.starts_with("some/file: "), "{len}: {error}");
        }
    }
}

#[test]
fn lies_are_found() {
    let cases: [(Vec<u8>, &str); 12] = [
        ([images(4), vec![7]].concat(), "the end at byte 40: expected the end of the file, found more bytes"),
        (
            labels(4),
            "expected bytes [00, 00, 08, 03] (images of unsigned bytes, 3 dimensions), found 1 dimensions (this holds labels?)",
        ),
        (header(0x0d, &[1, 1, 1]), "found element type 0x0d"),
        (b"\x89PNG\r\n\x1a\n".to_vec(), "not an IDX file"),
        (b"hello, world, this is text".to_vec(), "not an IDX file"),
        (header(8, &[0, 2, 3]), "a dimension at byte 4: expected at least 1, found 0"),
        (header(8, &[4, 2, 0]), "a dimension at byte 12: expected at least 1, found 0"),
        (header(8, &[u32::MAX, u32::MAX, u32::MAX]), "expected at most 4294967296 elements"),
        (header(8, &[60_000, 28, 28]), "expected 47040000 bytes, found the end of the file after 0"),
        ([0x1f, 0x8b, 8, 0, 1, 2, 3].to_vec(), "damaged gzip data"),
        (gz(b"hello"), "not an IDX file"),
        (vec![], "expected 4 bytes, found the end of the file after 0"),
    ];
    for (bytes, expected) in cases {
        let error = parse(&bytes, 3).unwrap_err().to_string();
        assert!(error.contains(expected) && error.starts_with("some/file: "), "{error}\n{expected}");
    }
}

#[test]
fn a_bomb_is_not_unpacked() {
    // 64 MiB of zeros behind a header that declares six bytes.
    let bomb = gz(&[header(8, &[1, 2, 3]), vec![0; 1 << 26]].concat());
    let error = parse(&bomb, 3).unwrap_err().to_string();
    assert!(error.contains("found more bytes"), "{error}");
}

/// A folder with the four files, of which `change` spoils one.
fn folder(change: impl Fn(&Path)) -> Result<Split<Images>, DataError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("train-images-idx3-ubyte", images(5)),
        ("train-labels-idx1-ubyte.gz", gz(&labels(5))),
        ("t10k-images.idx3-ubyte", images(2)),
        ("t10k-labels-idx1-ubyte", labels(2)),
    ] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    change(folder.path());
    mnist::open(folder.path())
}

#[test]
fn folders() {
    let split = folder(|_| {}).unwrap();
    assert_eq!((split.train.len(), split.test.len(), split.train.shape), (5, 2, [1, 2, 3]));
    let write =
        |name: &'static str, bytes: Vec<u8>| move |folder: &Path| std::fs::write(folder.join(name), &bytes).unwrap();
    let message = |result: Result<Split<Images>, DataError>| result.unwrap_err().to_string();

    let error = message(folder(write("t10k-labels-idx1-ubyte", labels(3))));
    assert!(error.contains("has 2 images, but") && error.contains("has 3 labels"), "{error}");
    let mut wrong = labels(2);
    *wrong.last_mut().unwrap() = 10;
    let error = message(folder(write("t10k-labels-idx1-ubyte", wrong)));
    assert!(error.contains("a label at byte 9: expected a number from 0 to 9, found 10"), "{error}");
    let error = message(folder(write("train-images-idx3-ubyte", labels(5))));
    assert!(error.contains("train-images-idx3-ubyte") && error.contains("this holds labels?"), "{error}");
    let error = message(folder(|folder| std::fs::remove_file(folder.join("train-images-idx3-ubyte")).unwrap()));
    assert!(
        error.contains("no file of images here; looked for train-images-idx3-ubyte, train-images-idx3-ubyte.gz"),
        "{error}"
    );
    let error = message(folder(|folder| {
        std::fs::remove_file(folder.join("train-images-idx3-ubyte")).unwrap();
        std::fs::create_dir(folder.join("train-images-idx3-ubyte")).unwrap();
    }));
    assert!(error.contains("is a folder, not a file"), "{error}");
    let error = message(mnist::open(Path::new("no/such/folder")));
    assert!(error.starts_with("no/such/folder: "), "{error}");
}

#[test]
fn the_bundled_digits_are_mnist() {
    let split = mnist::bundled().unwrap();
    assert_eq!((split.train.len(), split.test.len(), split.train.shape), (60_000, 10_000, [1, 28, 28]));
    let count =
        |labels: &[u8]| (0..10).map(|digit| labels.iter().filter(|label| **label == digit).count()).collect::<Vec<_>>();
    // The label histograms of the original files.
    assert_eq!(count(&split.train.labels), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    assert_eq!(count(&split.test.labels), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    let pixels = split.train.pixels.iter().map(|p| f64::from(*p) / 255.0);
    let mean = pixels.clone().sum::<f64>() / pixels.len() as f64;
    assert!((mean - f64::from(Normalisation::named("mnist", 1).unwrap().mean[0])).abs() < 1e-4, "{mean}");
}
