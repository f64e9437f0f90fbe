//! What the essence renderer promises, on the shipped avatars.

use std::sync::Arc;

use footlight_avatar::Weights;
use footlight_avatar::bundle::shipped_names;
use footlight_avatar::face::lips::{CLOSED_GAP, lip_gap};
use footlight_render::measure::MouthGauge;
use footlight_render::{EssenceRenderer, Frame, HeadPose, LoadedAvatar, Pose, RenderError, Renderer, life};

use crate::{avatar, pose, rendered};

/// A moving, talking face: idle life with an open mouth that changes every frame.
fn lively(avatar: &LoadedAvatar, frame: u64) -> Pose {
    let phase = frame as f32 * 0.7;
    let speech = pose(&[
        ("jawOpen", 0.35 + 0.35 * phase.sin()),
        ("mouthPucker", (0.8 * (phase * 0.37).sin()).max(0.0)),
        ("mouthStretchLeft", (0.5 * (phase * 0.61).cos()).max(0.0)),
    ]);
    life::compose(&life::life_at_frame(avatar.seed(), frame, 25), &speech.weights)
}

#[test]
fn pixels_outside_of_the_moving_area_are_the_same_in_every_frame() {
    for name in shipped_names() {
        let avatar = avatar(name);
        for size in [(512, 512), (640, 360)] {
            let mut renderer = EssenceRenderer::new(Arc::clone(&avatar), size.0, size.1).expect("a size in range");
            let area = renderer.moving_area();
            let still = rendered(&avatar, size, &Pose::NEUTRAL);
            let mut frame = Frame::black(size.0, size.1);
            let mut moved = false;
            for index in 0..40 {
                let mut pose = lively(&avatar, index * 5);
                pose.head = HeadPose { yaw: 0.035, pitch: -0.035, roll: 0.035, x: 4.0, y: -4.0 };
                renderer.render(&pose, &mut frame).expect("a frame of the right size");
                moved |= frame != still;
                assert_same_outside(&still, &frame, (area.x, area.y, area.width, area.height));
            }
            assert!(moved, "{name} does not move");
            assert!(area.width * area.height < size.0 * size.1 * 3 / 4, "{name} at {size:?} moves nearly everywhere");
        }
    }
}

fn assert_same_outside(still: &Frame, frame: &Frame, (left, top, width, height): (u32, u32, u32, u32)) {
    for (plane, stride, shrink) in [(0, frame.width(), 1), (1, frame.width() / 2, 2), (2, frame.width() / 2, 2)] {
        let pick = |frame: &Frame| [frame.y(), frame.u(), frame.v()][plane].to_vec();
        for (index, (a, b)) in pick(still).iter().zip(pick(frame)).enumerate() {
            let (x, y) = (index as u32 % stride * shrink, index as u32 / stride * shrink);
            let inside = (left..left + width).contains(&x) && (top..top + height).contains(&y);
            assert!(inside || *a == b, "plane {plane} differs at {x},{y}");
        }
    }
}

#[test]
fn a_pose_gives_the_same_bytes_whatever_was_rendered_before() {
    let avatar = avatar("ada");
    let expected = rendered(&avatar, (512, 512), &lively(&avatar, 11));
    let mut renderer = EssenceRenderer::new(Arc::clone(&avatar), 512, 512).expect("a size in range");
    let mut frame = Frame::black(512, 512);
    for index in [3, 70, 11] {
        frame.data_mut().fill(201);
        renderer.render(&lively(&avatar, index), &mut frame).expect("a frame of the right size");
    }
    assert!(frame == expected, "frames depend on what was rendered before");
}

#[test]
fn sessions_of_one_avatar_do_not_disturb_each_other() {
    let avatar = avatar("miles");
    let expected: Vec<Frame> = (0..8).map(|index| rendered(&avatar, (256, 256), &lively(&avatar, index * 9))).collect();
    std::thread::scope(|scope| {
        for (index, expected) in expected.iter().enumerate() {
            let avatar = &avatar;
            scope.spawn(move || {
                let mut renderer = EssenceRenderer::new(Arc::clone(avatar), 256, 256).expect("a size in range");
                let mut frame = Frame::black(256, 256);
                for _ in 0..50 {
                    renderer.render(&lively(avatar, index as u64 * 9), &mut frame).expect("a frame of the right size");
                    assert!(frame == *expected, "session {index} got another's picture");
                }
            });
        }
    });
}

#[test]
fn mouths_open_steadily_with_the_lip_gap_and_close_with_it() {
    for name in shipped_names() {
        let avatar = avatar(name);
        let gauge = MouthGauge::new(&avatar, 512, 512).expect("a size in range");
        let opening = |pose: &Pose| gauge.opening(rendered(&avatar, (512, 512), pose).y());
        let mut last = -0.01;
        for step in 0..=20 {
            let pose = pose(&[("jawOpen", step as f32 / 20.0)]);
            let seen = opening(&pose);
            assert!(seen > last - 0.004, "{name}: opening falls from {last} to {seen} at step {step}");
            last = seen;
        }
        assert!(last > 0.95, "{name}: wide open measures {last}");
        let closed = opening(&pose(&[("jawOpen", CLOSED_GAP * 0.9)]));
        assert!(closed < 0.01, "{name}: lips under the closed gap measure {closed}");
        let speaking = opening(&pose(&[("jawOpen", 0.35)]));
        assert!(speaking > 0.2, "{name}: a spoken vowel measures only {speaking}");
    }
}

