//! Sixteen pixels at once, sampled bilinearly along a slowly changing offset.
//!
//! Over a block the whole-pixel part of the offset is mostly the same: then its samples are two short runs of
//! neighbours, mixed in 16-bit lanes, which compilers turn into vector code. Elsewhere a block is sampled once for each
//! whole-pixel part and put together.

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
    if first == last {
        sample_piece(source, stride, base, run, first)
    } else {
        sample_pieces(source, stride, base, run)
    }
}

/// The two rows that samples lie between, one pixel longer than a block.
#[inline(always)]
fn rows(source: &[u8], stride: usize, base: usize, (x, y): (i32, i32)) -> (&[u8], &[u8]) {
    let start = base.wrapping_add_signed(y as isize * stride as isize + x as isize);
    let both = &source[start..start + stride + BLOCK + 1];
    (&both[..BLOCK + 1], &both[stride..])
}

/// The part of 256 that an offset and its growth make at a pixel; 16-bit lanes wrap as they should.
#[inline(always)]
fn share(offset: i32, step: i32, k: usize) -> u16 {
    (offset as u16).wrapping_add((step as u16).wrapping_mul(k as u16)) >> 8
}

#[inline(never)]
fn sample_pieces(source: &[u8], stride: usize, base: usize, run: Run) -> [u8; BLOCK] {
    let mut current = run.whole(0);
    let mut out = sample_piece(source, stride, base, run, current);
    for k in 1..BLOCK {
        let here = run.whole(k as i32);
        if here != current {
            current = here;
            out[k..].copy_from_slice(&sample_piece(source, stride, base, run, here)[k..]);
        }
    }
    out
}

/// A block of which only the pixels with this whole-pixel part are good.
#[inline(always)]
fn sample_piece(source: &[u8], stride: usize, base: usize, run: Run, whole: (i32, i32)) -> [u8; BLOCK] {
    let (upper, lower) = rows(source, stride, base, whole);
    let mut out = [0; BLOCK];
    for k in 0..BLOCK {
        let (across, down) = (share(run.x, run.step_x, k), share(run.y, run.step_y, k));
        out[k] = mix(mix(upper[k], upper[k + 1], across), mix(lower[k], lower[k + 1], across), down);
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
