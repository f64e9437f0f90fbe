//! Pictures while they are prepared: premultiplied float RGBA, composed and brought to the frame's size.

use footlight_avatar::bundle::parts::{Image, Picture};

use super::layout::{Layout, Rect};

/// Premultiplied RGBA, colour channels and alpha in `0.0..=1.0`, row-major; its corner lies at `at` on the stage.
#[derive(Debug, Clone)]
pub(super) struct Raster {
    pub(super) at: [i32; 2],
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<[f32; 4]>,
}

/// What lies beyond the border of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beyond {
    /// Nothing.
    Clear,
    /// The picture's own border, drawn out.
    Edge,
}

impl Raster {
    pub(super) fn clear(at: [i32; 2], width: usize, height: usize) -> Self {
        Self { at, width, height, pixels: vec![[0.0; 4]; width * height] }
    }

    pub(super) fn of(image: &Image, at: [i32; 2]) -> Self {
        let pixels = image
            .pixels
            .iter()
            .map(|&[r, g, b, a]| {
                let alpha = f32::from(a) / 255.0;
                let channel = |c: u8| f32::from(c) / 255.0 * alpha;
                [channel(r), channel(g), channel(b), alpha]
            })
            .collect();
        Self { at, width: image.width as usize, height: image.height as usize, pixels }
    }

    pub(super) fn of_picture(picture: &Picture) -> Self {
        Self::of(&picture.image, picture.at)
    }

    /// A part of this picture, `margin` pixels larger on each side; clear where the picture ends.
    pub(super) fn crop(&self, at: [i32; 2], size: [u32; 2], margin: i32) -> Self {
        let side = |axis: usize| size[axis] as usize + 2 * margin as usize;
        let mut part = Self::clear([at[0] - margin, at[1] - margin], side(0), side(1));
        part.lay_over(self);
        part
    }

    /// Lays `top` over this picture.
    pub(super) fn lay_over(&mut self, top: &Self) {
        self.combine(top, |below, above| {
            let through = 1.0 - above[3];
            std::array::from_fn(|c| above[c] + below[c] * through)
        });
    }

    /// Puts `patch` in the place of what is there.
    pub(super) fn replace(&mut self, patch: &Self) {
        self.combine(patch, |_, above| above);
    }

    fn combine(&mut self, top: &Self, with: impl Fn([f32; 4], [f32; 4]) -> [f32; 4]) {
        let (dx, dy) = (top.at[0] - self.at[0], top.at[1] - self.at[1]);
        for row in 0..top.height {
            let Some(y) = inside(row, dy, self.height) else { continue };
            for column in 0..top.width {
                let Some(x) = inside(column, dx, self.width) else { continue };
                let pixel = &mut self.pixels[y * self.width + x];
                *pixel = with(*pixel, top.pixels[row * top.width + column]);
            }
        }
    }

    /// This picture as it looks in the frame, over a rectangle of frame pixels. The result's `at` is the rectangle's.
    pub(super) fn scaled(&self, layout: &Layout, rect: Rect, beyond: Beyond) -> Self {
        let taps = |axis: usize, from: i32, count: usize, size: usize| -> Vec<Taps> {
            (0..count)
                .map(|k| {
                    let frame = (from + k as i32) as f32 + 0.5;
                    let place = (frame - layout.origin[axis]) / layout.scale - self.at[axis] as f32;
                    Taps::around(place, layout.scale, size, beyond)
                })
                .collect()
        };
        let across = taps(0, rect.x, rect.width, self.width);
        let down = taps(1, rect.y, rect.height, self.height);

        let mut rows: Vec<Option<Vec<[f32; 4]>>> = vec![None; self.height];
        let mut out = Self::clear([rect.x, rect.y], rect.width, rect.height);
        for (vertical, target) in down.iter().zip(out.pixels.chunks_exact_mut(rect.width)) {
            for &(y, weight) in &vertical.0 {
                let row = rows[y].get_or_insert_with(|| {
                    let source = &self.pixels[y * self.width..(y + 1) * self.width];
                    across.iter().map(|horizontal| horizontal.sum(source)).collect()
                });
                for (pixel, value) in target.iter_mut().zip(row.iter()) {
                    for c in 0..4 {
                        pixel[c] += value[c] * weight;
                    }
                }
            }
        }
        for pixel in &mut out.pixels {
            pixel[3] = pixel[3].clamp(0.0, 1.0);
            for c in 0..3 {
                pixel[c] = pixel[c].clamp(0.0, pixel[3]);
            }
        }
        out
    }
}

fn inside(index: usize, shift: i32, size: usize) -> Option<usize> {
    usize::try_from(index as i64 + i64::from(shift)).ok().filter(|&i| i < size)
}

/// Which samples of a line make one sample of the scaled line.
struct Taps(Vec<(usize, f32)>);

impl Taps {
    /// A Catmull-Rom kernel around `place`, widened when the picture shrinks.
    fn around(place: f32, scale: f32, size: usize, beyond: Beyond) -> Self {
        let stretch = (1.0 / scale).max(1.0);
        let centre = place - 0.5;
        let first = (centre - 2.0 * stretch).floor() as i64;
        let last = (centre + 2.0 * stretch).ceil() as i64;
        let mut taps: Vec<(usize, f32)> = Vec::new();
        let mut total = 0.0;
        for index in first..=last {
            let weight = catmull_rom((index as f32 - centre) / stretch);
            total += weight;
            let clamped = index.clamp(0, size as i64 - 1);
            if weight.abs() > 1e-6 && (clamped == index || beyond == Beyond::Edge) {
                taps.push((clamped as usize, weight));
            }
        }
        for (_, weight) in &mut taps {
            *weight /= total;
        }
        Self(taps)
    }

    fn sum(&self, line: &[[f32; 4]]) -> [f32; 4] {
        let mut sum = [0.0; 4];
        for &(index, weight) in &self.0 {
            for c in 0..4 {
                sum[c] += line[index][c] * weight;
            }
        }
        sum
    }
}

fn catmull_rom(distance: f32) -> f32 {
    let x = distance.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}
