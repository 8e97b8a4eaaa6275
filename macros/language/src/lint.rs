//! The lints: what is allowed in a network and is seldom meant, in one table. The rules that find it are in `lints`.

use std::ops::BitOr;

/// Something that is allowed and seldom meant.
#[derive(Debug, PartialEq, Eq)]
pub struct Lint {
    /// How it is called in `#[allow(..)]`.
    pub name: &'static str,
    /// What is found.
    pub what: &'static str,
    /// Why it is seldom meant.
    pub why: &'static str,
    /// Who has shown that, or where it follows from.
    pub source: &'static str,
    /// What to do about it.
    pub fix: &'static str,
    /// Whether it depends on the size of the input, and not only on the layers.
    pub by_size: bool,
}

/// Pixels that no window reads.
pub static UNREAD_PIXELS: Lint = Lint {
    name: "unread_pixels",
    what: "Rows or columns that no window of a convolution or pool reads. Padding does not count, nor what another branch reads.",
    why: "What is at that edge of an image cannot be seen, and the map is no longer centred on it.",
    source: "Dumoulin and Visin, 2016, chapter 2",
    fix: "`ceil` for a pool, more padding for a convolution, or an input of another size",
    by_size: true,
};

/// A bias that a batch normalisation takes away.
pub static BIAS_BEFORE_NORM: Lint = Lint {
    name: "bias_before_norm",
    what: "A layer with a bias right before `batch_norm`.",
    why: "The normalisation subtracts the mean of each channel, and the bias with it, and has a bias of its own.",
    source: "Ioffe and Szegedy, 2015, section 3.2",
    fix: "`bias = false`",
    by_size: false,
};

/// An activation of an activation.
pub static STACKED_ACTIVATIONS: Lint = Lint {
    name: "stacked_activations",
    what: "An activation right after another one.",
    why: "Without a layer between them the second one does nothing new, or undoes the first.",
    source: "by definition: `relu` of `relu` is `relu`",
    fix: "leave one of them out, or put a layer between them",
    by_size: false,
};

/// A softmax that the loss takes anyway.
pub static SOFTMAX_BEFORE_LOSS: Lint = Lint {
    name: "softmax_before_loss",
    what: "A vector of outputs that ends with `softmax` or `log_softmax`.",
    why: "The trainer's cross-entropy takes logits and their softmax itself. A softmax of a softmax is nearly even, so its gradients are small; \
          after `log_softmax` the second one changes nothing.",
    source: "Goodfellow, Bengio and Courville, 2016, section 6.2.2.3",
    fix: "end with the layer before it: `predict` gives probabilities of logits, too",
    by_size: false,
};

/// `same` where it cannot be the same at both sides.
pub static EVEN_KERNEL_SAME: Lint = Lint {
    name: "even_kernel_same",
    what: "An even kernel with `pad = same` that is padded by a pixel more after the map than before it.",
    why: "Each such layer moves what it sees by half a pixel.",
    source: "Wu et al., 2019",
    fix: "an odd kernel",
    by_size: true,
};

/// Outputs that cannot see the whole input.
pub static NARROW_RECEPTIVE_FIELD: Lint = Lint {
    name: "narrow_receptive_field",
    what: "Outputs whose receptive field, of two or more windows, is smaller than the input, where no layer sees the whole map (`flatten; linear`, a global pool, \
           a normalisation over all pixels, ...).",
    why: "What an output says cannot depend on anything that is further away.",
    source: "Luo et al., 2016",
    fix: "more layers, strides, pools or dilation, or `global_avg_pool` before the end",
    by_size: true,
};

/// Dropout whose variance a batch normalisation learns.
pub static DROPOUT_BEFORE_NORM: Lint = Lint {
    name: "dropout_before_norm",
    what: "Dropout before `batch_norm`, with or without layers between them.",
    why: "Dropout changes the variance in training only, so the running variance that evaluation uses is not that of its values.",
    source: "Li et al., 2019",
    fix: "dropout after the last `batch_norm`",
    by_size: false,
};

/// A `:` for a `;`.
pub static NAMED_LIKE_A_LAYER: Lint = Lint {
    name: "named_like_a_layer",
    what: "A layer whose name is the word of another layer, such as `relu: max_pool(2);`.",
    why: "A name does nothing: with a `:` for a `;` the layer of that name is not there.",
    source: "by definition: a name stands before `:`",
    fix: "`;` after the first word, or another name",
    by_size: false,
};

/// An input as other frameworks order it.
pub static CHANNELS_LAST: Lint = Lint {
    name: "channels_last",
    what: "An input `[H, W, C]`, such as `[32, 32, 3]`: its first two sizes are equal and large, its third is 1, 3 or 4.",
    why: "Shapes are `[C, H, W]`: this network sees 32 channels of 32x3 pixels.",
    source: "TensorFlow and Keras have channels last",
    fix: "`[C, H, W]`",
    by_size: true,
};

/// Layers that were to be one branch, and are several.
pub static LONE_BRANCH: Lint = Lint {
    name: "lone_branch",
    what: "A branch of a `concat` that is one activation or normalisation without braces, right after a layer.",
    why: "Each statement in a `concat` is a branch: the activation gets what the layer before it gets, and not what that gives.",
    source: "by definition: branches stand side by side",
    fix: "braces around the layers of a branch, `{ conv(8, kernel = 1); relu; }`",
    by_size: false,
};

/// A momentum as Keras counts it.
pub static OLD_MOMENTUM: Lint = Lint {
    name: "old_momentum",
    what: "A `momentum` of `batch_norm` above 0.5.",
    why: "It is the weight of the new batch, as in PyTorch. Keras and TensorFlow have the weight of the old statistics: their 0.99 is 0.01 here.",
    source: "Ioffe and Szegedy, 2015, section 3.1; the default of PyTorch is 0.1, that of Keras 0.99",
    fix: "`momentum = 0.01` for Keras's 0.99",
    by_size: false,
};

/// All lints.
pub static ALL: [&Lint; 11] = [
    &UNREAD_PIXELS,
    &BIAS_BEFORE_NORM,
    &STACKED_ACTIVATIONS,
    &SOFTMAX_BEFORE_LOSS,
    &EVEN_KERNEL_SAME,
    &NARROW_RECEPTIVE_FIELD,
    &DROPOUT_BEFORE_NORM,
    &NAMED_LIKE_A_LAYER,
    &CHANNELS_LAST,
    &LONE_BRANCH,
    &OLD_MOMENTUM,
];

/// The lint of this name.
pub fn find(name: &str) -> Option<&'static Lint> {
    ALL.into_iter().find(|lint| lint.name == name)
}

/// Some of the lints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lints(u32);

impl Lints {
    /// Whether a lint is one of them.
    pub fn has(self, lint: &Lint) -> bool {
        let place = ALL.iter().position(|known| *known == lint);
        place.is_some_and(|place| self.0 >> place & 1 == 1)
    }
}

impl<T: ToString> FromIterator<T> for Lints {
    /// The lints that have these names; other names are left out.
    fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Self {
        let place = |name: T| ALL.iter().position(|known| known.name == name.to_string());
        Lints(names.into_iter().filter_map(place).fold(0, |set, place| set | 1 << place))
    }
}

impl BitOr for Lints {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Lints(self.0 | other.0)
    }
}
