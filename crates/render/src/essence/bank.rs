//! Blends of a bank's patches: each patch's features go to their blended place first, then the colours mix.
//!
//! Mesh columns are upright, so that a blended picture is made column by column: one mix of two neighbouring source
//! columns (a straight run), then a walk down it from mesh row to mesh row.

use std::ops::Range;

use footlight_avatar::bundle::parts::Bank;

use super::layout::{Layout, Rect};
use super::planes::Planes;
use super::raster::{Beyond, Raster};
use super::sample::mix as mix_bytes;

/// The most patches in one blend: four corners of the mouth's grid and its three shapes.
pub(super) const ACTIVE_MAX: usize = 7;

/// Stage pixels around a window that its scaled borders may draw on.
pub(super) const SURROUNDINGS: i32 = 16;

/// A patch at the frame's size.
#[derive(Debug)]
struct Patch {
    /// Planes at luma size, column by column: luma, and coverage where the bank needs it.
    luma: Vec<Vec<u8>>,
    /// Planes at chroma size, column by column: both chromas, and coverage where the bank needs it.
    chroma: Vec<Vec<u8>>,
    /// The same planes row by row, for when nothing is blended.
    alone: Planes,
    /// Places of the mesh columns in window pixels.
    columns: Vec<f32>,
    /// Heights of the mesh rows at each column in window pixels, row-major.
    rows: Vec<f32>,
}

/// A bank at the frame's size.
#[derive(Debug)]
pub(super) struct ScaledBank {
    /// The window in the frame; even corner and sides.
    pub(super) window: Rect,
    patches: Vec<Patch>,
    /// Of each luma column, the rows that are wanted at all.
    luma_rows: Vec<Range<usize>>,
    /// Of each chroma column, the rows that are wanted at all.
    chroma_rows: Vec<Range<usize>>,
}

/// What of a bank's pictures is used.
pub(super) enum Use<'a> {
    /// Their colours, where this coverage of the window is not clear; the pictures are solid.
    Under(&'a Planes),
    /// Their colours and their own coverage.
    WithCoverage,
}

impl ScaledBank {
    /// The window that a bank has in the frame.
    pub(super) fn window(bank: &Bank, layout: &Layout) -> Rect {
        layout.rect(bank.at, bank.size).aligned(2, 2)
    }

    /// Brings a bank to the frame's size; `around` is what lies about its window at rest.
    pub(super) fn new(bank: &Bank, around: &Raster, layout: &Layout, usage: &Use<'_>) -> Self {
        let window = Self::window(bank, layout);
        let (w, h) = (window.width, window.height);
        let to_window = |axis: usize, place: f32| {
            let corner = [window.x, window.y][axis] as f32;
            layout.origin[axis] + (bank.at[axis] as f32 + place) * layout.scale - corner
        };
        let near = around.crop(bank.at, bank.size, SURROUNDINGS);
        let patches = bank
            .patches
            .iter()
            .map(|patch| {
                let picture = Raster::of(&patch.image, bank.at);
                let planes = match usage {
                    Use::Under(_) => Planes::of_window(&picture, layout, window, Beyond::Edge),
                    Use::WithCoverage => {
                        let mut all = near.clone();
                        all.replace(&picture);
                        Planes::of_window(&all, layout, window, Beyond::Clear)
                    }
                };
                let mut luma = vec![upright(&planes.y, w, h)];
                let mut chroma = vec![upright(&planes.u, w / 2, h / 2), upright(&planes.v, w / 2, h / 2)];
                if matches!(usage, Use::WithCoverage) {
                    luma.push(upright(&planes.a, w, h));
                    chroma.push(upright(&planes.ac, w / 2, h / 2));
                }
                let columns = patch.columns.iter().map(|&x| to_window(0, x)).collect();
                let rows = patch.rows.iter().map(|&y| to_window(1, y)).collect();
                Patch { luma, chroma, alone: planes, columns, rows }
            })
            .collect();
        let (luma_rows, chroma_rows) = match usage {
            Use::Under(mask) => (wanted_rows(&mask.a, w, h), wanted_rows(&mask.ac, w / 2, h / 2)),
            Use::WithCoverage => (vec![0..h; w], vec![0..h / 2; w / 2]),
        };
        Self { window, patches, luma_rows, chroma_rows }
    }
}

/// Of each column, the rows between the first and the last that is not clear.
fn wanted_rows(coverage: &[u8], width: usize, height: usize) -> Vec<Range<usize>> {
    let rows_of = |x: usize| {
        let wanted = |y: &usize| coverage[y * width + x] > 0;
        let first = (0..height).find(wanted)?;
        let last = (first..height).rfind(wanted)?;
        Some(first..last + 1)
    };
    (0..width).map(|x| rows_of(x).unwrap_or(0..0)).collect()
}

