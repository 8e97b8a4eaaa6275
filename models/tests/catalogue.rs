//! Every entry of the catalogue has its network, and those of torchvision are prepared for as there.
//!
//! Not beside the code: a crate with tests of its own is compiled once more for them, and this one takes long.

use convnet_models::pretrained::classes;
use convnet_models::{CATALOGUE, Model, Pretrained, WithModel, find, with_model};

fn pretrained(name: &str) -> Pretrained {
    find(name).unwrap().pretrained.unwrap()
}

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

#[test]
fn networks_of_torchvision_are_prepared_for_as_there() {
    let known: Vec<&str> =
        CATALOGUE.iter().filter(|entry| entry.pretrained.is_some()).map(|entry| entry.name).collect();
    assert_eq!(known.len(), 37, "{known:?}");
    for entry in CATALOGUE.iter().filter(|entry| entry.pretrained.is_some()) {
        let preparation = entry.pretrained.unwrap().preparation(entry.graph).unwrap();
        let [resize, crop] = match entry.name {
            "inception_v3" => [342, 299],
            "efficientnet_b1" => [255, 240],
            "efficientnet_b2" => [288, 288],
            "efficientnet_b3" => [320, 300],
            "efficientnet_v2_s" => [384, 384],
            "fcn_resnet50" | "deeplabv3_mobilenet_v3_large" => [224, 224],
            "convnext_tiny" => [236, 224],
            _ => [256, 224],
        };
        assert_eq!((preparation.shape, preparation.resize), ([3, crop, crop], Some(resize)), "{}", entry.name);
        let names = classes(entry.graph).unwrap();
        if entry.name == "fcn_resnet50" || entry.name.starts_with("deeplab") {
            assert_eq!((names.len(), names[15].as_str()), (21, "person"));
            continue;
        }
        // torchvision.models.ResNet18_Weights.DEFAULT.meta["categories"].
        assert_eq!([0, 281, 817, 999].map(|i| names[i].as_str()), ["tench", "tabby", "sports car", "toilet tissue"]);
    }
    assert_eq!(classes(find("resnet20").unwrap().graph), None);
    assert_eq!(classes(find("unet_padded").unwrap().graph), None);
    let torchvision = pretrained("resnet18");
    assert_eq!(torchvision.preparation(find("lenet5").unwrap().graph), None);
    assert_eq!(torchvision.preparation(find("resnet20").unwrap().graph).unwrap().resize, Some(36));
}

#[test]
fn googlenet_and_inception_see_what_their_first_step_makes_of_an_image() {
    // (x - 0.485) / 0.229 * (0.229 / 0.5) + (0.485 - 0.5) / 0.5, for x = 0.25.
    let [imagenet, own] = [pretrained("resnet18"), pretrained("googlenet")];
    for c in 0..3 {
        let given = (0.25 - imagenet.mean[c]) / imagenet.std[c];
        let seen = given * (imagenet.std[c] / 0.5) + (imagenet.mean[c] - 0.5) / 0.5;
        assert!((seen - (0.25 - own.mean[c]) / own.std[c]).abs() < 1e-6);
    }
    let inception = pretrained("inception_v3");
    assert_eq!((inception.mean, inception.std), (own.mean, own.std));
}
