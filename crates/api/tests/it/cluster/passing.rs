//! Calls about sessions of the other node.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::pair::pair;
use crate::harness::{answer, wav};
use crate::stream::{active_frames, connect, connect_by_token, speak};

#[actix_web::test]
async fn any_node_answers_for_a_session_as_its_own_node_does() {
    let pair = pair().await;
    let (near, far) = (&pair.near, &pair.far);
    let customer = far.customer("10").await;
    let id = far.create(&customer, json!({"metadata": {"a": "b"}})).await;
    let path = format!("/v1/sessions/{id}");
    let shown = near.wait_for(&customer, &id, |it| it["state"] == "idle").await;
    assert_eq!((&shown["node"], &shown["metadata"]["a"]), (&json!("far"), &json!("b")));

    let traced = near.request(&customer, Method::GET, &path).header("x-request-id", "mine-1").send().await;
    assert_eq!(traced.expect("an answer").headers()["x-request-id"], "mine-1");
    assert_eq!(near.call(&customer, Method::POST, &format!("{path}/pause")).await.json()["state"], "paused");
    assert_eq!(far.call(&customer, Method::GET, &path).await.json()["pause_reasons"], json!(["by_request"]));
    assert_eq!(near.call(&customer, Method::POST, &format!("{path}/resume")).await.json()["state"], "idle");

    let stranger = far.customer("1").await;
    near.call(&stranger, Method::GET, &path).await.problem(404, "unknown_session");
    let nobody = answer(near.http.get(format!("{}{path}", near.public)).header("api-secret", "fl_live_x")).await;
    nobody.problem(401, "api_secret_invalid");
    near.call(&customer, Method::POST, &path).await.problem(405, "method_not_allowed");
    let unknown = "/v1/sessions/ses_0193b5f2a7c87d1e8f3a9b2c4d5e6f70";
    near.call(&customer, Method::GET, unknown).await.problem(404, "unknown_session");

    let stopped = near.call(&customer, Method::DELETE, &path).await.json();
    assert_eq!(stopped["end_reason"], "stopped");
    assert_eq!(near.call(&customer, Method::GET, &path).await.json()["end_reason"], "stopped");
    assert!(pair.passed("answered") > 5);
    assert_eq!((pair.passed("unreachable"), pair.passed("no_owner")), (0, 0));
}

#[actix_web::test]
async fn uploads_stream_through_under_the_limits_of_the_session_s_node() {
    let pair = pair().await;
    let customer = pair.far.customer("10").await;
    let id = pair.far.create(&customer, json!({})).await;
    let path = format!("/v1/sessions/{id}/audio");
    // A second of it is short enough to be sent at once; a minute is not.
    for (seconds, named) in [(1_u32, false), (60, true)] {
        let upload = wav(f64::from(seconds), 16_000);
        let mut request = pair.near.request(&customer, Method::POST, &path).body(upload.clone());
        if named {
            request = request.header("idempotency-key", "once");
        }
        let accepted = answer(request).await;
        assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.text);
        assert_eq!(accepted.json()["duration_ms"], json!(seconds * 1000));
        if named {
            let request = pair.far.request(&customer, Method::POST, &path).header("idempotency-key", "once");
            let again = answer(request.body(upload)).await;
            assert_eq!(again.header("idempotent-replayed"), "true");
            assert_eq!(again.text, accepted.text);
        }
    }
    // Without an announced length.
    let pieces = futures_util::stream::iter(wav(60.0, 16_000).chunks(10_000).map(<[u8]>::to_vec).collect::<Vec<_>>());
    let body = reqwest::Body::wrap_stream(pieces.map(Ok::<_, std::io::Error>));
    let accepted = answer(pair.near.request(&customer, Method::POST, &path).body(body)).await;
    assert_eq!(accepted.json()["duration_ms"], 60_000, "{}", accepted.text);
    // What is no audio is refused by the far node, in its words.
    let refused = answer(pair.near.request(&customer, Method::POST, &path).body(vec![7; 300_000])).await;
    refused.problem(415, "audio_unsupported");
    // And what is not the customer's is refused before it is read.
    let stranger = pair.far.customer("1").await;
    let upload = pair.near.request(&stranger, Method::POST, &path).body(wav(60.0, 16_000));
    answer(upload).await.problem(404, "unknown_session");
}

