//! How a stage is set up.

use serde::Deserialize;

/// What makes the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RendererKind {
    /// The avatar, on the CPU.
    #[default]
    Essence,
    /// No picture is drawn or encoded: units are empty, everything else is real. For metering at scale.
    Null,
}

/// How a stage is set up.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StageOptions {
    /// Worker threads. Each carries its share of the sessions; more than there are cores only adds switching. `0`
    /// means one per core.
    pub workers: usize,
    /// What makes the pictures.
    pub renderer: RendererKind,
    /// Seconds of audio that may wait in one session, live feeds included. Raising it lets clients send further ahead,
    /// at 96 kB a second and session.
    pub max_queued_audio_s: u32,
    /// Bytes of audio that may wait in all sessions together, half of them in those of one account. Raising it costs as much
    /// memory once it is used. Whole utterances count until they are over.
    pub max_queued_bytes: u64,
    /// Units that may wait in an outlet whose options name no other bound. At 25 frames a second 75 units are one
    /// second; beyond, a slow reader loses whole access units.
    pub outlet_queue_units: usize,
    /// The quantiser of all video, 12 (best) to 51 (smallest). Idle loops and live video share it. Lowering it makes IDRs
    /// stand out less; at 22 a speaking face of 512x512 takes about 180 kbit/s, at 26 about 100.
    pub video_qp: u8,
    /// Kilobits a second of audio, 16 to 256. Up to about 64 a voice is coded as speech, which takes three times as long as
    /// the general coding beyond; a video of this kind takes more bits than either.
    pub audio_kbps: u32,
}

impl Default for StageOptions {
    fn default() -> Self {
        Self {
            workers: 0,
            renderer: RendererKind::Essence,
            max_queued_audio_s: 600,
            max_queued_bytes: 1 << 30,
            outlet_queue_units: 75,
            video_qp: 22,
            audio_kbps: 72,
        }
    }
}
