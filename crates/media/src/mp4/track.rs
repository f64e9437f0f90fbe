use super::moov::{self, AudioInfo, VideoInfo};
use super::table::SampleTable;
use super::{AudioTrack, VideoTrack};
use crate::audio::PACKET_SAMPLES;
use crate::video::nal;
use crate::{MediaError, OpusPacket};

/// A chunk of one track is written when it is this long, so that a player finds both tracks close together and the
/// disk sees few writes.
const CHUNK_US: u64 = 500_000;
/// Or when it has this many bytes, to bound memory at any bit rate.
const CHUNK_BYTES: usize = 1 << 20;
/// Sound that comes this much later than the packet before it ended leaves a gap; less is rounding. In samples.
const GAP_MIN: u64 = 480;

/// Samples of one track that will lie together in the file.
#[derive(Default)]
pub(super) struct Chunk {
    data: Vec<u8>,
    samples: u32,
    us: u64,
}

impl Chunk {
    pub(super) fn is_full(&self) -> bool {
        self.us >= CHUNK_US || self.data.len() >= CHUNK_BYTES
    }

    fn push(&mut self, duration_us: u32) {
        self.samples += 1;
        self.us += u64::from(duration_us);
    }

    /// Empties the chunk and enters into `table` that it is at `offset`.
    fn place(&mut self, table: &mut SampleTable, offset: u64) -> Vec<u8> {
        let chunk = std::mem::take(self);
        if chunk.samples > 0 {
            table.push_chunk(offset, chunk.samples);
        }
        chunk.data
    }
}

/// What is known of the picture track so far.
pub(super) struct VideoState {
    pub(super) chunk: Chunk,
    /// When the first picture is shown.
    pub(super) first_us: u64,
    track: VideoTrack,
    parameter_sets: Option<[Vec<u8>; 2]>,
    table: SampleTable,
    last: Option<LastPicture>,
}

#[derive(Clone, Copy)]
struct LastPicture {
    pts_us: u64,
    duration_us: u32,
}

impl VideoState {
    pub(super) fn new(track: VideoTrack) -> Self {
        Self {
            chunk: Chunk::default(),
            first_us: 0,
            track,
            parameter_sets: None,
            table: SampleTable::default(),
            last: None,
        }
    }

    pub(super) fn push(&mut self, annex_b: &[u8], pts_us: u64, duration_us: u32, idr: bool) -> Result<(), MediaError> {
        self.check_parameter_sets(annex_b, idr)?;
        self.advance(pts_us, duration_us)?;
        let data = &mut self.chunk.data;
        let start = data.len();
        for unit in nal::units(annex_b) {
            // Parameter sets are in the index, once; delimiters have no place in this format.
            if !matches!(nal::unit_type(unit), nal::SPS | nal::PPS | nal::DELIMITER) {
                data.extend_from_slice(&(unit.len() as u32).to_be_bytes());
                data.extend_from_slice(unit);
            }
        }
        self.table.push_sample((data.len() - start) as u32);
        if idr {
            self.table.mark_sync();
        }
        self.chunk.push(duration_us);
        Ok(())
    }

    /// Takes the chunk out and enters that it is at `offset`.
    pub(super) fn place_chunk(&mut self, offset: u64) -> Vec<u8> {
        self.chunk.place(&mut self.table, offset)
    }

