//! How a tensor passes through a network, in evaluation and in training: dfdx's traits, for generic code, and methods of the network's own
//! over them, which are what a user calls.
//!
//! Without these methods a tensor of another shape would be an error of dfdx's traits, of thirty lines and more, which says neither what is
//! wanted nor what is given. What a network takes is therefore a trait of its own, with a message of its own, and one impl serves a single
//! image and batches of constant and run-time size. All of it points at the network's name, which is then all that rustc quotes.

use super::Emitter;
use super::modules::prefix;
use convnet_language::graph::{Head, Shape, show};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

/// The types and names that the impls share.
struct Passage {
    /// Where the network's name stands.
    span: Span,
    /// The trait of the shapes that the network takes, with the network's const generics.
    takes: TokenStream,
    /// `Tensor<__S, E, D, __T>`, and what becomes of it in evaluation and in training.
    tensor: TokenStream,
    evaluated: TokenStream,
    trained: TokenStream,
}

impl Emitter<'_> {
    pub fn forward(&self) -> Vec<TokenStream> {
        let span = self.network.name.span().resolved_at(Span::call_site());
        // Two underscores, so that it is no name of a module.
        let name = Ident::new(&format!("{}_Input", prefix(self.network)), span);
        let symbols = &self.symbols;
        let takes = quote!(#name<#(#symbols,)*>);
        let of = |shape: Shape| {
            let features = self.features(shape);
            quote!(::__convnet::dfdx::tensor::Tensor<<__S as #takes>::Like<#features>, E, D, __T>)
        };
        let outputs: Vec<TokenStream> =
            [self.graph.output].into_iter().chain(shapes(&self.graph.outputs)).map(of).collect();
        let heads: Vec<TokenStream> = shapes(&self.graph.heads).map(of).collect();
        let passage = Passage {
            span,
            takes,
            tensor: quote_spanned!(span=> ::__convnet::dfdx::tensor::Tensor<__S, E, D, __T>),
            evaluated: tuple(&outputs),
            trained: tuple(&[outputs, heads].concat()),
        };
        let [takes, blanket] = self.takes(&name, &passage);
        vec![takes, blanket, self.module(&passage), self.module_mut(&passage), self.methods(&passage)]
    }

    /// The trait of the shapes that the network takes, and its impl.
    fn takes(&self, input: &Ident, passage: &Passage) -> [TokenStream; 2] {
        let (name, params, shape) = (&self.network.name, self.const_params(), show(self.input(), self.network));
        let (features, span, takes) = (self.features(self.input()), passage.span, &passage.takes);
        let batch = shape.replacen('[', "[N, ", 1);
        let message = format!("`{name}` takes an image `{shape}` or N of them, `{batch}`; it got `{{Self}}`");
        let label = format!("a tensor of this shape is neither `{shape}` nor `{batch}`");
        let declared = quote_spanned! {span=>
            #[doc(hidden)]
            #[allow(non_camel_case_types)]
            #[diagnostic::on_unimplemented(message = #message, label = #label)]
            pub trait #input<#params>: ::__convnet::dfdx::shapes::Shape {
                type Like<__G: ::__convnet::net::Features>: ::__convnet::dfdx::shapes::Shape;
                fn __images(&self) -> usize;
                fn __like<__G: ::__convnet::net::Features>(&self) -> Self::Like<__G>;
            }
        };
        let of = |more: TokenStream, this: TokenStream, features: &TokenStream| {
            quote_spanned! {span=>
                #[diagnostic::do_not_recommend]
                impl<#params #more> #takes for #this {
                    type Like<__G: ::__convnet::net::Features> = <#this as ::__convnet::net::OneOrMany<#features>>::Like<__G>;

                    fn __images(&self) -> usize {
                        ::__convnet::net::OneOrMany::<#features>::images(self)
                    }

                    fn __like<__G: ::__convnet::net::Features>(&self) -> Self::Like<__G> {
                        ::__convnet::net::OneOrMany::<#features>::like::<__G>(self)
                    }
                }
            }
        };
        if self.is_right {
            let bound = quote!(__S: ::__convnet::net::OneOrMany<#features>);
            return [declared, of(bound, quote!(__S), &features)];
        }
        // A mistake may leave open what the network takes, or make it another one: anything then, so that no tensor is a second mistake.
        let (batch, each) = (quote!(__B: ::__convnet::dfdx::shapes::Dim), quote!(::__convnet::dfdx::shapes::Const));
        let ranks = [
            (quote!(const __C: usize, const __H: usize, const __W: usize), quote!(#each<__C>, #each<__H>, #each<__W>)),
            (quote!(const __N: usize), quote!(#each<__N>)),
        ];
        let all = ranks.into_iter().flat_map(|(sizes, dims)| {
            let one = quote!((#dims,));
            [of(sizes.clone(), one.clone(), &one), of(quote!(#batch, #sizes), quote!((__B, #dims)), &one)]
        });
        let all = all.collect();
        [declared, all]
    }

    fn module(&self, passage: &Passage) -> TokenStream {
        let Passage { span, takes, tensor, evaluated, .. } = passage;
        let (name, params, symbols) = (&self.network.name, self.const_params(), &self.symbols);
        let outputs = taken(1 + self.graph.outputs.len());
        quote_spanned! {*span=>
            #[automatically_derived]
            impl<#params __S: #takes, E: ::__convnet::net::Real, D: ::__convnet::backend::Backend<E>,
                 __T: ::__convnet::net::NetTape<E, D>>
                ::__convnet::dfdx::nn::Module<#tensor> for #name<#(#symbols,)* E, D>
            {
                type Output = #evaluated;
                type Error = D::Err;

                fn try_forward(&self, __x: #tensor) -> ::core::result::Result<Self::Output, D::Err> {
                    let __shape = *::__convnet::dfdx::shapes::HasShape::shape(&__x);
                    let mut __outputs = ::__convnet::net::forward_all(self, __x, __shape.__images())?;
                    #outputs
                }
            }
        }
    }

    fn module_mut(&self, passage: &Passage) -> TokenStream {
        let Passage { span, takes, tensor, trained, .. } = passage;
        let (name, params, symbols) = (&self.network.name, self.const_params(), &self.symbols);
        let outputs = taken(1 + self.graph.outputs.len() + self.graph.heads.len());
        quote_spanned! {*span=>
            #[automatically_derived]
            impl<#params __S: #takes, E: ::__convnet::net::Real, D: ::__convnet::backend::Backend<E>,
                 __T: ::__convnet::net::NetTape<E, D>>
                ::__convnet::dfdx::nn::ModuleMut<#tensor> for #name<#(#symbols,)* E, D>
            {
                type Output = #trained;
                type Error = D::Err;

                fn try_forward_mut(&mut self, __x: #tensor) -> ::core::result::Result<Self::Output, D::Err> {
                    let __shape = *::__convnet::dfdx::shapes::HasShape::shape(&__x);
                    let mut __outputs = ::__convnet::net::forward_mut(self, __x, __shape.__images())?;
                    #outputs
                }
            }
        }
    }

    /// `forward` and `forward_mut` as methods, found before those of dfdx's traits.
    fn methods(&self, passage: &Passage) -> TokenStream {
        let Passage { span, takes, tensor, evaluated, trained } = passage;
        let (name, params, symbols) = (&self.network.name, self.const_params(), &self.symbols);
        let [from, to] = [self.input(), self.graph.output].map(|shape| show(shape, self.network));
        let named = |beside: &[Head]| -> String {
            beside.iter().map(|head| format!(", `{}` `{}`", head.path, show(head.shape, self.network))).collect()
        };
        let (outputs, heads) = (named(&self.graph.outputs), named(&self.graph.heads));
        let evaluates =
            format!("Evaluation, `{from}` -> `{to}`{outputs} for each image: running statistics and no dropout.");
        let trains = format!(
            "Training, `{from}` -> `{to}`{outputs}{heads} for each image: statistics of the batch, and dropout."
        );
        let fails = "# Panics\nWhen the device runs out of memory; the `try_` methods of dfdx's traits give an error.";
        quote_spanned! {*span=>
            #[automatically_derived]
            impl<#params E: ::__convnet::dfdx::shapes::Dtype, D: ::__convnet::dfdx::tensor::Storage<E>> #name<#(#symbols,)* E, D> {
                #[doc = #evaluates]
                #[doc = ""]
                #[doc = #fails]
                pub fn forward<__S: #takes, __T: ::__convnet::net::NetTape<E, D>>(&self, images: #tensor) -> #evaluated
                where
                    E: ::__convnet::net::Real,
                    D: ::__convnet::backend::Backend<E>,
                {
                    ::__convnet::dfdx::nn::Module::forward(self, images)
                }

                #[doc = #trains]
                #[doc = ""]
                #[doc = #fails]
                pub fn forward_mut<__S: #takes, __T: ::__convnet::net::NetTape<E, D>>(&mut self, images: #tensor) -> #trained
                where
                    E: ::__convnet::net::Real,
                    D: ::__convnet::backend::Backend<E>,
                {
                    ::__convnet::dfdx::nn::ModuleMut::forward_mut(self, images)
                }
            }
        }
    }
}

/// The shapes of further outputs.
fn shapes(beside: &[Head]) -> impl Iterator<Item = Shape> {
    beside.iter().map(|head| head.shape)
}

/// One type by itself, several as a tuple.
fn tuple(types: &[TokenStream]) -> TokenStream {
    match types {
        [one] => one.clone(),
        several => quote!((#(#several,)*)),
    }
}

/// So many outputs of a pass, by themselves or as a tuple.
fn taken(count: usize) -> TokenStream {
    match count {
        1 => quote!(__outputs.next(__shape.__like())),
        several => {
            let each = (0..several).map(|_| quote!(__outputs.next(__shape.__like())?,));
            quote!(::core::result::Result::Ok((#(#each)*)))
        }
    }
}
