//! A crate that exports an architecture from a module of its own.

mod hidden {
    use nets::prelude::*;

    cnn! {
        block unit(out) { conv(out, kernel = 3, pad = 1); relu; }

        /// Declared here, used elsewhere.
        #[export(small)]
        pub struct Small<const CLASSES: usize = 10>: [1, 8, 8] -> [CLASSES] { unit(4); flatten; fc: linear(CLASSES); }
    }
}

pub use hidden::Small;
