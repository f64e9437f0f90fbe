//! Writes a contact sheet of an avatar's poses: `snapshot [NAME or FILE.zip] [OUT.png] [WIDTHxHEIGHT]`.

use std::path::Path;

use footlight_avatar::bundle::{AvatarBundle, DEFAULT_AVATAR, shipped, shipped_names};
use footlight_avatar::weights::blendshape;
use footlight_render::{EssenceRenderer, Frame, HeadPose, LoadedAvatar, Pose, Renderer};

/// Pictures in a row of the sheet.
const COLUMNS: usize = 4;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| DEFAULT_AVATAR.to_owned());
    let out = arguments.next().unwrap_or_else(|| "snapshot.png".to_owned());
    let size = arguments.next().unwrap_or_else(|| "512x512".to_owned());
    let (width, height) = size.split_once('x').ok_or("the size must be WIDTHxHEIGHT")?;

    let bundle = if shipped_names().any(|known| known == name) {
        shipped(&name)?
    } else {
        AvatarBundle::open(Path::new(&name))?
    };
    let mut renderer = EssenceRenderer::new(LoadedAvatar::new(bundle)?, width.parse()?, height.parse()?)?;
    let (width, height) = renderer.size();
    let poses = poses();
    let (columns, rows) = (COLUMNS.min(poses.len()), poses.len().div_ceil(COLUMNS));
    let stride = columns * width as usize;
    let mut sheet = vec![0; stride * rows * height as usize * 3];
    let mut frame = Frame::black(width, height);
    for (index, (label, pose)) in poses.iter().enumerate() {
        renderer.render(pose, &mut frame)?;
        println!("{}: {label}", index + 1);
        for y in 0..height as usize {
            let row = (index / COLUMNS * height as usize + y) * stride + index % COLUMNS * width as usize;
            for x in 0..width as usize {
                sheet[(row + x) * 3..][..3].copy_from_slice(&frame.rgb(x as u32, y as u32));
            }
        }
    }
    let file = std::io::BufWriter::new(std::fs::File::create(&out)?);
    let mut encoder = png::Encoder::new(file, stride as u32, (rows * height as usize) as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&sheet)?;
    println!("{out}");
    Ok(())
}

fn poses() -> Vec<(&'static str, Pose)> {
    let with = |shapes: &[(&str, f32)]| {
        let mut pose = Pose::NEUTRAL;
        for (name, weight) in shapes {
            pose.weights.0[blendshape(name).expect("a standard name")] = *weight;
        }
        pose
    };
    let turned = |yaw: f32, pitch: f32, roll: f32, x: f32, y: f32| Pose {
        head: HeadPose { yaw, pitch, roll, x, y },
        ..Pose::NEUTRAL
    };
    vec![
        ("neutral", Pose::NEUTRAL),
        ("open (a)", with(&[("jawOpen", 0.7), ("mouthLowerDownLeft", 0.25), ("mouthLowerDownRight", 0.25)])),
        ("half open (eh)", with(&[("jawOpen", 0.35), ("mouthStretchLeft", 0.3), ("mouthStretchRight", 0.3)])),
        (
            "spread (ee)",
            with(&[
                ("jawOpen", 0.15),
                ("mouthStretchLeft", 0.4),
                ("mouthStretchRight", 0.4),
                ("mouthSmileLeft", 0.5),
                ("mouthSmileRight", 0.5),
            ]),
        ),
        ("round (o)", with(&[("jawOpen", 0.4), ("mouthFunnel", 0.5), ("mouthPucker", 0.5)])),
        ("round (u)", with(&[("jawOpen", 0.14), ("mouthFunnel", 0.2), ("mouthPucker", 0.9)])),
        (
            "pressed (p)",
            with(&[("jawOpen", 0.05), ("mouthClose", 1.0), ("mouthPressLeft", 0.55), ("mouthPressRight", 0.55)]),
        ),
        (
            "bite (f)",
            with(&[
                ("jawOpen", 0.07),
                ("mouthRollLower", 0.65),
                ("mouthUpperUpLeft", 0.24),
                ("mouthUpperUpRight", 0.24),
            ]),
        ),
        ("tongue (th)", with(&[("jawOpen", 0.14), ("tongueOut", 0.4)])),
        ("closed over an open jaw", with(&[("jawOpen", 0.4), ("mouthClose", 1.0)])),
        (
            "smile",
            with(&[
                ("mouthSmileLeft", 0.9),
                ("mouthSmileRight", 0.9),
                ("cheekSquintLeft", 0.5),
                ("cheekSquintRight", 0.5),
            ]),
        ),
        ("half closed eyes", with(&[("eyeBlinkLeft", 0.5), ("eyeBlinkRight", 0.5)])),
        ("blink", with(&[("eyeBlinkLeft", 1.0), ("eyeBlinkRight", 1.0)])),
        (
            "surprise",
            with(&[
                ("browInnerUp", 1.0),
                ("browOuterUpLeft", 1.0),
                ("browOuterUpRight", 1.0),
                ("eyeWideLeft", 1.0),
                ("eyeWideRight", 1.0),
                ("jawOpen", 0.3),
            ]),
        ),
        ("turned left, looking there", {
            let mut p = turned(0.035, 0.0, 0.02, 4.0, 0.0);
            p.weights.0[blendshape("eyeLookOutLeft").unwrap()] = 0.8;
            p.weights.0[blendshape("eyeLookInRight").unwrap()] = 0.8;
            p
        }),
        ("turned right and tilted", turned(-0.035, 0.03, -0.035, -4.0, 4.0)),
    ]
}
