//! The WebSocket and the event stream.

use std::time::{Duration, Instant};

use footlight_media::wire::{MediaFlags, MediaHeader, MediaKind};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::harness::{Customer, Served, answer, serve, serve_with, wav};

const PATIENCE: Duration = Duration::from_secs(10);

/// One end of a WebSocket.
pub(crate) struct Viewer(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What a viewer was sent.
#[derive(Debug)]
pub(crate) enum Sent {
    Media(MediaHeader),
    Text(Value),
    Closed(String),
}

pub(crate) async fn connect(served: &Served, customer: &Customer, session: &str, query: &str) -> Viewer {
    try_connect(served, customer, session, query).await.expect("an open WebSocket")
}

/// A viewer with a client token in the place of the account's secret.
pub(crate) async fn connect_by_token(served: &Served, token: &str, session: &str) -> Viewer {
    let url = format!("{}/v1/sessions/{session}/stream?token={token}", served.public.replacen("http", "ws", 1));
    Viewer(tokio_tungstenite::connect_async(url).await.expect("an open WebSocket").0)
}

async fn try_connect(served: &Served, customer: &Customer, session: &str, query: &str) -> Result<Viewer, Error> {
    let url = format!("{}/v1/sessions/{session}/stream{query}", served.public.replacen("http", "ws", 1));
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("api-secret", customer.secret.parse().expect("header text"));
    Ok(Viewer(tokio_tungstenite::connect_async(request).await?.0))
}

impl Viewer {
    /// The next thing but pings.
    pub(crate) async fn next(&mut self) -> Sent {
        loop {
            match tokio::time::timeout(PATIENCE, self.0.next()).await.expect("something is sent") {
                Some(Ok(Message::Binary(bytes))) => {
                    return Sent::Media(MediaHeader::decode(&bytes).expect("a header").0);
                }
                Some(Ok(Message::Text(text))) => return Sent::Text(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(frame))) => {
                    return Sent::Closed(frame.map(|frame| frame.reason.to_string()).unwrap_or_default());
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Sent::Closed("the connection is gone".to_owned()),
            }
        }
    }

    /// The next text that `wanted` likes, and the media before it.
    pub(crate) async fn text(&mut self, wanted: impl Fn(&Value) -> bool) -> (Value, Vec<MediaHeader>) {
        let (mut media, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        loop {
            assert!(Instant::now() < deadline, "the text did not come");
            match self.next().await {
                Sent::Media(header) => media.push(header),
                Sent::Text(text) if wanted(&text) => return (text, media),
                Sent::Text(_) => {}
                Sent::Closed(reason) => panic!("closed: {reason}"),
            }
        }
    }

    /// Reads on until it is closed, and answers with which code.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        loop {
            match self.0.next().await? {
                Ok(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.expect("the connection is open");
    }

    pub(crate) async fn play(&mut self, samples: Vec<u8>) {
        self.0.send(Message::binary(samples)).await.expect("the connection is open");
    }
}

pub(crate) fn active_frames(media: &[MediaHeader]) -> usize {
    media.iter().filter(|unit| unit.kind == MediaKind::Video && !unit.flags.contains(MediaFlags::IDLE)).count()
}

pub(crate) async fn speak(served: &Served, customer: &Customer, session: &str, seconds: f64) -> Value {
    let request = served.request(customer, Method::POST, &format!("/v1/sessions/{session}/audio"));
    let accepted = answer(request.body(wav(seconds, 16_000))).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.text);
    accepted.json()["utterance_id"].clone()
}

#[actix_web::test]
async fn an_utterance_comes_as_exactly_its_frames_and_then_its_end() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({ "fps": 50 })).await;
    let mut viewer = connect(&served, &customer, &id, "").await;
    let (first, _) = viewer.text(|_| true).await;
    assert_eq!((&first["type"], first["sequence"].is_u64()), (&json!("state"), true), "{first}");
    let utterance = speak(&served, &customer, &id, 1.0).await;
    let (ended, media) = viewer.text(|text| text["type"] == "utterance_ended").await;
    assert_eq!(
        (&ended["utterance_id"], &ended["position_ms"], &ended["interrupted"]),
        (&utterance, &json!(1000), &json!(false))
    );
    assert_eq!(active_frames(&media), 50, "the end does not overtake the last frame");

    for kind in [MediaKind::Video, MediaKind::Audio] {
        let of_kind: Vec<_> = media.iter().filter(|unit| unit.kind == kind).collect();
        assert!(of_kind[0].flags.contains(MediaFlags::KEY_FRAME), "decoding can start at the first unit");
        for pair in of_kind.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence + 1);
            assert_eq!(pair[1].pts_us, pair[0].pts_us + u64::from(pair[0].duration_us), "{pair:?}");
        }
    }
    let stopped = served.call(&customer, Method::DELETE, &format!("/v1/sessions/{id}")).await;
    assert_eq!(stopped.status, StatusCode::OK);
    let (over, _) = viewer.text(|text| text["type"] == "ended").await;
    assert_eq!(over["end_reason"], "stopped");
    let Sent::Closed(reason) = viewer.next().await else { panic!("nothing follows the end") };
    assert_eq!(reason, "the session is over: stopped");
}

