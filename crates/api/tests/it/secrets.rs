//! Secrets: rotated with an overlap, limited in what they may spend, revoked under what runs.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Customer, Served, answer, serve, serve_with, wav};

/// Another secret of the customer's account, made by `request`; its id, and the customer with it.
async fn made(served: &Served, customer: &Customer, path: &str, body: Value) -> (String, Customer) {
    let secrets = format!("/admin/v1/accounts/{}/secrets{path}", customer.id);
    let answer = served.operate(Method::POST, &secrets, body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let text = |name: &str| answer.json()[name].as_str().expect(name).to_owned();
    (text("id"), Customer { id: customer.id.clone(), secret: text("api_secret") })
}

/// Speaks for long, in front of a viewer.
async fn speak(served: &Served, customer: &Customer, session: &str, seconds: f64) {
    let audio = served.request(customer, Method::POST, &format!("/v1/sessions/{session}/audio"));
    let accepted = answer(audio.body(wav(seconds, 16_000))).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.text);
}

#[actix_web::test]
async fn a_rotated_secret_works_until_its_overlap_is_over() {
    let served = serve_with(|options| options.secret_cache_s = 0).await;
    let customer = served.customer("10").await;
    let (old_id, old) = made(&served, &customer, "", json!({ "name": "service" })).await;
    let (new_id, new) = made(&served, &customer, &format!("/{old_id}/rotate"), json!({ "overlap_s": 3 })).await;
    let listed = served.operate(Method::GET, &format!("/admin/v1/accounts/{}/secrets", customer.id), json!({})).await;
    let listed = listed.json();
    let by_id = |id: &str| {
        let all = listed["data"].as_array().expect("data");
        all.iter().find(|secret| secret["id"] == id).expect("it is listed").clone()
    };
    assert_eq!((&by_id(&new_id)["name"], &by_id(&new_id)["revoked_at"]), (&json!("service"), &json!(null)));
    assert!(by_id(&old_id)["revoked_at"].is_string(), "{listed}");
    assert_eq!(served.call(&new, Method::GET, "/v1/me").await.status, StatusCode::OK);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    let ends_at = by_id(&old_id)["revoked_at"].as_str().expect("an instant").to_owned();
    loop {
        let asked_at = footlight_api::json::Instant(served.node.now()).to_string();
        let status = served.call(&old, Method::GET, "/v1/me").await.status;
        // Both are written to the millisecond in UTC: they compare as text.
        let answered_at = footlight_api::json::Instant(served.node.now()).to_string();
        match status {
            StatusCode::OK => assert!(asked_at < ends_at, "it works at {asked_at}, after {ends_at}"),
            StatusCode::UNAUTHORIZED => {
                assert!(answered_at >= ends_at, "it is refused at {answered_at}, before {ends_at}");
                break;
            }
            other => panic!("{other}"),
        }
        assert!(tokio::time::Instant::now() < deadline, "it still works");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(served.call(&new, Method::GET, "/v1/me").await.status, StatusCode::OK);
    let twice = format!("/admin/v1/accounts/{}/secrets/{old_id}/rotate", customer.id);
    served.operate(Method::POST, &twice, json!({})).await.problem(409, "wrong_state");
    let long = format!("/admin/v1/accounts/{}/secrets/{new_id}/rotate", customer.id);
    served.operate(Method::POST, &long, json!({ "overlap_s": 7_776_001 })).await.problem(422, "invalid_field");
}

#[actix_web::test]
async fn a_session_stops_at_the_frame_where_its_secrets_limit_ends() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let limit = json!({ "spending_limit": { "credits": 0.1, "per": "month" } });
    let (id, limited) = made(&served, &customer, "", limit).await;
    let session = served.create(&limited, json!({})).await;
    let _viewer = crate::stream::connect(&served, &limited, &session, "").await;
    speak(&served, &limited, &session, 8.0).await;
    let paused = served.wait_for(&limited, &session, |session| session["state"] == "paused").await;
    let told = (&paused["pause_reasons"], &paused["frames"], &paused["credits_used"]);
    assert_eq!(told, (&json!(["spending_limit"]), &json!(75), &json!(0.1)), "{paused}");
    let refused = answer(served.request(&limited, Method::POST, "/v1/sessions")).await.problem(402, "spending_limit");
    assert_eq!((&refused["limit"], &refused["spent"]), (&json!(0.1), &json!(0.1)), "{refused}");
    // Another secret of the account has no such limit.
    served.create(&customer, json!({})).await;

    let path = format!("/admin/v1/accounts/{}/secrets/{id}/spending-limit", customer.id);
    let raised = json!({ "spending_limit": { "credits": 0.2, "per": "month" } });
    let raised = served.operate(Method::PUT, &path, raised).await.json();
    assert_eq!(raised["spending_limit"]["credits"], json!(0.2), "{raised}");
    let paused = served.wait_for(&limited, &session, |session| session["frames"] == 150).await;
    assert_eq!(paused["credits_used"], json!(0.2), "{paused}");
    let lifted = served.operate(Method::PUT, &path, json!({ "spending_limit": null })).await.json();
    assert_eq!(lifted["spending_limit"], json!(null), "{lifted}");
    served.wait_for(&limited, &session, |session| session["frames"] == 200 && session["state"] == "idle").await;

    served.operate(Method::PUT, &path, json!({})).await.problem(422, "invalid_field");
    let negative = json!({ "spending_limit": { "credits": -1, "per": "total" } });
    served.operate(Method::PUT, &path, negative).await.problem(422, "invalid_field");
}

