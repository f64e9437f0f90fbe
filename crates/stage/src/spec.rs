//! What one session's performance is to be.

use footlight_avatar::bundle::AvatarChoice;
use footlight_render::check_size;
use footlight_session::{AccountId, SessionId, WhenUnwatched};

use crate::{SAMPLE_RATE, StageError};

/// The frame rates the stage performs at: those whose frames hold a whole number of samples and that meet the 20 ms
/// grid of audio packets within three frames.
pub const FRAME_RATES: [u32; 4] = [20, 25, 30, 50];

/// What one session's performance is to be. Fixed for its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerformanceSpec {
    /// Whose it is; names it in logs.
    pub session: SessionId,
    /// Who pays for it: its audio takes room of this account's share.
    pub account: AccountId,
    /// Who is shown.
    pub avatar: AvatarChoice,
    /// Frames a second: one of [`FRAME_RATES`].
    pub fps: u32,
    /// Width in pixels, even, 64 to 1920.
    pub width: u32,
    /// Height in pixels, even, 64 to 1920.
    pub height: u32,
    /// A plain colour (red, green, blue) in place of the avatar's own background.
    pub background: Option<[u8; 3]>,
    /// What speech does while no outlet is attached.
    pub when_unwatched: WhenUnwatched,
}

impl PerformanceSpec {
    /// Checks rate and size.
    ///
    /// # Errors
    /// [`StageError::FrameRate`] and [`StageError::Render`] name what is out of range.
    pub fn check(&self) -> Result<(), StageError> {
        if !FRAME_RATES.contains(&self.fps) {
            return Err(StageError::FrameRate { fps: self.fps });
        }
        Ok(check_size(self.width, self.height)?)
    }

    /// Samples that one frame stands for.
    #[must_use]
    pub fn samples_per_frame(&self) -> usize {
        (SAMPLE_RATE / self.fps) as usize
    }

    /// What this performance costs while it speaks, in thousandths of a 512x512 stream at 25 frames a second.
    #[must_use]
    pub fn weight_milli(&self) -> u64 {
        let pixels = |width: u32, height: u32, fps: u32| u64::from(width) * u64::from(height) * u64::from(fps);
        (pixels(self.width, self.height, self.fps) * 1000).div_ceil(pixels(512, 512, 25))
    }
}
