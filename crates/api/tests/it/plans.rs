//! Plans: going up at once, going down when the period ends, and knowing before what it means.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Served, answer, serve};

/// An account on a plan; its path.
async fn on(served: &Served, body: Value) -> String {
    let opened = served.operate(Method::POST, "/admin/v1/accounts", body).await.json();
    format!("/admin/v1/accounts/{}", opened["id"].as_str().expect("an id"))
}

async fn put(served: &Served, account: &str, body: Value) -> Value {
    served.operate(Method::PUT, &format!("{account}/plan"), body).await.json()
}

async fn preview(served: &Served, account: &str, body: Value) -> Value {
    served.operate(Method::POST, &format!("{account}/plan/preview"), body).await.json()
}

#[actix_web::test]
async fn an_upgrade_comes_at_once_and_grants_the_difference() {
    let served = serve().await;
    let account = on(&served, json!({ "plan": "creator" })).await;
    let before = served.operate(Method::GET, &account, json!({})).await.json();
    assert_eq!((&before["plan_term"], &before["next_plan"]), (&json!("monthly"), &json!(null)), "{before}");
    let told = preview(&served, &account, json!({ "plan": "pro" })).await;
    assert_eq!((&told["effect"], &told["credits_expiring"]), (&json!("upgrade"), &json!(0)), "{told}");
    let promised = told["credits_granted"].as_f64().expect("an amount");
    // A period has 28 days at least: an hour of a slow machine is less than a thousandth of it.
    assert!(promised <= 8_200.0 && promised > 8_180.0, "{told}");
    assert_eq!(served.operate(Method::GET, &account, json!({})).await.json(), before, "a preview changes nothing");

    let after = put(&served, &account, json!({ "plan": "pro" })).await;
    assert_eq!((&after["plan"], &after["plan_renews_at"]), (&json!("pro"), &before["plan_renews_at"]), "{after}");
    let balance = after["balance"].as_f64().expect("an amount");
    assert!(balance <= 1_800.0 + promised && balance > 9_980.0, "{after}");
    assert_eq!(after["max_sessions"], json!(10));
    let again = put(&served, &account, json!({ "plan": "pro" })).await;
    assert_eq!(again["totals"], after["totals"], "the present plan again grants nothing");
}

#[actix_web::test]
async fn a_downgrade_waits_and_can_be_taken_back() {
    let served = serve().await;
    let account = on(&served, json!({ "plan": "pro" })).await;
    for (body, plan, term) in [
        (json!({ "plan": "creator" }), json!("creator"), json!("monthly")),
        (json!({ "plan": "creator", "term": "annual" }), json!("creator"), json!("annual")),
        (json!({ "plan": null }), json!(null), json!(null)),
    ] {
        let told = preview(&served, &account, body.clone()).await;
        let after = put(&served, &account, body).await;
        assert_eq!((&after["plan"], &after["balance"]), (&json!("pro"), &json!(10_000)), "{after}");
        let expected = json!({ "plan": plan, "term": term, "comes_at": after["plan_renews_at"] });
        assert_eq!(after["next_plan"], expected);
        assert_eq!((&told["effect"], &told["comes_at"]), (&json!("later"), &after["plan_renews_at"]), "{told}");
    }
    let kept = served.operate(Method::DELETE, &format!("{account}/plan/next"), json!({})).await.json();
    assert_eq!((&kept["plan"], &kept["next_plan"]), (&json!("pro"), &json!(null)), "{kept}");
    let journal =
        served.operate(Method::GET, &format!("{account}/journal?kind=plan_to_come,plan_kept"), json!({})).await.json();
    let kinds: Vec<_> = journal["data"].as_array().expect("data").iter().map(|entry| entry["kind"].clone()).collect();
    assert_eq!(kinds, ["plan_to_come", "plan_to_come", "plan_to_come", "plan_kept"], "{journal}");
}

#[actix_web::test]
async fn a_year_is_one_grant_of_twelve_months() {
    let served = serve().await;
    let account = on(&served, json!({ "plan": "creator", "term": "annual" })).await;
    let opened = served.operate(Method::GET, &account, json!({})).await.json();
    assert_eq!((&opened["balance"], &opened["plan_term"]), (&json!(21_600), &json!("annual")), "{opened}");
    assert_eq!(opened["grants"].as_array().map(Vec::len), Some(1));
    // A month to a year begins anew at once, and so does anything when it is said.
    let other = on(&served, json!({ "plan": "creator" })).await;
    let told = preview(&served, &other, json!({ "plan": "creator", "term": "annual" })).await;
    let meant = (&told["effect"], &told["credits_granted"], &told["credits_expiring"]);
    assert_eq!(meant, (&json!("anew"), &json!(21_600), &json!(1_800)), "{told}");
    assert_eq!(put(&served, &other, json!({ "plan": "creator", "term": "annual" })).await["balance"], json!(21_600));
    let now = put(&served, &other, json!({ "plan": "free", "when": "now" })).await;
    assert_eq!((&now["plan"], &now["balance"]), (&json!("free"), &json!(99)), "{now}");
    let refused =
        served.operate(Method::PUT, &format!("{other}/plan"), json!({ "plan": "free", "term": "annual" })).await;
    assert_eq!(refused.problem(422, "invalid_field")["errors"][0]["pointer"], "/term");
}

