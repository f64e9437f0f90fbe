use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::boxes::{put_box, put_u32, put_u64};
use super::moov::{self, AudioInfo, VideoInfo};
use super::table::SampleTable;
use super::{AudioTrack, VideoTrack, file_error};
use crate::MediaError;
use crate::audio::PACKET_SAMPLES;
use crate::video::nal;

/// A chunk of one track is written when it is this long, so that a player finds both tracks close together and the
/// disk sees few writes.
const CHUNK_US: u64 = 500_000;
/// Or when it has this many bytes, to bound memory at any bit rate.
const CHUNK_BYTES: usize = 1 << 20;
/// How much is moved at a time when room for the index is made.
const MOVE_BYTES: usize = 1 << 20;
/// Length of an `mdat` header with a 64-bit size.
const MDAT_HEADER: u64 = 16;

/// Writes the boxes of a file to anything that can seek.
pub(super) struct Muxer<W> {
    out: W,
    path: PathBuf,
    mdat_start: u64,
    end: u64,
    video: VideoState,
    audio: Option<AudioState>,
}

struct VideoState {
    track: VideoTrack,
    parameter_sets: Option<[Vec<u8>; 2]>,
    table: SampleTable,
    chunk: Chunk,
    first_us: u64,
    last: Option<LastPicture>,
}

#[derive(Clone, Copy)]
struct LastPicture {
    pts_us: u64,
    duration_us: u32,
}

struct AudioState {
    track: AudioTrack,
    table: SampleTable,
    chunk: Chunk,
    real_samples: u64,
}

/// Samples of one track that lie together in the file.
#[derive(Default)]
struct Chunk {
    data: Vec<u8>,
    samples: u32,
    us: u64,
}

impl<W: Read + Write + Seek> Muxer<W> {
    pub(super) fn start(
        mut out: W,
        path: PathBuf,
        video: VideoTrack,
        audio: Option<AudioTrack>,
    ) -> Result<Self, MediaError> {
        if video.fps == 0 || video.width == 0 || video.height == 0 {
            return Err(MediaError::Mp4Order { reason: "a picture needs a size and a frame rate" });
        }
        let mut head = Vec::new();
        put_box(&mut head, b"ftyp", |out| {
            out.extend_from_slice(b"isom");
            put_u32(out, 0x200);
            out.extend_from_slice(b"isomiso2avc1mp41");
        });
        let mdat_start = head.len() as u64;
        put_mdat_header(&mut head, MDAT_HEADER);
        out.write_all(&head).map_err(|source| file_error("write", &path, source))?;
        Ok(Self {
            out,
            path,
            mdat_start,
            end: head.len() as u64,
            video: VideoState {
                track: video,
                parameter_sets: None,
                table: SampleTable::default(),
                chunk: Chunk::default(),
                first_us: 0,
                last: None,
            },
            audio: audio.map(|track| AudioState {
                track,
                table: SampleTable::default(),
                chunk: Chunk::default(),
                real_samples: 0,
            }),
        })
    }

    pub(super) fn push_video(
        &mut self,
        annex_b: &[u8],
        pts_us: u64,
        duration_us: u32,
        idr: bool,
    ) -> Result<(), MediaError> {
        let video = &mut self.video;
        video.check_parameter_sets(annex_b, idr)?;
        video.advance(pts_us, duration_us)?;
        let start = video.chunk.data.len();
        for unit in nal::units(annex_b) {
            // Parameter sets are in the index, once; delimiters have no place in this format.
            if !matches!(nal::unit_type(unit), nal::SPS | nal::PPS | nal::DELIMITER) {
                put_u32(&mut video.chunk.data, unit.len() as u32);
                video.chunk.data.extend_from_slice(unit);
            }
        }
        let size = video.chunk.data.len() - start;
        video.table.push_sample(size as u32);
        if idr {
            video.table.mark_sync();
        }
        video.chunk.samples += 1;
        video.chunk.us += u64::from(duration_us);
        if video.chunk.is_full() {
            self.write_video_chunk()?;
        }
        Ok(())
    }

    pub(super) fn push_audio(&mut self, packet: &[u8], samples: u32) -> Result<(), MediaError> {
        let audio = self.audio.as_mut().ok_or(MediaError::Mp4Order { reason: "the file was begun without sound" })?;
        audio.chunk.data.extend_from_slice(packet);
        audio.chunk.samples += 1;
        audio.chunk.us += 20_000;
        audio.table.push_sample(packet.len() as u32);
        audio.table.push_duration(PACKET_SAMPLES as u32);
        audio.real_samples += u64::from(samples);
        if audio.chunk.is_full() {
            self.write_audio_chunk()?;
        }
        Ok(())
    }

