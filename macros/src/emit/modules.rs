//! The structs of a network and of its sequences, with their `TensorCollection`.

use super::{Emitter, literal, op, unlinked};
use crate::attributes;
use convnet_language::ast::{Network, Symbol};
use convnet_language::graph::{Member, MemberKind};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

/// A field of an emitted struct.
struct Field {
    /// How it is accessed: a name or an index.
    access: TokenStream,
    /// The variable that holds its value while the struct is built.
    variable: Ident,
    /// Its declaration.
    declaration: TokenStream,
    /// Its key, if it holds parameters.
    key: Option<String>,
    /// A module of dfdx, and what it has to be: `Custom<..>`.
    custom: Option<(TokenStream, TokenStream)>,
    /// Where errors about its type belong.
    span: Span,
}

/// Whether a sequence is a tuple struct: if nothing in it has a name.
pub fn is_tuple(members: &[Member]) -> bool {
    members.iter().all(|member| member.name.is_none())
}

/// What stands for the name of a member without one.
pub fn unnamed(index: usize) -> Ident {
    format_ident!("_{}", index, span = Span::call_site())
}

impl Emitter<'_> {
    /// The struct of the network with its `TensorCollection`; those of the sequences in it are appended to `more`.
    pub fn root(&self, more: &mut Vec<TokenStream>) {
        let name = &self.network.name;
        let fields = self.fields(&prefix(self.network), &self.graph.root, false, more);
        more.push(self.definition(name, &fields, true, false));
        more.extend(self.derived(name, &fields));
        more.push(self.collection(name, &fields, true, false));
        more.push(self.walk(name, &fields));
    }

    /// The name of the struct of a sequence, emitted now or before.
    fn sequence(&self, name: String, members: &[Member], more: &mut Vec<TokenStream>) -> Ident {
        let tuple = is_tuple(members);
        let mut inner = Vec::new();
        let fields = self.fields(&name, members, tuple, &mut inner);
        // What a struct is, short of its name: equal fields, documented alike.
        let signature: String = fields.iter().map(|field| format!("{:?} {} ", field.key, field.declaration)).collect();
        let before = self.known.borrow().get(&signature).cloned();
        before.unwrap_or_else(|| {
            let name = self.fresh(&name);
            self.known.borrow_mut().insert(signature, name.clone());
            more.append(&mut inner);
            more.push(self.definition(&name, &fields, false, tuple));
            more.push(self.collection(&name, &fields, false, tuple));
            more.push(self.walk(&name, &fields));
            name
        })
    }

    /// A struct called `name`, or one like it that is not taken.
    pub fn fresh(&self, name: &str) -> Ident {
        let mut free = name.to_string();
        while !self.names.borrow_mut().insert(free.clone()) {
            free.push('_');
        }
        Ident::new(&free, self.network.name.span())
    }

    fn fields(&self, owner: &str, members: &[Member], tuple: bool, more: &mut Vec<TokenStream>) -> Vec<Field> {
        let members = members.iter().enumerate();
        members.filter_map(|(index, member)| self.field(owner, index, member, tuple, more)).collect()
    }

    fn field(
        &self,
        owner: &str,
        index: usize,
        member: &Member,
        tuple: bool,
        more: &mut Vec<TokenStream>,
    ) -> Option<Field> {
        let field = member.name.clone().unwrap_or_else(|| unnamed(index));
        // Patterns: a name of the user's could be a constant of his.
        let variable = format_ident!("__{index}", span = Span::call_site());
        let (kind, doc) = match &member.kind {
            MemberKind::Layer(node) => {
                let node = self.graph.nodes.get(*node)?;
                let module = op::module(node).map(|(layer, sizes)| {
                    let sizes = sizes.into_iter().map(|dim| self.dim(dim));
                    quote!(::__convnet::layers::#layer<#(#sizes,)* E, D>)
                });
                (module, self.describe(node))
            }
            MemberKind::Custom(node, module) => (Some(quote!(#module)), self.describe(self.graph.nodes.get(*node)?)),
            MemberKind::Sequence(members, _) if self.has_params(members) => {
                let name = self.sequence(inner_name(owner, member), members, more);
                let symbols = &self.symbols;
                (Some(quote!(#name<#(#symbols,)* E, D>)), format!("the sequence `{}`", member.key))
            }
            MemberKind::Sequence(..) => (None, String::new()),
        };
        if kind.is_none() && !tuple {
            return None;
        }
        let key = kind.is_some().then(|| member.key.clone());
        let kind = kind.unwrap_or(quote!(::__convnet::__private::NoParams));
        let (access, declaration) = if tuple {
            let index = literal(index);
            (quote!(#index), quote!(#[doc = #doc] pub #kind))
        } else {
            let repeated = unlinked(&field);
            (quote!(#repeated), quote!(#[doc = #doc] pub #field: #kind))
        };
        let span = match &member.kind {
            MemberKind::Custom(_, module) => module.span().resolved_at(Span::call_site()),
            _ => Span::call_site(),
        };
        let custom = match &member.kind {
            MemberKind::Custom(node, module) => {
                Some((quote!(#module), self.custom_trait(self.graph.nodes.get(*node)?)))
            }
            _ => None,
        };
        Some(Field { access, variable, declaration, key, custom, span })
    }

    fn has_params(&self, members: &[Member]) -> bool {
        members.iter().any(|member| match &member.kind {
            MemberKind::Layer(node) => self.graph.nodes.get(*node).is_some_and(|node| !node.params.is_empty()),
            MemberKind::Custom(..) => true,
            MemberKind::Sequence(members, _) => self.has_params(members),
        })
    }

    fn definition(&self, name: &Ident, fields: &[Field], root: bool, tuple: bool) -> TokenStream {
        // Conditions stand before every item.
        let attrs = self.network.attrs.iter().filter(|attribute| !attribute.path().is_ident("cfg"));
        let vis = &self.network.vis;
        let declarations = fields.iter().map(|field| &field.declaration);
        let generics = self.network.symbols.iter().map(|Symbol { name, default }| {
            let name = if root { name.clone() } else { unlinked(name) };
            let default = default.map(Literal::u64_unsuffixed).map(|default| quote!(= #default));
            quote!(const #name: usize #default)
        });
        // What is said about the struct points at its name, and not at the whole call.
        let span = self.network.name.span().resolved_at(Span::call_site());
        let generics = quote_spanned!(span=>
            <#(#generics,)* E: ::__convnet::dfdx::shapes::Dtype = f32,
             D: ::__convnet::dfdx::tensor::Storage<E> = ::__convnet::dfdx::tensor::Cpu>
        );
        let allowed = attributes::allowed(self.network);
        let derive = quote!(#[derive(::core::clone::Clone, ::core::fmt::Debug)] #[allow(dead_code)]);
        let hidden = self.hidden();
        if tuple {
            let doc = format!("Parameters of a sequence of [`{}`].", self.network.name);
            return quote!(#[doc = #doc] #derive #[allow(non_camel_case_types)] #allowed #vis struct #name #generics (#(#declarations),*););
        }
        if !root {
            let doc = format!("Parameters of a sequence of [`{}`].", self.network.name);
            return quote!(#[doc = #doc] #derive #[allow(non_camel_case_types)] #allowed #vis struct #name #generics { #(#declarations),* });
        }
        let table = self.table();
        quote_spanned! {span=>
            #(#attrs)* #(#[doc = #table])* #[allow(dead_code, unexpected_cfgs)] #vis struct #name #generics {
                #(#declarations,)*
                #hidden #[doc(hidden)] pub __state: ::__convnet::__private::State,
                #hidden #[doc(hidden)] pub __types: ::core::marker::PhantomData<(E, D)>,
            }
        }
    }

    /// `Clone` and `Debug` of the network, without what is hidden. Derived, the lint about an unknown `cfg` could not be allowed.
    fn derived(&self, name: &Ident, fields: &[Field]) -> [TokenStream; 2] {
        let (params, symbols, hidden) = (self.const_params(), &self.symbols, self.hidden());
        let names: Vec<&TokenStream> = fields.iter().map(|field| &field.access).collect();
        let texts = names.iter().map(|name| name.to_string().trim_start_matches("r#").to_string());
        let text = self.network.name.unraw().to_string();
        let head = |what: TokenStream| {
            quote! {
                #[automatically_derived]
                #[allow(unexpected_cfgs)]
                impl<#params E: ::__convnet::dfdx::shapes::Dtype, D: ::__convnet::dfdx::tensor::Storage<E>>
                    #what for #name<#(#symbols,)* E, D>
            }
        };
        let (clone, debug) = (head(quote!(::core::clone::Clone)), head(quote!(::core::fmt::Debug)));
        [
            quote! {
                #clone {
                    fn clone(&self) -> Self {
                        #name {
                            #(#names: ::core::clone::Clone::clone(&self.#names),)*
                            #hidden __state: ::core::clone::Clone::clone(&self.__state),
                            #hidden __types: ::core::marker::PhantomData,
                        }
                    }
                }
            },
            quote! {
                #debug {
                    fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                        __f.debug_struct(#text)#(.field(#texts, &self.#names))*.finish()
                    }
                }
            },
        ]
    }

    /// Stands before what is no layer in the struct: it is not there for rust-analyzer, which would list it among the layers. A derive of the
    /// user's, which sees the fields before a lint can be allowed, keeps it.
    pub fn hidden(&self) -> TokenStream {
        let is_derived = self.network.attrs.iter().any(|attribute| attribute.path().is_ident("derive"));
        if is_derived { TokenStream::new() } else { quote!(#[cfg(not(rust_analyzer))]) }
    }

    fn collection(&self, name: &Ident, fields: &[Field], root: bool, tuple: bool) -> TokenStream {
        let (params, symbols) = (self.const_params(), &self.symbols);
        let visited: Vec<&Field> = fields.iter().filter(|field| field.key.is_some()).collect();
        let visits = visited.iter().map(|field| {
            let (access, key, variable) = (&field.access, &field.key, &field.variable);
            let visit = match &field.custom {
                Some((module, _)) => quote_spanned! {field.span=>
                    <#module as ::__convnet::__private::Part<E, D, __V::E2, __V::D2, _>>::visit
                },
                None => quote!(<__V as ::__convnet::dfdx::nn::ModuleVisitor<Self, E, D>>::visit_module),
            };
            quote_spanned! {field.span=>
                let #variable = #visit(__visitor, #key, |__s| &__s.#access, |__s| &mut __s.#access)?;
            }
        });
        let variables: Vec<&Ident> = visited.iter().map(|field| &field.variable).collect();
        let built = if tuple {
            let values = fields.iter().map(|field| match (&field.key, &field.variable) {
                (Some(_), variable) => quote!(#variable),
                (None, _) => quote!(::__convnet::__private::NoParams),
            });
            quote!(#name(#(#values),*))
        } else {
            let values = fields.iter().map(|Field { access, variable, .. }| quote!(#access: #variable));
            let state = root.then(|| {
                let hidden = self.hidden();
                quote! {
                    #hidden __state: ::core::default::Default::default(), #hidden __types: ::core::marker::PhantomData,
                }
            });
            quote!(#name { #(#values,)* #state })
        };
        quote! {
            #[automatically_derived]
            #[allow(unused_parens, unexpected_cfgs)]
            impl<#params E: ::__convnet::net::Real, D: ::__convnet::dfdx::tensor_ops::Device<E>>
                ::__convnet::dfdx::nn::TensorCollection<E, D> for #name<#(#symbols,)* E, D>
            {
                type To<__E2: ::__convnet::dfdx::shapes::Dtype, __D2: ::__convnet::dfdx::tensor_ops::Device<__E2>> =
                    #name<#(#symbols,)* __E2, __D2>;

                fn iter_tensors<__V: ::__convnet::dfdx::nn::ModuleVisitor<Self, E, D>>(
                    __visitor: &mut __V,
                ) -> ::core::result::Result<::core::option::Option<Self::To<__V::E2, __V::D2>>, __V::Err> {
                    // dfdx's `visit_fields` does the same through tuples of tuples, which take the compiler longer.
                    #(#visits)*
                    let (#(::core::option::Option::Some(#variables),)*) = (#(#variables,)*) else {
                        return ::core::result::Result::Ok(::core::option::Option::None);
                    };
                    ::core::result::Result::Ok(::core::option::Option::Some(#built))
                }
            }
        }
    }

    /// The walk over the tensors of a struct.
    fn walk(&self, name: &Ident, fields: &[Field]) -> TokenStream {
        let (params, symbols) = (self.const_params(), &self.symbols);
        let calls = |reference: TokenStream, walk: &'static str| {
            let walk = format_ident!("{walk}");
            let fields = fields.iter().filter_map(move |field| {
                let (access, key) = (&field.access, field.key.as_ref()?);
                Some(match &field.custom {
                    Some((module, custom)) => {
                        quote_spanned!(field.span=> <#module as #custom>::#walk(#reference self.#access, __walk, #key);)
                    }
                    None => quote_spanned!(field.span=> __walk.module(#key, #reference self.#access);),
                })
            });
            quote!(#(#fields)*)
        };
        let (read, write) = (calls(quote!(&), "walk"), calls(quote!(&mut), "walk_mut"));
        quote! {
            #[automatically_derived]
            impl<#params E: ::__convnet::net::Real, D: ::__convnet::backend::Backend<E>>
                ::__convnet::__private::Walked<E, D> for #name<#(#symbols,)* E, D>
            {
                fn walk(&self, __walk: &mut ::__convnet::__private::Walk<'_, '_, E, D>) {
                    #read
                }

                fn walk_mut(&mut self, __walk: &mut ::__convnet::__private::WalkMut<'_, '_, E, D>) {
                    #write
                }
            }
        }
    }
}

/// What the names of all structs beside the network's own begin with: `__ResNet18_`. No user's name begins so, and no other
/// network's structs do.
pub fn prefix(network: &Network) -> String {
    format!("__{}_", network.name.unraw())
}

/// The name of the struct of a member: `layer1` gives `__ResNet18_Layer1`, and `conv` in it `__ResNet18_Layer1Conv`.
pub fn inner_name(owner: &str, member: &Member) -> String {
    let name = member.name.as_ref().map_or_else(|| member.key.clone(), |name| name.unraw().to_string());
    let camel: String = name.split('_').map(capital).collect();
    format!("{owner}{camel}")
}

/// `relu` as `Relu`.
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
