//! Grad-CAM (Selvaraju et al., 2016): where a layer has seen what speaks for a class.

use super::unit::{ancestors, maps};
use super::{ExplainError, Given, Inspectable, Unit, Volume};
use crate::graph::{Shape, Subgraph};

/// The channels of a layer, each weighted by the mean gradient of the unit at it, added up and rectified: `[1, H, W]` of the
/// layer. [`super::grid::Grid::spread`] brings it to the image's size.
///
/// # Errors
/// [`ExplainError::Method`] when the layer gives no feature map, or the unit is not computed from it; when the image is not
/// the network's, or the device fails.
pub fn grad_cam(network: &dyn Inspectable, layer: usize, unit: Unit, image: &Volume) -> Result<Volume, ExplainError> {
    let graph = network.graph();
    let image = image.of_network(graph)?;
    let (node, of) = (&graph.nodes[layer], &graph.nodes[unit.node]);
    let wrong = |needs, found| ExplainError::Method { method: "Grad-CAM", needs, found, fits: maps(graph) };
    let Shape::Map([channels, height, width]) = node.shape else {
        return Err(wrong("needs a feature map", format!("`{}` gives a vector {}", node.name, node.shape)));
    };
    if !ancestors(graph, unit.node).contains(&layer) {
        return Err(wrong(
            "needs a layer before the unit",
            format!("`{}` does not depend on `{}`", of.name, node.name),
        ));
    }
    let activation = network.values(&[(0, &image.values)], &[layer])?.remove(0);
    let gradient = gradient_at(network, layer, &activation, unit, image)?;
    let plane = height * width;
    let mut map = vec![0.0_f64; plane];
    for c in 0..channels {
        let own = c * plane..(c + 1) * plane;
        let weight = gradient[own.clone()].iter().map(|x| f64::from(*x)).sum::<f64>() / plane as f64;
        map.iter_mut().zip(&activation[own]).for_each(|(sum, a)| *sum += weight * f64::from(*a));
    }
    Ok(Volume { shape: [1, height, width], values: map.into_iter().map(|x| x.max(0.0) as f32).collect() })
}

/// The gradient of a unit at the values of a layer for an image.
pub(super) fn gradient_at(
    network: &dyn Inspectable,
    layer: usize,
    activation: &[f32],
    unit: Unit,
    image: &Volume,
) -> Result<Vec<f32>, ExplainError> {
    let graph = network.graph();
    let mut given: Vec<Given<'_>> = vec![(layer, activation)];
    // Beside a layer in a branch, other values flow from the input.
    if layer != 0 && (Subgraph { inputs: vec![layer], outputs: vec![unit.node] }).covered(graph)[0] {
        given.insert(0, (0, &image.values));
    }
    let mut vjp = network.vjp(&given, unit.node, &mut |value| unit.weights(graph, value))?;
    Ok(vjp.gradients.pop().unwrap_or_default())
}
