//! The few kinds of operations that people tell apart.

/// What sort of operation one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// Convolutions, transposed ones too.
    Conv,
    /// Whatever makes one number of several: over windows, bins, the whole map or channels.
    Pool,
    /// Normalisations.
    Norm,
    /// Element-wise functions, and softmax.
    Activation,
    /// Fully connected layers.
    Linear,
    /// Where values meet.
    Merge,
    /// Everything else: what moves, drops or only looks at values.
    Other,
}

impl Category {
    /// Every category.
    pub const ALL: [Category; 7] = [
        Category::Conv,
        Category::Pool,
        Category::Norm,
        Category::Activation,
        Category::Linear,
        Category::Merge,
        Category::Other,
    ];

    /// Its name, which is its class in CSS and Mermaid, too.
    pub const fn name(self) -> &'static str {
        match self {
            Category::Conv => "conv",
            Category::Pool => "pool",
            Category::Norm => "norm",
            Category::Activation => "activation",
            Category::Linear => "linear",
            Category::Merge => "merge",
            Category::Other => "other",
        }
    }
}
