//! The inner loop: planes sampled through an offset grid and laid over what the frame holds.
//!
//! Offsets change slowly, so that over a block of 16 pixels the whole-pixel part is mostly the same: then the block is
//! two short runs of neighbours and a bilinear mix in 16-bit lanes, which compilers turn into vector code. The other
//! blocks go pixel by pixel with the same arithmetic, so that both give the same bytes.

use super::layout::Rect;
use super::motion::{CELL_HEIGHT, CELL_WIDTH, Offsets};
use super::planes::{Planes, over};
use crate::Frame;

/// Pixels that are sampled together.
const BLOCK: usize = 16;

/// Of each row, where pixels begin and end, and where an unbroken stretch of solid ones begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Extent {
    any: (i32, i32),
    solid: (i32, i32),
}

/// The extents of a coverage plane's rows.
#[derive(Debug)]
pub(super) struct Extents(Vec<Extent>);

impl Extents {
    pub(super) fn of(coverage: &[u8], width: usize) -> Self {
        Self(coverage.chunks_exact(width).map(extent).collect())
    }
}

fn extent(row: &[u8]) -> Extent {
    let begin = row.iter().position(|&a| a > 0).map_or(0, |i| i as i32);
    let end = row.iter().rposition(|&a| a > 0).map_or(0, |i| i as i32 + 1);
    let (mut longest, mut start) = ((0, 0), 0_i32);
    for (index, &alpha) in row.iter().chain(std::iter::once(&0)).enumerate() {
        let index = index as i32;
        if alpha == 255 {
            continue;
        }
        if index - start > longest.1 - longest.0 {
            longest = (start, index);
        }
        start = index + 1;
    }
    Extent { any: (begin, end), solid: longest }
}

/// What moves: planes over a rectangle of the frame with a margin as wide as the farthest motion.
pub(super) struct Moving<'a> {
    /// The rectangle of the frame that is drawn; even corner, whole cells.
    pub(super) rect: Rect,
    /// How much farther the planes reach on each side; even.
    pub(super) margin: usize,
    /// Coverage: the same in every frame.
    pub(super) still: &'a Planes,
    pub(super) luma_extents: &'a Extents,
    pub(super) chroma_extents: &'a Extents,
    /// Colour, which this frame's mouth and eyes are drawn into.
    pub(super) planes: [&'a [u8]; 3],
}

/// Draws what moves over the frame.
pub(super) fn draw(moving: &Moving<'_>, offsets: &Offsets, frame: &mut Frame) {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let [y, u, v] = frame.planes_mut();
    let luma = Pass {
        origin: (moving.rect.x, moving.rect.y),
        blocks: moving.rect.width / BLOCK,
        rows: moving.rect.height,
        margin: moving.margin as i32,
        stride: moving.still.width,
        coverage: &moving.still.a,
        extents: moving.luma_extents,
        halving: 0,
    };
    luma.run(offsets, [moving.planes[0]], [y], width, height);
    let chroma = Pass {
        origin: (moving.rect.x / 2, moving.rect.y / 2),
        blocks: moving.rect.width / 2 / BLOCK,
        rows: moving.rect.height / 2,
        margin: moving.margin as i32 / 2,
        stride: moving.still.width / 2,
        coverage: &moving.still.ac,
        extents: moving.chroma_extents,
        halving: 1,
    };
    chroma.run(offsets, [moving.planes[1], moving.planes[2]], [u, v], width / 2, height / 2);
}

/// One pass over planes of the same size and coverage.
struct Pass<'a> {
    /// Plane position of the first pixel drawn.
    origin: (i32, i32),
    blocks: usize,
    rows: usize,
    margin: i32,
    stride: usize,
    coverage: &'a [u8],
    extents: &'a Extents,
    /// 0 for luma, 1 for planes of half the size.
    halving: u32,
}

/// Where a block's pixels come from: 16.16 offsets of its first pixel, and their growth a pixel.
#[derive(Clone, Copy)]
struct Run {
    x: i32,
    y: i32,
    step_x: i32,
    step_y: i32,
}

