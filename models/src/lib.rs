//! The zoo: declarations only, one family a file.
#![doc = include_str!("../README.md")]
//! # Types and entries
//!
//! Each network is a type for those who name it, and an [`Entry`] of the [`CATALOGUE`] for those who are told its name when the
//! program runs: its graph and its source as data, of which [`DynNetwork`](convnet::net::DynNetwork) makes a network without a type.
#![forbid(unsafe_code)]

pub mod alexnet;
pub mod autoencoder;
pub mod convnext;
pub mod deeplab;
pub mod densenet;
pub mod efficientnet;
pub mod fcn;
pub mod googlenet;
pub mod inception;
pub mod lenet;
pub mod mnasnet;
pub mod mobilenet;
pub mod mobilenet_v3;
pub mod nin;
pub mod pretrained;
pub mod regnet;
pub mod resnet;
pub mod shufflenet;
pub mod squeezenet;
pub mod unet;
pub mod vgg;

pub use alexnet::{AlexNet, AlexNet2012};
pub use autoencoder::DigitAutoencoder;
pub use convnext::ConvNeXtTiny;
pub use deeplab::DeepLabV3MobileNetV3;
pub use densenet::{DenseNet121, DenseNet169};
pub use efficientnet::{EfficientNetB0, EfficientNetB1, EfficientNetB2, EfficientNetB3, EfficientNetV2S};
pub use fcn::FcnResNet50;
pub use googlenet::{GoogLeNet, GoogLeNet2014};
pub use inception::InceptionV3;
pub use lenet::{LeNet5, LeNet1998};
pub use mnasnet::MnasNet;
pub use mobilenet::MobileNetV2;
pub use mobilenet_v3::{MobileNetV3Large, MobileNetV3Small};
pub use nin::Nin;
pub use pretrained::Pretrained;
pub use regnet::{RegNetX400MF, RegNetY400MF};
pub use resnet::{ResNeXt50, WideResNet50};
pub use resnet::{ResNet18, ResNet34, ResNet50, ResNet101, ResNet152};
pub use resnet::{ResNet20, ResNet20B, ResNet32, ResNet44, ResNet56, ResNet110};
pub use shufflenet::ShuffleNetV2;
pub use squeezenet::{SqueezeNet, SqueezeNet10};
pub use unet::{UNet, UNetPadded};
pub use vgg::{Vgg11, Vgg11Bn, Vgg13, Vgg13Bn, Vgg16, Vgg16Bn, Vgg19, Vgg19Bn};

use convnet::backend::Backend;
use convnet::dfdx::prelude::{BuildOnDevice, Cpu};
use convnet::graph::Graph;
use convnet::net::Network;

/// A network of the zoo, with the number of classes that it was published with.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// How a user asks for it.
    pub name: &'static str,
    /// Where it comes from.
    pub paper: &'static str,
    /// Its layers.
    pub graph: &'static Graph,
    /// What `cnn!` was given, which can be read with other sizes.
    pub source: &'static str,
    /// What torchvision's weights of it want, if torchvision has it.
    pub pretrained: Option<Pretrained>,
}