/// A row-major plane, column by column.
fn upright(plane: &[u8], width: usize, height: usize) -> Vec<u8> {
    (0..width * height).map(|i| plane[i % height * width + i / height]).collect()
}

/// How much of each patch a blend takes; shares add up to 256.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Blend {
    shares: Vec<(usize, u32)>,
}

impl Blend {
    /// From weights that add up to about 1; the smallest are dropped and the rest rounded to whole shares.
    pub(super) fn set(&mut self, weights: &[(usize, f32)]) {
        self.shares.clear();
        for &(patch, weight) in weights {
            let share = (weight * 256.0).round().clamp(0.0, 256.0) as u32;
            if share == 0 {
                continue;
            }
            match self.shares.iter_mut().find(|(known, _)| *known == patch) {
                Some((_, known)) => *known += share,
                None => self.shares.push((patch, share)),
            }
        }
        self.shares.sort_unstable_by_key(|&(_, share)| std::cmp::Reverse(share));
        self.shares.truncate(ACTIVE_MAX);
        // What rounding left over belongs to the largest.
        let rest: u32 = self.shares.iter().skip(1).map(|(_, share)| share).sum();
        match self.shares.first_mut() {
            Some((_, largest)) => *largest = 256 - rest.min(256),
            None => self.shares.push((0, 256)),
        }
    }
}

/// Room for one column's work; kept between frames.
#[derive(Debug, Default, Clone)]
pub(super) struct Bench {
    /// Blended mesh: columns, then rows.
    columns: Vec<f32>,
    rows: Vec<f32>,
    /// One source column.
    line: Vec<u8>,
    /// Where each pixel of a column comes from, 24.8 fixed point.
    places: Vec<i32>,
    /// Sums of up to three planes, one after the other.
    sums: Vec<u32>,
}

/// A plane to draw a blend into.
pub(super) struct Target<'a> {
    pub(super) plane: &'a mut [u8],
    pub(super) stride: usize,
    /// Index of the window's first pixel.
    pub(super) start: usize,
}

impl ScaledBank {
    /// Draws a blend: `luma` and `chroma` are the planes to write, in the order of the patches' planes.
    pub(super) fn draw(&self, blend: &Blend, bench: &mut Bench, luma: &mut [Target<'_>], chroma: &mut [Target<'_>]) {
        let Some(first) = self.patches.first() else { return };
        if let [(only, _)] = blend.shares[..] {
            let alone = &self.patches[only].alone;
            put(&[&alone.y, &alone.a], alone.width, luma);
            put(&[&alone.u, &alone.v, &alone.ac], alone.width / 2, chroma);
            return;
        }
        self.blend_meshes(blend, first.columns.len(), first.rows.len(), bench);
        let (width, height) = (self.window.width, self.window.height);
        let full = Grid { width, height, wanted: &self.luma_rows, scale: 1.0, phase: [0.5, 0.5] };
        self.draw_planes(blend, bench, &full, |patch| &patch.luma, luma);
        // Chroma sits on the left one of its two columns, between its two rows.
        let wanted = &self.chroma_rows;
        let half = Grid { width: width / 2, height: height / 2, wanted, scale: 2.0, phase: [0.25, 0.5] };
        self.draw_planes(blend, bench, &half, |patch| &patch.chroma, chroma);
    }

    fn blend_meshes(&self, blend: &Blend, columns: usize, rows: usize, bench: &mut Bench) {
        bench.columns.clear();
        bench.columns.resize(columns, 0.0);
        bench.rows.clear();
        bench.rows.resize(rows, 0.0);
        for &(patch, share) in &blend.shares {
            let (patch, weight) = (&self.patches[patch], share as f32 / 256.0);
            for (sum, place) in bench.columns.iter_mut().zip(&patch.columns) {
                *sum += place * weight;
            }
            for (sum, place) in bench.rows.iter_mut().zip(&patch.rows) {
                *sum += place * weight;
            }
        }
    }

