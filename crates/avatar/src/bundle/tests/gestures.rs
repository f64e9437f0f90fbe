use super::super::parts::Axis;
use super::super::{AvatarBundle, Channel, Gesture, Key, shipped};
use super::Remade;

fn with_gestures(json: &str) -> Remade {
    Remade::clapper().manifest("\"eyes\"", &format!("\"gestures\": {json}, \"eyes\""))
}

#[test]
fn gestures_are_read_as_they_are_written() {
    let nod = r#"{"name": "nod", "duration_ms": 900, "channels": {"head.pitch": [[0, 0], [300, -0.1], [900, 0]]}}"#;
    let listen = r#"{"name": "listen", "duration_ms": 800, "hold": {"at_ms": 400},
        "channels": {"browInnerUp": [[0, 0], [400, 0.5], [800, 0]], "head.y": [[0, 0], [400, 2.5], [800, 0]]}}"#;
    let bundle = with_gestures(&format!("[{nod}, {listen}]")).open().expect("two good gestures");
    let names: Vec<&str> = bundle.gestures.iter().map(|gesture| gesture.name.as_str()).collect();
    assert_eq!(names, ["nod", "listen"]);
    let listen = bundle.gesture("listen").expect("it is there");
    assert_eq!((listen.duration_ms, listen.hold_at_ms, listen.channels.len()), (800, Some(400), 2));
    assert!((listen.value_at(&listen.channels[1], 400.0) - 2.5).abs() < 1e-6);
    assert_eq!(shipped("ada").expect("ada opens").gestures, [], "none is the default");
}

#[test]
fn gestures_that_are_no_good_are_refused_by_name() {
    let keyed = |channel: &str, keys: &str| {
        format!(r#"[{{"name": "nod", "duration_ms": 900, "channels": {{"{channel}": {keys}}}}}]"#)
    };
    let good = "[[0, 0], [300, -0.1], [900, 0]]";
    let many_keys: Vec<String> = (0..65).map(|at| format!("[{at}, 0]")).collect();
    let named = |name: &str| keyed("head.pitch", good).replace("nod", name);
    let many: Vec<String> =
        (0..33).map(|index| named(&format!("g{index}"))[1..].trim_end_matches(']').to_owned()).collect();
    let held = |at_ms: u32| {
        keyed("head.pitch", good).replace("\"channels\"", &format!("\"hold\": {{\"at_ms\": {at_ms}}}, \"channels\""))
    };
    let cases = [
        (keyed("head.nose", good), "gesture `nod`: channel `head.nose` is neither an ARKit blendshape nor a head axis"),
        (keyed("jawOpen", "[[0, 0], [300, 0.5], [900, 0]]"), "gesture `nod`: channel `jawOpen` parts the lips"),
        (keyed("head.pitch", "[[0, 0]]"), "channel `head.pitch` must have 2 to 64 keys"),
        (keyed("head.pitch", "[]"), "channel `head.pitch` has no keys"),
        (keyed("head.pitch", &format!("[{}]", many_keys.join(","))), "must have 2 to 64 keys"),
        (keyed("head.pitch", "[[10, 0], [900, 0]]"), "must have its first key at 0"),
        (keyed("head.pitch", "[[0, 0], [300, 0.1], [300, 0.1], [900, 0]]"), "ascending times"),
        (keyed("head.pitch", "[[0, 0], [300, 0.1], [901, 0]]"), "end within duration_ms"),
        (keyed("head.pitch", "[[0, 0], [300, 0.36], [900, 0]]"), "from -0.35 to 0.35 radians"),
        (keyed("head.pitch", "[[0, 0], [300, -1e300], [900, 0]]"), "from -0.35 to 0.35 radians"),
        (keyed("head.x", "[[0, 0], [300, 41], [900, 0]]"), "from -40 to 40 pixels"),
        (keyed("browInnerUp", "[[0, 0], [300, -0.1], [900, 0]]"), "values from 0 to 1"),
        (keyed("head.pitch", "[[0, 0.1], [900, 0]]"), "must begin and end at 0"),
        (keyed("head.pitch", "[[0, 0], [900, 0.1]]"), "must begin and end at 0"),
        (keyed("head.pitch", "[[0.5, 0], [900, 0]]"), "`manifest.json`: invalid type: floating point"),
        (keyed("head.pitch", "[[0, 0, 0], [900, 0]]"), "`manifest.json`: "),
        (keyed("head.pitch", good).replace("900,", "20000,"), "duration_ms must be from 1 to 10000"),
        (keyed("head.pitch", good).replace("900,", "-1,"), "`manifest.json`: invalid value"),
        (keyed("head.pitch", good).replace("}}]", "}, \"loop\": true}]"), "unknown field `loop`"),
        (held(0), "hold.at_ms must be after the start"),
        (held(901), "hold.at_ms must be after the start and not after the end"),
        (held(301), "channel `head.pitch` must have a key at hold.at_ms"),
        (keyed("head.pitch", good).replace("{\"head", &format!("{{\"head.pitch\": {good}, \"head")), "is there twice"),
        (keyed("head.pitch", good).replace(&format!("\"head.pitch\": {good}"), ""), "at least one channel"),
        (named("Nod!"), "gesture `Nod!`: a name must be 1 to 40"),
        (named(""), "gesture ``: a name must be 1 to 40"),
        (
            format!("[{}, {}]", &named("a")[1..].trim_end_matches(']'), &named("a")[1..].trim_end_matches(']')),
            "same name",
        ),
        (format!("[{}]", many.join(",")), "more than 32 gestures"),
    ];
    for (json, expected) in cases {
        let refusal = with_gestures(&json).refusal();
        assert!(refusal.contains(expected), "`{refusal}` does not say `{expected}` of {json}");
    }
}

#[test]
fn gestures_survive_being_packed_and_bad_ones_are_refused() {
    let channel = |axis, peak| {
        let keys = [(0, 0.0), (333, peak), (1_000, 0.0)].map(|(at_ms, value)| Key { at_ms, value });
        Channel { axis, keys: keys.to_vec() }
    };
    let gesture = |name: &str, hold_at_ms| Gesture {
        name: name.to_owned(),
        duration_ms: 1_000,
        hold_at_ms,
        channels: vec![channel(Axis::Pitch, -0.1297), channel(Axis::X, 3.1), channel(Axis::Blendshape(8), 0.7)],
    };
    let mut bundle = shipped("clapper").expect("a shipped bundle opens");
    bundle.gestures = vec![gesture("nod", None), gesture("listen", Some(333))];
    let again = AvatarBundle::from_bytes(&bundle.to_bytes().expect("it packs")).expect("it opens again");
    assert_eq!(again, bundle);

    bundle.gestures[0].channels[1].keys[1].value = f32::NAN;
    let refused = bundle.to_bytes().expect_err("it is no number").to_string();
    assert!(refused.contains("gesture `nod`: channel `head.x`"), "{refused}");
}
