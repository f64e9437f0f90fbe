use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::boxes::{put_box, put_u32, put_u64};
use super::moov;
use super::track::{AudioState, VideoState};
use super::{AudioTrack, VideoTrack, file_error};
use crate::MediaError;

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
            video: VideoState::new(video),
            audio: audio.map(AudioState::new),
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
        video.push(annex_b, pts_us, duration_us, idr)?;
        if video.chunk.is_full() {
            self.write_video_chunk()?;
        }
        Ok(())
    }

    pub(super) fn push_audio(&mut self, packet: &[u8], pts_us: u64, samples: u32) -> Result<(), MediaError> {
        let audio = self.audio.as_mut().ok_or(MediaError::Mp4Order { reason: "the file was begun without sound" })?;
        audio.push(packet, pts_us, samples);
        if audio.chunk.is_full() {
            self.write_audio_chunk()?;
        }
        Ok(())
    }

    /// Writes what is left, moves the media behind the index, and returns the output.
    pub(super) fn finish(mut self) -> Result<W, MediaError> {
        self.write_video_chunk()?;
        self.write_audio_chunk()?;
        let begins_us = match self.audio.as_ref().and_then(AudioState::first_us) {
            Some(audio_us) => self.video.first_us.min(audio_us),
            None => self.video.first_us,
        };
        let video = self.video.finish(begins_us)?;
        let audio = self.audio.as_mut().and_then(|audio| audio.finish(begins_us));
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
        let data = self.video.place_chunk(self.end);
        self.append(&data)
    }

    fn write_audio_chunk(&mut self) -> Result<(), MediaError> {
        let data = self.audio.as_mut().map(|audio| audio.place_chunk(self.end));
        self.append(&data.unwrap_or_default())
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

fn put_mdat_header(out: &mut Vec<u8>, length: u64) {
    const LENGTH_FOLLOWS: u32 = 1;
    put_u32(out, LENGTH_FOLLOWS);
    out.extend_from_slice(b"mdat");
    put_u64(out, length);
}
