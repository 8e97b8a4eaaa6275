//! The crate under another name; every kind of item that `cnn!` generates, with and without the prelude.
#![deny(warnings)]

mod with_prelude {
    use cnn::prelude::*;

    cnn! {
        block unit(out) { residual { conv(out, kernel = 3, pad = 1); batch_norm; } relu; }

        #[derive(Clone)]
        #[allow(bias_before_norm)]
        pub struct Net<const CLASSES: usize = 10>: [1, 8, 8] -> [CLASSES] {
            stem: { conv(4, kernel = 3, pad = (1, 1, 1, 1)); prelu; unit(4); }
            pooled: { max_pool(2); lrn(3); depthwise(3, pad = same); group_norm(2); }
            table: conv(2, kernel = 1, connections = [[0, 1], [2, 3]]);
            upsample(2, bilinear); pad(1, reflect); crop(1); conv_transpose(4, kernel = 2); squeeze_excite(2);
            custom act: cnn::dfdx::nn::modules::ReLU -> [4, 9, 9];
            head aux: [CLASSES] { global_max_pool; linear(CLASSES); }
            // A keyword in later editions only.
            gen: adaptive_avg_pool(1);
            flatten;
            r#final: linear(CLASSES);
        }
    }

    pub fn run() {
        let dev = Cpu::default();
        let mut net = dev.build_module::<Net, f32>();
        let x: Tensor<Rank4<2, 1, 8, 8>, f32, Cpu> = dev.sample_normal();
        let (_, _) = net.forward_mut(x.clone());
        let _: Tensor<Rank2<2, 10>, f32, Cpu> = net.forward(x.clone());
        let _ = net.forward_to(Net::taps().gen, x);
        let _ = (&net.r#final.weight, Net::<10>::PARAMS);
    }
}

mod without_prelude {
    cnn::cnn! {
        #[export(other)]
        pub struct Net: [2] -> [3] { a: { linear(4); } linear(3); }
    }

    other! { pub struct Wide: [20] -> [3] }
}

fn main() {
    with_prelude::run();
    println!("{} {}", without_prelude::Net::PARAMS, without_prelude::Wide::PARAMS);
}
