//! Layers that move pixels: enlarging, padding, cropping, shuffling.

use super::{Context, Draft, count, extent, literal, pad_tokens};
use crate::cost::Dim;
use crate::graph::Shape;
use crate::report::Errors;
use quote::quote;

const SIDES: &str = "expected a number, (height, width) or (top, bottom, left, right)";

impl Context<'_> {
    pub(super) fn upsample(&self, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(Identity), "upsample".into());
        draft.shape = Shape::Map([channels, Dim::Unknown, Dim::Unknown]);
        let Some(scale) = self.args.pair("scale", None, 1, errors) else { return draft };
        let (nearest, bilinear) = (self.args.flag("nearest", false, errors), self.args.flag("bilinear", false, errors));
        if nearest && bilinear {
            self.args.fault("bilinear", errors, "`upsample` is either `nearest` or `bilinear`");
        }
        let [oh, ow] = self.scaled([height, width], scale, errors);
        draft.shape = Shape::Map([channels, oh, ow]);
        let how = if bilinear { quote!(Bilinear) } else { quote!(Nearest) };
        draft.label = format!("upsample {}", extent(scale));
        if bilinear {
            draft.span = scale.map(|scale| count(if scale > 1 { 2 } else { 1 }));
        }
        draft.up = scale;
        draft.spread = [oh, ow];
        draft.op = quote!(Resample(::__convnet::graph::Resample::#how));
        draft
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

    pub(super) fn pad_layer(&self, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(Identity), "pad".into());
        draft.shape = Shape::Map([channels, Dim::Unknown, Dim::Unknown]);
        let value = self.args.float("value", 0.0, errors).unwrap_or(0.0);
        let (reflect, replicate) =
            (self.args.flag("reflect", false, errors), self.args.flag("replicate", false, errors));
        let fill = match (self.args.has("value"), reflect, replicate) {
            (_, false, false) => quote!(Constant(#value)),
            (false, true, false) => quote!(Reflect),
            (false, false, true) => quote!(Replicate),
            _ => {
                let message = "`pad` fills with one of `value`, `reflect` and `replicate`";
                errors.on(&self.layer.word, message);
                return draft;
            }
        };
        let Some(sides) = self.sides("amount", SIDES, errors) else { return draft };
        for (size, (before, after)) in [height, width].into_iter().zip(sides) {
            let most = before.max(after);
            if let Dim::Known(size) = size
                && reflect
                && most >= size
            {
                let message = format!(
                    "{}: a size of {size} can be reflected by {} pixels at most, not {most}\n  trace: {}",
                    self.name(),
                    size - 1,
                    self.trace()
                );
                self.args.fault("amount", errors, message);
                return draft;
            }
        }
        let [oh, ow] = self.moved([height, width], sides, errors, |size, by| Some(size.saturating_add(by)));
        draft.shape = Shape::Map([channels, oh, ow]);
        draft.spread = [oh, ow];
        let pad = pad_tokens(sides);
        draft.op = quote!(Resample(::__convnet::graph::Resample::Pad {
            pad: #pad, fill: ::__convnet::graph::Fill::#fill,
        }));
        draft
    }

    pub(super) fn crop(&self, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(Identity), "crop".into());
        draft.shape = Shape::Map([channels, Dim::Unknown, Dim::Unknown]);
        let Some(sides) = self.sides("amount", SIDES, errors) else { return draft };
        let [oh, ow] = self.moved([height, width], sides, errors, |size, by| size.checked_sub(by).filter(|n| *n > 0));
        for (size, (cropped, (before, after))) in [height, width].into_iter().zip([oh, ow].into_iter().zip(sides)) {
            if let (Dim::Known(size), Dim::Unknown) = (size, cropped) {
                let message = format!(
                    "{}: nothing is left of a size of {size} without {before} + {after} pixels\n  trace: {}",
                    self.name(),
                    self.trace()
                );
                self.args.fault("amount", errors, message);
                return draft;
            }
        }
        draft.shape = Shape::Map([channels, oh, ow]);
        draft.spread = [oh, ow];
        let [(top, _), (left, _)] = sides;
        let (top, left) = (literal(top), literal(left));
        draft.op = quote!(Resample(::__convnet::graph::Resample::Crop { top: #top, left: #left }));
        draft
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
    pub(super) fn channel_pad(&self, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(Identity), "channel_pad".into());
        draft.shape = Shape::Map([Dim::Unknown, height, width]);
        let Some([before, after]) = self.args.pair("amount", None, 0, errors) else { return draft };
        let [outs, _] =
            self.moved([channels, Dim::Unknown], [(before, after), (0, 0)], errors, |n, by| Some(n.saturating_add(by)));
        draft.shape = Shape::Map([outs, height, width]);
        let before = literal(before);
        draft.op = quote!(ChannelPad { before: #before });
        draft
    }

    pub(super) fn channel_shuffle(&self, errors: &mut Errors) -> Draft {
        let [channels, ..] = self.map(errors);
        let Some(groups) = self.args.count("groups", 1, errors) else {
            return self.same(quote!(Identity), "channel_shuffle".into());
        };
        self.per_group(groups, channels, channels, errors);
        let n = literal(groups);
        self.same(quote!(ChannelShuffle { groups: #n }), format!("channel_shuffle {groups}"))
    }

    pub(super) fn pixel_shuffle(&self, errors: &mut Errors) -> Draft {
        let [channels, height, width] = self.map(errors);
        let mut draft = self.same(quote!(Identity), "pixel_shuffle".into());
        draft.shape = Shape::Map([Dim::Unknown; 3]);
        let Some(factor) = self.args.count("factor", 1, errors) else { return draft };
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
        draft.shape = Shape::Map([outs, oh, ow]);
        draft.label = format!("pixel_shuffle {factor}");
        draft.up = [factor; 2];
        draft.spread = [oh, ow];
        let factor = literal(factor);
        draft.op = quote!(PixelShuffle { factor: #factor });
        draft
    }
}
