//! Golden frames.

use std::path::{Path, PathBuf};

use footlight_avatar::bundle::shipped_names;
use footlight_render::{Frame, HeadPose, Pose};

use crate::{avatar, pose, rendered};

/// Golden frames are compared with some tolerance, so that other compilers and machines agree.
/// `FOOTLIGHT_BLESS=1` writes them anew: look at them before they are committed.
#[test]
fn frames_look_as_they_did() {
    const TOLERANCE: u8 = 6;
    const OUTLIERS_MAX: usize = 40;
    let poses = [
        ("neutral", Pose::NEUTRAL),
        ("open", pose(&[("jawOpen", 0.6)])),
        ("round", pose(&[("jawOpen", 0.3), ("mouthPucker", 0.8)])),
        ("bite", pose(&[("jawOpen", 0.07), ("mouthRollLower", 0.65), ("mouthUpperUpLeft", 0.24)])),
        ("blink", pose(&[("eyeBlinkLeft", 1.0), ("eyeBlinkRight", 1.0)])),
        ("turned", Pose { head: HeadPose { yaw: 0.03, pitch: 0.02, roll: -0.03, x: 3.0, y: -2.0 }, ..Pose::NEUTRAL }),
    ];
    let bless = std::env::var_os("FOOTLIGHT_BLESS").is_some();
    for name in shipped_names() {
        let avatar = avatar(name);
        for (label, pose) in &poses {
            let frame = rendered(&avatar, (128, 128), pose);
            let path = golden(&format!("{name}-{label}.png"));
            if bless {
                write_grey(&path, &frame);
                continue;
            }
            let expected = read_grey(&path);
            let far = frame.data().iter().zip(&expected).filter(|(a, b)| a.abs_diff(**b) > TOLERANCE).count();
            if far > OUTLIERS_MAX {
                let seen = std::env::temp_dir().join(format!("footlight-{name}-{label}.png"));
                write_grey(&seen, &frame);
                panic!("{name} {label}: {far} samples differ; compare {} with {}", seen.display(), path.display());
            }
        }
    }
}

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}

/// All three planes as one grey picture: luma, and under it both chromas side by side.
fn write_grey(path: &Path, frame: &Frame) {
    let (width, height) = (frame.width(), frame.height());
    let file = std::fs::File::create(path).expect("the golden folder can be written");
    let mut encoder = png::Encoder::new(file, width, height * 3 / 2);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_compression(png::Compression::High);
    let mut rows = frame.y().to_vec();
    let half = width as usize / 2;
    for (u, v) in frame.u().chunks_exact(half).zip(frame.v().chunks_exact(half)) {
        rows.extend_from_slice(u);
        rows.extend_from_slice(v);
    }
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&rows)).expect("a picture can be written");
}

fn read_grey(path: &Path) -> Vec<u8> {
    let file = std::fs::File::open(path).unwrap_or_else(|_| panic!("{} is missing: bless it", path.display()));
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().expect("a golden picture");
    let mut rows = vec![0; reader.output_buffer_size().expect("a small picture")];
    reader.next_frame(&mut rows).expect("a golden picture");
    let width = reader.info().width as usize;
    let luma = width * width;
    let (mut planes, chroma) = (rows[..luma].to_vec(), &rows[luma..]);
    for side in [0, width / 2] {
        planes.extend(chroma.chunks_exact(width).flat_map(|row| row[side..side + width / 2].to_vec()));
    }
    planes
}
