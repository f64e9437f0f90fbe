//! scratch
use footlight_media::*;
use std::time::Duration;
#[derive(Clone, Copy)]
struct Instant(u64);
impl Instant {
    fn now() -> Self {
        let s = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Self(s.split(' ').next().unwrap().parse().unwrap())
    }
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(Self::now().0 - self.0)
    }
}
fn picture(t: usize) -> Vec<u8> {
    let (w, h) = (512usize, 512usize);
    let mut d = vec![128u8; w * h * 3 / 2];
    let a = t as f32 * 0.05;
    let (dx, dy) = (3.5 * a.sin(), 2.5 * (a * 0.7).cos());
    let open = 10.0 + 14.0 * (t as f32 * 0.9).sin().abs();
    for y in 0..h {
        for x in 0..w {
            let mut v = 60.0 + 60.0 * (x as f32 / 512.0) + 30.0 * (y as f32 / 512.0);
            let (hx, hy) = (x as f32 - 256.0 - dx, y as f32 - 240.0 - dy);
            if (hx / 130.0).powi(2) + (hy / 170.0).powi(2) < 1.0 {
                v = 150.0
                    + 30.0 * (hx * 0.08).sin()
                    + 20.0 * (hy * 0.11).cos()
                    + 8.0 * ((hx * 0.7).sin() * (hy * 0.9).sin());
                let (mx, my) = (hx, hy - 80.0);
                if (mx / 40.0).powi(2) + (my / open).powi(2) < 1.0 {
                    v = 40.0;
                }
            }
            d[y * w + x] = v as u8;
        }
    }
    for y in 0..256 {
        for x in 0..256 {
            let (hx, hy) = (x as f32 * 2.0 - 256.0 - dx, y as f32 * 2.0 - 240.0 - dy);
            if (hx / 130.0).powi(2) + (hy / 170.0).powi(2) < 1.0 {
                d[w * h + y * 256 + x] = 110;
                d[w * h + 65536 + y * 256 + x] = 150;
            }
        }
    }
    d
}
fn main() {
    println!("assembly {}", encoder_assembly());
    let frames: Vec<_> = (0..100).map(picture).collect();
    for rate in [
        RateControl::ConstantQp(13),
        RateControl::ConstantQp(26),
        RateControl::ConstantQp(28),
        RateControl::ConstantQp(32),
        RateControl::Bitrate { kbps: 800 },
    ] {
        let mut enc: Vec<_> = (0..24)
            .map(|_| H264Encoder::new(VideoSettings { width: 512, height: 512, fps: 25, rate }).unwrap())
            .collect();
        let mut first = Vec::new();
        for (i, e) in enc.iter_mut().enumerate() {
            let t = Instant::now();
            let out = e.encode(I420View::packed(512, 512, &frames[i * 4 % 100]).unwrap(), ForceIdr::No).unwrap();
            first.push((t.elapsed(), out.data.len()));
        }
        let mut best = f64::MAX;
        let mut tot = 0.0;
        let mut bytes = 0;
        let mut n = 0;
        for f in 1..76 {
            let t = Instant::now();
            for (i, e) in enc.iter_mut().enumerate() {
                let out =
                    e.encode(I420View::packed(512, 512, &frames[(f + i * 4) % 100]).unwrap(), ForceIdr::No).unwrap();
                bytes += out.data.len();
                n += 1;
                assert!(!out.idr);
            }
            best = best.min(t.elapsed().as_secs_f64() * 1e3 / 24.0);
            tot += t.elapsed().as_secs_f64() * 1e3 / 24.0;
        }
        let ms = tot / 75.0;
        println!(
            "{rate:?}: {ms:.3} ms a frame (best {best:.3}), {:.0} kbit/s; idr {:?} {} bytes",
            bytes as f64 / n as f64 * 8.0 * 25.0 / 1000.0,
            first[5].0,
            first[5].1
        );
    }
    for (c, b) in [(0u8, 32_000), (3, 32_000), (5, 32_000), (10, 32_000), (5, 24_000), (5, 48_000), (5, 64_000)] {
        let mut e = OpusEncoder::new(OpusSettings { bits_per_second: b, complexity: c }).unwrap();
        let s: Vec<f32> = (0..48000 * 20)
            .map(|i| {
                let t = i as f32 / 48000.0;
                0.3 * (t * 700.0 * (1.0 + 0.2 * (t * 3.0).sin())).sin() * (t * 12.0).sin()
                    + 0.02 * ((i % 131 * 7919 % 1000) as f32 / 500.0 - 1.0)
            })
            .collect();
        let mut p = Vec::new();
        let t = Instant::now();
        e.push(&s, &mut p).unwrap();
        println!(
            "opus c{c} {b}: {:.3} ms per 40 ms, pre-skip {} {} bytes/packet",
            t.elapsed().as_secs_f64() * 1e3 / 500.0,
            e.pre_skip(),
            p.iter().map(|p| p.data.len()).sum::<usize>() / p.len()
        );
    }
}
