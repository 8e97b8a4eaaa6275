//! Whether batches are large enough for the statistics that batch normalisations take of them.

use super::TrainError;
use super::config::Config;
use crate::graph::{Graph, Node, Op};

/// Checks that each batch normalisation gets more than one value for each channel from so many images. PyTorch refuses that in
/// training, too.
///
/// Those that are `fixed` take none of it.
pub(super) fn has_variance(graph: &Graph, images: usize, fixed: &[usize]) -> Result<(), TrainError> {
    let alone = |(id, node): &(usize, &Node)| {
        let values = images * node.shape.chw()[1..].iter().product::<usize>();
        matches!(node.op, Op::BatchNorm { .. }) && values < 2 && !fixed.contains(id)
    };
    match graph.nodes.iter().enumerate().find(alone) {
        Some((_, Node { name: layer, .. })) => Err(TrainError::OneValue { layer: layer.to_string(), images, of: None }),
        None => Ok(()),
    }
}

/// The same of the batches of an epoch, before it begins.
pub(super) fn have_variance(graph: &Graph, all: usize, config: &Config, fixed: &[usize]) -> Result<(), TrainError> {
    let (whole, rest) = (config.batch.min(all), all % config.batch.max(1));
    let last = if config.drop_last || rest == 0 { whole } else { rest };
    for images in [whole, last] {
        has_variance(graph, images, fixed).map_err(|error| match error {
            TrainError::OneValue { layer, images, .. } => {
                TrainError::OneValue { layer, images, of: Some([all, config.batch]) }
            }
            other => other,
        })?;
    }
    Ok(())
}
