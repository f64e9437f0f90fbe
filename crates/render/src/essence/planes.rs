//! Premultiplied YUV planes: what the prepared pictures become before the first frame.
//!
//! BT.709, limited range. Chroma is half size and sited at the left column, as H.264 assumes when nothing is said.

use super::layout::{Layout, Rect};
use super::raster::{Beyond, Raster};

/// A picture in planes, colour premultiplied by coverage so that planes can be warped and blended one by one.
#[derive(Debug, Clone)]
pub(super) struct Planes {
    /// Width of the luma plane in pixels, even.
    pub(super) width: usize,
    pub(super) y: Vec<u8>,
    pub(super) u: Vec<u8>,
    pub(super) v: Vec<u8>,
    /// Coverage at luma size.
    pub(super) a: Vec<u8>,
    /// Coverage at chroma size.
    pub(super) ac: Vec<u8>,
}

/// Pixels that are prepared around a window and dropped again: chroma takes in its neighbours.
const BORDER: usize = 2;

impl Planes {
    /// A window of the frame as `picture` looks there; its corner and sides are even.
    pub(super) fn of_window(picture: &Raster, layout: &Layout, window: Rect, beyond: Beyond) -> Self {
        let scaled = picture.scaled(layout, window.grown(BORDER as i32), beyond);
        let wide = Self::of(&scaled);
        let inner = |plane: &[u8], shrink: usize| -> Vec<u8> {
            let (stride, border, width) = (wide.width / shrink, BORDER / shrink, window.width / shrink);
            let rows = plane.chunks_exact(stride).skip(border).take(window.height / shrink);
            rows.flat_map(|row| &row[border..border + width]).copied().collect()
        };
        Self {
            width: window.width,
            y: inner(&wide.y, 1),
            u: inner(&wide.u, 2),
            v: inner(&wide.v, 2),
            a: inner(&wide.a, 1),
            ac: inner(&wide.ac, 2),
        }
    }

    /// Converts a picture whose sides are even and whose corner lies on even pixels.
    pub(super) fn of(raster: &Raster) -> Self {
        let (width, height) = (raster.width, raster.height);
        debug_assert!(width.is_multiple_of(2) && height.is_multiple_of(2), "chroma needs even sides");
        let light = raster.pixels.iter().map(|&[r, g, b, a]| byte(16.0 * a + 219.0 * luma(r, g, b))).collect();
        let coverage = raster.pixels.iter().map(|pixel| byte(255.0 * pixel[3])).collect();

        let (half_width, half_height) = (width / 2, height / 2);
        let mut planes = Self {
            width,
            y: light,
            u: Vec::with_capacity(half_width * half_height),
            v: Vec::with_capacity(half_width * half_height),
            a: coverage,
            ac: Vec::with_capacity(half_width * half_height),
        };
        for row in 0..half_height {
            for column in 0..half_width {
                let [r, g, b, a] = sited_left(raster, column * 2, row * 2);
                let grey = luma(r, g, b);
                planes.u.push(byte(128.0 * a + 224.0 * (b - grey) / 1.8556));
                planes.v.push(byte(128.0 * a + 224.0 * (r - grey) / 1.5748));
                planes.ac.push(byte(255.0 * a));
            }
        }
        planes
    }
}

/// The mean over two rows and, weighted 1-2-1, three columns around the left one.
fn sited_left(raster: &Raster, x: usize, y: usize) -> [f32; 4] {
    let columns = [(x.saturating_sub(1), 0.25), (x, 0.5), (x + 1, 0.25)];
    let mut sum = [0.0; 4];
    for row in [y, y + 1] {
        for (column, weight) in columns {
            let pixel = raster.pixels[row * raster.width + column];
            for c in 0..4 {
                sum[c] += pixel[c] * weight * 0.5;
            }
        }
    }
    sum
}

fn luma(r: f32, g: f32, b: f32) -> f32 {
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn byte(value: f32) -> u8 {
    (value + 0.5) as u8
}

/// One picture over another, both premultiplied.
///
/// Wrapping operations keep overflow checks out of inner loops; nothing can wrap.
#[inline(always)]
pub(super) fn over(top: u8, alpha: u8, below: u8) -> u8 {
    top.saturating_add(share_of(below, 255_u8.wrapping_sub(alpha)))
}

/// `value * share / 255`, rounded.
#[inline(always)]
pub(super) fn share_of(value: u8, share: u8) -> u8 {
    // (n + n / 256 + 1) / 256 is n / 255, exactly, for 16-bit n.
    let product = u16::from(value).wrapping_mul(u16::from(share)).wrapping_add(127);
    (product.wrapping_add(product >> 8).wrapping_add(1) >> 8) as u8
}
