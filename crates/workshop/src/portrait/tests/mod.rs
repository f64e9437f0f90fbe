use std::sync::Arc;

use footlight_avatar::bundle::AvatarBundle;
use footlight_render::measure::MouthGauge;
use footlight_render::{EssenceRenderer, Frame, LoadedAvatar, Renderer};
use proptest::prelude::*;

use super::preview::pose;
use super::{FaceLandmarks, PortraitError, PortraitOrder, Step, avatar_from, check, preview};

mod refused;

const NOOR: &[u8] = include_bytes!("../../../fixtures/noor.jpg");

fn noor() -> Vec<[f32; 2]> {
    let text = include_str!("../../../fixtures/noor.json");
    let landmarks: FaceLandmarks = serde_json::from_str(text).expect("the fixture is good");
    landmarks.points().to_vec()
}

fn order(picture: &[u8], landmarks: FaceLandmarks) -> PortraitOrder<'_> {
    let [name, title, licence] = ["noor", "Noor", "Apache-2.0"].map(str::to_owned);
    PortraitOrder { picture, landmarks, name, title, licence }
}

fn made(picture: &[u8], landmarks: FaceLandmarks) -> Result<AvatarBundle, PortraitError> {
    avatar_from(&order(picture, landmarks), &mut |_| ())
}

fn ibug68(points: Vec<[f32; 2]>) -> FaceLandmarks {
    FaceLandmarks::Ibug68 { points }
}

#[test]
fn a_portrait_becomes_an_avatar_that_holds() {
    let mut steps = Vec::new();
    let shown = format!("{:?}", order(NOOR, ibug68(noor())));
    assert!(shown.len() < 100 && shown.contains("noor"), "{shown}");
    let bundle = avatar_from(&order(NOOR, ibug68(noor())), &mut |step| steps.push(step)).expect("a good portrait");
    assert_eq!(steps, [Step::Reading, Step::Staging, Step::Moving, Step::Mouth, Step::Eyes]);
    assert!(steps.windows(2).all(|pair| pair[0].percent() < pair[1].percent()));
    check(&bundle).expect("a good avatar");
    let bytes = bundle.to_bytes().expect("it packs");
    assert!(bytes.len() < 3 << 20, "{} bytes", bytes.len());
    assert_eq!(AvatarBundle::from_bytes(&bytes).expect("it opens"), bundle);
    assert!(bundle == made(NOOR, ibug68(noor())).expect("a good portrait"), "the same order gives another avatar");
    let sheet = preview(&bundle).expect("it renders");
    assert!(sheet.starts_with(b"\x89PNG") && sheet.len() > 100_000);
}

#[test]
fn at_rest_it_is_the_portrait() {
    let bundle = made(NOOR, ibug68(noor())).expect("a good portrait");
    let portrait = bundle.layers[0].picture.clone();
    let mut renderer = EssenceRenderer::new(LoadedAvatar::new(bundle).expect("it loads"), 512, 512).expect("a size");
    let mut frame = Frame::black(512, 512);
    renderer.render(&footlight_render::Pose::NEUTRAL, &mut frame).expect("it renders");
    let (mut off, mut most, mut place) = (0.0, 0.0_f32, [0; 2]);
    for y in 0..512_i32 {
        for x in 0..512_i32 {
            let at = (y - portrait.at[1]) as usize * portrait.image.width as usize + (x - portrait.at[0]) as usize;
            let [r, g, b, _] = portrait.image.pixels[at].map(|c| f32::from(c) / 255.0);
            let there = 16.0 + 219.0 * (0.2126 * r + 0.7152 * g + 0.0722 * b);
            let here = (f32::from(frame.y()[(y * 512 + x) as usize]) - there).abs();
            off += here / (512.0 * 512.0);
            if here > most {
                (most, place) = (here, [x, y]);
            }
        }
    }
    // Rounding to whole steps is a quarter of a step; the rims of the irises differ a little more.
    assert!(off < 0.5, "{off} steps of luma on average");
    assert!(most < 40.0, "{most} steps of luma somewhere, {place:?}");
}

