//! The graph of a network as a constant: borrowed lists all the way down.

use super::{Emitter, literal, op, taps};
use convnet_language::graph::{Head, Init, Node, OUTPUT, Param, Shape, leads_to, peak};
use proc_macro2::{Literal, TokenStream};
use quote::quote;

/// A list that a constant borrows.
fn list(items: impl IntoIterator<Item = TokenStream>) -> TokenStream {
    let items = items.into_iter();
    quote!(::__convnet::__private::Cow::Borrowed(&[#(#items),*]))
}

fn text(text: &str) -> TokenStream {
    quote!(::__convnet::__private::Cow::Borrowed(#text))
}

impl Emitter<'_> {
    /// `Network`, with the graph.
    pub fn data(&self, taps: &taps::Taps) -> TokenStream {
        let (name, params, symbols) = (&self.network.name, self.const_params(), &self.symbols);
        let (input_type, output_type) = (self.features(self.input()), self.features(self.graph.output));
        let (taps, graph) = (&taps.kind, self.constant());
        let source = match self.source {
            Some(source) => quote!(::core::option::Option::Some(#source)),
            None => quote!(::core::option::Option::None),
        };
        let list = &self.notes;
        let notes = (!list.is_empty()).then(|| quote!(const NOTES: &'static [&'static str] = &[#(#list),*];));
        quote! {
            #[automatically_derived]
            impl<#params E: ::__convnet::net::Real, D: ::__convnet::backend::Backend<E>>
                ::__convnet::net::Network<E, D> for #name<#(#symbols,)* E, D>
            {
                type Plain = #name<#(#symbols,)* f32, ::__convnet::dfdx::tensor::Cpu>;
                type Input = #input_type;
                type Output = #output_type;
                type Taps = #taps;

                const GRAPH: &'static ::__convnet::graph::Graph = &#graph;

                const SOURCE: ::core::option::Option<&'static str> = #source;

                #notes
            }
        }
    }

    /// `AnyNetwork`: the network whatever its type.
    pub fn erased(&self) -> TokenStream {
        let (name, params, symbols, custom) = (&self.network.name, self.const_params(), &self.symbols, self.custom());
        let hidden = self.hidden();
        let absent = (!hidden.is_empty()).then(|| {
            quote!(
                #[cfg(rust_analyzer)]
                loop {}
            )
        });
        quote! {
            #[automatically_derived]
            impl<#params E: ::__convnet::net::Real, D: ::__convnet::backend::Backend<E>>
                ::__convnet::net::AnyNetwork<E, D> for #name<#(#symbols,)* E, D>
            {
                fn graph(&self) -> &::__convnet::graph::Graph {
                    <Self as ::__convnet::net::Network<E, D>>::GRAPH
                }

                #[allow(unexpected_cfgs)]
                fn state(&self) -> &::__convnet::__private::State {
                    #hidden
                    return &self.__state;
                    #absent
                }

                fn tensors(&self, __f: &mut ::__convnet::__private::Reader<'_, E, D>) {
                    ::__convnet::__private::Walk::over(<Self as ::__convnet::net::Network<E, D>>::GRAPH, self, __f);
                }

                fn tensors_mut(&mut self, __f: &mut ::__convnet::__private::Writer<'_, E, D>) {
                    ::__convnet::__private::WalkMut::over(<Self as ::__convnet::net::Network<E, D>>::GRAPH, self, __f);
                }

                #custom
            }
        }
    }

    fn constant(&self) -> TokenStream {
        let graph = self.graph;
        let name = text(&self.network.name.to_string());
        let main = leads_to(&graph.nodes, &graph.ends());
        let mut first_param = 0;
        let nodes = graph.nodes.iter().zip(main).map(|(node, main)| {
            let tokens = self.node(node, first_param, !main);
            first_param += node.params.len();
            tokens
        });
        let nodes = list(nodes.collect::<Vec<_>>());
        let params = graph.nodes.iter().flat_map(|node| node.params.iter().map(|param| self.param(node, param)));
        let params = list(params);
        let row = |row: &Vec<usize>| list(row.iter().map(|channel| op::number(*channel)));
        let connections = list(graph.connections.iter().map(|table| list(table.iter().map(row))));
        let output = |name: &str, node: usize| {
            let (name, node) = (text(name), literal(node));
            quote!(::__convnet::graph::Output { name: #name, node: #node })
        };
        let named = |beside: &[Head]| beside.iter().map(|head| output(&head.path, head.node)).collect::<Vec<_>>();
        let outputs = list([vec![output(OUTPUT, graph.output_node)], named(&graph.outputs)].concat());
        let heads = list(named(&graph.heads));
        let peak = peak(&graph.nodes, &graph.ends());
        let peak = peak.iter().map(|count| self.count(count, quote!(usize)));
        quote!(::__convnet::graph::Graph {
            name: #name, nodes: #nodes, params: #params, connections: #connections, outputs: #outputs, heads: #heads,
            peak_activations: ::__convnet::__private::largest(&[#(#peak),*]),
        })
    }

    fn node(&self, node: &Node, first_param: usize, auxiliary: bool) -> TokenStream {
        let (name, op) = (text(&node.name), op::op(&node.op));
        let inputs = list(node.inputs.iter().map(|input| op::number(*input)));
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
        let (first_param, n_params) = (literal(first_param), literal(node.params.len()));
        let (params, macs) = (self.count(&node.param_count(), quote!(usize)), self.count(&node.macs, quote!(u64)));
        let field = node.receptive_field.iter().map(|field| self.count(field, quote!(usize)));
        let jump = node.jump.iter().map(|jump| Literal::u64_unsuffixed(*jump));
        quote!(::__convnet::graph::Node {
            name: #name, op: #op, inputs: #inputs, shape: ::__convnet::graph::Shape::#shape,
            first_param: #first_param, n_params: #n_params, params: #params, macs: #macs,
            receptive_field: [#(#field),*], jump: [#(#jump),*], auxiliary: #auxiliary,
        })
    }

    fn param(&self, node: &Node, param: &Param) -> TokenStream {
        let key = text(&format!("{}.{}", node.name, param.name));
        let (shape, trainable) = (list(param.shape.iter().map(|dim| self.dim(*dim))), param.trainable);
        let init = match &param.init {
            Init::Zeros => quote!(Zeros),
            Init::Ones => quote!(Ones),
            Init::Constant(value) => quote!(Constant(#value)),
            Init::Uniform { fan_in, closed } => {
                let fan_in = self.count(fan_in, quote!(usize));
                quote!(Uniform { fan_in: #fan_in, closed: #closed })
            }
        };
        quote!(::__convnet::graph::Param {
            name: #key, shape: #shape, trainable: #trainable, init: ::__convnet::graph::Init::#init,
        })
    }
}
