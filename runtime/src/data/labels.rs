//! The classes of a trained network and those of a dataset, brought together.
//!
//! A network answers with numbers. What they mean is what its weights file says; a dataset numbers its classes by itself, so the two must be
//! compared wherever labels meet a trained network.

use super::classes::same;
use super::{DataError, Dataset, IGNORED, Image, Target, TargetKind};
use crate::graph::Graph;
use crate::weights::Metadata;
use std::path::Path;
use std::sync::Arc;

const CLASSES: &str = "classes";

/// The classes that a trained network distinguishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    names: Vec<String>,
    /// Whether the weights file names them.
    given: bool,
}

/// Which class of a network each class of a dataset is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matching {
    /// For each class of the dataset the number of the network's.
    pub of: Vec<usize>,
    /// What was done, in a sentence, if they are not simply the same.
    pub note: Option<String>,
}

/// The classes of a dataset are not those of a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; the network distinguishes: {}; the data has: {}", some(network), some(data))]
pub struct ClassesDiffer {
    /// What is wrong.
    pub problem: String,
    /// Names of the network's classes.
    pub network: Vec<String>,
    /// Names of the data's.
    pub data: Vec<String>,
}

/// Names that are listed, at most.
const LISTED: usize = 20;

fn some(names: &[String]) -> String {
    let more = names.len().saturating_sub(LISTED);
    let listed = names.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{listed} and {more} more") } else { listed }
}

impl Classes {
    /// What a weights file says in its metadata about the classes of `graph`'s network; without a word, they are called by their numbers.
    ///
    /// # Errors
    /// When there are not as many names as the network has outputs; channels, where its output is a map.
    pub fn of(about: &Metadata, graph: &Graph) -> Result<Self, DataError> {
        let outputs = graph.output_shape().chw()[0];
        let Some(text) = about.get(CLASSES) else {
            return Ok(Classes { names: (0..outputs).map(|class| class.to_string()).collect(), given: false });
        };
        let wrong = |found: String| DataError::Metadata {
            key: CLASSES,
            found,
            expected: format!("a list of {outputs} names, as {} has so many outputs", graph.name),
        };
        let names: Vec<String> = match serde_json::from_str(text) {
            Ok(names) => names,
            Err(_) if text.trim_start().starts_with(['[', '{']) => return Err(wrong(text.clone())),
            // Older files have them between commas.
            Err(_) => text.split(',').map(String::from).collect(),
        };
        match names.len() == outputs {
            true => Ok(Classes { names, given: true }),
            false => Err(wrong(format!("{} names: {}", names.len(), some(&names)))),
        }
    }

    /// Those of a dataset that a network has been trained on.
    pub fn trained_on(names: &[String]) -> Self {
        Classes { names: names.to_vec(), given: true }
    }

    /// Names that are likely where a weights file gives none, in the order of the outputs: a dataset's classes are still taken in their
    /// order where their names are others.
    #[doc(hidden)]
    pub fn or_assumed(self, names: Option<Vec<String>>) -> Self {
        match names {
            Some(names) if !self.given && names.len() == self.names.len() => Classes { names, given: false },
            _ => self,
        }
    }

    /// Their names, in the order of the network's outputs.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Puts their names into the metadata of a weights file, for [`Classes::of`] to read.
    pub fn to_metadata(&self, about: &mut Metadata) {
        about.insert(CLASSES.into(), serde_json::Value::from(self.names.clone()).to_string());
    }

    /// Whether the names say anything: numbers in their order do not.
    fn have_names(&self) -> bool {
        self.given && !self.names.iter().enumerate().all(|(i, name)| *name == i.to_string())
    }

