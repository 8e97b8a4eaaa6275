//! Frozen networks: what a call costs, what it gives with any number of threads, and what it refuses.
#![deny(warnings)]

use convnet::engine;
use convnet::predict::{PredictError, Predictor};
use convnet::prelude::*;
use std::sync::Mutex;

cnn! {
    /// Layers of every kind that the engine has an algorithm of its own for, large enough to be shared by threads.
    #[allow(bias_before_norm)]
    struct Large: [3, 40, 40] -> [10] {
        first: conv(24, kernel = 5, stride = 2, pad = 2); batch_norm; relu;
        around: residual { inner: conv(24, kernel = 3, pad = 1); batch_norm; relu; conv(24, kernel = 3, pad = 1); batch_norm; }
        relu;
        channels: depthwise(kernel = 3, pad = 1);
        branches: concat {
            one: { conv(32, kernel = 1); }
            three: { conv: conv(48, kernel = 3, pad = 1); relu; }
            pool: { max_pool(3, stride = 1, pad = 1); }
        }
        max_pool(2);
        flatten;
        last: linear(130); relu;
        linear(10);
    }

    /// As much as LeNet-5, on one thread.
    struct Small: [1, 28, 28] -> [10] {
        conv(6, kernel = 5, pad = 2); relu; max_pool(2);
        conv(16, kernel = 5); relu; max_pool(2);
        flatten;
        linear(120); relu;
        linear(10);
    }
}

cnn! {
    /// A linear layer whose weights are read where they are.
    struct Wide: [512] -> [10] {
        first: linear(1024); relu;
        linear(10);
    }
}

cnn! {
    /// Convolutions of few channels with pools behind them, which one kernel does together: means, odd sizes, a folded
    /// normalisation, and one whose input another one of them has written.
    #[allow(unread_pixels, bias_before_norm)]
    struct Few: [3, 21, 75] -> [4] {
        conv(5, kernel = 3, pad = 1); relu; avg_pool(2);
        conv(3, kernel = (3, 5), pad = (2, 0)); batch_norm; relu; max_pool(2);
        conv(2, kernel = (1, 2)); max_pool(2);
        conv(20, kernel = 3);
        flatten;
        linear(4);
    }
}

/// Threads are a setting of the process.
static THREADS: Mutex<()> = Mutex::new(());

fn images(count: usize, len: usize) -> Vec<f32> {
    (0..count * len).map(|i| ((i * 7919 % 1009) as f32 / 504.5 - 1.0) * 1.5).collect()
}

fn predict(predictor: &Predictor, images: &[f32]) -> Vec<f32> {
    let mut logits = vec![0.0; images.len() / predictor.input_len() * predictor.output_len()];
    predictor.predict(images, &mut logits).unwrap();
    logits
}

#[test]
fn a_call_asks_for_no_memory() {
    let _alone = THREADS.lock().unwrap();
    let dev = Cpu::default();
    let (large, small) = (dev.build_module::<Large, f32>(), dev.build_module::<Small, f32>());
    let large = Predictor::new(&large, 2).unwrap();
    let small = Predictor::compact(&small, 1).unwrap();
    let (many, few) = (images(5, 3 * 1600), images(1, 784));
    let mut logits = [0.0; 50];
    let mut call = || {
        large.predict(&many, &mut logits).unwrap();
        small.predict(&few, &mut logits[..10]).unwrap();
    };
    // The caller's memory is counted: on one thread that is all of it, on two handing over the work is part of it.
    let counted = [1, 2].map(|threads| {
        engine::set_threads(threads).unwrap();
        // The first call makes the plan for the one image that is left of five.
        call();
        allocation_counter::measure(&mut call).count_total
    });
    engine::set_threads(0).unwrap();
    assert_eq!(counted, [0, 0]);
}

#[test]
fn threads_do_not_change_a_bit() {
    let _alone = THREADS.lock().unwrap();
    let dev = Cpu::seed_from_u64(1);
    let mut net = dev.build_module::<Large, f32>();
    let x: Tensor<Rank4<9, 3, 40, 40>, f32, _> = dev.tensor_from_vec(images(9, 4800), Default::default());
    let targets: Tensor<Rank2<9, 10>, f32, _> = dev.sample_uniform();
    // Frozen first: training moves the statistics of batch normalisations.
    let frozen = with_threads(|| predict(&Predictor::new(&net, 9).unwrap(), &images(9, 4800)));
    let trained = with_threads(|| {
        let logits = net.forward_mut(x.clone().traced(Gradients::leaky()));
        let gradients = cross_entropy_with_logits_loss(logits, targets.clone()).backward();
        let mut all = gradients.get(&net.first.weight).as_vec();
        all.extend(gradients.get(&net.around.inner.weight).as_vec());
        all.extend(gradients.get(&net.channels.weight).as_vec());
        all.extend(gradients.get(&net.branches.three.conv.weight).as_vec());
        all.extend(gradients.get(&net.last.weight).as_vec());
        all
    });
    engine::set_threads(0).unwrap();
    for results in [frozen, trained] {
        assert!(results[0].iter().all(|x| x.is_finite()) && results[0].iter().any(|x| *x != 0.0));
        results.windows(2).for_each(|pair| assert_eq!(pair[0], pair[1]));
    }
}

