//! The loop that every silent session of one avatar, size and rate shows: rendered and encoded once.

use std::time::Duration;

use footlight_media::EncodedVideo;
use footlight_render::life;

use crate::StageError;
use crate::library::Set;
use crate::scene::{Camera, Canvases};

/// The loop's access units, in closed groups of [`life::GROUP_FRAMES`], each beginning with an IDR: it can be entered
/// at any group, and left for a live IDR at any frame.
pub(crate) struct IdleLoop {
    units: Vec<EncodedVideo>,
}

impl IdleLoop {
    /// Renders and encodes the loop. Takes about 2 ms a frame at 512x512, so some tenths of a second.
    pub(crate) fn make(set: &Set) -> Result<Self, StageError> {
        let mut camera = Camera::new(set)?;
        let mut canvases = Canvases::default();
        let units = (0..frames(set.fps()))
            .map(|place| camera.shoot(&set.life(place), begins_group(place), &mut canvases).map(|shot| shot.picture))
            .collect::<Result<_, _>>()?;
        Ok(Self { units })
    }

    /// The unit at a place in the loop; places go on for ever.
    pub(crate) fn unit(&self, place: u64) -> &EncodedVideo {
        let place = place % self.units.len() as u64;
        &self.units[place as usize]
    }
}

/// Whether a group begins at this place.
pub(crate) fn begins_group(place: u64) -> bool {
    place.is_multiple_of(u64::from(life::GROUP_FRAMES))
}

/// The first place at or after this one where a group begins.
pub(crate) fn next_group(place: u64) -> u64 {
    place.next_multiple_of(u64::from(life::GROUP_FRAMES))
}

fn frames(fps: u32) -> u64 {
    u64::from(life::loop_frames(fps))
}

/// What shooting one picture took.
pub(crate) struct Shot {
    pub(crate) picture: EncodedVideo,
    pub(crate) render: Duration,
    pub(crate) encode: Duration,
}
