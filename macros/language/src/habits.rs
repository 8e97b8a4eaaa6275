//! What people write who come from PyTorch, Keras, burn or Caffe, and what it is called here.
//!
//! Likeness of letters finds a slip of the pen, not another vocabulary: it takes `activation` for `dilation` and `swish` for `mish`.
//! So words that are known elsewhere are looked up here first; each gets our word, or a sentence where there is none.

/// What a foreign word stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Our word.
    Word(&'static str),
    /// What to do.
    Advice(&'static str),
}

use Habit::{Advice, Word};

/// Foreign names of layers, as `plain` has them, and what they are called here.
pub const LAYERS: &[(&[&str], Habit)] = &[
    (&["dense", "fc", "fullyconnected", "innerproduct", "affine", "lazylinear"], Word("linear")),
    (&["convolution", "convolutional", "convolve", "lazyconv"], Word("conv")),
    (
        &["deconv", "deconvolution", "convtransposed", "transposedconv", "transposeconv", "upconv"],
        Word("conv_transpose"),
    ),
    (&["depthwiseconv", "dwconv", "depthwiseconvolution"], Word("depthwise")),
    (
        &["separableconv", "depthwiseseparable", "depthwiseseparableconv"],
        Advice("write `depthwise(3, pad = 1); conv(out, kernel = 1);`"),
    ),
    (&["pool", "maxpooling", "pooling"], Word("max_pool")),
    (&["avgpooling", "averagepool", "averagepooling", "meanpool"], Word("avg_pool")),
    (&["adaptiveavgpooling", "adaptiveaveragepool"], Word("adaptive_avg_pool")),
    (&["gap", "globalaveragepooling", "globalaveragepool", "globalavgpooling", "globalpool"], Word("global_avg_pool")),
    (&["globalmaxpooling"], Word("global_max_pool")),
    (
        &["conv1d", "maxpool1d", "maxpooling1d", "avgpool1d", "averagepooling1d"],
        Advice(
            "declare a series as an image of height 1, `[C, 1, N]`, with layers such as `conv(16, kernel = (1, 3))`",
        ),
    ),
    (&["bn", "norm", "batchnorm1d", "batchnormalization", "batchnormalisation"], Word("batch_norm")),
    (&["ln", "layernormalization", "layernormalisation"], Word("layer_norm")),
    (&["gn", "groupnormalization", "groupnormalisation"], Word("group_norm")),
    (&["instancenormalization", "instancenormalisation"], Word("instance_norm")),
    (&["localresponsenorm", "localresponsenormalization", "localresponsenormalisation"], Word("lrn")),
    (&["se", "seblock", "squeezeexcitation", "squeezeandexcitation"], Word("squeeze_excite")),
    (&["view", "reshape", "ravel"], Word("flatten")),
    (&["rectifier", "rectifiedlinear"], Word("relu")),
    (&["lrelu"], Word("leaky_relu")),
    (&["swish"], Word("silu")),
    (&["hswish"], Word("hard_swish")),
    (&["hsigmoid"], Word("hard_sigmoid")),
    (&["logistic"], Word("sigmoid")),
    (&["drop"], Word("dropout")),
    (&["spatialdropout", "channeldropout"], Word("dropout2d")),
    (&["zeropad", "zeropadding", "padding"], Word("pad")),
    (&["cropping", "centercrop"], Word("crop")),
    (&["upsampling", "interpolate", "upsamplingnearest"], Word("upsample")),
    (&["resizing", "resizebilinear", "resizenearest"], Word("resize")),
    (&["depthtospace"], Word("pixel_shuffle")),
    (&["spacetodepth"], Word("pixel_unshuffle")),
    (&["transpose"], Word("permute")),
    (&["droppath", "dropconnect"], Word("stochastic_depth")),
    (&["hardtanh", "clip", "clamp"], Word("hard_tanh")),
    (&["layerscale"], Word("channel_scale")),
    (&["noop", "passthrough"], Word("identity")),
    (
        &["add", "skip", "sum", "shortcutadd"],
        Advice("write `residual { ... }` around the layers whose result is added to their input"),
    ),
    (
        &["chunk", "slice"],
        Advice(
            "write `split { { ... } { ... } }` around branches that share the channels out, or `channel_crop((before, after));`",
        ),
    ),
    (&["cat", "concatenate", "merge"], Advice("write `concat { { ... } { ... } }` around the branches")),
    (&["sequential", "sequence", "modulelist"], Advice("write `name: { ... }` around the layers")),
    (
        &["input", "inputlayer", "placeholder"],
        Advice("the input stands in the header: `struct Net: [3, 32, 32] -> [10]`"),
    ),
    (&["output"], Advice("the output stands in the header: `struct Net: [3, 32, 32] -> [10]`")),
];

/// Foreign names of options, as `plain` has them, with what they are called here, the likeliest first.
pub const OPTIONS: &[(&[&str], &[&str])] = &[
    (&["kernelsize", "ksize", "poolsize", "filtersize", "windowsize", "window", "kernelshape", "size"], &["kernel"]),
    (&["padding", "paddings", "pads"], &["pad"]),
    (&["strides"], &["stride"]),
    (&["dilationrate", "dilations"], &["dilation"]),
    (&["usebias", "biasterm", "withbias", "addbias"], &["bias"]),
    (
        &[
            "outchannels",
            "filters",
            "channelsout",
            "numoutput",
            "numfilters",
            "outputchannels",
            "outfeatures",
            "units",
            "outputs",
            "channels",
        ],
        &["out"],
    ),
    (&["group", "numgroups", "ngroups"], &["groups"]),
    (&["epsilon"], &["eps"]),
    (&["rate", "prob", "probability", "ratio", "dropoutrate", "dropprob", "dropratio"], &["p"]),
    (&["negativeslope", "alpha"], &["slope", "alpha"]),
    (&["ceilmode"], &["ceil"]),
    (&["scalefactor", "scale", "upscalefactor", "blocksize"], &["factor", "scale"]),
    (&["depthmultiplier", "channelmultiplier", "channelsmultiplier"], &["multiplier"]),
    (&["outputsize"], &["height"]),
    (&["elementwiseaffine"], &["affine"]),
];

/// Options that no layer has here, and what to do instead.
pub const NONE: &[(&[&str], &str)] = &[
    (
        &[
            "inchannels",
            "infeatures",
            "numfeatures",
            "inputchannels",
            "channelsin",
            "numchannels",
            "normalizedshape",
            "inputshape",
            "inputdim",
            "dinput",
        ],
        "leave it out: the layer before gives it",
    ),
    (&["activation", "act", "nonlinearity"], "an activation is a layer of its own, such as `relu;` after this one"),
    (
        &["relu", "sigmoid", "tanh", "gelu", "silu", "softmax", "batchnorm", "dropout", "maxpool", "flatten"],
        "this is a layer of its own: put it after this one, as a statement",
    ),
    (&["inplace"], "leave it out: memory is planned by itself"),
    (
        &["dim", "axis", "startdim", "enddim", "dataformat", "channelslast"],
        "leave it out: shapes are [C, H, W], without the batch",
    ),
    (&["name", "label"], "a name stands before the layer: `name: layer(...)`"),
    (&["nobias"], "write `bias = false`"),
    (
        &["paddingmode"],
        "padding is zeros here; for another put `pad(1, reflect);`, `pad(1, replicate);` or `pad(1, circular);` before this layer, and no `pad` into it",
    ),
    (
        &[
            "kernelinitializer",
            "biasinitializer",
            "initializer",
            "weightinit",
            "kernelregularizer",
            "regularizer",
            "device",
            "dtype",
            "trainable",
        ],
        "leave it out: it is no matter of the declaration",
    ),
    (&["trackrunningstats"], "leave it out: running statistics are always kept"),
];

/// A word without case, `_`, and the dimensions that all of ours have.
pub(crate) fn plain(word: &str) -> String {
    let plain = word.to_lowercase().replace('_', "");
    plain.strip_suffix("2d").map_or(plain.clone(), ToString::to_string)
}

/// What a word that no layer has stands for; `known` are our layers.
pub fn layer(word: &str, known: &[&'static str]) -> Option<Habit> {
    let (exact, foreign) = (word.to_lowercase().replace('_', ""), plain(word));
    // `dropout2d` is another layer than `dropout`.
    let called = |name: &str| known.iter().find(|own| own.replace('_', "") == name).copied().map(Word);
    let own = called(&exact).or_else(|| called(&foreign));
    own.or_else(|| LAYERS.iter().find(|(words, _)| words.contains(&foreign.as_str())).map(|(_, habit)| *habit))
}

/// What an option that a layer does not have stands for; `has` are those that it has.
pub fn option(name: &str, has: &[&'static str]) -> Option<Habit> {
    let foreign = plain(name);
    let own = has.iter().find(|own| plain(own) == foreign).copied();
    let known = OPTIONS.iter().find(|(names, _)| names.contains(&foreign.as_str()));
    let known = known.and_then(|(_, ours)| ours.iter().find(|own| has.contains(own)).copied());
    let none = NONE.iter().find(|(names, _)| names.contains(&foreign.as_str())).map(|(_, advice)| Advice(advice));
    own.or(known).map(Word).or(none)
}

/// What a name stands for that no budget has.
pub fn budget(name: &str) -> Option<Habit> {
    Some(Word(match plain(name).as_str() {
        "flops" | "ops" | "multadds" | "madds" | "operations" => "macs",
        "parameters" | "weights" => "params",
        "memory" => "peak_activations",
        _ => return None,
    }))
}

impl Habit {
    /// What comes after an error about the foreign word.
    pub fn hint(self) -> String {
        match self {
            Word(word) => format!("; did you mean `{word}`?"),
            Advice(advice) => format!("\n  fix: {advice}"),
        }
    }
}
