//! Encoding: what one 25 fps frame of a session costs on its way out, beside what bounds it.
//!
//! `h264` and `opus` run 24 encoders in turn, as a node does: one alone would keep its state in the cache and look
//! better than it is. Their names say which assembly the H.264 encoder was built with. `copy` reads and writes the
//! frame once, which no encoder can beat. The peer, printed before, is x264 at its quickest on the same frames.

use std::fs;
use std::hint::black_box;
use std::process::Command;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use footlight_media::audio::SAMPLE_RATE;
use footlight_media::{
    ForceIdr, H264Encoder, I420View, OpusEncoder, OpusSettings, RateControl, VideoSettings, encoder_assembly,
};

const SPEECH: &[u8] = include_bytes!("../../tests/speech/weather.wav");
const SIDE: usize = 512;
const FRAMES: usize = 100;
const SESSIONS: usize = 24;
const SETTINGS: VideoSettings =
    VideoSettings { width: SIDE as u32, height: SIDE as u32, fps: 25, rate: RateControl::ConstantQp(26) };

/// A head that sways by a few pixels before a still background, and a mouth that opens and closes.
fn picture(number: usize) -> Vec<u8> {
    let time = number as f32 / 25.0;
    let (sway_x, sway_y) = (3.5 * (1.3 * time).sin(), 2.5 * (0.9 * time).cos());
    let gape = 6.0 + 18.0 * (11.0 * time).sin().abs();
    let in_head = |x: f32, y: f32| (x / 130.0).powi(2) + (y / 170.0).powi(2) < 1.0;
    let from_centre = |x: usize, y: usize| (x as f32 - 256.0 - sway_x, y as f32 - 240.0 - sway_y);

    let mut data = vec![128; SIDE * SIDE * 3 / 2];
    let (luma, chroma) = data.split_at_mut(SIDE * SIDE);
    for (index, pixel) in luma.iter_mut().enumerate() {
        let (column, row) = (index % SIDE, index / SIDE);
        let (x, y) = from_centre(column, row);
        let shade = if (x / 40.0).powi(2) + ((y - 80.0) / gape).powi(2) < 1.0 {
            40.0
        } else if in_head(x, y) {
            150.0 + 30.0 * (x * 0.08).sin() + 20.0 * (y * 0.11).cos() + 8.0 * (x * 0.7).sin() * (y * 0.9).sin()
        } else {
            60.0 + 60.0 * column as f32 / SIDE as f32 + 30.0 * row as f32 / SIDE as f32
        };
        *pixel = shade as u8;
    }
    let half = SIDE / 2;
    for (index, pixel) in chroma.iter_mut().enumerate() {
        let (plane, place) = (index / (half * half), index % (half * half));
        let (x, y) = from_centre(place % half * 2, place / half * 2);
        if in_head(x, y) {
            *pixel = [110, 150][plane];
        }
    }
    data
}

/// The speech at 48 kHz, by repeating samples: its spectrum hardly matters to the encoder's work.
fn speech() -> Vec<f32> {
    let words = SPEECH[44..].as_chunks().0.iter().map(|&word| f32::from(i16::from_le_bytes(word)) / 32_768.0);
    words.flat_map(|sample| [sample; 3]).collect()
}

fn h264(c: &mut Criterion) {
    let pictures: Vec<_> = (0..FRAMES).map(picture).collect();
    print_peer(&pictures);
    let mut group = c.benchmark_group("media");
    group.throughput(Throughput::Elements(1));

    for (name, force_idr) in [("h264", ForceIdr::No), ("h264 idr", ForceIdr::Yes)] {
        let mut encoders: Vec<_> =
            (0..SESSIONS).map(|_| H264Encoder::new(SETTINGS).expect("the settings are in range")).collect();
        let mut turn = 0;
        group.bench_function(BenchmarkId::new(name, encoder_assembly()), |b| {
            b.iter(|| {
                let (session, tick) = (turn % SESSIONS, turn / SESSIONS);
                turn += 1;
                let data = &pictures[(tick + session * 4) % FRAMES];
                let view = I420View::packed(SETTINGS.width, SETTINGS.height, data).expect("it has its bytes");
                black_box(encoders[session].encode(view, force_idr).expect("it encodes"))
            });
        });
    }

    let mut copy = vec![0; pictures[0].len()];
    let mut turn = 0;
    group.bench_function("copy", |b| {
        b.iter(|| {
            turn += 1;
            copy.copy_from_slice(black_box(&pictures[turn % FRAMES]));
            black_box(copy[turn])
        });
    });
    group.finish();
}

fn opus(c: &mut Criterion) {
    /// Samples that go with one frame: 40 ms.
    const FRAME: usize = (SAMPLE_RATE / 25) as usize;
    let speech = speech();
    let frames: Vec<&[f32]> = speech.chunks_exact(FRAME).collect();
    let mut group = c.benchmark_group("media");
    group.throughput(Throughput::Elements(1));
    for complexity in [0, 3, 5] {
        let settings = OpusSettings { complexity, ..OpusSettings::default() };
        let mut encoders: Vec<_> =
            (0..SESSIONS).map(|_| OpusEncoder::new(settings).expect("the settings are in range")).collect();
        let mut packets = Vec::new();
        let mut turn = 0;
        group.bench_function(BenchmarkId::new("opus 40 ms, complexity", complexity), |b| {
            b.iter(|| {
                let (session, tick) = (turn % SESSIONS, turn / SESSIONS);
                turn += 1;
                packets.clear();
                encoders[session].push(frames[(tick + session * 7) % frames.len()], &mut packets).expect("it encodes");
                black_box(packets.len())
            });
        });
    }
    group.finish();
}

/// Prints what x264 takes for the same frames on one thread, by ffmpeg's own account of its processor time.
fn print_peer(pictures: &[Vec<u8>]) {
    println!("the h.264 encoder's assembly: {}", encoder_assembly());
    let path = std::env::temp_dir().join(format!("footlight-bench-{}.yuv", std::process::id()));
    if fs::write(&path, pictures.concat()).is_err() {
        println!("media/h264 peer: SKIPPED, {} cannot be written", path.display());
        return;
    }
    let utime = |codec: &str| {
        let input = format!("-nostdin -benchmark -f rawvideo -pix_fmt yuv420p -s {SIDE}x{SIDE} -r 25 -i");
        let output = Command::new("ffmpeg")
            .args(input.split(' '))
            .arg(&path)
            .args(codec.split(' '))
            .args(["-f", "null", "-"])
            .output()
            .ok()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let seconds = said.split("utime=").nth(1)?.split('s').next()?.parse::<f64>().ok()?;
        Some(seconds * 1000.0 / FRAMES as f64)
    };
    // What ffmpeg takes for reading the frames is not x264's.
    let peer = utime("-c:v libx264 -preset ultrafast -tune zerolatency -profile:v baseline -qp 26 -threads 1");
    match (peer, utime("-c:v rawvideo")) {
        (Some(peer), Some(reading)) => println!(
            "media/h264 peer: x264 ultrafast, one thread, one stream: {:.2} ms a frame ({peer:.2} less {reading:.2} for reading)",
            peer - reading
        ),
        _ => println!("media/h264 peer: SKIPPED, ffmpeg with libx264 not found"),
    }
    let _ = fs::remove_file(path);
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50);
    targets = h264, opus
}
criterion_main!(benches);
