//! Checkpoints: exact round trips, strict loading, and no harm to a file that is there.
#![allow(missing_docs)]

use convnet::checkpoint::{CheckpointError, Metadata, load, save};
use convnet::net::params;
use convnet::prelude::*;
use safetensors::Dtype as FileType;
use safetensors::tensor::TensorView;
use std::path::Path;

cnn! {
    pub struct Net: [1, 4, 4] -> [3] {
        c: conv(2, 3);
        bn: batch_norm;
        flatten;
        fc: linear(3);
    }

    pub struct Other: [1, 4, 4] -> [3] {
        c: conv(2, 3, bias = false);
        flatten;
        fc: linear(3);
        more: linear(3);
    }
}

fn net(seed: u64) -> Net {
    Cpu::seed_from_u64(seed).build_module::<Net, f32>()
}

fn bits(net: &Net) -> Vec<u32> {
    params(net).iter().flat_map(|param| param.as_vec()).map(f32::to_bits).collect()
}

fn save_net(net: &Net, path: &Path) -> Result<(), CheckpointError> {
    save::<_, f32, Cpu>(net, path, &Metadata::from([("epoch".into(), "3".into()), ("note".into(), "a \"b\"\n".into())]))
}

fn load_net(net: &mut Net, path: &Path) -> Result<Metadata, CheckpointError> {
    load::<_, f32, Cpu>(net, path)
}

#[test]
fn a_round_trip_is_exact_and_repeatable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let mut odd = net(1);
    odd.bn.running_mean.copy_from(&[f32::MIN_POSITIVE / 8.0, -0.0]);
    odd.bn.running_var.copy_from(&[f32::INFINITY, 3.0e38]);
    save_net(&odd, &path).unwrap();
    let first = std::fs::read(&path).unwrap();
    for _ in 0..10 {
        save_net(&odd, &path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
    }
    let mut other = net(2);
    let about = load_net(&mut other, &path).unwrap();
    assert_eq!(bits(&other), bits(&odd));
    assert_eq!((about["epoch"].as_str(), about["network"].as_str(), about["note"].as_str()), ("3", "Net", "a \"b\"\n"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file was left behind");
}

/// Loads `path` and checks that it fails, says so in one way, and leaves the network as it was.
fn refused(path: &Path, expected: &[&str]) {
    let mut net = net(5);
    let before = bits(&net);
    let error = load_net(&mut net, path).unwrap_err().to_string();
    assert_eq!(bits(&net), before, "{error}");
    for expected in expected {
        assert!(error.contains(expected) && error.contains(&path.display().to_string()), "{error}\n{expected}");
    }
}

#[test]
fn damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    save_net(&net(1), &path).unwrap();
    let good = std::fs::read(&path).unwrap();
    for len in 0..good.len() {
        std::fs::write(&path, &good[..len]).unwrap();
        refused(&path, &["not a valid safetensors file"]);
    }
    std::fs::write(&path, [good.clone(), vec![0]].concat()).unwrap();
    refused(&path, &["not a valid safetensors file"]);
    std::fs::write(&path, b"garbage, and not a little of it").unwrap();
    refused(&path, &["not a weight file: expected safetensors, PyTorch (.pt, .pth) or NumPy (.npz)"]);
    let mut huge = good.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    std::fs::write(&path, huge).unwrap();
    refused(&path, &["its header claims"]);
    refused(&folder.path().join("missing"), &["cannot read"]);
    refused(folder.path(), &["cannot read"]);
}

fn write(path: &Path, tensors: &[(&str, FileType, Vec<usize>)]) {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, kind, shape)| vec![0; shape.iter().product::<usize>() * kind.bitsize() / 8]).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, kind, shape), bytes)| (*name, TensorView::new(*kind, shape.clone(), bytes).unwrap()));
    std::fs::write(path, safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap()).unwrap();
}

#[test]
fn files_that_do_not_fit_are_refused_with_everything_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    save::<_, f32, Cpu>(&Cpu::default().build_module::<Other, f32>(), &path, &Metadata::new()).unwrap();
    refused(&path, &["does not fit Net", "missing: c.bias, bn.weight", "not in the network: more.bias, more.weight"]);
    let f = FileType::F32;
    let right = |fc: Vec<usize>, c: FileType| {
        vec![
            ("c.weight", c, vec![2, 1, 3, 3]),
            ("c.bias", f, vec![2]),
            ("bn.weight", f, vec![2]),
            ("bn.bias", f, vec![2]),
            ("bn.running_mean", f, vec![2]),
            ("bn.running_var", f, vec![2]),
            ("bn.num_batches_tracked", FileType::I64, vec![]),
            ("fc.weight", f, fc),
            ("fc.bias", f, vec![3]),
        ]
    };
    write(&path, &right(vec![8, 3], FileType::I64));
    refused(
        &path,
        &[
            "wrong shape: fc.weight (expected [3, 8], found [8, 3])",
            "wrong type: c.weight (expected floating-point numbers, found I64)",
        ],
    );
    // Same width, other meaning: would be silent garbage.
    write(&path, &right(vec![3, 8], FileType::I32));
    refused(&path, &["wrong type: c.weight (expected floating-point numbers, found I32)"]);
    // As PyTorch writes it, with a counter that nothing here needs.
    write(&path, &right(vec![3, 8], f));
    load_net(&mut net(1), &path).unwrap();
}

#[test]
fn a_failed_save_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no/such/folder/net.safetensors");
    let error = save_net(&net(1), &missing).unwrap_err().to_string();
    assert!(error.contains("cannot write") && error.contains("no/such/folder"), "{error}");
    // A folder in the place of the file.
    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    let error = save_net(&net(1), &taken).unwrap_err().to_string();
    assert!(error.contains("cannot write") && error.contains("is a folder"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file was left behind");
}

#[cfg(unix)]
#[test]
fn permissions_are_kept() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    save_net(&net(1), &path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    save_net(&net(2), &path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}
