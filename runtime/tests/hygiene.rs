//! Names of the user's beside names that `cnn!` makes, keys that are Rust keywords, attributes, fragments of `macro_rules!`,
//! and macros that `#[export]` makes within their own crate.
#![deny(warnings, missing_docs)]

use convnet::net::{Network, named_shapes};
use convnet::prelude::*;

fn keys<N: Network<f32, Cpu>>() -> Vec<&'static str> {
    N::GRAPH.params.iter().map(|param| &*param.name).collect()
}

/// The user's own names, in every namespace that generated code could meet.
mod neighbours {
    #![allow(dead_code, non_upper_case_globals, non_snake_case, missing_docs)]
    use convnet::prelude::*;

    pub struct NetHead;
    pub struct NetTaps;
    pub struct NetTapsHead;
    pub struct K;
    pub const FC1: usize = 3;
    pub const x: usize = 3;
    pub const s: usize = 3;
    pub const size: usize = 3;
    pub const batch: usize = 3;
    pub const outputs: usize = 3;
    pub const index: usize = 3;
    pub static y: usize = 3;

    cnn! {
        /// A layer called as a constant of the user's, one as a const generic, a sequence as a struct of the user's.
        pub struct Net<const K: usize = 2, const WIDE: usize = 3>: [1, 4, 4] -> [K] {
            head: { conv(WIDE, 1); inner: { conv(3, 1); } }
            custom x: convnet::dfdx::nn::modules::ReLU -> [3, 4, 4];
            flatten;
            FC1: linear(4);
            s: linear(4);
            K: linear(4);
            head aux: [K] = linear(K);
            linear(K);
        }

        /// Its structs and those of `Net` have names of their own.
        pub struct NetHead_: [1, 4, 4] -> [1, 4, 4] { inner: { conv(1, 1); } taps: { conv(1, 1); } }
    }

    cnn! {
        pub struct Net_: [1, 4, 4] -> [1, 4, 4] { head: { inner: { conv(1, 1); } } }
    }
}

#[test]
fn names_of_the_user_stand_beside_those_of_the_macro() {
    let dev = Cpu::default();
    let mut net = dev.build_module::<neighbours::Net, f32>();
    let image: Tensor<Rank3<1, 4, 4>, f32, Cpu> = dev.sample_normal();
    let (out, aux) = net.forward_mut(image.clone());
    let (_, _): (&Tensor<Rank1<2>, f32, Cpu>, &Tensor<Rank1<2>, f32, Cpu>) = (&out, &aux);
    let _: Tensor<Rank1<2>, f32, Cpu> = net.forward(image);
    let _: &Tensor<Rank2<4, 4>, f32, Cpu> = &net.K.weight;
    let all = keys::<neighbours::Net>();
    for key in ["head.0.weight", "head.inner.0.weight", "FC1.weight", "s.bias", "K.weight", "aux.weight", "7.bias"] {
        assert!(all.contains(&key), "{key} in {all:?}");
    }
    assert_eq!(keys::<neighbours::NetHead_>().len(), 4);
    assert_eq!(keys::<neighbours::Net_>(), ["head.inner.0.weight", "head.inner.0.bias"]);
}

mod attributes {
    #![allow(dead_code)]
    use convnet::prelude::*;

    cnn! {
        /// What every network is, asked for.
        #[derive(Debug, Clone)]
        pub struct Derived: [2] -> [3] { a: { linear(4); } linear(3); }

        /// Kept for those who have weights of it.
        #[deprecated(note = "use `Derived`")]
        pub struct Old: [2] -> [3] { a: { linear(4); } linear(3); }

        /// Named as other frameworks name theirs.
        #[allow(non_camel_case_types, non_snake_case)]
        pub struct tiny_net: [2] -> [3] { Body: { Fc: linear(4); } linear(3); }

        #[cfg(any())]
        #[derive(Debug)]
        #[export(never)]
        pub struct Chosen: [9] -> [9] { relu; }

        /// One of two, by a condition.
        #[cfg(all())]
        pub struct Chosen: [2] -> [3] { a: { linear(4); } linear(3); }
    }
}

#[test]
#[allow(deprecated)]
fn attributes_reach_everything_that_is_generated() {
    let dev = Cpu::default();
    let derived = dev.build_module::<attributes::Derived, f32>();
    assert!(format!("{:?}", derived.clone()).starts_with("Derived"));
    let image: Tensor<Rank1<2>, f32, Cpu> = dev.sample_normal();
    let _: Tensor<Rank1<3>, f32, Cpu> = dev.build_module::<attributes::Old, f32>().forward(image.clone());
    let _: Tensor<Rank1<3>, f32, Cpu> = dev.build_module::<attributes::Chosen, f32>().forward(image);
    assert_eq!(keys::<attributes::tiny_net>()[0], "Body.Fc.weight");
}

