//! I420 frames to H.264 access units.
//!
//! Every encoder of equal settings writes the same SPS and PPS, repeats them before each IDR, and makes an IDR
//! only when asked. So streams of different encoders (the shared idle loop, a live session) can be joined at any
//! IDR, and whoever dropped an access unit can go on at one.

mod assembly;
mod h264;
mod i420;
pub(crate) mod nal;
#[cfg(test)]
mod tests;

pub use assembly::encoder_assembly;
pub use h264::{
    EncodedVideo, FPS_MAX, ForceIdr, H264Encoder, LONG_SIDE_MAX, RateControl, SHORT_SIDE_MAX, SIDE_MIN, VideoSettings,
};
pub use i420::I420View;
