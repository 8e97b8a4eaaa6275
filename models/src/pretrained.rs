//! What published weights of a network want and their files do not say: how images are prepared, and what the classes are called.
//!
//! PyTorch's files are state dicts, tensors and nothing more. torchvision keeps the rest in its code (`ResNet18_Weights.transforms` and
//! `.meta`), so it is here for the networks that torchvision has too.

use convnet::data::fit::Fit;
use convnet::data::{Normalisation, Preparation};
use convnet::graph::Graph;

/// What is done to images before torchvision's weights of a network see them: those of `IMAGENET1K_V1`, except for EfficientNet-B1, where
/// they are those of `IMAGENET1K_V2`. (The second weights of other networks want a shorter side of 232 in place of 256.)
///
/// Images are resized bilinearly. torchvision does so as well but for the weights of EfficientNet-B0, B2 and B3, for which it resizes
/// bicubically; a preparation has no word for that, so these networks see slightly softer images here.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Pretrained {
    /// Means of the channels, of pixels between 0 and 1.
    pub mean: [f32; 3],
    /// Standard deviations of the channels.
    pub std: [f32; 3],
    /// The shorter side of an image is resized to the first number, and a square of the second one is cut out of the middle.
    pub sides: [usize; 2],
}

/// torchvision's preset for ImageNet.
pub(crate) const TORCHVISION: Pretrained =
    Pretrained { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], sides: [256, 224] };

/// The same where the network's first step, `transform_input`, undoes mean and deviation of the preset in favour of its own, as
/// torchvision's GoogLeNet does, whose weights came from elsewhere.
pub(crate) const TORCHVISION_GOOGLENET: Pretrained = Pretrained { mean: [0.5; 3], std: [0.5; 3], sides: [256, 224] };

/// Inception v3 has that first step too, and larger images.
pub(crate) const TORCHVISION_INCEPTION: Pretrained = Pretrained { sides: [342, 299], ..TORCHVISION_GOOGLENET };

/// EfficientNet-B1, of whose two weights these are the ones for which torchvision resizes bilinearly.
pub(crate) const TORCHVISION_B1: Pretrained = Pretrained { sides: [255, 240], ..TORCHVISION };

/// EfficientNet-B3.
pub(crate) const TORCHVISION_B3: Pretrained = Pretrained { sides: [320, 300], ..TORCHVISION };

/// ConvNeXt-T.
pub(crate) const TORCHVISION_CONVNEXT: Pretrained = Pretrained { sides: [236, 224], ..TORCHVISION };

/// Where nothing of the shorter side is cut off: EfficientNet-B2 and V2-S, FCN and DeepLabV3. (torchvision's FCN takes images of any shape, whose
/// shorter side is 520; a network of ours has one size, so the middle of a longer side is taken, and `--input 3x520x520` gives objects
/// the size that they had when the weights were trained.)
pub(crate) const TORCHVISION_WHOLE: Pretrained = Pretrained { sides: [1, 1], ..TORCHVISION };

impl Pretrained {
    /// How images are prepared for `graph`'s network, if it takes them in colour. For an input of another size than that of the weights the
    /// shorter side is resized in proportion: to 73 for 64x64 in place of 224x224.
    pub fn preparation(&self, graph: &Graph) -> Option<Preparation> {
        let shape = graph.input().chw();
        let normalisation = Normalisation { mean: self.mean.into(), std: self.std.into() };
        let plain = Preparation::plain(shape, Fit::Crop, normalisation);
        let resize = shape[1].min(shape[2]) * self.sides[0] / self.sides[1];
        (shape[0] == 3).then_some(Preparation { resize: Some(resize), ..plain })
    }
}

/// The classes of Pascal VOC, the first of which is the ground.
const VOC: [&str; 21] = [
    "__background__",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];

/// The names of ImageNet's classes, for a network with 1000 outputs, and of Pascal VOC's for one that gives maps of 21 channels.
pub fn classes(graph: &Graph) -> Option<Vec<String>> {
    let [channels, height, width] = graph.output_shape().chw();
    if height * width > 1 {
        return (channels == VOC.len()).then(|| VOC.map(String::from).to_vec());
    }
    let names = include_str!("imagenet_classes.txt").split_once("\n\n")?.1.lines();
    let names: Vec<String> = names.map(String::from).collect();
    (channels == names.len()).then_some(names)
}
