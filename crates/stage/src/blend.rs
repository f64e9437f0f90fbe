//! From one motion to another without a jump.

use footlight_render::Pose;

/// A crossfade from a pose that was shown to whatever is to be shown next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blend {
    from: Pose,
    frame: u32,
    frames: u32,
}

impl Blend {
    /// No blend: poses pass as they are.
    pub(crate) const NONE: Self = Self { from: Pose::NEUTRAL, frame: 0, frames: 0 };

    /// A blend away from `from` over `ms` milliseconds.
    pub(crate) fn from(from: Pose, ms: u32, fps: u32) -> Self {
        Self { from, frame: 0, frames: (ms * fps).div_ceil(1000) }
    }

    /// The pose to show for `target` in the next frame.
    pub(crate) fn apply(&mut self, target: &Pose) -> Pose {
        if self.is_over() {
            return *target;
        }
        self.frame += 1;
        let share = self.frame as f32 / (self.frames + 1) as f32;
        // Eased at both ends: a head that starts or stops at once looks mechanical.
        self.from.blend(target, share * share * (3.0 - 2.0 * share))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.frame >= self.frames
    }
}
