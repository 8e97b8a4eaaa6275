//! Stochastic gradient descent that goes over each parameter once, on all of the engine's threads.
//!
//! dfdx's optimisers work on the same networks, on one thread and with a second pass that sets the gradients to zero. For a
//! network whose parameters no cache holds that is a noticeable part of a step.

use crate::backend::Backend;
use dfdx::nn::tensor_collection::{RecursiveWalker, TensorOptions, TensorVisitor, ViewTensorMut};
use dfdx::optim::{Momentum, SgdConfig, WeightDecay};
use dfdx::prelude::*;
use std::marker::PhantomData;

/// Stochastic gradient descent with momentum, as PyTorch's `SGD` and dfdx's.
///
/// ```
/// use convnet::dfdx::optim::{Momentum, SgdConfig};
/// use convnet::optim::Sgd;
/// use convnet::prelude::*;
///
/// cnn! { struct Net: [1, 4, 4] -> [3] { flatten; linear(3); } }
///
/// let dev = Cpu::default();
/// let mut net = dev.build_module::<Net, f32>();
/// let mut sgd = Sgd::new(&net, SgdConfig { lr: 0.1, momentum: Some(Momentum::Classic(0.9)), weight_decay: None });
/// let mut gradients = net.alloc_grads();
/// for _ in 0..3 {
///     let x: Tensor<Rank4<2, 1, 4, 4>, f32, _> = dev.sample_normal();
///     let loss = net.forward_mut(x.traced(gradients)).square().mean();
///     gradients = loss.backward();
///     sgd.step(&mut net, &mut gradients)?;
/// }
/// # Ok::<(), convnet::dfdx::tensor::CpuError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sgd<N, D: Storage<f32>> {
    /// Learning rate, momentum and weight decay of the next steps.
    pub config: SgdConfig,
    velocity: Gradients<f32, D>,
    network: PhantomData<fn(&mut N)>,
}

impl<N: TensorCollection<f32, D>, D: Backend<f32>> Sgd<N, D> {
    /// For networks like this one, with no velocity yet.
    pub fn new(_: &N, config: SgdConfig) -> Self {
        Sgd { config, velocity: Gradients::leaky(), network: PhantomData }
    }

    /// Updates all parameters of `net` and sets their `gradients` to zero, for the next step.
    ///
    /// # Errors
    /// When the device runs out of memory.
    pub fn step(&mut self, net: &mut N, gradients: &mut Gradients<f32, D>) -> Result<(), D::Err> {
        let mut walk = Walk { config: &self.config, velocity: &mut self.velocity, gradients };
        N::iter_tensors(&mut RecursiveWalker { m: net, f: &mut walk }).map(|_| ())
    }
}

struct Walk<'a, D: Storage<f32>> {
    config: &'a SgdConfig,
    velocity: &'a mut Gradients<f32, D>,
    gradients: &'a mut Gradients<f32, D>,
}

impl<D: Backend<f32>> TensorVisitor<f32, D> for Walk<'_, D> {
    type Viewer = ViewTensorMut;
    type Err = D::Err;
    type E2 = f32;
    type D2 = D;

    fn visit<S: Shape>(
        &mut self,
        options: TensorOptions<S, f32, D>,
        param: &mut Tensor<S, f32, D>,
    ) -> Result<Option<Tensor<S, f32, D>>, D::Err> {
        if options.do_gradient_update {
            let velocity = self.velocity.get_or_alloc_mut(param)?;
            let gradient = self.gradients.get_or_alloc_mut(param)?;
            D::sgd(self.config, param, velocity, gradient)?;
        }
        Ok(None)
    }
}

/// One step on some numbers of a parameter; the gradient is zero afterwards.
pub(crate) fn update(config: &SgdConfig, param: &mut [f32], velocity: &mut [f32], gradient: &mut [f32]) {
    let lr = config.lr as f32;
    let (l2, decoupled) = match config.weight_decay {
        Some(WeightDecay::L2(decay)) => (decay as f32, 0.0),
        Some(WeightDecay::Decoupled(decay)) => (0.0, (decay * config.lr) as f32),
        None => (0.0, 0.0),
    };
    // One loop for each kind of momentum, so that there is nothing to decide inside.
    match config.momentum {
        None => each([param, velocity, gradient], |p, _, g| {
            let step = (*g + l2 * *p) * lr;
            *p -= step + decoupled * *p;
        }),
        Some(Momentum::Classic(u)) => each([param, velocity, gradient], |p, v, g| {
            *v = *g + l2 * *p + u as f32 * *v;
            *p -= *v * lr + decoupled * *p;
        }),
        Some(Momentum::Nesterov(u)) => each([param, velocity, gradient], |p, v, g| {
            let g = *g + l2 * *p;
            *v = g + u as f32 * *v;
            *p -= (g + u as f32 * *v) * lr + decoupled * *p;
        }),
    }
}

#[inline]
fn each([param, velocity, gradient]: [&mut [f32]; 3], f: impl Fn(&mut f32, &mut f32, &mut f32)) {
    for ((p, v), g) in param.iter_mut().zip(velocity).zip(gradient) {
        f(p, v, g);
        *g = 0.0;
    }
}
