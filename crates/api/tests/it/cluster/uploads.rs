//! Uploads that are sent slowly on purpose, on their way to another node.

use std::sync::Arc;
use std::time::{Duration, Instant};

use footlight_cluster::HereAlone;
use futures_util::{StreamExt as _, stream};
use reqwest::{Body, Method, StatusCode};
use serde_json::json;

use super::pair::pair_with;
use crate::harness::{answer, wav};

/// A body that begins, and is never at its end.
fn endless() -> Body {
    let beginning = stream::iter([Ok::<_, std::io::Error>(vec![7; 100_000])]);
    Body::wrap_stream(beginning.chain(stream::pending()))
}

#[actix_web::test]
async fn one_account_s_uploads_that_never_end_keep_nobody_else_from_a_node() {
    let pair = pair_with(|options| options.max_uploads_per_account = 2, |_, own| Arc::new(HereAlone(own))).await;
    let (slow, other) = (pair.far.customer("10").await, pair.far.customer("10").await);
    let (session, of_other) = (pair.far.create(&slow, json!({})).await, pair.far.create(&other, json!({})).await);
    let path = format!("/v1/sessions/{session}/audio");
    let upload = || answer(pair.near.request(&slow, Method::POST, &path).body(wav(0.1, 16_000)));
    let deadline = Instant::now() + Duration::from_secs(10);

    let begun = [(); 2].map(|()| tokio::spawn(pair.near.request(&slow, Method::POST, &path).body(endless()).send()));
    let refused = loop {
        let asked = upload().await;
        if asked.status != StatusCode::ACCEPTED {
            break asked;
        }
        assert!(Instant::now() < deadline, "two are under way, and a third is taken");
    };
    assert_eq!(refused.problem(503, "capacity")["what"], "uploads of the account");
    assert_eq!(refused.header("retry-after"), "2");

    let shown = pair.near.call(&slow, Method::GET, &format!("/v1/sessions/{session}")).await;
    assert_eq!(shown.status, StatusCode::OK, "its other calls pass: {}", shown.text);
    let path = format!("/v1/sessions/{of_other}/audio");
    let accepted = answer(pair.near.request(&other, Method::POST, &path).body(wav(10.0, 16_000))).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "others' uploads pass: {}", accepted.text);

    begun.iter().for_each(tokio::task::JoinHandle::abort);
    while upload().await.status != StatusCode::ACCEPTED {
        assert!(Instant::now() < deadline + Duration::from_secs(10), "the turns stay taken");
    }
}

#[actix_web::test]
async fn a_report_that_does_not_say_how_long_it_is_needs_no_upload_s_line() {
    let pair = pair_with(|_| {}, |_, own| Arc::new(HereAlone(own))).await;
    let customer = pair.far.customer("10").await;
    let created = pair.far.request(&customer, Method::POST, "/v1/sessions");
    let created = answer(created.json(&json!({"product": "essence_self_hosted"}))).await;
    let session = created.json()["id"].as_str().expect("an id").to_owned();
    let report = |number: u64| {
        let body = json!({"epoch": 1, "request_number": number, "units": 0, "ask": "slice"}).to_string();
        let pieces = stream::iter([Ok::<_, std::io::Error>(body)]);
        let path = format!("/v1/sessions/{session}/heartbeats");
        answer(pair.near.request(&customer, Method::POST, &path).body(Body::wrap_stream(pieces)))
    };
    let passed = report(1).await;
    assert_eq!(passed.status, StatusCode::OK, "{}", passed.text);
    // It was read before it was passed on, so it can be taken here.
    pair.cable.cut();
    let taken = report(2).await;
    assert_eq!(taken.status, StatusCode::OK, "{}", taken.text);
}
