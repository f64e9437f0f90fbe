//! The index of a file: what its tracks are, when they play, where their samples are.

use super::boxes::{put_box, put_full_box, put_u16, put_u32, put_u64};
use super::table::SampleTable;
use super::{AudioTrack, VideoTrack};

/// The unit of the file and of its edit lists: the sound's. 20, 25, 30, 50 and 60 frames a second divide it.
const MOVIE_TIMESCALE: u32 = 48_000;
const VIDEO_ID: u32 = 1;
const AUDIO_ID: u32 = 2;
/// Version 1 of the headers: times of 64 bits.
const WIDE_TIMES: u8 = 1;
/// A player that jumps into Opus must decode 80 ms before what it plays (RFC 7845, section 4.6): four packets.
const OPUS_PRE_ROLL_PACKETS: i16 = -4;

pub(super) struct VideoInfo<'a> {
    pub(super) track: VideoTrack,
    pub(super) parameter_sets: &'a [Vec<u8>; 2],
    pub(super) table: &'a SampleTable,
    /// How long after the file's beginning it begins.
    pub(super) delay_us: u64,
}

pub(super) struct AudioInfo<'a> {
    pub(super) track: AudioTrack,
    pub(super) table: &'a SampleTable,
    /// Samples up to the last real one.
    pub(super) real_samples: u64,
    /// How long after the file's beginning it begins.
    pub(super) delay_us: u64,
}

/// Returns the ticks a second of a picture track: a thousand for each nominal frame.
pub(super) fn video_timescale(fps: u32) -> u32 {
    fps.saturating_mul(1000)
}

/// Encodes the index of a file whose media begins `shift` bytes later than it was written.
pub(super) fn encode(video: &VideoInfo<'_>, audio: Option<&AudioInfo<'_>>, shift: u64, wide: bool) -> Vec<u8> {
    let picture = Track {
        id: VIDEO_ID,
        handler: *b"vide",
        timescale: video_timescale(video.track.fps),
        table: video.table,
        edits: video.edits(),
    };
    let sound = audio.map(|audio| Track {
        id: AUDIO_ID,
        handler: *b"soun",
        timescale: MOVIE_TIMESCALE,
        table: audio.table,
        edits: audio.edits(),
    });
    let duration = sound.iter().map(Track::duration).fold(picture.duration(), u64::max);
    let mut out = Vec::new();
    put_box(&mut out, b"moov", |out| {
        put_movie_header(out, duration);
        picture.put(out, &video.track, shift, wide, |out| {
            put_video_description(out, video);
            video.table.put_durations(out);
            video.table.put_sync(out);
        });
        if let (Some(sound), Some(audio)) = (&sound, audio) {
            sound.put(out, &video.track, shift, wide, |out| {
                put_audio_description(out, audio.track);
                audio.table.put_durations(out);
                put_pre_roll(out, audio.table.samples());
            });
        }
    });
    out
}

/// A part of the presentation, in movie ticks.
struct Edit {
    duration: u64,
    /// Where it begins in the track, in the track's ticks; `None` for a time without anything.
    from: Option<u64>,
}

impl Edit {
    /// Everything from `from` on for `duration` movie ticks, after `delay_us` of nothing.
    fn after(delay_us: u64, from: u64, duration: u64) -> Vec<Self> {
        let delay = (delay_us * u64::from(MOVIE_TIMESCALE) + 500_000) / 1_000_000;
        let nothing = Self { duration: delay, from: None };
        let track = Self { duration, from: Some(from) };
        if delay == 0 { vec![track] } else { vec![nothing, track] }
    }
}

impl VideoInfo<'_> {
    fn edits(&self) -> Vec<Edit> {
        let timescale = u64::from(video_timescale(self.track.fps));
        let duration = (self.table.ticks() * u64::from(MOVIE_TIMESCALE) + timescale / 2) / timescale;
        Edit::after(self.delay_us, 0, duration)
    }
}

impl AudioInfo<'_> {
    /// Cuts the encoder's delay at the front and its padding at the end.
    fn edits(&self) -> Vec<Edit> {
        let pre_skip = u64::from(self.track.pre_skip);
        let decoded = self.table.ticks().saturating_sub(pre_skip);
        Edit::after(self.delay_us, pre_skip, self.real_samples.min(decoded))
    }
}

struct Track<'a> {
    id: u32,
    handler: [u8; 4],
    timescale: u32,
    table: &'a SampleTable,
    edits: Vec<Edit>,
}

