//! The vector registers that the convolution kernels are written against, one implementation an instruction set.
//!
//! Kernels are generic over [`Simd`] and always inlined into a function that switches the instruction set on
//! ([`Simd::enter`]); the set is found once, at run time.

#[cfg(target_arch = "aarch64")]
mod neon;

#[cfg(target_arch = "aarch64")]
pub use neon::Neon;
use std::sync::OnceLock;

/// An instruction set that kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// Whatever the target offers without asking.
    Portable,
    /// 256-bit AVX2 with FMA and F16C.
    Avx2,
    /// 512-bit AVX-512F.
    Avx512,
    /// 128-bit NEON.
    Neon,
}

impl Isa {
    /// The best one that this processor has; `CONVNET_ISA=portable|avx2|avx512|neon` asks for a lesser one.
    pub fn detect() -> Isa {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| {
            let available = Isa::available();
            let wanted = std::env::var("CONVNET_ISA").ok();
            let chosen = available.iter().find(|isa| wanted.as_deref() == Some(isa.name()));
            *chosen.or(available.last()).unwrap_or(&Isa::Portable)
        })
    }

    /// All that this processor has, the best one last.
    pub fn available() -> Vec<Isa> {
        #[allow(unused_mut)] // Other processors have only the first one.
        let mut all = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2 && is_x86_feature_detected!("f16c") {
                all.push(Isa::Avx2);
                if is_x86_feature_detected!("avx512f") {
                    all.push(Isa::Avx512);
                }
            }
        }
        // Part of the target, so there is nothing to ask the processor.
        #[cfg(target_arch = "aarch64")]
        all.push(Isa::Neon);
        all
    }

    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Neon => "neon",
        }
    }

    /// Pixels that a tile of one, two, three or four blocks of channels may hold.
    pub fn widest(self) -> [usize; 4] {
        match self {
            Isa::Portable => Scalar8::WIDEST,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Avx2::WIDEST,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Avx512::WIDEST,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => Neon::WIDEST,
            _ => unreachable!("Isa::available lists only what the target has"),
        }
    }

    /// Runs a kernel for this instruction set.
    ///
    /// # Safety
    /// The processor has it, and the kernel's own conditions hold.
    pub unsafe fn enter(self, kernel: impl Kernel) {
        // SAFETY: passed on from the caller.
        unsafe {
            match self {
                Isa::Portable => Scalar8::enter(kernel),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => Avx2::enter(kernel),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => Avx512::enter(kernel),
                #[cfg(target_arch = "aarch64")]
                Isa::Neon => Neon::enter(kernel),
                _ => unreachable!("Isa::available lists only what the target has"),
            }
        }
    }

    /// Numbers in a register, which is the number of channels in a block.
    pub fn lanes(self) -> usize {
        match self {
            Isa::Portable => Scalar8::LANES,
            Isa::Avx2 | Isa::Neon => 8,
            Isa::Avx512 => 16,
        }
    }
}

/// Code for whichever instruction set, that [`Simd::enter`] compiles for its own. Large kernels are split into several of
/// them: a function's frame without optimisation has room for all that was inlined into it at once.
pub trait Kernel {
    /// Runs it; always inlined into [`Simd::enter`].
    ///
    /// # Safety
    /// The instruction set of `S` is switched on in the caller, and the kernel's own conditions hold.
    unsafe fn run<S: Simd>(self);
}