#[actix_web::test]
async fn what_runs_on_a_revoked_secret_pauses() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let (id, other) = made(&served, &customer, "", json!({})).await;
    let session = served.create(&other, json!({})).await;
    let unharmed = served.create(&customer, json!({})).await;
    let mut viewer = crate::stream::connect(&served, &other, &session, "").await;
    speak(&served, &other, &session, 60.0).await;
    served.wait_for(&customer, &session, |session| session["frames"].as_u64() > Some(0)).await;
    let path = format!("/admin/v1/accounts/{}/secrets/{id}", customer.id);
    served.operate(Method::DELETE, &path, json!({})).await;
    let paused = served.wait_for(&customer, &session, |session| session["state"] == "paused").await;
    assert_eq!(paused["pause_reasons"], json!(["key_revoked"]), "{paused}");
    let closed = tokio::time::timeout(std::time::Duration::from_secs(15), viewer.closed()).await;
    assert_eq!(closed.expect("it is closed"), Some(1008), "what it opened does not stay open");
    let unharmed = served.call(&customer, Method::GET, &format!("/v1/sessions/{unharmed}")).await.json();
    assert_eq!(unharmed["pause_reasons"], json!([]), "{unharmed}");
}

#[actix_web::test]
async fn the_limits_of_secrets_that_are_long_revoked_make_room() {
    let served = serve().await;
    let customer = served.customer("0").await;
    let limit = json!({ "spending_limit": { "credits": 1, "per": "total" } });
    let (old, _) = made(&served, &customer, "", limit.clone()).await;
    let account = customer.id.parse().expect("an id");
    let store = served.node.store();
    let secrets = store.list_secrets(account).await.expect("the store");
    let mut record = secrets.into_iter().find(|record| record.id.to_string() == old).expect("it was made");
    record.revoked_at = Some(served.node.now().plus_ms(-25 * 3_600_000));
    store.put_secret(record).await.expect("the store");
    let (new, _) = made(&served, &customer, "", limit).await;
    let listed = served.operate(Method::GET, &format!("/admin/v1/accounts/{}/secrets", customer.id), json!({})).await;
    for secret in listed.json()["data"].as_array().expect("data") {
        assert_eq!(secret["spending_limit"].is_object(), secret["id"] == json!(new), "{secret}");
    }
}

#[actix_web::test]
async fn rotating_gives_nothing_of_a_limit_back() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let limit = json!({ "spending_limit": { "credits": 0.1, "per": "month" } });
    let (id, limited) = made(&served, &customer, "", limit).await;
    let session = served.create(&limited, json!({})).await;
    let _viewer = crate::stream::connect(&served, &limited, &session, "").await;
    speak(&served, &limited, &session, 8.0).await;
    served.wait_for(&limited, &session, |session| session["state"] == "paused").await;
    let (_, new) = made(&served, &customer, &format!("/{id}/rotate"), json!({})).await;
    let refused = answer(served.request(&new, Method::POST, "/v1/sessions")).await.problem(402, "spending_limit");
    assert_eq!((&refused["limit"], &refused["spent"]), (&json!(0.1), &json!(0.1)), "{refused}");
}
