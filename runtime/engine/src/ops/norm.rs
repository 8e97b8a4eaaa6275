//! Normalisation: over a batch, and over groups of the channels of one image.

use super::{Facts, Operation, Reads, Shares, Site, Unit};
use crate::kernels::{
    BatchNorm, GradMode, GroupInputGrad, GroupNorm, GroupNormalise, GroupParamGrad, GroupStatistics, MergeStatistics,
    NormGradSums, NormInputGrad, NormParamGrad, Normalise,
};
use crate::node::{BatchNormBuffers, Buffers};
use crate::plan::{PlanKey, Statistics};
use crate::regions::Regions;
use crate::writer::Writer;
use convnet_graph::{Affine, Groups};

/// A batch normalisation.
pub struct Batch {
    /// Added to the variance.
    pub eps: f64,
    /// Weight of a new batch in the running statistics.
    pub momentum: f64,
}

impl Batch {
    fn buffers(to: &Writer<'_>, id: usize) -> BatchNormBuffers {
        match to.plan(id).buffers {
            Buffers::BatchNorm(buffers) => buffers,
            Buffers::None | Buffers::Conv(_) | Buffers::Pool { .. } | Buffers::Normalised { .. } => {
                unreachable!("a batch normalisation that nobody else does has buffers")
            }
        }
    }

    fn step(&self, to: &Writer<'_>, id: usize) -> BatchNorm {
        let (first_param, plan, buffers) = (to.node(id).first_param, to.plan(id), Self::buffers(to, id));
        let x = to.source(id);
        BatchNorm {
            x,
            y: to.value(id),
            d_x: x,
            batch: to.batch(),
            eps: self.eps,
            training: to.planned().key.takes_statistics(id),
            residual: plan.does.residual.map(|other| to.value(other)),
            rectify: plan.does.activation.is_some(),
            params: std::array::from_fn(|i| to.param(first_param + i)),
            mean: to.place(buffers.mean),
            inv_std: to.place(buffers.inv_std),
            var: to.place(buffers.var),
            partial: to.place(buffers.sums),
            d_params: [to.d_param(first_param), to.d_param(first_param + 1)],
            mode: GradMode::Store,
        }
    }
}

impl Operation for Batch {
    fn facts(&self, _key: &PlanKey) -> Facts {
        Facts { reads: Reads::Input, unit: Unit::Channel, shares: Shares::Norm, reads_planar: false }
    }

    fn buffers(&self, site: &Site<'_, '_>, regions: &mut Regions) -> Buffers {
        // One that is folded into a convolution needs nothing.
        if site.plan().done_by.is_some() {
            return Buffers::None;
        }
        let (value, wants_grad) = (&site.slot().value, site.plan().wants_grad);
        let (forward, backward) = (site.forward(), site.backward());
        let len = value.blocks() * value.block;
        let sums = 2 * len * BatchNorm::chunks(value, site.key.batch);
        // The new running statistics are computed from these after the forward pass.
        let last = if wants_grad { backward } else { site.time.output() }.max(site.time.output());
        Buffers::BatchNorm(BatchNormBuffers {
            mean: regions.add(len, forward, last),
            inv_std: regions.add(len, forward, last),
            var: regions.add(len, forward, last),
            sums: regions.add(sums, forward, forward),
            grad_sums: wants_grad.then(|| regions.add(sums, backward, backward)),
        })
    }

    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        let norm = self.step(to, id);
        if norm.training {
            to.push(crate::kernels::Statistics(norm));
            to.end_stage();
        }
        to.push(MergeStatistics(norm));
        to.end_stage();
        to.push(Normalise(norm));
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        let partial = Self::buffers(to, id).grad_sums.map_or(0, |region| to.place(region));
        let norm = BatchNorm { y: to.grad(id), partial, ..self.step(to, id) };
        to.push(NormGradSums(norm));
        to.end_stage();
        to.push(NormParamGrad(norm));
        if to.input_wants_grad(id) {
            let (d_x, mode) = to.source_grad(id);
            to.end_stage();
            to.push(NormInputGrad(BatchNorm { d_x, mode, ..norm }));
            to.return_source_grad(id);
        }
    }

    fn statistics(&self, to: &Writer<'_>, id: usize) -> Option<Statistics> {
        let (planned, param) = (to.planned(), to.node(id).first_param);
        let channels = planned.graph.params[param].shape.iter().product::<usize>();
        let [_, height, width] = to.slot(id).value.chw;
        let span = |region| to.place(region)..to.place(region) + channels;
        let buffers = Self::buffers(to, id);
        Some(Statistics {
            param: param + 2,
            old: [planned.params[param + 2].map(span)?, planned.params[param + 3].map(span)?],
            momentum: self.momentum,
            mean: span(buffers.mean),
            var: span(buffers.var),
            count: to.batch() * height * width,
        })
    }
}

/// A normalisation of groups of the channels of one image.
pub struct Group {
    /// The groups.
    pub groups: Groups,
    /// Added to the variance.
    pub eps: f64,
    /// What weight and bias there are.
    pub affine: Affine,
}

impl Group {
    fn step(&self, to: &Writer<'_>, id: usize) -> GroupNorm {
        let node = to.node(id);
        let Buffers::Normalised { mean, inv_std } = to.plan(id).buffers else {
            unreachable!("a normalisation of groups has buffers")
        };
        let (params, d_params) = match self.affine {
            Affine::None => ([0; 2], [0; 2]),
            Affine::Channel | Affine::Element => {
                let both = [node.first_param, node.first_param + 1];
                (both.map(|param| to.param(param)), both.map(|param| to.d_param(param)))
            }
        };
        let x = to.source(id);
        GroupNorm {
            x,
            y: to.value(id),
            d_x: x,
            batch: to.batch(),
            groups: self.groups.count(node.shape.chw()[0]),
            eps: self.eps,
            affine: self.affine,
            params,
            d_params,
            mean: to.place(mean),
            inv_std: to.place(inv_std),
            mode: GradMode::Store,
        }
    }
}

impl Operation for Group {
    fn facts(&self, _key: &PlanKey) -> Facts {
        Facts { reads: Reads::Input, unit: Unit::Channel, shares: Shares::Never, reads_planar: false }
    }

    fn buffers(&self, site: &Site<'_, '_>, regions: &mut Regions) -> Buffers {
        let len = site.key.batch * self.groups.count(site.node().shape.chw()[0]);
        let last = if site.plan().wants_grad { site.backward() } else { site.time.output() };
        let [mean, inv_std] = [0, 1].map(|_| regions.add(len, site.forward(), last));
        Buffers::Normalised { mean, inv_std }
    }

    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        let norm = self.step(to, id);
        to.push(GroupStatistics(norm));
        to.end_stage();
        to.push(GroupNormalise(norm));
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        let norm = GroupNorm { y: to.grad(id), ..self.step(to, id) };
        if self.affine != Affine::None {
            to.push(GroupParamGrad(norm));
        }
        if to.input_wants_grad(id) {
            let (d_x, mode) = to.source_grad(id);
            to.push(GroupInputGrad(GroupNorm { d_x, mode, ..norm }));
            to.return_source_grad(id);
        }
    }
}
