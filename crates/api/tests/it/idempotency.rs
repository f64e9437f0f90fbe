//! The same request twice does its work once.

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Answer, Customer, Served, answer, serve, wav};

async fn create(served: &Served, customer: &Customer, key: &str, body: Value) -> Answer {
    let request = served.request(customer, Method::POST, "/v1/sessions").header("idempotency-key", key);
    answer(request.json(&body)).await
}

#[actix_web::test]
async fn a_repeated_create_answers_the_same_session() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let first = create(&served, &customer, "one", json!({ "fps": 20 })).await;
    let again = create(&served, &customer, "one", json!({ "fps": 20 })).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED), "{}", again.text);
    assert_eq!(first.text, again.text);
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));

    create(&served, &customer, "one", json!({ "fps": 50 })).await.problem(422, "idempotency_key_reused");
    let other = create(&served, &customer, "two", json!({ "fps": 20 })).await;
    assert_ne!(other.json()["id"], first.json()["id"]);
    // Keys belong to their account.
    let stranger = served.customer("10").await;
    let theirs = create(&served, &stranger, "one", json!({ "fps": 20 })).await;
    assert_eq!(theirs.status, StatusCode::CREATED, "{}", theirs.text);
    assert_ne!(theirs.json()["id"], first.json()["id"]);

    let listed = served.call(&customer, Method::GET, "/v1/sessions").await.json();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(2));
}

#[actix_web::test]
async fn the_same_create_at_the_same_moment_makes_one_session() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let answers = join_all((0..20).map(|_| create(&served, &customer, "burst", json!({})))).await;
    for answer in answers {
        if answer.status != StatusCode::CREATED {
            answer.problem(409, "idempotency_in_progress");
            assert_eq!(answer.header("retry-after"), "1");
        }
    }
    let listed = served.call(&customer, Method::GET, "/v1/sessions").await.json();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
}

#[actix_web::test]
async fn what_failed_may_be_tried_again_under_the_same_key() {
    let served = serve().await;
    let customer = served.customer("0").await;
    create(&served, &customer, "poor", json!({})).await.problem(402, "credits_exhausted");
    let grants = format!("/admin/v1/accounts/{}/grants", customer.id);
    let given = served.operate(Method::POST, &grants, json!({ "kind": "top_up", "credits": 1 })).await;
    assert_eq!(given.status, StatusCode::CREATED);
    let created = create(&served, &customer, "poor", json!({})).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
}

#[actix_web::test]
async fn a_top_up_sent_twice_is_credited_once() {
    let served = serve().await;
    let customer = served.customer("0").await;
    let grants = format!("/admin/v1/accounts/{}/grants", customer.id);
    let give = |name: &'static str, credits: i64| {
        let request = served.operator(Method::POST, &grants).header("idempotency-key", name);
        answer(request.json(&json!({ "kind": "top_up", "credits": credits })))
    };
    let first = give("invoice-7", 100).await;
    let again = give("invoice-7", 100).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED), "{}", again.text);
    assert_eq!(first.json()["id"], again.json()["id"]);
    assert_eq!((&first.json()["replayed"], &again.json()["replayed"]), (&json!(false), &json!(true)));
    assert_eq!(again.json()["balance"], json!(100));
    let reused = give("invoice-7", 200).await.problem(422, "idempotency_key_reused");
    assert!(reused["detail"].as_str().is_some_and(|detail| detail.contains("invoice-7")));
    assert_eq!(served.call(&customer, Method::GET, "/v2/credit-summaries").await.json()["data"]["balance"], json!(100));
}

#[actix_web::test]
async fn a_repeated_upload_is_spoken_once() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({})).await;
    let speak = |speech: Vec<u8>| {
        let request = served.request(&customer, Method::POST, &format!("/v1/sessions/{id}/audio"));
        answer(request.header("idempotency-key", "hello").body(speech))
    };
    let first = speak(wav(0.5, 16_000)).await;
    let again = speak(wav(0.5, 16_000)).await;
    assert_eq!((first.status, &first.text), (StatusCode::ACCEPTED, &again.text));
    speak(wav(0.6, 16_000)).await.problem(422, "idempotency_key_reused");
}

#[actix_web::test]
async fn a_repeated_account_comes_without_its_secret() {
    let served = serve().await;
    let open = || {
        let request = served.operator(Method::POST, "/admin/v1/accounts").header("idempotency-key", "customer-1");
        answer(request.json(&json!({ "plan": "free" })))
    };
    let (first, again) = (open().await.json(), open().await.json());
    assert_eq!((&first["id"], &first["balance"]), (&again["id"], &json!(99)));
    assert!(first["api_secret"].is_string());
    assert_eq!(again["api_secret"], json!(null), "a secret that can be asked for again would have to be kept");
}

#[actix_web::test]
async fn a_key_that_is_no_key_is_refused() {
    let served = serve().await;
    let customer = served.customer("10").await;
    for key in ["", "two words", &"x".repeat(256)] {
        create(&served, &customer, key, json!({})).await.problem(400, "idempotency_key_invalid");
    }
}

#[actix_web::test]
async fn a_repeated_job_is_answered_without_its_input() {
    let served = serve().await;
    let customer = served.customer("250").await;
    let ask = || {
        let body = json!({ "kind": "book", "input": { "title": "A book" } });
        answer(served.request(&customer, Method::POST, "/v1/jobs").header("idempotency-key", "once").json(&body))
    };
    let first = ask().await;
    assert_eq!((first.status, &first.json()["input"]), (StatusCode::CREATED, &json!({ "title": "A book" })));
    let again = ask().await;
    assert_eq!((again.header("idempotent-replayed"), &again.json()["input"]), ("true", &Value::Null));
    assert_eq!(again.json()["id"], first.json()["id"]);

    let path = format!("/v1/jobs/{}", first.json()["id"].as_str().expect("an id"));
    assert_eq!(served.call(&customer, Method::GET, &path).await.json()["input"], json!({ "title": "A book" }));
    assert_eq!(served.call(&customer, Method::DELETE, &path).await.json()["input"], Value::Null);
}
