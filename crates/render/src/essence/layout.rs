//! Where the stage lies in a frame.

/// How wide the part of the stage is that every picture must show: head and shoulders, as a share of its width.
const CORE_WIDTH: f32 = 0.75;

/// A rectangle in frame pixels; it may reach beyond the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rect {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Rect {
    /// The smallest rectangle around `self` whose corner lies on, and whose sides are, multiples of these steps.
    pub(super) fn aligned(self, step_x: i32, step_y: i32) -> Self {
        let span = |from: i32, length: usize, step: i32| {
            let start = from.div_euclid(step) * step;
            let end = from + length as i32;
            (start, ((end - start) as usize).next_multiple_of(step as usize))
        };
        let (x, width) = span(self.x, self.width, step_x);
        let (y, height) = span(self.y, self.height, step_y);
        Self { x, y, width, height }
    }

    /// This rectangle with `margin` more pixels on each side.
    pub(super) fn grown(self, margin: i32) -> Self {
        let more = 2 * margin as usize;
        Self { x: self.x - margin, y: self.y - margin, width: self.width + more, height: self.height + more }
    }

    /// The smallest rectangle around both.
    pub(super) fn around(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = (self.x + self.width as i32).max(other.x + other.width as i32);
        let bottom = (self.y + self.height as i32).max(other.y + other.height as i32);
        Self { x, y, width: (right - x) as usize, height: (bottom - y) as usize }
    }
}

/// The way from stage to frame: `frame = origin + stage * scale`, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Layout {
    pub(super) scale: f32,
    pub(super) origin: [f32; 2],
}

impl Layout {
    /// Fits a stage into a frame: its bottom at the bottom, its middle in the middle, and as large as fills the height
    /// without losing the shoulders. What is left over above and beside shows more of the background.
    pub(super) fn fit(stage: (u32, u32), frame: (u32, u32)) -> Self {
        let (stage_width, stage_height) = (stage.0 as f32, stage.1 as f32);
        let (width, height) = (frame.0 as f32, frame.1 as f32);
        let scale = (height / stage_height).min(width / (stage_width * CORE_WIDTH));
        // Whole pixels: at native size nothing is resampled.
        let origin = [((width - stage_width * scale) / 2.0).round(), (height - stage_height * scale).round()];
        Self { scale, origin }
    }

    /// A stage rectangle in the frame, grown to whole pixels.
    pub(super) fn rect(&self, at: [i32; 2], size: [u32; 2]) -> Rect {
        let span = |axis: usize| {
            let from = self.origin[axis] + at[axis] as f32 * self.scale;
            let to = from + size[axis] as f32 * self.scale;
            (from.floor() as i32, to.ceil() as i32)
        };
        let ((x, right), (y, bottom)) = (span(0), span(1));
        Rect { x, y, width: (right - x) as usize, height: (bottom - y) as usize }
    }
}