#[actix_web::test]
async fn events_come_as_they_happen_and_end_with_the_session() {
    let pair = pair().await;
    let customer = pair.far.customer("10").await;
    let id = pair.far.create(&customer, json!({})).await;
    let path = format!("/v1/sessions/{id}/events");
    let response = pair.near.request(&customer, Method::GET, &path).send().await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut pieces = response.bytes_stream();
    let mut read = String::new();
    let mut until = async |word: &str| {
        let started = Instant::now();
        while !read.contains(word) {
            let piece = tokio::time::timeout(Duration::from_secs(5), pieces.next()).await.expect("an event");
            let Some(piece) = piece else { panic!("it ended at {read}") };
            read.push_str(std::str::from_utf8(&piece.expect("no break")).expect("text"));
        }
        read.clear();
        started.elapsed()
    };
    until("\"state\":\"idle\"").await;
    pair.near.call(&customer, Method::POST, &format!("/v1/sessions/{id}/pause")).await;
    assert!(until("by_request").await < Duration::from_secs(1), "nothing gathers events");
    pair.near.call(&customer, Method::DELETE, &format!("/v1/sessions/{id}")).await;
    until("\"end_reason\":\"stopped\"").await;
    let end = tokio::time::timeout(Duration::from_secs(5), pieces.next()).await.expect("the end");
    assert!(end.is_none(), "{end:?}");
}

