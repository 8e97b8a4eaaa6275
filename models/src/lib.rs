//! The zoo: declarations only, one family a file, and a way to run generic code on a network by its name.
#![forbid(unsafe_code)]

pub mod alexnet;
pub mod densenet;
pub mod googlenet;
pub mod lenet;
pub mod mobilenet;
pub mod nin;
pub mod resnet;
pub mod resnet_cifar;
pub mod squeezenet;
pub mod vgg;

pub use alexnet::{AlexNet, AlexNet2012};
pub use densenet::DenseNet121;
pub use googlenet::{GoogLeNet, GoogLeNet2014};
pub use lenet::{LeNet5, LeNet1998};
pub use mobilenet::MobileNetV2;
pub use nin::Nin;
pub use resnet::{ResNet18, ResNet34, ResNet50, ResNet101, ResNet152};
pub use resnet_cifar::{ResNet20, ResNet20B, ResNet32, ResNet44, ResNet56, ResNet110};
pub use squeezenet::SqueezeNet;
pub use vgg::{Vgg11, Vgg11Bn, Vgg13, Vgg13Bn, Vgg16, Vgg16Bn, Vgg19, Vgg19Bn};

use convnet::backend::Backend;
use convnet::dfdx::prelude::{BuildOnDevice, Cpu};
use convnet::net::Network;

/// A network of the zoo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// How a user asks for it.
    pub name: &'static str,
    /// Where it comes from.
    pub paper: &'static str,
}

/// All networks, by name.
pub const CATALOGUE: &[Entry] = &[
    Entry { name: "lenet5", paper: "LeCun et al., 1998, with ReLU and max pooling, on 28x28 grey-scale digits" },
    Entry { name: "lenet1998", paper: "LeCun et al., 1998, as it was, on 32x32 grey-scale digits" },
    Entry { name: "alexnet", paper: "Krizhevsky, 2014: one tower, as in torchvision" },
    Entry { name: "alexnet2012", paper: "Krizhevsky et al., 2012: two towers" },
    Entry { name: "vgg11", paper: "Simonyan and Zisserman, 2014, 11 layers" },
    Entry { name: "vgg11_bn", paper: "the same with batch normalisation" },
    Entry { name: "vgg13", paper: "Simonyan and Zisserman, 2014, 13 layers" },
    Entry { name: "vgg13_bn", paper: "the same with batch normalisation" },
    Entry { name: "vgg16", paper: "Simonyan and Zisserman, 2014, 16 layers" },
    Entry { name: "vgg16_bn", paper: "the same with batch normalisation" },
    Entry { name: "vgg19", paper: "Simonyan and Zisserman, 2014, 19 layers" },
    Entry { name: "vgg19_bn", paper: "the same with batch normalisation" },
    Entry { name: "googlenet", paper: "Szegedy et al., 2014, with batch normalisation, as in torchvision" },
    Entry { name: "googlenet2014", paper: "Szegedy et al., 2014, as in the paper" },
    Entry { name: "resnet18", paper: "He et al., 2015, 18 layers" },
    Entry { name: "resnet34", paper: "He et al., 2015, 34 layers" },
    Entry { name: "resnet50", paper: "He et al., 2015, 50 layers" },
    Entry { name: "resnet101", paper: "He et al., 2015, 101 layers" },
    Entry { name: "resnet152", paper: "He et al., 2015, 152 layers" },
    Entry { name: "resnet20", paper: "He et al., 2015, 20 layers, on 32x32 pictures" },
    Entry { name: "resnet32", paper: "He et al., 2015, 32 layers, on 32x32 pictures" },
    Entry { name: "resnet44", paper: "He et al., 2015, 44 layers, on 32x32 pictures" },
    Entry { name: "resnet56", paper: "He et al., 2015, 56 layers, on 32x32 pictures" },
    Entry { name: "resnet110", paper: "He et al., 2015, 110 layers, on 32x32 pictures" },
    Entry {
        name: "resnet20_cifar",
        paper: "He et al., 2015, 20 layers, on 32x32 pictures, with projections for shortcuts",
    },
    Entry { name: "nin", paper: "Lin et al., 2013: Network in Network, on 32x32 pictures" },
    Entry { name: "squeezenet1_1", paper: "Iandola et al., 2016: SqueezeNet 1.1" },
    Entry { name: "mobilenet_v2", paper: "Sandler et al., 2018: MobileNetV2" },
    Entry { name: "densenet121", paper: "Huang et al., 2016: DenseNet-121" },
];

