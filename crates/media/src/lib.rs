//! Sound and pictures at the edges of a session: what comes in is decoded, what goes out is encoded and boxed.
//!
//! This crate is plain, synchronous code over byte buffers. It knows no session, no clock, no network and no
//! thread of its own: a caller brings samples, frames and times, and gets packets, files or a named fault back.
//!
//! In the order of a first reading:
//!
//! - [`decode`]: WAV, FLAC, MP3, Ogg or raw PCM to `f32` samples, a chunk at a time.
//! - [`video`]: I420 frames to H.264 access units that can be spliced at any IDR.
//! - [`audio`]: 48 kHz mono to Opus packets, and the short fades that make cuts silent.
//! - [`mp4`]: both of them into a file that starts playing before it is complete.
//! - [`wire`]: the header before each unit of media on a WebSocket.
//!
//! Two error types, by whose fault it is: [`DecodeError`] is about submitted audio and is told to whoever sent
//! it, [`MediaError`] is about our own encoders, files and arguments.

pub mod audio;
pub mod decode;
mod error;
pub mod mp4;
pub mod video;
pub mod wire;

pub use audio::{OpusEncoder, OpusPacket, OpusSettings};
pub use decode::{AudioDecoder, AudioSource, DecodeError, DecodeLimits, PcmChunk, PcmFormat};
pub use error::MediaError;
pub use mp4::{AudioTrack, Mp4Writer, VideoTrack};
pub use video::{EncodedVideo, ForceIdr, H264Encoder, I420View, RateControl, VideoSettings, encoder_assembly};
pub use wire::{MediaFlags, MediaHeader, MediaKind};