/// A register of [`LANES`](Simd::LANES) single-precision numbers.
pub trait Simd: Sized {
    /// Numbers in a register.
    const LANES: usize;
    /// Pixels that a tile of one, two, three or four blocks of channels may hold: a register for each sum, with room left
    /// for weights and input.
    const WIDEST: [usize; 4];
    /// The register.
    type V: Copy;
    /// All lanes zero.
    unsafe fn zero() -> Self::V;
    /// All lanes the number at `p`.
    unsafe fn splat(p: *const f32) -> Self::V;
    /// The `LANES` numbers at `p`, which need not be aligned.
    unsafe fn load(p: *const f32) -> Self::V;
    /// The `LANES` numbers in half precision at `p`, which need not be aligned.
    unsafe fn load_half(p: *const u16) -> Self::V;
    /// Asks for the cache line at `p`, which need not be a readable address.
    #[inline(always)]
    fn prefetch(p: *const f32) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a hint that never faults.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(p.cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = p;
    }
    /// Writes the lanes to `p`, which need not be aligned.
    unsafe fn store(p: *mut f32, v: Self::V);
    /// `a * b + c`
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a * b + c` of single numbers, rounded once where the instruction set can; in loops that become vector code.
    #[inline(always)]
    fn fused(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
    /// `a + b`
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `x`, but zero where it is negative; a NaN stays one.
    unsafe fn rectify(x: Self::V) -> Self::V;
    /// The larger one; a NaN is larger than all.
    unsafe fn larger(a: Self::V, b: Self::V) -> Self::V;
    /// `x` where `sign` is positive, else zero.
    unsafe fn where_positive(sign: Self::V, x: Self::V) -> Self::V;
    /// The lanes with even and those with odd numbers, of `a` and then of `b`.
    #[inline(always)]
    unsafe fn split(a: Self::V, b: Self::V) -> [Self::V; 2] {
        let mut joined = [0.0_f32; 32];
        // SAFETY: no register has more than 16 lanes.
        unsafe {
            Self::store(joined.as_mut_ptr(), a);
            Self::store(joined.as_mut_ptr().add(Self::LANES), b);
            [0, 1].map(|odd| {
                let lanes: [f32; 16] = std::array::from_fn(|i| joined[2 * i + odd]);
                Self::load(lanes.as_ptr())
            })
        }
    }
    /// Runs a kernel in a function that is compiled for this instruction set: a call that is never inlined.
    ///
    /// # Safety
    /// The processor has the instruction set, and the kernel's own conditions hold.
    unsafe fn enter<K: Kernel>(kernel: K);
    /// All lanes `x`.
    #[inline(always)]
    unsafe fn set(x: f32) -> Self::V {
        // SAFETY: the address is that of a number.
        unsafe { Self::splat(&x) }
    }
}

/// Eight numbers in an array, for the compiler to make the best of.
pub struct Scalar8;

impl Simd for Scalar8 {
    const LANES: usize = 8;
    const WIDEST: [usize; 4] = [4, 2, 1, 1];
    type V = [f32; 8];

    #[inline(always)]
    unsafe fn zero() -> Self::V {
        [0.0; 8]
    }
    #[inline(always)]
    unsafe fn splat(p: *const f32) -> Self::V {
        // SAFETY: the caller passes a readable address.
        [unsafe { *p }; 8]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        // SAFETY: the caller passes eight readable numbers; an array of f32 has their alignment.
        unsafe { *p.cast() }
    }
    #[inline(always)]
    unsafe fn load_half(p: *const u16) -> Self::V {
        // SAFETY: the caller passes eight readable numbers.
        std::array::from_fn(|i| half::f16::from_bits(unsafe { *p.add(i) }).to_f32())
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        // SAFETY: the caller passes room for eight numbers; an array of f32 has their alignment.
        unsafe { *p.cast() = v }
    }
    #[inline(always)]
    fn fused(a: f32, b: f32, c: f32) -> f32 {
        // Not `mul_add`, which is a function call where the target has no instruction for it.
        a * b + c
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // Nor here.
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn rectify(x: Self::V) -> Self::V {
        x.map(|x| if x < 0.0 { 0.0 } else { x })
    }
    #[inline(always)]
    unsafe fn larger(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| if b[i] > a[i] || b[i].is_nan() { b[i] } else { a[i] })
    }
    #[inline(always)]
    unsafe fn where_positive(sign: Self::V, x: Self::V) -> Self::V {
        std::array::from_fn(|i| if sign[i] > 0.0 { x[i] } else { 0.0 })
    }
    #[inline(never)]
    unsafe fn enter<K: Kernel>(kernel: K) {
        // SAFETY: passed on from the caller.
        unsafe { kernel.run::<Self>() }
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Kernel, Simd};
    use std::arch::x86_64::*;

    /// 8 lanes, 16 registers.
    pub struct Avx2;

    // SAFETY of every block below: the caller is compiled for the instruction set and passes addresses that hold as many
    // numbers as the register.
    impl Simd for Avx2 {
        const LANES: usize = 8;
        // Three blocks of four pixels would fill all registers, and compilers then move sums from one to the next.
        const WIDEST: [usize; 4] = [12, 6, 3, 2];
        type V = __m256;

        #[inline(always)]
        unsafe fn zero() -> __m256 {
            // SAFETY: see above.
            unsafe { _mm256_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn splat(p: *const f32) -> __m256 {
            // SAFETY: see above.
            unsafe { _mm256_set1_ps(*p) }
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> __m256 {
            // SAFETY: see above.
            unsafe { _mm256_loadu_ps(p) }
        }
        #[inline(always)]
        unsafe fn load_half(p: *const u16) -> __m256 {
            // SAFETY: see above.
            unsafe { _mm256_cvtph_ps(_mm_loadu_si128(p.cast())) }
        }
        #[inline(always)]
        unsafe fn store(p: *mut f32, v: __m256) {
            // SAFETY: see above.
            unsafe { _mm256_storeu_ps(p, v) }
        }
        #[inline(always)]
        unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
            // SAFETY: see above.
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn add(a: __m256, b: __m256) -> __m256 {
            // SAFETY: see above.
            unsafe { _mm256_add_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: __m256, b: __m256) -> __m256 {
            // SAFETY: see above.
            unsafe { _mm256_sub_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn mul(a: __m256, b: __m256) -> __m256 {
            // SAFETY: see above.
            unsafe { _mm256_mul_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn rectify(x: __m256) -> __m256 {
            // SAFETY: see above. Of a NaN, the second operand is the result.
            unsafe { _mm256_max_ps(_mm256_setzero_ps(), x) }
        }
        #[inline(always)]
        unsafe fn larger(a: __m256, b: __m256) -> __m256 {
            // SAFETY: see above.
            unsafe {
                let wins = _mm256_or_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(b, a), _mm256_cmp_ps::<_CMP_UNORD_Q>(b, b));
                _mm256_blendv_ps(a, b, wins)
            }
        }
        #[inline(always)]
        unsafe fn where_positive(sign: __m256, x: __m256) -> __m256 {
            // SAFETY: see above.
            unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(sign, _mm256_setzero_ps()), x) }
        }
        #[inline(always)]
        unsafe fn split(a: __m256, b: __m256) -> [__m256; 2] {
            // SAFETY: see above. Within halves first, then the halves' halves.
            unsafe {
                [_mm256_shuffle_ps::<0b10_00_10_00>(a, b), _mm256_shuffle_ps::<0b11_01_11_01>(a, b)]
                    .map(|v| _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_castps_pd(v))))
            }
        }
        #[inline(always)]
        unsafe fn enter<K: Kernel>(kernel: K) {
            #[target_feature(enable = "avx2,fma,f16c")]
            #[inline(never)]
            unsafe fn entered<K: Kernel>(kernel: K) {
                // SAFETY: passed on from the caller.
                unsafe { kernel.run::<Avx2>() }
            }
            // SAFETY: passed on from the caller.
            unsafe { entered(kernel) }
        }
    }

    /// 16 lanes, 32 registers.
    pub struct Avx512;

    // SAFETY of every block below: as for `Avx2`.
    impl Simd for Avx512 {
        const LANES: usize = 16;
        const WIDEST: [usize; 4] = [14, 14, 9, 6];
        type V = __m512;

        #[inline(always)]
        unsafe fn zero() -> __m512 {
            // SAFETY: see above.
            unsafe { _mm512_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn splat(p: *const f32) -> __m512 {
            // SAFETY: see above.
            unsafe { _mm512_set1_ps(*p) }
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> __m512 {
            // SAFETY: see above.
            unsafe { _mm512_loadu_ps(p) }
        }
        #[inline(always)]
        unsafe fn load_half(p: *const u16) -> __m512 {
            // SAFETY: see above.
            unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(p.cast())) }
        }
        #[inline(always)]
        unsafe fn store(p: *mut f32, v: __m512) {
            // SAFETY: see above.
            unsafe { _mm512_storeu_ps(p, v) }
        }
        #[inline(always)]
        unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
            // SAFETY: see above.
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn add(a: __m512, b: __m512) -> __m512 {
            // SAFETY: see above.
            unsafe { _mm512_add_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: __m512, b: __m512) -> __m512 {
            // SAFETY: see above.
            unsafe { _mm512_sub_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn mul(a: __m512, b: __m512) -> __m512 {
            // SAFETY: see above.
            unsafe { _mm512_mul_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn rectify(x: __m512) -> __m512 {
            // SAFETY: see above. Of a NaN, the second operand is the result.
            unsafe { _mm512_max_ps(_mm512_setzero_ps(), x) }
        }
        #[inline(always)]
        unsafe fn larger(a: __m512, b: __m512) -> __m512 {
            // SAFETY: see above.
            unsafe {
                let wins = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(b, a) | _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(b, b);
                _mm512_mask_mov_ps(a, wins, b)
            }
        }
        #[inline(always)]
        unsafe fn where_positive(sign: __m512, x: __m512) -> __m512 {
            // SAFETY: see above.
            unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(sign, _mm512_setzero_ps()), x) }
        }
        #[inline(always)]
        unsafe fn split(a: __m512, b: __m512) -> [__m512; 2] {
            // SAFETY: see above.
            unsafe {
                let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
                let odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
                [_mm512_permutex2var_ps(a, even, b), _mm512_permutex2var_ps(a, odd, b)]
            }
        }
        #[inline(always)]
        unsafe fn enter<K: Kernel>(kernel: K) {
            #[target_feature(enable = "avx512f,avx2,fma,f16c")]
            #[inline(never)]
            unsafe fn entered<K: Kernel>(kernel: K) {
                // SAFETY: passed on from the caller.
                unsafe { kernel.run::<Avx512>() }
            }
            // SAFETY: passed on from the caller.
            unsafe { entered(kernel) }
        }
    }
}
