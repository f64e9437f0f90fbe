//! A performance without a clock: a whole piece of audio, faster than real time, through the same pieces.

use footlight_avatar::Weights;
use footlight_media::{OpusEncoder, OpusPacket};
use footlight_render::{Pose, life};

use crate::blend::Blend;
use crate::library::{Library, Set};
use crate::outlet::micros;
use crate::scene::{Camera, Canvases, INTO_SPEECH_MS};
use crate::voice::Voice;
use crate::{AudioUnit, PerformanceSpec, SAMPLE_RATE, Stage, StageError, Unit, VideoUnit};

/// Sound is given to the face model in pieces of this many samples, 100 ms.
const PIECE: usize = 4_800;

/// What the face does in one frame of speech.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameWeights {
    /// When the frame begins, in milliseconds from the first sample.
    pub t_ms: f64,
    /// The blendshape weights that speech asks for, without blinks and glances.
    pub weights: Weights,
}

/// How many frames `samples` at 48 kHz become: the last one is padded with silence.
#[must_use]
pub fn frame_count(samples: usize, fps: u32) -> u64 {
    samples.div_ceil((SAMPLE_RATE / fps) as usize) as u64
}

impl Stage {
    /// Performs `audio` (48 kHz, mono) on the calling thread and gives its units, in order of time, to `sink`. All are
    /// active; the first access unit is an IDR; media time begins at zero. The last audio packets hold less than 20 ms of
    /// `audio` or none, by their duration: they carry what the encoder held back. `progress` is told, after each frame,
    /// how many of how many are done.
    ///
    /// # Errors
    /// Names what is wrong with the spec, or passes on what `sink` says.
    pub fn perform_offline<E: From<StageError>>(
        &self,
        spec: &PerformanceSpec,
        audio: &[i16],
        mut progress: impl FnMut(u64, u64),
        mut sink: impl FnMut(Unit) -> Result<(), E>,
    ) -> Result<(), E> {
        spec.check()?;
        let set = self.library().set(spec)?;
        let mut film = Film::new(self.library(), &set)?;
        let mut packets = Vec::new();
        let total = frame_count(audio.len(), spec.fps);
        let mut frame = 0;
        let samples_per_frame = spec.samples_per_frame();
        let voice = self.library().voice(spec.fps, set.hears())?;
        animate_with(voice, audio, spec.fps, |weights, heard| -> Result<(), E> {
            let start = frame as usize * samples_per_frame;
            let unit = film.shoot(&set, frame, &weights.weights, heard)?;
            sink(Unit::Video(unit))?;
            let end = (start + samples_per_frame).min(audio.len());
            film.sound.push_i16(&audio[start..end], &mut packets).map_err(StageError::from)?;
            for packet in packets.drain(..) {
                sink(Unit::Audio(audio_unit(packet)))?;
            }
            frame += 1;
            progress(frame, total);
            Ok(())
        })?;
        film.sound.finish(&mut packets).map_err(StageError::from)?;
        packets.into_iter().try_for_each(|packet| sink(Unit::Audio(audio_unit(packet))))
    }

    /// Gives the weights of each frame of `audio` (48 kHz, mono) to `sink`, in order.
    ///
    /// # Errors
    /// [`StageError::FrameRate`], or passes on what `sink` says.
    pub fn animate<E: From<StageError>>(
        &self,
        audio: &[i16],
        fps: u32,
        mut sink: impl FnMut(FrameWeights) -> Result<(), E>,
    ) -> Result<(), E> {
        if !crate::spec::FRAME_RATES.contains(&fps) {
            return Err(StageError::FrameRate { fps }.into());
        }
        animate_with(self.library().voice(fps, false)?, audio, fps, |weights, _| sink(weights))
    }
}

/// Gives each frame's weights to `sink`, and what a renderer that draws from sound hears before that frame.
fn animate_with<E: From<StageError>>(
    mut voice: Option<Voice>,
    audio: &[i16],
    fps: u32,
    mut sink: impl FnMut(FrameWeights, &[f32]) -> Result<(), E>,
) -> Result<(), E> {
    let mut heard = Vec::new();
    let mut pieces = audio.chunks(PIECE);
    for frame in 0..frame_count(audio.len(), fps) {
        let weights = match &mut voice {
            Some(voice) => next_weights(voice, &mut pieces)?,
            None => Weights::NEUTRAL,
        };
        heard.clear();
        if let Some(voice) = &mut voice {
            voice.sound_for_renderer(&mut heard);
        }
        sink(FrameWeights { t_ms: frame as f64 * 1000.0 / f64::from(fps), weights }, &heard)?;
    }
    Ok(())
}

fn next_weights<'a>(voice: &mut Voice, pieces: &mut impl Iterator<Item = &'a [i16]>) -> Result<Weights, StageError> {
    loop {
        if let Some(weights) = voice.next() {
            return Ok(weights);
        }
        match pieces.next() {
            Some(piece) => voice.hear(piece)?,
            None => voice.end()?,
        }
    }
}

/// Pictures and sound of one piece of audio.
pub(crate) struct Film {
    camera: Camera,
    canvases: Canvases,
    blend: Blend,
    sound: OpusEncoder,
}

impl Film {
    pub(crate) fn new(library: &Library, set: &Set) -> Result<Self, StageError> {
        Ok(Self {
            camera: Camera::new(set)?,
            canvases: Canvases::default(),
            blend: Blend::from(set.life(0), INTO_SPEECH_MS, set.fps()),
            sound: OpusEncoder::new(library.sound)?,
        })
    }

    fn shoot(&mut self, set: &Set, frame: u64, weights: &Weights, heard: &[f32]) -> Result<VideoUnit, StageError> {
        self.camera.hear(heard);
        let pose: Pose = self.blend.apply(&life::compose(&set.life(frame), weights));
        let picture = self.camera.shoot(&pose, false, &mut self.canvases)?.picture;
        let at = |frame: u64| micros(frame * u64::from(SAMPLE_RATE / set.fps()));
        Ok(VideoUnit {
            data: picture.data,
            idr: picture.idr,
            pts_us: at(frame),
            duration_us: (at(frame + 1) - at(frame)) as u32,
            generation: 0,
            active: true,
            discontinuity: false,
        })
    }
}

fn audio_unit(packet: OpusPacket) -> AudioUnit {
    AudioUnit {
        pts_us: packet.pts_us(),
        duration_us: micros(u64::from(packet.samples)) as u32,
        data: packet.data,
        generation: 0,
        active: true,
    }
}
