//! Gestures, by a call and over the WebSocket.

use std::time::Duration;

use footlight_avatar::bundle::parts::Axis;
use footlight_avatar::bundle::{Catalogue, Channel, Gesture, Key, shipped};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Answer, Customer, Served, answer, serve_showing};
use crate::stream::{connect, connect_by_token};

/// A node that shows `gestura`: the clapper, which can nod and listen.
async fn serve() -> Served {
    let gesture = |name: &str, hold_at_ms| Gesture {
        name: name.to_owned(),
        duration_ms: 900,
        hold_at_ms,
        channels: vec![Channel {
            axis: Axis::Pitch,
            keys: [(0, 0.0), (400, -0.1), (900, 0.0)].map(|(at_ms, value)| Key { at_ms, value }).to_vec(),
        }],
    };
    let mut bundle = shipped("clapper").expect("it ships");
    bundle.manifest.name = "gestura".to_owned();
    bundle.gestures = vec![gesture("nod", None), gesture("listen", Some(400))];
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gestura.zip");
    std::fs::write(&file, bundle.to_bytes().expect("it can be packed")).expect("room");
    let mut avatars = Catalogue::default();
    avatars.add_file(&file).expect("it is good");
    let served = serve_showing(avatars, |_| {}).await;
    // Loaded while the file is there.
    let customer = served.customer("1").await;
    served.create(&customer, json!({"avatar": "gestura"})).await;
    served
}

async fn ask(served: &Served, customer: &Customer, session: &str, body: Value) -> Answer {
    answer(served.request(customer, Method::POST, &format!("/v1/sessions/{session}/gestures")).json(&body)).await
}

#[actix_web::test]
async fn a_gesture_is_taken_told_and_free() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({"avatar": "gestura"})).await;
    let mut viewer = connect(&served, &customer, &id, "").await;
    let taken = ask(&served, &customer, &id, json!({"gesture": "nod"})).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.text);
    assert_eq!(taken.json(), json!({"gesture": "nod", "duration_ms": 900, "holds": false}));
    let (started, _) = viewer.text(|text| text["type"] == "gesture_started").await;
    assert_eq!(started["gesture"], "nod");
    assert!(started["sequence"].is_u64() && started["at"].is_string(), "{started}");

    let taken = ask(&served, &customer, &id, json!({"gesture": "listen"})).await;
    assert_eq!(taken.json()["holds"], true);
    viewer.text(|text| text["type"] == "gesture_started" && text["gesture"] == "listen").await;
    let session = served.wait_for(&customer, &id, |session| session["state"] == "idle").await;
    assert_eq!((&session["frames"], &session["credits_used"]), (&json!(0), &json!(0)));
}

#[actix_web::test]
async fn over_the_socket_it_is_a_command_and_a_browsers_token_may_give_it() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({"avatar": "gestura"})).await;
    let token =
        answer(served.request(&customer, Method::POST, &format!("/v1/sessions/{id}/client-tokens")).json(&json!({})))
            .await
            .json();
    let token = token["token"].as_str().expect("a token").to_owned();
    let mut viewer = connect_by_token(&served, &token, &id).await;
    viewer.say(r#"{"type":"gesture","gesture":"nod","id":"g1"}"#).await;
    // The answer and the event come in either order.
    let (mut done, mut started) = (None, None);
    while done.is_none() || started.is_none() {
        let (text, _) = viewer.text(|text| text["type"] == "done" || text["type"] == "gesture_started").await;
        if text["type"] == "done" {
            done = Some(text);
        } else {
            started = Some(text);
        }
    }
    let expected = json!({"type": "done", "command": "gesture", "id": "g1", "duration_ms": 900, "holds": false});
    assert_eq!(done, Some(expected));

    viewer.say(r#"{"type":"gesture","gesture":"bow","id":"g2"}"#).await;
    let (problem, _) = viewer.text(|text| text["type"] == "problem").await;
    assert_eq!((&problem["command"], &problem["id"]), (&json!("gesture"), &json!("g2")));
    assert_eq!(problem["problem"]["code"], "unknown_gesture");
    assert_eq!(problem["problem"]["known"], json!(["nod", "listen"]));
    viewer.say(r#"{"type":"gesture"}"#).await;
    let (problem, _) = viewer.text(|text| text["type"] == "problem").await;
    assert_eq!(problem["problem"]["code"], "invalid_body");

    // Where the account's own secret is asked for, a token is not enough.
    let by_token = served.http.post(format!("{}/v1/sessions/{id}/gestures", served.public)).bearer_auth(token);
    answer(by_token.json(&json!({"gesture": "nod"}))).await.problem(403, "token_not_enough");
}

#[actix_web::test]
async fn what_cannot_be_played_is_refused_by_its_reason() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({"avatar": "gestura"})).await;
    let problem = ask(&served, &customer, &id, json!({"gesture": "bow"})).await.problem(422, "unknown_gesture");
    assert_eq!(problem["known"], json!(["nod", "listen"]));
    assert_eq!(problem["errors"][0]["pointer"], "/gesture");
    assert_eq!(problem["detail"], "the avatar has no gesture `bow`; it has: nod, listen");
    let long = ask(&served, &customer, &id, json!({"gesture": "x".repeat(5_000)})).await;
    assert!(long.text.len() < 1_000, "what was sent is not repeated at any length");
    long.problem(422, "unknown_gesture");
    for body in [json!({}), json!({"gesture": 7}), json!({"gesture": "nod", "loop": true})] {
        assert_eq!(
            ask(&served, &customer, &id, body).await.any_problem()["status"].as_u64().map(|it| it / 100),
            Some(4)
        );
    }
    let plain = served.create(&customer, json!({"avatar": "ada"})).await;
    let none = ask(&served, &customer, &plain, json!({"gesture": "nod"})).await.problem(422, "unknown_gesture");
    assert_eq!(none["known"], json!([]));

    let engine = served.create(&customer, json!({"product": "essence_self_hosted"})).await;
    ask(&served, &customer, &engine, json!({"gesture": "nod"})).await.problem(409, "engine_elsewhere");
    served.call(&customer, Method::DELETE, &format!("/v1/sessions/{id}")).await;
    ask(&served, &customer, &id, json!({"gesture": "nod"})).await.problem(409, "session_ended");
}

#[actix_web::test]
async fn a_paused_session_takes_a_gesture_as_it_takes_an_interrupt_and_shows_nothing_of_it() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({"avatar": "gestura"})).await;
    let mut viewer = connect(&served, &customer, &id, "").await;
    served.call(&customer, Method::POST, &format!("/v1/sessions/{id}/pause")).await;
    // One that is still starting is paused once it is there.
    viewer.text(|text| text["type"] == "state" && text["state"] == "paused").await;
    assert_eq!(ask(&served, &customer, &id, json!({"gesture": "nod"})).await.status, StatusCode::ACCEPTED);
    tokio::time::sleep(Duration::from_millis(300)).await;
    served.call(&customer, Method::POST, &format!("/v1/sessions/{id}/resume")).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    ask(&served, &customer, &id, json!({"gesture": "listen"})).await;
    let (first, _) = viewer.text(|text| text["type"] == "gesture_started").await;
    assert_eq!(first["gesture"], "listen", "the nod was not made up for");
}
