//! Behaviour of the face path.

use super::lips::{CLOSED_GAP, lip_gap};
use super::shapes::{JAW_OPEN, MOUTH_CLOSE, MOUTH_LOWER_DOWN, MOUTH_PUCKER};
use super::*;
use crate::Weights;

const HELLO: &[u8] = include_bytes!("../../../../tests/speech/hello.wav");
const WEATHER: &[u8] = include_bytes!("../../../../tests/speech/weather.wav");
const SHIPPED: &[u8] = include_bytes!("../../assets/face.onnx");
/// What onnxruntime says of `hello.wav` with the shipped file (written by `models/`): `jawOpen` and `mouthClose`.
const HELLO_WEIGHTS: &[u8] = include_bytes!("fixtures/hello.weights");

/// The samples of a plain WAV file with the usual 44 bytes in front.
fn samples(wav: &[u8]) -> Vec<f32> {
    wav[44..].as_chunks::<2>().0.iter().map(|&pair| f32::from(i16::from_le_bytes(pair)) / 32768.0).collect()
}

fn weights_of(speech: &[f32], chunk: usize) -> Vec<Weights> {
    let mut stream = FaceStream::new(FaceModel::shipped().unwrap());
    speech.chunks(chunk).for_each(|piece| stream.push(piece).unwrap());
    stream.flush().unwrap();
    std::iter::from_fn(|| stream.pull()).collect()
}

fn mouth(jaw: f32, close: f32) -> Weights {
    let mut weights = Weights::NEUTRAL;
    weights.0[JAW_OPEN] = jaw;
    weights.0[MOUTH_CLOSE] = close;
    weights
}

#[test]
fn lips_part_with_the_jaw_and_meet_with_mouth_close() {
    let gap = |jaw, close| lip_gap(&mouth(jaw, close));
    assert!(gap(0.0, 0.0) < f32::EPSILON);
    assert!((gap(1.0, 0.0) - 1.0).abs() < f32::EPSILON);
    assert!((gap(0.6, 0.1) - 0.6).abs() < 1e-6, "a hint of closing leaves an open vowel open");
    assert!(gap(0.6, 0.4) < gap(0.6, 0.2));
    assert!(gap(1.0, 0.8) < f32::EPSILON);
    let mut raised = mouth(0.0, 0.0);
    raised.0[MOUTH_LOWER_DOWN[0]] = 1.0;
    assert!(lip_gap(&raised) > CLOSED_GAP);
}

#[test]
fn a_closure_of_thirty_milliseconds_is_seen_at_every_frame_rate() {
    for fps in [20, 24, 25, 30, 50, 60, 100] {
        for start in 40..80 {
            let mut reducer = FrameReducer::new(fps).unwrap();
            for n in 0..120 {
                reducer.push(if (start..start + 3).contains(&n) { mouth(0.05, 0.9) } else { mouth(0.6, 0.0) });
            }
            reducer.flush();
            let gaps: Vec<f32> = std::iter::from_fn(|| reducer.pull()).map(|w| lip_gap(&w)).collect();
            assert_eq!(gaps.len(), (120 * fps as usize).div_ceil(100), "{fps} fps");
            let shut = gaps.iter().filter(|&&gap| gap < CLOSED_GAP).count();
            assert!(shut >= 1, "{fps} fps lost the closure at {start}");
            assert!(shut <= 2 + fps as usize / 34, "{fps} fps: {shut} frames shut for one short closure");
        }
    }
}

#[test]
fn shapes_that_do_not_close_take_the_mean_of_their_frame() {
    let mut reducer = FrameReducer::new(25).unwrap();
    for n in 0..4_u8 {
        let mut weights = mouth(0.1 * f32::from(n), 0.0);
        weights.0[MOUTH_PUCKER] = 0.2 * f32::from(n);
        reducer.push(weights);
    }
    let frame = reducer.pull().expect("four samples are one frame");
    assert!((frame.0[JAW_OPEN] - 0.15).abs() < 1e-6);
    assert!((frame.0[MOUTH_PUCKER] - 0.3).abs() < 1e-6);
    assert!(reducer.pull().is_none());
}

#[test]
fn frame_rates_beyond_the_predictions_are_refused() {
    assert!(matches!(FrameReducer::new(0), Err(FaceError::FrameRate { fps: 0 })));
    assert_eq!(FrameReducer::new(101).unwrap_err().to_string(), "frame rate 101 is outside 1 to 100");
}

#[test]
fn tract_says_what_onnxruntime_says() {
    let wanted: Vec<f32> = HELLO_WEIGHTS.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    let weights = weights_of(&samples(HELLO), usize::MAX);
    assert_eq!(weights.len() * 2, wanted.len());
    for (n, (wanted, got)) in wanted.chunks(2).zip(&weights).enumerate() {
        for (wanted, got) in wanted.iter().zip([got.0[JAW_OPEN], got.0[MOUTH_CLOSE]]) {
            assert!((wanted - got).abs() < 1e-3, "frame {n}: {got}, onnxruntime says {wanted}");
        }
    }
}

#[test]
fn the_way_speech_is_cut_into_chunks_changes_nothing() {
    let speech = &samples(HELLO)[..20_011];
    let whole = weights_of(speech, usize::MAX);
    assert_eq!(whole.len(), speech.len().div_ceil(160));
    for chunk in [1, 159, 640, 1_000] {
        assert_eq!(weights_of(speech, chunk), whole, "in chunks of {chunk}");
    }
}

