//! Graph to Rust: the struct, its modules, the graph as data, and thin impls of dfdx's traits.
//!
//! All paths are absolute, so nothing the user calls `Result` or `Vec` gets in the way. What is emitted is data and one
//! call: no code is generated for a layer.

use crate::ast::{Network, Symbol};
use crate::check::show;
use crate::cost::{Count, Dim};
use crate::graph::{Graph, Member, MemberKind, Node, Shape};
use crate::layers::capital;
use crate::report::grouped;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Everything that a network stands for.
pub fn network(network: &Network, graph: &Graph) -> TokenStream {
    let known = RefCell::new(BTreeMap::new());
    let emitter = Emitter { network, graph, symbols: symbols(network), known };
    let mut modules = Vec::new();
    let root = emitter.root(&mut modules);
    let (build, facts, data) = (emitter.build(), emitter.facts(), emitter.data());
    let (forward, words) = (emitter.forward(), emitter.words());
    quote! { #root #(#modules)* #build #facts #data #forward #words }
}

/// The const generics as expressions.
pub fn symbols(network: &Network) -> Vec<TokenStream> {
    network.symbols.iter().map(|Symbol { name, .. }| quote!(#name)).collect()
}

struct Emitter<'a> {
    network: &'a Network,
    graph: &'a Graph,
    symbols: Vec<TokenStream>,
    /// The structs of sequences that have been emitted, by their fields: equal ones share a struct, so that thirty blocks
    /// cost the compiler no more than one.
    known: RefCell<BTreeMap<String, Ident>>,
}

/// A field of an emitted struct.
struct Field {
    /// How it is accessed: a name or an index.
    access: TokenStream,
    /// A variable of that name.
    variable: Ident,
    /// Its declaration.
    declaration: TokenStream,
    /// Its key, if it holds parameters.
    key: Option<String>,
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
        count.tokens(&kind, &self.symbols)
    }

    /// `const A: usize, const B: usize,`
    fn const_params(&self) -> TokenStream {
        let names = &self.symbols;
        quote!(#(const #names: usize,)*)
    }

    // --- modules ------------------------------------------------------------------------------------------------------

    /// The struct of the network with its `TensorCollection`; those of the sequences in it are appended to `more`.
    fn root(&self, more: &mut Vec<TokenStream>) -> TokenStream {
        let name = &self.network.name;
        let fields = self.fields(name, &self.graph.root, false, more);
        let (definition, collection) =
            (self.definition(name, &fields, true, false), self.collection(name, &fields, true, false));
        quote!(#definition #collection)
    }

    /// The name of the struct of a sequence, emitted now or before.
    fn sequence(&self, name: Ident, members: &[Member], more: &mut Vec<TokenStream>) -> Ident {
        let tuple = members.iter().all(|member| member.name.is_none());
        let mut inner = Vec::new();
        let fields = self.fields(&name, members, tuple, &mut inner);
        // What a struct is, short of its name: equal fields, documented alike.
        let signature: String = fields.iter().map(|field| format!("{:?} {} ", field.key, field.declaration)).collect();
        let before = self.known.borrow().get(&signature).cloned();
        before.unwrap_or_else(|| {
            self.known.borrow_mut().insert(signature, name.clone());
            more.append(&mut inner);
            more.push(self.definition(&name, &fields, false, tuple));
            more.push(self.collection(&name, &fields, false, tuple));
            name
        })
    }

    fn fields(&self, owner: &Ident, members: &[Member], tuple: bool, more: &mut Vec<TokenStream>) -> Vec<Field> {
        let members = members.iter().enumerate();
        members.filter_map(|(index, member)| self.field(owner, index, member, tuple, more)).collect()
    }

    fn field(
        &self,
        owner: &Ident,
        index: usize,
        member: &Member,
        tuple: bool,
        more: &mut Vec<TokenStream>,
    ) -> Option<Field> {
        let variable = match &member.name {
            Some(name) => name.clone(),
            None => format_ident!("_{}", index, span = Span::call_site()),
        };
        let (kind, doc) = match &member.kind {
            MemberKind::Layer(node) => {
                let node = self.graph.nodes.get(*node)?;
                let module = match &node.module {
                    Some(module) => {
                        let (layer, sizes) =
                            (format_ident!("{}", module.name), module.sizes.iter().map(|dim| self.dim(*dim)));
                        Some(quote!(::convnet::layers::#layer<#(#sizes,)* E, D>))
                    }
                    None => None,
                };
                (module, self.describe(node))
            }
            MemberKind::Sequence(members) if self.has_params(members) => {
                let camel: String = member.key.split('_').map(capital).collect();
                let name = format_ident!("{owner}{camel}", span = owner.span());
                let name = self.sequence(name, members, more);
                let symbols = &self.symbols;
                (Some(quote!(#name<#(#symbols,)* E, D>)), format!("the sequence `{}`", member.key))
            }
            MemberKind::Sequence(_) => (None, String::new()),
        };
        if kind.is_none() && !tuple {
            return None;
        }
        let key = kind.is_some().then(|| member.key.clone());
        let kind = kind.unwrap_or(quote!(::convnet::layers::NoParams));
        let (access, declaration) = if tuple {
            let index = literal(index);
            (quote!(#index), quote!(#[doc = #doc] pub #kind))
        } else {
            (quote!(#variable), quote!(#[doc = #doc] pub #variable: #kind))
        };
        Some(Field { access, variable, declaration, key })
    }

    fn has_params(&self, members: &[Member]) -> bool {
        members.iter().any(|member| match &member.kind {
            MemberKind::Layer(node) => self.graph.nodes.get(*node).is_some_and(|node| node.module.is_some()),
            MemberKind::Sequence(members) => self.has_params(members),
        })
    }

    fn definition(&self, name: &Ident, fields: &[Field], root: bool, tuple: bool) -> TokenStream {
        let (vis, attrs) = (&self.network.vis, &self.network.attrs);
        let declarations = fields.iter().map(|field| &field.declaration);
        let generics = self.network.symbols.iter().map(|Symbol { name, default }| match default {
            Some(default) => {
                let default = Literal::u64_unsuffixed(*default);
                quote!(const #name: usize = #default)
            }
            None => quote!(const #name: usize),
        });
        let generics = quote!(
            <#(#generics,)* E: ::convnet::dfdx::shapes::Dtype = f32,
             D: ::convnet::dfdx::tensor::Storage<E> = ::convnet::dfdx::tensor::Cpu>
        );
        let derive = quote!(#[derive(::core::clone::Clone, ::core::fmt::Debug)] #[allow(dead_code, clippy::all)]);
        if tuple {
            let doc = format!("Parameters of a sequence of [`{}`].", self.network.name);
            return quote!(#[doc = #doc] #derive #vis struct #name #generics (#(#declarations),*););
        }
        if !root {
            let doc = format!("Parameters of a sequence of [`{}`].", self.network.name);
            return quote!(#[doc = #doc] #derive #vis struct #name #generics { #(#declarations),* });
        }
        let table = self.table();
        quote! {
            #(#attrs)* #(#[doc = #table])* #derive #vis struct #name #generics {
                #(#declarations,)*
                #[doc(hidden)] pub __state: ::convnet::net::State,
                #[doc(hidden)] pub __types: ::core::marker::PhantomData<(E, D)>,
            }
        }
    }

    fn collection(&self, name: &Ident, fields: &[Field], root: bool, tuple: bool) -> TokenStream {
        let (params, symbols) = (self.const_params(), &self.symbols);
        let visited: Vec<&Field> = fields.iter().filter(|field| field.key.is_some()).collect();
        let visits = visited.iter().map(|field| {
            let (access, key) = (&field.access, &field.key);
            quote!(<Self as ::convnet::dfdx::nn::TensorCollection<E, D>>::module(#key, |s| &s.#access, |s| &mut s.#access))
        });
        let visits = nested(visits.collect());
        let variables = nested(
            visited
                .iter()
                .map(|field| {
                    let variable = &field.variable;
                    quote!(#variable)
                })
                .collect(),
        );
        let built = if tuple {
            let values = fields.iter().map(|field| match (&field.key, &field.variable) {
                (Some(_), variable) => quote!(#variable),
                (None, _) => quote!(::convnet::layers::NoParams),
            });
            quote!(#name(#(#values),*))
        } else {
            let variables = fields.iter().map(|field| &field.variable);
            let state = root.then(|| {
                quote! {
                    __state: ::core::default::Default::default(), __types: ::core::marker::PhantomData,
                }
            });
            quote!(#name { #(#variables,)* #state })
        };
        quote! {
            #[automatically_derived]
            #[allow(clippy::all, unused_parens)]
            impl<#params E: ::convnet::net::Real, D: ::convnet::dfdx::tensor_ops::Device<E>>
                ::convnet::dfdx::nn::TensorCollection<E, D> for #name<#(#symbols,)* E, D>
            {
                type To<E2: ::convnet::dfdx::shapes::Dtype, D2: ::convnet::dfdx::tensor_ops::Device<E2>> =
                    #name<#(#symbols,)* E2, D2>;

                fn iter_tensors<V: ::convnet::dfdx::nn::ModuleVisitor<Self, E, D>>(
                    visitor: &mut V,
                ) -> ::core::result::Result<::core::option::Option<Self::To<V::E2, V::D2>>, V::Err> {
                    visitor.visit_fields(#visits, |#variables| #built)
                }
            }
        }
    }

    // --- the network --------------------------------------------------------------------------------------------------

    fn build(&self) -> TokenStream {
        let (name, params, symbols) = (&self.network.name, self.const_params(), &self.symbols);
        quote! {
            #[automatically_derived]
            impl<#params E0: ::convnet::dfdx::shapes::Dtype, D0: ::convnet::dfdx::tensor::Storage<E0>,
                 E: ::convnet::net::Real, D: ::convnet::dfdx::tensor_ops::Device<E>>
                ::convnet::dfdx::nn::BuildOnDevice<D, E> for #name<#(#symbols,)* E0, D0>
            {
                type Built = #name<#(#symbols,)* E, D>;
            }
        }
    }

    /// In an impl for one dtype and device only, so that `Net::PARAMS` names it without saying which.
    fn facts(&self) -> TokenStream {
        let (name, params, symbols) = (&self.network.name, self.const_params(), &self.symbols);
        let graph = quote!(<Self as ::convnet::net::Network<f32, ::convnet::dfdx::tensor::Cpu>>::GRAPH);
        quote! {
            #[automatically_derived]
            impl<#params> #name<#(#symbols,)* f32, ::convnet::dfdx::tensor::Cpu> {
                /// Number of trainable scalars.
                pub const PARAMS: usize = #graph.param_count();
                /// Multiply-accumulate operations for one image.
                pub const MACS: u64 = #graph.mac_count();
                /// Height and width of the receptive field of the last feature map.
                pub const RECEPTIVE_FIELD: [usize; 2] = #graph.receptive_field();

                /// The layers with their shapes and costs.
                pub fn graph() -> &'static ::convnet::graph::Graph {
                    #graph
                }

                /// A table of the layers, to print.
                pub fn summary() -> ::convnet::graph::Summary<'static> {
                    #graph.summary()
                }
            }
        }
    }

    /// The graph, as a constant.
    fn data(&self) -> TokenStream {
        let (name, params, symbols) = (&self.network.name, self.const_params(), &self.symbols);
        let text = name.to_string();
        let mut first_param = 0;
        let mut all_params = Vec::new();
        let nodes = self.graph.nodes.iter().map(|node| {
            let first = literal(first_param);
            first_param += node.params.len();
            for param in &node.params {
                let (key, shape) =
                    (format!("{}.{}", node.name, param.name), param.shape.iter().map(|dim| self.dim(*dim)));
                let trainable = param.trainable;
                all_params
                    .push(quote!(::convnet::graph::Param { name: #key, shape: &[#(#shape),*], trainable: #trainable }));
            }
            self.node(node, &first)
        });
        let nodes: Vec<TokenStream> = nodes.collect();
        let output = literal(self.graph.nodes.len().saturating_sub(1));
        quote! {
            #[automatically_derived]
            #[allow(clippy::all)]
            impl<#params E: ::convnet::net::Real, D: ::convnet::dfdx::tensor_ops::Device<E>>
                ::convnet::net::Network<E, D> for #name<#(#symbols,)* E, D>
            {
                const GRAPH: &'static ::convnet::graph::Graph = &::convnet::graph::Graph {
                    name: #text, nodes: &[#(#nodes),*], params: &[#(#all_params),*], output: #output,
                };

                fn state(&self) -> &::convnet::net::State {
                    &self.__state
                }
            }
        }
    }

    fn node(&self, node: &Node, first_param: &Literal) -> TokenStream {
        let (name, op, inputs) = (&node.name, &node.op, node.inputs.iter().map(|input| literal(*input)));
        let shape = match node.shape {
            Shape::Vector(n) => {
                let n = self.dim(n);
                quote!(Vector(#n))
            }
            other => {
                let dims = other.chw().map(|dim| self.dim(dim));
                quote!(Map([#(#dims),*]))
            }
        };
        let (params, macs) = (self.count(&node.param_count(), quote!(usize)), self.count(&node.macs, quote!(u64)));
        let field = node.receptive_field.iter().map(|field| self.count(field, quote!(usize)));
        let jump = node.jump.iter().map(|jump| Literal::u64_unsuffixed(*jump));
        quote!(::convnet::graph::Node {
            name: #name, op: ::convnet::graph::Op::#op, inputs: &[#(#inputs),*], shape: ::convnet::graph::Shape::#shape,
            first_param: #first_param, params: #params, macs: #macs, receptive_field: [#(#field),*], jump: [#(#jump),*],
        })
    }

    /// `Module` and `ModuleMut`, for a batch and for a single image.
    fn forward(&self) -> TokenStream {
        let (name, params, symbols) = (&self.network.name, self.const_params(), &self.symbols);
        let input_shape = self.graph.nodes.first().map_or(Shape::Unknown, |node| node.shape);
        let dims = |shape: Shape| -> Vec<TokenStream> {
            let dims = match shape {
                Shape::Vector(n) => vec![n],
                other => other.chw().to_vec(),
            };
            dims.into_iter()
                .map(|dim| {
                    let dim = self.dim(dim);
                    quote!(::convnet::dfdx::shapes::Const<#dim>)
                })
                .collect()
        };
        let (input, output) = (dims(input_shape), dims(self.graph.output));
        let consts: Vec<TokenStream> = output.iter().map(|_| quote!(::convnet::dfdx::shapes::Const)).collect();
        let tensor = |shape: TokenStream| quote!(::convnet::dfdx::tensor::Tensor<#shape, E, D, T>);
        let one = (tensor(quote!((#(#input,)*))), tensor(quote!((#(#output,)*))));
        let many = (tensor(quote!((B, #(#input,)*))), tensor(quote!((B, #(#output,)*))));
        let batched = quote!(B: ::convnet::dfdx::shapes::Dim,);
        let single = quote!(let (batch, shape) = (1, (#(#consts,)*)););
        let several = quote! {
            let size = ::convnet::dfdx::shapes::HasShape::shape(&x).0;
            let (batch, shape) = (::convnet::dfdx::shapes::Dim::size(&size), (size, #(#consts,)*));
        };
        let impls = [(one, quote!(), single), (many, batched, several)].map(|((input, output), batch, sizes)| {
            let generics = quote! {
                <#params #batch E: ::convnet::net::Real, D: ::convnet::backend::Backend<E>, T: ::convnet::net::NetTape<E, D>>
            };
            quote! {
                #[automatically_derived]
                #[allow(clippy::all)]
                impl #generics ::convnet::dfdx::nn::Module<#input> for #name<#(#symbols,)* E, D> {
                    type Output = #output;
                    type Error = D::Err;

                    fn try_forward(&self, x: #input) -> ::core::result::Result<Self::Output, D::Err> {
                        #sizes
                        ::convnet::net::forward(self, x, batch, shape)
                    }
                }

                #[automatically_derived]
                #[allow(clippy::all)]
                impl #generics ::convnet::dfdx::nn::ModuleMut<#input> for #name<#(#symbols,)* E, D> {
                    type Output = #output;
                    type Error = D::Err;

                    fn try_forward_mut(&mut self, x: #input) -> ::core::result::Result<Self::Output, D::Err> {
                        #sizes
                        ::convnet::net::forward_mut(self, x, batch, shape)
                    }
                }
            }
        });
        quote!(#(#impls)*)
    }

    /// Each layer word as a path to its documentation, for editors to follow.
    fn words(&self) -> TokenStream {
        let words = self.graph.nodes.iter().filter_map(|node| node.word.as_ref());
        quote!(#[allow(clippy::all)] const _: () = { #(let _ = ::convnet::words::#words;)* };)
    }

    // --- documentation ------------------------------------------------------------------------------------------------

    /// `conv 5x5: [6, 14, 14] -> [16, 10, 10], 2,416 parameters, 240,000 MACs`
    fn describe(&self, node: &Node) -> String {
        let from = node.inputs.first().and_then(|input| self.graph.nodes.get(*input));
        let from = from.map_or(String::new(), |from| show(from.shape, self.network));
        let mut text = format!("`{}`: `{from}` -> `{}`", node.label, show(node.shape, self.network));
        for (count, what) in [(node.param_count(), "parameters"), (node.macs.clone(), "MACs")] {
            match count.evaluate(|_| None) {
                Some(0) => {}
                Some(n) => text += &format!(", {} {what}", grouped(n)),
                None => {
                    text +=
                        &format!(", {} {what}", self.count(&count, quote!(usize)).to_string().replace(" as usize", ""))
                }
            }
        }
        text
    }

    /// The architecture as a Markdown table, a line an element.
    fn table(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            ["", "| layer | kind | output | parameters | MACs |", "|---|---|---|---:|---:|"].map(String::from).into();
        let number = |count: &Count| match count.evaluate(|_| None) {
            Some(0) => String::new(),
            Some(n) => grouped(n),
            None => "depends".into(),
        };
        lines.extend(self.graph.nodes.iter().map(|node| {
            let (params, macs) = (number(&node.param_count()), number(&node.macs));
            format!("| `{}` | {} | `{}` | {params} | {macs} |", node.name, node.label, show(node.shape, self.network))
        }));
        lines
    }
}

/// A tuple of any length from tuples of at most six, which is as far as dfdx's impls go.
fn nested(mut items: Vec<TokenStream>) -> TokenStream {
    while items.len() > 6 {
        items = items.chunks(6).map(|chunk| quote!((#(#chunk,)*))).collect();
    }
    quote!((#(#items,)*))
}