impl Track<'_> {
    fn duration(&self) -> u64 {
        self.edits.iter().map(|edit| edit.duration).sum()
    }

    fn is_picture(&self) -> bool {
        self.id == VIDEO_ID
    }

    fn put(
        &self,
        out: &mut Vec<u8>,
        picture: &VideoTrack,
        shift: u64,
        wide: bool,
        describe: impl FnOnce(&mut Vec<u8>),
    ) {
        put_box(out, b"trak", |out| {
            self.put_header(out, picture);
            self.put_edits(out);
            put_box(out, b"mdia", |out| {
                self.put_media_header(out);
                put_full_box(out, b"hdlr", 0, 0, |out| {
                    put_u32(out, 0);
                    out.extend_from_slice(&self.handler);
                    out.extend_from_slice(&[0; 12]);
                    out.extend_from_slice(b"Footlight\0");
                });
                put_box(out, b"minf", |out| {
                    match self.is_picture() {
                        // Copy mode, no operation colour; the flag is the standard's constant.
                        true => put_full_box(out, b"vmhd", 0, 1, |out| put_u64(out, 0)),
                        false => put_full_box(out, b"smhd", 0, 0, |out| put_u32(out, 0)),
                    }
                    put_data_reference(out);
                    put_box(out, b"stbl", |out| {
                        describe(out);
                        self.table.put_places(out, shift, wide);
                    });
                });
            });
        });
    }

    fn put_header(&self, out: &mut Vec<u8>, picture: &VideoTrack) {
        const ENABLED_AND_IN_MOVIE: u32 = 3;
        put_full_box(out, b"tkhd", WIDE_TIMES, ENABLED_AND_IN_MOVIE, |out| {
            put_u64(out, 0);
            put_u64(out, 0);
            put_u32(out, self.id);
            put_u32(out, 0);
            put_u64(out, self.duration());
            put_u64(out, 0);
            // Layer and group; then the volume, full for sound.
            put_u32(out, 0);
            put_u16(out, if self.is_picture() { 0 } else { 0x0100 });
            put_u16(out, 0);
            put_identity_matrix(out);
            let (width, height) = match self.is_picture() {
                true => (u32::from(picture.width), u32::from(picture.height)),
                false => (0, 0),
            };
            put_u32(out, width << 16);
            put_u32(out, height << 16);
        });
    }

    fn put_edits(&self, out: &mut Vec<u8>) {
        put_box(out, b"edts", |out| {
            put_full_box(out, b"elst", WIDE_TIMES, 0, |out| {
                put_u32(out, self.edits.len() as u32);
                for edit in &self.edits {
                    const NOTHING: u64 = u64::MAX;
                    const AT_NORMAL_SPEED: u32 = 1 << 16;
                    put_u64(out, edit.duration);
                    put_u64(out, edit.from.unwrap_or(NOTHING));
                    put_u32(out, AT_NORMAL_SPEED);
                }
            });
        });
    }

    fn put_media_header(&self, out: &mut Vec<u8>) {
        /// "und" in five bits a letter: the language of the speech is not known here.
        const UNDETERMINED: u16 = 0x55c4;
        put_full_box(out, b"mdhd", WIDE_TIMES, 0, |out| {
            put_u64(out, 0);
            put_u64(out, 0);
            put_u32(out, self.timescale);
            put_u64(out, self.table.ticks());
            put_u16(out, UNDETERMINED);
            put_u16(out, 0);
        });
    }
}

/// Creation times stay 0: the same session gives the same bytes.
fn put_movie_header(out: &mut Vec<u8>, duration: u64) {
    const AT_NORMAL_SPEED: u32 = 1 << 16;
    const FULL_VOLUME: u16 = 1 << 8;
    put_full_box(out, b"mvhd", WIDE_TIMES, 0, |out| {
        put_u64(out, 0);
        put_u64(out, 0);
        put_u32(out, MOVIE_TIMESCALE);
        put_u64(out, duration);
        put_u32(out, AT_NORMAL_SPEED);
        put_u16(out, FULL_VOLUME);
        out.extend_from_slice(&[0; 10]);
        put_identity_matrix(out);
        out.extend_from_slice(&[0; 24]);
        put_u32(out, AUDIO_ID + 1);
    });
}

