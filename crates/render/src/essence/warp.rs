//! Planes sampled through an offset grid and laid over what the frame holds.

use super::coverage::{Cover, Extents};
use super::layout::Rect;
use super::motion::{CELL_HEIGHT, CELL_WIDTH, Offsets};
use super::planes::{Planes, over};
use super::sample::{BLOCK, Run, sample};
use crate::Frame;

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
    /// Colour, which this frame's mouth and eyes are drawn into: Y, U and V.
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
        margin: moving.margin,
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
        margin: moving.margin / 2,
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
    margin: usize,
    stride: usize,
    coverage: &'a [u8],
    extents: &'a Extents,
    /// 0 for luma, 1 for planes of half the size.
    halving: u32,
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
            for block in self.blocks_of_row(&line, row) {
                let run = self.run_of_block(&line, block);
                let cover = self.cover(run, block, row);
                if cover == Cover::Clear {
                    continue;
                }
                let base = (row + self.margin) * self.stride + self.margin + block * BLOCK;
                let alpha = (cover == Cover::Partial).then(|| sample(self.coverage, self.stride, base, run));

                // A block may stick out of the frame on either side.
                let target_x = self.origin.0 + (block * BLOCK) as i32;
                let skip = (-target_x).clamp(0, BLOCK as i32) as usize;
                let keep = (width as i32 - target_x).clamp(0, BLOCK as i32) as usize;
                if skip >= keep {
                    continue;
                }
                let at = target_y * width + (target_x + skip as i32) as usize;
                for (source, target) in sources.iter().zip(&mut targets) {
                    let colour = sample(source, self.stride, base, run);
                    let out = &mut target[at..at + keep - skip];
                    let colour = &colour[skip..keep];
                    match &alpha {
                        None => out.copy_from_slice(colour),
                        Some(alpha) => {
                            for ((pixel, &top), &a) in out.iter_mut().zip(colour).zip(&alpha[skip..keep]) {
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
        // A row of half size lies between two rows of the full size: count in half rows.
        let half_rows = if self.halving == 0 { row * 2 } else { row * 4 + 1 };
        let cell = half_rows / (2 * CELL_HEIGHT);
        let share = (half_rows % (2 * CELL_HEIGHT)) as i32;
        let mix = |from: i32, to: i32| from + (to - from) / (2 * CELL_HEIGHT as i32) * share;
        let upper = cell * offsets.columns..(cell + 1) * offsets.columns;
        let lower = upper.end..upper.end + offsets.columns;
        let above = offsets.x[upper.clone()].iter().zip(&offsets.y[upper]);
        let below = offsets.x[lower.clone()].iter().zip(&offsets.y[lower]);
        for ((place, (&x, &y)), (&to_x, &to_y)) in line.iter_mut().zip(above).zip(below) {
            *place = (mix(x, to_x) >> self.halving, mix(y, to_y) >> self.halving);
        }
    }

    /// The blocks of a row that what moves can reach with these offsets.
    fn blocks_of_row(&self, line: &[(i32, i32)], row: usize) -> std::ops::Range<usize> {
        let [mut left, mut up, mut right, mut down] = [i32::MAX, i32::MAX, i32::MIN, i32::MIN];
        for &(x, y) in line {
            (left, right) = (left.min(x), right.max(x));
            (up, down) = (up.min(y), down.max(y));
        }
        let from = row + self.margin;
        let rows = from.wrapping_add_signed((up >> 16) as isize)..from.wrapping_add_signed((down >> 16) as isize + 2);
        let (begin, end) = self.extents.reach(rows);
        if begin >= end {
            return 0..0;
        }
        let block = |column: i32| ((column - self.margin as i32).max(0) as usize) / BLOCK;
        block(begin - (right >> 16) - 2)..(block(end - (left >> 16)) + 1).min(self.blocks)
    }

    #[inline(always)]
    fn run_of_block(&self, line: &[(i32, i32)], block: usize) -> Run {
        let cells = (BLOCK << self.halving) / CELL_WIDTH;
        Run::between(line[block * cells], line[(block + 1) * cells])
    }

    /// What a block samples of the coverage.
    #[inline(always)]
    fn cover(&self, run: Run, block: usize, row: usize) -> Cover {
        let [(x0, y0), (x1, y1)] = run.ends();
        let from_x = (self.margin + block * BLOCK) as i32;
        let from_y = row + self.margin;
        let rows = from_y.wrapping_add_signed(y0.min(y1) as isize)..from_y.wrapping_add_signed(y0.max(y1) as isize + 2);
        self.extents.cover(rows, from_x + x0.min(x1), from_x + x0.max(x1) + BLOCK as i32 + 1)
    }
}
