//! Pictures in floating point: scaled, blurred, sampled between pixels.

#![allow(clippy::cast_possible_wrap, reason = "sides of pictures are bounded by `PIXELS_MAX`")]

use footlight_avatar::bundle::parts::Image;

use super::geometry::Place;
use super::picture::Photo;

/// A colour, sRGB, each channel about `0.0..=1.0`.
pub(super) type Colour = [f32; 3];

pub(super) fn mix(from: Colour, to: Colour, share: f32) -> Colour {
    std::array::from_fn(|c| from[c] + (to[c] - from[c]) * share)
}

pub(super) fn luma([r, g, b]: Colour) -> f32 {
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

pub(super) fn scaled(colour: Colour, by: f32) -> Colour {
    colour.map(|c| c * by)
}

fn byte(channel: f32) -> u8 {
    (channel * 255.0 + 0.5).clamp(0.0, 255.0) as u8
}

pub(super) fn pixel(colour: Colour, alpha: f32) -> [u8; 4] {
    let alpha = byte(alpha);
    // What is clear has no colour: it packs better.
    if alpha == 0 {
        return [0; 4];
    }
    let [r, g, b] = colour.map(byte);
    [r, g, b, alpha]
}

/// A picture whose first pixel's upper left corner lies at `at` on the stage.
#[derive(Debug, Clone)]
pub(super) struct Canvas {
    pub(super) at: [i32; 2],
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<Colour>,
}

impl Canvas {
    /// Makes each pixel of a rectangle of the stage from the stage place of its middle.
    pub(super) fn draw(at: [i32; 2], size: [u32; 2], mut colour: impl FnMut(Place) -> Colour) -> Self {
        let (width, height) = (size[0] as usize, size[1] as usize);
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                pixels.push(colour([at[0] as f32 + x as f32 + 0.5, at[1] as f32 + y as f32 + 0.5]));
            }
        }
        Self { at, width, height, pixels }
    }

    /// The picture in bytes, solid.
    pub(super) fn image(&self) -> Image {
        let pixels = self.pixels.iter().map(|&colour| pixel(colour, 1.0)).collect();
        Image { width: self.width as u32, height: self.height as u32, pixels }
    }

    /// The pixel at a place of the canvas, held at its border.
    fn held(&self, x: i64, y: i64) -> Colour {
        let x = x.clamp(0, self.width as i64 - 1) as usize;
        let y = y.clamp(0, self.height as i64 - 1) as usize;
        self.pixels[y * self.width + x]
    }

    /// The colour at a stage place: exactly a pixel's in the middle of that pixel, sharp between them.
    pub(super) fn at(&self, place: Place) -> Colour {
        let (x, y) = (place[0] - self.at[0] as f32 - 0.5, place[1] - self.at[1] as f32 - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let (across, down) = (kernel(x - left), kernel(y - top));
        let (left, top) = (left as i64, top as i64);
        let mut sum = [0.0; 3];
        for (row, &weight_y) in down.iter().enumerate() {
            for (column, &weight_x) in across.iter().enumerate() {
                let colour = self.held(left + column as i64 - 1, top + row as i64 - 1);
                for c in 0..3 {
                    sum[c] += colour[c] * weight_x * weight_y;
                }
            }
        }
        sum.map(|c| c.clamp(0.0, 1.0))
    }

    /// The same picture, each pixel the mean of those within `radius` of it in both directions, twice.
    pub(super) fn blurred(&self, radius: usize) -> Self {
        let mut out = self.clone();
        for _ in 0..2 {
            out.blur_rows(radius);
            out.transpose();
            out.blur_rows(radius);
            out.transpose();
        }
        out
    }

    fn blur_rows(&mut self, radius: usize) {
        let width = self.width;
        let share = 1.0 / (2 * radius + 1) as f32;
        let mut line = vec![[0.0; 3]; width];
        for row in self.pixels.chunks_exact_mut(width) {
            let get = |k: i64| row[k.clamp(0, width as i64 - 1) as usize];
            let mut sum = [0.0_f32; 3];
            for k in -(radius as i64)..=radius as i64 {
                sum = std::array::from_fn(|c| sum[c] + get(k)[c]);
            }
            for (x, target) in line.iter_mut().enumerate() {
                *target = sum.map(|s| s * share);
                let (leaves, enters) = (get(x as i64 - radius as i64), get(x as i64 + radius as i64 + 1));
                sum = std::array::from_fn(|c| sum[c] + enters[c] - leaves[c]);
            }
            row.copy_from_slice(&line);
        }
    }

    fn transpose(&mut self) {
        let (width, height) = (self.width, self.height);
        self.pixels = (0..width * height).map(|i| self.pixels[i % height * width + i / height]).collect();
        (self.width, self.height) = (height, width);
    }
}

