//! The layers of [`cnn!`](crate::cnn), each with its arguments, shapes and parameters. In an editor, each layer word in a network leads
//! here.
//!
//! Shapes are for one image; every layer takes a batch. "Map" is a feature map `[C, H, W]`, "vector" is `[N]`. Where an
//! argument takes a pair, a single number stands for both dimensions.
#![allow(non_upper_case_globals)]

/// 2-d convolution: `conv(out, kernel, stride = 1, pad = 0, dilation = 1, groups = 1, bias = true)`.
///
/// `[C, H, W] -> [out, H', W']` with `H' = (H + pad - dilation * (kernel - 1) - 1) / stride + 1`, rounded down.
///
/// * `out`: output channels, an integer or a const generic.
/// * `kernel`, `stride`, `dilation`: an integer or `(height, width)`.
/// * `pad`: an integer, `(height, width)`, `(top, bottom, left, right)`, or `same` for an output of `ceil(input / stride)`; an odd pixel goes to the bottom and right.
/// * `groups`: channels are split into that many groups that do not see each other.
/// * `connections = [[0, 1, 2], ...]`: for each output channel the input channels that it reads (LeCun et al., 1998, table I).
///
/// Parameters: `weight [out, C / groups, kh, kw]`, `bias [out]`.
pub const conv: () = ();
/// A convolution of each channel by itself: `depthwise(kernel, stride = 1, pad = 0, dilation = 1, multiplier = 1, bias = true)`.
///
/// `[C, H, W] -> [C * multiplier, H', W']`, with as many groups as channels. Parameters: `weight [C * multiplier, 1, kh, kw]`,
/// `bias [C * multiplier]`.
pub const depthwise: () = ();
/// Transposed convolution: `conv_transpose(out, kernel, stride = 1, pad = 0, output_pad = 0, dilation = 1, groups = 1, bias = true)`.
///
/// `[C, H, W] -> [out, H', W']` with `H' = (H - 1) * stride - 2 * pad + dilation * (kernel - 1) + output_pad + 1`.
/// Parameters: `weight [C, out / groups, kh, kw]`, `bias [out]`.
pub const conv_transpose: () = ();
/// Maximum over windows: `max_pool(kernel, stride = kernel, pad = 0, ceil = false)`. `[C, H, W] -> [C, H', W']`.
///
/// `ceil` rounds the number of windows up, as PyTorch's `ceil_mode`. Padding is never the maximum.
pub const max_pool: () = ();
/// Minimum over windows: as [`max_pool`].
pub const min_pool: () = ();
/// Mean over windows: `avg_pool(kernel, stride = kernel, pad = 0, ceil = false, count_include_pad = true)`. `[C, H, W] -> [C, H', W']`.
pub const avg_pool: () = ();
/// Mean over a grid of bins: `adaptive_avg_pool(height, width)`. `[C, H, W] -> [C, height, width]`.
pub const adaptive_avg_pool: () = ();
/// Mean over the whole map: `[C, H, W] -> [C]`.
pub const global_avg_pool: () = ();
/// Maximum over the whole map: `[C, H, W] -> [C]`.
pub const global_max_pool: () = ();
/// Maximum over groups of `size` neighbouring channels: `channel_max_pool(size)`. `[C, H, W] -> [C / size, H, W]`.
pub const channel_max_pool: () = ();
/// Mean over groups of `size` neighbouring channels: `channel_avg_pool(size)`. `[C, H, W] -> [C / size, H, W]`.
pub const channel_avg_pool: () = ();
/// LeNet's trainable pooling (LeCun et al., 1998, section II-B): `subsample(size)`. `[C, H, W] -> [C, H / size, W / size]`.
///
/// The sum over a window times `weight [C]` plus `bias [C]`.
pub const subsample: () = ();
/// A map as a vector, in `[C, H, W]` order: `[C, H, W] -> [C * H * W]`.
pub const flatten: () = ();
/// Fully connected layer: `linear(out, bias = true)`. `[N] -> [out]`.
///
/// Parameters: `weight [out, N]`, `bias [out]`.
pub const linear: () = ();
/// Batch normalisation (Ioffe and Szegedy, 2015): `batch_norm(eps = 1e-5, momentum = 0.1)`. Shape unchanged.
///
/// Parameters: `weight [C]`, `bias [C]`; buffers: `running_mean [C]`, `running_var [C]`. `momentum` is the weight of the new batch.
pub const batch_norm: () = ();
/// Normalisation over the pixels and channels of a group, for each image (Wu and He, 2018): `group_norm(groups, eps = 1e-5, affine = true)`. Shape unchanged.
///
/// Parameters: `weight [C]`, `bias [C]`.
pub const group_norm: () = ();
/// Normalisation over all of an image's values: `layer_norm(eps = 1e-5, affine = true)`. Shape unchanged.
///
/// Parameters: `weight` and `bias` of the input's shape, as PyTorch's `LayerNorm([C, H, W])` has them.
pub const layer_norm: () = ();
/// Normalisation over the pixels of each channel, for each image: `instance_norm(eps = 1e-5, affine = false)`. Shape unchanged.
pub const instance_norm: () = ();
/// Squeeze and excitation (Hu et al., 2017): `squeeze_excite(reduction)`. Shape unchanged.
///
/// Each channel times a number that two 1 x 1 convolutions (`fc1` to `C / reduction` channels, relu, `fc2`, sigmoid) make of
/// the map's average; names as in torchvision.
pub const squeeze_excite: () = ();
/// Local response normalisation (Krizhevsky et al., 2012, section 3.3): `lrn(size, alpha = 1e-4, beta = 0.75, k = 1)`. Shape unchanged.
///
/// `x / (k + alpha / size * sum of squares over size channels)^beta`, PyTorch's convention.
pub const lrn: () = ();
/// In training, zeroes each element with probability `p` and scales the others by `1 / (1 - p)`: `dropout(p = 0.5)`. Shape unchanged.
pub const dropout: () = ();
/// In training, zeroes each channel of an image with probability `p` and scales the others by `1 / (1 - p)`: `dropout2d(p = 0.5)`. Shape unchanged.
pub const dropout2d: () = ();
/// Enlarges a map: `upsample(scale, nearest | bilinear)`. `[C, H, W] -> [C, H * scale, W * scale]`.
///
/// `nearest`, the default, repeats pixels; `bilinear` mixes neighbours (PyTorch's `align_corners = False`).
pub const upsample: () = ();
/// More pixels at the sides: `pad(amount, value = 0 | reflect | replicate)`. `amount` is an integer, `(height, width)` or `(top, bottom, left, right)`.
pub const pad: () = ();
/// Fewer pixels at the sides: `crop(amount)`, with `amount` as in [`pad`].
pub const crop: () = ();
/// Channels of zeros: `channel_pad(amount)`, with `amount` an integer or `(before, after)`. `[C, H, W] -> [C + before + after, H, W]`.
pub const channel_pad: () = ();
/// Mixes the channels of groups (Zhang et al., 2017): `channel_shuffle(groups)`. Shape unchanged.
pub const channel_shuffle: () = ();
/// Channels become pixels (Shi et al., 2016): `pixel_shuffle(factor)`. `[C, H, W] -> [C / factor^2, H * factor, W * factor]`.
pub const pixel_shuffle: () = ();
/// Nothing; a place with a name.
pub const identity: () = ();
/// `max(x, 0)`.
pub const relu: () = ();
/// `min(max(x, 0), 6)`.
pub const relu6: () = ();
/// `x` if positive, else `slope * x`: `leaky_relu(slope = 0.01)`.
pub const leaky_relu: () = ();
/// `x` if positive, else `alpha * (exp(x) - 1)`: `elu(alpha = 1.0)`.
pub const elu: () = ();
/// Elu with the self-normalising constants (Klambauer et al., 2017).
pub const selu: () = ();
/// `x * Phi(x)`, with the normal distribution function.
pub const gelu: () = ();
/// `x * sigmoid(x)`.
pub const silu: () = ();
/// `x * tanh(softplus(x))`.
pub const mish: () = ();
/// `x * relu6(x + 3) / 6`.
pub const hard_swish: () = ();
/// `1 / (1 + exp(-x))`.
pub const sigmoid: () = ();
/// Hyperbolic tangent.
pub const tanh: () = ();
/// `1.7159 * tanh(2 / 3 * x)` (LeCun et al., 1998, appendix A).
pub const scaled_tanh: () = ();
/// `ln(1 + exp(x))`.
pub const softplus: () = ();
/// `x` if positive, else a learned slope times `x` (He et al., 2015): `prelu(per_channel = false)`.
///
/// Parameter: `weight [1]`, or `[C]` with `per_channel`.
pub const prelu: () = ();
/// Softmax over the channels at each position.
pub const softmax: () = ();
/// Logarithm of the softmax over the channels at each position.
pub const log_softmax: () = ();

#[cfg(test)]
mod tests {
    #[test]
    fn the_language_links_to_every_word() {
        let (language, source) = (include_str!("language.md"), include_str!("words.rs"));
        let words: Vec<&str> =
            source.lines().filter_map(|line| Some(line.strip_prefix("pub const ")?.split_once(':')?.0)).collect();
        assert!(words.len() > 40);
        for word in words {
            assert!(language.contains(&format!("[`{word}`](crate::words::{word})")), "{word}");
        }
    }
}
