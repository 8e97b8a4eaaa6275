//! A part of a dataset, by the numbers of its images.

use super::{DataError, Dataset, Image, Target, TargetKind, target};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use std::sync::Arc;

/// Some images of a dataset.
#[derive(Clone)]
pub struct Subset {
    data: Arc<dyn Dataset>,
    indices: Vec<usize>,
}

impl Subset {
    /// The images with these numbers.
    ///
    /// # Panics
    /// If there is no image with one of them.
    pub fn new(data: Arc<dyn Dataset>, indices: Vec<usize>) -> Self {
        assert!(indices.iter().all(|i| *i < data.len()), "a subset of images that are there");
        Subset { data, indices }
    }

    /// The first `n` images, or all if there are fewer.
    pub fn first(data: Arc<dyn Dataset>, n: usize) -> Self {
        let n = n.min(data.len());
        Subset::new(data, (0..n).collect())
    }

    /// `n` images, or all if there are fewer: the first ones of a dataset whose classes lie mixed, as MNIST's do; of one that
    /// has class after class, as folders give it, `n` that are drawn by `seed` and spread over the classes as all are, with
    /// at least one of each class while `n` is large enough. Where images have not one class each, any `n` that are drawn by `seed`.
    pub fn limited(data: Arc<dyn Dataset>, n: usize, seed: u64) -> Self {
        if data.target_kind() == TargetKind::Class && mixed(&*data) {
            return Subset::first(data, n);
        }
        // Image `i` of a class of `m` has its turn at `i / m`.
        let mut turns: Vec<(f64, usize, usize)> = Vec::new();
        for (number, class) in shuffled_classes(&*data, seed).into_iter().enumerate() {
            let all = class.len() as f64;
            turns.extend(class.into_iter().enumerate().map(|(i, image)| (i as f64 / all, number, image)));
        }
        turns.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut indices: Vec<usize> = turns.into_iter().take(n).map(|(.., image)| image).collect();
        indices.sort_unstable();
        Subset::new(data, indices)
    }

    /// As many of each class as the smallest one has, drawn by `seed`, in the order of the dataset; all images, where they have
    /// no class.
    pub fn balanced(data: Arc<dyn Dataset>, seed: u64) -> Self {
        let classes = shuffled_classes(&*data, seed);
        // A class without images cannot set the measure.
        let smallest = classes.iter().map(Vec::len).filter(|n| *n > 0).min().unwrap_or(0);
        let mut indices: Vec<usize> = classes.into_iter().flat_map(|class| class.into_iter().take(smallest)).collect();
        indices.sort_unstable();
        Subset::new(data, indices)
    }

    /// Two parts, of which the second has `share` of the images of each class, drawn by `seed`. A class of two images or
    /// more is in both, if `share` is neither 0 nor 1. Images that have no class are divided as if they were of one.
    pub fn split(data: Arc<dyn Dataset>, share: f64, seed: u64) -> (Self, Self) {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for class in shuffled_classes(&*data, seed) {
            let wanted = (class.len() as f64 * share).round() as usize;
            let inside =
                if share > 0.0 && share < 1.0 && class.len() > 1 { wanted.clamp(1, class.len() - 1) } else { wanted };
            second.extend_from_slice(&class[..inside.min(class.len())]);
            first.extend_from_slice(&class[inside.min(class.len())..]);
        }
        first.sort_unstable();
        second.sort_unstable();
        (Subset::new(data.clone(), first), Subset::new(data, second))
    }
}

/// Whether classes lie mixed: neighbours differ in their class at least half as often as they would in a random order.
fn mixed(data: &dyn Dataset) -> bool {
    let n = data.len();
    // What has no class has nothing by which it could lie mixed.
    if data.target_kind() != TargetKind::Class {
        return false;
    }
    let changes = (1..n).filter(|i| data.label(*i) != data.label(i - 1)).count();
    let mut counts = vec![0_usize; data.classes().len()];
    (0..n).for_each(|i| counts[data.label(i)] += 1);
    let alike: f64 = counts.iter().map(|count| (*count as f64 / n.max(1) as f64).powi(2)).sum();
    changes as f64 >= n as f64 * (1.0 - alike) / 2.0
}

/// The images of each class, in an order that is a function of the seed; all together where they have not one class each.
fn shuffled_classes(data: &dyn Dataset, seed: u64) -> Vec<Vec<usize>> {
    let mut classes = match data.target_kind() {
        TargetKind::Class => vec![Vec::new(); data.classes().len()],
        _ => vec![Vec::new()],
    };
    (0..data.len()).for_each(|i| classes[target::label(data, i)].push(i));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    classes.iter_mut().for_each(|class| class.shuffle(&mut rng));
    classes
}

