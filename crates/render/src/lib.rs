//! Pictures from poses.
//!
//! A [`Renderer`] turns a [`Pose`] into a [`Frame`]: [`NullRenderer`] for metering without pictures,
//! [`EssenceRenderer`] on the CPU. [`life`] keeps a face alive while nothing is said, [`gesture`] moves it when
//! it is asked to. Nothing here knows of sessions, time or sound.
//!
//! Suggested reading order: [`Frame`], [`Pose`], [`Renderer`], [`life`], [`gesture`], [`essence`], [`measure`].

mod error;
pub mod essence;
mod frame;
pub mod gesture;
pub mod life;
pub mod measure;
mod null;
mod pose;
#[cfg(test)]
mod tests;

pub use error::{RenderError, SIDE_MAX, SIDE_MIN, check_size};
pub use essence::{EssenceRenderer, LoadedAvatar};
pub use frame::Frame;
pub use null::NullRenderer;
pub use pose::{HeadPose, Pose};

/// Makes pictures of one size. One per session; moves between threads freely.
pub trait Renderer: Send {
    /// Draws `pose` over all of `frame`. Does not block, but takes its time on the calling thread.
    ///
    /// The same pose (and sound, for those that hear) gives the same bytes, whatever the frame held before.
    ///
    /// # Errors
    /// [`RenderError::FrameSize`] when `frame` is of another size, or what the renderer ran into.
    fn render(&mut self, pose: &Pose, frame: &mut Frame) -> Result<(), RenderError>;

    /// Lets the renderer hear what is said: 16 kHz, mono, `-1.0..=1.0`, for those that draw from sound.
    ///
    /// Called before [`Renderer::render`] with the sound since the last call. What was heard last should be about 100 ms
    /// ahead of the frame. Frames for which nothing was heard show the pose alone. Most renderers ignore it.
    fn hear(&mut self, _pcm16k: &[f32]) {}

    /// The width and height of its pictures, in pixels.
    fn size(&self) -> (u32, u32);
}

fn check_frame((width, height): (u32, u32), frame: &Frame) -> Result<(), RenderError> {
    if (frame.width(), frame.height()) == (width, height) {
        return Ok(());
    }
    Err(RenderError::FrameSize { found_width: frame.width(), found_height: frame.height(), width, height })
}
