//! The taps of a correlation: which numbers of its source an output is a sum of, and which weight each of them has.

use crate::kernels::{Block, WeightBlock, WeightMap};
use std::ops::Range;

/// How a dense layer's weight parameter is laid out: the distance between source channels and between lanes.
pub struct DenseStrides {
    pub tap: usize,
    pub lane: usize,
}

/// What the taps of a correlation are listed from.
pub struct KernelShape<'a> {
    /// Output channels.
    pub channels: usize,
    /// Output channels of a block.
    pub lanes: usize,
    /// Channels of a block of the source.
    pub source_block: usize,
    /// The rows of the kernel that are read, with the columns of each.
    pub rows: Vec<(usize, Vec<usize>)>,
    /// Columns of the whole kernel.
    pub width: usize,
    /// Whether all blocks have the same taps, and their weights lie at the same distances.
    pub dense: bool,
    /// Whether a row's taps come in runs of one channel's pixels, and not in the order of addresses, channel by channel in each
    /// pixel.
    pub runs: bool,
    /// The source channels that some output channels read.
    pub sources: &'a dyn Fn(Range<usize>) -> Vec<usize>,
    /// The offset of a tap, by source channel, row and column.
    pub offset: &'a dyn Fn(usize, usize, usize) -> isize,
    /// The offset of the kernel between an output channel and a source channel, if there is one; asked unless `dense`.
    pub kernel_at: &'a dyn Fn(usize, usize) -> Option<usize>,
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
    /// Lists the taps of all blocks.
    pub fn new(kernel: &KernelShape<'_>) -> Self {
        let KernelShape { channels, lanes, source_block, width, dense, runs, .. } = *kernel;
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
                let sources = (kernel.sources)(outs.clone());
                let first_tap = lists.offsets.len();
                for (ky, cols) in &kernel.rows {
                    // Neighbouring taps share cache lines.
                    for group in sources.chunk_by(|a, b| !runs && a / source_block == b / source_block) {
                        for kx in cols {
                            for source in group {
                                lists.offsets.push((kernel.offset)(*source, *ky, *kx) as i32);
                                lists.names.push((*source, ky * width + kx));
                            }
                        }
                    }
                }
                let taps = lists.offsets.len() - first_tap;
                let row_taps = taps.checked_div(kernel.rows.len()).unwrap_or(0);
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
                        let at = outs.clone().nth(lane).and_then(|out| (kernel.kernel_at)(out, *source));
                        table.push(at.map_or(WeightMap::HOLE, |at| (at + place) as u32));
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
