//! LeNet (LeCun, Bottou, Bengio and Haffner, 1998: Gradient-based learning applied to document recognition).
//!
//! They stand for ten digits so often that [`LeNet5`] and [`LeNet1998`] are the networks for ten classes; those for any number of
//! classes are in [`with_classes`].

use convnet::dfdx::prelude::Cpu;

/// [`LeNet5`](with_classes::LeNet5) for ten digits.
pub type LeNet5<E = f32, D = Cpu> = with_classes::LeNet5<10, E, D>;

/// [`LeNet1998`](with_classes::LeNet1998) for ten digits.
pub type LeNet1998<E = f32, D = Cpu> = with_classes::LeNet1998<10, E, D>;

/// The same for any number of classes.
pub mod with_classes {
    use convnet::prelude::*;

    cnn! {
        /// LeNet-5 as it is taught today: rectifiers, max pooling and a full second convolution, on 28 x 28 digits.
        #[export(lenet5)]
        pub struct LeNet5<const CLASSES: usize = 10>: [1, 28, 28] -> [CLASSES] {
            conv1: conv(6, kernel = 5, pad = 2);
            relu;
            max_pool(2);
            conv2: conv(16, kernel = 5);
            relu;
            max_pool(2);
            flatten;
            fc1: linear(120);
            relu;
            fc2: linear(84);
            relu;
            fc3: linear(CLASSES);
            assert params == 61_706, macs == 416_520;
        }

        /// LeNet-5 of 1998 (section II-B): connection table, trainable subsampling, scaled tanh, on 32 x 32 digits. The output
        /// is linear instead of by radial basis functions.
        #[export(lenet1998)]
        pub struct LeNet1998<const CLASSES: usize = 10>: [1, 32, 32] -> [CLASSES] {
            c1: conv(6, kernel = 5); s2: subsample(2); scaled_tanh;
            c3: conv(16, kernel = 5, connections = [
                [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 0], [5, 0, 1],
                [0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 0], [4, 5, 0, 1], [5, 0, 1, 2],
                [0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5],
                [0, 1, 2, 3, 4, 5],
            ]);
            s4: subsample(2); scaled_tanh;
            c5: conv(120, kernel = 5); scaled_tanh;
            flatten;
            f6: linear(84); scaled_tanh;
            output: linear(CLASSES);
            // The 60,000 of the paper, and the linear output.
            assert params == 60_000 + 84 * 10 + 10;
        }
    }
}
