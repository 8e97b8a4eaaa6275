//! The taps of a correlation: which numbers of its source an output is a sum of, and which weight each of them has.

use crate::kernels::{Block, WeightBlock, WeightMap};
use std::ops::Range;

/// How a dense layer's weight parameter is laid out: the distance between source channels and between lanes.
pub struct DenseStrides {
    pub tap: usize,
    pub lane: usize,
}

/// The taps of all blocks of a correlation, as (source channel, ky, kx) and as offsets.
pub struct KernelTaps {
    offsets: Vec<i32>,
    names: Vec<(usize, usize)>,
    blocks: Vec<Block>,
    weight_blocks: Vec<WeightBlock>,
    table: Option<Vec<u32>>,
    lanes: usize,
}

impl KernelTaps {
    /// For blocks of `lanes` of `channels` output channels: `sources` lists what a block reads, `kernel` the columns of the
    /// kernel in each of its rows, `kernel_at(lane's channel, source channel)` the offset of the kernel between two. A row's
    /// taps are in the order of addresses, channel by channel in each pixel, or in `runs` of one channel's pixels.
    pub fn new(
        channels: usize,
        lanes: usize,
        sources: impl Fn(Range<usize>) -> Vec<usize>,
        kernel: Vec<(usize, Vec<usize>)>,
        source_block: usize,
        dense: bool,
        offset: impl Fn(usize, usize, usize) -> isize,
        kernel_at: impl Fn(usize, usize) -> Option<usize>,
        kernel_width: usize,
        runs: bool,
    ) -> Self {
        let mut lists = KernelTaps {
            offsets: Vec::new(),
            names: Vec::new(),
            blocks: Vec::new(),
            weight_blocks: Vec::new(),
            table: (!dense).then(Vec::new),
            lanes,
        };
        let mut packed = 0;
        for block in 0..channels.div_ceil(lanes) {
            let outs = block * lanes..((block + 1) * lanes).min(channels);
            if block == 0 || !dense {
                let sources = sources(outs.clone());
                let first_tap = lists.offsets.len();
                for (ky, cols) in &kernel {
                    // Neighbouring taps share cache lines.
                    for group in sources.chunk_by(|a, b| !runs && a / source_block == b / source_block) {
                        for kx in cols {
                            for source in group {
                                lists.offsets.push(offset(*source, *ky, *kx) as i32);
                                lists.names.push((*source, ky * kernel_width + kx));
                            }
                        }
                    }
                }
                let taps = lists.offsets.len() - first_tap;
                let row_taps = taps.checked_div(kernel.len()).unwrap_or(0);
                lists.blocks.push(Block { out: 0, source: 0, weights: packed, bias: None, first_tap, row_taps });
                lists.weight_blocks.push(WeightBlock { packed, first_tap, taps, base: 0, stride: 0, used: outs.len() });
            } else {
                lists.blocks.push(Block { weights: packed, ..lists.blocks[0] });
                lists.weight_blocks.push(WeightBlock { packed, used: outs.len(), ..lists.weight_blocks[0] });
            }
            let taps = lists.weight_blocks[block].taps;
            if let Some(table) = &mut lists.table {
                let first_tap = lists.weight_blocks[block].first_tap;
                for (source, place) in &lists.names[first_tap..first_tap + taps] {
                    for lane in 0..lanes {
                        let kernel = outs.clone().nth(lane).and_then(|out| kernel_at(out, *source));
                        table.push(kernel.map_or(WeightMap::HOLE, |kernel| (kernel + place) as u32));
                    }
                }
            }
            packed += taps * lanes;
        }
        lists
    }

    pub fn finish(mut self, dense: DenseStrides) -> (Vec<i32>, Vec<Block>, WeightMap) {
        let mut taps = Vec::new();
        if self.table.is_none() {
            taps = self.names.iter().map(|(source, place)| (source * dense.tap + place) as u32).collect();
            for (index, block) in self.weight_blocks.iter_mut().enumerate() {
                block.base = index * self.lanes * dense.lane;
                block.stride = dense.lane;
            }
        }
        let map = WeightMap { blocks: self.weight_blocks, taps, lanes: self.lanes, table: self.table };
        (self.offsets, self.blocks, map)
    }
}