#[test]
fn lips_part_by_degrees_and_lids_close() {
    let avatar = LoadedAvatar::new(made(NOOR, ibug68(noor())).expect("a good portrait")).expect("it loads");
    let gauge = MouthGauge::new(&avatar, 512, 512).expect("a size");
    let mut renderer = EssenceRenderer::new(Arc::clone(&avatar), 512, 512).expect("a size");
    let mut frame = Frame::black(512, 512);
    let mut opening = |shapes: &[(&str, f32)]| {
        renderer.render(&pose(shapes), &mut frame).expect("it renders");
        gauge.opening(frame.y())
    };
    let openings = [0.0, 0.1, 0.3, 0.6, 1.0].map(|jaw| opening(&[("jawOpen", jaw)]));
    assert!(openings.windows(2).all(|pair| pair[0] < pair[1]), "{openings:?}");
    assert!(openings[0] < 0.01 && openings[4] > 0.99, "{openings:?}");
    assert!(opening(&[("mouthClose", 1.0), ("mouthPressLeft", 0.55), ("mouthPressRight", 0.55)]) < 0.1);

    for eye in &avatar.bundle().eyes {
        let free = |index: usize| eye.lids.bank.patches[index].image.pixels.iter().filter(|p| p[3] < 40).count();
        let openness: Vec<usize> = (0..4).map(free).collect();
        assert!(openness[0] > openness[1] && openness[1] > openness[2] && openness[3] == 0, "{openness:?}");
        assert!(openness[1] > 200, "the eye is hardly open: {openness:?}");
    }
}

fn encoded(width: u32, height: u32, colour: png::ColorType, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(colour);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(data).expect("a picture");
    writer.finish().expect("an end");
    out
}

#[test]
fn spoilt_avatars_do_not_pass() {
    let good = made(NOOR, ibug68(noor())).expect("a good portrait");
    let said = |spoil: &dyn Fn(&mut AvatarBundle)| {
        let mut bundle = good.clone();
        spoil(&mut bundle);
        check(&bundle).expect_err("it is spoilt").to_string()
    };
    let mute = said(&|bundle| {
        let patches = &mut bundle.mouth.as_mut().expect("a mouth").bank.patches;
        let closed = patches[1].clone();
        patches.fill(closed);
        // Nor does the jaw move.
        bundle.lattice.as_mut().expect("a lattice").fields[0].offsets.fill([0.0; 2]);
    });
    assert!(mute.contains("its lips do not part"), "{mute}");
    let gaping = said(&|bundle| {
        let patches = &mut bundle.mouth.as_mut().expect("a mouth").bank.patches;
        patches[12] = patches[10].clone();
    });
    assert!(gaping.contains("its lips do not meet"), "{gaping}");
    let staring = said(&|bundle| {
        let patches = &mut bundle.eyes[0].lids.bank.patches;
        patches[3] = patches[1].clone();
    });
    assert!(staring.contains("its lids do not close"), "{staring}");
    let other = said(&|bundle| bundle.layers[1].picture.at[0] += 20);
    assert!(other.contains("off its portrait"), "{other}");
    let nameless = said(&|bundle| bundle.manifest.name = "Noor!".to_owned());
    assert!(nameless.contains("name must be 1 to 40 lower-case letters"), "{nameless}");
}

/// Noor's landmarks in MediaPipe's scheme: places between those of the other.
fn mediapipe(irises: bool) -> Vec<[f32; 2]> {
    let noor = noor();
    let mut points = vec![[420.0, 600.0]; if irises { 478 } else { 468 }];
    let mut lay = |indices: &[usize], along: &[usize]| {
        for (k, &index) in indices.iter().enumerate() {
            let place = k as f32 * (along.len() - 1) as f32 / (indices.len() - 1) as f32;
            let from = (place as usize).min(along.len() - 2);
            points[index] = [0, 1].map(|axis| {
                let (a, b) = (noor[along[from]][axis], noor[along[from + 1]][axis]);
                a + (b - a) * (place - from as f32)
            });
        }
    };
    lay(
        &[
            127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454,
            356,
        ],
        &(0..17).collect::<Vec<_>>(),
    );
    lay(&[33, 246, 161, 160, 159, 158, 157, 173, 133], &[36, 37, 38, 39]);
    lay(&[33, 7, 163, 144, 145, 153, 154, 155, 133], &[36, 41, 40, 39]);
    lay(&[362, 398, 384, 385, 386, 387, 388, 466, 263], &[42, 43, 44, 45]);
    lay(&[362, 382, 381, 380, 374, 373, 390, 249, 263], &[42, 47, 46, 45]);
    for (upper, lower, along) in [
        ([70, 63, 105, 66, 107], [46, 53, 52, 65, 55], [17, 18, 19, 20, 21]),
        ([336, 296, 334, 293, 300], [285, 295, 282, 283, 276], [22, 23, 24, 25, 26]),
    ] {
        lay(&upper, &along);
        lay(&lower, &along);
    }
    lay(&[98, 97, 2, 326, 327], &[31, 32, 33, 34, 35]);
    lay(&[168, 4], &[27, 30]);
    lay(&[61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291], &[48, 49, 50, 51, 52, 53, 54]);
    lay(&[61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291], &[48, 59, 58, 57, 56, 55, 54]);
    lay(&[78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308], &[60, 61, 62, 63, 64]);
    lay(&[78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308], &[60, 67, 66, 65, 64]);
    if irises {
        // Her irises, a little up and to the right of the middles of her eyes; stored for the right eye first.
        for (first, [x, y]) in [(468, [340.0, 512.0]), (473, [499.0, 521.0])] {
            for (k, off) in [[0.0, 0.0], [21.0, 0.0], [0.0, -21.0], [-21.0, 0.0], [0.0, 21.0]].iter().enumerate() {
                points[first + k] = [x + off[0], y + off[1]];
            }
        }
    }
    points
}

