//! Makes an avatar from a portrait: `portrait PICTURE LANDMARKS.json OUT.zip PREVIEW.png`.

use std::time::Instant;

use footlight_workshop::portrait::{FaceLandmarks, PortraitOrder, avatar_from, check, preview};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [picture, landmarks, out, sheet] = arguments.as_slice() else {
        return Err("usage: portrait PICTURE LANDMARKS.json OUT.zip PREVIEW.png".into());
    };
    let bytes = std::fs::read(picture)?;
    let landmarks: FaceLandmarks = serde_json::from_slice(&std::fs::read(landmarks)?)?;
    let order = PortraitOrder {
        picture: &bytes,
        landmarks,
        name: "portrait".to_owned(),
        title: "Portrait".to_owned(),
        licence: "NONE".to_owned(),
    };
    let began = Instant::now();
    let bundle = avatar_from(&order, &mut |step| println!("{:5} ms {step:?}", began.elapsed().as_millis()))?;
    println!("{:5} ms made", began.elapsed().as_millis());
    let packed = bundle.to_bytes()?;
    println!("{:5} ms packed, {} kB", began.elapsed().as_millis(), packed.len() / 1000);
    std::fs::write(out, packed)?;
    std::fs::write(sheet, preview(&bundle)?)?;
    println!("{:5} ms previewed", began.elapsed().as_millis());
    let checked = check(&bundle);
    println!("{:5} ms checked", began.elapsed().as_millis());
    Ok(checked?)
}
