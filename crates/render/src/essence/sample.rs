//! Sixteen pixels at once, sampled bilinearly along a slowly changing offset.
//!
//! Over a block the whole-pixel part of the offset is mostly the same: then its samples are two short runs of
//! neighbours, mixed in 16-bit lanes, which compilers turn into vector code. Elsewhere a block is sampled once for each
//! whole-pixel part and put together, with the same arithmetic.

/// Pixels in a block.
pub(super) const BLOCK: usize = 16;
const LAST: i32 = BLOCK as i32 - 1;

/// Where a block's pixels come from: 16.16 fixed-point offsets of its first pixel, and their growth a pixel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) step_x: i32,
    pub(super) step_y: i32,
}

impl Run {
    /// A run from the offsets at the block's first pixel to those at the next block's.
    #[inline(always)]
    pub(super) fn between(from: (i32, i32), to: (i32, i32)) -> Self {
        Self { x: from.0, y: from.1, step_x: (to.0 - from.0) >> 4, step_y: (to.1 - from.1) >> 4 }
    }

    /// The whole-pixel part at a pixel of the block.
    #[inline(always)]
    pub(super) fn whole(&self, k: i32) -> (i32, i32) {
        ((self.x + k * self.step_x) >> 16, (self.y + k * self.step_y) >> 16)
    }

    /// The whole-pixel parts at both ends; in between they are in between.
    #[inline(always)]
    pub(super) fn ends(&self) -> [(i32, i32); 2] {
        [self.whole(0), self.whole(LAST)]
    }
}

/// Samples a block; `base` is the index of the place its first pixel would have without offsets.
#[inline(always)]
pub(super) fn sample(source: &[u8], stride: usize, base: usize, run: Run) -> [u8; BLOCK] {
    let [first, last] = run.ends();
    if first == last { sample_at(source, stride, base, run, first) } else { sample_pieces(source, stride, base, run) }
}

#[inline(never)]
fn sample_pieces(source: &[u8], stride: usize, base: usize, run: Run) -> [u8; BLOCK] {
    let mut current = run.whole(0);
    let mut out = sample_at(source, stride, base, run, current);
    for k in 1..BLOCK {
        let here = run.whole(k as i32);
        if here != current {
            current = here;
            out[k..].copy_from_slice(&sample_at(source, stride, base, run, here)[k..]);
        }
    }
    out
}

#[inline(always)]
fn sample_at(source: &[u8], stride: usize, base: usize, run: Run, (x, y): (i32, i32)) -> [u8; BLOCK] {
    let start = base.wrapping_add_signed(y as isize * stride as isize + x as isize);
    let pair = &source[start..start + stride + BLOCK + 1];
    let (upper, lower) = (&pair[..BLOCK + 1], &pair[stride..]);
    // Only the fractions matter here: 16-bit lanes hold them, and wrap as they should.
    let (fraction_x, fraction_y) = (run.x as u16, run.y as u16);
    let (step_x, step_y) = (run.step_x as u16, run.step_y as u16);
    let mut out = [0; BLOCK];
    for k in 0..BLOCK {
        let across = fraction_x.wrapping_add(step_x.wrapping_mul(k as u16)) >> 8;
        let down = fraction_y.wrapping_add(step_y.wrapping_mul(k as u16)) >> 8;
        let above = mix(upper[k], upper[k + 1], across);
        let below = mix(lower[k], lower[k + 1], across);
        out[k] = mix(above, below, down);
    }
    out
}

/// A mix of two bytes; `share` of 256 parts of the second.
///
/// Nothing here can wrap, as 255 * 256 + 128 fits; saying so keeps overflow checks out of the inner loop.
#[inline(always)]
pub(super) fn mix(from: u8, to: u8, share: u16) -> u8 {
    let from = u16::from(from).wrapping_mul(256_u16.wrapping_sub(share));
    let to = u16::from(to).wrapping_mul(share);
    (from.wrapping_add(to).wrapping_add(128) >> 8) as u8
}
