//! No wildcard arm over operations: whoever adds one is told by the compiler of each place that has to know it.
//!
//! `matches!` and `if let` ask a question about some operations and are left alone.

use super::{complain, rust};
use syn::visit::{self, Visit};
use syn::{Arm, ExprMatch, Pat};

/// The lists of things that each place has to be complete about.
const CLOSED: [&str; 6] = ["Op", "Activation", "Resample", "Category", "Extent", "Detail"];

#[test]
fn no_operation_is_passed_over() {
    let mut problems = Vec::new();
    for (path, text) in rust().into_iter().filter(|(path, _)| path.contains("/src/") && !path.contains("/tests")) {
        let Ok(file) = syn::parse_file(&text) else { continue };
        let mut finder = Finder { path: &path, problems: &mut problems };
        finder.visit_file(&file);
    }
    complain(problems);
}

struct Finder<'a> {
    path: &'a str,
    problems: &'a mut Vec<String>,
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_expr_match(&mut self, node: &'ast ExprMatch) {
        let name = node.arms.iter().find_map(|arm| closed(&arm.pat));
        if let (Some(name), Some(arm)) = (name, node.arms.iter().find(|arm| is_wild(arm))) {
            let line = arm.fat_arrow_token.spans[0].start().line;
            self.problems.push(format!("{}:{line}: a wildcard arm over `{name}`", self.path));
        }
        visit::visit_expr_match(self, node);
    }

    fn visit_item_mod(&mut self, node: &'ast syn::ItemMod) {
        let is_test = node.attrs.iter().any(|attribute| quote::quote!(#attribute).to_string().contains("test"));
        if !is_test {
            visit::visit_item_mod(self, node);
        }
    }
}

/// Whether an arm takes whatever there is.
fn is_wild(arm: &Arm) -> bool {
    fn wild(pat: &Pat) -> bool {
        match pat {
            Pat::Wild(_) => true,
            Pat::Ident(name) => name.subpat.is_none(),
            Pat::Tuple(tuple) => tuple.elems.iter().all(wild),
            Pat::Reference(reference) => wild(&reference.pat),
            _ => false,
        }
    }
    wild(&arm.pat)
}

/// The closed list whose cases a pattern names at its top or in a tuple.
fn closed(pat: &Pat) -> Option<String> {
    let path = match pat {
        Pat::Path(path) => &path.path,
        Pat::TupleStruct(tuple) => &tuple.path,
        Pat::Struct(fields) => &fields.path,
        Pat::Tuple(tuple) => return tuple.elems.iter().find_map(closed),
        Pat::Or(or) => return or.cases.iter().find_map(closed),
        Pat::Reference(reference) => return closed(&reference.pat),
        Pat::Ident(name) => return name.subpat.as_ref().and_then(|(_, pat)| closed(pat)),
        _ => return None,
    };
    let list = path.segments.iter().rev().nth(1)?.ident.to_string();
    CLOSED.contains(&list.as_str()).then_some(list)
}