    /// Which of them the classes of a dataset are: by name or, where the network's have none but numbers, by order. Names are compared in
    /// Unicode's form NFC, since systems write one name in different forms.
    ///
    /// # Errors
    /// When a class of the data is none of the network's, or it cannot be told which.
    pub fn matched(&self, data: &[String]) -> Result<Matching, ClassesDiffer> {
        let same = |a: &String, b: &String| same(a, b);
        if data.len() == self.names.len() && data.iter().zip(&self.names).all(|(a, b)| same(a, b)) {
            return Ok(Matching { of: (0..data.len()).collect(), note: None });
        }
        let found = |name: &String| {
            let mut places = (0..self.names.len()).filter(|i| same(&self.names[*i], name));
            let first = places.next();
            first.filter(|_| places.next().is_none())
        };
        let places: Vec<Option<usize>> = data.iter().map(found).collect();
        if let Some(of) = places.iter().copied().collect::<Option<Vec<usize>>>() {
            let (has, all) = (data.len(), self.names.len());
            let note = match has == all {
                true => "the data has the network's classes in another order; they are matched by name".into(),
                false => format!("the data has {has} of the network's {all} classes; they are matched by name"),
            };
            return Ok(Matching { of, note: Some(note) });
        }
        let differ = |problem: String| ClassesDiffer { problem, network: self.names.clone(), data: data.to_vec() };
        let numbers = |names: &[String]| names.iter().all(|name| name.parse::<u64>().is_ok());
        if !self.have_names() && data.len() == self.names.len() && !(self.given && numbers(data)) {
            return self.by_order(data);
        }
        let strange: Vec<String> =
            data.iter().zip(&places).filter(|(_, place)| place.is_none()).map(|(name, _)| name.clone()).collect();
        let problem = match self.have_names() || self.given {
            true => {
                format!("classes of the data that the network does not have, or has several of: {}", some(&strange))
            }
            false => {
                format!("the weights do not name their {} classes, and the data has {}", self.names.len(), data.len())
            }
        };
        Err(differ(problem))
    }

    /// The classes of a dataset taken in their order, whatever their names.
    ///
    /// # Errors
    /// When the dataset has more than the network.
    pub fn by_order(&self, data: &[String]) -> Result<Matching, ClassesDiffer> {
        if data.len() > self.names.len() {
            let problem = format!("the data has {} classes, and the network {}", data.len(), self.names.len());
            return Err(ClassesDiffer { problem, network: self.names.clone(), data: data.to_vec() });
        }
        let pairs: Vec<String> = self.names.iter().zip(data).map(|(a, b)| format!("{a} is {b}")).collect();
        let note = format!("the classes of the data are taken in their order: {}", some(&pairs));
        Ok(Matching { of: (0..data.len()).collect(), note: Some(note) })
    }
}

/// A dataset with the classes of a trained network.
pub struct Relabelled {
    data: Arc<dyn Dataset>,
    classes: Vec<String>,
    of: Vec<usize>,
}

impl Relabelled {
    /// `data`, whose classes are those of `classes` that `matching` says.
    ///
    /// # Panics
    /// If the matching was made for other classes.
    pub fn new(data: Arc<dyn Dataset>, classes: &Classes, matching: &Matching) -> Self {
        let (of, classes) = (matching.of.clone(), classes.names.clone());
        assert!(
            of.len() == data.classes().len() && of.iter().all(|class| *class < classes.len()),
            "a matching of these"
        );
        Relabelled { data, classes, of }
    }

    /// Values of the data's classes at the places of the network's.
    fn placed<T: Copy>(&self, values: &[T], absent: T) -> Vec<T> {
        let mut placed = vec![absent; self.classes.len()];
        self.of.iter().zip(values).for_each(|(place, value)| placed[*place] = *value);
        placed
    }
}

impl Dataset for Relabelled {
    fn len(&self) -> usize {
        self.data.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, i: usize) -> usize {
        match self.data.target_kind() {
            TargetKind::Class => self.of[self.data.label(i)],
            TargetKind::Labels | TargetKind::Mask | TargetKind::Numbers | TargetKind::Nothing => 0,
        }
    }

    fn target_kind(&self) -> TargetKind {
        self.data.target_kind()
    }

