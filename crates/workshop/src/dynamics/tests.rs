use footlight_avatar::bundle::parts::{Axis, Field, Side};
use footlight_avatar::bundle::{AvatarBundle, Gesture, shipped};

use super::fit::Sheet;
use super::{DynamicsError, gestures_for, preview};

fn ada() -> AvatarBundle {
    shipped("ada").expect("ada ships")
}

fn names(gestures: &[Gesture]) -> Vec<&str> {
    gestures.iter().map(|gesture| gesture.name.as_str()).collect()
}

/// The farthest that an axis goes in a gesture.
fn peak(gestures: &[Gesture], gesture: &str, axis: Axis) -> f32 {
    let gesture = gestures.iter().find(|known| known.name == gesture).expect("it is there");
    let channel = gesture.channels.iter().find(|channel| channel.axis == axis).expect("it has that channel");
    channel.keys.iter().map(|key| key.value.abs()).fold(0.0, f32::max)
}

#[test]
fn shipped_faces_have_all_five_and_none_goes_too_far() {
    for name in ["ada", "miles"] {
        let bundle = shipped(name).expect("it ships");
        let gestures = gestures_for(&bundle).expect("it has a lattice");
        assert_eq!(names(&gestures), ["nod", "shake", "tilt", "wink", "listen"], "{name}");
        let sheet = Sheet::of(&bundle, bundle.lattice.as_ref().expect("it has a lattice"));
        for gesture in &gestures {
            gesture.check().expect("it follows the format");
            let load = (0..=gesture.duration_ms).map(|at_ms| sheet.load(gesture, at_ms as f32)).fold(0.0, f32::max);
            assert!(load <= 1.001, "{name}'s {} takes {load} of what is borne", gesture.name);
        }
        assert!(peak(&gestures, "nod", Axis::Pitch) > 0.08, "{name} nods visibly");
        assert!(peak(&gestures, "shake", Axis::Yaw) > 0.08, "{name} shakes visibly");
        assert!(peak(&gestures, "tilt", Axis::Roll) > 0.035, "{name} tilts visibly");
        assert_eq!(gestures, gestures_for(&bundle).expect("once more"), "the same avatar gives the same gestures");
        assert!(gestures.iter().all(|gesture| (gesture.name == "listen") == gesture.hold_at_ms.is_some()));
    }
}

#[test]
fn a_lattice_that_bends_twice_as_far_is_asked_half_as_much() {
    let bundle = ada();
    let mut wild = bundle.clone();
    for field in &mut wild.lattice.as_mut().expect("ada has a lattice").fields {
        for offset in field.offsets.iter_mut().flatten() {
            *offset *= 2.0;
        }
    }
    let (tame, wild) = (gestures_for(&bundle).expect("gestures"), gestures_for(&wild).expect("gestures"));
    let (tame, wild) = (peak(&tame, "tilt", Axis::Roll), peak(&wild, "tilt", Axis::Roll));
    assert!((wild * 2.0 - tame).abs() < 0.001, "{tame} and {wild}");
}

#[test]
fn a_lattice_that_would_tear_gives_no_gesture() {
    let mut bundle = ada();
    let lattice = bundle.lattice.as_mut().expect("ada has a lattice");
    let columns = lattice.columns;
    let field = lattice.fields.iter_mut().find(|field| field.axis == Axis::Yaw).expect("ada turns her head");
    for (index, offset) in field.offsets.iter_mut().enumerate() {
        *offset = [if (index % columns).is_multiple_of(2) { 9.0 } else { -9.0 }, 0.0];
    }
    assert!(!names(&gestures_for(&bundle).expect("others are there")).contains(&"shake"));
}

#[test]
fn what_an_avatar_does_not_have_is_left_out() {
    let mut bundle = ada();
    bundle.eyes.retain(|eye| eye.side == Side::Right);
    let without = |fields: &mut Vec<Field>, axis: Axis| fields.retain(|field| field.axis != axis);
    without(&mut bundle.lattice.as_mut().expect("ada has a lattice").fields, Axis::Pitch);
    let gestures = gestures_for(&bundle).expect("something is left");
    assert_eq!(names(&gestures), ["shake", "tilt", "listen"], "no nod without a pitch, no wink without the eye");
    let channels: Vec<&str> = gestures.iter().flat_map(|it| &it.channels).map(|channel| channel.axis.name()).collect();
    assert!(!channels.contains(&"head.pitch") && !channels.contains(&"eyeLookInLeft"), "{channels:?}");
    assert!(channels.contains(&"eyeLookInRight"));
}

#[test]
fn an_avatar_without_a_lattice_is_refused_in_a_sentence() {
    let still = shipped("clapper").expect("the clapper ships");
    let refused = gestures_for(&still).expect_err("it is one still picture");
    assert!(matches!(refused, DynamicsError::NoLattice { .. }));
    assert_eq!(
        refused.to_string(),
        "avatar `clapper` has no lattice: nothing of it can be moved, so there are no gestures for it"
    );
    let mut headless = ada();
    headless.eyes.clear();
    headless.lattice.as_mut().expect("ada has a lattice").fields.clear();
    assert!(matches!(gestures_for(&headless), Err(DynamicsError::NothingMoves { .. })));
}

#[test]
fn a_preview_shows_that_something_moves() {
    let bundle = ada();
    let gestures = gestures_for(&bundle).expect("gestures");
    let sheet = preview(&bundle, &gestures).expect("it can be drawn");
    let mut reader = png::Decoder::new(std::io::Cursor::new(&sheet)).read_info().expect("it is a PNG");
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    assert_eq!((width, height), (7 * 256, 5 * 256));
    let mut pixels = vec![0; width * height * 3];
    reader.next_frame(&mut pixels).expect("it is whole");
    let cell = |row: usize, column: usize| -> Vec<u8> {
        let lines = (row * 256..(row + 1) * 256).map(|y| (y * width + column * 256) * 3);
        lines.flat_map(|start| pixels[start..start + 256 * 3].to_vec()).collect()
    };
    for row in 0..5 {
        assert_eq!(cell(row, 0), cell(0, 0), "each begins at rest");
        // The third picture of the held pose is its end; the second is the pose.
        let column = if row == 4 { 1 } else { 2 };
        let change: u64 = cell(row, 0).iter().zip(cell(row, column)).map(|(a, b)| u64::from(a.abs_diff(b))).sum();
        assert!(change >= 50_000, "row {row} changes by {change}");
    }
}
