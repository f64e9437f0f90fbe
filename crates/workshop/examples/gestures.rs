//! Writes a contact sheet of the gestures that are made for an avatar: `gestures [NAME or FILE.zip] [OUT.png]`.

use std::path::Path;

use footlight_avatar::bundle::{AvatarBundle, DEFAULT_AVATAR, shipped, shipped_names};
use footlight_workshop::dynamics::{gestures_for, preview};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| DEFAULT_AVATAR.to_owned());
    let out = arguments.next().unwrap_or_else(|| "gestures.png".to_owned());
    let bundle = if shipped_names().any(|known| known == name) {
        shipped(&name)?
    } else {
        AvatarBundle::open(Path::new(&name))?
    };
    let gestures = gestures_for(&bundle)?;
    for gesture in &gestures {
        println!(
            "{}: {} ms{}",
            gesture.name,
            gesture.duration_ms,
            if gesture.hold_at_ms.is_some() { ", held" } else { "" }
        );
        for channel in &gesture.channels {
            let farthest = channel.keys.iter().map(|key| key.value.abs()).fold(0.0, f32::max);
            println!("  {} up to {farthest}", channel.axis.name());
        }
    }
    std::fs::write(&out, preview(&bundle, &gestures)?)?;
    println!("{out}");
    Ok(())
}
