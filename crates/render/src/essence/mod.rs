//! Essence: the renderer for CPUs.
//!
//! What never moves is one plate, converted to YUV once. What moves is one set of planes that a lattice bends over it;
//! before it is bent, this frame's mouth and eyes are drawn into their small windows. Outside of the moving rectangle
//! every frame has the same bytes, so that an encoder can skip it.
//!
//! A bundle may carry a network that draws the mouth from sound: while something is heard, its mouth takes the place of
//! the bank's.
//!
//! Suggested reading order: [`LoadedAvatar`], then in the code `scene` (a frame from start to end), `mouth`, `eyes` and
//! the `bank` they share, `motion`, `warp`.

#![allow(clippy::cast_possible_wrap, reason = "places in a frame and its margin stay far below 2^31")]

mod avatar;
mod bank;
mod coverage;
mod eyes;
mod layout;
mod motion;
mod mouth;
mod network;
mod planes;
mod raster;
mod sample;
mod scene;
mod shapes;
mod warp;

use std::sync::Arc;

use footlight_avatar::bundle::mel::MelEar;

use crate::{Frame, Pose, RenderError, Renderer, check_frame, check_size};

pub use avatar::LoadedAvatar;
pub use motion::REACH;

use scene::Scene;

/// Renders one session's face on the CPU.
#[derive(Debug)]
pub struct EssenceRenderer {
    avatar: Arc<LoadedAvatar>,
    scene: Arc<Scene>,
    size: (u32, u32),
    /// Listens for a mouth network, where the avatar has one.
    ear: Option<MelEar>,
    /// Whether anything was heard since the last frame.
    heard: bool,
}

impl EssenceRenderer {
    /// A renderer of frames of this size, in pixels.
    ///
    /// The first one of an avatar and size prepares what all later ones share and blocks for tens of milliseconds.
    ///
    /// # Errors
    /// [`RenderError::Size`] for a size that no renderer accepts.
    pub fn new(avatar: Arc<LoadedAvatar>, width: u32, height: u32) -> Result<Self, RenderError> {
        check_size(width, height)?;
        let scene = avatar.scene(width, height);
        let ear = avatar.bundle().mouth_network.as_ref().map(|_| MelEar::default());
        Ok(Self { avatar, scene, size: (width, height), ear, heard: false })
    }

    /// The avatar that is shown.
    #[must_use]
    pub const fn avatar(&self) -> &Arc<LoadedAvatar> {
        &self.avatar
    }

    /// The part of the frame in which pixels ever change; all others are the same in every frame.
    #[must_use]
    pub fn moving_area(&self) -> Area {
        self.scene.moving_area()
    }
}

/// A rectangle of a frame, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Distance from the left.
    pub x: u32,
    /// Distance from the top.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl Renderer for EssenceRenderer {
    fn render(&mut self, pose: &Pose, frame: &mut Frame) -> Result<(), RenderError> {
        check_frame(self.size, frame)?;
        let mel = self.ear.as_ref().filter(|_| std::mem::take(&mut self.heard)).map(MelEar::window);
        let failed = |message| RenderError::MouthNetwork { avatar: self.avatar.name().to_owned(), message };
        self.scene.draw(pose, mel.as_ref(), frame).map_err(failed)
    }

    fn hear(&mut self, pcm16k: &[f32]) {
        if let Some(ear) = &mut self.ear {
            ear.hear(pcm16k);
            self.heard |= !pcm16k.is_empty();
        }
    }

    fn size(&self) -> (u32, u32) {
        self.size
    }
}
