//! The formulas of the optimisers, as PyTorch has them, on plain numbers.

use crate::wording::{did_you_mean, meaning, word_of};
use std::fmt;
use std::str::FromStr;

/// A rule by which parameters follow their gradients.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Method {
    /// Stochastic gradient descent; with momentum (Polyak, 1964) or Nesterov's (Sutskever et al., 2013).
    Sgd {
        /// Share of the last step that goes on.
        momentum: f64,
        /// Looks ahead by the momentum.
        nesterov: bool,
    },
    /// Adam (Kingma and Ba, 2014); weight decay is an L2 penalty.
    Adam {
        /// Decay of the first and the second moment.
        betas: [f64; 2],
        /// Added to the root of the second.
        eps: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter, 2017).
    AdamW {
        /// Decay of the first and the second moment.
        betas: [f64; 2],
        /// Added to the root of the second.
        eps: f64,
    },
    /// RMSprop (Tieleman and Hinton, 2012).
    RmsProp {
        /// Decay of the mean square.
        alpha: f64,
        /// Added to its root.
        eps: f64,
        /// Share of the last step that goes on.
        momentum: f64,
    },
}

/// An optimiser by its name, without its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OptimizerKind {
    /// Stochastic gradient descent.
    #[default]
    Sgd,
    /// Adam.
    Adam,
    /// Adam with decoupled weight decay.
    AdamW,
    /// RMSprop.
    RmsProp,
}

impl OptimizerKind {
    pub(crate) const NAMES: [(&str, OptimizerKind); 4] = [
        ("sgd", OptimizerKind::Sgd),
        ("adam", OptimizerKind::Adam),
        ("adamw", OptimizerKind::AdamW),
        ("rmsprop", OptimizerKind::RmsProp),
    ];
}

/// A text that names no optimiser.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no optimizer is called `{0}`; there are {names}{hint}", names = names().join(", "), hint = did_you_mean(.0, &names()))]
pub struct UnknownMethod(String);

fn names() -> [&'static str; 4] {
    OptimizerKind::NAMES.map(|(name, _)| name)
}

impl FromStr for OptimizerKind {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<Self, UnknownMethod> {
        meaning(&OptimizerKind::NAMES, name).ok_or_else(|| UnknownMethod(name.into()))
    }
}

impl fmt::Display for OptimizerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word_of(&OptimizerKind::NAMES, self))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}

impl Method {
    /// Which optimiser it is.
    pub fn kind(&self) -> OptimizerKind {
        match self {
            Method::Sgd { .. } => OptimizerKind::Sgd,
            Method::Adam { .. } => OptimizerKind::Adam,
            Method::AdamW { .. } => OptimizerKind::AdamW,
            Method::RmsProp { .. } => OptimizerKind::RmsProp,
        }
    }

    /// Names of what is remembered for each number of a parameter.
    pub(super) fn slots(&self) -> &'static [&'static str] {
        match self {
            Method::Sgd { momentum, .. } if *momentum > 0.0 => &["velocity"],
            Method::Sgd { .. } => &[],
            Method::Adam { .. } | Method::AdamW { .. } => &["moment1", "moment2"],
            Method::RmsProp { momentum, .. } if *momentum > 0.0 => &["square", "velocity"],
            Method::RmsProp { .. } => &["square"],
        }
    }
}

/// A step on one parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Move {
    pub method: Method,
    /// Counted from 1.
    pub step: u64,
    pub lr: f64,
    pub weight_decay: f64,
    /// What gradients are multiplied by first.
    pub scale: f32,
    /// What they are then limited to.
    pub limit: f32,
}

/// The bits of the exponent, all of which are set in what is no finite number.
const EXPONENT: u32 = 0x7f80_0000;

/// Moves some numbers of a parameter and sets their gradients to zero. `slots` are what the method remembers. Gives whether
/// all gradients were finite.
pub(crate) fn apply(rule: &Move, param: &mut [f32], gradient: &mut [f32], slots: &mut [&mut [f32]]) -> bool {
    let Move { method, step, lr, weight_decay, scale, limit } = *rule;
    let (rate, decay) = (lr as f32, weight_decay as f32);
    // What is left of a moment's start at zero, after so many steps.
    let bias = |beta: f64| 1.0 - beta.powi(step.try_into().unwrap_or(i32::MAX));
    // One loop for each method, so that there is nothing to decide inside.
    let mut bad = false;
    let mut next = |g: &mut f32| {
        bad |= g.to_bits() & EXPONENT == EXPONENT;
        // Not `clamp`: these two are one instruction each, and a NaN has been noted.
        (std::mem::take(g) * scale).max(-limit).min(limit)
    };
    match (method, slots) {
        (Method::Sgd { momentum, nesterov }, [velocity]) => {
            let (u, ahead) = (momentum as f32, if nesterov { momentum as f32 } else { 0.0 });
            for ((p, g), v) in param.iter_mut().zip(gradient).zip(velocity.iter_mut()) {
                let g = next(g) + decay * *p;
                *v = g + u * *v;
                *p -= rate * if nesterov { g + ahead * *v } else { *v };
            }
        }
        (Method::Adam { betas, eps } | Method::AdamW { betas, eps }, [first, second]) => {
            let decoupled = matches!(method, Method::AdamW { .. });
            let (l2, keep) = if decoupled { (0.0, (1.0 - lr * weight_decay) as f32) } else { (decay, 1.0) };
            let [b1, b2] = betas.map(|beta| beta as f32);
            let [new1, new2] = betas.map(|beta| (1.0 - beta) as f32);
            let (size, root, eps) = ((lr / bias(betas[0])) as f32, bias(betas[1]).sqrt() as f32, eps as f32);
            for (((p, g), m), v) in param.iter_mut().zip(gradient).zip(first.iter_mut()).zip(second.iter_mut()) {
                let g = next(g) + l2 * *p;
                *m = b1 * *m + new1 * g;
                *v = b2 * *v + new2 * (g * g);
                *p = keep * *p - size * *m / (v.sqrt() / root + eps);
            }
        }
        (Method::RmsProp { alpha, eps, .. }, [square]) => {
            let (a, new, eps) = (alpha as f32, (1.0 - alpha) as f32, eps as f32);
            for ((p, g), v) in param.iter_mut().zip(gradient).zip(square.iter_mut()) {
                let g = next(g) + decay * *p;
                *v = a * *v + new * (g * g);
                *p -= rate * (g / (v.sqrt() + eps));
            }
        }
        (Method::RmsProp { alpha, eps, momentum }, [square, velocity]) => {
            let (a, new, eps, u) = (alpha as f32, (1.0 - alpha) as f32, eps as f32, momentum as f32);
            let slots = square.iter_mut().zip(velocity.iter_mut());
            for ((p, g), (v, b)) in param.iter_mut().zip(gradient).zip(slots) {
                let g = next(g) + decay * *p;
                *v = a * *v + new * (g * g);
                *b = u * *b + g / (v.sqrt() + eps);
                *p -= rate * *b;
            }
        }
        _ => {
            for (p, g) in param.iter_mut().zip(gradient) {
                *p -= rate * (next(g) + decay * *p);
            }
        }
    }
    !bad
}

/// The sum of squares of some numbers.
pub(super) fn squares(numbers: &[f32]) -> f64 {
    // Sixteen sums, which a compiler may keep in one register, in a fixed order.
    let mut sums = [0.0_f64; 16];
    let chunks = numbers.chunks_exact(16);
    let rest: f64 = chunks.remainder().iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    for chunk in chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(*x) * f64::from(*x);
        }
    }
    sums.iter().sum::<f64>() + rest
}