    /// Ends the last picture and tells all about the track, in a file that begins at `begins_us`.
    pub(super) fn finish(&mut self, begins_us: u64) -> Result<VideoInfo<'_>, MediaError> {
        if let Some(last) = self.last.take() {
            let ticks = self.ticks_between(last.pts_us, last.pts_us + u64::from(last.duration_us));
            self.table.push_duration(ticks);
        }
        let parameter_sets =
            self.parameter_sets.as_ref().ok_or(MediaError::Mp4Order { reason: "it has no picture" })?;
        let delay_us = self.first_us - begins_us;
        Ok(VideoInfo { track: self.track, parameter_sets, table: &self.table, delay_us })
    }

    fn check_parameter_sets(&mut self, annex_b: &[u8], idr: bool) -> Result<(), MediaError> {
        let refused = |reason| Err(MediaError::Mp4Order { reason });
        let mut sets: [Option<&[u8]>; 2] = [None, None];
        for unit in nal::units(annex_b) {
            match nal::unit_type(unit) {
                nal::SPS if unit.len() >= 4 => sets[0] = Some(unit),
                nal::PPS => sets[1] = Some(unit),
                nal::IDR_SLICE if !idr => return refused("a unit not marked as an idr holds one"),
                _ => {}
            }
        }
        match (&self.parameter_sets, sets) {
            (None, [Some(sps), Some(pps)]) if idr => {
                self.parameter_sets = Some([sps.to_vec(), pps.to_vec()]);
                Ok(())
            }
            (None, _) => refused("the first picture must be an idr with its sps and pps"),
            (Some([sps, pps]), [new_sps, new_pps])
                if new_sps.is_some_and(|new| new != sps) || new_pps.is_some_and(|new| new != pps) =>
            {
                refused("a picture was encoded with other settings than the first")
            }
            _ => Ok(()),
        }
    }

    /// Settles how long the picture before this one lasts.
    fn advance(&mut self, pts_us: u64, duration_us: u32) -> Result<(), MediaError> {
        match self.last {
            None => self.first_us = pts_us,
            Some(last) if pts_us > last.pts_us => {
                let ticks = self.ticks_between(last.pts_us, pts_us);
                self.table.push_duration(ticks);
            }
            Some(_) => return Err(MediaError::Mp4Order { reason: "picture times must rise" }),
        }
        self.last = Some(LastPicture { pts_us, duration_us });
        Ok(())
    }

    /// Both ends are rounded to ticks since the first picture, and not the distance: errors do not add up.
    fn ticks_between(&self, from_us: u64, to_us: u64) -> u32 {
        let timescale = u64::from(moov::video_timescale(self.track.fps));
        let ticks = |us: u64| ((us - self.first_us) * timescale + 500_000) / 1_000_000;
        u32::try_from(ticks(to_us) - ticks(from_us)).unwrap_or(u32::MAX)
    }
}

/// What is known of the sound track so far.
pub(super) struct AudioState {
    pub(super) chunk: Chunk,
    track: AudioTrack,
    table: SampleTable,
    first_us: u64,
    /// How long the packet pushed last lasts, in samples. It grows when the next one comes late.
    last_ticks: Option<u32>,
    /// Samples up to the last real one, gaps included.
    real_samples: u64,
}

impl AudioState {
    pub(super) fn new(track: AudioTrack) -> Self {
        Self {
            chunk: Chunk::default(),
            track,
            table: SampleTable::default(),
            first_us: 0,
            last_ticks: None,
            real_samples: 0,
        }
    }

    /// Returns when the first packet is heard.
    pub(super) fn first_us(&self) -> Option<u64> {
        (self.table.samples() > 0).then_some(self.first_us)
    }

    pub(super) fn push(&mut self, packet: &[u8], pts_us: u64, samples: u32) {
        match self.last_ticks {
            None => self.first_us = pts_us,
            Some(last_ticks) => {
                let gap = self.gap_before(pts_us, last_ticks);
                self.table.push_duration(last_ticks + gap);
                self.real_samples += u64::from(gap);
            }
        }
        self.last_ticks = Some(PACKET_SAMPLES as u32);
        self.real_samples += u64::from(samples);
        self.table.push_sample(packet.len() as u32);
        self.chunk.data.extend_from_slice(packet);
        self.chunk.push(OpusPacket::DURATION_US);
    }

    /// Takes the chunk out and enters that it is at `offset`.
    pub(super) fn place_chunk(&mut self, offset: u64) -> Vec<u8> {
        self.chunk.place(&mut self.table, offset)
    }

    /// Ends the last packet and tells all about the track, if there is any sound, in a file that begins at `begins_us`.
    pub(super) fn finish(&mut self, begins_us: u64) -> Option<AudioInfo<'_>> {
        self.table.push_duration(self.last_ticks.take()?);
        Some(AudioInfo {
            track: self.track,
            table: &self.table,
            real_samples: self.real_samples,
            delay_us: self.first_us - begins_us,
        })
    }

    /// Returns how many samples are missing between the last packet and one at `pts_us`. Sound that comes too early
    /// is played when the sound before it has ended.
    fn gap_before(&self, pts_us: u64, last_ticks: u32) -> u32 {
        let expected = self.table.ticks() + u64::from(last_ticks);
        let found = (pts_us.saturating_sub(self.first_us) * 48 + 500) / 1000;
        let gap = found.saturating_sub(expected);
        if gap < GAP_MIN { 0 } else { u32::try_from(gap).unwrap_or(u32::MAX - last_ticks) }
    }
}
