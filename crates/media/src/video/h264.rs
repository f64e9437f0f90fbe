use bytes::Bytes;
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Level, Profile, QpRange,
    RateControlMode, SpsPpsStrategy, UsageType, VuiConfig,
};
use openh264::{OpenH264API, Timestamp};
use openh264_sys2::{ENCODER_OPTION_TRACE_LEVEL, WELS_LOG_QUIET};

use super::I420View;
use crate::MediaError;

/// Smallest width and height in pixels: one macroblock.
pub const SIDE_MIN: u32 = 16;
/// Largest long side in pixels that the encoder takes.
pub const LONG_SIDE_MAX: u32 = 3840;
/// Largest short side in pixels that the encoder takes.
pub const SHORT_SIDE_MAX: u32 = 2160;
/// Largest frame rate in frames a second.
pub const FPS_MAX: u32 = 60;

/// How bits are spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateControl {
    /// Every frame at this quantiser, 12 (best) to 51 (smallest). A talking head on a still background costs
    /// what its motion costs, two encoders look alike where they are spliced, and it is the quickest.
    ConstantQp(u8),
    /// Frames drift in quality to meet a mean bit rate, in kilobits a second, 32 to 50 000.
    Bitrate {
        /// The mean to meet.
        kbps: u32,
    },
}

/// What an [`H264Encoder`] is made for. Equal settings give equal parameter sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VideoSettings {
    /// Width in pixels: even, 16 to 3840.
    pub width: u32,
    /// Height in pixels: even, 16 to 3840, and at most 2160 where the width is over 2160.
    pub height: u32,
    /// Frames a second, 1 to 60.
    pub fps: u32,
    /// How bits are spent.
    pub rate: RateControl,
}

impl VideoSettings {
    fn check(&self) -> Result<(), MediaError> {
        let invalid =
            |reason| Err(MediaError::VideoSettings { width: self.width, height: self.height, fps: self.fps, reason });
        if !self.width.is_multiple_of(2) || !self.height.is_multiple_of(2) {
            return invalid("width and height must be even");
        }
        let (short, long) = (self.width.min(self.height), self.width.max(self.height));
        if short < SIDE_MIN {
            return invalid("width and height must be at least 16 pixels");
        }
        if long > LONG_SIDE_MAX || short > SHORT_SIDE_MAX {
            return invalid("the largest picture is 3840x2160 or 2160x3840");
        }
        if self.fps == 0 || self.fps > FPS_MAX {
            return invalid("the frame rate must be 1 to 60");
        }
        let (name, value, min, max) = match self.rate {
            RateControl::ConstantQp(qp) => ("the quantiser", u32::from(qp), 12, 51),
            RateControl::Bitrate { kbps } => ("the bit rate in kbit/s", kbps, 32, 50_000),
        };
        if value < min || value > max {
            return Err(MediaError::OutOfRange { name, value, min, max });
        }
        Ok(())
    }

    fn encoder_config(&self) -> EncoderConfig {
        let (mode, qp, bits_per_second) = match self.rate {
            // Quality mode with one allowed quantiser. The encoder's "off" mode would do the same, but takes its
            // quantiser from a field that the safe binding does not reach. The bit rate is then only a number
            // for the level in the SPS: enough for any level that the size asks for, so that it never raises it.
            RateControl::ConstantQp(qp) => (RateControlMode::Quality, QpRange::new(qp, qp), 1_000_000),
            RateControl::Bitrate { kbps } => (RateControlMode::Bitrate, QpRange::new(12, 42), kbps * 1000),
        };
        EncoderConfig::new()
            .max_frame_rate(FrameRate::from_hz(self.fps as f32))
            .rate_control_mode(mode)
            .qp(qp)
            .bitrate(BitRate::from_bps(bits_per_second))
            // A frame that was paid for is never skipped.
            .skip_frames(false)
            .usage_type(UsageType::CameraVideoRealTime)
            .complexity(Complexity::Low)
            .profile(Profile::Baseline)
            // The floor that browsers negotiate (42e01f); the encoder raises it where the size needs more.
            .level(Level::Level_3_1)
            // Sessions share cores; a thread pool in every encoder would only fight over them.
            .num_threads(1)
            // An unchanged background costs next to nothing: pixels outside of the motion stay bit-identical.
            .background_detection(true)
            .adaptive_quantization(false)
            // An IDR comes when asked for and never by itself, or splices and drops would lose count.
            .scene_change_detect(false)
            .intra_frame_period(IntraFramePeriod::from_num_frames(0))
            .long_term_reference(false)
            .sps_pps_strategy(SpsPpsStrategy::ConstantId)
            .vui(VuiConfig::bt709())
    }
}

