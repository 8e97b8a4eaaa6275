//! A typed network and one without a type, of the same graph and from the same random seed: both have to give the same bits.

use convnet::backend::Backend;
use convnet::dfdx::prelude::*;
use convnet::net::{AnyNetwork, DynNetwork, Map, Network, forward, forward_seeded, gradients, named_tensors};
use convnet::optim::{Method, Optimizer, ParamOptions, Step, each_gradient};
use convnet::train::loss;
use std::sync::Arc;

type Failure = Box<dyn std::error::Error>;

/// Everything that a pass in evaluation and a step of training show of a network, as bits: logits in evaluation, logits and loss
/// in training, the gradients, and all tensors after an update (running statistics among them).
fn shown(net: &mut dyn AnyNetwork<f32, Cpu>, x: &Map<f32, Cpu>) -> Result<Vec<(String, Vec<u32>)>, Failure> {
    let (batch, classes) = (x.shape().0, net.graph().output_shape().len());
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<u32>>();
    let logits: Tensor<(usize, usize), f32, Cpu> = forward(net, x.clone(), batch, (batch, classes))?;
    let mut found = vec![("logits in evaluation".to_string(), bits(logits.as_vec()))];
    let targets = (0..batch * classes).map(|i| f32::from(i % classes == i / classes % classes)).collect();
    let targets = x.device().tensor_from_vec(targets, (batch, classes));
    let heads = vec![0.3; net.graph().heads.len()];
    let traced = x.clone().traced(gradients(net)?);
    let (logits, loss) = loss(forward_seeded(net, traced, batch, 5)?, targets, &heads)?;
    found.push(("logits in training".into(), bits(logits)));
    found.push(("loss".into(), bits(loss.as_vec())));
    let mut gradients = loss.try_backward()?;
    each_gradient(net, &mut gradients, &mut |index, gradient| {
        found.push((format!("gradient {index}"), bits(gradient.to_vec())));
    })?;
    let method = Method::Sgd { momentum: 0.9, nesterov: false };
    Optimizer::new(net, method, |_| ParamOptions::default()).step(net, &mut gradients, &Step::new(0.01))?;
    found.extend(named_tensors(net)?.into_iter().map(|tensor| (tensor.name, bits(tensor.values))));
    Ok(found)
}

/// Compares the network `N` with its twin without a type, on `batch` images of noise.
///
/// # Errors
/// Where they differ, or a device fails.
pub fn compare<N>(batch: usize) -> Result<(), Failure>
where
    N: Network<f32, Cpu> + BuildOnDevice<Cpu, f32, Built = N>,
    Cpu: Backend<f32>,
{
    let graph = N::GRAPH;
    let [c, h, w] = graph.input().chw();
    let x = Cpu::seed_from_u64(2).sample_like(&(batch, c, h, w), convnet::StandardNormal);
    let mut typed = Cpu::seed_from_u64(1).build_module::<N, f32>();
    let typed = shown(&mut typed, &x)?;
    let mut untyped = DynNetwork::build(Arc::new(graph.clone()), &Cpu::seed_from_u64(1))?;
    let untyped = shown(&mut untyped, &x)?;
    if typed.len() != untyped.len() {
        return Err(format!("{}: {} and {} things are shown", graph.name, typed.len(), untyped.len()).into());
    }
    for ((what, typed), (also, untyped)) in typed.iter().zip(&untyped) {
        if what != also || typed != untyped {
            return Err(format!("{}: the {what} of both are not the same bits", graph.name).into());
        }
        if typed.iter().any(|bits| !f32::from_bits(*bits).is_finite()) {
            return Err(format!("{}: the {what} are not all finite", graph.name).into());
        }
    }
    Ok(())
}
