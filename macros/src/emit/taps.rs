//! The taps of a network: a tree of structs like that of its modules, whose leaves say which node, of which shape, is
//! meant. They hold no tensors; a tree is a constant.

use super::modules::{inner_name, is_tuple, prefix, unnamed};
use super::{Emitter, literal, unlinked};
use crate::attributes;
use convnet_language::ast::Network;
use convnet_language::graph::{Member, MemberKind, show, trunk};
use proc_macro2::{Ident, TokenStream};
use quote::quote;

/// The name of the struct of a network's taps.
pub fn name(network: &Network) -> String {
    format!("{}Taps", prefix(network))
}

/// The type and the value of a tree.
pub struct Taps {
    pub kind: TokenStream,
    pub value: TokenStream,
}

impl Emitter<'_> {
    /// The taps of the network; their structs are appended to `more`.
    pub fn taps(&self, more: &mut Vec<TokenStream>) -> Taps {
        let name = name(self.network);
        let trunk = trunk(&self.graph.nodes, self.graph.output_node);
        self.level(name, &self.graph.root, self.graph.output_node, "", &trunk, more)
    }

    /// The taps of one level of the module tree, which ends at node `end`.
    fn level(
        &self,
        name: String,
        members: &[Member],
        end: usize,
        path: &str,
        trunk: &[bool],
        more: &mut Vec<TokenStream>,
    ) -> Taps {
        let tuple = is_tuple(members) && !path.is_empty();
        let symbols = &self.symbols;
        let (mut declarations, mut values) = (Vec::new(), Vec::new());
        for (index, member) in members.iter().enumerate() {
            let path = if path.is_empty() { member.key.clone() } else { format!("{path}.{}", member.key) };
            let (taps, doc) = match &member.kind {
                MemberKind::Layer(node) | MemberKind::Custom(node, _) => {
                    let shape =
                        self.graph.nodes.get(*node).map_or(String::new(), |node| show(node.shape, self.network));
                    (self.tap(*node, &path, trunk), format!("`{shape}`"))
                }
                MemberKind::Sequence(members, end) => {
                    let name = inner_name(&name, member);
                    (self.level(name, members, *end, &path, trunk, more), format!("the sequence `{}`", member.key))
                }
            };
            let Taps { kind, value } = taps;
            if tuple {
                declarations.push(quote!(#[doc = #doc] pub #kind));
                values.push(value);
            } else {
                let field = member.name.clone().unwrap_or_else(|| unnamed(index));
                declarations.push(quote!(#[doc = #doc] pub #field: #kind));
                let repeated = unlinked(&field);
                values.push(quote!(#repeated: #value));
            }
        }
        let Taps { kind, value } = self.tap(end, path, trunk);
        let name = self.tree(&name, tuple, path.is_empty(), &kind, &declarations, more);
        let value =
            if tuple { quote!(#name(#(#values,)* #value)) } else { quote!(#name { #(#values,)* __end: #value }) };
        Taps { kind: quote!(#name<#(#symbols),*>), value }
    }

    /// The struct of a level, of which levels with the same members share one.
    fn tree(
        &self,
        name: &str,
        tuple: bool,
        is_root: bool,
        kind: &TokenStream,
        declarations: &[TokenStream],
        more: &mut Vec<TokenStream>,
    ) -> Ident {
        let (vis, symbols) = (&self.network.vis, &self.symbols);
        let signature = format!("taps {tuple} {kind} {}", quote!(#(#declarations)*));
        let before = self.known.borrow().get(&signature).cloned();
        before.unwrap_or_else(|| {
            let name = match is_root {
                true => Ident::new(name, self.network.name.span()),
                false => self.fresh(name),
            };
            self.known.borrow_mut().insert(signature, name.clone());
            let (params, allowed) = (self.const_params(), attributes::allowed(self.network));
            let doc = match is_root {
                true => format!("Taps of [`{}`], under the names of its layers.", self.network.name),
                false => format!("Taps of a sequence of [`{}`].", self.network.name),
            };
            let (body, end) = match tuple {
                true => {
                    let last = literal(declarations.len());
                    (quote!((#(#declarations,)* #[doc(hidden)] pub #kind);), quote!(self.#last))
                }
                false => (quote!({ #(#declarations,)* #[doc(hidden)] pub __end: #kind }), quote!(self.__end)),
            };
            more.push(quote! {
                #[doc = #doc]
                #[derive(::core::marker::Copy)]
                #[allow(dead_code, non_camel_case_types, non_snake_case)]
                #allowed
                #vis struct #name<#params> #body
            });
            // Not derived: what derives write names the long types of all fields once more, which compilers then check.
            let implement = |what: TokenStream, body: TokenStream| {
                quote!(#[automatically_derived] impl<#params> #what for #name<#(#symbols),*> { #body })
            };
            more.push(implement(quote!(::core::clone::Clone), quote!(fn clone(&self) -> Self { *self })));
            more.push(implement(
                quote!(::core::fmt::Debug),
                quote! {
                    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                        ::core::fmt::Debug::fmt(&#end, f)
                    }
                },
            ));
            more.push(implement(
                quote!(::__convnet::net::At),
                quote! {
                    type Net = <#kind as ::__convnet::net::At>::Net;
                    type Features = <#kind as ::__convnet::net::At>::Features;
                    type Place = <#kind as ::__convnet::net::At>::Place;

                    fn tap(&self) -> #kind {
                        #end
                    }
                },
            ));
            name
        })
    }

    fn tap(&self, node: usize, path: &str, trunk: &[bool]) -> Taps {
        let (name, symbols) = (&self.network.name, &self.symbols);
        let shape = self.graph.nodes.get(node).map_or(convnet_language::graph::Shape::Unknown, |node| node.shape);
        let features = self.features(shape);
        let place = if trunk.get(node) == Some(&true) { quote!(Trunk) } else { quote!(Branch) };
        let plain = quote!(#name<#(#symbols,)* f32, ::__convnet::dfdx::tensor::Cpu>);
        let node = literal(node);
        Taps {
            kind: quote!(::__convnet::net::Tap<#plain, #features, ::__convnet::net::#place>),
            value: quote!(::__convnet::net::Tap::__new(#node, #path)),
        }
    }
}