fn put_identity_matrix(out: &mut Vec<u8>) {
    for value in [1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30] {
        put_u32(out, value);
    }
}

fn put_data_reference(out: &mut Vec<u8>) {
    const IN_THIS_FILE: u32 = 1;
    put_box(out, b"dinf", |out| {
        put_full_box(out, b"dref", 0, 0, |out| {
            put_u32(out, 1);
            put_full_box(out, b"url ", 0, IN_THIS_FILE, |_| {});
        });
    });
}

fn put_video_description(out: &mut Vec<u8>, video: &VideoInfo<'_>) {
    const DOTS_PER_INCH: u32 = 72 << 16;
    const COLOUR_WITHOUT_ALPHA: u16 = 24;
    const NO_PALETTE: u16 = u16::MAX;
    put_sample_description(out, b"avc1", |out| {
        out.extend_from_slice(&[0; 16]);
        put_u16(out, video.track.width);
        put_u16(out, video.track.height);
        put_u32(out, DOTS_PER_INCH);
        put_u32(out, DOTS_PER_INCH);
        put_u32(out, 0);
        put_u16(out, 1);
        out.extend_from_slice(&[0; 32]);
        put_u16(out, COLOUR_WITHOUT_ALPHA);
        put_u16(out, NO_PALETTE);
        put_avc_configuration(out, video.parameter_sets);
        put_box(out, b"colr", |out| {
            const BT709: u16 = 1;
            const LIMITED_RANGE: u8 = 0;
            out.extend_from_slice(b"nclx");
            put_u16(out, BT709);
            put_u16(out, BT709);
            put_u16(out, BT709);
            out.push(LIMITED_RANGE);
        });
        put_box(out, b"pasp", |out| {
            put_u32(out, 1);
            put_u32(out, 1);
        });
    });
}

fn put_avc_configuration(out: &mut Vec<u8>, [sps, pps]: &[Vec<u8>; 2]) {
    const RESERVED_AND_FOUR_BYTE_LENGTHS: u8 = 0xfc | 3;
    const RESERVED_AND_ONE_SPS: u8 = 0xe0 | 1;
    put_box(out, b"avcC", |out| {
        out.push(1);
        // Profile, constraints and level stand at the front of the SPS.
        out.extend_from_slice(&sps[1..4]);
        out.push(RESERVED_AND_FOUR_BYTE_LENGTHS);
        out.push(RESERVED_AND_ONE_SPS);
        put_u16(out, sps.len() as u16);
        out.extend_from_slice(sps);
        out.push(1);
        put_u16(out, pps.len() as u16);
        out.extend_from_slice(pps);
    });
}

fn put_audio_description(out: &mut Vec<u8>, audio: AudioTrack) {
    const MONO: u16 = 1;
    put_sample_description(out, b"Opus", |out| {
        put_u64(out, 0);
        put_u16(out, MONO);
        put_u16(out, 16);
        put_u32(out, 0);
        put_u32(out, crate::audio::SAMPLE_RATE << 16);
        put_box(out, b"dOps", |out| {
            out.push(0);
            out.push(MONO as u8);
            put_u16(out, audio.pre_skip);
            put_u32(out, crate::audio::SAMPLE_RATE);
            // No gain; mapping family 0: mono or stereo.
            put_u16(out, 0);
            out.push(0);
        });
    });
}

fn put_sample_description(out: &mut Vec<u8>, codec: &[u8; 4], describe: impl FnOnce(&mut Vec<u8>)) {
    put_full_box(out, b"stsd", 0, 0, |out| {
        put_u32(out, 1);
        put_box(out, codec, |out| {
            const DATA_REFERENCE: u16 = 1;
            out.extend_from_slice(&[0; 6]);
            put_u16(out, DATA_REFERENCE);
            describe(out);
        });
    });
}

fn put_pre_roll(out: &mut Vec<u8>, packets: u32) {
    const ENTRY_BYTES: u32 = 2;
    put_full_box(out, b"sgpd", 1, 0, |out| {
        out.extend_from_slice(b"roll");
        put_u32(out, ENTRY_BYTES);
        put_u32(out, 1);
        out.extend_from_slice(&OPUS_PRE_ROLL_PACKETS.to_be_bytes());
    });
    put_full_box(out, b"sbgp", 0, 0, |out| {
        out.extend_from_slice(b"roll");
        put_u32(out, 1);
        put_u32(out, packets);
        put_u32(out, 1);
    });
}
