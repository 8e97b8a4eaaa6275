//! Which epoch is better than another, by the metric that is monitored.

use super::config::Config;
use super::epoch::Epoch;
use crate::objective::Metric;

/// What is to fall from epoch to epoch: the test loss or, where one is monitored, a metric, less the more is better. The schedule and early stopping look
/// at no other epochs than those in which everything learns.
pub(super) fn monitored(config: &Config, history: &[Epoch], metrics: &[Metric]) -> Vec<f64> {
    let metric = config.monitor.as_ref().and_then(|name| metrics.iter().find(|metric| metric.name == name));
    let value = |epoch: &Epoch| match metric {
        Some(metric) if metric.higher_is_better => -epoch.tested(metric),
        Some(metric) => epoch.tested(metric),
        None => epoch.test_loss,
    };
    config.scheduled(history).iter().map(value).collect()
}

/// Whether the newest of these epochs is the best so far, by the metric that is monitored or else the main one.
pub(super) fn is_best(config: &Config, before: &[Epoch], new: &Epoch, metrics: &[Metric]) -> bool {
    let wanted = config.monitor.as_deref().unwrap_or_else(|| metrics.first().map_or("", |metric| metric.name));
    match metrics.iter().find(|metric| metric.name == wanted) {
        // What is not defined is better than nothing.
        Some(metric) => before.iter().all(|epoch| {
            let (old, new) = (epoch.tested(metric), new.tested(metric));
            old.is_nan() || metric.is_better(new, old)
        }),
        None => before.iter().all(|epoch| new.test_loss < epoch.test_loss),
    }
}
