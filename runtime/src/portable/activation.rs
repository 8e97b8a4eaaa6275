//! Element-wise functions with PyTorch's values and derivatives, also at their kinks, at infinity and for NaN.
//!
//! Branches are taken by `choose`, and what goes into the branch not taken is kept finite: a gradient of zero times
//! infinity would be NaN.

use super::{Flat, number};
use crate::backend::{NetTape, Real};
use crate::graph::Activation;
use dfdx::prelude::*;

const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

/// Applies `activation`.
pub fn apply<E: Real, D: Device<E>, T: NetTape<E, D>>(
    activation: Activation,
    x: Flat<E, D, T>,
) -> Result<Flat<E, D, T>, D::Err> {
    let zero = E::zero();
    match activation {
        Activation::Relu => positive(x),
        Activation::Relu6 => between(0.0, 6.0, x),
        Activation::LeakyRelu(slope) => {
            let scaled = x.with_empty_tape().try_mul(number::<E>(slope))?;
            x.try_gt(zero)?.try_choose(x, scaled)
        }
        Activation::Elu(alpha) => elu(alpha, x),
        Activation::Selu => elu(SELU_ALPHA, x)?.try_mul(number::<E>(SELU_SCALE)),
        Activation::Gelu => gelu(x),
        Activation::GeluTanh => gelu_tanh(x),
        Activation::Silu => x.with_empty_tape().try_sigmoid()?.try_mul(x),
        Activation::Mish => softplus(x.with_empty_tape())?.try_tanh()?.try_mul(x),
        Activation::HardSwish => hard_swish(x),
        Activation::HardSigmoid => apply(Activation::Relu6, x.try_add(number::<E>(3.0))?)?.try_div(number::<E>(6.0)),
        Activation::Sigmoid => x.try_sigmoid(),
        Activation::Tanh => x.try_tanh(),
        Activation::HardTanh(low, high) => between(low, high, x),
        Activation::ScaledTanh => x.try_mul(number::<E>(2.0 / 3.0))?.try_tanh()?.try_mul(number::<E>(1.7159)),
        Activation::Softplus => softplus(x),
    }
}

/// `max(x, 0)` with slope 0 at 0; a NaN stays one.
fn positive<E: Real, D: Device<E>, T: NetTape<E, D>>(x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
    let zeros = x.device().try_zeros_like(x.shape())?;
    x.try_le(E::zero())?.try_choose(zeros.put_tape(T::default()), x)
}

/// `x` where it is between the bounds, else the nearer one; with slope 0 at the bounds, and a NaN stays one.
fn between<E: Real, D: Device<E>, T: NetTape<E, D>>(
    low: f64,
    high: f64,
    x: Flat<E, D, T>,
) -> Result<Flat<E, D, T>, D::Err> {
    let bound = |x: &Flat<E, D, T>, bound: f64| -> Result<Flat<E, D, T>, D::Err> {
        let ones: Flat<E, D> = x.device().try_ones_like(x.shape())?;
        Ok(ones.try_mul(number::<E>(bound))?.put_tape(T::default()))
    };
    let least = bound(&x, low)?;
    let x = x.try_le(number::<E>(low))?.try_choose(least, x)?;
    let most = bound(&x, high)?;
    x.try_ge(number::<E>(high))?.try_choose(most, x)
}

fn elu<E: Real, D: Device<E>, T: NetTape<E, D>>(alpha: f64, x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
    let is_positive = x.try_gt(E::zero())?;
    let zeros = x.device().try_zeros_like(x.shape())?;
    let negative = is_positive.clone().try_choose(zeros.put_tape(T::default()), x.with_empty_tape())?;
    let curve = negative.try_exp()?.try_sub(E::one())?.try_mul(number::<E>(alpha))?;
    is_positive.try_choose(x, curve)
}

/// `ln(1 + exp(x))` as `max(x, 0) + ln(1 + exp(-|x|))`.
fn softplus<E: Real, D: Device<E>, T: NetTape<E, D>>(x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
    let minus_abs = x.try_gt(E::zero())?.try_choose(x.with_empty_tape().try_negate()?, x.with_empty_tape())?;
    minus_abs.try_exp()?.try_add(E::one())?.try_ln()?.try_add(positive(x)?)
}

/// dfdx's `accurate_gelu` has the right value but a derivative whose second term is too large by `sqrt(2)`. What is added
/// here has the value zero and the missing part of the derivative: `c(x) = (sqrt(2) - 1) * density(x)`, less its own value.
fn gelu<E: Real, D: Device<E>, T: NetTape<E, D>>(x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
    let factor = (std::f64::consts::SQRT_2 - 1.0) / (2.0 * std::f64::consts::PI).sqrt();
    let squares = x.with_empty_tape().try_square()?.try_mul(number::<E>(-0.5))?;
    let (correction, tape) = squares.try_exp()?.try_mul(number::<E>(factor))?.split_tape();
    let value = correction.clone().try_negate()?;
    let zero = correction.put_tape(tape).try_add(value)?;
    x.try_accurate_gelu()?.try_add(zero)
}

/// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`
fn gelu_tanh<E: Real, D: Device<E>, T: NetTape<E, D>>(x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
    let cubed = x.with_empty_tape().try_square()?.try_mul(number::<E>(0.044_715))?.try_add(E::one())?;
    let inner = cubed.try_mul(x.with_empty_tape())?.try_mul(number::<E>((2.0 / std::f64::consts::PI).sqrt()))?;
    let half = inner.try_tanh()?.try_add(E::one())?.try_mul(number::<E>(0.5))?;
    half.try_mul(x)
}

/// `x * relu6(x + 3) / 6`; its slope at -3 is 0, that of the flat side.
fn hard_swish<E: Real, D: Device<E>, T: NetTape<E, D>>(x: Flat<E, D, T>) -> Result<Flat<E, D, T>, D::Err> {
    let flat = x.try_le(number::<E>(-3.0))?;
    let gate = x.with_empty_tape().try_add(number::<E>(3.0))?.try_clamp(0.0, 6.0)?.try_div(number::<E>(6.0))?;
    let (y, tape) = gate.try_mul(x)?.split_tape();
    // A tensor of its own: with the identity of `y` its gradient would be that of `y`.
    let constant = y.clone().try_add(E::zero())?.put_tape(T::default());
    flat.try_choose(constant, y.put_tape(tape))
}