    fn draw_planes(
        &self,
        blend: &Blend,
        bench: &mut Bench,
        grid: &Grid<'_>,
        planes: impl Fn(&Patch) -> &[Vec<u8>],
        targets: &mut [Target<'_>],
    ) {
        let mut cell = 0;
        for (x, wanted) in grid.wanted.iter().enumerate().filter(|(_, wanted)| !wanted.is_empty()) {
            let place = (x as f32 + grid.phase[0]) * grid.scale;
            while cell + 2 < bench.columns.len() && bench.columns[cell + 1] <= place {
                cell += 1;
            }
            let across = share_between(bench.columns[cell], bench.columns[cell + 1], place);
            let column = Column { cell, across, columns: bench.columns.len(), wanted: wanted.clone() };
            bench.sums.clear();
            bench.sums.resize(wanted.len() * targets.len(), 0);
            for &(index, share) in &blend.shares {
                let patch = &self.patches[index];
                let source_x = mix(patch.columns[cell], patch.columns[cell + 1], across) / grid.scale - grid.phase[0];
                column.walk(&bench.rows, &patch.rows, grid, &mut bench.places);
                for (plane, sums) in planes(patch).iter().zip(bench.sums.chunks_exact_mut(wanted.len())) {
                    column_of(plane, grid, source_x, &mut bench.line);
                    add_column(&bench.line, &bench.places, share, sums);
                }
            }
            for (target, sums) in targets.iter_mut().zip(bench.sums.chunks_exact(wanted.len())) {
                let start = target.start + wanted.start * target.stride + x;
                for (pixel, &sum) in target.plane[start..].iter_mut().step_by(target.stride).zip(sums) {
                    *pixel = (sum.wrapping_add(32768) >> 16) as u8;
                }
            }
        }
    }
}

/// The size of a plane of the window, and how its samples lie in it.
struct Grid<'a> {
    width: usize,
    height: usize,
    wanted: &'a [Range<usize>],
    /// Window pixels a sample.
    scale: f32,
    /// Where in its cell a sample sits, in samples.
    phase: [f32; 2],
}

fn mix(from: f32, to: f32, share: f32) -> f32 {
    from + (to - from) * share
}

fn share_between(from: f32, to: f32, place: f32) -> f32 {
    if to > from { ((place - from) / (to - from)).clamp(0.0, 1.0) } else { 0.0 }
}

/// Copies row-major planes of a single patch.
fn put(planes: &[&Vec<u8>], width: usize, targets: &mut [Target<'_>]) {
    for (plane, target) in planes.iter().zip(targets) {
        for (row, line) in plane.chunks_exact(width).enumerate() {
            target.plane[target.start + row * target.stride..][..width].copy_from_slice(line);
        }
    }
}

/// One column of a blend: where it lies in the mesh.
struct Column {
    cell: usize,
    across: f32,
    /// Columns of the mesh.
    columns: usize,
    wanted: Range<usize>,
}

impl Column {
    /// Where the wanted pixels of this column come from in one patch, 24.8 fixed point: walks down both meshes.
    fn walk(&self, blended: &[f32], own: &[f32], grid: &Grid<'_>, places: &mut Vec<i32>) {
        let height_at = |mesh: &[f32], row: usize| {
            let at = row * self.columns + self.cell;
            mix(mesh[at], mesh[at + 1], self.across) / grid.scale
        };
        let rows = blended.len() / self.columns;
        let most = ((grid.height - 1) << 16) as i32;
        places.clear();
        let mut y = self.wanted.start;
        for row in 1..rows {
            let (top, bottom) = (height_at(blended, row - 1), height_at(blended, row));
            let (own_top, own_bottom) = (height_at(own, row - 1), height_at(own, row));
            let slope = if bottom > top { (own_bottom - own_top) / (bottom - top) } else { 0.0 };
            let last = row + 1 == rows;
            let end = if last {
                self.wanted.end
            } else {
                ((bottom - grid.phase[1]).ceil().max(0.0) as usize).min(self.wanted.end)
            };
            if end <= y {
                continue;
            }
            let first = own_top + (y as f32 + grid.phase[1] - top) * slope - grid.phase[1];
            let (first, step) = ((first * 65536.0) as i32, (slope * 65536.0) as i32);
            let place = |k: usize| first.saturating_add(step.saturating_mul(k as i32)).clamp(0, most) >> 8;
            places.extend((0..end - y).map(place));
            y = end;
        }
    }
}

/// One column of a plane between two of its own, with its last pixel twice.
fn column_of(plane: &[u8], grid: &Grid<'_>, x: f32, line: &mut Vec<u8>) {
    let place = (x * 256.0).clamp(0.0, ((grid.width - 1) * 256) as f32) as usize;
    let (left, share) = (place >> 8, (place & 255) as u16);
    let right = (left + 1).min(grid.width - 1);
    let (left, right) = (&plane[left * grid.height..][..grid.height], &plane[right * grid.height..][..grid.height]);
    line.clear();
    line.extend(left.iter().zip(right).map(|(&a, &b)| mix_bytes(a, b, share)));
    line.push(line[grid.height - 1]);
}

/// Adds `share` of 256 parts of a column to sums of 16.16 fixed point.
fn add_column(line: &[u8], places: &[i32], share: u32, sums: &mut [u32]) {
    for (sum, &place) in sums.iter_mut().zip(places) {
        let (index, down) = ((place >> 8) as usize, (place & 255) as u32);
        let [above, below] = [u32::from(line[index]), u32::from(line[index.wrapping_add(1)])];
        let value = above.wrapping_mul(256_u32.wrapping_sub(down)).wrapping_add(below.wrapping_mul(down));
        // All shares together are 256: 255 * 256 * 256 fits.
        *sum = sum.wrapping_add(value.wrapping_mul(share));
    }
}
