mod gestures;

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;

use super::parts::Part;
use super::{AvatarBundle, BundleError, BundleLimits, EntryFault, shipped, shipped_names};

/// A good bundle's entries, to be spoilt one at a time.
struct Remade {
    entries: BTreeMap<String, Vec<u8>>,
}

impl Remade {
    fn clapper() -> Self {
        let bytes = include_bytes!("../../assets/clapper.zip");
        let mut archive = zip::ZipArchive::new(Cursor::new(&bytes[..])).expect("a shipped archive");
        let mut entries = BTreeMap::new();
        for index in 0..archive.len() {
            let mut file = archive.by_index(index).expect("a shipped entry");
            let name = String::from_utf8_lossy(file.name_raw()).into_owned();
            let mut content = Vec::new();
            file.read_to_end(&mut content).expect("a shipped entry unpacks");
            entries.insert(name, content);
        }
        Self { entries }
    }

    fn with(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.entries.insert(name.to_owned(), content.into());
        self
    }

    fn without(mut self, name: &str) -> Self {
        assert!(self.entries.remove(name).is_some(), "{name} was not there");
        self
    }

    fn manifest(self, from: &str, to: &str) -> Self {
        let text = String::from_utf8(self.entries["manifest.json"].clone()).expect("a text");
        assert!(text.contains(from), "the manifest has no {from}");
        self.with("manifest.json", text.replacen(from, to, 1))
    }

    fn pack(&self) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in &self.entries {
            zip.start_file(name.as_str(), SimpleFileOptions::default()).expect("an entry can begin");
            zip.write_all(content).expect("an entry can be written");
        }
        zip.finish().expect("an archive can end").into_inner()
    }

    fn open(&self) -> Result<AvatarBundle, BundleError> {
        AvatarBundle::from_bytes(&self.pack())
    }

    fn refusal(&self) -> String {
        self.open().expect_err("the bundle is not good").to_string()
    }
}

#[test]
fn shipped_avatars_open_and_are_what_they_say() {
    assert_eq!(shipped_names().collect::<Vec<_>>(), ["ada", "miles", "clapper"]);
    for name in shipped_names() {
        let bundle = shipped(name).expect("a shipped bundle opens");
        assert_eq!(bundle.manifest.name, name);
        assert_eq!((bundle.manifest.width, bundle.manifest.height), (512, 512));
        assert_eq!(bundle.layers[0].part, Part::Background);
        assert!(bundle.mouth.is_some(), "{name} has no mouth");
    }
    assert_eq!(shipped("ada").expect("ada opens").eyes.len(), 2);
    let error = shipped("eve\n").expect_err("nobody of that name").to_string();
    assert_eq!(error, "no avatar named `eve\u{fffd}` is shipped; known ones are ada, miles, clapper");
}

#[test]
fn a_remade_bundle_opens_so_that_the_spoilt_ones_fail_for_their_own_fault() {
    assert_eq!(Remade::clapper().open().expect("a good bundle"), shipped("clapper").expect("a good bundle"));
}

#[test]
fn names_that_lead_outside_are_refused_by_name() {
    let names = [
        "../evil.png",
        "a/../../evil.png",
        "/etc/passwd",
        "a\\..\\evil.png",
        "C:evil.png",
        "a//b",
        "./a",
        "a\0b",
        "end. ",
    ];
    for name in names {
        let refused = Remade::clapper().with(name, *b"x").open().expect_err("an unsafe name");
        assert!(matches!(&refused, BundleError::Entry { fault: EntryFault::UnsafeName, .. }), "{name}: {refused}");
    }
}

#[test]
fn bombs_are_refused_before_they_unpack() {
    let zeros = Remade::clapper().with("zeros.png", vec![0; 80 << 20]);
    assert!(zeros.pack().len() < 1 << 20, "the bomb is no bomb");
    assert_eq!(zeros.refusal(), "avatar bundle entry `zeros.png`: unpacks to over 200 times its size");

    let limits = BundleLimits { entry_bytes_max: 10_000, ..BundleLimits::DEFAULT };
    let error = AvatarBundle::from_bytes_within(&Remade::clapper().pack(), &limits).expect_err("a limit").to_string();
    assert_eq!(error, "avatar bundle entry `background.png`: unpacks to more than 10000 bytes");

    let mut many = Remade::clapper();
    for index in 0..300 {
        many = many.with(&format!("filler/{index}"), *b"x");
    }
    let too_many = "avatar bundle is over a limit: number of entries is 305, at most 256 allowed";
    assert_eq!(many.refusal(), too_many);
    // It is refused before anything is made of its directory: without its end nothing can be.
    let mut endless = many.pack();
    endless.truncate(endless.len() - 22);
    assert_eq!(AvatarBundle::from_bytes(&endless).expect_err("no archive").to_string(), too_many);
}