#[actix_web::test]
async fn a_websocket_carries_media_both_ways() {
    let pair = pair().await;
    let customer = pair.far.customer("10").await;
    let id = pair.far.create(&customer, json!({"fps": 50})).await;
    let mut viewer = connect(&pair.near, &customer, &id, "?rate=16000").await;
    let utterance = speak(&pair.near, &customer, &id, 1.0).await;
    let (ended, media) = viewer.text(|text| text["type"] == "utterance_ended").await;
    assert_eq!((&ended["utterance_id"], &ended["interrupted"]), (&utterance, &json!(false)));
    assert_eq!(active_frames(&media), 50);
    // Live, and commands with their answers.
    viewer.say(r#"{"type":"audio_begin","id":"1"}"#).await;
    let samples: Vec<u8> = (0..16_000_u32).flat_map(|n| ((n % 100 * 40) as i16).to_le_bytes()).collect();
    for piece in samples.chunks(640) {
        viewer.play(piece.to_vec()).await;
    }
    viewer.say(r#"{"type":"audio_end","id":"2"}"#).await;
    let (_, media) = viewer.text(|text| text["type"] == "utterance_ended").await;
    assert!((48..=52).contains(&active_frames(&media)), "{}", active_frames(&media));
    // Closing is answered as soon as it is by the node itself.
    let mut direct = connect(&pair.far, &customer, &id, "").await;
    let mut took = Vec::new();
    for socket in [&mut viewer.0, &mut direct.0] {
        let closing = Instant::now();
        socket.close(None).await.expect("it is open");
        while let Some(Ok(_)) = socket.next().await {}
        took.push(closing.elapsed());
    }
    assert!(took[0] < took[1] + Duration::from_millis(300), "{took:?}");
}

#[actix_web::test]
async fn browsers_come_with_tokens_and_subprotocols_through_any_node() {
    let pair = pair().await;
    let customer = pair.far.customer("10").await;
    let id = pair.far.create(&customer, json!({})).await;
    let made = pair.near.request(&customer, Method::POST, &format!("/v1/sessions/{id}/client-tokens")).json(&json!({}));
    let token = answer(made).await.json()["token"].as_str().expect("a token").to_owned();
    connect_by_token(&pair.near, &token, &id).await.text(|text| text["type"] == "state").await;
    let url = format!("{}/v1/sessions/{id}/stream", pair.near.public.replacen("http", "ws", 1));
    let mut request = url.into_client_request().expect("a URL");
    let offered = format!("footlight, footlight.token.{token}").parse().expect("header text");
    request.headers_mut().insert("sec-websocket-protocol", offered);
    let (mut socket, response) = tokio_tungstenite::connect_async(request).await.expect("an open WebSocket");
    assert_eq!(response.headers()["sec-websocket-protocol"], "footlight");
    socket.send(Message::text(r#"{"type":"pause"}"#)).await.expect("it is open");
    let refused = loop {
        let Some(Ok(message)) = socket.next().await else { panic!("no answer") };
        let Message::Text(text) = message else { continue };
        let text: Value = serde_json::from_str(&text).expect("JSON");
        if text["type"] == "problem" {
            break text;
        }
    };
    assert_eq!(refused["problem"]["code"], "token_not_enough", "{refused}");
    // What is no upgrade is told so by the far node.
    pair.near
        .call(&customer, Method::GET, &format!("/v1/sessions/{id}/stream"))
        .await
        .problem(426, "websocket_expected");
}

#[actix_web::test]
async fn lists_of_any_node_show_sessions_as_their_nodes_have_them() {
    let pair = pair().await;
    let customer = pair.far.customer("10").await;
    let id = pair.far.create(&customer, json!({"fps": 50, "when_unwatched": "wait"})).await;
    let mut viewer = connect(&pair.far, &customer, &id, "").await;
    speak(&pair.far, &customer, &id, 20.0).await;
    pair.far.wait_for(&customer, &id, |it| it["frames"].as_u64() > Some(20)).await;
    let of = async |path: &str| {
        let listed = if path.starts_with("/admin") {
            pair.near.operate(Method::GET, path, json!({})).await
        } else {
            pair.near.call(&customer, Method::GET, path).await
        };
        listed.json()["data"][0].clone()
    };
    let (listed, all) = (of("/v1/sessions").await, of("/admin/v1/sessions").await);
    assert_eq!((&listed["state"], &listed["node"]), (&json!("running"), &json!("far")));
    assert!(listed["frames"].as_u64() > Some(20), "{listed}");
    assert!(all["frames"].as_u64() >= listed["frames"].as_u64(), "{all}");
    pair.cable.cut();
    assert_eq!(of("/v1/sessions").await["id"], json!(id), "the directory still knows it");
    viewer.0.close(None).await.expect("it is open");
}

#[actix_web::test]
async fn operators_reach_any_session_and_are_in_the_log_once() {
    let pair = pair().await;
    let customer = pair.far.customer("10").await;
    let id = pair.far.create(&customer, json!({})).await;
    let path = format!("/admin/v1/sessions/{id}");
    let shown = pair.near.operate(Method::GET, &path, json!({})).await.json();
    assert_eq!((&shown["account"], &shown["node"]), (&json!(customer.id), &json!("far")));
    let stopped = pair.near.operate(Method::DELETE, &path, json!({})).await.json();
    assert_eq!(stopped["end_reason"], "stopped");
    let log = pair.far.operate(Method::GET, "/admin/v1/log", json!({})).await.json();
    let lines: Vec<_> = log["data"].as_array().expect("lines").iter().filter(|it| it["path"] == path).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert_eq!((&lines[0]["operator"], &lines[0]["status"]), (&json!("admin"), &json!(200)));
}

#[actix_web::test]
async fn engines_elsewhere_report_to_any_node_and_are_held_by_the_one_that_has_them_in_hand() {
    let pair = pair().await;
    let customer = pair.far.customer("10").await;
    let created =
        pair.far.request(&customer, Method::POST, "/v1/sessions").json(&json!({"product": "essence_self_hosted"}));
    let id = answer(created).await.json()["id"].as_str().expect("an id").to_owned();
    let report = async |number: u64, units: u64| {
        let body = json!({"epoch": 1, "request_number": number, "units": units, "ask": "slice"});
        let path = format!("/v1/sessions/{id}/heartbeats");
        answer(pair.near.request(&customer, Method::POST, &path).json(&body)).await
    };
    let first = report(1, 0).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    pair.near.call(&customer, Method::POST, &format!("/v1/sessions/{id}/pause")).await;
    let held = report(2, 10).await.json();
    assert_eq!(held["pause_reasons"], json!(["by_request"]), "{held}");
    // Its node is gone: whoever hears the next report takes the session in hand, as it was held.
    pair.cable.cut();
    let held = report(3, 10).await;
    assert_eq!(held.json()["pause_reasons"], json!(["by_request"]), "{}", held.text);
    pair.peers.remove(pair.far.node.boot());
    let resumed = pair.near.call(&customer, Method::POST, &format!("/v1/sessions/{id}/resume")).await;
    assert_eq!(resumed.json()["state"], "idle", "{}", resumed.text);
}
