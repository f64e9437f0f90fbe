//! One frame of the essence renderer, beside what no renderer can beat: putting a finished frame where it goes.
//!
//! `speaking` is what a session pays a frame while it speaks, `idle` what the idle loop costs a frame, once a loop.
//! `limit` copies a frame of the same size.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use footlight_avatar::Weights;
use footlight_avatar::bundle::shipped;
use footlight_avatar::face::shapes::{JAW_OPEN, MOUTH_PUCKER, MOUTH_STRETCH};
use footlight_render::{EssenceRenderer, Frame, LoadedAvatar, Renderer, life};

const SIZES: [(u32, u32); 3] = [(256, 256), (512, 512), (1280, 720)];
const FPS: u32 = 25;

/// A mouth that takes another shape every frame.
fn speech(frame: u64) -> Weights {
    let phase = frame as f32 * 0.9;
    let mut weights = Weights::NEUTRAL;
    weights.0[JAW_OPEN] = 0.3 + 0.3 * phase.sin();
    weights.0[MOUTH_PUCKER] = (0.7 * (phase * 0.31).sin()).max(0.0);
    for shape in MOUTH_STRETCH {
        weights.0[shape] = (0.4 * (phase * 0.53).cos()).max(0.0);
    }
    weights
}

fn render(c: &mut Criterion) {
    let avatar = shipped("ada").map(LoadedAvatar::new).expect("ada is shipped").expect("ada renders");
    let mut group = c.benchmark_group("render");
    group.throughput(Throughput::Elements(1));
    for (width, height) in SIZES {
        let size = format!("{width}x{height}");
        let mut renderer = EssenceRenderer::new(avatar.clone(), width, height).expect("a size in range");
        let mut frame = Frame::black(width, height);
        let finished = frame.clone();
        let mut index = 0;
        group.bench_function(BenchmarkId::new("speaking", &size), |b| {
            b.iter(|| {
                index += 1;
                let pose = life::compose(&life::life_at_frame(avatar.seed(), index, FPS), &speech(index));
                renderer.render(&pose, &mut frame).expect("a frame of the right size");
                black_box(&frame);
            });
        });
        group.bench_function(BenchmarkId::new("idle", &size), |b| {
            b.iter(|| {
                index += 1;
                let pose = life::life_at_frame(avatar.seed(), index, FPS);
                renderer.render(&pose, &mut frame).expect("a frame of the right size");
                black_box(&frame);
            });
        });
        group.bench_function(BenchmarkId::new("limit", &size), |b| {
            b.iter(|| {
                frame.data_mut().copy_from_slice(black_box(finished.data()));
                black_box(&frame);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, render);
criterion_main!(benches);
