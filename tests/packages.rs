//! What a registry and a stranger find in the packages: metadata, licences, a readme, and versions that belong together.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What Cargo knows of the crates of this workspace.
fn members() -> Vec<Value> {
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(crate::root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut all: Value = serde_json::from_slice(&output.stdout).unwrap();
    serde_json::from_value(all["packages"].take()).unwrap()
}

/// Crates that may be published; the others say `publish = false`.
fn published() -> Vec<Value> {
    let packages: Vec<Value> = members().into_iter().filter(|package| package["publish"].is_null()).collect();
    assert!(packages.len() >= 9, "{} packages are published", packages.len());
    packages
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// What a registry shows of a package, in the package itself: it has no repository to look into.
#[test]
fn each_package_says_what_it_is_and_under_which_licence() {
    let mut problems = Vec::new();
    for package in published() {
        let (name, folder) = (text(&package, "name"), Path::new(text(&package, "manifest_path")).parent().unwrap());
        let files: &[&str] = match text(&package, "license") {
            "MIT OR Apache-2.0" => &["LICENSE-MIT", "LICENSE-APACHE"],
            "CC-BY-SA-3.0" => &["LICENSE-CC-BY-SA-3.0"],
            other => panic!("{name}: no file is known for the licence `{other}`"),
        };
        let missing = files.iter().filter(|file| !folder.join(file).is_file());
        problems.extend(missing.map(|file| format!("{name}: no {file}")));
        if !folder.join(text(&package, "readme")).is_file() {
            problems.push(format!("{name}: no readme"));
        }
        if text(&package, "documentation") != format!("https://docs.rs/{name}") {
            problems.push(format!("{name}: `documentation` is not its page on docs.rs"));
        }
        if text(&package, "description").len() < 20 {
            problems.push(format!("{name}: no description"));
        }
        // What crates.io takes.
        let counts = ["keywords", "categories"].map(|key| package[key].as_array().map_or(0, Vec::len));
        if !counts.iter().all(|count| (1..=5).contains(count)) {
            problems.push(format!("{name}: {counts:?} keywords and categories, not 1 to 5 of each"));
        }
    }
    crate::complain(problems);
}

/// Generated code names hidden items of the runtime, so that no crate may ever meet another version of its siblings.
#[test]
fn packages_of_one_release_take_each_other_alone() {
    let (packages, mut problems) = (published(), Vec::new());
    let version = text(&packages[0], "version").to_string();
    for package in &packages {
        let name = text(package, "name");
        if text(package, "version") != version {
            problems.push(format!("{name} is {}, not {version}", text(package, "version")));
        }
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            // A crate's tests take the crate itself with other features.
            let is_sibling = !dependency["path"].is_null() && text(dependency, "name") != name;
            if is_sibling && text(dependency, "req") != format!("={version}") {
                let (on, req) = (text(dependency, "name"), text(dependency, "req"));
                problems.push(format!("{name} takes {on} `{req}`, not `={version}`"));
            }
        }
    }
    crate::complain(problems);
}

/// The Rust that is promised is the one that everything here is built and tested with.
#[test]
fn the_promised_rust_is_the_one_that_is_tested() {
    let read = |path: &str| std::fs::read_to_string(crate::root().join(path)).unwrap();
    let packages = published();
    let (promised, version) = (text(&packages[0], "rust_version"), text(&packages[0], "version"));
    assert!(packages.iter().all(|package| text(package, "rust_version") == promised), "not all take Rust {promised}");
    assert!(
        read("rust-toolchain.toml").contains(&format!("channel = \"{promised}.0\"")),
        "another toolchain is pinned"
    );
    for readme in ["README.md", "runtime/README.md", "models/README.md", "models/cli/README.md"] {
        assert!(read(readme).contains(&format!("Rust {promised} or newer")), "{readme} does not say Rust {promised}");
    }
    let (compatible, _) = version.rsplit_once('.').unwrap();
    assert!(
        read("runtime/README.md").contains(&format!("convnet = \"{compatible}\"")),
        "another version is recommended"
    );
}
