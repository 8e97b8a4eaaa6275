//! All shape arithmetic: numbers in, numbers out.

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
pub fn windows_ceil(input: u64, pad: u64, span: u64, stride: u64) -> Result<u64, DoesNotFit> {
    let outside = windows(input, pad, pad, span, stride)?;
    let free = input + 2 * pad - span;
    let rounded = if free.is_multiple_of(stride) { outside } else { outside + 1 };
    let last_start = (rounded - 1).checked_mul(stride).ok_or(DoesNotFit)?;
    Ok(if last_start >= input + pad { rounded - 1 } else { rounded })
}

/// Padding before and after for an output of `ceil(input / stride)`; an odd pixel goes after.
pub fn same(input: u64, span: u64, stride: u64) -> (u64, u64) {
    let outputs = input.div_ceil(stride.max(1));
    let needed = (outputs.saturating_sub(1)).saturating_mul(stride).saturating_add(span).saturating_sub(input);
    (needed / 2, needed - needed / 2)
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
