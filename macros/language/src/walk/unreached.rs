//! What no walk with sizes comes to: blocks that nobody uses, and the other branch of each `if`.
//!
//! They are walked once without any size. Whatever is wrong about them all the same (a word, an option, a name, the rank of
//! a value) is a mistake; what depends on sizes is not known and gives no error.

use super::{Checker, Level, unknown};
use crate::ast::{Block, If, Network};
use crate::cost::Dim;
use crate::graph::Shape;
use crate::report::Errors;
use crate::values::is_size;
use proc_macro2::Ident;

/// Checks everything in `networks` and `blocks` that does not depend on sizes. Mistakes that have been told are not told
/// again.
pub fn unreached(networks: &[Network], blocks: &[Block], errors: &mut Errors) {
    let Some(any) = networks.first() else {
        if let Some(block) = blocks.first() {
            let message = "a block is known in its own `cnn!` only, and there is no network in this one";
            errors.on(&block.name, message);
        }
        return;
    };
    let symbols = |network: &Network| network.names().cloned().collect::<Vec<_>>();
    for network in networks {
        let mut checker = Checker::dry(network, blocks, symbols(network), errors);
        let rank = match network.input.len() {
            3 => Shape::Map([Dim::Unknown; 3]),
            // One that is no number has been told, and may be three: `[3x32x32]`.
            1 if network.input.iter().all(is_whole) => Shape::Vector(Dim::Unknown),
            _ => Shape::Unknown,
        };
        checker.input(rank);
        checker.body(&network.body, &mut Level::default());
    }
    let all: Vec<Ident> = networks.iter().flat_map(symbols).collect();
    for block in blocks {
        let params = block.params.iter().map(|param| param.name.clone());
        let mut checker = Checker::dry(any, blocks, params.chain(all.iter().cloned()).collect(), errors);
        checker.input(Shape::Unknown);
        checker.depth = 1;
        checker.body(&block.body, &mut Level::default());
    }
}

impl<'a, 'e> Checker<'a, 'e> {
    fn dry(network: &'a Network, blocks: &'a [Block], numbers: Vec<Ident>, errors: &'e mut Errors) -> Self {
        let mut checker = Checker::new(network, blocks, errors);
        checker.locals = numbers.into_iter().map(|name| (name.to_string(), Dim::Unknown)).collect();
        checker.dry = true;
        checker
    }

    /// Both branches, from the same value and with the same names; what they give is not known.
    pub(super) fn either(&mut self, choice: &'a If, level: &mut Level) {
        let (start, taken) = (self.at, level.taken.len());
        self.body(&choice.then, level);
        let names = level.taken.split_off(taken);
        self.at = start;
        self.body(&choice.otherwise, level);
        level.taken.extend(names);
        self.node(unknown(String::new(), start.node));
    }
}

/// Whether a dimension can be one size, which `3x32x32` cannot.
fn is_whole(dim: &syn::Expr) -> bool {
    match dim {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(int), .. }) => is_size(int),
        _ => true,
    }
}
