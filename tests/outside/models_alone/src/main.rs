//! Architectures of the zoo at other sizes, without a dependency on `convnet`.
#![deny(warnings)]

convnet_models::resnet18! { pub struct Tiny: [3, 64, 64] -> [10] }

mod inner {
    convnet_models::googlenet! {
        /// With auxiliary heads.
        pub struct Small<const CLASSES: usize = 7>: [1, 96, 96] -> [CLASSES]
    }
}

fn main() {
    println!("{}\n{}", Tiny::summary(), inner::Small::<7>::summary());
}
