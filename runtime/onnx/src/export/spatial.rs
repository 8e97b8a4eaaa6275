//! What moves pixels and channels.

use super::Layer;
use super::draft::{int, ints, word};
use crate::bins::antialiased;
use crate::proto::Attribute;
use convnet_graph::{Fill, Pad, Resample, Shape};

impl Layer<'_> {
    pub(super) fn resample(&mut self, how: Resample) -> String {
        match how {
            Resample::Nearest => self.resized(true),
            Resample::Bilinear => self.resized(false),
            // Readers differ in what they mix where a map gets smaller in one direction and larger in the other.
            Resample::Resize { antialias: true, .. } => {
                let ([_, height, width], [_, out_height, out_width]) = (self.from.chw(), self.node.shape.chw());
                self.mixed(&antialiased(height, out_height), &antialiased(width, out_width))
            }
            Resample::Resize { nearest, antialias: false } => self.resized_to(nearest),
            Resample::Pad { pad, fill } => self.padded(pad, fill),
            Resample::Crop { top, left } => self.cropped(top, left),
        }
    }

    /// Whole factors, so that the scales are exact.
    fn resized(&mut self, nearest: bool) -> String {
        let ([_, height, width], [_, out_height, out_width]) = (self.from.chw(), self.node.shape.chw());
        let scales = [1.0, 1.0, out_height as f32 / height as f32, out_width as f32 / width as f32];
        let name = self.own("scales");
        let scales = self.draft.floats(&name, &[4], &scales);
        // The second input, a region, is for cropping and left out.
        self.then("Resize", &["", &scales], filter(nearest))
    }

    /// To a size, of which ONNX computes the scales.
    fn resized_to(&mut self, nearest: bool) -> String {
        let [_, height, width] = self.node.shape.chw();
        let mut attributes = filter(nearest);
        // The batch is not known here, so only height and width are resized.
        attributes.push(ints("axes", &[2, 3]));
        let name = self.own("sizes");
        let sizes = self.draft.ints(&name, &[height as i64, width as i64]);
        self.then("Resize", &["", "", &sizes], attributes)
    }

    pub(super) fn padded(&mut self, pad: Pad, fill: Fill) -> String {
        let (value, mode) = match fill {
            Fill::Circular => return self.ring(pad),
            Fill::Constant(0.0) => (None, None),
            Fill::Constant(value) => (Some(value), None),
            Fill::Reflect => (None, Some("reflect")),
            Fill::Replicate => (None, Some("edge")),
        };
        let Pad { top, bottom, left, right } = pad;
        let name = self.own("pads");
        let amounts = self.draft.ints(&name, &[0, 0, top, left, 0, 0, bottom, right].map(|side| side as i64));
        let value = value.map(|value| {
            let name = self.own("value");
            self.draft.scalar(&name, value)
        });
        let more: Vec<&str> = std::iter::once(&amounts).chain(&value).map(String::as_str).collect();
        self.then("Pad", &more, mode.map(|mode| word("mode", mode)).into_iter().collect())
    }

    /// Rows and columns of the opposite side: not every reader knows the mode of `Pad` that does this.
    fn ring(&mut self, Pad { top, bottom, left, right }: Pad) -> String {
        let [_, height, width] = self.from.chw();
        self.along(2, height, [top, bottom]);
        self.along(3, width, [left, right])
    }

    /// The end before and the beginning behind it, along a dimension.
    fn along(&mut self, axis: i64, extent: usize, [before, after]: [usize; 2]) -> String {
        let whole = self.value();
        let mut parts = Vec::new();
        for (part, from, to) in [("before", extent - before, extent), ("after", 0, after)] {
            if part == "after" {
                parts.push(whole.clone());
            }
            if from == to {
                continue;
            }
            let lists = [("starts", from as i64), ("ends", to as i64), ("axes", axis)];
            let [starts, ends, axes] = lists.map(|(name, value)| {
                let name = self.own(name);
                self.draft.ints(&name, &[value])
            });
            self.inputs = vec![whole.clone()];
            parts.push(self.then("Slice", &[&starts, &ends, &axes], vec![]));
        }
        self.inputs = parts;
        if self.inputs.len() == 1 {
            return whole;
        }
        let joined = self.merged("Concat", vec![int("axis", axis)]);
        self.inputs = vec![joined.clone()];
        joined
    }

    fn cropped(&mut self, top: usize, left: usize) -> String {
        let [_, height, width] = self.node.shape.chw();
        let lists = [("starts", [top, left]), ("ends", [top + height, left + width]), ("axes", [2, 3])];
        let [starts, ends, axes] = lists.map(|(name, values)| {
            let name = self.own(name);
            self.draft.ints(&name, &values.map(|value| value as i64))
        });
        self.then("Slice", &[&starts, &ends, &axes], vec![])
    }

    pub(super) fn channel_pad(&mut self, before: usize) -> String {
        let ([channels, ..], [out, ..]) = (self.from.chw(), self.node.shape.chw());
        self.zeros([0, before, 0, 0, 0, out - channels - before, 0, 0])
    }

    pub(super) fn channel_crop(&mut self, before: usize) -> String {
        let [out, ..] = self.node.shape.chw();
        let [starts, ends, axes] = [("starts", before), ("ends", before + out), ("axes", 1)].map(|(name, value)| {
            let name = self.own(name);
            self.draft.ints(&name, &[value as i64])
        });
        self.then("Slice", &[&starts, &ends, &axes], vec![])
    }

    pub(super) fn channel_shuffle(&mut self, groups: usize) -> String {
        let [channels, height, width] = self.from.chw();
        self.reshaped(&[groups, channels / groups.max(1), height, width]);
        self.then("Transpose", &[], vec![ints("perm", &[0, 2, 1, 3, 4])]);
        match self.from {
            Shape::Map(shape) => self.reshaped(&shape),
            Shape::Vector(n) => self.reshaped(&[n]),
        }
    }

    pub(super) fn pixel_shuffle(&mut self, factor: usize) -> String {
        // Channels of a pixel are the slowest of the three, "column, row, depth".
        self.then("DepthToSpace", &[], vec![int("blocksize", factor as i64), word("mode", "CRD")])
    }

    /// ONNX's `SpaceToDepth` has the place in the square before the channel, so a pixel becomes a dimension of its own, as PyTorch writes it.
    pub(super) fn pixel_unshuffle(&mut self, factor: usize) -> String {
        let ([channels, ..], [out, height, width]) = (self.from.chw(), self.node.shape.chw());
        self.reshaped(&[channels, height, factor, width, factor]);
        self.then("Transpose", &[], vec![ints("perm", &[0, 1, 3, 5, 2, 4])]);
        self.reshaped(&[out, height, width])
    }
}

/// How a `Resize` finds its pixels: the nearest one, rounded down, or bilinearly by half pixels.
fn filter(nearest: bool) -> Vec<Attribute> {
    match nearest {
        true => vec![
            word("mode", "nearest"),
            word("coordinate_transformation_mode", "asymmetric"),
            word("nearest_mode", "floor"),
        ],
        false => vec![word("mode", "linear"), word("coordinate_transformation_mode", "half_pixel")],
    }
}