/// What `f` gives on 1, 2, 3 and 8 threads.
fn with_threads(mut f: impl FnMut() -> Vec<f32>) -> Vec<Vec<f32>> {
    let on = |threads| {
        engine::set_threads(threads).unwrap();
        f()
    };
    [1, 2, 3, 8].map(on).to_vec()
}

#[test]
fn a_batch_gives_what_its_images_give_alone() {
    let dev = Cpu::seed_from_u64(2);
    let net = dev.build_module::<Large, f32>();
    let x: Tensor<Rank4<9, 3, 40, 40>, f32, _> = dev.tensor_from_vec(images(9, 4800), Default::default());
    let want = net.forward(x).as_vec();
    for batch in [1, 4, 9, 20] {
        close(&predict(&Predictor::new(&net, batch).unwrap(), &images(9, 4800)), &want, 2e-5);
    }
}

#[test]
fn few_channels_with_pools() {
    let dev = Cpu::seed_from_u64(5);
    let net = dev.build_module::<Few, f32>();
    let x = images(3, 3 * 21 * 75);
    let tensor: Tensor<Rank4<3, 3, 21, 75>, f32, _> = dev.tensor_from_vec(x.clone(), Default::default());
    // With a tape, every layer keeps what it has computed.
    let want = net.forward(tensor.leaky_traced()).as_vec();
    for batch in [1, 2, 3] {
        close(&predict(&Predictor::new(&net, batch).unwrap(), &x), &want, 1e-5);
    }
}

fn close(found: &[f32], want: &[f32], error: f32) {
    let scale = want.iter().fold(0.0_f32, |scale, x| scale.max(x.abs()));
    assert_eq!(found.len(), want.len());
    for (found, want) in found.iter().zip(want) {
        assert!((found - want).abs() <= error * scale, "{found} for {want}, of up to {scale}");
    }
}

#[test]
fn threads_share_a_predictor() {
    fn shared<T: Send + Sync>(value: T) -> T {
        value
    }
    let net = Cpu::seed_from_u64(3).build_module::<Small, f32>();
    let predictor = shared(Predictor::new(&net, 4).unwrap());
    let want = predict(&predictor, &images(4, 784));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(predict(&predictor, &images(4, 784)), want)));
        }
    });
}

#[test]
fn what_happens_to_the_network_later_does_not_change_it() {
    let dev = Cpu::seed_from_u64(4);
    let mut net = dev.build_module::<Wide, f32>();
    let [full, compact] = [Predictor::new(&net, 2).unwrap(), Predictor::compact(&net, 2).unwrap()];
    let x = images(2, 512);
    let (want, rounded) = (predict(&full, &x), predict(&compact, &x));
    // Weights of 11 bits are off by up to 2^-12 each; sums of a thousand of them by less, as they go up and down.
    close(&rounded, &want, 1e-3);
    assert_ne!(rounded, want);
    net.first.weight = net.first.weight.clone() * 3.0;
    assert_eq!(predict(&full, &x), want);
    assert_eq!(predict(&compact, &x), rounded);
    assert_ne!(predict(&Predictor::new(&net, 2).unwrap(), &x), want);
}

#[test]
fn lengths_have_to_fit() {
    let net = Cpu::default().build_module::<Small, f32>();
    let predictor = Predictor::new(&net, 2).unwrap();
    let mut logits = [0.0; 20];
    let error = predictor.predict(&[0.0; 783], &mut logits).unwrap_err();
    assert!(matches!(error, PredictError::Images { found: 783, image: 784 }), "{error}");
    let error = predictor.predict(&[0.0; 784], &mut logits).unwrap_err();
    assert!(matches!(error, PredictError::Outputs { images: 1, expected: 10, found: 20 }), "{error}");
    predictor.predict(&[], &mut []).unwrap();
}

#[test]
fn custom_modules_are_refused() {
    cnn! {
        struct Outer: [784] -> [10] { custom inner: Inner<E, D> -> [20]; linear(10); }
        struct Inner: [784] -> [20] { linear(20); }
    }
    let net = Cpu::default().build_module::<Outer, f32>();
    assert_eq!(Predictor::new(&net, 1).err(), Some(PredictError::Custom));
    assert_eq!(Predictor::compact(&net, 1).err(), Some(PredictError::Custom));
}

#[test]
fn a_batch_that_no_machine_has_memory_for_is_an_error() {
    let dev = Cpu::default();
    let (large, wide) = (dev.build_module::<Large, f32>(), dev.build_module::<Wide, f32>());
    for batch in [1 << 40, 1 << 60, usize::MAX] {
        assert_eq!(Predictor::new(&large, batch).err(), Some(PredictError::Memory { batch }));
        assert_eq!(Predictor::compact(&wide, batch).err(), Some(PredictError::Memory { batch }));
    }
}
