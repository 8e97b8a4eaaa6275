//! Winograd's algorithm against the definition of convolution in double precision.

use super::{Winograd, WinogradGrad, WinogradPack, WinogradTiles};
use crate::kernels::{Bindings, Isa, Mem, Step};
use crate::layout::Layout;
use crate::program::Program;
use crate::threads;
use convnet_graph::Activation;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Elements of a layout for a batch, whose last rows' halo is included.
fn len(layout: &Layout, batch: usize) -> usize {
    batch * layout.image()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn is_a_convolution(
        seed in any::<u64>(),
        sizes in (1_usize..4, 1_usize..40, 1_usize..40, 1_usize..15, 1_usize..15),
        pads in (0_isize..3, 0_isize..3),
        extra in (0_usize..3, 0_usize..3),
        tile in prop::sample::select(vec![2_usize, 4]),
        options in (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
    ) {
        let (batch, ins, outs, height, width) = sizes;
        let (backward, has_bias, accumulate, has_residual) = options;
        let (out_height, out_width) = (height + extra.0, width + extra.1);
        for isa in Isa::available() {
            let mut rng = StdRng::seed_from_u64(seed);
            let lanes = isa.lanes();
            let input = Layout { halo: [1, 2], ..Layout::blocked([ins, height, width], lanes) };
            let out = Layout { halo: [2, 0], ..Layout::blocked([outs, out_height, out_width], lanes) };
            let residual = Layout { halo: [0, 1], ..out };
            let input = input.at(16);
            let out = out.at(input.at + len(&input, batch));
            let residual = residual.at(out.at + len(&out, batch));
            let bias = residual.at + len(&residual, batch);
            let scale = bias + outs.next_multiple_of(lanes);
            let packed = scale + outs.next_multiple_of(lanes);
            let channels = if backward { [ins, outs] } else { [outs, ins] };
            let pack = WinogradPack { tile, param: 0, channels, backward, packed, scale: (!backward).then_some(scale) };
            let mut winograd = Winograd::new(tile, batch, input, out, [pads.0, pads.1]);
            winograd.weights = packed;
            winograd.accumulate = accumulate;
            winograd.bias = has_bias.then_some(bias);
            winograd.residual = has_residual.then_some(residual);
            winograd.activation = has_bias.then_some(Activation::Relu);
            let mut arena: Vec<f32> = (0..packed + pack.packed_len(lanes)).map(|_| rng.gen_range(-1.0..1.0)).collect();
            let weights: Vec<f32> = (0..ins * outs * 9).map(|_| rng.gen_range(-1.0..1.0)).collect();
            empty_halo(&mut arena, &input, batch);
            let before = arena.clone();
            let steps = vec![Step::WinogradPack(pack), Step::Barrier, Step::Winograd(winograd.clone())];
            let program = Program::new(steps, isa, arena.len());
            program.run(&mut arena, Bindings { params: &|_| &weights, ..Bindings::default() }, &threads::team());
            let at = |layout: &Layout, n, c, y, x| f64::from(before[layout.element(n, c, y, x)]);
            for (n, o, y, x) in indices(batch, outs, out_height, out_width) {
                let mut want = 0.0;
                for (c, ky, kx) in (0..ins).flat_map(|c| (0..9).map(move |k| (c, k / 3, k % 3))) {
                    let (row, col) = ((y + ky) as isize - pads.0, (x + kx) as isize - pads.1);
                    if (0..height as isize).contains(&row) && (0..width as isize).contains(&col) {
                        let weight = weight(&weights, [ins, outs], backward, [c, o, ky * 3 + kx]);
                        want += f64::from(weight) * at(&input, n, c, row as usize, col as usize);
                    }
                }
                want *= if backward { 1.0 } else { f64::from(before[scale + o]) };
                want += if has_bias { f64::from(before[bias + o]) } else { 0.0 };
                want += if accumulate { at(&out, n, o, y, x) } else { 0.0 };
                want += if has_residual { at(&residual, n, o, y, x) } else { 0.0 };
                let want = if has_bias { want.max(0.0) } else { want };
                let found = f64::from(arena[out.element(n, o, y, x)]);
                prop_assert!((found - want).abs() < 2e-4, "{found} for {want} at {n} {o} {y} {x}, {isa:?}");
            }
        }
    }
}

/// The weight of a channel that goes in for one that comes out, at one of the nine taps.
fn weight(weights: &[f32], [ins, outs]: [usize; 2], backward: bool, [c, o, tap]: [usize; 3]) -> f32 {
    match backward {
        true => weights[(c * outs + o) * 9 + 8 - tap],
        false => weights[(o * ins + c) * 9 + tap],
    }
}

/// The halo of an input holds zeros.
fn empty_halo(arena: &mut [f32], input: &Layout, batch: usize) {
    let (lanes, width) = (input.block, input.chw[2]);
    for row in 0..input.rows(batch) {
        let at = input.row_at(row);
        arena[at - lanes..at].fill(0.0);
        arena[at + width * lanes..at + (width + 2) * lanes].fill(0.0);
    }
}

fn indices(a: usize, b: usize, c: usize, d: usize) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    (0..a * b * c * d).map(move |i| (i / (b * c * d), i / (c * d) % b, i / d % c, i % d))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn is_a_gradient(
        seed in any::<u64>(),
        sizes in (1_usize..4, 1_usize..70, 1_usize..70, 1_usize..12, 1_usize..12),
        pads in (0_isize..3, 0_isize..3),
        rounds in 1_usize..4,
    ) {
        let (batch, ins, outs, height, width) = sizes;
        for isa in Isa::available() {
            let mut rng = StdRng::seed_from_u64(seed);
            let lanes = isa.lanes();
            let input = Layout { halo: [2, 1], ..Layout::blocked([ins, height, width], lanes) };
            let d_out = Layout { halo: [0, 2], ..Layout::blocked([outs, height, width], lanes) }.at(len(&input, batch));
            let mut grad = WinogradGrad::new(batch, input, d_out, [pads.0, pads.1], 0);
            grad.place = d_out.at + len(&d_out, batch);
            // A round has a tile at least.
            let rounds = rounds.min(batch * height.div_ceil(4) * width.div_ceil(4));
            grad.rounds = rounds;
            let mut arena: Vec<f32> = (0..grad.place + grad.len()).map(|_| rng.gen_range(-1.0..1.0)).collect();
            // The halo of an input holds zeros, and so do the channels that fill up a block.
            for row in 0..input.rows(batch) {
                let at = input.row_at(row);
                arena[at - 2 * lanes..at].fill(0.0);
                arena[at + width * lanes..at + (width + 1) * lanes].fill(0.0);
            }
            let before = arena.clone();
            let mut steps = Vec::new();
            for round in 0..rounds {
                grad.round = round;
                steps.extend([Step::WinogradTiles(WinogradTiles(grad)), Step::Barrier, Step::WinogradGrad(grad), Step::Barrier]);
            }
            let start: Vec<f32> = (0..ins * outs * 9).map(|_| rng.gen_range(-1.0..1.0)).collect();
            let mut found = start.clone();
            let program = Program::new(steps, isa, arena.len());
            let places = [Some(Mem::new(&mut found))];
            program.run(&mut arena, Bindings { grads: &places, ..Bindings::default() }, &threads::team());
            for (o, c, ky, kx) in indices(outs, ins, 3, 3) {
                let i = (o * ins + c) * 9 + ky * 3 + kx;
                let mut want = f64::from(start[i]);
                for (n, y, x, _) in indices(batch, height, width, 1) {
                    let (row, col) = ((y + ky) as isize - pads.0, (x + kx) as isize - pads.1);
                    if (0..height as isize).contains(&row) && (0..width as isize).contains(&col) {
                        let pixel = before[input.element(n, c, row as usize, col as usize)];
                        want += f64::from(pixel) * f64::from(before[d_out.element(n, o, y, x)]);
                    }
                }
                let found = f64::from(found[i]);
                prop_assert!((found - want).abs() < 4e-4, "{found} for {want} at {o} {c} {ky} {kx}, {isa:?}");
            }
        }
    }
}