cnn! {
    /// Keys of other people's files: Rust keywords, and what is no identifier at all.
    #[allow(bias_before_norm)]
    pub struct Keys: [2, 4, 4] -> [3] {
        r#final: { r#in: conv(3, kernel = 1); r#type: batch_norm; }
        gen: conv(3, kernel = 1);
        itself as "self": conv(3, kernel = 1);
        odd as "conv-1": residual { r#match: conv(3, kernel = 1); }
        concat { r#box: conv(1, kernel = 1); other as "else": conv(2, kernel = 1); }
        custom r#dyn: convnet::dfdx::nn::modules::ReLU -> [3, 4, 4];
        flatten;
        head r#yield: [2] { r#fn: linear(2); }
        r#loop: linear(3);
    }
}

#[test]
fn keys_that_are_keywords() {
    let dev = Cpu::seed_from_u64(3);
    let mut net = dev.build_module::<Keys, f32>();
    let all: Vec<&str> = keys::<Keys>().into_iter().filter(|key| key.ends_with("weight")).collect();
    let expected = [
        "final.in.weight",
        "final.type.weight",
        "gen.weight",
        "self.weight",
        "conv-1.match.weight",
        "box.weight",
        "else.weight",
        "yield.fn.weight",
        "loop.weight",
    ];
    assert_eq!(all, expected);
    let _: &Tensor<Rank4<3, 2, 1, 1>, f32, Cpu> = &net.r#final.r#in.weight;
    let _: &Tensor<Rank4<3, 3, 1, 1>, f32, Cpu> = &net.r#gen.weight;
    let _: &Tensor<Rank4<3, 3, 1, 1>, f32, Cpu> = &net.itself.weight;
    let _: &Tensor<Rank4<3, 3, 1, 1>, f32, Cpu> = &net.odd.r#match.weight;
    // Taps, heads and files follow.
    let x: Tensor<Rank4<2, 2, 4, 4>, f32, Cpu> = dev.sample_normal();
    let taps = Keys::taps();
    assert_eq!(
        (taps.r#final.r#type.name(), taps.other.name(), taps.r#yield.r#fn.name()),
        ("final.type", "else", "yield.fn")
    );
    let middle = net.forward_to(taps.r#final, x.clone());
    assert_eq!(net.forward_from(taps.r#final, middle).as_vec(), net.forward(x.clone()).as_vec());
    let (_, aux) = net.forward_mut(x);
    let _: Tensor<Rank2<2, 2>, f32, Cpu> = aux;
    let shapes = named_shapes(&net);
    assert!(shapes.iter().any(|(name, _)| name == "conv-1.match.weight"), "{shapes:?}");
}

/// Everything about a network as fragments of `macro_rules!`.
macro_rules! from_fragments {
    (
        $vis:vis $name:ident $other:ident, $c:expr, $kernel:expr, $pad:expr, $table:expr, $bias:expr, $share:expr, $condition:expr,
        $word:ident, $n:literal, $layer:tt, $module:ty, $out:expr
    ) => {
        cnn! {
            #[doc = "From fragments."]
            $vis struct $name: [$c, 8, $c + 6] -> [$out] {
                conv($c * 2, kernel = $kernel, pad = $pad);
                conv(2, kernel = 1, connections = $table, bias = $bias);
                if $condition { $word; } else { tanh; }
                repeat $n { #[allow(stacked_activations)] $layer: $word; }
                dropout($share);
                flatten; linear($out);
                assert params < $n + 10_000;
            }

            #[doc = "With a module from outside."]
            $vis struct $other: [$c] -> [$out] { custom inner: $module -> [$c]; linear($out); }
        }
    };
}

from_fragments!(
    pub(crate) Fragments Customised, 1 + 1, (3, 5), (1, 1, 2, 2), [[0, 1], [2, 3]], false, 0.25, channels == 2 && height > 3, relu, 1,
    named, convnet::dfdx::nn::modules::ReLU, 5
);

#[test]
fn fragments_of_macros_are_opened() {
    let graph = Fragments::graph();
    let labels: Vec<String> = graph.nodes.iter().map(|node| format!("{} {}", node.name, node.shape)).collect();
    // `$c * 2` with `1 + 1` is 4, not 3.
    assert_eq!(labels[..4], ["input [2, 8, 8]", "0 [4, 8, 8]", "1 [2, 8, 8]", "2 [2, 8, 8]"]);
    assert_eq!(keys::<Fragments>(), ["0.weight", "0.bias", "1.weight", "6.weight", "6.bias"]);
    assert_eq!(keys::<Customised>(), ["1.weight", "1.bias"]);
}

/// How a macro of `#[export]` is reached within its own crate. By a path, as `crate::small!`, rustc refuses it (its lint
/// `macro_expanded_macro_exports_accessed_by_absolute_paths`); these are the ways that work.
#[macro_use]
mod exporting {
    use convnet::prelude::*;

    cnn! {
        block unit(out) { conv(out, kernel = 3, pad = 1); relu; }

        /// Declared once, used at other sizes.
        #[export(small)]
        pub struct Small<const CLASSES: usize = 10>: [1, 8, 8] -> [CLASSES] { unit(4); flatten; fc: linear(CLASSES); }
    }

    // After the call, and in modules after it.
    small! { pub struct After: [3, 6, 6] -> [7] }

    pub mod inner {
        small! {
            /// In a module inside.
            pub struct Inside: [3, 6, 6] -> [7]
        }
    }

    // Handed on under a name of its own.
    pub(crate) use small as small_by_path;
}

// After a module with `#[macro_use]`.
small! { struct Outside: [3, 6, 6] -> [7] }

mod elsewhere {
    crate::exporting::small_by_path! { pub(crate) struct ByPath: [3, 6, 6] -> [7] }
}

#[test]
fn exported_macros_within_their_crate() {
    let expected = keys::<exporting::Small>();
    assert_eq!(keys::<exporting::After>(), expected);
    assert_eq!(keys::<exporting::inner::Inside>(), expected);
    assert_eq!(keys::<Outside>(), expected);
    assert_eq!(keys::<elsewhere::ByPath>(), expected);
    assert_eq!(Outside::PARAMS, 4 * 3 * 9 + 4 + 4 * 36 * 7 + 7);
}

#[test]
fn networks_live_in_functions_too() {
    cnn! {
        struct Local: [2] -> [2] { a: { linear(3); } linear(2); }
        struct Outer: [2] -> [2] { custom inner: Local<E, D> -> [2]; }
    }
    assert_eq!(keys::<Outer>().len(), 0);
    assert_eq!(keys::<Local>().len(), 4);
}
