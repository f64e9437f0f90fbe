//! 48 kHz mono to Opus packets, and the short fades that keep cuts from clicking.

mod fade;
mod opus;
#[cfg(test)]
mod tests;

pub use fade::{FADE_MS, fade_in, fade_out, fade_to_silence};
pub use opus::{OpusEncoder, OpusPacket, OpusSettings, PACKET_SAMPLES, PRE_SKIP, SAMPLE_RATE};
