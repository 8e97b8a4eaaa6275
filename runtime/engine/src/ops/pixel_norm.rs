//! Layer normalisation over the channels of each pixel.

use super::{Facts, Operation, Reads, Shares, Site, Unit};
use crate::kernels::{GradMode, PixelInputGrad, PixelNorm, PixelParamGrad};
use crate::node::Buffers;
use crate::plan::PlanKey;
use crate::regions::Regions;
use crate::writer::Writer;

/// A normalisation of the channels of each pixel.
pub struct Pixel {
    /// Added to the variance.
    pub eps: f64,
    /// Whether there are weight and bias.
    pub affine: bool,
}

impl Pixel {
    fn step(&self, to: &Writer<'_>, id: usize) -> PixelNorm {
        let (first, x) = (to.node(id).first_param, to.source(id));
        let Buffers::Normalised { mean, inv_std } = to.plan(id).buffers else {
            unreachable!("a normalisation of pixels has buffers")
        };
        PixelNorm {
            x,
            y: to.value(id),
            d_x: x,
            batch: to.batch(),
            eps: self.eps,
            params: self.affine.then(|| [to.param(first), to.param(first + 1)]),
            d_params: if self.affine { [to.d_param(first), to.d_param(first + 1)] } else { [0; 2] },
            mean: to.place(mean),
            inv_std: to.place(inv_std),
            mode: GradMode::Store,
        }
    }
}

impl Operation for Pixel {
    fn facts(&self, _key: &PlanKey) -> Facts {
        Facts { reads: Reads::Input, unit: Unit::Channel, shares: Shares::Never, reads_planar: false }
    }

    fn buffers(&self, site: &Site<'_, '_>, regions: &mut Regions) -> Buffers {
        let [_, height, width] = site.node().shape.chw();
        let len = site.key.batch * height * width;
        let last = if site.plan().wants_grad { site.backward() } else { site.forward() };
        let [mean, inv_std] = [0, 1].map(|_| regions.add(len, site.forward(), last));
        Buffers::Normalised { mean, inv_std }
    }

    fn forward(&self, to: &mut Writer<'_>, id: usize) {
        to.push(self.step(to, id));
    }

    fn backward(&self, to: &mut Writer<'_>, id: usize) {
        let norm = PixelNorm { y: to.grad(id), ..self.step(to, id) };
        if self.affine {
            to.push(PixelParamGrad(norm));
        }
        if to.input_wants_grad(id) {
            let (d_x, mode) = to.source_grad(id);
            to.push(PixelInputGrad(PixelNorm { d_x, mode, ..norm }));
            to.return_source_grad(id);
        }
    }
}
