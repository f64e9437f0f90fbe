//! What no avatar is made of.

use super::{FaceLandmarks, NOOR, encoded, ibug68, made, noor};

/// What is said of noor when her landmarks are spoilt.
fn refusal(spoil: impl FnOnce(&mut Vec<[f32; 2]>)) -> String {
    let mut points = noor();
    spoil(&mut points);
    made(NOOR, ibug68(points)).expect_err("these landmarks are no good").to_string()
}

#[test]
fn landmarks_of_no_face_are_refused_by_name() {
    let cases: [(String, &str); 15] = [
        (refusal(|p| p.truncate(67)), "the landmarks are 67 points; the scheme ibug68 has 68"),
        (refusal(|p| p[5][0] = f32::NAN), "landmark 5 is not a finite number"),
        (refusal(|p| p[8][1] = 1101.0), "landmark 8 lies outside of the picture"),
        (refusal(|p| p.fill([300.0, 300.0])), "the eyes are 0 pixels apart, at least 40 are needed"),
        (refusal(|p| p.iter_mut().for_each(|p| *p = p.map(|c| c * 0.2))), "pixels apart, at least 40 are needed"),
        (refusal(|p| p.iter_mut().for_each(|p| p[0] = 900.0 - p[0])), "left and right are swapped"),
        (refusal(|p| p.iter_mut().for_each(|p| p[1] = 1100.0 - p[1])), "are not those of an upright face"),
        (refusal(|p| p.iter_mut().for_each(|p| *p = [p[0], p[1] + (p[0] - 420.0) * 0.4])), "the head is tilted by"),
        (refusal(|p| p[27..36].iter_mut().for_each(|p| p[0] += 70.0)), "the head is turned to the side"),
        (refusal(|p| p[48..].iter_mut().for_each(|p| p[1] -= 250.0)), "the mouth is not below the nose"),
        (refusal(|p| p[41][1] = 1090.0), "a lid is far from its eye"),
        (refusal(|p| p[0] = [899.0, 1.0]), "are not those of an upright face"),
        (
            refusal(|p| [55, 56, 57, 58, 59, 65, 66, 67].iter().for_each(|&k| p[k][1] += 50.0)),
            "the mouth is open too far",
        ),
        (refusal(|p| [37, 38, 43, 44].iter().for_each(|&k| p[k][1] += 34.0)), "an eye is closed"),
        (
            refusal(|p| p.iter_mut().for_each(|p| *p = [p[0] * 2.0 - 400.0, p[1] * 1.9 - 430.0])),
            "the face fills the picture",
        ),
    ];
    for (said, expected) in cases {
        assert!(said.contains(expected), "`{said}` does not say `{expected}`");
    }
}

#[test]
fn landmarks_are_read_strictly() {
    let parse = |text: &str| serde_json::from_str::<FaceLandmarks>(text);
    parse(r#"{"scheme": "ibug68", "points": [[1, 2.5]]}"#).expect("a list of places");
    for text in [
        r#"{"scheme": "dlib", "points": []}"#,
        r#"{"scheme": "ibug68", "points": [], "colour": 3}"#,
        r#"{"scheme": "ibug68", "points": [[1, 2, 3]]}"#,
        r#"{"points": []}"#,
    ] {
        parse(text).expect_err(text);
    }
}

#[test]
fn pictures_that_are_none_are_refused() {
    let said = |bytes: &[u8]| made(bytes, ibug68(noor())).expect_err("no good picture").to_string();
    assert!(said(b"GIF89a").contains("neither a PNG nor a JPEG"));
    assert!(said(&NOOR[..400]).contains("the picture is damaged"));
    assert!(said(&vec![0; (16 << 20) + 1]).contains("send one of at most 16777216 bytes"));

    let mut huge = encoded(8, 8, png::ColorType::Rgb, &[0; 192]);
    huge[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    let crc = !huge[12..29].iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    });
    huge[29..33].copy_from_slice(&crc.to_be_bytes());
    assert!(said(&huge).contains("65535x65535 pixels; make it smaller"));

    let mut turned = NOOR[..2].to_vec();
    turned.extend(b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0");
    turned.extend(&NOOR[2..]);
    assert!(said(&turned).contains("stored turned (EXIF orientation 6)"));
}

#[test]
fn what_is_clear_in_a_picture_is_grey() {
    let photo =
        crate::portrait::picture::decode(&encoded(2, 1, png::ColorType::Rgba, &[255, 0, 0, 255, 255, 255, 255, 0]))
            .expect("a picture");
    assert_eq!(photo.pixels(), [[255, 0, 0], [128; 3]]);
}
