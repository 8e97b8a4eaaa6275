//! Functions of one number that compilers make vector code of: no calls, no branches, no conversions between numbers and integers. Those of the
//! standard library are calls for each number, of 5 to 20 nanoseconds, and would take longer than the convolutions of an EfficientNet or a
//! ConvNeXt between them.
//!
//! Errors are a few units in the last place (of [`erfc`], 3e-7 absolute), which the tests below hold. Beyond what single precision has, results
//! are what limits say; a NaN stays one. Sums of products are rounded once where the instruction set can ([`Simd::fused`]).

use super::Simd;

/// Adding it to a number of less than 2^22 rounds that to a whole number, which then stands in the lowest bits.
const ROUNDING: f32 = 12_582_912.0;
/// `ln 2` in two parts, of which the first has so few digits that products with small whole numbers are exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// A polynomial by its coefficients, the highest power first (Horner).
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    coefficients[1..].iter().fold(coefficients[0], |sum, term| S::fused(sum, x, *term))
}

/// The exponential function: a power of two times a polynomial between `-ln 2 / 2` and `ln 2 / 2` (its series, to the seventh power).
#[inline(always)]
pub fn exp<S: Simd>(x: f32) -> f32 {
    let bounded = x.clamp(-87.3, 88.7);
    let rounded = S::fused(bounded, std::f32::consts::LOG2_E, ROUNDING);
    let n = rounded - ROUNDING;
    let r = S::fused(n, -LN_2[1], S::fused(n, -LN_2[0], bounded));
    let value = polynomial::<S, 8>(r, [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0]);
    // The whole number goes into the exponent.
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(0x3F80_0000));
    let value = value * power;
    let value = if x > 88.7 { f32::INFINITY } else { value };
    if x < -87.3 { 0.0 } else { value }
}

/// `1 / (1 + exp(-x))`
#[inline(always)]
pub fn sigmoid<S: Simd>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<S>(-x))
}

/// The hyperbolic tangent: its series near zero, where the quotient below would lose digits.
#[inline(always)]
pub fn tanh<S: Simd>(x: f32) -> f32 {
    let (size, square) = (x.abs(), x * x);
    let series = [
        -929_569.0 / 638_512_875.0,
        21_844.0 / 6_081_075.0,
        -1_382.0 / 155_925.0,
        62.0 / 2835.0,
        -17.0 / 315.0,
        2.0 / 15.0,
        -1.0 / 3.0,
        0.0,
    ];
    let near = S::fused(x, polynomial::<S, 8>(square, series), x);
    let small = exp::<S>(-2.0 * size);
    let far = ((1.0 - small) / (1.0 + small)).copysign(x);
    if size < 0.55 { near } else { far }
}

/// The complementary error function of `size >= 0` with its exponential, `exp(-size^2)` (Abramowitz and Stegun, 1964, 7.1.26).
#[inline(always)]
fn erfc<S: Simd>(size: f32) -> (f32, f32) {
    let t = 1.0 / (1.0 + 0.327_591_1 * size);
    let terms = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6, 0.0];
    let small = exp::<S>(-size * size);
    (polynomial::<S, 6>(t, terms) * small, small)
}

/// The normal distribution function, and its density times `sqrt(2 pi)`: `exp(-x^2 / 2)`.
#[inline(always)]
pub fn normal<S: Simd>(x: f32) -> (f32, f32) {
    let (beyond, small) = erfc::<S>(x.abs() * std::f32::consts::FRAC_1_SQRT_2);
    (if x < 0.0 { 0.5 * beyond } else { 1.0 - 0.5 * beyond }, small)
}

#[cfg(test)]
mod tests {
    use super::super::simd::Scalar8;
    use super::*;

    /// Numbers of all sizes and both signs, dense where functions bend.
    fn numbers() -> impl Iterator<Item = f32> {
        let dense = (-200_000..=200_000).map(|i| i as f32 * 5e-4);
        let powers = (-120..=120).flat_map(|p| [1.0_f32, 1.37, -1.0, -1.77].map(|m| m * (p as f32 / 3.0).exp2()));
        dense.chain(powers)
    }

    fn relative(found: f32, want: f64) -> f64 {
        (f64::from(found) - want).abs() / want.abs().max(1e-37)
    }

    #[test]
    fn functions_are_near_those_of_double_precision() {
        near::<Scalar8>();
        #[cfg(target_arch = "x86_64")]
        near::<super::super::simd::Avx2>();
    }

    /// Holds what is fused, too: without the instruction set, by a function of the standard library.
    fn near<S: Simd>() {
        let mut worst = [0.0_f64; 5];
        for x in numbers() {
            let wide = f64::from(x);
            let mut hold = |i: usize, error: f64| worst[i] = worst[i].max(error);
            if (-87.0..=88.0).contains(&x) {
                hold(0, relative(exp::<S>(x), wide.exp()));
                hold(1, relative(sigmoid::<S>(x), 1.0 / (1.0 + (-wide).exp())));
            }
            hold(2, relative(tanh::<S>(x), wide.tanh()));
            let cdf = 0.5 * libm::erfc(-wide * std::f64::consts::FRAC_1_SQRT_2);
            let (found, density) = normal::<S>(x);
            hold(3, (f64::from(found) - cdf).abs());
            hold(4, (f64::from(density) - (-0.5 * wide * wide).exp()).abs());
        }
        let bounds = [2e-7, 2e-7, 2e-7, 3e-7, 1e-7];
        assert!(worst.iter().zip(bounds).all(|(worst, bound)| *worst < bound), "{worst:?}");
    }

    #[test]
    fn limits_and_nan() {
        let inf = f32::INFINITY;
        let [exp, sigmoid, tanh] = [exp::<Scalar8>, sigmoid::<Scalar8>, tanh::<Scalar8>];
        assert_eq!([exp(inf), exp(-inf), exp(0.0), exp(200.0), exp(-200.0)], [inf, 0.0, 1.0, inf, 0.0]);
        assert_eq!([sigmoid(inf), sigmoid(-inf), sigmoid(0.0)], [1.0, 0.0, 0.5]);
        assert_eq!([tanh(inf), tanh(-inf), tanh(0.0)], [1.0, -1.0, 0.0]);
        assert_eq!([normal::<Scalar8>(inf).0, normal::<Scalar8>(-inf).0], [1.0, 0.0]);
        assert!([exp, sigmoid, tanh].into_iter().all(|f| f(f32::NAN).is_nan()));
        assert!(normal::<Scalar8>(f32::NAN).0.is_nan());
    }
}
