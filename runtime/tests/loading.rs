//! Checkpoints: exact round trips, strict loading, and no harm to a file that is there.
#![allow(missing_docs)]

#[path = "common/torch_file.rs"]
mod torch_file;

use convnet::atomic_file;
use convnet::net::params;
use convnet::prelude::*;
use convnet::weights::{Entry, Format, FormatError, StateDict, encode};
use convnet::weights::{
    LoadOptions, Loaded, Metadata, WeightsError, load, load_with, read_with, save, set, state_dict,
};
use safetensors::Dtype as FileType;
use safetensors::tensor::TensorView;
use std::path::Path;

cnn! {
    #[allow(bias_before_norm)]
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
    params(net).unwrap().iter().flat_map(|param| param.as_vec()).map(f32::to_bits).collect()
}

fn save_net(net: &Net, path: &Path) -> Result<(), WeightsError> {
    save(net, path, &Metadata::from([("epoch".into(), "3".into()), ("note".into(), "a \"b\"\n".into())]))
}

fn load_net(net: &mut Net, path: &Path) -> Result<Metadata, WeightsError> {
    load(net, path).map(|loaded| loaded.metadata)
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
fn an_unknown_version_of_ours_is_refused_and_that_of_others_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    save_net(&net(1), &path).unwrap();
    assert_eq!(load_net(&mut net(2), &path).unwrap()["format_version"], "1");
    let write = |about: &[(&str, &str)]| {
        let mut dict = state_dict(&net(1)).unwrap();
        dict.metadata = about.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        std::fs::write(&path, encode(&dict, Format::Safetensors).unwrap()).unwrap();
    };
    for (version, fix) in [("2", "use a newer convnet"), ("1.0", "take another copy"), ("", "take another copy")] {
        write(&[("format", "convnet"), ("format_version", version)]);
        refused(&path, &[&format!("its format version is `{version}`, but this program reads version 1"), fix]);
        let error = load_net(&mut net(2), &path).unwrap_err();
        assert!(matches!(error, WeightsError::Format { source: FormatError::Version(_), .. }), "{error:?}");
        assert!(read_with(&path, &LoadOptions::default()).is_err());
    }
    // Of version 0.1, of others, and of nobody in particular.
    for about in
        [&[("format", "convnet")][..], &[("format", "pt"), ("format_version", "2")], &[("format_version", "2")], &[]]
    {
        write(about);
        let mut loaded = net(2);
        load_net(&mut loaded, &path).unwrap();
        assert_eq!(bits(&loaded), bits(&net(1)), "{about:?}");
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
    refused(&path, &["not a weights file: expected safetensors, PyTorch (.pt, .pth) or NumPy (.npz)"]);
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
    save(&Cpu::default().build_module::<Other, f32>(), &path, &Metadata::new()).unwrap();
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

/// The network's tensors under other names, and some more.
fn renamed(net: &Net, name: impl Fn(&str) -> String, more: &[&str]) -> Vec<u8> {
    let mut dict = StateDict { metadata: Metadata::new(), ..state_dict(net).unwrap() };
    dict.entries.iter_mut().for_each(|entry| entry.name = name(&entry.name));
    dict.entries.extend(more.iter().map(|name| Entry::from_f32(*name, &[1], &[1.0])));
    encode(&dict, Format::Safetensors).unwrap()
}

fn load_options(bytes: &[u8], change: impl Fn(&mut LoadOptions)) -> Result<(Net, Loaded), WeightsError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w");
    std::fs::write(&path, bytes).unwrap();
    let (mut net, mut options) = (net(9), LoadOptions::default());
    change(&mut options);
    load_with(&mut net, &path, &options).map(|loaded| (net, loaded))
}

#[test]
fn what_wrappers_put_before_all_names_comes_off_and_is_said() {
    let trained = net(1);
    for prefix in ["module.", "_orig_mod.", "module._orig_mod.", "model.", "net.backbone.", "fc.c."] {
        let bytes = renamed(&trained, |name| format!("{prefix}{name}"), &[]);
        let (loaded, Loaded { notes, .. }) = load_options(&bytes, |_| {}).unwrap();
        assert_eq!(bits(&loaded), bits(&trained), "{prefix}");
        assert!(
            notes.len() == 1 && notes[0].contains(&format!("the prefix `{prefix}` was taken off all keys")),
            "{notes:?}"
        );
        // What is not behind it is extra, and nothing is taken for what it is not.
        let bytes = renamed(&trained, |name| format!("{prefix}{name}"), &["loss.weight", "fc.weight"]);
        let error = load_options(&bytes, |_| {}).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("not in the network: fc.weight, loss.weight"), "{error}");
        let (loaded, _) = load_options(&bytes, |options| options.allow_extra = true).unwrap();
        assert_eq!(bits(&loaded), bits(&trained), "{prefix}");
    }
    let (loaded, Loaded { notes, .. }) = load_options(&renamed(&trained, str::to_owned, &[]), |_| {}).unwrap();
    assert_eq!((bits(&loaded), notes), (bits(&trained), Vec::new()));
    // A part of the network's own names is no wrapper: `fc.weight` is not `fc.fc.weight`.
    let only_fc = |name: &str| format!("fc.{name}");
    let mut dict = state_dict(&trained).unwrap();
    dict.entries.retain(|entry| entry.name.starts_with("fc."));
    dict.entries.iter_mut().for_each(|entry| entry.name = only_fc(&entry.name));
    let bytes = encode(&dict, Format::Safetensors).unwrap();
    assert!(load_options(&bytes, |options| options.allow_missing = true).is_err());
}