/// Generic code that wants a network.
pub trait WithModel {
    /// What it gives back.
    type Output;
    /// Runs with the network `N`; `N::On<D>` is it on a device.
    fn run<N: Model>(self, name: &'static str) -> Self::Output;
}

/// A network that can be built on every device.
pub trait Model: Network<f32, Cpu> {
    /// The same network on the device `D`.
    type On<D: Backend<f32>>: Network<f32, D> + BuildOnDevice<D, f32, Built = Self::On<D>>;
}

/// The zoo: names, networks (with their classes, where those are a const generic), papers, and what torchvision's weights want.
macro_rules! zoo {
    ($($name:literal: $network:ident $([$classes:literal])?, $paper:literal $(, $pretrained:ident)?;)*) => {
        /// All networks, by name.
        pub const CATALOGUE: &[Entry] = &[$(Entry {
            pretrained: [$(Some(pretrained::$pretrained),)? None][0], ..entry::<$network>($name, $paper)
        }),*];

        $(impl Model for $network {
            type On<D: Backend<f32>> = $network<$($classes,)? f32, D>;
        })*

        fn typed<T: WithModel>(name: &str, task: T) -> Option<T::Output> {
            match name {
                $($name => Some(task.run::<$network>($name)),)*
                _ => None,
            }
        }
    };
}

zoo! {
    "lenet5": LeNet5, "LeCun et al., 1998, with ReLU and max pooling, on 28x28 grey-scale digits";
    "lenet1998": LeNet1998, "LeCun et al., 1998, as it was, on 32x32 grey-scale digits";
    "alexnet": AlexNet[1000], "Krizhevsky, 2014: one tower, as in torchvision", TORCHVISION;
    "alexnet2012": AlexNet2012[1000], "Krizhevsky et al., 2012: two towers";
    "vgg11": Vgg11[1000], "Simonyan and Zisserman, 2014, 11 layers", TORCHVISION;
    "vgg11_bn": Vgg11Bn[1000], "the same with batch normalisation", TORCHVISION;
    "vgg13": Vgg13[1000], "Simonyan and Zisserman, 2014, 13 layers", TORCHVISION;
    "vgg13_bn": Vgg13Bn[1000], "the same with batch normalisation", TORCHVISION;
    "vgg16": Vgg16[1000], "Simonyan and Zisserman, 2014, 16 layers", TORCHVISION;
    "vgg16_bn": Vgg16Bn[1000], "the same with batch normalisation", TORCHVISION;
    "vgg19": Vgg19[1000], "Simonyan and Zisserman, 2014, 19 layers", TORCHVISION;
    "vgg19_bn": Vgg19Bn[1000], "the same with batch normalisation", TORCHVISION;
    "googlenet": GoogLeNet[1000], "Szegedy et al., 2014, with batch normalisation, as in torchvision", TORCHVISION_GOOGLENET;
    "googlenet2014": GoogLeNet2014[1000], "Szegedy et al., 2014, as in the paper";
    "resnet18": ResNet18[1000], "He et al., 2015, 18 layers", TORCHVISION;
    "resnet34": ResNet34[1000], "He et al., 2015, 34 layers", TORCHVISION;
    "resnet50": ResNet50[1000], "He et al., 2015, 50 layers", TORCHVISION;
    "resnet101": ResNet101[1000], "He et al., 2015, 101 layers", TORCHVISION;
    "resnet152": ResNet152[1000], "He et al., 2015, 152 layers", TORCHVISION;
    "resnext50": ResNeXt50[1000], "Xie et al., 2016: ResNeXt-50 (32x4d)", TORCHVISION;
    "wide_resnet50": WideResNet50[1000], "Zagoruyko and Komodakis, 2016: Wide ResNet-50-2", TORCHVISION;
    "resnet20": ResNet20[10], "He et al., 2015, 20 layers, on 32x32 images";
    "resnet32": ResNet32[10], "He et al., 2015, 32 layers, on 32x32 images";
    "resnet44": ResNet44[10], "He et al., 2015, 44 layers, on 32x32 images";
    "resnet56": ResNet56[10], "He et al., 2015, 56 layers, on 32x32 images";
    "resnet110": ResNet110[10], "He et al., 2015, 110 layers, on 32x32 images";
    "resnet20_cifar": ResNet20B[10], "He et al., 2015, 20 layers, on 32x32 images, with projections for shortcuts";
    "nin": Nin[10], "Lin et al., 2013: Network in Network, on 32x32 images";
    "squeezenet1_0": SqueezeNet10[1000], "Iandola et al., 2016: SqueezeNet", TORCHVISION;
    "squeezenet1_1": SqueezeNet[1000], "Iandola et al., 2016: SqueezeNet 1.1", TORCHVISION;
    "mobilenet_v2": MobileNetV2[1000], "Sandler et al., 2018: MobileNetV2", TORCHVISION;
    "mobilenet_v3_small": MobileNetV3Small[1000], "Howard et al., 2019: MobileNetV3-Small", TORCHVISION;
    "mobilenet_v3_large": MobileNetV3Large[1000], "Howard et al., 2019: MobileNetV3-Large", TORCHVISION;
    "mnasnet1_0": MnasNet[1000], "Tan et al., 2018: MNASNet-B1", TORCHVISION;
    "densenet121": DenseNet121[1000], "Huang et al., 2016: DenseNet-121", TORCHVISION;
    "densenet169": DenseNet169[1000], "Huang et al., 2016: DenseNet-169", TORCHVISION;
    "inception_v3": InceptionV3[1000], "Szegedy et al., 2015: Inception v3, on 299x299 images", TORCHVISION_INCEPTION;
    "efficientnet_b0": EfficientNetB0[1000], "Tan and Le, 2019: EfficientNet-B0", TORCHVISION;
    "efficientnet_b1": EfficientNetB1[1000], "Tan and Le, 2019: EfficientNet-B1, on 240x240 images", TORCHVISION_B1;
    "efficientnet_b2": EfficientNetB2[1000], "Tan and Le, 2019: EfficientNet-B2, on 288x288 images", TORCHVISION_WHOLE;
    "efficientnet_b3": EfficientNetB3[1000], "Tan and Le, 2019: EfficientNet-B3, on 300x300 images", TORCHVISION_B3;
    "efficientnet_v2_s": EfficientNetV2S[1000], "Tan and Le, 2021: EfficientNetV2-S, on 384x384 images", TORCHVISION_WHOLE;
    "regnet_x_400mf": RegNetX400MF[1000], "Radosavovic et al., 2020: RegNetX-400MF", TORCHVISION;
    "regnet_y_400mf": RegNetY400MF[1000], "Radosavovic et al., 2020: RegNetY-400MF, with squeeze and excitation", TORCHVISION;
    "unet": UNet[2], "Ronneberger et al., 2015, as in the paper: masks of 388x388 for 572x572 grey-scale images";
    "unet_padded": UNetPadded[2], "Ronneberger et al., 2015, padded and normalised: masks as large as the image";
    "convnext_tiny": ConvNeXtTiny[1000], "Liu et al., 2022: ConvNeXt-T", TORCHVISION_CONVNEXT;
    "shufflenet_v2_x1_0": ShuffleNetV2[1000], "Ma et al., 2018: ShuffleNetV2 at width 1", TORCHVISION;
    "deeplabv3_mobilenet_v3_large": DeepLabV3MobileNetV3[21], "Chen et al., 2017: DeepLabV3 on MobileNetV3-Large, as in torchvision", TORCHVISION_WHOLE;
    "fcn_resnet50": FcnResNet50[21], "Long et al., 2014: FCN on a dilated ResNet-50, as in torchvision", TORCHVISION_WHOLE;
    "digit_autoencoder": DigitAutoencoder, "a 28x28 grey-scale digit as 32 numbers, and the digit again";
}

const fn entry<N: Network<f32, Cpu>>(name: &'static str, paper: &'static str) -> Entry {
    let Some(source) = N::SOURCE else { panic!("a network of the zoo has no custom modules") };
    Entry { name, paper, graph: N::GRAPH, source, pretrained: None }
}

/// A name as it is compared: case, `-` and `_` do not matter.
pub fn plain(name: &str) -> String {
    name.to_lowercase().replace(['-', '_'], "")
}

/// A name that stands for no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no network is called `{name}`{hint}; the zoo has: {}", names.join(", "))]
pub struct UnknownModel {
    name: String,
    hint: String,
    names: Vec<&'static str>,
}

/// The network of this name; case, `-` and `_` do not matter.
///
/// # Errors
/// When no network has it.
pub fn find(name: &str) -> Result<&'static Entry, UnknownModel> {
    let wanted = plain(name);
    CATALOGUE.iter().find(|entry| plain(entry.name) == wanted).ok_or_else(|| {
        let names: Vec<&'static str> = CATALOGUE.iter().map(|entry| entry.name).collect();
        let hint = convnet::wording::did_you_mean(&wanted, &names);
        UnknownModel { name: name.into(), hint, names }
    })
}

/// Runs `task` with the type of the network that `name` stands for; case, `-` and `_` do not matter. Such a task is compiled once
/// for each network of the zoo; [`find`] and a network without a type cost the compiler less.
///
/// # Errors
/// When no network has that name.
pub fn with_model<T: WithModel>(name: &str, task: T) -> Result<T::Output, UnknownModel> {
    let entry = find(name)?;
    match typed(entry.name, task) {
        Some(output) => Ok(output),
        None => unreachable!("`zoo!` makes both lists"),
    }
}
