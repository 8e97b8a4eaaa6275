//! Denormal numbers become zero while the engine runs on a thread: they make multiplications tens of times slower and carry
//! nothing that a network could learn from.

/// Switches the flushing of denormals on, and back to what it was when dropped.
pub struct FlushDenormals(u64);

impl FlushDenormals {
    /// Switches it on for this thread.
    pub fn start() -> Self {
        let before = control();
        set_control(before | FLUSH);
        FlushDenormals(before)
    }
}

impl Drop for FlushDenormals {
    fn drop(&mut self) {
        set_control(self.0);
    }
}

/// Results and operands, as bits of the control register.
#[cfg(target_arch = "x86_64")]
const FLUSH: u64 = 1 << 15 | 1 << 6;

#[cfg(target_arch = "x86_64")]
fn control() -> u64 {
    let mut value = 0_u32;
    // SAFETY: stores the register to the address of `value`.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut value, options(nostack, preserves_flags)) };
    u64::from(value)
}

#[cfg(target_arch = "x86_64")]
fn set_control(value: u64) {
    let value = value as u32;
    // SAFETY: only the two bits of `FLUSH` ever change, which choose how denormals are treated.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const value, options(nostack, preserves_flags, readonly)) };
}

#[cfg(target_arch = "aarch64")]
const FLUSH: u64 = 1 << 24;

#[cfg(target_arch = "aarch64")]
fn control() -> u64 {
    let value: u64;
    // SAFETY: reads a register.
    unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

#[cfg(target_arch = "aarch64")]
fn set_control(value: u64) {
    // SAFETY: only the bit of `FLUSH` ever changes, which chooses how denormals are treated.
    unsafe { std::arch::asm!("msr fpcr, {}", in(reg) value, options(nomem, nostack, preserves_flags)) };
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const FLUSH: u64 = 0;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn control() -> u64 {
    0
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn set_control(_: u64) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denormals_are_flushed_only_meanwhile() {
        let half = |x: f32| std::hint::black_box(x) * std::hint::black_box(0.5);
        let flushed = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
        assert!(half(f32::MIN_POSITIVE) > 0.0);
        {
            let _flush = FlushDenormals::start();
            assert_eq!(half(f32::MIN_POSITIVE) == 0.0, flushed);
        }
        assert!(half(f32::MIN_POSITIVE) > 0.0);
    }
}