#[test]
fn what_would_cost_too_much_to_show_is_not_taken_from_customers() {
    let taken = |bundle: &AvatarBundle| {
        AvatarBundle::from_bytes_within(&bundle.to_bytes().expect("it packs"), &BundleLimits::CUSTOMER)
    };
    let refusal = |bundle: &AvatarBundle| taken(bundle).expect_err("it costs too much").to_string();
    for name in shipped_names() {
        taken(&shipped(name).expect("it ships")).expect("what ships is far from the limits");
    }
    let ada = || shipped("ada").expect("ada ships");
    let mut far = ada();
    far.lattice.as_mut().expect("ada has one").step = 120;
    assert!(refusal(&far).contains("lattice must lie on the stage"));
    assert!(AvatarBundle::from_bytes(&far.to_bytes().expect("it packs")).is_err(), "operators' may not either");
    let mut many = ada();
    let lattice = many.lattice.as_mut().expect("ada has one");
    (lattice.step, lattice.columns, lattice.rows) = (4, 100, 100);
    // Numbers that do not pack as a bomb does.
    let offsets: Vec<[f32; 2]> =
        (0..10_000_u32).map(|i| [(i * i % 641) as f32 / 64.0, (i % 127) as f32 / 64.0]).collect();
    lattice.fields.iter_mut().for_each(|field| field.offsets.clone_from(&offsets));
    assert!(refusal(&many).contains("lattice may have"));
    let mut small = ada();
    (small.manifest.width, small.manifest.height) = (128, 128);
    assert!(refusal(&small).contains("at least 256"));
    let mut wide = shipped("clapper").expect("clapper ships");
    (wide.manifest.width, wide.manifest.height) = (384, 448);
    assert!(refusal(&wide).contains("20 % of the stage"));
}

#[test]
fn a_claimed_size_is_not_believed() {
    // Every size field of the large entry says 7: what is counted is what comes out.
    let mut bytes = Remade::clapper().with("zeros.png", vec![0; 4 << 20]).pack();
    let claimed = u32::to_le_bytes(4 << 20);
    let places: Vec<usize> = (0..bytes.len() - 4).filter(|&i| bytes[i..i + 4] == claimed).collect();
    assert!(!places.is_empty(), "the size stands nowhere");
    for place in places {
        bytes[place..place + 4].copy_from_slice(&7_u32.to_le_bytes());
    }
    AvatarBundle::from_bytes(&bytes).expect_err("a lie about its size");
}

