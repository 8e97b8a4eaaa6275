//! Five mistakes about shapes in candle: what it says, and when.
//!
//! `cargo run --features candle --bin mistakes_candle`
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Conv2dConfig, Module, VarBuilder, VarMap, conv2d, linear, loss::cross_entropy};

struct Network<'a> {
    variables: VarBuilder<'a>,
}

impl Network<'_> {
    fn conv(&self, name: &str, x: &Tensor, out: usize, kernel: usize, padding: usize) -> Result<Tensor> {
        let config = Conv2dConfig { padding, ..Default::default() };
        conv2d(x.dim(1)?, out, kernel, config, self.variables.pp(name))?.forward(x)
    }

    fn linear(&self, name: &str, x: &Tensor, inputs: usize, outputs: usize) -> Result<Tensor> {
        linear(inputs, outputs, self.variables.pp(name))?.forward(x)
    }

    fn lenet(&self, x: &Tensor, kernel: usize, inputs: usize, classes: usize) -> Result<Tensor> {
        let x = self.conv("conv1", x, 6, 5, 2)?.relu()?.max_pool2d(2)?;
        let x = self.conv("conv2", &x, 16, kernel, 0)?.relu()?.max_pool2d(2)?;
        self.linear("fc2", &self.linear("fc1", &x.flatten_from(1)?, inputs, 120)?.relu()?, 120, classes)
    }

    fn residual(&self, x: &Tensor) -> Result<Tensor> {
        let sum = (x + self.conv("conv", x, 1, 3, 0)?.relu()?)?;
        self.linear("fc", &sum.flatten_from(1)?, 784, 10)
    }

    fn branches(&self, x: &Tensor) -> Result<Tensor> {
        let joined = Tensor::cat(&[self.conv("narrow", x, 8, 1, 0)?, self.conv("wide", x, 8, 3, 0)?], 1)?;
        self.linear("fc", &joined.flatten_from(1)?, 12544, 10)
    }
}

/// Runs a network and its loss, and prints what they say.
fn attempt(name: &str, network: impl Fn(&Network, &Tensor) -> Result<Tensor>) -> Result<()> {
    let (device, map) = (Device::Cpu, VarMap::new());
    let variables = VarBuilder::from_varmap(&map, DType::F32, &device);
    println!("\n{name}:");
    let logits = match network(&Network { variables }, &Tensor::zeros((10, 1, 28, 28), DType::F32, &device)?) {
        Ok(logits) => logits,
        Err(error) => return Ok(println!("{error}\n(in the first forward pass)")),
    };
    match cross_entropy(&logits, &Tensor::arange(0u32, 10, &device)?) {
        Ok(loss) => println!("(nothing: the loss is {})", loss.to_scalar::<f32>()?),
        Err(error) => println!("{error}\n(in the first loss)"),
    }
    Ok(())
}

fn main() -> Result<()> {
    attempt("a kernel larger than its map", |net, x| net.lenet(x, 17, 400, 10))?;
    attempt("a residual without padding", Network::residual)?;
    attempt("wrong inputs of a linear layer", |net, x| net.lenet(x, 5, 512, 10))?;
    attempt("branches of different size", Network::branches)?;
    attempt("too few classes", |net, x| net.lenet(x, 5, 400, 5))?;
    attempt("too many classes", |net, x| net.lenet(x, 5, 400, 12))
}