#[test]
fn lips_close_over_an_open_jaw() {
    let closing = pose(&[("jawOpen", 0.3), ("mouthClose", 0.9), ("mouthPressLeft", 0.5), ("mouthPressRight", 0.5)]);
    assert!(lip_gap(&closing.weights) < CLOSED_GAP);
    for name in ["ada", "miles"] {
        let avatar = avatar(name);
        // Dark pixels between the lips: none when closed, many when open.
        let dark = |pose: &Pose| {
            let frame = rendered(&avatar, (512, 512), pose);
            let [x, y] =
                avatar.bundle().manifest.landmarks.mouth.expect("shipped faces have landmarks").map(|v| v as usize);
            let rows = frame.y().chunks_exact(512).skip(y - 12).take(50);
            rows.flat_map(|row| &row[x - 20..x + 20]).filter(|&&luma| luma < 40).count()
        };
        assert!(dark(&closing) < 12, "{name}: {} dark pixels between closed lips", dark(&closing));
        assert!(dark(&pose(&[("jawOpen", 0.3)])) > 60, "{name}: an open mouth is not dark");
    }
}

#[test]
fn blinks_cover_the_whites_of_the_eyes() {
    for name in ["ada", "miles"] {
        let avatar = avatar(name);
        let bright = |pose: &Pose| {
            let frame = rendered(&avatar, (512, 512), pose);
            let [x, y] =
                avatar.bundle().manifest.landmarks.left_eye.expect("shipped faces have landmarks").map(|v| v as usize);
            let rows = frame.y().chunks_exact(512).zip(frame.v().chunks_exact(256).flat_map(|row| [row, row]));
            let eye =
                rows.skip(y - 10).take(20).flat_map(|(luma, red)| (x - 22..x + 22).map(|x| (luma[x], red[x / 2])));
            // White: bright without skin's red.
            eye.filter(|&(luma, red)| luma > 150 && red < 138).count()
        };
        let (open, shut) = (bright(&Pose::NEUTRAL), bright(&pose(&[("eyeBlinkLeft", 1.0), ("eyeBlinkRight", 1.0)])));
        assert!(open > 60 && shut * 20 < open, "{name}: {open} white pixels open, {shut} shut");
    }
}

#[test]
fn eyes_follow_the_gaze_to_the_same_side() {
    let avatar = avatar("ada");
    let landmarks = &avatar.bundle().manifest.landmarks;
    for eye in [landmarks.left_eye, landmarks.right_eye] {
        let [x, y] = eye.expect("ada has landmarks").map(|v| v as usize);
        let pupil = |pose: &Pose| {
            let frame = rendered(&avatar, (512, 512), pose);
            let rows = frame.y().chunks_exact(512).skip(y - 5).take(12);
            let dark = rows.flat_map(|row| (x - 16..x + 16).filter(|&x| row[x] < 36).collect::<Vec<_>>());
            let (sum, count) = dark.fold((0, 0), |(sum, count), x| (sum + x, count + 1));
            sum as f32 / count as f32
        };
        let ahead = pupil(&Pose::NEUTRAL);
        let right = pupil(&pose(&[("eyeLookOutLeft", 0.8), ("eyeLookInRight", 0.8)]));
        let left = pupil(&pose(&[("eyeLookInLeft", 0.8), ("eyeLookOutRight", 0.8)]));
        assert!(right > ahead + 3.0 && left < ahead - 3.0, "pupil at {left}, {ahead}, {right}");
    }
}

#[test]
fn every_size_shows_the_face() {
    let avatar = avatar("ada");
    for size in [(64, 64), (64, 1920), (1920, 64), (1280, 720), (720, 1280), (1920, 1080), (130, 98)] {
        let frame = rendered(&avatar, size, &lively(&avatar, 3));
        let changed = frame.y().iter().zip(rendered(&avatar, size, &Pose::NEUTRAL).y()).filter(|(a, b)| a != b).count();
        assert!(changed > 30, "{size:?}: nothing moves");
        assert!(frame.y().iter().all(|luma| (16..=235).contains(luma)), "{size:?}: luma out of range");
    }
    let odd = EssenceRenderer::new(avatar, 511, 512).map(|_| ());
    assert!(matches!(odd, Err(RenderError::Size { width: 511, height: 512 })));
}

#[test]
fn weights_that_are_not_numbers_or_out_of_range_do_no_harm() {
    let avatar = avatar("ada");
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -5.0, 50.0] {
        let head = HeadPose { yaw: value, pitch: value, roll: value, x: value, y: value };
        let frame = rendered(&avatar, (128, 128), &Pose { weights: Weights([value; 52]), head });
        assert_eq!(frame.data().len(), 128 * 128 * 3 / 2);
    }
}
