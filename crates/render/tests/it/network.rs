//! An avatar with a mouth network.

use std::io::{Cursor, Read, Write};
use std::sync::Arc;

use footlight_avatar::bundle::AvatarBundle;
use footlight_render::{EssenceRenderer, Frame, LoadedAvatar, Pose, Renderer};
use zip::write::SimpleFileOptions;

use crate::pose;

/// Paints the face towards white, the louder the whiter; made by `avatars/mouth_fixture.py`.
const NETWORK: &[u8] = include_bytes!("../../../avatar/tests/fixtures/mouth.onnx");
const ADA: &[u8] = include_bytes!("../../../avatar/assets/ada.zip");
/// The square of the stage that the network draws.
const FACE: [usize; 3] = [170, 180, 172];

fn ada_with_a_network() -> Arc<LoadedAvatar> {
    let mut from = zip::ZipArchive::new(Cursor::new(ADA)).expect("a shipped archive");
    let mut to = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..from.len() {
        let mut entry = from.by_index(index).expect("a shipped entry");
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("a shipped entry unpacks");
        if name == "manifest.json" {
            let text = String::from_utf8(content).expect("a text");
            let network = format!("{{ \"mouth_network\": {{\"onnx\": \"mouth.onnx\", \"face\": {FACE:?}}},");
            content = text.replacen('{', &network, 1).into_bytes();
        }
        to.start_file(name, SimpleFileOptions::default()).expect("an entry can begin");
        to.write_all(&content).expect("an entry can be written");
    }
    to.start_file("mouth.onnx", SimpleFileOptions::default()).expect("an entry can begin");
    to.write_all(NETWORK).expect("an entry can be written");
    let bytes = to.finish().expect("an archive can end").into_inner();
    LoadedAvatar::new(AvatarBundle::from_bytes(&bytes).expect("a good bundle")).expect("it renders")
}

/// Mean luma over a rectangle.
fn light(frame: &Frame, left: usize, top: usize, width: usize, height: usize) -> f32 {
    let rows = frame.y().chunks_exact(frame.width() as usize).skip(top).take(height);
    let sum: u32 = rows.flat_map(|row| &row[left..left + width]).map(|&luma| u32::from(luma)).sum();
    sum as f32 / (width * height) as f32
}

#[test]
fn mouth_network_draws_what_is_heard_and_only_the_mouth() {
    let avatar = ada_with_a_network();
    let mut renderer = EssenceRenderer::new(Arc::clone(&avatar), 512, 512).expect("a size in range");
    let mut frame_for = |sound: Option<f32>, pose: &Pose| {
        if let Some(volume) = sound {
            // Noise, loud or hardly there.
            let noise = (0..6400_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 16) as u16);
            let noise: Vec<f32> = noise.map(|n| volume * (f32::from(n) / 32768.0 - 1.0)).collect();
            renderer.hear(&noise);
        }
        let mut frame = Frame::black(512, 512);
        renderer.render(pose, &mut frame).expect("a frame of the right size");
        frame
    };
    let open = pose(&[("jawOpen", 0.5)]);
    let before = frame_for(None, &open);
    let quiet = frame_for(Some(1e-5), &Pose::NEUTRAL);
    let loud = frame_for(Some(0.9), &Pose::NEUTRAL);
    let after = frame_for(None, &open);

    let mouth = |frame: &Frame| light(frame, 236, 300, 40, 20);
    assert!(mouth(&loud) > mouth(&quiet) + 8.0, "quiet {}, loud {}", mouth(&quiet), mouth(&loud));
    let forehead = |frame: &Frame| light(frame, 226, 150, 60, 30);
    assert!((forehead(&loud) - forehead(&quiet)).abs() < 0.01, "the network drew beyond the mouth");
    assert!(before == after, "what the network drew stays after it fell silent");
}

#[test]
fn avatars_without_a_network_ignore_sound() {
    let avatar = crate::avatar("ada");
    let mut renderer = EssenceRenderer::new(Arc::clone(&avatar), 256, 256).expect("a size in range");
    renderer.hear(&[0.5; 4000]);
    let mut frame = Frame::black(256, 256);
    renderer.render(&Pose::NEUTRAL, &mut frame).expect("a frame of the right size");
    assert!(frame == crate::rendered(&avatar, (256, 256), &Pose::NEUTRAL));
}
