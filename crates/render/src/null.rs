//! The renderer that draws nothing.

use crate::{Frame, Pose, RenderError, Renderer, check_size};

/// Hands out frames as they are: for metering without pictures, and as the floor in measurements.
#[derive(Debug, Clone)]
pub struct NullRenderer {
    width: u32,
    height: u32,
}

impl NullRenderer {
    /// A renderer of frames of this size, in pixels.
    ///
    /// # Errors
    /// [`RenderError::Size`] for a size that no renderer accepts.
    pub fn new(width: u32, height: u32) -> Result<Self, RenderError> {
        check_size(width, height)?;
        Ok(Self { width, height })
    }
}

impl Renderer for NullRenderer {
    fn render(&mut self, _pose: &Pose, frame: &mut Frame) -> Result<(), RenderError> {
        crate::check_frame(self.size(), frame)
    }

    fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }
}
