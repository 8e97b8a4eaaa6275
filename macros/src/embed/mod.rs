//! `embed!`: a network and its weights file to an expression that holds both.
//!
//! rustc reads the file's tensors (`include_bytes!`, by which a changed file is also noticed), and the header, read here, becomes a
//! constant that `convnet::__private::fits` compares with the network's graph while it compiles. Here nothing is known of the network but
//! its path: with const generics its sizes are known to rustc alone.

mod header;

use crate::file::{self, From};
use header::Header;
use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Expr, Token, Type};

/// What stands between the parentheses.
struct Call {
    network: Type,
    path: Expr,
}

impl Parse for Call {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let usage = |error: syn::Error| {
            let usage = "`embed!` takes a network and the file of its weights: `embed!(Net, \"net.safetensors\")`";
            syn::Error::new(error.span(), usage)
        };
        let network = input.parse().map_err(usage)?;
        input.parse::<Token![,]>().map_err(usage)?;
        let path = input.parse().map_err(usage)?;
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(usage(input.error("")));
        }
        Ok(Call { network, path })
    }
}

/// The expression, or the one error.
pub fn expression(tokens: TokenStream) -> TokenStream {
    let read = syn::parse2(tokens).and_then(|call: Call| {
        let path = file::path(&call.path, From::Source)?;
        let header = file::header(&path)
            .and_then(|(text, len)| Header::read(&text, len).map_err(|problem| format!("{} {problem}", path.written)));
        let header = header.map_err(|problem| syn::Error::new_spanned(&call.path, problem))?;
        Ok(embedded(&call, &path, &header))
    });
    read.unwrap_or_else(|error| error.to_compile_error())
}

fn embedded(Call { network, path }: &Call, file: &file::Place, header: &Header) -> TokenStream {
    let (count, len) = (Literal::usize_unsuffixed(header.tensors.len()), Literal::u64_unsuffixed(header.len));
    let (full, data) = (file.full.to_string_lossy(), constant(&file.written, header));
    // What does not fit is an error on the path.
    let fits = quote_spanned! {path.span().resolved_at(Span::call_site())=>
        (::__convnet::__private::fits)(__GRAPH, __HEADER, &mut [false; #count])
    };
    // With `env!` in it, another value has to be noticed.
    let tracked = matches!(path, Expr::Macro(_)).then(|| quote!(const _: &::core::primitive::str = #path;));
    quote! {{
        const __GRAPH: &::__convnet::graph::Graph = ::__convnet::__private::graph_of::<#network>();
        const __HEADER: &::__convnet::__private::Header = &#data;
        #[allow(long_running_const_eval)]
        const _: () = #fits;
        #tracked
        static __BYTES: ::__convnet::__private::Aligned<[::core::primitive::u8; #len]> =
            ::__convnet::__private::Aligned(*::core::include_bytes!(#full));
        static __EMBEDDED: ::__convnet::embed::Embedded =
            ::__convnet::embed::Embedded::__new(__GRAPH, __HEADER, &__BYTES.0);
        &__EMBEDDED
    }}
}

/// The header as a constant.
fn constant(written: &str, header: &Header) -> TokenStream {
    let tensors = header.tensors.iter().map(|(name, TensorInfo { dtype, shape, data_offsets: (start, end) })| {
        let dtype = dtype_of(*dtype).map(|name| proc_macro2::Ident::new(name, Span::call_site()));
        let [start, end] = [start, end].map(|offset| Literal::usize_unsuffixed(header.data + offset));
        let shape = shape.iter().map(|dim| Literal::usize_unsuffixed(*dim));
        quote!(::__convnet::__private::Stored {
            name: #name, shape: &[#(#shape),*], dtype: ::__convnet::weights::DType::#dtype, bytes: [#start, #end],
        })
    });
    let metadata = header.metadata.iter().map(|(key, value)| quote!((#key, #value)));
    let prefixes = header.prefixes.iter().map(|prefix| prefix.to_token_stream());
    quote!(::__convnet::__private::Header {
        file: #written, metadata: &[#(#metadata),*], prefixes: &[#(#prefixes),*], tensors: &[#(#tensors),*],
    })
}

/// What `convnet::weights::DType` calls a type of elements, if it knows it.
fn dtype_of(dtype: Dtype) -> Option<&'static str> {
    Some(match dtype {
        Dtype::F16 => "F16",
        Dtype::BF16 => "BF16",
        Dtype::F32 => "F32",
        Dtype::F64 => "F64",
        Dtype::I8 => "I8",
        Dtype::I16 => "I16",
        Dtype::I32 => "I32",
        Dtype::I64 => "I64",
        Dtype::U8 => "U8",
        Dtype::BOOL => "Bool",
        _ => return None,
    })
}