impl Pass<'_> {
    fn run<const N: usize>(
        &self,
        offsets: &Offsets,
        sources: [&[u8]; N],
        mut targets: [&mut [u8]; N],
        width: usize,
        height: usize,
    ) {
        let mut line = vec![(0_i32, 0_i32); offsets.columns];
        for row in 0..self.rows {
            let target_y = self.origin.1 + row as i32;
            let Some(target_y) = usize::try_from(target_y).ok().filter(|&y| y < height) else { continue };
            self.offsets_of_row(offsets, row, &mut line);
            for block in 0..self.blocks {
                let run = self.run_of_block(&line, block);
                let from_x = self.margin + (block * BLOCK) as i32;
                let Some(solid) = self.coverage_of(run, from_x, row as i32 + self.margin) else { continue };
                let base = (row as i32 + self.margin) * self.stride as i32 + from_x;

                let target_x = self.origin.0 + (block * BLOCK) as i32;
                let skip = (-target_x).clamp(0, BLOCK as i32) as usize;
                let keep = (width as i32 - target_x).clamp(0, BLOCK as i32) as usize;
                if skip >= keep {
                    continue;
                }
                let at = target_y * width + (target_x + skip as i32) as usize;
                let alpha = (!solid).then(|| sample(self.coverage, self.stride, base, run));
                for (source, target) in sources.iter().zip(&mut targets) {
                    let colour = sample(source, self.stride, base, run);
                    let out = &mut target[at..at + keep - skip];
                    match &alpha {
                        None => out.copy_from_slice(&colour[skip..keep]),
                        Some(alpha) => {
                            for ((pixel, &top), &a) in out.iter_mut().zip(&colour[skip..keep]).zip(&alpha[skip..keep]) {
                                *pixel = over(top, a, *pixel);
                            }
                        }
                    }
                }
            }
        }
    }

    /// The grid's offsets along one row of the plane.
    fn offsets_of_row(&self, offsets: &Offsets, row: usize, line: &mut [(i32, i32)]) {
        // A half-size row lies between two rows of the full size.
        let luma_row_twice = if self.halving == 0 { row * 2 } else { row * 4 + 1 };
        let cell = luma_row_twice / (2 * CELL_HEIGHT);
        let share = (luma_row_twice % (2 * CELL_HEIGHT)) as i32;
        let mix = |from: i32, to: i32| from + (to - from) / (2 * CELL_HEIGHT as i32) * share;
        let upper = cell * offsets.columns;
        let lower = upper + offsets.columns;
        for (column, place) in line.iter_mut().enumerate() {
            *place = (
                mix(offsets.x[upper + column], offsets.x[lower + column]) >> self.halving,
                mix(offsets.y[upper + column], offsets.y[lower + column]) >> self.halving,
            );
        }
    }

    fn run_of_block(&self, line: &[(i32, i32)], block: usize) -> Run {
        let cells = (BLOCK << self.halving) / CELL_WIDTH;
        let (from, to) = (line[block * cells], line[(block + 1) * cells]);
        let step = |from: i32, to: i32| (to - from) / BLOCK as i32;
        Run { x: from.0, y: from.1, step_x: step(from.0, to.0), step_y: step(from.1, to.1) }
    }

    /// Whether all that a block samples is solid; `None` when it is all clear.
    fn coverage_of(&self, run: Run, from_x: i32, from_y: i32) -> Option<bool> {
        let last = BLOCK as i32 - 1;
        let (x0, x1) = (run.x >> 16, (run.x + last * run.step_x) >> 16);
        let (y0, y1) = (run.y >> 16, (run.y + last * run.step_y) >> 16);
        let (left, right) = (from_x + x0.min(x1), from_x + x0.max(x1) + last + 2);
        let (top, bottom) = ((from_y + y0.min(y1)) as usize, (from_y + y0.max(y1) + 2) as usize);
        let rows = &self.extents.0[top..bottom];
        if rows.iter().all(|row| row.any.0 >= right || row.any.1 <= left) {
            return None;
        }
        Some(rows.iter().all(|row| row.solid.0 <= left && row.solid.1 >= right))
    }
}

/// Samples a block bilinearly; `base` is the index of the place its first pixel would have without offsets.
#[inline]
fn sample(source: &[u8], stride: usize, base: i32, run: Run) -> [u8; BLOCK] {
    let last = BLOCK as i32 - 1;
    let (x, y) = (run.x >> 16, run.y >> 16);
    if (run.x + last * run.step_x) >> 16 == x && (run.y + last * run.step_y) >> 16 == y {
        let start = (base + y * stride as i32 + x) as usize;
        let upper = &source[start..start + BLOCK + 1];
        let lower = &source[start + stride..start + stride + BLOCK + 1];
        sample_neighbours(upper, lower, run)
    } else {
        std::array::from_fn(|k| {
            let (px, py) = (run.x + k as i32 * run.step_x, run.y + k as i32 * run.step_y);
            let start = (base + k as i32 + (py >> 16) * stride as i32 + (px >> 16)) as usize;
            let (across, down) = (fraction(px), fraction(py));
            let above = mix(source[start], source[start + 1], across);
            let below = mix(source[start + stride], source[start + stride + 1], across);
            mix(above, below, down)
        })
    }
}

#[inline]
fn sample_neighbours(upper: &[u8], lower: &[u8], run: Run) -> [u8; BLOCK] {
    let mut out = [0; BLOCK];
    // Only the fractions matter here and they do not wrap inside the block: 16-bit lanes hold them.
    let (x, y, step_x, step_y) = (run.x as u16, run.y as u16, run.step_x as u16, run.step_y as u16);
    for k in 0..BLOCK {
        let across = x.wrapping_add(step_x.wrapping_mul(k as u16)) >> 8;
        let down = y.wrapping_add(step_y.wrapping_mul(k as u16)) >> 8;
        let above = mix(upper[k], upper[k + 1], across);
        let below = mix(lower[k], lower[k + 1], across);
        out[k] = mix(above, below, down);
    }
    out
}

fn fraction(place: i32) -> u16 {
    (place as u16) >> 8
}

#[inline(always)]
fn mix(from: u8, to: u8, share: u16) -> u8 {
    ((u16::from(from) * (256 - share) + u16::from(to) * share + 128) >> 8) as u8
}