#[test]
fn pictures_that_claim_to_be_huge_are_refused_by_their_header() {
    let mut png = Remade::clapper().entries["background.png"].clone();
    png[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    // The header's checksum is right: only the size is wrong.
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    let error = Remade::clapper().with("background.png", png).refusal();
    assert_eq!(
        error,
        "avatar bundle entry `background.png`: is a picture of 65535x65535; at most 4194304 pixels are left for it"
    );
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn links_are_refused() {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("manifest.json", "/etc/passwd", SimpleFileOptions::default()).expect("a link can be written");
    let bytes = zip.finish().expect("an archive can end").into_inner();
    let error = AvatarBundle::from_bytes(&bytes).expect_err("a link").to_string();
    assert_eq!(
        error,
        "avatar bundle entry `manifest.json`: is stored in a way that bundles may not use: encrypted or a link"
    );
}

#[test]
fn faults_name_the_entry_and_say_what_is_wrong() {
    let clapper = Remade::clapper;
    let cases = [
        (clapper().without("manifest.json"), "`manifest.json`: is named by the manifest but missing"),
        (clapper().without("mouth/01.png"), "`mouth/01.png`: is named by the manifest but missing"),
        (clapper().manifest("\"seed\"", "\"sead\""), "`manifest.json`: unknown field `sead`"),
        (clapper().manifest("\"format\": 1", "\"format\": 2"), "format 2 is not known; this build reads format 1"),
        (clapper().manifest("\"clapper\"", "\"Clapper!\""), "name must be 1 to 40 lower-case letters"),
        (clapper().manifest("\"width\": 512", "\"width\": 51200"), "width and height must be from 64 to 2048"),
        (clapper().manifest("\"part\": \"background\"", "\"part\": \"torso\""), "first layer must be a background"),
        (clapper().manifest("\"part\": \"background\"", "\"part\": \"moustache\""), "unknown variant `moustache`"),
        (clapper().with("mouth/00.png", *b"GIF89a"), "`mouth/00.png`: is damaged"),
        (clapper().with("mouth/mesh.i16", vec![0; 9]), "`mouth/mesh.i16`: has 9 bytes, should have"),
        (clapper().with("mouth/mesh.i16", vec![0; 40]), "`mouth/mesh.i16`: mesh must go from edge to edge"),
        (clapper().with("manifest.json", *b"{\"format\": 1"), "`manifest.json`: EOF while parsing"),
        (clapper().with("manifest.json", vec![b'['; 100_000]), "`manifest.json`:"),
    ];
    for (spoilt, expected) in cases {
        let refusal = spoilt.refusal();
        assert!(refusal.contains(expected), "`{refusal}` does not say `{expected}`");
    }
}

/// Paints the face by how loud the sound is; made by `avatars/mouth_fixture.py`.
const NETWORK: &[u8] = include_bytes!("../../tests/fixtures/mouth.onnx");

/// A few kilobytes that are more work than a core does in a frame; from the same place.
const SLOW_NETWORK: &[u8] = include_bytes!("../../tests/fixtures/mouth_slow.onnx");

fn with_network(onnx: impl Into<Vec<u8>>) -> Remade {
    Remade::clapper()
        .manifest("\"eyes\"", "\"mouth_network\": {\"onnx\": \"mouth.onnx\", \"face\": [128, 128, 256]}, \"eyes\"")
        .with("mouth.onnx", onnx)
}

#[test]
fn a_mouth_network_by_the_contract_is_accepted_and_runs() {
    let bundle = with_network(NETWORK).open().expect("a good network");
    let network = bundle.mouth_network.expect("the bundle has a network");
    let drawn = network.model.draw(&[4.0; 1280], &vec![0.25; super::FACE_INPUT_LEN]).expect("it runs");
    assert_eq!(drawn.len(), 3 * 96 * 96);
    // sigmoid(0.25 + loudness 1).
    assert!(drawn.iter().all(|value| (value - 0.777).abs() < 0.01), "{:?}", &drawn[..3]);
}

#[test]
fn a_mouth_network_survives_being_packed() {
    let bundle = with_network(NETWORK).open().expect("a good network");
    let again = AvatarBundle::from_bytes(&bundle.to_bytes().expect("it packs")).expect("it opens again");
    assert_eq!(bundle, again);
    assert_eq!(again.mouth_network.expect("it still has a network").model.onnx(), NETWORK);
}

#[test]
fn hostile_networks_are_refused_by_name() {
    let replaced = |from: &[u8], to: &[u8]| {
        assert_eq!(from.len(), to.len());
        let mut bytes = NETWORK.to_vec();
        let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|&i| &bytes[i..i + from.len()] == from).collect();
        assert!(!places.is_empty(), "the network does not hold {from:?}");
        for place in places {
            bytes[place..place + to.len()].copy_from_slice(to);
        }
        bytes
    };
    let face_model = include_bytes!("../../assets/face.onnx");
    let cases = [
        (b"not an onnx file at all".to_vec(), "cannot be read as onnx"),
        (Vec::new(), "cannot be read as onnx"),
        (NETWORK[..NETWORK.len() / 2].to_vec(), "cannot be read as onnx"),
        (replaced(b"Sigmoid", b"SigLoop"), "uses the operator SigLoop"),
        (face_model.to_vec(), "`mouth.onnx`: "),
        (SLOW_NETWORK.to_vec(), "million multiply-adds a picture"),
    ];
    for (onnx, expected) in cases {
        let refusal = with_network(onnx).refusal();
        assert!(refusal.starts_with("avatar bundle entry `mouth.onnx`: "), "{refusal}");
        assert!(refusal.contains(expected), "`{refusal}` does not say `{expected}`");
    }
    let outside = with_network(NETWORK).manifest("[128, 128, 256]", "[400, 128, 256]").refusal();
    assert!(outside.contains("must be a square inside the stage"), "{outside}");
    for place in (0..NETWORK.len()).step_by(31) {
        let mut bytes = NETWORK.to_vec();
        bytes[place] ^= 0x55;
        let _either = with_network(bytes).open();
    }
}

#[test]
fn a_louder_sound_is_a_higher_mel_and_silence_the_lowest() {
    let mut ear = super::mel::MelEar::default();
    assert!(ear.window().iter().all(|&value| value <= -3.9), "silence is heard as something");
    let tone = |hertz: f32| (0..4000).map(move |n| 0.5 * (std::f32::consts::TAU * hertz * n as f32 / 16_000.0).sin());
    let mut loudest = Vec::new();
    for hertz in [300.0, 1000.0, 4000.0] {
        ear.hear(&tone(hertz).collect::<Vec<_>>());
        let window = ear.window();
        let band = |band: usize| window[band * super::mel::MEL_FRAMES + 8];
        let peak = (0..super::mel::MEL_BANDS).max_by(|&a, &b| band(a).total_cmp(&band(b))).expect("there are bands");
        assert!(band(peak) > 0.5, "{hertz} Hz is hardly heard: {}", band(peak));
        loudest.push(peak);
    }
    assert!(loudest.is_sorted() && loudest[0] + 10 < loudest[2], "{loudest:?}");
}

#[test]
fn damage_anywhere_is_an_error_or_harmless_but_never_a_panic() {
    let good = Remade::clapper().pack();
    for length in (0..good.len()).step_by(53) {
        AvatarBundle::from_bytes(&good[..length]).expect_err("a truncated archive");
    }
    for place in (0..good.len()).step_by(17) {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[place] ^= flip;
            let _either = AvatarBundle::from_bytes(&bytes);
        }
    }
}

#[test]
fn a_missing_file_is_named() {
    let path = std::path::Path::new("no-such-folder/eve.zip");
    let error = AvatarBundle::open(path).expect_err("there is no such file").to_string();
    assert_eq!(error, "cannot read avatar bundle no-such-folder/eve.zip");
}
