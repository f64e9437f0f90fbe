//! An avatar that is ready to be rendered at any size.

use std::sync::Arc;

use footlight_avatar::bundle::AvatarBundle;
use parking_lot::Mutex;

use super::scene::Scene;
use crate::RenderError;

/// How many sizes of an avatar stay prepared. Sessions keep what they use; this only saves preparing it again.
const SIZES_KEPT: usize = 4;

/// A frame size and what its frames share.
type Prepared = ((u32, u32), Arc<Scene>);

/// An avatar ready to render, shared by all sessions that show it.
#[derive(Debug)]
pub struct LoadedAvatar {
    bundle: AvatarBundle,
    scenes: Mutex<Vec<Prepared>>,
}

impl LoadedAvatar {
    /// Takes a bundle for rendering.
    ///
    /// # Errors
    /// When the bundle's mouth network cannot be prepared.
    pub fn new(bundle: AvatarBundle) -> Result<Arc<Self>, RenderError> {
        Ok(Arc::new(Self { bundle, scenes: Mutex::default() }))
    }

    /// The avatar's short name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.bundle.manifest.name
    }

    /// What the idle motion of this face is derived from.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.bundle.manifest.seed
    }

    /// The bundle it was made from.
    #[must_use]
    pub const fn bundle(&self) -> &AvatarBundle {
        &self.bundle
    }

    /// What frames of one size share, prepared at the first call.
    ///
    /// Prepared outside of the lock: others get their own size meanwhile, and two at once do it twice.
    pub(super) fn scene(&self, width: u32, height: u32) -> Arc<Scene> {
        let size = (width, height);
        let find =
            |scenes: &[Prepared]| scenes.iter().find(|(known, _)| *known == size).map(|(_, scene)| Arc::clone(scene));
        if let Some(scene) = find(&self.scenes.lock()) {
            return scene;
        }
        let scene = Arc::new(Scene::new(&self.bundle, width, height));
        let mut scenes = self.scenes.lock();
        if let Some(first) = find(&scenes) {
            return first;
        }
        if scenes.len() == SIZES_KEPT {
            scenes.remove(0);
        }
        scenes.push((size, Arc::clone(&scene)));
        scene
    }
}