#[test]
fn both_schemes_make_the_same_person() {
    let one = made(NOOR, ibug68(noor())).expect("a good portrait");
    for irises in [false, true] {
        let other = made(NOOR, FaceLandmarks::Mediapipe { points: mediapipe(irises) }).expect("a good portrait");
        check(&other).expect("a good avatar");
        let places = |bundle: &AvatarBundle| {
            let l = &bundle.manifest.landmarks;
            [l.left_eye, l.right_eye, l.nose, l.mouth, l.chin].map(|place| place.expect("a place"))
        };
        for (a, b) in places(&one).iter().zip(places(&other)) {
            assert!((a[0] - b[0]).hypot(a[1] - b[1]) < 3.0, "{a:?} {b:?}");
        }
        // The irises that were found in the picture lie where those that were told do.
        for (a, b) in one.eyes.iter().zip(&other.eyes) {
            let middle = |eye: &footlight_avatar::bundle::parts::Eye| {
                [0, 1].map(|axis| {
                    eye.iris.at[axis] as f32 + [eye.iris.image.width, eye.iris.image.height][axis] as f32 / 2.0
                })
            };
            let (a, b) = (middle(a), middle(b));
            assert!((a[0] - b[0]).hypot(a[1] - b[1]) < 3.5, "{a:?} {b:?}");
        }
    }
}

/// A picture of nothing, large enough for a face.
fn nothing() -> Vec<u8> {
    let data: Vec<u8> = (0..400 * 480 * 3_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    encoded(400, 480, png::ColorType::Rgb, &data)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_landmarks_give_an_error_or_an_avatar(
        points in prop::collection::vec([0.0_f32..400.0, 0.0_f32..480.0], 68),
        shake in 0.0_f32..30.0,
        large in 0.42_f32..0.5,
    ) {
        let picture = nothing();
        let _either = made(&picture, ibug68(points.clone()));
        // Something like a face, in a picture of anything: what is made of it must be sound, if anything is.
        let still = noor();
        let shaken = still.iter().zip(&points).map(|(&[x, y], off)| {
            let (dx, dy) = (off[0] / 400.0 - 0.5, off[1] / 480.0 - 0.5);
            [(x * large + dx * shake).clamp(0.0, 400.0), ((y - 60.0) * large + dy * shake).clamp(0.0, 480.0)]
        });
        if let Ok(bundle) = made(&picture, ibug68(shaken.collect())) {
            let bytes = bundle.to_bytes().expect("it packs");
            prop_assert!(AvatarBundle::from_bytes(&bytes).expect("it opens") == bundle);
            // It may look like nothing; it must not fail.
            let _either = check(&bundle);
        }
    }

    #[test]
    fn damaged_pictures_give_an_error_or_an_avatar(place in 0_usize..NOOR.len(), flip in 1_u8.., cut in 100_usize..NOOR.len()) {
        let mut bytes = NOOR.to_vec();
        bytes[place] ^= flip;
        let _either = super::picture::decode(&bytes);
        let _either = super::picture::decode(&NOOR[..cut]);
    }
}
