use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use super::*;
use crate::MediaError;

const VIDEO: VideoTrack = VideoTrack { width: 64, height: 64, fps: 25 };
const IDR: &[u8] = b"\0\0\0\x01\x67\x42\xc0\x1f\xaa\0\0\0\x01\x68\xce\0\0\0\x01\x65\x88\x80";
const PREDICTED: &[u8] = b"\0\0\0\x01\x41\x9a\x01";

fn reason(result: Result<(), MediaError>) -> &'static str {
    match result {
        Err(MediaError::Mp4Order { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_has_its_name_only_when_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.mp4");
    let names = || {
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };

    let mut writer = Mp4Writer::create(&path, VIDEO, None).unwrap();
    writer.push_video(IDR, 0, 40_000, true).unwrap();
    assert_eq!(names(), [".out.mp4.part"]);
    drop(writer);
    assert!(names().is_empty());

    fs::write(&path, "the last one").unwrap();
    let mut writer = Mp4Writer::create(&path, VIDEO, None).unwrap();
    writer.push_video(IDR, 0, 40_000, true).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"the last one");
    writer.finish().unwrap();
    assert_eq!(names(), ["out.mp4"]);
    assert_eq!(&fs::read(&path).unwrap()[4..8], b"ftyp");

    let empty = Mp4Writer::create(folder.path().join("empty.mp4"), VIDEO, None).unwrap();
    assert_eq!(reason(empty.finish()), "it has no picture");
    assert_eq!(names(), ["out.mp4"]);
}

#[test]
fn units_out_of_order_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Mp4Writer::create(folder.path().join("out.mp4"), VIDEO, None).unwrap();
    assert!(reason(writer.push_video(PREDICTED, 0, 40_000, false)).starts_with("the first picture must be an idr"));
    writer.push_video(IDR, 40_000, 40_000, true).unwrap();
    assert_eq!(reason(writer.push_video(PREDICTED, 40_000, 40_000, false)), "picture times must rise");
    assert!(reason(writer.push_video(IDR, 80_000, 40_000, false)).starts_with("a unit not marked"));
    let mut other = IDR.to_vec();
    other[8] = 0xab;
    assert!(reason(writer.push_video(&other, 80_000, 40_000, true)).contains("other settings"));
    assert!(reason(writer.push_audio(b"opus", 0, 960)).contains("without sound"));
}

#[test]
fn a_file_that_cannot_be_created_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/such/folder/out.mp4");
    let Err(error) = Mp4Writer::create(&path, VIDEO, None) else {
        panic!("it was created");
    };
    assert_eq!(error.to_string(), format!("cannot create {}", path.display()));
}

/// A disk that takes `room` bytes.
struct SmallDisk {
    inner: Cursor<Vec<u8>>,
    room: u64,
}

impl Write for SmallDisk {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.inner.position() + data.len() as u64 > self.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.inner.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for SmallDisk {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}

impl Seek for SmallDisk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// Writes a second of pictures and sound to a disk of `room` bytes.
fn write_on(room: u64) -> Result<SmallDisk, MediaError> {
    let disk = SmallDisk { inner: Cursor::default(), room };
    let audio = Some(AudioTrack { pre_skip: 312 });
    let mut muxer = Muxer::start(disk, "a/full/disk.mp4".into(), VIDEO, audio)?;
    for frame in 0..25 {
        let unit = if frame == 0 { IDR } else { PREDICTED };
        muxer.push_video(unit, frame * 40_000, 40_000, frame == 0)?;
        muxer.push_audio(b"opus packet", frame * 40_000, 960)?;
        muxer.push_audio(b"opus packet", frame * 40_000 + 20_000, 960)?;
    }
    muxer.finish()
}

#[test]
fn a_full_disk_is_told_with_the_file_wherever_it_strikes() {
    let needed = write_on(u64::MAX).unwrap().inner.into_inner().len() as u64;
    assert!(write_on(needed).is_ok());
    for room in 0..needed {
        let Err(error) = write_on(room) else {
            panic!("{needed} bytes were written on a disk of {room}");
        };
        assert_eq!(error.to_string(), "cannot write a/full/disk.mp4", "{room}");
        let MediaError::File { source, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
    }
}

#[test]
fn every_sample_is_where_the_index_says() {
    let file = write_on(u64::MAX).unwrap().inner.into_inner();
    let offsets = chunk_offsets(&file);
    // Two chunks of pictures and two of sound: half a second each.
    assert_eq!(offsets.len(), 4);
    for offset in offsets {
        let here = &file[offset as usize..];
        let is_picture = here.starts_with(b"\0\0\0\x03\x65\x88\x80") || here.starts_with(b"\0\0\0\x03\x41\x9a\x01");
        assert!(is_picture || here.starts_with(b"opus packet"), "nothing begins at {offset}");
    }
}

fn chunk_offsets(file: &[u8]) -> Vec<u32> {
    let mut offsets = Vec::new();
    for start in (0..file.len() - 4).filter(|&at| &file[at..at + 4] == b"stco") {
        let word = |index: usize| u32::from_be_bytes(file[start + 8 + index * 4..][..4].try_into().unwrap());
        offsets.extend((1..=word(0) as usize).map(word));
    }
    offsets
}
