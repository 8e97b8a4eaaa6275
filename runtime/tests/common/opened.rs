//! What tests look at in a dataset that has been opened.

use convnet::data::Opened;

/// Images of the training set, of the validation set and of the test set.
pub fn counts(parts: &Opened) -> (usize, Option<usize>, usize) {
    (parts.train.len(), parts.validation.as_ref().map(|part| part.len()), parts.test.len())
}

/// Whether one of the notes has all these words.
#[track_caller]
pub fn notes(parts: &Opened, words: &[&str]) {
    let all = words.iter().all(|word| parts.notes.iter().any(|note| note.contains(word)));
    assert!(all, "{words:?} in {:#?}", parts.notes);
}
