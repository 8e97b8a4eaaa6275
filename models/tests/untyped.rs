//! A network without a type gives what the typed one gives, bit for bit: one network of each family, on small images. All of them
//! at full size: `cargo bench -p convnet-benches --bench typed`.

#[path = "common/twins.rs"]
mod twins;

use convnet_models as zoo;
use twins::compare;

zoo::alexnet! { struct AlexNet: [3, 64, 64] -> [10] }
zoo::vgg11_bn! { struct Vgg: [3, 64, 64] -> [10] }
zoo::googlenet! { struct GoogLeNet: [3, 64, 64] -> [10] }
zoo::resnet50! { struct ResNet: [3, 64, 64] -> [10] }
zoo::squeezenet1_1! { struct SqueezeNet: [3, 64, 64] -> [10] }
zoo::mobilenet_v2! { struct MobileNet: [3, 64, 64] -> [10] }
zoo::densenet121! { struct DenseNet: [3, 64, 64] -> [10] }
zoo::mobilenet_v3_small! { struct MobileNetV3: [3, 64, 64] -> [10] }
zoo::mnasnet1_0! { struct MnasNet: [3, 64, 64] -> [10] }
zoo::regnet_y_400mf! { struct RegNet: [3, 64, 64] -> [10] }
zoo::efficientnet_v2_s! { struct EfficientNet: [3, 64, 64] -> [10] }
zoo::unet_padded! { struct UNet<const CLASSES: usize = 3>: [3, 32, 32] -> [CLASSES, 32, 32] }
zoo::fcn_resnet50! { struct Fcn<const CLASSES: usize = 5>: [3, 64, 64] -> [CLASSES, 64, 64] }

#[test]
fn lenet() {
    compare::<zoo::LeNet5>(3).unwrap();
    compare::<zoo::LeNet1998>(3).unwrap();
}

#[test]
fn alexnet() {
    compare::<AlexNet>(3).unwrap();
}

#[test]
fn vgg() {
    compare::<Vgg>(3).unwrap();
}

#[test]
fn googlenet() {
    compare::<GoogLeNet>(3).unwrap();
}

#[test]
fn resnet() {
    compare::<ResNet>(3).unwrap();
    compare::<zoo::ResNet20<10>>(3).unwrap();
}

#[test]
fn network_in_network() {
    compare::<zoo::Nin<10>>(3).unwrap();
}

#[test]
fn squeezenet() {
    compare::<SqueezeNet>(3).unwrap();
}

#[test]
fn mobilenet() {
    compare::<MobileNet>(3).unwrap();
}

#[test]
fn densenet() {
    compare::<DenseNet>(3).unwrap();
}

#[test]
fn mobilenet_v3() {
    compare::<MobileNetV3>(3).unwrap();
}

#[test]
fn mnasnet() {
    compare::<MnasNet>(3).unwrap();
}

#[test]
fn regnet() {
    compare::<RegNet>(3).unwrap();
}

#[test]
fn efficientnet() {
    compare::<EfficientNet>(3).unwrap();
}

#[test]
fn masks() {
    compare::<UNet<3>>(2).unwrap();
    compare::<Fcn<5>>(2).unwrap();
}

#[test]
fn autoencoder() {
    compare::<zoo::DigitAutoencoder>(3).unwrap();
}
