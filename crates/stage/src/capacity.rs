//! How many clean streams this machine carries, by trying.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use footlight_media::OpusEncoder;
use footlight_media::audio::PACKET_SAMPLES;
use footlight_render::life;

use crate::library::Set;
use crate::performer::Backstage;
use crate::scene::{Camera, Canvases};
use crate::voice::Voice;
use crate::worker::Errand;
use crate::{PerformanceSpec, SAMPLE_RATE, Stage, StageError};

/// Streams that are worked in turn, so that each finds the caches as cold as it would between many.
const STREAMS: usize = 6;

/// The share of a worker's time that clean streams may take. The rest absorbs IDRs, other processes and chance: beyond
/// it, frames begin to wait for one another.
const LOAD_MAX: f64 = 0.8;

/// What [`Stage::measure_capacity`] found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeasuredCapacity {
    /// One active frame, audio in to H.264 and Opus out, all workers at work; the mean.
    pub frame_time: Duration,
    /// Frames measured.
    pub frames: u64,
    /// Streams of the measured spec that all workers together carry cleanly, in thousandths.
    pub streams_milli: u64,
    /// The same in thousandths of a 512x512 stream at 25 frames a second: what
    /// [`PerformanceSpec::weight_milli`] is compared with.
    pub slots_milli: u64,
}

impl Stage {
    /// Measures what one active frame of `spec` takes on all workers at once, for about `lasting` each, and what follows for
    /// how many may speak. Blocks; performances that run meanwhile are delayed, and the figure is lower by what they take.
    ///
    /// # Errors
    /// Names what is wrong with the spec.
    pub fn measure_capacity(&self, spec: &PerformanceSpec, lasting: Duration) -> Result<MeasuredCapacity, StageError> {
        spec.check()?;
        let set = self.library().set(spec)?;
        let (results, measured) = mpsc::channel();
        for worker in 0..self.workers() {
            let (set, results) = (set.clone(), results.clone());
            let errand = move |backstage: &mut Backstage| {
                // The receiver outlives all senders; see below.
                let _ = results.send(measure(&set, backstage, lasting));
            };
            self.send(worker, Errand::Run(Box::new(errand)))?;
        }
        drop(results);
        let mut streams = 0.0;
        let (mut frames, mut taken) = (0, Duration::ZERO);
        for result in measured {
            let (count, time) = result?;
            streams += LOAD_MAX * f64::from(count) / time.as_secs_f64() / f64::from(spec.fps);
            frames += u64::from(count);
            taken += time;
        }
        if frames == 0 {
            return Err(StageError::Closed);
        }
        let streams_milli = (streams * 1000.0) as u64;
        Ok(MeasuredCapacity {
            frame_time: taken.div_f64(frames as f64),
            frames,
            streams_milli,
            slots_milli: streams_milli * spec.weight_milli() / 1000,
        })
    }
}

/// One measured stream.
struct Stream {
    voice: Option<Voice>,
    camera: Camera,
    sound: OpusEncoder,
    for_renderer: Vec<f32>,
    position: usize,
    frame: u64,
}

/// Works some streams in turn until the time is over. Returns how many frames that made in how much time.
fn measure(set: &Set, backstage: &Backstage, lasting: Duration) -> Result<(u32, Duration), StageError> {
    let library = &backstage.library;
    let babble = babble();
    let mut canvases = Canvases::default();
    let mut streams = (0..STREAMS)
        .map(|index| {
            Ok(Stream {
                voice: library.voice(set.fps(), set.hears())?,
                camera: Camera::new(set)?,
                sound: OpusEncoder::new(library.sound)?,
                for_renderer: Vec::new(),
                position: index * SAMPLE_RATE as usize / 3,
                frame: index as u64 * 7,
            })
        })
        .collect::<Result<Vec<_>, StageError>>()?;
    // Not counted: first frames set up encoders, and every one is an IDR.
    for stream in &mut streams {
        stream.frame(set, &babble, &mut canvases)?;
    }
    let begun = Instant::now();
    let mut frames = 0;
    while begun.elapsed() < lasting || frames == 0 {
        for stream in &mut streams {
            stream.frame(set, &babble, &mut canvases)?;
            frames += 1;
        }
    }
    Ok((frames, begun.elapsed()))
}

impl Stream {
    fn frame(&mut self, set: &Set, babble: &[i16], canvases: &mut Canvases) -> Result<(), StageError> {
        let from = self.position % (babble.len() - SAMPLE_RATE as usize);
        let samples = (SAMPLE_RATE / set.fps()) as usize;
        self.position += samples;
        let sound = &babble[from..from + samples];
        let mut weights = None;
        if let Some(voice) = &mut self.voice {
            voice.hear(sound)?;
            weights = voice.next();
            self.for_renderer.clear();
            voice.sound_for_renderer(&mut self.for_renderer);
            self.camera.hear(&self.for_renderer);
        }
        self.frame += 1;
        let pose = life::compose(&set.life(self.frame), &weights.unwrap_or_default());
        self.camera.shoot(&pose, false, canvases)?;
        let mut packets = Vec::with_capacity(samples / PACKET_SAMPLES + 1);
        self.sound.push_i16(sound, &mut packets)?;
        Ok(())
    }
}

/// Five seconds of something like a voice: harmonics of a gliding pitch, in syllables with pauses. Work for the model and
/// the encoders, without shipping a recording for it.
fn babble() -> Vec<i16> {
    let mut phase = 0.0_f32;
    (0..5 * SAMPLE_RATE)
        .map(|sample| {
            let t = sample as f32 / SAMPLE_RATE as f32;
            phase = (phase + (130.0 + 40.0 * (2.1 * t).sin()) / SAMPLE_RATE as f32).fract();
            let formant = 4.0 + 3.0 * (7.3 * t).sin();
            let voice: f32 = (1_u8..=16)
                .map(|harmonic| {
                    let n = f32::from(harmonic);
                    (std::f32::consts::TAU * n * phase).sin() / (1.0 + (n - formant).abs())
                })
                .sum();
            let syllable = (std::f32::consts::TAU * 2.0 * t).sin().max(0.0);
            (voice * syllable * 5_000.0) as i16
        })
        .collect()
}