/// Catmull-Rom weights of the four samples around a place `t` after the second of them.
fn kernel(t: f32) -> [f32; 4] {
    [1.0 + t, t, 1.0 - t, 2.0 - t].map(catmull_rom)
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

/// Which samples of a line make one sample of the scaled line, and how much.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

impl Taps {
    /// A Catmull-Rom kernel around `place`, widened when the picture shrinks; held at the line's ends.
    fn around(place: f32, scale: f32, size: usize) -> Self {
        let stretch = (1.0 / scale).max(1.0);
        let centre = place - 0.5;
        let last = size as i64 - 1;
        let from = (centre - 2.0 * stretch).ceil() as i64;
        let to = (centre + 2.0 * stretch).floor() as i64;
        let first = from.clamp(0, last);
        let mut weights = vec![0.0; (to.clamp(0, last) - first + 1) as usize];
        for index in from..=to {
            weights[(index.clamp(0, last) - first) as usize] += catmull_rom((index as f32 - centre) / stretch);
        }
        let total: f32 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= total;
        }
        Self { first: first as usize, weights }
    }
}

/// A photo scaled onto a rectangle of the stage: `stage = (photo - origin) * scale`.
pub(super) fn resampled(photo: &Photo, origin: Place, scale: f32, at: [i32; 2], size: [u32; 2]) -> Canvas {
    let taps = |axis: usize, length: usize| -> Vec<Taps> {
        (0..size[axis])
            .map(|k| Taps::around((at[axis] as f32 + k as f32 + 0.5) / scale + origin[axis], scale, length))
            .collect()
    };
    let (across, down) = (taps(0, photo.width), taps(1, photo.height));
    let width = size[0] as usize;
    // Rows of the photo, scaled across; dropped as soon as no later row of the stage needs them.
    let mut rows: Vec<Option<Vec<Colour>>> = vec![None; photo.height];
    let mut pixels = Vec::with_capacity(width * size[1] as usize);
    let mut dropped = 0;
    for vertical in &down {
        for row in &mut rows[dropped..vertical.first] {
            *row = None;
        }
        dropped = vertical.first;
        let mut line = vec![[0.0; 3]; width];
        for (k, &weight) in vertical.weights.iter().enumerate() {
            let y = vertical.first + k;
            let row = rows[y].get_or_insert_with(|| {
                let source = &photo.pixels()[y * photo.width..(y + 1) * photo.width];
                across.iter().map(|taps| sum(source, taps)).collect()
            });
            for (target, value) in line.iter_mut().zip(row.iter()) {
                for c in 0..3 {
                    target[c] += value[c] * weight;
                }
            }
        }
        pixels.extend(line.iter().map(|colour| colour.map(|c| c.clamp(0.0, 1.0))));
    }
    Canvas { at, width, height: size[1] as usize, pixels }
}

fn sum(source: &[[u8; 3]], taps: &Taps) -> Colour {
    let mut sum = [0.0; 3];
    for (pixel, &weight) in source[taps.first..].iter().zip(&taps.weights) {
        for c in 0..3 {
            sum[c] += f32::from(pixel[c]) * weight;
        }
    }
    sum.map(|s| s / 255.0)
}
