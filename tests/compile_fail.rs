//! The text of compile errors: one mistake a file under `ui/`, named after it, with the error that rustc shows beside it.
#![forbid(unsafe_code)]

#[test]
fn every_mistake_has_its_error() {
    let cases = trybuild::TestCases::new();
    for folder in ["syntax", "names", "arguments", "shape", "budget", "habits", "header", "blocks", "merge", "custom", "attributes", "exported", "outside"] {
        cases.compile_fail(format!("ui/{folder}/*.rs"));
    }
}
