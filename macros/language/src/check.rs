//! AST to graph: the header, what the whole network gives, and its budgets. The layers in between are walked by
//! [`crate::walk`].

use crate::ast::{Block, Call, Network, Statement};
use crate::cost::Dim;
use crate::graph::{Graph, Node, Shape, size};
use crate::report::Errors;
use crate::trace::called;
use crate::values::{self, SIZE, Scope};
use crate::walk::{Checker, unreached};
use convnet_graph::wording::grouped;
use convnet_graph::{Category, Groups, Op};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Expr;

/// Checks everything in a macro call: a graph for each network. Whether budgets are `held` to, see [`network`].
pub fn call(call: &Call, held: bool, errors: &mut Errors) -> Vec<Graph> {
    let mut graphs: Vec<Graph> = Vec::new();
    // What a budget counts may be missing after a mistake of the parser.
    let held = held && errors.count() == 0;
    for one in &call.networks {
        if graphs.iter().map(|graph| graph.nodes.len()).sum::<usize>() > LAYERS {
            errors.bare(
                &one.name,
                format!("the networks before this one have {} layers and more", grouped(LAYERS as i128)),
            );
            break;
        }
        graphs.push(network(one, &call.blocks, held, errors));
    }
    if !call.is_cut {
        unreached(&call.networks, &call.blocks, errors);
    }
    for (network, graph) in call.networks.iter().zip(&graphs) {
        if errors.count() == 0 && !graph.is_known() {
            // Better no network than one with a type that is not its own.
            errors.on(&network.name, LOST);
        }
    }
    graphs
}

/// Networks beyond so many layers are to stand in a call of their own.
const LAYERS: usize = 200_000;

/// What no input may ever lead to.
pub const LOST: &str = "`cnn!` lost the size of a layer of this network; this is a mistake of `cnn!`, please report it";

/// Checks a network, and whether it is within its budgets where they are `held` to: they are about the sizes that it is declared
/// with. The graph is as complete as its errors allow.
pub fn network(network: &Network, blocks: &[Block], held: bool, errors: &mut Errors) -> Graph {
    let before = errors.count();
    let [input, output] = match network.headless {
        true => [Shape::Unknown; 2],
        false => [(&network.input, false), (&network.output, true)]
            .map(|(dims, gives)| declared(dims, gives, network, errors)),
    };
    let mut checker = Checker::new(network, blocks, errors);
    checker.input(input);
    let root = checker.root(&network.body);
    let whole = checker.is_whole();
    let empty = !network.body.iter().any(|statement| !matches!(statement, Statement::Assert(_)));
    // After an error there may have been one that was not understood.
    if empty && checker.errors.count() == 0 {
        checker.errors.on(&network.name, format!("`{}` has no layers", network.name));
    }
    if whole {
        checker.output(output);
    }
    // What does not hold may follow from another mistake.
    if held && checker.errors.count() == before {
        checker.budgets(&network.body);
    }
    let output_node = checker.current();
    // After a mistake in the header, what the layers give is what was meant.
    let output = if output.is_unknown() { checker.shape() } else { output };
    let Checker { nodes, outputs, heads, connections, .. } = checker;
    Graph { nodes, connections, root, output, output_node, outputs, heads }
}

/// The shape that the header declares for what the network takes, or `gives`.
pub fn declared(dims: &[Expr], gives: bool, network: &Network, errors: &mut Errors) -> Shape {
    let scope = Scope { network, shape: None, locals: &[], largest: SIZE };
    values::shape(dims, gives, &network.name, &scope, errors)
}

impl Checker<'_, '_> {
    fn output(&mut self, declared: Shape) {
        let actual = self.shape();
        if declared.is_unknown() || actual.is_unknown() || declared == actual || self.nodes.len() < 2 {
            return;
        }
        let dims = &self.network.output;
        self.wrong_output(quote!(#(#dims),*), [&self.network.name.to_string(), "-> "], declared, actual);
    }

    /// Reports that the layers of `name` end in another shape than was declared at `place`, behind `before`.
    pub fn wrong_output(&mut self, place: TokenStream, [name, before]: [&str; 2], declared: Shape, actual: Shape) {
        let (want, trace, what) = (self.show(declared), self.trace(), format!("`{name}`"));
        if let Some((layer, place)) = self.written_output(declared, actual) {
            let number = self.size(declared.chw()[0]);
            let missing = match self.ends_like_a_hidden_layer() {
                true => format!("end with `linear({number});`, "),
                false => String::new(),
            };
            let message = format!(
                "`{}` gives {}, but {what} is declared to give {want}\n  trace: {trace}\n  \
                 fix: {missing}write `{number}` here, or declare `{before}{}`",
                called(layer),
                self.show(layer.shape),
                self.show(actual)
            );
            return self.errors.at(place, message);
        }
        let fix = match (declared, actual) {
            (Shape::Vector(want), Shape::Map(_)) => format!("end with `flatten; linear({});`", self.size(want)),
            (Shape::Vector(want), Shape::Vector(_)) => {
                format!("end with `linear({})`, or declare `{before}{}`", self.size(want), self.show(actual))
            }
            _ => format!("declare `{before}{}`", self.show(actual)),
        };
        let what = format!("{what} is declared to give {want}, but its layers give {}", self.show(actual));
        self.errors.on(place, format!("{what}\n  trace: {trace}\n  fix: {fix}"));
    }

    /// Whether the last linear layer has an activation after it, as all but the last of a network have.
    fn ends_like_a_hidden_layer(&self) -> bool {
        let mut node = self.nodes.get(self.current());
        let mut is_activated = false;
        while let Some(Node { op: op @ (Op::Activation(_) | Op::Prelu { .. } | Op::Dropout { .. }), inputs, .. }) = node
        {
            is_activated |= !matches!(op, Op::Dropout { .. });
            node = inputs.first().and_then(|input| self.nodes.get(*input));
        }
        is_activated && matches!(node, Some(Node { op: Op::Linear { .. }, .. }))
    }

    /// The layer whose number of outputs is that of the whole network, and where it is written, if another number there would do.
    fn written_output(&self, declared: Shape, actual: Shape) -> Option<(&Node, Span)> {
        let ([want, height, width], [channels, h, w]) = (declared.chw(), actual.chw());
        let is_alike = matches!(declared, Shape::Map(_)) == matches!(actual, Shape::Map(_));
        if self.network.instance || !is_alike || [height, width] != [h, w] || want == channels {
            return None;
        }
        let mut node = self.nodes.get(self.current())?;
        loop {
            match node.op.category() {
                Category::Linear | Category::Conv => break,
                Category::Other if node.is_custom() => return None,
                Category::Pool | Category::Activation | Category::Norm | Category::Other => {}
                Category::Merge => return None,
            }
            // Every layer up to here keeps the channels.
            node = node.inputs.first().and_then(|input| self.nodes.get(*input))?;
            if node.shape.chw()[0] != channels {
                return None;
            }
        }
        // Another number may not fit groups and tables.
        if matches!(&node.op, Op::Conv(conv) if conv.groups != Groups::One || conv.connections.is_some()) {
            return None;
        }
        let is_written = node.written.out.is_some_and(|out| channels == Dim::Known(out));
        let place = node.written.args.iter().find(|(name, _)| *name == "out").map(|(_, place)| *place);
        place.filter(|_| is_written).map(|place| (node, place))
    }

    fn size(&self, dim: Dim) -> String {
        size(dim, self.network)
    }
}
