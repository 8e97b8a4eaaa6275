//! The text of compile errors: one mistake a file under `ui/KIND/`, named after it, with the error that rustc shows beside it.
#![forbid(unsafe_code)]

#[test]
fn every_mistake_has_its_error() {
    let cases = trybuild::TestCases::new();
    let kinds = std::fs::read_dir("ui").unwrap().map(|entry| entry.unwrap().file_name());
    for kind in kinds.map(|name| name.into_string().unwrap()) {
        cases.compile_fail(format!("ui/{kind}/*.rs"));
    }
}
