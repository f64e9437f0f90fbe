//! Whether what was made holds: as a bundle, and through the renderer.

use std::sync::Arc;

use footlight_avatar::bundle::AvatarBundle;
use footlight_avatar::bundle::parts::{Mouth, Part};
use footlight_render::measure::MouthGauge;
use footlight_render::{EssenceRenderer, Frame, HeadPose, LoadedAvatar, Pose, Renderer};

use super::PortraitError;
use super::canvas::luma;
use super::preview::pose;

/// How much the picture at rest may differ from the portrait, in steps of luma on average over what moves.
const REST_OFF_MAX: f32 = 3.0;
/// How many pixels an open mouth must change clearly, as a share of the mouth's window.
const MOUTH_SHARE_MIN: f32 = 0.02;
/// Steps of luma that count as clearly.
const CLEARLY: f32 = 24.0;
/// How much closed lips may change the picture, against what open ones do.
const CLOSED_MAX: f32 = 0.3;
/// How much of an eye's opening may stay free with its lids closed.
const LIDS_FREE_MAX: f32 = 0.02;

/// Looks at an avatar that was made from a portrait: that it packs and opens within the limits, that at rest it looks
/// like its portrait, that lips part and meet and lids close, and that nothing changes outside of what moves.
///
/// Blocks for about half a second.
///
/// # Errors
/// [`PortraitError::Bundle`] for what readers of bundles refuse, [`PortraitError::Check`] for the rest.
pub fn check(bundle: &AvatarBundle) -> Result<(), PortraitError> {
    let read = AvatarBundle::from_bytes(&bundle.to_bytes()?)?;
    if read != *bundle {
        return Err(bad("it does not survive being packed"));
    }
    check_lids(bundle)?;
    let side = bundle.manifest.width;
    let avatar = LoadedAvatar::new(read)?;
    let mut stage = Stage { renderer: EssenceRenderer::new(Arc::clone(&avatar), side, side)?, side };
    let rest = stage.render(&Pose::NEUTRAL)?;
    check_rest(bundle, &stage, &rest)?;

    let Some(mouth) = &bundle.mouth else { return Err(bad("it has no mouth")) };
    let open = stage.render(&pose(&[("jawOpen", 1.0)]))?;
    let (clear, open) = change(mouth, &rest, &open);
    if clear < MOUTH_SHARE_MIN * (mouth.bank.size[0] * mouth.bank.size[1]) as f32 {
        return Err(bad("its lips do not part"));
    }
    for shapes in [
        &[("mouthClose", 1.0), ("mouthPressLeft", 0.55), ("mouthPressRight", 0.55)][..],
        &[("jawOpen", 0.05), ("mouthClose", 1.0)][..],
    ] {
        let closed = stage.render(&pose(shapes))?;
        if change(mouth, &rest, &closed).1 > CLOSED_MAX * open {
            return Err(bad("its lips do not meet"));
        }
    }
    let gauge = MouthGauge::new(&avatar, side, side)?;
    let half = gauge.opening(stage.render(&pose(&[("jawOpen", 0.25)]))?.y());
    if !(0.1..0.98).contains(&half) {
        return Err(bad("its mouth does not open by degrees"));
    }
    check_still(&mut stage, &rest)
}

fn bad(what: impl Into<String>) -> PortraitError {
    PortraitError::Check(what.into())
}

struct Stage {
    renderer: EssenceRenderer,
    side: u32,
}

impl Stage {
    fn render(&mut self, pose: &Pose) -> Result<Frame, PortraitError> {
        let mut frame = Frame::black(self.side, self.side);
        self.renderer.render(pose, &mut frame)?;
        Ok(frame)
    }
}

/// Lids that are closed leave nothing free, and open ones do.
fn check_lids(bundle: &AvatarBundle) -> Result<(), PortraitError> {
    for eye in &bundle.eyes {
        let free = |closure: f32| {
            let index = eye.lids.closures.iter().position(|&c| (c - closure).abs() < 1e-3)?;
            let patch = eye.lids.bank.patches.get(index)?;
            Some(patch.image.pixels.iter().map(|pixel| 255.0 - f32::from(pixel[3])).sum::<f32>() / 255.0)
        };
        match (free(0.0), free(1.0)) {
            (Some(open), Some(closed)) if open >= 12.0 && closed <= LIDS_FREE_MAX * open => {}
            (Some(open), Some(_)) if open < 12.0 => return Err(bad("an eye is hardly open")),
            _ => return Err(bad("its lids do not close")),
        }
    }
    Ok(())
}

