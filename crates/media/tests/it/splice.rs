//! Streams of several encoders, joined and cut at IDRs, through a strict decoder.

use std::fs;

use footlight_media::{EncodedVideo, ForceIdr};

use crate::scene::{self, encode, encoder};
use crate::tools::{decodes_without_a_word, ffmpeg, probe, tools_missing};

/// Encodes frames `range` of the scene with an IDR at each of `idrs`.
fn stream(range: std::ops::Range<usize>, idrs: &[usize]) -> Vec<EncodedVideo> {
    let mut encoder = encoder(25);
    range
        .map(|number| {
            let force = if idrs.contains(&number) { ForceIdr::Yes } else { ForceIdr::No };
            encode(&mut encoder, &scene::frame(number), force)
        })
        .collect()
}

/// Decodes `units` strictly, and checks that each frame shows what `shown` says.
fn check(units: &[&EncodedVideo], shown: &[usize]) {
    assert_eq!(units.len(), shown.len());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spliced.h264");
    let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.data.iter().copied()).collect();
    fs::write(&path, bytes).unwrap();
    decodes_without_a_word(&path);

    let raw = ffmpeg("-err_detect explode -xerror -i {} -vsync passthrough -f rawvideo -pix_fmt yuv420p -", &[&path]);
    let size = (scene::WIDTH * scene::HEIGHT * 3 / 2) as usize;
    assert_eq!(raw.len(), size * shown.len(), "{} frames came out", raw.len() / size);
    for (index, (decoded, &number)) in raw.chunks(size).zip(shown).enumerate() {
        let drawn = scene::frame(number);
        let error: u64 = decoded.iter().zip(&drawn).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let mean = error as f64 / size as f64;
        assert!(mean < 2.0, "frame {index} is off by {mean:.2} a pixel");
    }
}

#[test]
fn a_live_stream_joins_the_idle_loop_and_leaves_it_at_any_idr() {
    if tools_missing("a live stream joins the idle loop") {
        return;
    }
    // The loop is in closed groups of twelve; the session leaves it in the middle of a group.
    let idle = stream(0..48, &[12, 24, 36]);
    let live = stream(30..80, &[55]);
    let mut units: Vec<&EncodedVideo> = idle[..30].iter().collect();
    let mut shown: Vec<usize> = (0..30).collect();
    units.extend(&live);
    shown.extend(30..80);
    units.extend(&idle[24..48]);
    shown.extend(24..48);
    // And back at once: two IDRs of different encoders next to each other.
    units.extend(&idle[..1]);
    shown.push(0);
    units.extend(&live[..10]);
    shown.extend(30..40);
    check(&units, &shown);
}

#[test]
fn a_reader_that_lost_units_goes_on_at_the_next_idr() {
    if tools_missing("a reader that lost units") {
        return;
    }
    let live = stream(0..60, &[20, 40]);
    for lost_from in [1, 7, 19] {
        let kept: Vec<usize> = (0..lost_from).chain(40..60).collect();
        let units: Vec<&EncodedVideo> = kept.iter().map(|&number| &live[number]).collect();
        check(&units, &kept);
    }
}

#[test]
fn every_idr_alone_is_a_picture_and_says_its_colours() {
    if tools_missing("every idr alone") {
        return;
    }
    let live = stream(0..30, &[15, 29]);
    for (number, unit) in live.iter().enumerate().filter(|(_, unit)| unit.idr) {
        check(&[unit], &[number]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("idr.h264");
        fs::write(&path, &unit.data).unwrap();
        let entries = "stream=profile,color_range,color_space,color_transfer,color_primaries,has_b_frames";
        let said = probe(&path, "v", entries);
        assert_eq!(said, ["Constrained Baseline", "0", "tv", "bt709", "bt709", "bt709"]);
    }
}

#[test]
fn a_listener_without_the_rest_of_a_splice_would_be_noticed() {
    if tools_missing("a listener without the rest") {
        return;
    }
    // The check itself must be able to fail: a join that is not at an IDR is one that the decoder or the picture
    // comparison has to see.
    let idle = stream(0..12, &[]);
    let live = stream(30..60, &[]);
    let units: Vec<&EncodedVideo> = idle.iter().chain(&live[10..20]).collect();
    let shown: Vec<usize> = (0..12).chain(40..50).collect();
    let noticed = std::panic::catch_unwind(|| check(&units, &shown));
    assert!(noticed.is_err());
}