#[actix_web::test]
async fn streamed_samples_are_spoken_and_commands_are_answered() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({})).await;
    let mut viewer = connect(&served, &customer, &id, "?rate=8000").await;
    viewer.say(r#"{"type":"ping","id":"7"}"#).await;
    let (done, _) = viewer.text(|text| text["type"] == "done").await;
    assert_eq!(done, json!({ "type": "done", "command": "ping", "id": "7" }));

    // A second of 8 kHz, cut in the middle of samples.
    let samples: Vec<u8> = wav(1.0, 8_000).split_off(44);
    for piece in samples.chunks(1_601) {
        viewer.play(piece.to_vec()).await;
    }
    viewer.say(r#"{"type":"audio_end"}"#).await;
    let (queued, _) = viewer.text(|text| text["type"] == "utterance_queued").await;
    let (ended, _) = viewer.text(|text| text["type"] == "utterance_ended").await;
    assert_eq!(ended["utterance_id"], queued["utterance_id"]);
    assert_eq!(ended["position_ms"], json!(1000), "{ended}");

    // The next samples are another utterance, in another format, and it is cut off.
    viewer.say(r#"{"type":"audio_begin","rate":48000,"channels":2}"#).await;
    viewer.play(vec![0; 192_000 * 5]).await;
    let (started, _) = viewer.text(|text| text["type"] == "utterance_started").await;
    viewer.say(r#"{"type":"interrupt","id":"cut"}"#).await;
    let (cut, _) = viewer.text(|text| text["type"] == "done" && text["command"] == "interrupt").await;
    assert_eq!((&cut["id"], &cut["utterance_id"]), (&json!("cut"), &started["utterance_id"]), "{cut}");
    let generation = cut["generation"].as_u64().expect("a generation");
    for _ in 0..20 {
        if let Sent::Media(header) = viewer.next().await {
            assert_eq!(u64::from(header.generation), generation, "nothing older follows the answer");
        }
    }

    for (command, state) in [("pause", "paused"), ("resume", "idle")] {
        viewer.say(&format!(r#"{{"type":"{command}"}}"#)).await;
        served.wait_for(&customer, &id, |session| session["state"] == state).await;
    }
    for nonsense in ["nonsense", "{}", r#"{"type":"sing"}"#, r#"{"type":"audio_begin","rate":1}"#] {
        viewer.say(nonsense).await;
        let (problem, _) = viewer.text(|text| text["type"] == "problem").await;
        assert!(problem["problem"]["detail"].is_string(), "{nonsense}: {problem}");
    }
    viewer.say(r#"{"type":"stop"}"#).await;
    let (over, _) = viewer.text(|text| text["type"] == "ended").await;
    assert_eq!(over["end_reason"], "stopped");
}

#[actix_web::test]
async fn a_client_changes_its_format_a_few_times_a_second_and_to_usual_rates() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({})).await;
    let mut viewer = connect(&served, &customer, &id, "?media=none&rate=11025").await;
    viewer.say(r#"{"type":"audio_begin","rate":191999,"id":"odd"}"#).await;
    let (refused, _) = viewer.text(|text| text["id"] == "odd").await;
    assert_eq!(refused["problem"]["code"], "audio_unsupported", "{refused}");
    assert!(refused["problem"]["detail"].as_str().is_some_and(|detail| detail.contains("191999")), "{refused}");

    // It may begin as often as it likes in the format that it has.
    let mut changes = 0;
    for (number, rate) in [11_025; 20].into_iter().chain((0..40).map(|n| 16_000 + 100 * n)).enumerate() {
        let number = number.to_string();
        viewer.say(&format!(r#"{{"type":"audio_begin","rate":{rate},"id":"{number}"}}"#)).await;
        let (told, _) = viewer.text(|text| text["id"] == number).await;
        match (rate, told["problem"]["code"].as_str()) {
            (11_025, code) => assert_eq!(code, None, "{told}"),
            (_, None) => changes += 1,
            (_, code) => assert_eq!(code, Some("too_many_commands"), "{told}"),
        }
    }
    assert!((1..40).contains(&changes), "{changes} changes were made");
    viewer.play(vec![0; 32_000]).await;
    viewer.text(|text| text["type"] == "utterance_queued").await;

    // Nothing is made for who has no such session.
    let stranger = served.customer("10").await;
    let stream = format!("/v1/sessions/{id}/stream?rate=1");
    served.call(&stranger, Method::GET, &stream).await.problem(404, "unknown_session");
}

#[actix_web::test]
async fn a_client_gets_the_media_it_asks_for() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({})).await;
    for (query, wanted) in
        [("?media=video&events=false", MediaKind::Video), ("?media=audio&events=false", MediaKind::Audio)]
    {
        let mut viewer = connect(&served, &customer, &id, query).await;
        for _ in 0..10 {
            match viewer.next().await {
                Sent::Media(header) => assert_eq!(header.kind, wanted),
                other => panic!("{query}: {other:?}"),
            }
        }
    }
    // Nobody watches now: speech waits, and a client without media changes nothing about that.
    let mut listener = connect(&served, &customer, &id, "?media=none").await;
    speak(&served, &customer, &id, 0.2).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(served.wait_for(&customer, &id, |_| true).await["frames"], json!(0));
    let _viewer = connect(&served, &customer, &id, "").await;
    let (_, media) = listener.text(|text| text["type"] == "utterance_ended").await;
    assert_eq!(media.len(), 0);
    assert_eq!(served.wait_for(&customer, &id, |session| session["frames"] == 5).await["frames"], json!(5));
}

#[actix_web::test]
async fn a_recording_is_the_speech_without_gaps() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({})).await;
    let mut viewer = connect(&served, &customer, &id, "?recording=true").await;
    for _ in 0..2 {
        speak(&served, &customer, &id, 0.4).await;
        let (_, media) = viewer.text(|text| text["type"] == "utterance_ended").await;
        assert_eq!(active_frames(&media), media.iter().filter(|unit| unit.kind == MediaKind::Video).count());
        assert_eq!(active_frames(&media), 10);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[actix_web::test]
async fn a_session_takes_only_so_many_followers() {
    let served = serve_with(|options| options.max_streams_per_session = 2).await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({})).await;
    let first = connect(&served, &customer, &id, "").await;
    let _second = connect(&served, &customer, &id, "").await;
    let refused = try_connect(&served, &customer, &id, "").await;
    assert!(matches!(&refused, Err(Error::Http(response)) if response.status() == 429));
    served.call(&customer, Method::GET, &format!("/v1/sessions/{id}/events")).await.problem(429, "too_many_streams");
    // Who has nothing to do with the session does not learn from this that there is one.
    let stranger = served.customer("10").await;
    let refused = try_connect(&served, &stranger, &id, "").await;
    assert!(matches!(&refused, Err(Error::Http(response)) if response.status() == 404));
    served.call(&stranger, Method::GET, &format!("/v1/sessions/{id}/events")).await.problem(404, "unknown_session");
    drop(first);
    let deadline = Instant::now() + PATIENCE;
    while try_connect(&served, &customer, &id, "").await.is_err() {
        assert!(Instant::now() < deadline, "the place stays taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[actix_web::test]
async fn without_an_upgrade_the_path_says_what_it_speaks() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({})).await;
    let stream = format!("/v1/sessions/{id}/stream");
    served.call(&customer, Method::GET, &stream).await.problem(426, "websocket_expected");
    served.call(&customer, Method::GET, &format!("{stream}?media=smell")).await.problem(400, "invalid_query");
    served.call(&customer, Method::GET, &format!("{stream}?rate=1")).await.problem(415, "audio_unsupported");
    let stopped = served.call(&customer, Method::DELETE, &format!("/v1/sessions/{id}")).await;
    assert_eq!(stopped.status, StatusCode::OK);
    let over = try_connect(&served, &customer, &id, "").await;
    assert!(matches!(&over, Err(Error::Http(response)) if response.status() == 409), "a session that is over");
}

#[actix_web::test]
async fn a_client_that_reads_nothing_is_let_go_and_holds_nobody_up() {
    let served = serve_with(|options| options.ping_interval_s = 1).await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({})).await;
    let mut reader = connect(&served, &customer, &id, "").await;
    let silent = connect(&served, &customer, &id, "").await;
    speak(&served, &customer, &id, 1.0).await;
    let (_, media) = reader.text(|text| text["type"] == "utterance_ended").await;
    assert_eq!(active_frames(&media), 25, "the reader gets everything");
    // The silent one answers no ping; the reader's client answers them while it reads.
    let patience = Instant::now() + Duration::from_secs(4);
    while Instant::now() < patience {
        assert!(!matches!(reader.next().await, Sent::Closed(_)), "who reads stays");
    }
    let mut silent = silent;
    let closed = loop {
        match silent.next().await {
            Sent::Closed(reason) => break reason,
            Sent::Media(_) | Sent::Text(_) => {}
        }
    };
    assert!(closed.contains("nothing was heard") || closed.contains("gone"), "{closed}");
    speak(&served, &customer, &id, 0.4).await;
    let (_, media) = reader.text(|text| text["type"] == "utterance_ended").await;
    assert_eq!(active_frames(&media), 10);
}

#[actix_web::test]
async fn events_begin_with_the_present_state_and_end_with_the_session() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({})).await;
    served.wait_for(&customer, &id, |session| session["state"] == "idle").await;
    let paused = served.call(&customer, Method::POST, &format!("/v1/sessions/{id}/pause")).await;
    assert_eq!(paused.json()["pause_reasons"], json!(["by_request"]), "{}", paused.text);
    let events = served.request(&customer, Method::GET, &format!("/v1/sessions/{id}/events"));
    let events = events.send().await.expect("events");
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let stop = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        served.call(&customer, Method::DELETE, &format!("/v1/sessions/{id}")).await
    };
    let (text, _) = tokio::join!(async { events.text().await.expect("they end") }, stop);
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!((names.first(), names.last()), (Some(&"state"), Some(&"ended")), "{text}");
    let first = text.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
    let first: Value = serde_json::from_str(first).expect("JSON");
    assert_eq!((&first["state"], &first["pause_reasons"]), (&json!("paused"), &json!(["by_request"])));
}
