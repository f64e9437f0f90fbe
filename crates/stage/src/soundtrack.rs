//! A performance's sound: one continuous track of 20 ms packets, through speech, idle and pause.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use footlight_media::audio::{FADE_MS, PACKET_SAMPLES, fade_in, fade_to_silence};
use footlight_media::{MediaError, OpusEncoder, OpusPacket, OpusSettings};

use crate::outlet::micros;
use crate::{AudioUnit, SAMPLE_RATE, StageError};

/// Silent packets that the encoder still makes after speech: its filters and a decoder's must have run empty before
/// the shared packet of silence takes over.
const RUN_OUT: u32 = 3;

/// Samples of a cut that are faded out.
pub(crate) const FADE_SAMPLES: usize = (SAMPLE_RATE * FADE_MS / 1000) as usize;

/// The packet that every silent session sends.
pub(crate) fn silence(settings: OpusSettings) -> Result<Bytes, StageError> {
    let mut encoder = OpusEncoder::new(settings)?;
    let mut packets = Vec::new();
    // The first packets differ: the encoder starts up.
    encoder.push(&[0.0; PACKET_SAMPLES * 8], &mut packets)?;
    Ok(packets.pop().map(|packet| packet.data).unwrap_or_default())
}

/// Cuts sound into packets. Frames are pushed in order, each with its sound or silent.
pub(crate) struct Soundtrack {
    settings: OpusSettings,
    silence: Bytes,
    /// Made when speech begins, dropped when it has run out.
    encoder: Option<OpusEncoder>,
    /// Samples of the packet that fills, and whether any of them is submitted audio.
    pending: Vec<f32>,
    pending_active: bool,
    pending_silent: bool,
    /// The sound of a cut, faded, to be laid over what follows.
    tail: Vec<f32>,
    /// Silent packets since the last other one.
    silent_packets: u32,
    frame: Vec<f32>,
    packets: Vec<OpusPacket>,
}

impl Soundtrack {
    pub(crate) fn new(settings: OpusSettings, silence: Bytes) -> Self {
        Self {
            settings,
            silence,
            encoder: None,
            pending: Vec::new(),
            pending_active: false,
            pending_silent: true,
            tail: Vec::new(),
            silent_packets: RUN_OUT,
            frame: Vec::new(),
            packets: Vec::new(),
        }
    }

    /// Speech stops here: `next`, what would have followed, is faded out over what does.
    pub(crate) fn cut(&mut self, next: &[i16]) {
        self.tail.clear();
        self.tail.extend(next.iter().take(FADE_SAMPLES).map(|&sample| to_float(sample)));
        fade_to_silence(&mut self.tail, SAMPLE_RATE);
    }

    /// Appends a frame of speech, from the media sample `at` on. Speech that goes on after a cut is faded in.
    pub(crate) fn push_speech(
        &mut self,
        samples: &[i16],
        at: u64,
        resumes: bool,
        units: &mut Vec<AudioUnit>,
    ) -> Result<(), StageError> {
        self.frame.clear();
        self.frame.extend(samples.iter().map(|&sample| to_float(sample)));
        if resumes {
            fade_in(&mut self.frame, SAMPLE_RATE);
        }
        self.push_frame(true, at, units)
    }

    /// Appends a silent frame of this many samples, from the media sample `at` on.
    pub(crate) fn push_silence(
        &mut self,
        samples: usize,
        at: u64,
        units: &mut Vec<AudioUnit>,
    ) -> Result<(), StageError> {
        self.frame.clear();
        self.frame.resize(samples, 0.0);
        self.push_frame(false, at, units)
    }

    /// Forgets the half-filled packet, the encoder and all buffers: nobody listens, perhaps for long.
    pub(crate) fn rest(&mut self) {
        *self = Self::new(self.settings, self.silence.clone());
    }

    fn push_frame(&mut self, active: bool, at: u64, units: &mut Vec<AudioUnit>) -> Result<(), StageError> {
        let sounding = if active { self.frame.len() } else { self.tail.len() };
        for (sample, tail) in self.frame.iter_mut().zip(self.tail.drain(..)) {
            *sample += tail;
        }
        let frame = std::mem::take(&mut self.frame);
        let mut rest = frame.as_slice();
        while !rest.is_empty() {
            let done = frame.len() - rest.len();
            let (now, later) = rest.split_at(rest.len().min(PACKET_SAMPLES - self.pending.len()));
            self.pending.extend_from_slice(now);
            self.pending_active |= active;
            self.pending_silent &= done >= sounding;
            rest = later;
            if self.pending.len() == PACKET_SAMPLES {
                let end = at + (frame.len() - rest.len()) as u64;
                let data = self.packet()?;
                units.push(AudioUnit {
                    data,
                    pts_us: micros(end.saturating_sub(PACKET_SAMPLES as u64)),
                    duration_us: OpusPacket::DURATION_US,
                    generation: 0,
                    active: self.pending_active,
                });
                self.pending.clear();
                self.pending_active = false;
                self.pending_silent = true;
            }
        }
        self.frame = frame;
        Ok(())
    }

    fn packet(&mut self) -> Result<Bytes, MediaError> {
        self.silent_packets = if self.pending_silent { self.silent_packets.saturating_add(1) } else { 0 };
        if self.silent_packets > RUN_OUT {
            self.encoder = None;
            return Ok(self.silence.clone());
        }
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            None => self.encoder.insert(OpusEncoder::new(self.settings)?),
        };
        self.packets.clear();
        encoder.push(&self.pending, &mut self.packets)?;
        Ok(self.packets.pop().map(|packet| packet.data).unwrap_or_default())
    }
}

fn to_float(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}
