//! What is done to pixels last: `(x - mean) / std`, channel by channel.

use super::fit::coloured;
use super::survey::Survey;
use super::{DataError, Dataset, name_of, word};
use crate::wording::word_of;
use std::fmt;
use std::str::FromStr;

/// What is subtracted from pixels between 0 and 1, and what the difference is divided by, for each channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalisation {
    /// Means.
    pub mean: Vec<f32>,
    /// Standard deviations.
    pub std: Vec<f32>,
}

/// Which mean and standard deviation pixels are normalised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum NormalisationKind {
    /// Those of the training set, which are computed.
    #[default]
    Auto,
    /// None: pixels stay between 0 and 1.
    None,
    /// Those of MNIST.
    Mnist,
    /// Those of Fashion-MNIST.
    FashionMnist,
    /// Those of CIFAR-10.
    Cifar10,
    /// Those of CIFAR-100.
    Cifar100,
    /// Those of ImageNet.
    ImageNet,
}

impl NormalisationKind {
    pub(crate) const NAMES: [(&str, NormalisationKind); 7] = [
        ("auto", NormalisationKind::Auto),
        ("none", NormalisationKind::None),
        ("mnist", NormalisationKind::Mnist),
        ("fashion-mnist", NormalisationKind::FashionMnist),
        ("cifar10", NormalisationKind::Cifar10),
        ("cifar100", NormalisationKind::Cifar100),
        ("imagenet", NormalisationKind::ImageNet),
    ];

    /// Mean and standard deviation; nothing where they are computed.
    fn numbers(self) -> Option<[&'static [f32]; 2]> {
        Some(match self {
            NormalisationKind::Auto => return None,
            NormalisationKind::None => [&[0.0], &[1.0]],
            NormalisationKind::Mnist => [&[0.1307], &[0.3081]],
            NormalisationKind::FashionMnist => [&[0.2860], &[0.3530]],
            NormalisationKind::Cifar10 => [&[0.4914, 0.4822, 0.4465], &[0.2470, 0.2435, 0.2616]],
            NormalisationKind::Cifar100 => [&[0.5071, 0.4865, 0.4409], &[0.2673, 0.2564, 0.2762]],
            NormalisationKind::ImageNet => [&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]],
        })
    }
}

impl FromStr for NormalisationKind {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        word("normalisation", &NormalisationKind::NAMES, text)
    }
}

impl fmt::Display for NormalisationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word_of(&NormalisationKind::NAMES, self))
    }
}

impl Normalisation {
    /// That of a dataset with a name, for so many channels; grey ones serve all channels.
    ///
    /// # Errors
    /// When there is none of that name, or it is for another number of channels.
    pub fn named(name: &str, channels: usize) -> Result<Self, DataError> {
        let error =
            |found: String, expected: String| DataError::Option { what: "normalisation".into(), found, expected };
        let kind: NormalisationKind = name.parse()?;
        let Some([mean, std]) = kind.numbers() else {
            return Err(error(format!("`{name}` is computed from images"), "it must be the name of a dataset".into()));
        };
        let spread = |values: &[f32]| match values {
            [one] => Some(vec![*one; channels]),
            _ => (values.len() == channels).then(|| values.to_vec()),
        };
        match (spread(mean), spread(std)) {
            (Some(mean), Some(std)) => Ok(Normalisation { mean, std }),
            _ => Err(error(format!("`{name}` is for 3 channels"), format!("the network takes {channels}"))),
        }
    }

    /// By what a byte of channel `c` is multiplied, and what is added then.
    pub fn factors(&self, c: usize) -> [f32; 2] {
        [1.0 / (255.0 * self.std[c]), -self.mean[c] / self.std[c]]
    }

    /// Black and white of channel `c`, as a network sees them.
    pub fn range(&self, c: usize) -> [f32; 2] {
        [-self.mean[c] / self.std[c], (1.0 - self.mean[c]) / self.std[c]]
    }

    /// Bytes `[C, H, W]` as a network sees them, put behind `to`.
    pub fn extend(&self, bytes: &[u8], to: &mut Vec<f32>) {
        for (c, plane) in bytes.chunks_exact(bytes.len() / self.mean.len()).enumerate() {
            let [factor, offset] = self.factors(c);
            to.extend(plane.iter().map(|byte| f32::from(*byte) * factor + offset));
        }
    }

    /// The same for values from 0 to 1.
    pub fn extend_from(&self, values: &[f32], to: &mut Vec<f32>) {
        for (c, plane) in values.chunks_exact(values.len() / self.mean.len()).enumerate() {
            let [factor, offset] = self.factors(c);
            to.extend(plane.iter().map(|x| x * 255.0 * factor + offset));
        }
    }
}

/// How the pixels of a dataset are distributed.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// Means, of pixels between 0 and 1.
    pub mean: Vec<f64>,
    /// How channels vary together, `[C, C]`.
    pub covariance: Vec<Vec<f64>>,
}

/// Images that have to be read for statistics, at most: evenly spaced ones of the dataset.
const SAMPLE: usize = 10_000;