/// The luma that a renderer makes of a colour: BT.709, limited range.
fn luma_step(pixel: [u8; 4]) -> f32 {
    16.0 + 219.0 * luma([0, 1, 2].map(|c| f32::from(pixel[c]) / 255.0))
}

fn check_rest(bundle: &AvatarBundle, stage: &Stage, rest: &Frame) -> Result<(), PortraitError> {
    let off = off_at_rest(bundle, stage, rest)?;
    if off > REST_OFF_MAX {
        return Err(bad(format!("at rest it is {off:.1} steps of luma off its portrait")));
    }
    Ok(())
}

/// How far the picture at rest is off the portrait, in steps of luma on average over what moves.
fn off_at_rest(bundle: &AvatarBundle, stage: &Stage, rest: &Frame) -> Result<f32, PortraitError> {
    let portrait = bundle.layers.iter().find(|layer| layer.part == Part::Background);
    let Some(portrait) = portrait.map(|layer| &layer.picture) else { return Err(bad("it has no background")) };
    let area = stage.renderer.moving_area();
    let (mut off, mut count) = (0.0, 0.0_f32);
    for y in area.y..area.y + area.height {
        for x in area.x..area.x + area.width {
            let (px, py) = (i64::from(x) - i64::from(portrait.at[0]), i64::from(y) - i64::from(portrait.at[1]));
            let inside = (0..i64::from(portrait.image.width)).contains(&px)
                && (0..i64::from(portrait.image.height)).contains(&py);
            if !inside {
                continue;
            }
            let there = portrait.image.pixels[(py * i64::from(portrait.image.width) + px) as usize];
            let here = rest.y()[(y * stage.side + x) as usize];
            off += (f32::from(here) - luma_step(there)).abs();
            count += 1.0;
        }
    }
    Ok(off / count.max(1.0))
}

/// How much a picture's mouth differs from that at rest: clearly changed pixels, and steps of luma in all.
fn change(mouth: &Mouth, rest: &Frame, other: &Frame) -> (f32, f32) {
    let ([x, y], [width, height]) = (mouth.bank.at, mouth.bank.size);
    let (columns, rows) = (x.unsigned_abs()..x.unsigned_abs() + width, y.unsigned_abs()..y.unsigned_abs() + height);
    let inside = |index: usize| {
        let (x, y) = (index as u32 % rest.width(), index as u32 / rest.width());
        columns.contains(&x) && rows.contains(&y)
    };
    let pairs = rest.y().iter().zip(other.y()).enumerate().filter(|&(index, _)| inside(index));
    pairs.fold((0.0, 0.0), |(clear, all), (_, (&a, &b))| {
        let off = f32::from(a.abs_diff(b));
        (if off >= CLEARLY { clear + 1.0 } else { clear }, all + off)
    })
}

/// Renders the farthest poses and looks at what must not move.
fn check_still(stage: &mut Stage, rest: &Frame) -> Result<(), PortraitError> {
    let area = stage.renderer.moving_area();
    let far =
        |sign: f32| HeadPose { yaw: 0.1 * sign, pitch: 0.1 * sign, roll: 0.1 * sign, x: 10.0 * sign, y: -10.0 * sign };
    let poses = [
        Pose { head: far(1.0), ..pose(&[("jawOpen", 1.0), ("eyeBlinkLeft", 1.0), ("eyeBlinkRight", 1.0)]) },
        Pose { head: far(-1.0), ..pose(&[("mouthPucker", 1.0), ("browInnerUp", 1.0)]) },
    ];
    for pose in poses {
        let frame = stage.render(&pose)?;
        for (index, (a, b)) in rest.y().iter().zip(frame.y()).enumerate() {
            let (x, y) = (index as u32 % stage.side, index as u32 / stage.side);
            let inside = (area.x..area.x + area.width).contains(&x) && (area.y..area.y + area.height).contains(&y);
            if !inside && a != b {
                return Err(bad("something changes outside of what moves"));
            }
        }
    }
    Ok(())
}
