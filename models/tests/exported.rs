//! Architectures of the zoo at other sizes, from another crate, through the macros that `#[export]` makes.
#![deny(warnings)]

use convnet::net::Network;
use convnet::prelude::*;
use convnet_models::ResNet18;

convnet_models::resnet18! {
    /// ResNet-18 on 64x64 images.
    pub(crate) struct Tiny: [3, 64, 64] -> [10]
}

convnet_models::googlenet! { struct Small: [1, 96, 96] -> [7] }

convnet_models::vgg11_bn! { struct Open<const CLASSES: usize = 5>: [3, 32, 32] -> [CLASSES] }

convnet_models::squeezenet1_1! { struct Squeezed: [3, 64, 64] -> [4] }

cnn! {
    /// A network of the zoo as a part of another one, across crates.
    struct Stacked: [1, 224, 224] -> [4] {
        colours: conv(3, kernel = 1);
        custom backbone: ResNet18<12, E, D> -> [12];
        relu;
        head: linear(4);
    }
}

#[test]
fn other_sizes_have_other_shapes_and_the_same_layers() {
    let dev = Cpu::seed_from_u64(1);
    let net = dev.build_module::<Tiny, f32>();
    let logits: Tensor<Rank2<2, 10>, f32, Cpu> = net.forward(dev.sample_normal::<Rank4<2, 3, 64, 64>>());
    assert!(logits.as_vec().iter().all(|x| x.is_finite()));
    // Only the classifier has other parameters.
    assert_eq!(Tiny::PARAMS, ResNet18::<1000>::PARAMS - 513 * 990);
    let names = |graph: &convnet::graph::Graph| graph.nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(Tiny::graph()), names(ResNet18::<1000>::graph()));

    let mut small = dev.build_module::<Small, f32>();
    let x = dev.sample_normal::<Rank4<2, 1, 96, 96>>();
    let (main, aux1, aux2) = small.forward_mut(x.leaky_trace());
    assert_eq!((main.shape().concrete(), aux1.shape().concrete(), aux2.shape().concrete()), ([2, 7], [2, 7], [2, 7]));

    let open = dev.build_module::<Open<9>, f32>();
    assert_eq!(open.forward(dev.sample_normal::<Rank3<3, 32, 32>>()).shape().concrete(), [9]);
    assert_eq!(Squeezed::graph().output_shape().len(), 4);
}

#[test]
fn a_network_of_the_zoo_is_a_part_of_another() {
    let dev = Cpu::seed_from_u64(2);
    let net = dev.build_module::<Stacked, f32>();
    let x = dev.sample_normal::<Rank4<1, 1, 224, 224>>();
    let middle = net.forward_to(Stacked::taps().backbone, x.clone());
    let direct = net.backbone.forward(net.forward_to(Stacked::taps().colours, x.clone()));
    assert_eq!(middle.as_vec(), direct.as_vec());
    assert_eq!(net.forward(x.clone()).as_vec(), net.forward_from(Stacked::taps().backbone, middle).as_vec());
    // The taps of the part are its own.
    let taps: <ResNet18<12> as Network<f32, Cpu>>::Taps = ResNet18::<12>::taps();
    let colours = net.forward_to(Stacked::taps().colours, x);
    let deep: Tensor<Rank4<1, 512, 7, 7>, f32, Cpu> = net.backbone.forward_to(taps.layer4, colours);
    assert!(deep.as_vec().iter().all(|x| *x >= 0.0));
}
