//! The queue by itself: no sample is lost or said twice, and a face does not notice a pause.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use footlight_avatar::Weights;
use footlight_avatar::face::FaceModel;
use footlight_session::UtteranceId;
use uuid::Uuid;

use super::{Cue, SpeechQueue};
use crate::bounds::AudioBounds;
use crate::live::LiveFeed;
use crate::performance::Shared;
use crate::voice::Voice;
use crate::worker::PerformerKey;
use crate::{StageError, Utterance, ear};

const HELLO: &[u8] = include_bytes!("../../../../tests/speech/hello.wav");
const FPS: u32 = 25;
const FRAME: usize = 1_920;

fn hello() -> Arc<[i16]> {
    ear::decode(HELLO.into(), None, 60).expect("shipped speech is audio")
}

fn queue() -> (SpeechQueue, Arc<Shared>) {
    let errands = crossbeam_channel::unbounded().0;
    let shared = Arc::new(Shared::new(
        PerformerKey(0),
        errands,
        AudioBounds::of_tests(),
        Instant::now(),
        crate::Tenure::forever(),
    ));
    (SpeechQueue::new(Arc::clone(&shared), FRAME), shared)
}

fn append(queue: &mut SpeechQueue, shared: &Shared, audio: &Arc<[i16]>) {
    shared.enter().expect("there is room");
    let mut claim = shared.bounds.claim();
    shared.reserve(audio.len() as u64, &mut claim).expect("there is room");
    queue.append(Utterance { id: UtteranceId(Uuid::now_v7()), audio: Arc::clone(audio) }, claim);
}

fn voice() -> Result<Option<Voice>, StageError> {
    Voice::new(FaceModel::shipped()?, FPS, false).map(Some)
}

/// Speaks until nothing is ready; `before_frame` may disturb it.
fn speak_all(
    queue: &mut SpeechQueue,
    mut before_frame: impl FnMut(usize, &mut SpeechQueue),
) -> (Vec<i16>, Vec<Weights>) {
    let (mut pcm, mut weights) = (Vec::new(), Vec::new());
    loop {
        before_frame(weights.len(), queue);
        if queue.look(voice).expect("the shipped model runs") != Cue::Ready {
            return (pcm, weights);
        }
        weights.push(queue.weights());
        queue.sound(&mut pcm);
        queue.spoke();
    }
}

#[test]
fn a_held_position_goes_on_at_the_next_sample_with_the_same_face() {
    let audio = hello();
    let (mut queue, shared) = queue();
    append(&mut queue, &shared, &audio);
    let (pcm, weights) = speak_all(&mut queue, |_, _| {});
    assert_eq!(weights.len(), audio.len().div_ceil(FRAME));
    assert_eq!(&pcm[..audio.len()], &audio[..]);
    assert!(pcm[audio.len()..].iter().all(|&sample| sample == 0), "the last frame is padded with silence");

    append(&mut queue, &shared, &audio);
    let held = speak_all(&mut queue, |frame, queue| {
        if frame % 10 == 3 {
            for _ in 0..7 {
                queue.look(voice).expect("the shipped model runs");
            }
        }
    });
    assert!(held == (pcm, weights), "looking without speaking changes nothing");
    assert_eq!(shared.queued.load(Ordering::Relaxed), 0);
}

#[test]
fn after_nobody_watched_the_face_is_nearly_as_if_somebody_had() {
    let audio = hello();
    let (mut queue, shared) = queue();
    append(&mut queue, &shared, &audio);
    let (pcm, weights) = speak_all(&mut queue, |_, _| {});
    append(&mut queue, &shared, &audio);
    let (pcm_again, weights_again) = speak_all(&mut queue, |frame, queue| {
        if frame % 20 == 19 {
            queue.rest();
        }
    });
    assert!(pcm_again == pcm);
    let differences = weights
        .iter()
        .zip(&weights_again)
        .map(|(a, b)| a.0.iter().zip(b.0).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max));
    let worst = differences.fold(0.0, f32::max);
    assert!(worst < 0.15, "half a second of warming up brings the model back: {worst}");
}

#[test]
fn live_sound_gives_the_same_face_as_a_file() {
    let audio = hello();
    let (mut queue, shared) = queue();
    append(&mut queue, &shared, &audio);
    let (pcm, weights) = speak_all(&mut queue, |_, _| {});

    let (feed, buffer) = LiveFeed::new(UtteranceId(Uuid::now_v7()), Arc::clone(&shared));
    shared.enter().expect("there is room");
    queue.append_live(feed.utterance(), buffer);
    let (mut live_pcm, mut live_weights) = (Vec::new(), Vec::new());
    for chunk in audio.chunks(700) {
        feed.push(chunk).expect("there is room");
        let (more_pcm, more_weights) = speak_all(&mut queue, |_, _| {});
        live_pcm.extend(more_pcm);
        live_weights.extend(more_weights);
    }
    assert!(live_pcm.len() < pcm.len(), "the look-ahead waits for what follows");
    feed.end();
    let (more_pcm, more_weights) = speak_all(&mut queue, |_, _| {});
    live_pcm.extend(more_pcm);
    live_weights.extend(more_weights);
    assert!(live_pcm == pcm);
    assert!(live_weights == weights);
    assert_eq!(shared.queued.load(Ordering::Relaxed), 0, "what was spoken gave its room back");
}

#[test]
fn what_is_cut_gives_its_room_back() {
    let audio = hello();
    let (mut queue, shared) = queue();
    append(&mut queue, &shared, &audio);
    append(&mut queue, &shared, &audio);
    let (feed, buffer) = LiveFeed::new(UtteranceId(Uuid::now_v7()), Arc::clone(&shared));
    shared.enter().expect("there is room");
    queue.append_live(feed.utterance(), buffer);
    feed.push(&audio).expect("there is room");
    for _ in 0..5 {
        assert_eq!(queue.look(voice).expect("the shipped model runs"), Cue::Ready);
        queue.spoke();
    }
    let cuts = queue.clear();
    let positions: Vec<u64> = cuts.iter().map(|cut| cut.position_ms).collect();
    assert_eq!(positions, [200, 0, 0]);
    assert_eq!(shared.queued.load(Ordering::Relaxed), 0);
    assert!(matches!(feed.push(&audio), Err(StageError::UtteranceOver)));
}