impl Dataset for Subset {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn classes(&self) -> &[String] {
        self.data.classes()
    }

    fn label(&self, i: usize) -> usize {
        self.data.label(self.indices[i])
    }

    fn target_kind(&self) -> TargetKind {
        self.data.target_kind()
    }

    fn target(&self, i: usize) -> Result<Target<'_>, DataError> {
        self.data.target(self.indices[i])
    }

    fn image(&self, i: usize) -> Result<Image<'_>, DataError> {
        self.data.image(self.indices[i])
    }

    fn file(&self, i: usize) -> Option<&Path> {
        self.data.file(self.indices[i])
    }

    fn in_memory(&self) -> bool {
        self.data.in_memory()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Images;

    fn data(labels: &[u8]) -> Arc<dyn Dataset> {
        let classes = (0..3).map(|c| c.to_string()).collect();
        Arc::new(Images {
            shape: [1, 1, 1],
            pixels: (0..labels.len() as u8).collect(),
            labels: labels.to_vec(),
            classes,
        })
    }

    fn counts(data: &dyn Dataset) -> [usize; 3] {
        let mut counts = [0; 3];
        (0..data.len()).for_each(|i| counts[data.label(i)] += 1);
        counts
    }

    #[test]
    fn splits_are_stratified_and_leave_nothing_out() {
        let labels = [vec![0; 10], vec![1; 20], vec![2; 2]].concat();
        let (train, test) = Subset::split(data(&labels), 0.1, 1);
        assert_eq!((counts(&train), counts(&test)), ([9, 18, 1], [1, 2, 1]));
        let mut all: Vec<usize> = train.indices.iter().chain(&test.indices).copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..32).collect::<Vec<_>>());
        assert_eq!(Subset::split(data(&labels), 0.1, 1).1.indices, test.indices);
        assert_ne!(Subset::split(data(&labels), 0.1, 2).1.indices, test.indices);
    }

    #[test]
    fn a_limit_is_spread_over_classes_unless_they_lie_mixed() {
        let sorted = [vec![0; 10], vec![1; 20], vec![2; 10]].concat();
        assert_eq!(counts(&Subset::limited(data(&sorted), 8, 1)), [2, 4, 2]);
        assert_eq!(counts(&Subset::limited(data(&sorted), 3, 1)), [1, 1, 1]);
        assert_eq!(counts(&Subset::limited(data(&sorted), 99, 1)), [10, 20, 10]);
        let of = |seed| Subset::limited(data(&sorted), 8, seed).indices;
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        // A rare class is not left out.
        let rare = [vec![0; 100], vec![1; 2]].concat();
        assert_eq!(counts(&Subset::limited(data(&rare), 10, 1)), [9, 1, 0]);
        let mixed: Vec<u8> = (0..40).map(|i| i % 3).collect();
        assert_eq!(Subset::limited(data(&mixed), 4, 1).indices, [0, 1, 2, 3]);
        assert!(Subset::limited(data(&[]), 4, 1).is_empty());
    }

    #[test]
    fn balance_takes_as_many_of_each_class() {
        let labels = [vec![0; 10], vec![1; 4]].concat();
        assert_eq!(counts(&Subset::balanced(data(&labels), 1)), [4, 4, 0]);
        assert_eq!(Subset::first(data(&labels), 3).len(), 3);
        assert_eq!(Subset::first(data(&labels), 99).len(), 14);
    }

    /// Images of which nothing is known, not even which classes there are.
    struct Bare;

    impl Dataset for Bare {
        fn len(&self) -> usize {
            10
        }

        fn classes(&self) -> &[String] {
            &[]
        }

        fn label(&self, _: usize) -> usize {
            0
        }

        fn target_kind(&self) -> TargetKind {
            TargetKind::Nothing
        }

        fn image(&self, _: usize) -> Result<Image<'_>, DataError> {
            Ok(Image { shape: [1, 1, 1], pixels: vec![0].into() })
        }
    }

    #[test]
    fn images_without_classes_are_drawn_from_all() {
        let data: Arc<dyn Dataset> = Arc::new(Bare);
        let limited = Subset::limited(data.clone(), 4, 1).indices;
        assert!(limited.len() == 4 && limited != [0, 1, 2, 3] && limited.is_sorted());
        let (train, test) = Subset::split(data.clone(), 0.3, 1);
        assert_eq!((train.len(), test.len()), (7, 3));
        assert_eq!(Subset::balanced(data, 1).len(), 10);
    }
}