#[test]
fn an_answer_comes_as_soon_as_its_look_ahead_and_its_chunk_are_heard() {
    let model = FaceModel::shipped().unwrap();
    let (chunk, delay) = (model.chunk(), model.delay());
    let mut stream = FaceStream::new(model);
    let mut answers = 0;
    for heard in 1..200 {
        stream.push(&[0.0; 160]).unwrap();
        answers += std::iter::from_fn(|| stream.pull()).count();
        let due = (heard / chunk * chunk).saturating_sub(delay);
        assert_eq!(answers, due, "after {heard} blocks of 10 ms");
    }
}

#[test]
fn nothing_beyond_the_look_ahead_is_heard() {
    let speech = samples(WEATHER);
    let whole = weights_of(&speech, usize::MAX);
    for at in [100, 201, 302, 403] {
        // The same speech, cut off right after the look-ahead of this answer, and something else behind.
        let mut other = speech[..at * 160 + LOOK_AHEAD_MS as usize * 16].to_vec();
        other.extend(speech.iter().rev().take(16_000));
        assert_eq!(weights_of(&other, usize::MAX)[at], whole[at], "the answer for {at} heard further");
    }
}

#[test]
fn a_stream_begins_anew_after_flush_and_after_reset() {
    let speech = samples(HELLO);
    let fresh = weights_of(&speech, 640);
    let mut stream = FaceStream::new(FaceModel::shipped().unwrap());
    stream.push(&samples(WEATHER)).unwrap();
    stream.reset();
    for round in ["reset", "flush"] {
        stream.push(&speech).unwrap();
        stream.flush().unwrap();
        let again: Vec<Weights> = std::iter::from_fn(|| stream.pull()).collect();
        assert_eq!(again, fresh, "after {round}");
    }
}

#[test]
fn speech_opens_and_shuts_the_mouth_and_silence_leaves_it_shut() {
    let weights = weights_of(&samples(WEATHER), 640);
    let gaps: Vec<f32> = weights.iter().map(lip_gap).collect();
    assert!(gaps.iter().any(|&gap| gap > 0.4), "it never opens");
    // "Good morning. By midday most of the bay ... big patch ... moves up ... before supper. Please pack an umbrella."
    let closures = gaps.windows(2).filter(|pair| pair[0] >= CLOSED_GAP && pair[1] < CLOSED_GAP).count();
    assert!(closures >= 12, "only {closures} closures");
    let silence = weights_of(&vec![0.0; 64_000], 640);
    for (n, weights) in silence.iter().enumerate().skip(10) {
        assert!(lip_gap(weights) < CLOSED_GAP && weights.0[JAW_OPEN] < 0.05, "frame {n} of silence is {weights:?}");
    }
    let mut reducer = FrameReducer::new(25).unwrap();
    silence.into_iter().for_each(|weights| reducer.push(weights));
    let frames: Vec<Weights> = std::iter::from_fn(|| reducer.pull()).collect();
    for pair in frames[25..95].windows(2) {
        let still = pair[0].0.iter().zip(&pair[1].0).all(|(a, b)| (a - b).abs() < 5e-3);
        assert!(still, "it fidgets: {pair:?}");
    }
}

#[test]
fn ten_minutes_of_speech_end_as_they_began() {
    let speech = samples(WEATHER);
    let mut stream = FaceStream::new(FaceModel::shipped().unwrap());
    let mut rounds = Vec::new();
    for _ in 0..64 {
        stream.push(&speech).unwrap();
        rounds.push(std::iter::from_fn(|| stream.pull()).map(|w| f64::from(w.0[JAW_OPEN])).sum::<f64>());
    }
    let (second, last) = (rounds[1], rounds[63]);
    assert!((second - last).abs() < 0.02 * second, "jaw opening drifted from {second} to {last}");
}

#[test]
fn hostile_files_are_refused_with_what_is_wrong() {
    let refusal = |bytes: &[u8]| FaceModel::from_onnx(bytes).unwrap_err();
    assert!(matches!(refusal(&vec![0; model::MODEL_BYTES_MAX + 1]), FaceError::TooLarge { .. }));
    assert!(matches!(refusal(b""), FaceError::Unreadable(_)));
    assert!(matches!(refusal(b"RIFF not a model"), FaceError::Unreadable(_)));
    assert!(matches!(refusal(&SHIPPED[..SHIPPED.len() / 2]), FaceError::Unreadable(_)));
    let error = refusal(&replaced(SHIPPED, b"Sigmoid", b"Hardmax"));
    assert_eq!(
        error.to_string(),
        "face model uses the operator Hardmax, which is not among those a face model may use"
    );
    let error = refusal(&replaced(SHIPPED, b"jawOpen", b"jawOqen")).to_string();
    assert!(error.contains("footlight.channels") && error.contains("jawOqen"), "{error}");
}

#[test]
fn damaged_files_never_panic() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("below a usize")
    };
    for _ in 0..60 {
        let mut bytes = SHIPPED.to_vec();
        // The graph's description is at both ends of the file; the weights between them hold no structure.
        for _ in 0..3 {
            let at = random(3_000);
            let at = if random(2) == 0 { at } else { bytes.len() - 1 - at };
            bytes[at] ^= 1 << random(8);
        }
        let _ = FaceModel::from_onnx(&bytes);
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let found: Vec<usize> =
        bytes.windows(from.len()).enumerate().filter(|(_, w)| *w == from).map(|(at, _)| at).collect();
    assert!(!found.is_empty(), "the file no longer holds what this test replaces");
    for at in found {
        out[at..at + to.len()].copy_from_slice(to);
    }
    out
}