impl Statistics {
    /// The statistics of images with so many channels, of which grey ones count for each, and what the images have in common: each
    /// is read once.
    ///
    /// # Errors
    /// When an image cannot be read, unless `skip`s say that such are left out, or when there is none.
    pub(super) fn surveyed(data: &dyn Dataset, channels: usize, skip: bool) -> Result<(Self, Survey), DataError> {
        let step = if data.in_memory() { 1 } else { data.len().div_ceil(SAMPLE).max(1) };
        let (mut count, mut sums) = (0_u64, vec![0_u64; channels]);
        let mut products = vec![vec![0_u64; channels]; channels];
        let mut survey = Survey::new();
        for i in (0..data.len()).step_by(step) {
            let image = match data.image(i) {
                Ok(image) => {
                    survey.see(&image);
                    coloured(image, channels).map_err(|error| error.about(|| name_of(data, i)))?
                }
                Err(_) if skip => continue,
                Err(error) => return Err(error),
            };
            let len = image.shape[1] * image.shape[2];
            let planes: Vec<&[u8]> = image.pixels.chunks_exact(len.max(1)).collect();
            count += len as u64;
            for a in 0..channels {
                sums[a] += planes[a].iter().map(|x| u64::from(*x)).sum::<u64>();
                for b in 0..=a {
                    // Products of bytes are exact in integers, so the order of sums does not matter.
                    let product = |(x, y): (&u8, &u8)| u64::from(u32::from(*x) * u32::from(*y));
                    products[a][b] += planes[a].iter().zip(planes[b]).map(product).sum::<u64>();
                }
            }
        }
        if count == 0 {
            let problem = "there is no image to compute a mean from".into();
            return Err(DataError::Nothing { path: "the training set".into(), problem });
        }
        let mean: Vec<f64> = sums.iter().map(|sum| *sum as f64 / count as f64 / 255.0).collect();
        let covariance = |a: usize, b: usize| {
            let product = products[a.max(b)][a.min(b)];
            product as f64 / count as f64 / 255.0 / 255.0 - mean[a] * mean[b]
        };
        let covariance = (0..channels).map(|a| (0..channels).map(|b| covariance(a, b)).collect()).collect();
        Ok((Statistics { mean, covariance }, survey))
    }

    /// What brings these pixels to mean 0 and standard deviation 1.
    pub fn normalisation(&self) -> Normalisation {
        // A channel that never changes is left as it is.
        let deviation = |c: usize| self.covariance[c][c].max(0.0).sqrt();
        let std = (0..self.mean.len()).map(|c| if deviation(c) > 1e-6 { deviation(c) as f32 } else { 1.0 });
        Normalisation { mean: self.mean.iter().map(|mean| *mean as f32).collect(), std: std.collect() }
    }

    /// The principal components of colour: standard deviation and direction of each, the largest first.
    pub fn components(&self) -> Vec<(f64, Vec<f64>)> {
        let n = self.mean.len();
        let mut a = self.covariance.clone();
        let mut v: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
        // Jacobi's rotations: three channels need a handful.
        for _ in 0..32 {
            for p in 0..n {
                for q in p + 1..n {
                    if a[p][q].abs() < 1e-18 {
                        continue;
                    }
                    let theta = 0.5 * (2.0 * a[p][q]).atan2(a[q][q] - a[p][p]);
                    let (s, c) = theta.sin_cos();
                    for row in a.iter_mut().chain(&mut v) {
                        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                    }
                    for k in 0..n {
                        (a[p][k], a[q][k]) = (c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]);
                    }
                }
            }
        }
        let direction = |i: usize| v.iter().map(|row| row[i]).collect();
        let mut found: Vec<(f64, Vec<f64>)> = (0..n).map(|i| (a[i][i].max(0.0).sqrt(), direction(i))).collect();
        found.sort_by(|x, y| y.0.total_cmp(&x.0));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Images, mnist};

    #[test]
    fn mnist_has_the_mean_and_deviation_that_everybody_uses() {
        let data = mnist::bundled().unwrap().train;
        let computed = Statistics::surveyed(&data, 1, false).unwrap().0.normalisation();
        let named = Normalisation::named("mnist", 1).unwrap();
        assert!((computed.mean[0] - named.mean[0]).abs() < 1e-3 && (computed.std[0] - named.std[0]).abs() < 1e-3);
        let spread = Statistics::surveyed(&data, 3, false).unwrap().0;
        assert!((spread.covariance[0][2] - spread.covariance[1][1]).abs() < 1e-12);
    }

    #[test]
    fn components_are_those_of_the_covariance() {
        // numpy.linalg.eigh([[0.5, 0.2, 0.1], [0.2, 0.3, 0.05], [0.1, 0.05, 0.2]]): 0.65111, 0.18438, 0.16451.
        let covariance = vec![vec![0.5, 0.2, 0.1], vec![0.2, 0.3, 0.05], vec![0.1, 0.05, 0.2]];
        let statistics = Statistics { mean: vec![0.0; 3], covariance: covariance.clone() };
        let components = statistics.components();
        for (deviation, direction) in &components {
            let length: f64 = direction.iter().map(|x| x * x).sum();
            assert!((length - 1.0).abs() < 1e-12);
            for row in 0..3 {
                let product: f64 = (0..3).map(|k| covariance[row][k] * direction[k]).sum();
                assert!((product - deviation * deviation * direction[row]).abs() < 1e-9, "{components:?}");
            }
        }
        assert!((components[0].0.powi(2) - 0.651_11).abs() < 1e-3, "{components:?}");
    }

    #[test]
    fn names_fit_the_channels() {
        assert_eq!(Normalisation::named("mnist", 3).unwrap().mean, [0.1307; 3]);
        assert!(Normalisation::named("imagenet", 1).unwrap_err().to_string().contains("3 channels"));
        assert!(Normalisation::named("imagnet", 3).unwrap_err().to_string().contains("cifar10"));
        let empty = Images { shape: [1, 2, 2], pixels: vec![], labels: vec![], classes: vec![] };
        assert!(Statistics::surveyed(&empty, 1, false).is_err());
    }
}
