//! Steps that forward and backward pass share: where their numbers lie.

use super::Emitter;
use crate::kernels::*;
use convnet_graph::{Affine, Groups, Pool, PoolKind};

impl Emitter<'_> {
    pub(super) fn subsample(&self, id: usize, size: usize) -> Windows {
        let first_param = self.planned.graph.nodes[id].first_param;
        Windows::Subsample { size, weight: self.param(first_param), bias: self.param(first_param + 1) }
    }

    /// A pool over the whole map.
    pub(super) fn global(&self, id: usize) -> Windows {
        let node = &self.planned.graph.nodes[id];
        let pool = node.op.pool(self.planned.graph.nodes[node.inputs[0]].shape.chw());
        pool.map_or(Windows::Adaptive, Windows::Pool)
    }

    pub(super) fn window(&self, id: usize, windows: Windows) -> Window {
        let node = &self.planned.graph.nodes[id];
        let (map, out) = (self.value(node.inputs[0]), self.value(id));
        let extremum = matches!(windows, Windows::Pool(Pool { kind: PoolKind::Max | PoolKind::Min, .. }));
        let winners = self.node(id).extra.first.filter(|_| extremum);
        // Winners lie in the output's layout, wherever its halo.
        let winners = winners.map(|region| out.at(self.places.of(region)));
        Window { windows, map, out, winners, rectified: None, batch: self.batch(), accumulate: false }
    }

    pub(super) fn columns(&self, id: usize, across: Across) -> Columns {
        let x = self.by_channel(id);
        let y = self.value(id);
        Columns { across, x, y, d_y: y, d_x: x, accumulate: false, batch: self.batch() }
    }

    pub(super) fn batch_norm(&self, id: usize, eps: f64) -> BatchNorm {
        let node = &self.planned.graph.nodes[id];
        let extra = &self.node(id).extra;
        let x = self.by_channel(id);
        BatchNorm {
            x,
            y: self.value(id),
            d_x: x,
            batch: self.batch(),
            eps,
            training: self.planned.key.training,
            residual: self.node(id).residual.map(|other| self.value(other)),
            rectify: self.node(id).fused.is_some(),
            params: std::array::from_fn(|i| self.param(node.first_param + i)),
            mean: self.place(extra.first),
            inv_std: self.place(extra.second),
            var: self.place(extra.third),
            partial: self.place(extra.partial[0]),
            d_params: [self.d_param(node.first_param), self.d_param(node.first_param + 1)],
            mode: GradMode::Store,
        }
    }

    pub(super) fn group_norm(&self, id: usize, groups: Groups, eps: f64, affine: Affine) -> GroupNorm {
        let node = &self.planned.graph.nodes[id];
        let extra = &self.node(id).extra;
        let x = self.by_channel(id);
        let params = |of: &dyn Fn(usize) -> usize| [of(node.first_param), of(node.first_param + 1)];
        let (params, d_params) = match affine {
            Affine::None => ([0; 2], [0; 2]),
            Affine::Channel | Affine::Element => (params(&|i| self.param(i)), params(&|i| self.d_param(i))),
        };
        GroupNorm {
            x,
            y: self.value(id),
            d_x: x,
            batch: self.batch(),
            groups: groups.count(node.shape.chw()[0]),
            eps,
            affine,
            params,
            d_params,
            mean: self.place(extra.first),
            inv_std: self.place(extra.second),
            mode: GradMode::Store,
        }
    }
}
