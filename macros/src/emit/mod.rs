//! Graph to Rust: the struct, its modules, the graph as data, and thin impls of dfdx's traits.
//!
//! All paths are absolute, so nothing the user calls `Result` or `Vec` gets in the way. What is emitted is data and one
//! call: no code is generated for a layer.

mod data;
mod docs;
mod forward;
mod modules;
mod numbers;
mod op;
mod taps;
mod warnings;

use convnet_language::ast::{Network, Symbol};
use convnet_language::cost::{Count, Dim};
use convnet_language::graph::{Graph, Member, MemberKind, Node, Shape};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use syn::spanned::Spanned;
pub use warnings::{Warning, warnings};

/// Everything that a network stands for; `is_right` says whether there is no mistake in its call.
pub fn network(
    network: &Network,
    graph: &Graph,
    is_right: bool,
    source: Option<&str>,
    notes: Vec<String>,
) -> TokenStream {
    let names = RefCell::new(BTreeSet::from([taps::name(network)]));
    let known = RefCell::new(BTreeMap::new());
    let emitter = Emitter { network, graph, is_right, source, notes, symbols: symbols(network), known, names };
    let mut items = Vec::new();
    emitter.root(&mut items);
    let taps = emitter.taps(&mut items);
    items.extend([emitter.build(), emitter.facts(&taps), emitter.data(&taps), emitter.erased()]);
    items.extend(emitter.forward());
    let conditions: Vec<_> = network.conditions().collect();
    let conditions = quote!(#(#conditions)*);
    items.iter().map(|item| quote!(#conditions #[allow(deprecated, unused_braces, clippy::all)] #item)).collect()
}

/// The const generics as expressions. In braces, a type of the same name in the user's module is not meant.
pub fn symbols(network: &Network) -> Vec<TokenStream> {
    let names = network.symbols.iter().map(|Symbol { name, .. }| unlinked(name));
    names.map(|name| quote!({ #name })).collect()
}

/// A name of the user's where it is only repeated: an editor that looks for the name finds its declaration alone.
fn unlinked(name: &Ident) -> Ident {
    let mut name = name.clone();
    name.set_span(Span::call_site());
    name
}

struct Emitter<'a> {
    network: &'a Network,
    graph: &'a Graph,
    is_right: bool,
    /// The network as the language prints it.
    source: Option<&'a str>,
    /// What the lints find in it, a line each.
    notes: Vec<String>,
    symbols: Vec<TokenStream>,
    /// The structs of sequences that have been emitted, by their fields: equal ones share a struct, so that thirty blocks
    /// cost the compiler no more than one.
    known: RefCell<BTreeMap<String, Ident>>,
    /// The names of structs that are taken.
    names: RefCell<BTreeSet<String>>,
}

fn literal(n: usize) -> Literal {
    Literal::usize_unsuffixed(n)
}

impl Emitter<'_> {
    fn dim(&self, dim: Dim) -> TokenStream {
        match dim {
            Dim::Known(n) => {
                let n = Literal::u64_unsuffixed(n);
                quote!(#n)
            }
            Dim::Symbol(index) => self.symbols.get(index).cloned().unwrap_or(quote!(1)),
            Dim::Unknown => quote!(1),
        }
    }

    fn count(&self, count: &Count, kind: TokenStream) -> TokenStream {
        numbers::count(count, &kind, &self.symbols)
    }

    /// The type of a tensor's shape for one image: `(Const<C>, Const<H>, Const<W>)`.
    fn features(&self, shape: Shape) -> TokenStream {
        let dims = self.consts(shape);
        quote!((#(#dims,)*))
    }

    /// Each dimension as a type.
    fn consts(&self, shape: Shape) -> Vec<TokenStream> {
        let dims = match shape {
            Shape::Vector(n) => vec![n],
            other => other.chw().to_vec(),
        };
        let dims = dims.into_iter().map(|dim| self.dim(dim));
        dims.map(|dim| quote!(::__convnet::dfdx::shapes::Const<#dim>)).collect()
    }

    fn input(&self) -> Shape {
        self.graph.nodes.first().map_or(Shape::Unknown, |node| node.shape)
    }

    /// `const A: usize, const B: usize,`
    fn const_params(&self) -> TokenStream {
        let names = self.network.symbols.iter().map(|symbol| unlinked(&symbol.name));
        quote!(#(const #names: usize,)*)
    }

    // --- the network --------------------------------------------------------------------------------------------------

    fn build(&self) -> TokenStream {
        let (name, params, symbols) = (&self.network.name, self.const_params(), &self.symbols);
        quote! {
            #[automatically_derived]
            impl<#params __E0: ::__convnet::dfdx::shapes::Dtype, __D0: ::__convnet::dfdx::tensor::Storage<__E0>,
                 E: ::__convnet::net::Real, D: ::__convnet::dfdx::tensor_ops::Device<E>>
                ::__convnet::dfdx::nn::BuildOnDevice<D, E> for #name<#(#symbols,)* __E0, __D0>
            {
                type Built = #name<#(#symbols,)* E, D>;
            }
        }
    }

    /// In an impl for one dtype and device only, so that `Net::PARAMS` names it without saying which.
    fn facts(&self, taps: &taps::Taps) -> TokenStream {
        let (name, params, symbols) = (&self.network.name, self.const_params(), &self.symbols);
        let network = quote!(<Self as ::__convnet::net::Network<f32, ::__convnet::dfdx::tensor::Cpu>>);
        let graph = quote!(#network::GRAPH);
        let (taps_type, taps_value) = (&taps.kind, &taps.value);
        let notes = (!self.notes.is_empty()).then(|| quote!(.notes(#network::NOTES)));
        quote! {
            #[automatically_derived]
            impl<#params> #name<#(#symbols,)* f32, ::__convnet::dfdx::tensor::Cpu> {
                /// Number of trainable scalars, those of auxiliary heads included and those of custom modules not.
                pub const PARAMS: usize = #graph.param_count();
                /// Multiply-accumulate operations for one image in evaluation.
                pub const MACS: u64 = #graph.mac_count();
                /// Height and width of the receptive field of the last feature map.
                pub const RECEPTIVE_FIELD: [usize; 2] = #graph.receptive_field();

                /// Distance in input pixels between neighbouring elements of the last feature map.
                pub const JUMP: [usize; 2] = #graph.jump();

                /// Elements of all activations of one image in evaluation.
                pub const ACTIVATIONS: usize = #graph.activation_count();
                /// Elements of the activations of one image that have to be in memory at once in evaluation.
                pub const PEAK_ACTIVATIONS: usize = #graph.peak_activations;

                /// The network as source, which a running program can read with other sizes; none with `custom` modules, which
                /// are Rust.
                pub const SOURCE: ::core::option::Option<&'static str> = #network::SOURCE;

                /// A tap for each layer, under the layer's name.
                pub const fn taps() -> #taps_type {
                    #taps_value
                }

                /// The layers with their shapes and costs.
                pub fn graph() -> &'static ::__convnet::graph::Graph {
                    #graph
                }

                /// A table of the layers, to print.
                pub fn summary() -> ::__convnet::graph::Summary<'static> {
                    #graph.summary() #notes
                }
            }
        }
    }

    /// The methods that run custom modules, if there are any.
    fn custom(&self) -> TokenStream {
        let mut found = Vec::new();
        custom_modules(&self.graph.root, &quote!(self), true, &mut found);
        if found.is_empty() {
            return TokenStream::new();
        }
        let methods = ["", "_traced", "_mut", "_mut_traced"].map(|mode| self.custom_method(mode, &found));
        quote!(#(#methods)*)
    }

    /// The method that runs custom modules in one mode: in evaluation or (`_mut`) in training, and on a tape (`_traced`) or on none.
    fn custom_method(&self, mode: &str, found: &[(usize, syn::Type, TokenStream)]) -> TokenStream {
        let [method, run] = ["custom", "run"].map(|name| Ident::new(&format!("{name}{mode}"), Span::call_site()));
        let reference = if mode.contains("_mut") { quote!(&mut) } else { quote!(&) };
        let value = if mode.contains("_traced") { quote!(Traced<E, D>) } else { quote!(Map<E, D>) };
        let arms = found.iter().enumerate().filter_map(|(index, (node, module, access))| {
            let node = self.graph.nodes.get(*node)?;
            let from = node.inputs.first().and_then(|input| self.graph.nodes.get(*input))?;
            let shape = self.consts(from.shape).into_iter().map(|_| quote!(::__convnet::dfdx::shapes::Const));
            let [c, h, w] = node.shape.chw().map(|dim| self.dim(dim));
            let index = literal(index);
            // The error for a module of another shape has to be on its type.
            let span = module.span().resolved_at(Span::call_site());
            let custom = self.custom_trait(node);
            let call = quote_spanned!(span=> <#module as #custom>::#run(#reference #access, __x)?);
            Some(quote!(#index => {
                let __x = ::__convnet::__private::reshape(__x, (__batch, #(#shape,)*))?;
                let __y = #call;
                ::__convnet::__private::reshape(__y, (__batch, #c, #h, #w))
            }))
        });
        quote! {
            fn #method(
                #reference self, __index: usize, __x: ::__convnet::__private::#value,
            ) -> ::core::result::Result<::__convnet::__private::#value, D::Err> {
                let __batch = ::__convnet::dfdx::shapes::HasShape::shape(&__x).0;
                match __index {
                    #(#arms)*
                    _ => ::core::result::Result::Ok(__x),
                }
            }
        }
    }

    /// What the module of a `custom` node has to be. All that is asked of it is asked through this one trait, so that a type that is no
    /// such module is told by that trait's name and not by a list of dfdx's traits.
    fn custom_trait(&self, node: &Node) -> TokenStream {
        let from = node.inputs.first().and_then(|input| self.graph.nodes.get(*input));
        let [input, output] =
            [from.map_or(Shape::Unknown, |from| from.shape), node.shape].map(|shape| self.features(shape));
        quote!(::__convnet::net::Custom<#input, #output, E, D>)
    }
}

/// Node, type and access of each custom module, in the order of their nodes. The struct of the root has fields with names
/// whatever its members are.
fn custom_modules(
    members: &[Member],
    owner: &TokenStream,
    root: bool,
    found: &mut Vec<(usize, syn::Type, TokenStream)>,
) {
    let tuple = modules::is_tuple(members) && !root;
    for (index, member) in members.iter().enumerate() {
        let access = match &member.name {
            Some(name) => quote!(#owner.#name),
            None if tuple => {
                let index = literal(index);
                quote!(#owner.#index)
            }
            None => {
                let name = modules::unnamed(index);
                quote!(#owner.#name)
            }
        };
        match &member.kind {
            MemberKind::Custom(node, module) => found.push((*node, module.as_ref().clone(), access)),
            MemberKind::Sequence(members, _) => custom_modules(members, &access, false, found),
            MemberKind::Layer(_) => {}
        }
    }
}
