//! Poses to access units.

use std::collections::HashMap;
use std::time::Instant;

use bytes::Bytes;
use footlight_media::{EncodedVideo, ForceIdr, H264Encoder, I420View};
use footlight_render::{EssenceRenderer, Frame, Pose, Renderer};

use crate::StageError;
use crate::idle::Shot;
use crate::library::{Looks, Set};

/// Cameras of one look that a worker keeps for the next scene. A camera holds several pictures' worth of memory, and
/// making one takes longer than a frame.
const SPARE_MAX: usize = 4;
/// Spare cameras of all looks.
const SPARE_TOTAL_MAX: usize = 16;

/// A renderer and its encoder.
pub(crate) enum Camera {
    /// Draws and encodes.
    Essence(Box<Essence>),
    /// Does neither; whether it has made a picture yet.
    Null {
        /// Whether it has made its first picture, which is an IDR like any encoder's.
        started: bool,
    },
}

/// The two halves.
pub(crate) struct Essence {
    renderer: EssenceRenderer,
    encoder: H264Encoder,
}

/// The frames between renderers and encoders, one per size. Cameras that take turns share it: what one has written is
/// still in the processor's cache when it is encoded, and the next one writes over it there.
#[derive(Default)]
pub(crate) struct Canvases {
    frames: Vec<Frame>,
}

/// Canvases of more sizes than this are not kept.
const CANVASES_MAX: usize = 8;

impl Canvases {
    fn of_size(&mut self, width: u32, height: u32) -> &mut Frame {
        let found = self.frames.iter().position(|frame| (frame.width(), frame.height()) == (width, height));
        let index = found.unwrap_or_else(|| {
            self.frames.truncate(CANVASES_MAX - 1);
            self.frames.insert(0, Frame::black(width, height));
            0
        });
        &mut self.frames[index]
    }
}

impl Camera {
    pub(crate) fn new(set: &Set) -> Result<Self, StageError> {
        let Some(avatar) = &set.avatar else { return Ok(Self::Null { started: false }) };
        let (width, height) = (set.video.width, set.video.height);
        Ok(Self::Essence(Box::new(Essence {
            renderer: EssenceRenderer::new(avatar.clone(), width, height)?,
            encoder: H264Encoder::new(set.video)?,
        })))
    }

    /// Lets a renderer that draws from sound hear more of it: 16 kHz.
    pub(crate) fn hear(&mut self, sound: &[f32]) {
        if let Self::Essence(essence) = self {
            essence.renderer.hear(sound);
        }
    }

    /// Makes one picture.
    pub(crate) fn shoot(&mut self, pose: &Pose, force_idr: bool, canvases: &mut Canvases) -> Result<Shot, StageError> {
        let begun = Instant::now();
        match self {
            Self::Null { started } => {
                let idr = force_idr || !std::mem::replace(started, true);
                let picture = EncodedVideo { data: Bytes::new(), idr };
                let taken = begun.elapsed();
                Ok(Shot { picture, render: taken, encode: taken })
            }
            Self::Essence(essence) => {
                let Essence { renderer, encoder } = &mut **essence;
                let (width, height) = renderer.size();
                let frame = canvases.of_size(width, height);
                renderer.render(pose, frame)?;
                let rendered = Instant::now();
                let view = I420View::packed(frame.width(), frame.height(), frame.data())?;
                let force = if force_idr { ForceIdr::Yes } else { ForceIdr::No };
                let picture = encoder.encode(view, force)?;
                Ok(Shot { picture, render: rendered - begun, encode: rendered.elapsed() })
            }
        }
    }
}

/// A worker's spare cameras.
#[derive(Default)]
pub(crate) struct CameraPool {
    spare: HashMap<Looks, Vec<Camera>>,
    /// What its cameras draw on.
    pub(crate) canvases: Canvases,
}

impl CameraPool {
    pub(crate) fn take(&mut self, set: &Set) -> Result<Camera, StageError> {
        match self.spare.get_mut(&set.looks).and_then(Vec::pop) {
            Some(camera) => Ok(camera),
            None => Camera::new(set),
        }
    }

    pub(crate) fn give_back(&mut self, looks: &Looks, camera: Camera) {
        if self.spare.values().map(Vec::len).sum::<usize>() >= SPARE_TOTAL_MAX {
            // Whoever speaks now is likelier to speak again than whoever left these behind.
            self.spare.retain(|kept, _| kept == looks);
        }
        let spare = self.spare.entry(looks.clone()).or_default();
        if spare.len() < SPARE_MAX {
            spare.push(camera);
        }
    }
}
