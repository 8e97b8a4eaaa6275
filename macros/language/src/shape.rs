//! All shape arithmetic: numbers in, numbers out.

use convnet_graph::Extent;
use std::ops::Range;

/// Where the windows of a convolution or pooling do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoesNotFit;

/// Extent of a kernel with gaps: `dilation * (kernel - 1) + 1`.
pub fn span(kernel: u64, dilation: u64) -> Option<u64> {
    kernel.checked_sub(1)?.checked_mul(dilation)?.checked_add(1)
}

/// Output extent of a convolution (or pooling): `(input + before + after - span) / stride + 1`, rounded down.
pub fn windows(input: u64, before: u64, after: u64, span: u64, stride: u64) -> Result<u64, DoesNotFit> {
    let padded = input.checked_add(before).and_then(|n| n.checked_add(after)).ok_or(DoesNotFit)?;
    let free = padded.checked_sub(span).ok_or(DoesNotFit)?;
    free.checked_div(stride).map(|steps| steps + 1).ok_or(DoesNotFit)
}

/// Output extent of a pooling that rounds up, as PyTorch does: the last window has to start inside the input or the
/// padding before it.
pub fn windows_ceil(input: u64, before: u64, after: u64, span: u64, stride: u64) -> Result<u64, DoesNotFit> {
    let outside = windows(input, before, after, span, stride)?;
    let free = input + before + after - span;
    let rounded = if free.is_multiple_of(stride) { outside } else { outside + 1 };
    let last_start = (rounded - 1).checked_mul(stride).ok_or(DoesNotFit)?;
    Ok(if last_start >= input + before { rounded - 1 } else { rounded })
}

/// Padding before and after for an output of `ceil(input / stride)`; an odd pixel goes after.
pub fn same(input: u64, span: u64, stride: u64) -> (u64, u64) {
    let outputs = input.div_ceil(stride.max(1));
    let needed = (outputs.saturating_sub(1)).saturating_mul(stride).saturating_add(span).saturating_sub(input);
    (needed / 2, needed - needed / 2)
}

/// The padding with which a window of an odd extent, with stride 1, would keep the size, and how much more that is at each side than it has.
/// `None` where there is no such window, or where it lacks nothing.
pub fn lacking(extent: Extent) -> Option<(usize, usize)> {
    let Extent::Windows { kernel: [kernel, other], pad, dilation: [dilation, also], .. } = extent else { return None };
    let span = kernel.checked_sub(1)?.checked_mul(dilation)?;
    let is_square = kernel == other && dilation == also;
    let is_even = pad.top == pad.bottom && pad.left == pad.right && pad.top == pad.left;
    let more = (span / 2).checked_sub(pad.top)?;
    (is_square && is_even && span % 2 == 0 && more > 0).then_some((span / 2, more))
}

/// The largest bin of an adaptive pooling: from `floor(i * input / output)` to `ceil((i + 1) * input / output)`.
pub fn largest_bin(input: u64, output: u64) -> u64 {
    let bin = |i: u64| ((i + 1) * input).div_ceil(output) - i * input / output;
    // Bins repeat after output / gcd(input, output); beyond a few thousand the difference is nobody's concern.
    (0..output.min(4096)).map(bin).max().unwrap_or(input)
}

/// Output extent of a transposed convolution; `None` where nothing is left.
pub fn transposed(input: u64, span: u64, stride: u64, pad: u64, more: u64) -> Option<u64> {
    let reach = input.checked_sub(1)?.saturating_mul(stride).saturating_add(span).saturating_add(more);
    reach.checked_sub(pad.saturating_mul(2)).filter(|n| *n > 0)
}

/// The pixels of an extent of `input`, as ranges, that none of `outputs` windows reads. Windows of `kernel` taps, `dilation` apart, begin
/// every `stride` pixels, the first one `before` the input. Nothing where finding out would take more than `work` steps, which it takes from
/// that.
pub fn unread(input: u64, before: u64, window: Taps, outputs: u64, work: &mut u64) -> Option<Vec<Range<u64>>> {
    let Taps { kernel, stride, dilation } = window;
    let last = outputs.checked_sub(1)?.checked_mul(stride)?;
    let end = last.checked_add(span(kernel, dilation)?)?.saturating_sub(before);
    // Windows that touch, or taps that fill each other's gaps, leave nothing between them.
    if (dilation == 1 && stride <= kernel) || (stride == 1 && outputs >= dilation) {
        return Some(std::iter::once(end..input).filter(|rest| !rest.is_empty()).collect());
    }
    *work = work.checked_sub(outputs.checked_mul(kernel)?.checked_add(input)?)?;
    let mut read = vec![false; usize::try_from(input).ok()?];
    for start in (0..outputs).map(|output| output * stride) {
        for at in (0..kernel).map(|tap| start + tap * dilation).filter(|at| *at >= before) {
            if let Some(place) = usize::try_from(at - before).ok().and_then(|at| read.get_mut(at)) {
                *place = true;
            }
        }
    }
    let mut found: Vec<Range<u64>> = Vec::new();
    for (at, _) in (0..input).zip(read).filter(|(_, read)| !read) {
        match found.last_mut() {
            Some(range) if range.end == at => range.end = at + 1,
            _ => found.push(at..at + 1),
        }
    }
    Some(found)
}

/// The pixels that are in both lists.
pub fn both(a: &[Range<u64>], b: &[Range<u64>]) -> Vec<Range<u64>> {
    let (mut found, mut rest) = (Vec::new(), b.iter().peekable());
    for one in a {
        while let Some(other) = rest.peek() {
            let shared = one.start.max(other.start)..one.end.min(other.end);
            if !shared.is_empty() {
                found.push(shared);
            }
            if other.end > one.end {
                break;
            }
            rest.next();
        }
    }
    found
}

/// The taps of a window along one dimension.
#[derive(Debug, Clone, Copy)]
pub struct Taps {
    pub kernel: u64,
    pub stride: u64,
    pub dilation: u64,
}