/// Generic code that wants a network.
pub trait WithModel {
    /// What it gives back.
    type Output;
    /// Runs with the network `N`; `N::Built<D>` is it on a device.
    fn run<N: Model>(self, name: &'static str) -> Self::Output;
}

/// A network that can be built on every device.
pub trait Model: Network<f32, Cpu> {
    /// The same network on the device `D`.
    type On<D: Backend<f32>>: Network<f32, D> + BuildOnDevice<D, f32, Built = Self::On<D>>;
}

impl Model for LeNet5 {
    type On<D: Backend<f32>> = LeNet5<f32, D>;
}

impl Model for LeNet1998 {
    type On<D: Backend<f32>> = LeNet1998<f32, D>;
}

impl Model for AlexNet {
    type On<D: Backend<f32>> = AlexNet<1000, f32, D>;
}

impl Model for AlexNet2012 {
    type On<D: Backend<f32>> = AlexNet2012<1000, f32, D>;
}

impl Model for Vgg11 {
    type On<D: Backend<f32>> = Vgg11<1000, f32, D>;
}

impl Model for Vgg11Bn {
    type On<D: Backend<f32>> = Vgg11Bn<1000, f32, D>;
}

impl Model for Vgg13 {
    type On<D: Backend<f32>> = Vgg13<1000, f32, D>;
}

impl Model for Vgg13Bn {
    type On<D: Backend<f32>> = Vgg13Bn<1000, f32, D>;
}

impl Model for Vgg16 {
    type On<D: Backend<f32>> = Vgg16<1000, f32, D>;
}

impl Model for Vgg16Bn {
    type On<D: Backend<f32>> = Vgg16Bn<1000, f32, D>;
}

impl Model for Vgg19 {
    type On<D: Backend<f32>> = Vgg19<1000, f32, D>;
}

impl Model for Vgg19Bn {
    type On<D: Backend<f32>> = Vgg19Bn<1000, f32, D>;
}

impl Model for GoogLeNet {
    type On<D: Backend<f32>> = GoogLeNet<1000, f32, D>;
}

impl Model for GoogLeNet2014 {
    type On<D: Backend<f32>> = GoogLeNet2014<1000, f32, D>;
}

impl Model for ResNet18 {
    type On<D: Backend<f32>> = ResNet18<1000, f32, D>;
}

impl Model for ResNet34 {
    type On<D: Backend<f32>> = ResNet34<1000, f32, D>;
}

impl Model for ResNet50 {
    type On<D: Backend<f32>> = ResNet50<1000, f32, D>;
}

impl Model for ResNet101 {
    type On<D: Backend<f32>> = ResNet101<1000, f32, D>;
}

impl Model for ResNet152 {
    type On<D: Backend<f32>> = ResNet152<1000, f32, D>;
}

impl Model for ResNet20 {
    type On<D: Backend<f32>> = ResNet20<10, f32, D>;
}

impl Model for ResNet32 {
    type On<D: Backend<f32>> = ResNet32<10, f32, D>;
}

impl Model for ResNet44 {
    type On<D: Backend<f32>> = ResNet44<10, f32, D>;
}

impl Model for ResNet56 {
    type On<D: Backend<f32>> = ResNet56<10, f32, D>;
}

impl Model for ResNet110 {
    type On<D: Backend<f32>> = ResNet110<10, f32, D>;
}

impl Model for ResNet20B {
    type On<D: Backend<f32>> = ResNet20B<10, f32, D>;
}

impl Model for Nin {
    type On<D: Backend<f32>> = Nin<10, f32, D>;
}

impl Model for SqueezeNet {
    type On<D: Backend<f32>> = SqueezeNet<1000, f32, D>;
}

impl Model for MobileNetV2 {
    type On<D: Backend<f32>> = MobileNetV2<1000, f32, D>;
}

impl Model for DenseNet121 {
    type On<D: Backend<f32>> = DenseNet121<1000, f32, D>;
}

/// A name that stands for no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no network is called `{name}`{hint}; the zoo has: {}", names.join(", "))]
pub struct UnknownModel {
    name: String,
    hint: String,
    names: Vec<&'static str>,
}

/// Runs `task` with the network that `name` stands for; case, `-` and `_` do not matter.
///
/// # Errors
/// When no network has that name.
pub fn with_model<T: WithModel>(name: &str, task: T) -> Result<T::Output, UnknownModel> {
    let plain = |name: &str| name.to_lowercase().replace(['-', '_'], "");
    match plain(name).as_str() {
        "lenet5" => Ok(task.run::<LeNet5>("lenet5")),
        "lenet1998" => Ok(task.run::<LeNet1998>("lenet1998")),
        "alexnet" => Ok(task.run::<AlexNet>("alexnet")),
        "alexnet2012" => Ok(task.run::<AlexNet2012>("alexnet2012")),
        "vgg11" => Ok(task.run::<Vgg11>("vgg11")),
        "vgg11bn" => Ok(task.run::<Vgg11Bn>("vgg11_bn")),
        "vgg13" => Ok(task.run::<Vgg13>("vgg13")),
        "vgg13bn" => Ok(task.run::<Vgg13Bn>("vgg13_bn")),
        "vgg16" => Ok(task.run::<Vgg16>("vgg16")),
        "vgg16bn" => Ok(task.run::<Vgg16Bn>("vgg16_bn")),
        "vgg19" => Ok(task.run::<Vgg19>("vgg19")),
        "vgg19bn" => Ok(task.run::<Vgg19Bn>("vgg19_bn")),
        "googlenet" => Ok(task.run::<GoogLeNet>("googlenet")),
        "googlenet2014" => Ok(task.run::<GoogLeNet2014>("googlenet2014")),
        "resnet18" => Ok(task.run::<ResNet18>("resnet18")),
        "resnet34" => Ok(task.run::<ResNet34>("resnet34")),
        "resnet50" => Ok(task.run::<ResNet50>("resnet50")),
        "resnet101" => Ok(task.run::<ResNet101>("resnet101")),
        "resnet152" => Ok(task.run::<ResNet152>("resnet152")),
        "resnet20" => Ok(task.run::<ResNet20>("resnet20")),
        "resnet32" => Ok(task.run::<ResNet32>("resnet32")),
        "resnet44" => Ok(task.run::<ResNet44>("resnet44")),
        "resnet56" => Ok(task.run::<ResNet56>("resnet56")),
        "resnet110" => Ok(task.run::<ResNet110>("resnet110")),
        "resnet20cifar" => Ok(task.run::<ResNet20B>("resnet20_cifar")),
        "nin" => Ok(task.run::<Nin>("nin")),
        "squeezenet11" => Ok(task.run::<SqueezeNet>("squeezenet1_1")),
        "mobilenetv2" => Ok(task.run::<MobileNetV2>("mobilenet_v2")),
        "densenet121" => Ok(task.run::<DenseNet121>("densenet121")),
        wanted => {
            let names: Vec<&'static str> = CATALOGUE.iter().map(|entry| entry.name).collect();
            let likeness = |candidate: &&str| strsim::jaro_winkler(wanted, candidate);
            let best = names.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            let best = best.filter(|best| likeness(best) > 0.7);
            let hint = best.map_or(String::new(), |best| format!("; did you mean `{best}`?"));
            Err(UnknownModel { name: name.into(), hint, names })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Name;
    impl WithModel for Name {
        type Output = &'static str;
        fn run<N: Model>(self, name: &'static str) -> &'static str {
            assert!(N::GRAPH.param_count() > 0);
            name
        }
    }

    #[test]
    fn every_entry_has_its_network() {
        for entry in CATALOGUE {
            assert_eq!(with_model(entry.name, Name), Ok(entry.name));
        }
        assert_eq!(with_model("VGG-16-BN", Name), Ok("vgg16_bn"));
    }
}
