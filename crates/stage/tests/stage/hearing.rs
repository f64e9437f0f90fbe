//! Avatars that draw their mouth from sound.

use std::io::{Cursor, Read, Write};

use footlight_avatar::bundle::Catalogue;
use footlight_stage::{Stage, StageError, StageOptions, Unit};
use zip::ZipArchive;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::house::{spec, speech};

const CLAPPER: &[u8] = include_bytes!("../../../avatar/assets/clapper.zip");
/// Paints the face towards white, the louder the whiter; made by `avatars/mouth_fixture.py`.
const NETWORK: &[u8] = include_bytes!("../../../avatar/tests/fixtures/mouth.onnx");

/// The clapper under another name, with or without a network that draws from sound.
fn bundle(name: &str, network: bool) -> Vec<u8> {
    let mut from = ZipArchive::new(Cursor::new(CLAPPER)).expect("a shipped archive");
    let mut to = ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: &str, content: &[u8]| {
        to.start_file(name, SimpleFileOptions::default()).expect("an entry can begin");
        to.write_all(content).expect("an entry can be written");
    };
    for index in 0..from.len() {
        let mut entry = from.by_index(index).expect("a shipped entry");
        let entry_name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("a shipped entry unpacks");
        if entry_name == "manifest.json" {
            let mut text = String::from_utf8(content).expect("a text").replace("\"clapper\"", &format!("\"{name}\""));
            if network {
                text = text.replacen('{', r#"{ "mouth_network": {"onnx": "mouth.onnx", "face": [128, 240, 256]},"#, 1);
            }
            content = text.into_bytes();
        }
        add(&entry_name, &content);
    }
    if network {
        add("mouth.onnx", NETWORK);
    }
    to.finish().expect("an archive can end").into_inner()
}

#[test]
fn a_mouth_network_hears_the_speech_that_it_is_drawn_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut avatars = Catalogue::default();
    for (name, network) in [("deaf", false), ("hearing", true)] {
        let path = folder.path().join(name).with_extension("zip");
        std::fs::write(&path, bundle(name, network)).expect("a file");
        assert_eq!(avatars.add_file(&path).expect("a good bundle"), name);
    }
    let options = StageOptions { workers: 1, ..StageOptions::default() };
    let stage = Stage::start_with(options, avatars).expect("the shipped parts are whole");
    let film = |avatar: &str, audio: &[i16]| -> Vec<Unit> {
        let mut units = Vec::new();
        let keep = |unit| {
            units.push(unit);
            Ok::<_, StageError>(())
        };
        let spec = footlight_stage::PerformanceSpec { avatar: avatar.into(), ..spec(25) };
        stage.perform_offline(&spec, audio, |_, _| (), keep).expect("it performs");
        units.retain(|unit| matches!(unit, Unit::Video(_)));
        units
    };
    let said = &speech("hello.wav")[..48_000];
    let (deaf, hearing) = (film("deaf", said), film("hearing", said));
    assert_eq!(deaf.len(), hearing.len());
    let other = deaf.iter().zip(&hearing).filter(|(deaf, hearing)| deaf != hearing).count();
    // Where it is silent the two draw alike.
    assert!(other * 3 > deaf.len() * 2, "the network drew {other} of {} pictures", deaf.len());
    // What it draws follows the sound.
    let quieter: Vec<i16> = said.iter().map(|sample| sample / 64).collect();
    assert_ne!(film("hearing", &quieter), hearing);
}
