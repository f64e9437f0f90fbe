//! MP4 files, as ffprobe sees and ffmpeg decodes them.

use std::fs;
use std::path::Path;

use footlight_media::audio::SAMPLE_RATE;
use footlight_media::{AudioTrack, ForceIdr, Mp4Writer, OpusEncoder, OpusPacket, OpusSettings, VideoTrack};

use crate::scene::{self, encode, encoder};
use crate::tools::{decodes_without_a_word, ffmpeg, probe, tools_missing};

fn video_track(fps: u32) -> VideoTrack {
    VideoTrack { width: scene::WIDTH as u16, height: scene::HEIGHT as u16, fps }
}

fn opus_packets(samples: &[f32]) -> (AudioTrack, Vec<OpusPacket>) {
    let mut encoder = OpusEncoder::new(OpusSettings::default()).unwrap();
    let mut packets = Vec::new();
    encoder.push(samples, &mut packets).unwrap();
    encoder.finish(&mut packets).unwrap();
    (AudioTrack { pre_skip: footlight_media::audio::PRE_SKIP }, packets)
}

/// Writes `pictures` from `first_us` on, with sound if there are samples, in the order in which a session makes them.
fn write(path: &Path, fps: u32, first_us: u64, pictures: &[Vec<u8>], samples: &[f32]) {
    let (audio_track, packets) = opus_packets(samples);
    let mut packets = packets.into_iter().peekable();
    let audio = packets.peek().map(|_| audio_track);
    let mut writer = Mp4Writer::create(path, video_track(fps), audio).unwrap();
    let mut encoder = encoder(fps);
    for (index, picture) in pictures.iter().enumerate() {
        let pts_us = first_us + index as u64 * 1_000_000 / u64::from(fps);
        let unit = encode(&mut encoder, picture, ForceIdr::No);
        writer.push_video(&unit.data, pts_us, 1_000_000 / fps, unit.idr).unwrap();
        while let Some(packet) = packets.next_if(|packet| packet.pts_us() <= pts_us) {
            writer.push_audio(&packet.data, packet.pts_us(), packet.samples).unwrap();
        }
    }
    for packet in packets {
        writer.push_audio(&packet.data, packet.pts_us(), packet.samples).unwrap();
    }
    writer.finish().unwrap();
}

fn near(found: &str, expected: f64, error_max: f64, what: &str) {
    let found: f64 = found.parse().unwrap_or_else(|_| panic!("{what} is {found:?}"));
    assert!((found - expected).abs() <= error_max, "{what} is {found} and should be {expected}");
}

#[test]
fn frames_and_durations_are_exact_at_every_rate() {
    if tools_missing("frames and durations") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for fps in [20, 24, 25, 30, 50, 60] {
        let path = folder.path().join(format!("{fps}.mp4"));
        let frames = 3 * fps as usize + 1;
        let seconds = frames as f64 / f64::from(fps);
        let pictures: Vec<_> = (0..frames).map(scene::frame).collect();
        let samples = vec![0.1; (seconds * f64::from(SAMPLE_RATE)).round() as usize];
        write(&path, fps, 0, &pictures, &samples);

        decodes_without_a_word(&path);
        let entries = "stream=codec_name,r_frame_rate,avg_frame_rate,start_time,duration,nb_frames,nb_read_packets";
        let video = probe(&path, "v", entries);
        let rate = format!("{fps}/1");
        assert_eq!(video[..4], ["h264", &rate, &rate, "0.000000"], "{fps} fps");
        near(&video[4], seconds, 2e-6, "the picture's duration");
        assert_eq!(video[5..], [frames.to_string(), frames.to_string()], "{fps} fps");

        let audio = probe(&path, "a", "stream=codec_name,sample_rate,channels,start_time,duration");
        assert_eq!(audio[..4], ["opus", "48000", "1", "0.000000"], "{fps} fps");
        near(&audio[4], seconds, 2e-5, "the sound's duration");

        let heard = ffmpeg("-i {} -vn -f f32le -", &[&path]).len() / 4;
        // ffmpeg cuts the delay by sample and the end by packet.
        assert!(heard.abs_diff(samples.len()) < 960, "{heard} of {} samples at {fps} fps", samples.len());
    }
}

#[test]
fn the_index_is_in_front_and_the_colours_are_said() {
    if tools_missing("the index is in front") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("front.mp4");
    // More than one block of the final move.
    let noisy: Vec<_> = (0..200)
        .map(|seed: usize| {
            let mut data = scene::frame(seed);
            for (index, luma) in data[..49_152].iter_mut().enumerate() {
                *luma = (index.wrapping_mul(2_654_435_761).wrapping_add(seed * 977) >> 7) as u8 / 2 + 32;
            }
            data
        })
        .collect();
    write(&path, 25, 0, &noisy, &[]);
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.len() > 1 << 20, "{} bytes", bytes.len());
    assert_eq!(&bytes[4..8], b"ftyp");
    assert_eq!(&bytes[36..40], b"moov");
    decodes_without_a_word(&path);
    let said = probe(&path, "v", "stream=color_range,color_space,color_transfer,color_primaries,nb_read_packets");
    assert_eq!(said, ["tv", "bt709", "bt709", "bt709", "200"]);
}

