//! What belongs to one account does not exist for another.

use footlight_api::openapi;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{answer, operations, serve, wav};

#[actix_web::test]
async fn another_accounts_session_is_nowhere_to_be_found() {
    let served = serve().await;
    let (owner, stranger) = (served.customer("10").await, served.customer("10").await);
    let id = served.create(&owner, json!({})).await;
    let before = served.call(&owner, Method::GET, &format!("/v1/sessions/{id}")).await.json();
    let mut tried = 0;
    for (method, path, _) in
        operations(&openapi::public()).into_iter().filter(|(_, path, _)| path.starts_with("/v1/sessions/{id}"))
    {
        let path = path.replace("{id}", &id);
        let request = served.request(&stranger, method, &path);
        let request = match path.rsplit('/').next() {
            Some("audio") => request.body(wav(0.1, 16_000)),
            Some("heartbeats") => request.json(&json!({"epoch": 1, "request_number": 1, "units": 0})),
            Some("gestures") => request.json(&json!({"gesture": "nod"})),
            _ => request.json(&json!({})),
        };
        answer(request).await.problem(404, "unknown_session");
        tried += 1;
    }
    assert!(tried >= 7);
    let listed = served.call(&stranger, Method::GET, "/v1/sessions").await.json();
    assert_eq!(listed["data"], json!([]));
    let after = served.call(&owner, Method::GET, &format!("/v1/sessions/{id}")).await.json();
    assert_eq!(after["pause_reasons"], before["pause_reasons"], "nothing was done to it");
    assert_eq!(after["end_reason"], json!(null));
}

#[actix_web::test]
async fn the_operator_sees_every_session_and_whose_it_is() {
    let served = serve().await;
    let (one, other) = (served.customer("10").await, served.customer("10").await);
    let ids = [served.create(&one, json!({})).await, served.create(&other, json!({})).await];
    let all = served.operate(Method::GET, "/admin/v1/sessions", json!({})).await.json();
    let whose: Vec<_> =
        all["data"].as_array().expect("data").iter().map(|session| session["account"].clone()).collect();
    assert_eq!(whose, [json!(other.id), json!(one.id)], "newest first");
    let of_one = served.operate(Method::GET, &format!("/admin/v1/sessions?account={}", one.id), json!({})).await.json();
    assert_eq!(of_one["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(of_one["data"][0]["id"], json!(ids[0]));
    let stopped = served.operate(Method::DELETE, &format!("/admin/v1/sessions/{}", ids[1]), json!({})).await;
    assert_eq!(stopped.status, StatusCode::OK, "{}", stopped.text);
    served.wait_for(&other, &ids[1], |session| session["state"] == "ended").await;
}