#[test]
fn extra_and_missing_tensors_are_left_out_where_that_is_permitted() {
    let trained = net(1);
    let bytes = renamed(&trained, str::to_owned, &["total_ops", "c.total_params"]);
    let error = load_options(&bytes, |_| {}).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("not in the network: c.total_params, total_ops\n  (--allow-extra"), "{error}");
    let (loaded, Loaded { notes, .. }) = load_options(&bytes, |options| options.allow_extra = true).unwrap();
    assert_eq!(bits(&loaded), bits(&trained));
    assert!(
        notes[0].contains("2 tensors of ") && notes[0].ends_with("were left out: c.total_params, total_ops"),
        "{notes:?}"
    );
    let bytes = renamed(&trained, |name| name.replace("fc.", "head."), &[]);
    assert!(load_options(&bytes, |options| options.allow_extra = true).is_err());
    assert!(load_options(&bytes, |options| options.allow_missing = true).is_err());
    let (_, loaded) = load_options(&bytes, |options| {
        options.allow_missing = true;
        options.allow_extra = true;
    })
    .unwrap();
    assert_eq!(loaded.missing, ["fc.weight", "fc.bias"]);
    assert_eq!(loaded.not_finite, Vec::<String>::new());
    let mut odd = net(1);
    odd.bn.bias.copy_from(&[f32::NAN, 0.0]);
    odd.fc.bias.copy_from(&[0.0, f32::NEG_INFINITY, 0.0]);
    assert_eq!(load_options(&renamed(&odd, str::to_owned, &[]), |_| {}).unwrap().1.not_finite, ["bn.bias", "fc.bias"]);
}