#[test]
fn sound_and_picture_meet_within_a_millisecond() {
    if tools_missing("sound and picture meet") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clapper.mp4");
    let fps = 25;
    let flashes_at_frame = [10_usize, 40, 61];
    let pictures: Vec<_> =
        (0..80).map(|number| scene::plain(if flashes_at_frame.contains(&number) { 230 } else { 20 })).collect();
    let samples_a_frame = (SAMPLE_RATE / fps) as usize;
    let mut samples = vec![0.0; 80 * samples_a_frame];
    for frame in flashes_at_frame {
        // A beep that begins at its loudest, so that its first sample is its beginning.
        for (index, sample) in samples[frame * samples_a_frame..][..samples_a_frame].iter_mut().enumerate() {
            *sample = 0.8 * (index as f32 * std::f32::consts::TAU * 1000.0 / SAMPLE_RATE as f32).cos();
        }
    }
    write(&path, fps, 0, &pictures, &samples);

    // Where ffmpeg says that each bright frame is shown, in seconds.
    let frames = ffmpeg("-i {} -vf showinfo -vsync passthrough -f rawvideo -pix_fmt gray -s 1x1 -", &[&path]);
    let bright: Vec<usize> = (0..frames.len()).filter(|&frame| frames[frame] > 120).collect();
    assert_eq!(bright, flashes_at_frame);
    let times = probe(&path, "v", "frame=best_effort_timestamp_time");

    let heard: Vec<f32> =
        ffmpeg("-i {} -vn -f f32le -", &[&path]).as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    let mut from = 0;
    for frame in bright {
        let onset = from + heard[from..].iter().position(|sample| sample.abs() > 0.3).expect("a beep");
        let sound = onset as f64 / f64::from(SAMPLE_RATE);
        let picture: f64 = times[frame].trim_end_matches(',').parse().unwrap();
        assert!((sound - picture).abs() < 1e-3, "flash {frame}: sound {sound:.5}, picture {picture:.5}");
        from = onset + 4 * samples_a_frame;
    }
}

#[test]
fn a_picture_that_begins_late_is_shown_late() {
    if tools_missing("a picture that begins late") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("late.mp4");
    let pictures: Vec<_> = (0..25).map(scene::frame).collect();
    write(&path, 25, 480_000, &pictures, &vec![0.1; 48_000 * 3 / 2]);
    let said = probe(&path, "v", "stream=start_time,nb_frames");
    assert_eq!(said, ["0.480000", "25"]);
    let audio = probe(&path, "a", "stream=start_time");
    assert_eq!(audio, ["0.000000"]);
    decodes_without_a_word(&path);
}

#[test]
fn a_recording_of_a_running_session_begins_with_what_comes_first() {
    if tools_missing("a recording of a running session") {
        return;
    }
    const HOUR_US: u64 = 3_600_000_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("joined.mp4");
    let (track, packets) = opus_packets(&vec![0.1; 48_000]);
    let mut writer = Mp4Writer::create(&path, video_track(25), Some(track)).unwrap();
    let mut encoder = encoder(25);
    for number in 0..50 {
        let unit = encode(&mut encoder, &scene::frame(number as usize), ForceIdr::No);
        writer.push_video(&unit.data, HOUR_US + number * 40_000, 40_000, unit.idr).unwrap();
    }
    // The first half second of sound, from 120 ms on; then a hole of 300 ms.
    for packet in &packets {
        let hole_us = if packet.pts_us() < 500_000 { 0 } else { 300_000 };
        let pts_us = HOUR_US + 120_000 + packet.pts_us() + hole_us;
        writer.push_audio(&packet.data, pts_us, packet.samples).unwrap();
    }
    writer.finish().unwrap();
    decodes_without_a_word(&path);
    assert_eq!(probe(&path, "v", "stream=start_time")[0], "0.000000");
    near(&probe(&path, "a", "stream=start_time")[0], 0.12, 1e-5, "the sound's beginning");
    // ffprobe leaves the delay out and counts whole packets here: 51 of them and the hole.
    near(&probe(&path, "a", "stream=duration")[0], 51.0 * 0.02 + 0.3, 1e-5, "the sound's duration");
    let times: Vec<f64> =
        probe(&path, "a", "packet=pts_time").iter().map(|time| time.trim_end_matches(',').parse().unwrap()).collect();
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    assert!((longest - 0.32).abs() < 1e-3, "the longest distance of packets is {longest}");
}

#[test]
fn frames_that_were_left_out_keep_the_others_in_their_place() {
    if tools_missing("frames that were left out") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gap.mp4");
    let mut writer = Mp4Writer::create(&path, video_track(30), None).unwrap();
    let mut encoder = encoder(30);
    let shown = [0_u64, 1, 2, 9, 10];
    for number in shown {
        let force = if number == 9 { ForceIdr::Yes } else { ForceIdr::No };
        let unit = encode(&mut encoder, &scene::frame(number as usize), force);
        writer.push_video(&unit.data, number * 1_000_000 / 30, 33_333, unit.idr).unwrap();
    }
    writer.finish().unwrap();
    let times: Vec<_> = probe(&path, "v", "packet=pts_time")
        .iter()
        .map(|time| (time.trim_end_matches(',').parse::<f64>().unwrap() * 30.0).round() as u64)
        .collect();
    assert_eq!(times, shown);
    near(&probe(&path, "v", "stream=duration")[0], 11.0 / 30.0, 1e-5, "the duration");
}
