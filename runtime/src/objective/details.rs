//! What an evaluation leaves for a report, for each task.

/// What there is beside loss and metrics.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Details {
    /// This is what an evaluation of [`Task::Classes`](super::Task::Classes) leaves.
    Classes(ClassDetails),
    /// This is what an evaluation of [`Task::MultiLabel`](super::Task::MultiLabel) leaves.
    Labels(LabelDetails),
    /// This is what an evaluation of [`Task::Masks`](super::Task::Masks) leaves.
    Masks(MaskDetails),
    /// This is what an evaluation of [`Task::Numbers`](super::Task::Numbers) leaves.
    Numbers(NumberDetails),
    /// This is what an evaluation of [`Task::Itself`](super::Task::Itself) leaves: where each of the first images is in the dataset, and what the network gives
    /// for it, `[C, H, W]`, normalised as its input is.
    Itself(Vec<(usize, Vec<f32>)>),
    /// This is what an objective leaves that has nothing to show.
    Nothing,
}

/// Classes, and which are taken for which.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassDetails {
    /// `confusion[label][prediction]` counts images.
    pub confusion: Vec<Vec<usize>>,
    /// Images whose class was among the five most probable.
    pub among_five: usize,
    /// The wrong predictions with the largest loss, worst first.
    pub mistakes: Vec<Mistake>,
}

/// A wrong prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mistake {
    /// Where the image is in the dataset.
    pub index: usize,
    /// What it is.
    pub label: usize,
    /// What the network says.
    pub prediction: usize,
    /// The probability that the network gives to what it is, and to what it says.
    pub probabilities: [f32; 2],
}

/// How a class did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScore {
    /// The share of the images predicted to be of this class that are of it; from 0 to 1.
    pub precision: f64,
    /// The share of the images of this class that were predicted to be; from 0 to 1.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// Its images.
    pub support: usize,
}

impl ClassScore {
    /// The scores of a class, from the number of images that were rightly predicted to be of it, that were predicted to be of it, and that are of it; 0 where there is nothing to divide by, as scikit-learn has it.
    pub(super) fn of(found: usize, said: usize, support: usize) -> Self {
        let share = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let (precision, recall) = (share(found, said), share(found, support));
        ClassScore { precision, recall, f1: share(2 * found, said + support), support }
    }
}

impl ClassDetails {
    pub(super) fn keep_worst(&mut self, most: usize) {
        self.mistakes.sort_by(|a, b| a.probabilities[0].total_cmp(&b.probabilities[0]).then(a.index.cmp(&b.index)));
        self.mistakes.truncate(most);
    }

    /// Number of images.
    pub fn total(&self) -> usize {
        self.confusion.iter().flatten().sum()
    }

    /// Number of images whose class was found.
    pub fn correct(&self) -> usize {
        (0..self.confusion.len()).map(|class| self.confusion[class][class]).sum()
    }

    /// Share of images whose class was found.
    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.total().max(1) as f64
    }

    /// Share of images whose class was among the five most probable.
    pub fn top5(&self) -> f64 {
        self.among_five as f64 / self.total().max(1) as f64
    }

    /// For each class, the share of its images that was found.
    pub fn recall(&self) -> Vec<f64> {
        self.scores().iter().map(|score| score.recall).collect()
    }

    /// Precision, recall and F1 of each class.
    pub fn scores(&self) -> Vec<ClassScore> {
        let said = |class: usize| self.confusion.iter().map(|row| row[class]).sum();
        let score = |class: usize| {
            ClassScore::of(self.confusion[class][class], said(class), self.confusion[class].iter().sum())
        };
        (0..self.confusion.len()).map(score).collect()
    }
}

/// How each label did.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelDetails {
    /// For each label, in the order of the classes.
    pub scores: Vec<LabelScore>,
    /// The images with the largest loss, worst first: where they are in the dataset, and the probability of each label.
    pub worst: Vec<(usize, Vec<f32>)>,
}

/// How a label did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelScore {
    /// The average precision over all thresholds, as scikit-learn has it; none, if no image has the label.
    pub average_precision: Option<f64>,
    /// Precision, recall and F1 where a probability of one half or more says that it is there.
    pub at_half: ClassScore,
}

/// How each class of masks did.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskDetails {
    /// `confusion[label][prediction]` counts pixels, without those that are ignored.
    pub confusion: Vec<Vec<u64>>,
    /// The images on which masks agree least, worst first.
    pub worst: Vec<MaskExample>,
}

/// A mask that the network gives.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskExample {
    /// Where the image is in the dataset.
    pub index: usize,
    /// The mean IoU of the classes that are in the image or in the answer.
    pub mean_iou: f64,
    /// `[H, W]`: the class that the network gives to each pixel.
    pub prediction: Vec<u8>,
}

impl MaskDetails {
    /// The intersection over union of a class; none, if it is neither in the masks nor in the answers.
    pub fn iou(&self, class: usize) -> Option<f64> {
        let [both, label, said] = self.overlap(class);
        let union = label + said - both;
        (union > 0).then(|| both as f64 / union as f64)
    }

    /// The Dice coefficient of a class; none, if it is neither in the masks nor in the answers.
    pub fn dice(&self, class: usize) -> Option<f64> {
        let [both, label, said] = self.overlap(class);
        (label + said > 0).then(|| 2.0 * both as f64 / (label + said) as f64)
    }

    /// Pixels of a class in the masks.
    pub fn pixels(&self, class: usize) -> u64 {
        self.confusion[class].iter().sum()
    }

    /// Pixels of a class in masks and answers, in the masks, and in the answers.
    fn overlap(&self, class: usize) -> [u64; 3] {
        let said = self.confusion.iter().map(|row| row[class]).sum();
        [self.confusion[class][class], self.pixels(class), said]
    }
}

/// How each number did.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberDetails {
    /// For each number its mean absolute error, the root of the mean squared error, and R2, which is none where all images have the same number.
    pub errors: Vec<(f64, f64, Option<f64>)>,
    /// Some images, spread over the dataset: where they are in it, their numbers, and what the network gives.
    pub points: Vec<(usize, Vec<f32>, Vec<f32>)>,
    /// The images with the largest error, worst first, in the same form.
    pub worst: Vec<(usize, Vec<f32>, Vec<f32>)>,
}