    /// Writes what is left, moves the media behind the index, and returns the output.
    pub(super) fn finish(mut self) -> Result<W, MediaError> {
        self.write_video_chunk()?;
        self.write_audio_chunk()?;
        let Some(parameter_sets) = self.video.parameter_sets.take() else {
            return Err(MediaError::Mp4Order { reason: "it has no picture" });
        };
        if let Some(last) = self.video.last {
            let ends = last.pts_us + u64::from(last.duration_us);
            let ticks = self.video.ticks_between(last.pts_us, ends);
            self.video.table.push_duration(ticks);
        }
        let video = VideoInfo {
            track: self.video.track,
            parameter_sets: &parameter_sets,
            table: &self.video.table,
            first_us: self.video.first_us,
        };
        let audio = self.audio.as_ref().map(|audio| AudioInfo {
            track: audio.track,
            table: &audio.table,
            real_samples: audio.real_samples,
        });
        // The index holds offsets that depend on its own length, which does not depend on their values.
        let length_with = |wide| moov::encode(&video, audio.as_ref(), 0, wide).len() as u64;
        let wide = self.end + length_with(false) > u64::from(u32::MAX);
        let shift = length_with(wide);
        let index = moov::encode(&video, audio.as_ref(), shift, wide);
        self.move_media(shift)
            .and_then(|()| self.write_at(self.mdat_start, &index))
            .and_then(|()| {
                let mut header = Vec::new();
                put_mdat_header(&mut header, self.end - self.mdat_start);
                self.write_at(self.mdat_start + shift, &header)
            })
            .and_then(|()| self.out.flush())
            .map_err(|source| file_error("write", &self.path, source))?;
        Ok(self.out)
    }

    fn write_video_chunk(&mut self) -> Result<(), MediaError> {
        let chunk = std::mem::take(&mut self.video.chunk);
        if chunk.samples > 0 {
            self.video.table.push_chunk(self.end, chunk.samples);
            self.append(&chunk.data)?;
        }
        Ok(())
    }

    fn write_audio_chunk(&mut self) -> Result<(), MediaError> {
        let Some(audio) = &mut self.audio else {
            return Ok(());
        };
        let chunk = std::mem::take(&mut audio.chunk);
        if chunk.samples > 0 {
            audio.table.push_chunk(self.end, chunk.samples);
            self.append(&chunk.data)?;
        }
        Ok(())
    }

    fn append(&mut self, data: &[u8]) -> Result<(), MediaError> {
        self.out.write_all(data).map_err(|source| file_error("write", &self.path, source))?;
        self.end += data.len() as u64;
        Ok(())
    }

    /// Moves everything from the media's header on by `shift` bytes, from its end backwards, in place.
    fn move_media(&mut self, shift: u64) -> std::io::Result<()> {
        let mut block = vec![0; MOVE_BYTES];
        let mut end = self.end;
        while end > self.mdat_start {
            let start = end.saturating_sub(MOVE_BYTES as u64).max(self.mdat_start);
            let block = &mut block[..(end - start) as usize];
            self.out.seek(SeekFrom::Start(start))?;
            self.out.read_exact(block)?;
            self.write_at(start + shift, block)?;
            end = start;
        }
        Ok(())
    }

    fn write_at(&mut self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.out.seek(SeekFrom::Start(offset))?;
        self.out.write_all(data)
    }
}

impl VideoState {
    fn check_parameter_sets(&mut self, annex_b: &[u8], idr: bool) -> Result<(), MediaError> {
        let mut sets: [Option<&[u8]>; 2] = [None, None];
        for unit in nal::units(annex_b) {
            match nal::unit_type(unit) {
                nal::SPS if unit.len() >= 4 => sets[0] = Some(unit),
                nal::PPS => sets[1] = Some(unit),
                nal::IDR_SLICE if !idr => {
                    return Err(MediaError::Mp4Order { reason: "a unit not marked as an idr holds one" });
                }
                _ => {}
            }
        }
        match (&self.parameter_sets, sets) {
            (None, [Some(sps), Some(pps)]) if idr => {
                self.parameter_sets = Some([sps.to_vec(), pps.to_vec()]);
                Ok(())
            }
            (None, _) => Err(MediaError::Mp4Order { reason: "the first picture must be an idr with its sps and pps" }),
            (Some([sps, pps]), [new_sps, new_pps])
                if new_sps.is_some_and(|new| new != sps) || new_pps.is_some_and(|new| new != pps) =>
            {
                Err(MediaError::Mp4Order { reason: "a picture was encoded with other settings than the first" })
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
            Some(_) => {
                return Err(MediaError::Mp4Order { reason: "picture times must rise" });
            }
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

impl Chunk {
    fn is_full(&self) -> bool {
        self.us >= CHUNK_US || self.data.len() >= CHUNK_BYTES
    }
}

fn put_mdat_header(out: &mut Vec<u8>, length: u64) {
    const LENGTH_FOLLOWS: u32 = 1;
    put_u32(out, LENGTH_FOLLOWS);
    out.extend_from_slice(b"mdat");
    put_u64(out, length);
}
