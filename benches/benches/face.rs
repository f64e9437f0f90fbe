//! Audio to face: one 25 fps frame of speech through the whole path, beside what bounds it.
//!
//! `frame` is what a session pays: 40 ms of speech through log-mel, network and frame reducer. `log-mel` is its
//! front end alone. `limit` is one pass over as many weights as the network has: no implementation that reads each of
//! them once a step can be faster. The peer, onnxruntime with the same file, is `models/bench_peer.py`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use footlight_avatar::audio::LogMel;
use footlight_avatar::face::{FaceModel, FaceStream, FrameReducer};

const SPEECH: &[u8] = include_bytes!("../../tests/speech/weather.wav");
/// 40 ms at 16 kHz.
const FRAME: usize = 640;
/// Weights of the network, read at least once a step.
const WEIGHTS: usize = 189_736;

fn speech() -> Vec<f32> {
    SPEECH[44..].as_chunks::<2>().0.iter().map(|&pair| f32::from(i16::from_le_bytes(pair)) / 32768.0).collect()
}

fn face(c: &mut Criterion) {
    let speech = speech();
    let frames: Vec<&[f32]> = speech.chunks_exact(FRAME).collect();
    let mut group = c.benchmark_group("face");
    group.throughput(Throughput::Elements(1));

    let mut stream = FaceStream::new(FaceModel::shipped().expect("the shipped model is tested"));
    let mut reducer = FrameReducer::new(25).expect("25 is a frame rate");
    let mut next = frames.iter().cycle();
    group.bench_function("frame", |b| {
        b.iter(|| {
            stream.push(next.next().expect("a cycle does not end")).expect("the shipped model runs");
            while let Some(weights) = stream.pull() {
                reducer.push(weights);
            }
            black_box(reducer.pull())
        });
    });

    let mut mel = LogMel::new();
    let mut out = Vec::new();
    group.bench_function("log-mel", |b| {
        b.iter(|| {
            out.clear();
            mel.push(next.next().expect("a cycle does not end"), &mut out);
            black_box(out.len())
        });
    });

    let weights = vec![0.5_f32; WEIGHTS];
    group.bench_function("limit", |b| {
        b.iter(|| {
            let mut sums = [0.0_f32; 64];
            for block in black_box(&weights).as_chunks::<64>().0 {
                for (sum, weight) in sums.iter_mut().zip(block) {
                    *sum += weight;
                }
            }
            black_box(sums)
        });
    });
    group.finish();
}

criterion_group!(benches, face);
criterion_main!(benches);