#[test]
fn of_several_state_dicts_the_one_that_fits_is_taken() {
    use torch_file::{archive, dict, floats, plain};
    let (trained, average) = (net(1), net(2));
    let mut storages = Vec::new();
    let mut part = |net: &Net, prefix: &str| {
        let entries = state_dict(net).unwrap().entries;
        let items = entries.iter().map(|entry| {
            let shape: Vec<i32> = entry.shape.iter().map(|size| *size as i32).collect();
            storages.push((storages.len().to_string(), floats(&entry.to_f32().unwrap())));
            (format!("{prefix}{}", entry.name), plain(&(storages.len() - 1).to_string(), &shape))
        });
        let items: Vec<_> = items.collect();
        dict(&items.iter().map(|(key, value)| (key.as_str(), value.clone())).collect::<Vec<_>>())
    };
    let [weights, ema, discriminator] = [part(&trained, ""), part(&average, "module."), part(&average, "d.x")];
    let both = dict(&[("discriminator", discriminator), ("state_dict_ema", ema), ("state_dict", weights)]);
    let storages: Vec<_> = storages.iter().map(|(key, bytes): &(String, _)| (key.as_str(), bytes.clone())).collect();
    let bytes = archive(&both, "little", &storages);
    let (loaded, Loaded { notes, .. }) = load_options(&bytes, |_| {}).unwrap();
    assert_eq!(bits(&loaded), bits(&trained));
    assert!(notes.len() == 1 && notes[0].contains("`state_dict` was taken, not `state_dict_ema`"), "{notes:?}");
    let named = |place: &str| load_options(&bytes, |options| options.state_dict = Some(place.into()));
    let (loaded, Loaded { notes, .. }) = named("state_dict_ema").unwrap();
    assert_eq!(bits(&loaded), bits(&average));
    assert!(notes.len() == 1 && notes[0].contains("the prefix `module.`"), "{notes:?}");
    let error = named("ema").map(|_| ()).unwrap_err().to_string();
    assert!(
        error.contains("no state dict called `ema`; there are `state_dict`, `discriminator`, `state_dict_ema`"),
        "{error}"
    );
    assert!(named("discriminator").is_err());
    // For no network in particular, by name or size.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.pth");
    std::fs::write(&path, &bytes).unwrap();
    let mut options = LoadOptions::default();
    let whole = read_with(&path, &options).unwrap();
    assert_eq!(whole.dict.entries, state_dict(&trained).unwrap().entries);
    assert!(whole.notes[0].contains("several state dicts") && whole.notes[0].contains("`state_dict` was taken"));
    options.state_dict = Some("state_dict_ema".into());
    assert_eq!(read_with(&path, &options).unwrap().dict.entries, state_dict(&average).unwrap().entries);
}

#[test]
fn a_mismatch_is_an_error_like_any_other() {
    let dict = state_dict(&Cpu::default().build_module::<Other, f32>()).unwrap();
    let error: Box<dyn std::error::Error + Send + Sync> = set(&mut net(1), &dict).unwrap_err().into();
    let text = error.to_string();
    assert!(text.starts_with("the tensors do not fit the network:\n  missing: c.bias, bn.weight"), "{text}");
}

#[cfg(unix)]
#[test]
fn only_files_are_read_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let [pipe, file, link] = ["pipe", "file.safetensors", "link"].map(|name| folder.path().join(name));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    refused(&pipe, &["cannot read", "is a named pipe"]);
    refused(Path::new("/dev/zero"), &["cannot read", "is a device"]);
    for path in [&pipe, Path::new("/dev/null"), folder.path()] {
        assert!(atomic_file::check(path).is_err() && save_net(&net(1), path).is_err(), "{}", path.display());
    }
    assert!(std::fs::metadata(&pipe).is_ok_and(|pipe| !pipe.is_file()), "the pipe was replaced");
    // Through a link, which stays one.
    save_net(&net(1), &file).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    save_net(&net(2), &link).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    let mut loaded = net(5);
    load_net(&mut loaded, &file).unwrap();
    assert_eq!(bits(&loaded), bits(&net(2)));
    // A file that is protected, and a folder that is not there; nothing is left behind.
    let before = std::fs::read_dir(folder.path()).unwrap().count();
    atomic_file::check(&folder.path().join("new")).unwrap();
    let missing = atomic_file::check(&folder.path().join("no/new")).unwrap_err().to_string();
    assert!(missing.contains("there is no folder"), "{missing}");
    let mut permissions = std::fs::metadata(&file).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&file, permissions).unwrap();
    assert!(atomic_file::check(&file).unwrap_err().to_string().contains("may not be written to"));
    assert!(save_net(&net(1), &file).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), before);
}

#[test]
fn a_name_that_promises_another_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["net.pth", "net.PT", "net.ckpt", "net.onnx", "net.h5", "net.bin", "net.json"] {
        assert!(matches!(save_net(&net(1), &folder.path().join(name)), Err(WeightsError::Format { .. })), "{name}");
    }
    for name in ["net", "net.v2", "net.safetensors", "net.npz", "epoch.10"] {
        save_net(&net(1), &folder.path().join(name)).unwrap();
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 5);
}
