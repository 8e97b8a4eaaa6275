//! README's network, and one that meets every kind of kernel, without any optimisation: on the threads of the engine, on a
//! thread with as little stack as a test has, and on the main one.

use convnet::dfdx::optim::{Optimizer, Sgd, SgdConfig};
use convnet::prelude::*;

cnn! {
    /// LeNet-5 on 28x28 grey-scale digits.
    pub struct LeNet5: [1, 28, 28] -> [10] {
        conv1: conv(6, kernel = 5, pad = 2);
        relu; max_pool(2);
        conv2: conv(16, kernel = 5);
        relu; max_pool(2);
        flatten;
        fc1: linear(120); relu;
        fc2: linear(84); relu;
        fc3: linear(10);
    }
}

cnn! {
    /// Winograd's tiles, wide groups of channels, depthwise taps, every kind of pool and normalisation.
    #[allow(unread_pixels, bias_before_norm, softmax_before_loss)]
    struct Kernels: [3, 24, 24] -> [5] {
        stem: conv(32, kernel = 3, pad = 1); batch_norm; relu;
        residual { conv(32, kernel = 3, pad = 1, bias = false); batch_norm; relu; conv(32, kernel = 3, pad = 1); }
        max_pool(3, stride = 2, pad = 1);
        depthwise(3, pad = 1); prelu;
        concat { conv(24, kernel = 1); conv(16, kernel = 5, pad = 2); avg_pool(3, stride = 1, pad = 1); }
        lrn(5); group_norm(4); squeeze_excite(4); dropout(0.1);
        conv_transpose(20, kernel = 2, stride = 2); upsample(2, bilinear); subsample(2); scaled_tanh; channel_shuffle(4);
        conv(48, kernel = 3, stride = 2, groups = 2); gelu; instance_norm;
        adaptive_avg_pool(4); flatten; linear(96); silu; linear(5); log_softmax;
    }
}

fn lenet() -> f32 {
    let dev = Cpu::seed_from_u64(1);
    let mut net = dev.build_module::<LeNet5, f32>();
    let x: Tensor<Rank4<64, 1, 28, 28>, f32, Cpu> = dev.sample_normal();
    let targets: Tensor<Rank2<64, 10>, f32, Cpu> = dev.ones() * 0.1;
    let logits = net.forward_mut(x.clone().leaky_trace());
    let gradients = cross_entropy_with_logits_loss(logits, targets).backward();
    Sgd::new(&net, SgdConfig::default()).update(&mut net, &gradients).unwrap();
    let predictor = Predictor::new(&net, 64).unwrap();
    let mut logits = [0.0; 640];
    predictor.predict(&x.as_vec(), &mut logits).unwrap();
    let direct = net.forward(x).as_vec();
    let error = logits.iter().zip(&direct).fold(0.0_f32, |max, (a, b)| max.max((a - b).abs()));
    assert!(error < 1e-4, "{error}");
    direct.iter().sum()
}

fn kernels() -> f32 {
    let dev = Cpu::seed_from_u64(2);
    let mut net = dev.build_module::<Kernels, f32>();
    let x: Tensor<Rank4<3, 3, 24, 24>, f32, Cpu> = dev.sample_normal();
    let gradients = net.forward_mut(x.clone().leaky_trace()).square().mean().backward();
    assert!(gradients.get(&net.stem.weight).as_vec().iter().all(|x| x.is_finite()));
    let one: Tensor<Rank3<3, 24, 24>, f32, Cpu> = dev.sample_normal();
    net.forward(x).as_vec().iter().sum::<f32>() + net.forward(one).as_vec().iter().sum::<f32>()
}

fn main() {
    for threads in [2, 5] {
        convnet::engine::set_threads(threads).unwrap();
        let here = (lenet(), kernels());
        let small = std::thread::Builder::new().stack_size(1 << 20);
        let there = small.spawn(|| (lenet(), kernels())).unwrap().join().unwrap();
        assert_eq!(here, there);
        println!("{threads} threads: {here:?}");
    }
}
