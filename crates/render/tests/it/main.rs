//! What the renderers promise, from outside.

mod essence;
mod golden;
mod network;

use std::sync::Arc;

use footlight_avatar::bundle::shipped;
use footlight_avatar::weights::blendshape;
use footlight_render::{EssenceRenderer, Frame, LoadedAvatar, Pose, Renderer};

fn avatar(name: &str) -> Arc<LoadedAvatar> {
    LoadedAvatar::new(shipped(name).expect("a shipped avatar")).expect("a shipped avatar renders")
}

fn pose(shapes: &[(&str, f32)]) -> Pose {
    let mut pose = Pose::NEUTRAL;
    for (name, weight) in shapes {
        pose.weights.0[blendshape(name).expect("a standard name")] = *weight;
    }
    pose
}

fn rendered(avatar: &Arc<LoadedAvatar>, (width, height): (u32, u32), pose: &Pose) -> Frame {
    let mut frame = Frame::black(width, height);
    let mut renderer = EssenceRenderer::new(Arc::clone(avatar), width, height).expect("a size in range");
    renderer.render(pose, &mut frame).expect("a frame of the right size");
    frame
}
