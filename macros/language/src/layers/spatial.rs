//! Layers that move pixels: enlarging, padding, cropping, shuffling.

use super::{Context, Made, count, extent, number, sides};
use crate::cost::Dim;
use crate::graph::Shape;
use crate::report::Errors;
use convnet_graph::{Fill, Op, Resample};

const SIDES: &str = "expected a number, (height, width) or (top, bottom, left, right)";

impl Context<'_> {
    pub fn upsample(&self, errors: &mut Errors) -> Made {
        let [channels, height, width] = self.map(errors);
        let Some(scale) = self.args.pair("scale", 1, errors) else {
            return self.failed(Shape::Map([channels, Dim::Unknown, Dim::Unknown]));
        };
        let (nearest, bilinear) = (self.args.given_flag("nearest", errors), self.args.flag("bilinear", errors));
        if nearest == Some(true) && bilinear {
            self.args.fault("bilinear", errors, "`upsample` is either `nearest` or `bilinear`");
        }
        let [oh, ow] = self.scaled([height, width], scale, errors);
        let how = if bilinear { Resample::Bilinear } else { Resample::Nearest };
        Made {
            label: format!("upsample {}", extent(scale)),
            shape: Shape::Map([channels, oh, ow]),
            span: scale.map(|scale| count(if bilinear && scale > 1 { 2 } else { 1 })),
            up: scale,
            source_extent: [oh, ow],
            ..self.same(Op::Resample(how))
        }
    }

    /// To any size.
    pub fn resize(&self, errors: &mut Errors) -> Made {
        let [channels, height, width] = self.map(errors);
        let Some(size) = self.args.pair("size", 1, errors) else {
            return self.failed(Shape::Map([channels, Dim::Unknown, Dim::Unknown]));
        };
        let (nearest, bilinear) = (self.args.given_flag("nearest", errors), self.args.flag("bilinear", errors));
        let antialias = self.args.flag("antialias", errors);
        if nearest == Some(true) && bilinear {
            self.args.fault("bilinear", errors, "`resize` is either `nearest` or `bilinear`");
        } else if antialias && !bilinear {
            let message = "`antialias` is for `bilinear` alone\n  fix: add `bilinear` before it";
            self.args.fault("antialias", errors, message);
        }
        let inputs = [height, width].map(|dim| dim.known().unwrap_or(1).max(1));
        let shrinks = [0, 1].map(|i| inputs[i].div_ceil(size[i]));
        let span = match (bilinear, antialias) {
            (false, _) => [1, 1],
            (true, false) => [2, 2],
            (true, true) => shrinks.map(|shrink| shrink.saturating_mul(2)),
        };
        Made {
            label: format!("resize {}", extent(size)),
            shape: Shape::Map([channels, Dim::Known(size[0]), Dim::Known(size[1])]),
            span: [0, 1].map(|i| count(span[i].min(inputs[i]))),
            stride: [0, 1].map(|i| (inputs[i] / size[i]).max(1)),
            up: [0, 1].map(|i| (size[i] / inputs[i]).max(1)),
            source_extent: size.map(Dim::Known),
            ..self.same(Op::Resample(Resample::Resize { nearest: !bilinear, antialias }))
        }
    }

    fn scaled(&self, sizes: [Dim; 2], scale: [u64; 2], errors: &mut Errors) -> [Dim; 2] {
        let mut failed = false;
        let mut scaled = [Dim::Unknown; 2];
        for ((place, size), scale) in scaled.iter_mut().zip(sizes).zip(scale) {
            *place = match size {
                Dim::Known(n) => Dim::Known(n.saturating_mul(scale)),
                Dim::Symbol(_) if scale == 1 => size,
                Dim::Symbol(_) => {
                    if !std::mem::replace(&mut failed, true) {
                        self.symbolic(size, errors);
                    }
                    Dim::Unknown
                }
                Dim::Unknown => Dim::Unknown,
            };
        }
        scaled
    }

    pub fn pad_layer(&self, errors: &mut Errors) -> Made {
        let [channels, height, width] = self.map(errors);
        let failed = || self.failed(Shape::Map([channels, Dim::Unknown, Dim::Unknown]));
        let value = self.args.float("value", errors);
        let [reflect, replicate, circular] =
            ["reflect", "replicate", "circular"].map(|name| self.args.flag(name, errors));
        let fill = match (self.args.has("value"), reflect, replicate, circular) {
            (_, false, false, false) => Fill::Constant(value),
            (false, true, false, false) => Fill::Reflect,
            (false, false, true, false) => Fill::Replicate,
            (false, false, false, true) => Fill::Circular,
            _ => {
                let message = "`pad` fills with one of `value`, `reflect`, `replicate` and `circular`";
                errors.on(&self.layer.word, message);
                return failed();
            }
        };
        let Some(amount) = self.sides("amount", SIDES, errors) else { return failed() };
        for (size, (before, after)) in [height, width].into_iter().zip(amount) {
            let most = before.max(after);
            let Dim::Known(size) = size else { continue };
            let limit = if reflect { size - 1 } else { size };
            if (reflect || circular) && most > limit {
                let what = if reflect { "reflected" } else { "continued" };
                let message = format!(
                    "{}: a size of {size} can be {what} by {limit} pixels at most, not {most}\n  trace: {}",
                    self.name(),
                    self.trace()
                );
                self.args.fault("amount", errors, message);
                return failed();
            }
        }
        let [oh, ow] = self.moved([height, width], amount, errors, |size, by| Some(size.saturating_add(by)));
        let pad = sides(amount);
        Made {
            shape: Shape::Map([channels, oh, ow]),
            source_extent: [oh, ow],
            ..self.same(Op::Resample(Resample::Pad { pad, fill }))
        }
    }

    pub fn crop(&self, errors: &mut Errors) -> Made {
        let [channels, height, width] = self.map(errors);
        let failed = || self.failed(Shape::Map([channels, Dim::Unknown, Dim::Unknown]));
        let Some(sides) = self.sides("amount", SIDES, errors) else { return failed() };
        let [oh, ow] = self.moved([height, width], sides, errors, |size, by| size.checked_sub(by).filter(|n| *n > 0));
        for (size, (cropped, (before, after))) in [height, width].into_iter().zip([oh, ow].into_iter().zip(sides)) {
            if let (Dim::Known(size), Dim::Unknown) = (size, cropped) {
                let message = format!(
                    "{}: nothing is left of a size of {size} without {before} + {after} pixels\n  trace: {}",
                    self.name(),
                    self.trace()
                );
                self.args.fault("amount", errors, message);
                return failed();
            }
        }
        let [(top, _), (left, _)] = sides;
        let (top, left) = (number(top), number(left));
        Made {
            shape: Shape::Map([channels, oh, ow]),
            source_extent: [oh, ow],
            ..self.same(Op::Resample(Resample::Crop { top, left }))
        }
    }

    /// Sizes with `change` by both sides together; a const generic may only stay as it is.
    fn moved(
        &self,
        sizes: [Dim; 2],
        sides: [(u64, u64); 2],
        errors: &mut Errors,
        change: impl Fn(u64, u64) -> Option<u64>,
    ) -> [Dim; 2] {
        let mut failed = false;
        let mut moved = [Dim::Unknown; 2];
        for ((place, size), (before, after)) in moved.iter_mut().zip(sizes).zip(sides) {
            let by = before.saturating_add(after);
            *place = match size {
                Dim::Known(n) => change(n, by).map_or(Dim::Unknown, Dim::Known),
                Dim::Symbol(_) if by == 0 => size,
                Dim::Symbol(_) => {
                    if !std::mem::replace(&mut failed, true) {
                        self.symbolic(size, errors);
                    }
                    Dim::Unknown
                }
                Dim::Unknown => Dim::Unknown,
            };
        }
        moved
    }

    /// Channels of zeros before and after.
    pub fn channel_pad(&self, errors: &mut Errors) -> Made {
        let [channels, height, width] = self.map(errors);
        let Some([before, after]) = self.args.pair("amount", 0, errors) else {
            return self.failed(Shape::Map([Dim::Unknown, height, width]));
        };
        let [outs, _] =
            self.moved([channels, Dim::Unknown], [(before, after), (0, 0)], errors, |n, by| Some(n.saturating_add(by)));
        let before = number(before);
        Made { shape: Shape::Map([outs, height, width]), ..self.same(Op::ChannelPad { before }) }
    }

    /// A slice of the channels.
    pub fn channel_crop(&self, errors: &mut Errors) -> Made {
        let [channels, height, width] = self.map(errors);
        let failed = || self.failed(Shape::Map([Dim::Unknown, height, width]));
        let Some([before, after]) = self.args.pair("amount", 0, errors) else { return failed() };
        let [outs, _] = self.moved([channels, Dim::Unknown], [(before, after), (0, 0)], errors, |n, by| {
            n.checked_sub(by).filter(|n| *n > 0)
        });
        if let (Dim::Known(channels), Dim::Unknown) = (channels, outs) {
            let message = format!(
                "{}: nothing is left of {channels} channels without {before} + {after}\n  trace: {}",
                self.name(),
                self.trace()
            );
            self.args.fault("amount", errors, message);
            return failed();
        }
        let before = number(before);
        Made { shape: Shape::Map([outs, height, width]), ..self.same(Op::ChannelCrop { before }) }
    }

    pub fn channel_shuffle(&self, errors: &mut Errors) -> Made {
        let [channels, ..] = self.map(errors);
        let Some(groups) = self.args.count("groups", errors) else {
            return self.failed(self.shape);
        };
        self.per_group(groups, channels, channels, errors);
        let label = format!("channel_shuffle {groups}");
        Made { label, ..self.same(Op::ChannelShuffle { groups: number(groups) }) }
    }

    pub fn pixel_shuffle(&self, errors: &mut Errors) -> Made {
        let [channels, height, width] = self.map(errors);
        let Some(factor) = self.args.count("factor", errors) else {
            return self.failed(Shape::Map([Dim::Unknown; 3]));
        };
        let outs = match (channels, factor.checked_mul(factor)) {
            (Dim::Known(c), Some(square)) if c % square == 0 => Dim::Known(c / square),
            (Dim::Known(c), square) => {
                let square = square.unwrap_or(u64::MAX);
                let message = format!(
                    "{}: {c} channels cannot be shuffled into squares of {factor} x {factor} pixels: {c} % {square} = {}\n  trace: {}",
                    self.name(),
                    c % square,
                    self.trace()
                );
                self.args.fault("factor", errors, message);
                Dim::Unknown
            }
            (Dim::Symbol(_), _) if factor == 1 => channels,
            (Dim::Symbol(_), _) => {
                self.symbolic(channels, errors);
                Dim::Unknown
            }
            (Dim::Unknown, _) => Dim::Unknown,
        };
        let [oh, ow] = self.scaled([height, width], [factor; 2], errors);
        Made {
            label: format!("pixel_shuffle {factor}"),
            shape: Shape::Map([outs, oh, ow]),
            up: [factor; 2],
            source_extent: [oh, ow],
            ..self.same(Op::PixelShuffle { factor: number(factor) })
        }
    }

    pub fn pixel_unshuffle(&self, errors: &mut Errors) -> Made {
        let [channels, height, width] = self.map(errors);
        let Some(factor) = self.args.count("factor", errors) else {
            return self.failed(Shape::Map([Dim::Unknown; 3]));
        };
        let mut told = false;
        let [oh, ow] = [("height", height), ("width", width)].map(|(along, size)| match size {
            Dim::Known(n) if n % factor == 0 => Dim::Known(n / factor),
            Dim::Known(n) => {
                if !std::mem::replace(&mut told, true) {
                    let message = format!(
                        "{}: {along} {n} cannot be cut into squares of {factor} x {factor} pixels: {n} % {factor} = {}\n  trace: {}",
                        self.name(),
                        n % factor,
                        self.trace()
                    );
                    self.args.fault("factor", errors, message);
                }
                Dim::Unknown
            }
            Dim::Symbol(_) if factor == 1 => size,
            Dim::Symbol(_) => {
                if !std::mem::replace(&mut told, true) {
                    self.symbolic(size, errors);
                }
                Dim::Unknown
            }
            Dim::Unknown => Dim::Unknown,
        });
        let square = factor.saturating_mul(factor);
        let [outs, _] = self.scaled([channels, Dim::Unknown], [square, 1], errors);
        Made {
            label: format!("pixel_unshuffle {factor}"),
            shape: Shape::Map([outs, oh, ow]),
            span: [count(factor), count(factor)],
            stride: [factor; 2],
            source_extent: [oh, ow],
            ..self.same(Op::PixelUnshuffle { factor: number(factor) })
        }
    }

    /// Each of the three dimensions once, in any order.
    pub fn permute(&self, errors: &mut Errors) -> Made {
        let dims = self.map(errors);
        let names = ["channels", "height", "width"];
        let [Some(channels), Some(height), Some(width)] = names.map(|name| self.args.count(name, errors)) else {
            return self.failed(Shape::Map([Dim::Unknown; 3]));
        };
        let order = [channels, height, width];
        for (i, place) in order.iter().enumerate() {
            let text = match place {
                1..=3 if order[..i].contains(place) => format!("{place} stands twice"),
                1..=3 => continue,
                _ => format!("a map has no dimension {place}"),
            };
            let message = format!(
                "{text}: `permute` takes each of 1 (channels), 2 (height) and 3 (width) once\n  fix: {}",
                match order.iter().any(|place| *place > 3) {
                    true => "write `permute(2, 3, 1)` for channels that come last",
                    false => "write each of the three once, as in `permute(2, 3, 1)`",
                }
            );
            self.args.fault(names[i], errors, message);
            return self.failed(Shape::Map([Dim::Unknown; 3]));
        }
        let order = order.map(|place| number(place) - 1);
        let shape = order.map(|from| dims[from]);
        Made {
            label: format!("permute {channels} {height} {width}"),
            shape: Shape::Map(shape),
            source_extent: [shape[1], shape[2]],
            ..self.same(Op::Permute { order })
        }
    }
}
