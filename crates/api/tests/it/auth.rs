//! Who may ask.

use std::time::Duration;

use footlight_api::openapi;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{answer, operations, serve, serve_with};

#[actix_web::test]
async fn no_public_route_answers_without_a_secret() {
    let served = serve().await;
    // Payments are believed by their signature instead.
    let operations =
        operations(&openapi::public()).into_iter().filter(|(_, path, _)| !path.starts_with("/v1/payments/"));
    for (method, path, _) in operations {
        let url = format!("{}{path}", served.public);
        let problem = answer(served.http.request(method.clone(), &url)).await.problem(401, "api_secret_missing");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("api-secret")));
        for secret in ["", "nonsense", "fl_live_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let refused = answer(served.http.request(method.clone(), &url).header("api-secret", secret)).await;
            refused.problem(401, "api_secret_invalid");
            assert!(!refused.header("www-authenticate").is_empty());
        }
    }
}

#[actix_web::test]
async fn no_admin_route_answers_without_the_token() {
    let served = serve().await;
    let operations = operations(&openapi::admin());
    for (method, path, _) in operations.iter().filter(|(_, path, _)| path.starts_with("/admin/")) {
        let url = format!("{}{path}", served.admin);
        answer(served.http.request(method.clone(), &url)).await.problem(401, "admin_token_missing");
        let wrong = served.http.request(method.clone(), &url).bearer_auth("correct-horse-battery-stapler");
        answer(wrong).await.problem(401, "admin_token_invalid");
    }
}

#[actix_web::test]
async fn without_a_configured_token_the_admin_api_is_closed_and_says_what_to_set() {
    for token in [None, Some("")] {
        let served = serve_with(|options| options.admin_token = token.map(footlight_api::AdminToken::new)).await;
        let accounts = format!("{}/admin/v1/accounts", served.admin);
        let closed = answer(served.http.get(&accounts).bearer_auth("")).await.problem(403, "admin_disabled");
        assert!(closed["detail"].as_str().is_some_and(|detail| detail.contains("FOOTLIGHT_ADMIN_TOKEN")));
        for open in ["/healthz", "/readyz", "/metrics"] {
            let probe = answer(served.http.get(format!("{}{open}", served.admin))).await;
            assert_eq!(probe.status, StatusCode::OK, "{open}: {}", probe.text);
        }
    }
}

#[actix_web::test]
async fn the_public_listener_knows_no_admin_route() {
    let served = serve().await;
    for path in ["/admin/v1/accounts", "/metrics", "/healthz", "/readyz"] {
        answer(served.http.get(format!("{}{path}", served.public))).await.problem(404, "route_not_found");
    }
}

#[actix_web::test]
async fn a_revoked_secret_is_refused_at_once_and_a_second_one_goes_on() {
    let served = serve().await;
    let customer = served.customer("1").await;
    let secrets = format!("/admin/v1/accounts/{}/secrets", customer.id);
    let second = served.operate(Method::POST, &secrets, json!({ "name": "second" })).await;
    assert_eq!(second.status, StatusCode::CREATED, "{}", second.text);
    let second = crate::harness::Customer {
        id: customer.id.clone(),
        secret: second.json()["api_secret"].as_str().expect("a secret").to_owned(),
    };
    for known in [&customer, &second] {
        assert_eq!(served.call(known, Method::GET, "/v1/me").await.status, StatusCode::OK);
    }
    let listed = served.operate(Method::GET, &secrets, json!({})).await;
    assert!(!listed.text.contains(&customer.secret[8..]), "secrets are shown once: {}", listed.text);
    let first =
        listed.json()["data"].as_array().expect("data").iter().find(|secret| secret["name"] == "first").cloned();
    let id = first.expect("the first secret")["id"].as_str().expect("an id").to_owned();
    let revoked = served.operate(Method::DELETE, &format!("{secrets}/{id}"), json!({})).await;
    assert!(revoked.json()["revoked_at"].is_string(), "{}", revoked.text);

    served.call(&customer, Method::GET, "/v1/me").await.problem(401, "api_secret_invalid");
    assert_eq!(served.call(&second, Method::GET, "/v1/me").await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_secret_revoked_by_another_process_is_refused_within_seconds() {
    let served = serve_with(|options| options.secret_cache_s = 1).await;
    let customer = served.customer("1").await;
    assert_eq!(served.call(&customer, Method::GET, "/v1/me").await.status, StatusCode::OK);
    let account = customer.id.parse().expect("an id");
    let store = served.node.store();
    let mut record = store.list_secrets(account).await.expect("the store").pop().expect("a secret");
    record.revoked_at = Some(served.node.now());
    store.put_secret(record).await.expect("the store");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    served.call(&customer, Method::GET, "/v1/me").await.problem(401, "api_secret_invalid");
}
