//! Steps that forward and backward pass share: where their numbers lie.

use super::Emitter;
use crate::engine::kernels::*;
use crate::graph::{Affine, Op, PoolKind};

impl Emitter<'_> {
    pub(super) fn window(&self, id: usize) -> Option<Window> {
        let node = &self.draft.graph.nodes[id];
        let (map, out) = (self.value(node.inputs[0]), self.value(id));
        let pool = node.op.pool(self.draft.graph.nodes[node.inputs[0]].shape.chw());
        let windows = match (node.op, pool) {
            (_, Some(pool)) => Windows::Pool(pool),
            (Op::AdaptiveAvgPool | Op::GlobalPool(_), None) => Windows::Adaptive,
            (Op::Subsample { size }, None) => Windows::Subsample {
                size,
                weight: self.param(node.first_param),
                bias: self.param(node.first_param + 1),
            },
            _ => return None,
        };
        let extremum = pool.is_some_and(|pool| matches!(pool.kind, PoolKind::Max | PoolKind::Min));
        let winners = self.node(id).extra.first.filter(|_| extremum);
        // Winners lie in the output's layout, wherever its halo.
        let winners = winners.map(|region| out.at(self.places.of(region)));
        Some(Window { windows, map, out, winners, rectified: None, batch: self.batch(), accumulate: false })
    }

    pub(super) fn columns(&self, id: usize) -> Option<Columns> {
        let node = &self.draft.graph.nodes[id];
        let across = match node.op {
            Op::Lrn { size, alpha, beta, k } => {
                Across::Lrn { size, alpha: alpha as f32, beta: beta as f32, k: k as f32 }
            }
            Op::Softmax => Across::Softmax,
            Op::LogSoftmax => Across::LogSoftmax,
            Op::ChannelPool { kind, size } => Across::Pool { kind, size },
            _ => return None,
        };
        let x = self.by_channel(id);
        let y = self.value(id);
        Some(Columns { across, x, y, d_y: y, d_x: x, accumulate: false, batch: self.batch() })
    }

    pub(super) fn batch_norm(&self, id: usize) -> BatchNorm {
        let node = &self.draft.graph.nodes[id];
        let extra = &self.node(id).extra;
        let eps = if let Op::BatchNorm { eps, .. } = node.op { eps } else { 0.0 };
        let x = self.by_channel(id);
        BatchNorm {
            x,
            y: self.value(id),
            d_x: x,
            batch: self.batch(),
            eps,
            training: self.draft.purpose.training,
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

    pub(super) fn group_norm(&self, id: usize) -> GroupNorm {
        let node = &self.draft.graph.nodes[id];
        let extra = &self.node(id).extra;
        let Op::GroupNorm { groups, eps, affine } = node.op else {
            unreachable!("asked for the group normalisation of a {}", node.op.word())
        };
        let x = self.by_channel(id);
        let params = |of: &dyn Fn(usize) -> usize| [of(node.first_param), of(node.first_param + 1)];
        let (params, d_params) = match affine {
            Affine::None => ([0; 2], [0; 2]),
            _ => (params(&|i| self.param(i)), params(&|i| self.d_param(i))),
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