#[actix_web::test]
async fn from_a_plan_that_costs_nothing_a_whole_period_begins() {
    let served = serve().await;
    let account = on(&served, json!({ "plan": "free" })).await;
    let told = preview(&served, &account, json!({ "plan": "creator" })).await;
    assert_eq!((&told["effect"], &told["credits_expiring"]), (&json!("anew"), &json!(99)), "{told}");
    let after = put(&served, &account, json!({ "plan": "creator" })).await;
    assert_eq!((&after["balance"], &after["totals"]["expired"]), (&json!(1_800), &json!(99)), "{after}");
    // Also to one that gives less, but not to none: that would only take away.
    let account = on(&served, json!({ "plan": "free" })).await;
    let less = json!({ "custom": { "name": "small", "credits": 10, "max_sessions": 1 } });
    assert_eq!(preview(&served, &account, less).await["effect"], json!("anew"));
    assert_eq!(preview(&served, &account, json!({ "plan": null })).await["effect"], json!("later"));
}

#[actix_web::test]
async fn a_change_that_began_anew_is_made_once_under_its_key() {
    let served = serve().await;
    let account = on(&served, json!({ "plan": "free" })).await;
    let change = |key: &'static str, body: Value| {
        let request = served.operator(Method::PUT, &format!("{account}/plan")).header("idempotency-key", key);
        answer(request.json(&body))
    };
    // From a plan that costs nothing; then the present plan again, which begins a period because it is said.
    for (key, body, granted) in [
        ("from-free", json!({ "plan": "creator" }), 99 + 1_800),
        ("again", json!({ "plan": "creator", "when": "now" }), 99 + 1_800 + 1_800),
    ] {
        for _ in 0..2 {
            let after = change(key, body.clone()).await;
            assert_eq!(after.status, reqwest::StatusCode::OK, "{}", after.text);
            let after = after.json();
            assert_eq!((&after["balance"], &after["totals"]["granted"]), (&json!(1_800), &json!(granted)), "{after}");
        }
    }
}

#[actix_web::test]
async fn an_account_may_have_a_plan_of_its_own() {
    let served = serve().await;
    let account = on(&served, json!({})).await;
    let custom = |credits: Value| json!({ "custom": { "name": "acme", "credits": credits, "max_sessions": 80 } });
    let after = put(&served, &account, custom(json!(75_000.5))).await;
    assert_eq!((&after["plan"], &after["balance"]), (&json!("acme"), &json!(75_000.5)), "{after}");
    assert_eq!(after["max_sessions"], json!(80));
    let plan = format!("{account}/plan");
    let mut both = custom(json!(1));
    both["plan"] = json!("pro");
    for (body, pointer) in [
        (both, "/custom"),
        (custom(json!(-1)), "/custom/credits"),
        (json!({ "custom": { "name": "", "credits": 1, "max_sessions": 1 } }), "/custom/name"),
        (json!({ "plan": "pro", "term": "weekly" }), "/term"),
        (json!({ "plan": "pro", "when": "never" }), "/when"),
    ] {
        let problem = served.operate(Method::PUT, &plan, body.clone()).await.problem(422, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    served.operate(Method::PUT, &plan, custom(json!(2_000_000_000))).await.problem(422, "invalid_field");
}

#[actix_web::test]
async fn a_change_under_a_key_is_made_once_for_ever() {
    let served = serve().await;
    let account = on(&served, json!({ "plan": "creator" })).await;
    let change = |key: &'static str, plan: &'static str| {
        let request = served.operator(Method::PUT, &format!("{account}/plan")).header("idempotency-key", key);
        answer(request.json(&json!({ "plan": plan })))
    };
    let first = change("upgrade 1", "pro").await;
    assert!(first.text.contains("idempotency_key_invalid"), "{}", first.text);
    let upgraded = change("upgrade-1", "pro").await.json();
    change("upgrade-2", "business").await;
    // It comes again, late: nothing goes back.
    let late = change("upgrade-1", "pro").await.json();
    assert_eq!(late["plan"], json!("business"), "{late}");
    assert_ne!(late["totals"], upgraded["totals"]);
    change("upgrade-1", "enterprise").await.problem(422, "idempotency_key_reused");
}

#[actix_web::test]
async fn what_is_taken_back_is_an_entry_of_its_own() {
    let served = serve().await;
    let customer = served.customer("100").await;
    let account = format!("/admin/v1/accounts/{}", customer.id);
    let read = served.operate(Method::GET, &account, json!({})).await.json();
    let grant = read["grants"][0]["id"].as_str().expect("an id").to_owned();
    let void = |key: &'static str, body: Value| {
        let path = format!("{account}/grants/{grant}/void");
        answer(served.operator(Method::POST, &path).header("idempotency-key", key).json(&body))
    };
    for _ in 0..2 {
        let voided = void("refund-7", json!({ "credits": 40 })).await.json();
        let told = (&voided["credits"], &voided["name"], &voided["balance"]);
        assert_eq!(told, (&json!(40), &json!("refund-7"), &json!(60)), "once: {voided}");
    }
    void("refund-7", json!({ "credits": 41 })).await.problem(422, "idempotency_key_reused");
    void("refund-8", json!({ "credits": 0 })).await.problem(422, "invalid_field");
    assert_eq!(void("rest", json!({})).await.json()["credits"], json!(60), "everything that is left");
    void("nothing-left", json!({})).await.problem(404, "unknown_thing");
    let journal = served.call(&customer, Method::GET, &format!("/v1/journal?grant={grant}")).await.json();
    let told: Vec<_> = journal["data"].as_array().expect("data").iter().map(|entry| entry["kind"].clone()).collect();
    assert_eq!(told, ["granted", "voided", "voided"], "{journal}");
    let audit = served.operate(Method::GET, "/admin/v1/audit", json!({})).await.json();
    assert_eq!(audit["balanced"], json!(true), "{audit}");
}
