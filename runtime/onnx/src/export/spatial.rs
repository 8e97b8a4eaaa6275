//! What moves pixels and channels.

use super::Layer;
use super::draft::{int, ints, word};
use convnet_graph::{Fill, Pad, Resample, Shape};

impl Layer<'_> {
    pub(super) fn resample(&mut self, how: Resample) -> String {
        match how {
            Resample::Nearest => self.resized(vec![
                word("mode", "nearest"),
                word("coordinate_transformation_mode", "asymmetric"),
                word("nearest_mode", "floor"),
            ]),
            Resample::Bilinear => {
                self.resized(vec![word("mode", "linear"), word("coordinate_transformation_mode", "half_pixel")])
            }
            Resample::Pad { pad, fill } => self.padded(pad, fill),
            Resample::Crop { top, left } => self.cropped(top, left),
        }
    }

    /// Whole factors, so that the scales are exact.
    fn resized(&mut self, attributes: Vec<crate::proto::Attribute>) -> String {
        let ([_, height, width], [_, out_height, out_width]) = (self.from.chw(), self.node.shape.chw());
        let scales = [1.0, 1.0, out_height as f32 / height as f32, out_width as f32 / width as f32];
        let name = self.own("scales");
        let scales = self.draft.floats(&name, &[4], &scales);
        // The second input, a region, is for cropping and left out.
        self.then("Resize", &["", &scales], attributes)
    }

    fn padded(&mut self, Pad { top, bottom, left, right }: Pad, fill: Fill) -> String {
        let name = self.own("pads");
        let amounts = self.draft.ints(&name, &[0, 0, top, left, 0, 0, bottom, right].map(|side| side as i64));
        match fill {
            Fill::Constant(0.0) => self.then("Pad", &[&amounts], vec![]),
            Fill::Constant(value) => {
                let name = self.own("value");
                let value = self.draft.scalar(&name, value);
                self.then("Pad", &[&amounts, &value], vec![])
            }
            Fill::Reflect => self.then("Pad", &[&amounts], vec![word("mode", "reflect")]),
            Fill::Replicate => self.then("Pad", &[&amounts], vec![word("mode", "edge")]),
        }
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
}