    fn target(&self, i: usize) -> Result<Target<'_>, DataError> {
        Ok(match self.data.target(i)? {
            Target::Class(class) => Target::Class(self.of[class]),
            Target::Labels(labels) => Target::Labels(self.placed(&labels, false).into()),
            Target::Numbers(numbers) => Target::Numbers(self.placed(&numbers, 0.0).into()),
            Target::Mask(mut mask) => {
                for class in mask.pixels.to_mut().iter_mut().filter(|class| **class != IGNORED) {
                    // The network's classes fit into a byte too, or it could not have been trained on masks.
                    *class =
                        self.of.get(usize::from(*class)).and_then(|own| u8::try_from(*own).ok()).unwrap_or(IGNORED);
                }
                Target::Mask(mask)
            }
            Target::Nothing => Target::Nothing,
        })
    }

    fn image(&self, i: usize) -> Result<Image<'_>, DataError> {
        self.data.image(i)
    }

    fn file(&self, i: usize) -> Option<&Path> {
        self.data.file(i)
    }

    fn in_memory(&self) -> bool {
        self.data.in_memory()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Images;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| name.to_string()).collect()
    }

    fn trained(list: &[&str]) -> Classes {
        Classes::trained_on(&names(list))
    }

    #[test]
    fn classes_are_matched_by_name_and_only_without_names_by_order() {
        let matched = |network: &Classes, data: &[&str]| network.matched(&names(data)).map(|found| found.of);
        let pets = trained(&["cat", "dog", "caf\u{e9}"]);
        assert_eq!(matched(&pets, &["cat", "dog", "cafe\u{301}"]), Ok(vec![0, 1, 2]));
        assert_eq!(pets.matched(&names(&["cat", "dog", "caf\u{e9}"])).unwrap().note, None);
        assert_eq!(matched(&pets, &["caf\u{e9}", "cat", "dog"]), Ok(vec![2, 0, 1]));
        assert_eq!(matched(&pets, &["dog"]), Ok(vec![1]));
        let error = pets.matched(&names(&["cat", "dog", "fox"])).unwrap_err().to_string();
        assert!(error.contains("several of: fox; the network") && error.contains("cat, dog, caf"), "{error}");
        assert!(pets.matched(&names(&["a", "b", "c", "d"])).is_err());
        // Two of one name, as ImageNet has: the same list is the same, a part of it cannot be told.
        let cranes = trained(&["crane", "owl", "crane"]);
        assert_eq!(matched(&cranes, &["crane", "owl", "crane"]), Ok(vec![0, 1, 2]));
        assert_eq!(matched(&cranes, &["owl"]), Ok(vec![1]));
        assert!(matched(&cranes, &["crane", "owl"]).is_err());
        // Without names: numbers are numbers of outputs, and other names come in their order.
        let unnamed = Classes { given: false, ..trained(&["0", "1", "2"]) };
        assert_eq!(matched(&unnamed, &["2"]), Ok(vec![2]));
        assert_eq!(matched(&unnamed, &["a", "b", "c"]), Ok(vec![0, 1, 2]));
        assert!(unnamed.matched(&names(&["a", "b", "c"])).unwrap().note.unwrap().contains("0 is a, 1 is b, 2 is c"));
        assert!(unnamed.matched(&names(&["a", "b"])).unwrap_err().to_string().contains("do not name their 3 classes"));
        assert_eq!(matched(&unnamed, &["1", "2", "3"]), Ok(vec![0, 1, 2]));
        // Digits that were trained on are digits.
        let digits = trained(&["0", "1", "2"]);
        assert!(matched(&digits, &["1", "2", "3"]).is_err());
        assert_eq!(matched(&digits, &["a", "b", "c"]), Ok(vec![0, 1, 2]));
        assert_eq!(pets.by_order(&names(&["x", "y"])).unwrap().of, [0, 1]);
        assert!(pets.by_order(&names(&["x"; 4])).is_err());
    }

    #[test]
    fn a_relabelled_dataset_has_the_classes_of_the_network() {
        let data =
            Images { shape: [1, 1, 1], pixels: vec![7, 8, 9], labels: vec![0, 1, 1], classes: names(&["b", "a"]) };
        let network = trained(&["a", "c", "b"]);
        let matching = network.matched(&data.classes).unwrap();
        let relabelled = Relabelled::new(Arc::new(data), &network, &matching);
        assert_eq!(relabelled.classes(), ["a", "c", "b"]);
        assert_eq!([0, 1, 2].map(|i| relabelled.label(i)), [2, 0, 0]);
        assert_eq!((relabelled.image(2).unwrap().pixels[0], relabelled.len()), (9, 3));
    }
}