/// Whether a frame must be one that decoding can start at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ForceIdr {
    /// Predict from the last frame. The first frame of an encoder is an IDR all the same.
    No,
    /// Make an IDR with its parameter sets. Costs three to four times a predicted frame.
    Yes,
}

/// One H.264 access unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedVideo {
    /// The access unit in Annex-B form. An IDR carries SPS and PPS before its slice.
    pub data: Bytes,
    /// Whether decoding can start here.
    pub idr: bool,
}

/// Makes H.264 (constrained baseline, no B frames, BT.709 limited range) from I420 frames on the calling thread.
///
/// Every frame gives exactly one access unit, in order.
pub struct H264Encoder {
    encoder: Encoder,
    settings: VideoSettings,
    frames: u64,
}

impl H264Encoder {
    /// Creates an encoder. Its memory, a few pictures' worth, is taken at the first frame.
    ///
    /// # Errors
    ///
    /// Returns [`MediaError::VideoSettings`] or [`MediaError::OutOfRange`] for settings that cannot be encoded.
    pub fn new(settings: VideoSettings) -> Result<Self, MediaError> {
        settings.check()?;
        let mut encoder = Encoder::with_api_config(OpenH264API::from_source(), settings.encoder_config())
            .map_err(MediaError::H264)?;
        silence(&mut encoder);
        Ok(Self { encoder, settings, frames: 0 })
    }

    /// Returns what the encoder was made for.
    pub fn settings(&self) -> VideoSettings {
        self.settings
    }

    /// Encodes the next frame.
    ///
    /// # Errors
    ///
    /// Returns [`MediaError::FrameSize`] for a frame of another size, and [`MediaError::H264`] or
    /// [`MediaError::NoPicture`] when the encoder fails; after that, make a new one.
    pub fn encode(&mut self, picture: I420View<'_>, force_idr: ForceIdr) -> Result<EncodedVideo, MediaError> {
        let expected = (self.settings.width, self.settings.height);
        let found = (picture.width(), picture.height());
        if found != expected {
            return Err(MediaError::FrameSize { expected, found });
        }
        // Before its first frame the encoder is not set up, and that frame is an IDR anyway.
        if force_idr == ForceIdr::Yes && self.frames > 0 {
            self.encoder.force_intra_frame();
        }
        let timestamp = Timestamp::from_millis(self.frames * 1000 / u64::from(self.settings.fps));
        let bits = self.encoder.encode_at(&picture, timestamp).map_err(MediaError::H264)?;
        let idr = bits.frame_type() == FrameType::IDR;
        let data = Bytes::from(bits.to_vec());
        if data.is_empty() {
            return Err(MediaError::NoPicture { frame: self.frames });
        }
        self.frames += 1;
        Ok(EncodedVideo { data, idr })
    }
}

/// Keeps the library from writing to standard error, where it would warn, at every new session, that rate control
/// may miss its target when no frame is skipped. Its failures come back as codes all the same.
#[allow(
    unsafe_code,
    reason = "the safe binding sets the trace level only after the first frame, when the warning is already out"
)]
fn silence(encoder: &mut Encoder) {
    let mut level = WELS_LOG_QUIET;
    // SAFETY: this option takes a pointer to an i32, which is only read during the call, and is one of the three
    // that the library allows before it is initialised. No parameter that the binding relies on is touched.
    unsafe {
        encoder.raw_api().set_option(ENCODER_OPTION_TRACE_LEVEL, (&raw mut level).cast());
    }
}
