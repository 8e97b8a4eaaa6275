//! What published weights of a network want and their files do not say: how images are prepared, and what the classes are called.
//!
//! PyTorch's files are state dicts, tensors and nothing more. torchvision keeps the rest in its code (`ResNet18_Weights.transforms` and
//! `.meta`), so it is here for the networks that torchvision has too.

use convnet::data::fit::Fit;
use convnet::data::{Normalisation, Preparation};
use convnet::graph::Graph;

/// What is done to images before torchvision's weights of a network see them.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Pretrained {
    /// Means of the channels, of pixels between 0 and 1.
    pub mean: [f32; 3],
    /// Standard deviations of the channels.
    pub std: [f32; 3],
}

/// torchvision's preset for ImageNet.
pub(crate) const TORCHVISION: Pretrained = Pretrained { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/// The same where the network's first step, `transform_input`, undoes mean and deviation of the preset in favour of its own, as
/// torchvision's GoogLeNet does, whose weights came from elsewhere.
pub(crate) const TORCHVISION_GOOGLENET: Pretrained = Pretrained { mean: [0.5; 3], std: [0.5; 3] };

/// The preset resizes the shorter side of an image to the first number, and cuts a square of the second one out of the middle.
const SIDES: [usize; 2] = [256, 224];

impl Pretrained {
    /// How images are prepared for `graph`'s network, if it takes them in colour. For an input of another size than 224x224 the shorter
    /// side is resized in proportion: to 73 for 64x64.
    pub fn preparation(&self, graph: &Graph) -> Option<Preparation> {
        let shape = graph.input().chw();
        let normalisation = Normalisation { mean: self.mean.into(), std: self.std.into() };
        let plain = Preparation::plain(shape, Fit::Crop, normalisation);
        let resize = shape[1].min(shape[2]) * SIDES[0] / SIDES[1];
        (shape[0] == 3).then_some(Preparation { resize: Some(resize), ..plain })
    }
}

/// The names of ImageNet's classes, for a network with 1000 outputs.
pub fn classes(graph: &Graph) -> Option<Vec<String>> {
    let names = include_str!("imagenet_classes.txt").split_once("\n\n")?.1.lines();
    let names: Vec<String> = names.map(String::from).collect();
    (graph.output_shape().len() == names.len()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CATALOGUE, find};

    #[test]
    fn networks_of_torchvision_are_prepared_for_as_there() {
        let known: Vec<&str> =
            CATALOGUE.iter().filter(|entry| entry.pretrained.is_some()).map(|entry| entry.name).collect();
        assert_eq!(known.len(), 18, "{known:?}");
        for entry in CATALOGUE.iter().filter(|entry| entry.pretrained.is_some()) {
            let preparation = entry.pretrained.unwrap().preparation(entry.graph).unwrap();
            assert_eq!((preparation.shape, preparation.resize), ([3, 224, 224], Some(256)), "{}", entry.name);
            let names = classes(entry.graph).unwrap();
            // torchvision.models.ResNet18_Weights.DEFAULT.meta["categories"].
            assert_eq!(
                [0, 281, 817, 999].map(|i| names[i].as_str()),
                ["tench", "tabby", "sports car", "toilet tissue"]
            );
        }
        assert_eq!(classes(find("resnet20").unwrap().graph), None);
        assert_eq!(TORCHVISION.preparation(find("lenet5").unwrap().graph), None);
        assert_eq!(TORCHVISION.preparation(find("resnet20").unwrap().graph).unwrap().resize, Some(36));
    }

    #[test]
    fn googlenet_sees_what_its_first_step_makes_of_an_image() {
        // (x - 0.485) / 0.229 * (0.229 / 0.5) + (0.485 - 0.5) / 0.5, for x = 0.25.
        let [imagenet, own] = [TORCHVISION, TORCHVISION_GOOGLENET];
        for c in 0..3 {
            let given = (0.25 - imagenet.mean[c]) / imagenet.std[c];
            let seen = given * (imagenet.std[c] / 0.5) + (imagenet.mean[c] - 0.5) / 0.5;
            assert!((seen - (0.25 - own.mean[c]) / own.std[c]).abs() < 1e-6);
        }
        assert_eq!(find("googlenet").unwrap().pretrained, Some(own));
    }
}
