//! Why the engine cannot do what it was asked for.

/// Why there is no pass or no packed network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The machine has no memory left, or none could ever be enough.
    #[error("there is not enough memory")]
    OutOfMemory,
    /// A module from outside of the language is code, which no plan can hold.
    #[error("`{node}` is a custom module, which only its own code can compute")]
    Custom {
        /// Its name.
        node: String,
    },
    /// The part of the graph to compute does not begin with the values that are given.
    #[error("`{node}` reads the network's input, which is not among the values that are given")]
    NotGiven {
        /// The input's name.
        node: String,
    },
    /// A batch without images.
    #[error("a pass over no images")]
    NoImages,
    /// There are more or fewer parameters than the network has.
    #[error("there are {found} parameters, but the network has {expected}")]
    Count {
        /// Parameters of the network.
        expected: usize,
        /// Parameters given.
        found: usize,
    },
    /// A parameter of the network is not among those given.
    #[error("there is no parameter `{name}`")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A parameter is given that the network does not have.
    #[error("the network has no parameter `{name}`")]
    Unknown {
        /// Its name.
        name: String,
    },
    /// A parameter is given twice.
    #[error("parameter `{name}` is given twice")]
    Twice {
        /// Its name.
        name: String,
    },
    /// A parameter has another shape than the network's.
    #[error("parameter `{name}` is {found:?}; the network's is {expected:?}")]
    Shape {
        /// Its name.
        name: String,
        /// The network's.
        expected: Vec<usize>,
        /// The one given.
        found: Vec<usize>,
    },
    /// A parameter has not as many numbers as its shape says.
    #[error("parameter `{name}` has {found} numbers; it must have {expected}")]
    Length {
        /// Its name.
        name: String,
        /// Numbers of the network's.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
    /// The numbers are not those of whole images.
    #[error("{found} numbers are not a whole number of images of {image} numbers each")]
    Images {
        /// Numbers given.
        found: usize,
        /// Numbers of an image.
        image: usize,
    },
    /// There is too much or too little room for the outputs.
    #[error("the outputs of {images} images are {expected} numbers, but there is room for {found}")]
    Outputs {
        /// Images given.
        images: usize,
        /// Numbers that they give.
        expected: usize,
        /// Numbers that there is room for.
        found: usize,
    },
}
