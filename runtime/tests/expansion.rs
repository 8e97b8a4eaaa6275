//! The expansion of a small network, written by hand: the contract between the macro and this crate.
use convnet::graph::*;
use convnet::prelude::*;

/// `Tiny<const CLASSES>: [1, 6, 6] -> [CLASSES]`
#[derive(Debug, Clone)]
pub struct Tiny<const CLASSES: usize = 10, E: Dtype = f32, D: Storage<E> = Cpu> {
    pub features: TinyFeatures<E, D>,
    pub fc: convnet::layers::Linear<32, CLASSES, E, D>,
    #[doc(hidden)]
    pub __state: convnet::net::State,
}

#[derive(Debug, Clone)]
pub struct TinyFeatures<E: Dtype = f32, D: Storage<E> = Cpu>(
    pub convnet::layers::Conv<2, 1, 3, 3, E, D>,
    pub convnet::layers::NoParams,
);

impl<E: convnet::net::Real, D: Device<E>> TensorCollection<E, D> for TinyFeatures<E, D> {
    type To<E2: Dtype, D2: Device<E2>> = TinyFeatures<E2, D2>;
    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields((Self::module("0", |s| &s.0, |s| &mut s.0),), |(a,)| {
            TinyFeatures(a, convnet::layers::NoParams)
        })
    }
}

impl<const CLASSES: usize, E: convnet::net::Real, D: Device<E>> TensorCollection<E, D> for Tiny<CLASSES, E, D> {
    type To<E2: Dtype, D2: Device<E2>> = Tiny<CLASSES, E2, D2>;
    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            (
                Self::module("features", |s| &s.features, |s| &mut s.features),
                Self::module("fc", |s| &s.fc, |s| &mut s.fc),
            ),
            |(features, fc)| Tiny { features, fc, __state: Default::default() },
        )
    }
}

impl<const CLASSES: usize, E0: Dtype, D0: Storage<E0>, E: convnet::net::Real, D: Device<E>> BuildOnDevice<D, E>
    for Tiny<CLASSES, E0, D0>
{
    type Built = Tiny<CLASSES, E, D>;
}

impl<const CLASSES: usize> Tiny<CLASSES> {
    pub const PARAMS: usize = <Self as convnet::net::Network<f32, Cpu>>::GRAPH.param_count();
    pub fn graph() -> &'static Graph {
        <Self as convnet::net::Network<f32, Cpu>>::GRAPH
    }
}

impl<const CLASSES: usize, E: convnet::net::Real, D: Device<E>> convnet::net::Network<E, D> for Tiny<CLASSES, E, D> {
    const GRAPH: &'static Graph = &Graph {
        name: "Tiny",
        nodes: &[
            Node {
                name: "input",
                op: Op::Input,
                inputs: &[],
                shape: Shape::Map([1, 6, 6]),
                first_param: 0,
                params: 0,
                macs: 0,
                receptive_field: [1, 1],
                jump: [1, 1],
            },
            Node {
                name: "features.0",
                op: Op::Conv(Conv {
                    kernel: [3, 3],
                    stride: [1, 1],
                    pad: Pad { top: 0, bottom: 0, left: 0, right: 0 },
                    dilation: [1, 1],
                    groups: 1,
                    bias: true,
                    links: None,
                }),
                inputs: &[0],
                shape: Shape::Map([2, 4, 4]),
                first_param: 0,
                params: 20,
                macs: 288,
                receptive_field: [3, 3],
                jump: [1, 1],
            },
            Node {
                name: "features.1",
                op: Op::Activation(Activation::Relu),
                inputs: &[1],
                shape: Shape::Map([2, 4, 4]),
                first_param: 2,
                params: 0,
                macs: 0,
                receptive_field: [3, 3],
                jump: [1, 1],
            },
            Node {
                name: "2",
                op: Op::Flatten,
                inputs: &[2],
                shape: Shape::Vector(32),
                first_param: 2,
                params: 0,
                macs: 0,
                receptive_field: [3, 3],
                jump: [1, 1],
            },
            Node {
                name: "fc",
                op: Op::Linear { bias: true },
                inputs: &[3],
                shape: Shape::Vector(CLASSES),
                first_param: 2,
                params: 32 * CLASSES + CLASSES,
                macs: 32 * CLASSES as u64,
                receptive_field: [6, 6],
                jump: [1, 1],
            },
        ],
        params: &[
            Param { name: "features.0.weight", shape: &[2, 1, 3, 3], trainable: true },
            Param { name: "features.0.bias", shape: &[2], trainable: true },
            Param { name: "fc.weight", shape: &[CLASSES, 32], trainable: true },
            Param { name: "fc.bias", shape: &[CLASSES], trainable: true },
        ],
        output: 4,
    };
    fn state(&self) -> &convnet::net::State {
        &self.__state
    }
}

impl<
    const CLASSES: usize,
    B: Dim,
    E: convnet::net::Real,
    D: convnet::backend::Backend<E>,
    T: convnet::net::NetTape<E, D>,
> Module<Tensor<(B, Const<1>, Const<6>, Const<6>), E, D, T>> for Tiny<CLASSES, E, D>
{
    type Output = Tensor<(B, Const<CLASSES>), E, D, T>;
    type Error = D::Err;
    fn try_forward(&self, x: Tensor<(B, Const<1>, Const<6>, Const<6>), E, D, T>) -> Result<Self::Output, D::Err> {
        let batch = x.shape().0;
        convnet::net::forward(self, x, batch.size(), (batch, Const))
    }
}
impl<const CLASSES: usize, E: convnet::net::Real, D: convnet::backend::Backend<E>, T: convnet::net::NetTape<E, D>>
    Module<Tensor<(Const<1>, Const<6>, Const<6>), E, D, T>> for Tiny<CLASSES, E, D>
{
    type Output = Tensor<(Const<CLASSES>,), E, D, T>;
    type Error = D::Err;
    fn try_forward(&self, x: Tensor<(Const<1>, Const<6>, Const<6>), E, D, T>) -> Result<Self::Output, D::Err> {
        convnet::net::forward(self, x, 1, (Const,))
    }
}
impl<
    const CLASSES: usize,
    B: Dim,
    E: convnet::net::Real,
    D: convnet::backend::Backend<E>,
    T: convnet::net::NetTape<E, D>,
> ModuleMut<Tensor<(B, Const<1>, Const<6>, Const<6>), E, D, T>> for Tiny<CLASSES, E, D>
{
    type Output = Tensor<(B, Const<CLASSES>), E, D, T>;
    type Error = D::Err;
    fn try_forward_mut(
        &mut self,
        x: Tensor<(B, Const<1>, Const<6>, Const<6>), E, D, T>,
    ) -> Result<Self::Output, D::Err> {
        let batch = x.shape().0;
        convnet::net::forward_mut(self, x, batch.size(), (batch, Const))
    }
}

#[test]
fn counts() {
    let dev = Cpu::default();
    let net = dev.build_module::<Tiny, f32>();
    let net64 = dev.build_module::<Tiny<3>, f64>();
    assert_eq!(Tiny::<10>::PARAMS, 350);
    assert_eq!(<Tiny>::PARAMS, 350);
    assert_eq!(net.num_trainable_params(), 350);
    assert_eq!(net64.num_trainable_params(), 20 + 99);
    println!("{}", <Tiny>::graph().summary());
    assert_eq!(convnet::net::params(&net).len(), 4);
}
