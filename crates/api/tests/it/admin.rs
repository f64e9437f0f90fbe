//! What the operator does.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{answer, serve};

#[actix_web::test]
async fn an_account_lives_through_all_its_states() {
    let served = serve().await;
    let customer = served.customer("5").await;
    let account = format!("/admin/v1/accounts/{}", customer.id);
    let suspended = served.operate(Method::POST, &format!("{account}/suspend"), json!({})).await;
    assert_eq!(suspended.json()["status"], "suspended", "{}", suspended.text);
    let refused = answer(served.request(&customer, Method::POST, "/v1/sessions")).await;
    refused.problem(403, "account_suspended");
    // It can still read what it has.
    assert_eq!(served.call(&customer, Method::GET, "/v2/credit-summaries").await.json()["data"]["balance"], json!(5));

    let resumed = served.operate(Method::POST, &format!("{account}/resume"), json!({})).await;
    assert_eq!(resumed.json()["status"], "open", "{}", resumed.text);
    served.create(&customer, json!({})).await;

    let closed = served.operate(Method::POST, &format!("{account}/close"), json!({})).await;
    assert_eq!(closed.json()["status"], "closed", "{}", closed.text);
    answer(served.request(&customer, Method::POST, "/v1/sessions")).await.problem(403, "account_closed");
}

#[actix_web::test]
async fn a_plan_brings_its_credits_once() {
    let served = serve().await;
    let customer = served.customer("5").await;
    let plan = format!("/admin/v1/accounts/{}/plan", customer.id);
    for _ in 0..2 {
        let on_plan = served.operate(Method::PUT, &plan, json!({ "plan": "creator" })).await.json();
        assert_eq!((&on_plan["plan"], &on_plan["balance"]), (&json!("creator"), &json!(1805)), "{on_plan}");
        assert!(on_plan["plan_renews_at"].is_string());
    }
    let unknown = served.operate(Method::PUT, &plan, json!({ "plan": "gold" })).await.problem(422, "unknown_plan");
    assert_eq!(unknown["known"], json!(["free", "creator", "pro", "business", "enterprise"]));
}

#[actix_web::test]
async fn wrong_grants_are_refused_by_field() {
    let served = serve().await;
    let customer = served.customer("0").await;
    let grants = format!("/admin/v1/accounts/{}/grants", customer.id);
    for (body, pointer) in [
        (json!({ "kind": "top_up", "credits": 0 }), "/credits"),
        (json!({ "kind": "top_up", "credits": -5 }), "/credits"),
        (json!({ "kind": "top_up", "credits": "5" }), "/credits"),
        (json!({ "kind": "gift", "credits": 5 }), "/kind"),
        (json!({ "kind": "top_up", "credits": 5, "expires_at": "2999-01-01T00:00:00Z" }), "/expires_at"),
        (json!({ "kind": "promo", "credits": 5, "expires_at": "1999-01-01T00:00:00Z" }), "/expires_at"),
        (json!({ "kind": "promo", "credits": 5, "expires_at": "tomorrow" }), "/expires_at"),
        (json!({ "kind": "plan", "credits": 5 }), "/expires_at"),
    ] {
        let problem = served.operate(Method::POST, &grants, body.clone()).await.problem(422, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    let exact = answer(served.operator(Method::POST, &grants).body(r#"{"kind":"top_up","credits":0.0000001}"#)).await;
    exact.problem(422, "invalid_field");
    let nobody = "/admin/v1/accounts/acc_00000000000000000000000000000000";
    let body = json!({ "kind": "top_up", "credits": 1 });
    served.operate(Method::POST, &format!("{nobody}/grants"), body).await.problem(404, "unknown_account");
    served.operate(Method::GET, nobody, json!({})).await.problem(404, "unknown_account");
    served.operate(Method::GET, &format!("{nobody}/secrets"), json!({})).await.problem(404, "unknown_account");
    served.operate(Method::GET, &format!("{nobody}/journal"), json!({})).await.problem(404, "unknown_account");
    assert_eq!(served.call(&customer, Method::GET, "/v1/journal").await.json()["data"], json!([]));
}

#[actix_web::test]
async fn limits_change_one_at_a_time() {
    let served = serve().await;
    let customer = served.customer("0").await;
    let limits = format!("/admin/v1/accounts/{}/limits", customer.id);
    let set = served.operate(Method::PUT, &limits, json!({ "overage": 2.5 })).await.json();
    assert_eq!(set["limits"], json!({ "debt": 0, "overage": 2.5 }));
    let set = served.operate(Method::PUT, &limits, json!({ "debt": 1 })).await.json();
    assert_eq!(set["limits"], json!({ "debt": 1, "overage": 2.5 }));
    served.operate(Method::PUT, &limits, json!({ "debt": -1 })).await.problem(422, "invalid_field");
}

#[actix_web::test]
async fn a_drained_node_takes_nothing_new_until_it_is_taken_back() {
    let served = serve().await;
    let customer = served.customer("5").await;
    let drained = served.operate(Method::POST, "/admin/v1/drain", json!({ "deadline_s": 1 })).await;
    assert_eq!((drained.status, &drained.json()["still_speaking"]), (StatusCode::OK, &json!(0)), "{}", drained.text);
    let refused = answer(served.request(&customer, Method::POST, "/v1/sessions")).await;
    refused.problem(503, "node_draining");
    assert!(!refused.header("retry-after").is_empty());
    let ready = answer(served.http.get(format!("{}/readyz", served.admin))).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.json(), json!({ "ready": false, "reasons": ["draining"] }));
    let alive = answer(served.http.get(format!("{}/healthz", served.admin))).await;
    assert_eq!(alive.status, StatusCode::OK);

    let node = served.operate(Method::POST, "/admin/v1/undrain", json!({})).await.json();
    assert_eq!((&node["name"], &node["ready"]), (&json!("test-node"), &json!(true)), "{node}");
    served.create(&customer, json!({})).await;
    let nodes = served.operate(Method::GET, "/admin/v1/nodes", json!({})).await.json();
    assert_eq!(nodes["data"][0]["store"], "sqlite", "{nodes}");
}

#[actix_web::test]
async fn the_audit_balances_and_is_paged() {
    let served = serve().await;
    for _ in 0..3 {
        served.customer("1.5").await;
    }
    let audit = served.operate(Method::GET, "/admin/v1/audit", json!({})).await.json();
    assert_eq!((&audit["balanced"], audit["data"].as_array().map(Vec::len)), (&json!(true), Some(3)), "{audit}");
    assert_eq!(audit["data"][0]["totals"]["granted"], json!(1.5));
    let page = served.operate(Method::GET, "/admin/v1/audit?limit=2", json!({})).await.json();
    let cursor = page["next_cursor"].as_str().expect("a further page");
    let rest = served.operate(Method::GET, &format!("/admin/v1/audit?limit=2&cursor={cursor}"), json!({})).await.json();
    assert_eq!((rest["data"].as_array().map(Vec::len), &rest["next_cursor"]), (Some(1), &json!(null)));
}
