//! How far a mouth is open, seen from pixels alone: for tests, and for the lag between sound and picture.

use std::sync::Arc;

use footlight_avatar::face::shapes::JAW_OPEN;

use crate::{EssenceRenderer, Frame, LoadedAvatar, Pose, RenderError, Renderer};

/// Luma steps that a pixel must change by between a closed and an open mouth to be looked at.
const CONTRAST_MIN: i32 = 24;

/// Measures one avatar at one size against its own closed and open mouth.
#[derive(Debug)]
pub struct MouthGauge {
    /// Index of a luma pixel, its value with the mouth closed, and how it changes until the mouth is open.
    pixels: Vec<(usize, i32, i32)>,
    luma_len: usize,
}

impl MouthGauge {
    /// A gauge for frames of this avatar and size.
    ///
    /// # Errors
    /// [`RenderError::Size`] for a size that no renderer accepts.
    pub fn new(avatar: &Arc<LoadedAvatar>, width: u32, height: u32) -> Result<Self, RenderError> {
        let mut renderer = EssenceRenderer::new(Arc::clone(avatar), width, height)?;
        let (mut closed, mut open) = (Frame::black(width, height), Frame::black(width, height));
        renderer.render(&Pose::NEUTRAL, &mut closed)?;
        let mut wide_open = Pose::NEUTRAL;
        wide_open.weights.0[JAW_OPEN] = 1.0;
        renderer.render(&wide_open, &mut open)?;
        let changes =
            closed.y().iter().zip(open.y()).map(|(&from, &to)| (i32::from(from), i32::from(to) - i32::from(from)));
        let pixels = changes.enumerate().map(|(index, (from, change))| (index, from, change));
        let pixels: Vec<_> = pixels.filter(|(_, _, change)| change.abs() >= CONTRAST_MIN).collect();
        Ok(Self { pixels, luma_len: closed.y().len() })
    }

    /// How far the mouth is open: about 0 when closed, 1 when wide open.
    ///
    /// `luma` is a whole luma plane, row after row, of the gauge's size; it may have been through an encoder.
    ///
    /// # Panics
    /// When the plane is of another size.
    #[must_use]
    pub fn opening(&self, luma: &[u8]) -> f32 {
        assert_eq!(luma.len(), self.luma_len, "the luma plane is of another size than the gauge");
        let changed = |&(index, from, change): &(usize, i32, i32)| {
            ((i32::from(luma[index]) - from) as f32 / change as f32).clamp(0.0, 1.0)
        };
        self.pixels.iter().map(changed).sum::<f32>() / self.pixels.len().max(1) as f32
    }
}
