//! What clients read, to the letter.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{answer, serve, wav};

/// The members of a JSON object, in their order.
fn members(text: &str) -> Vec<String> {
    let mut depth = 0;
    let mut found = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((start, character)) = rest.next() {
        match character {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            '"' => {
                let mut end = start + 1;
                while let Some((at, character)) = rest.next() {
                    match character {
                        '\\' => drop(rest.next()),
                        '"' => {
                            end = at;
                            break;
                        }
                        _ => {}
                    }
                }
                if depth == 1 && rest.peek().is_some_and(|(_, character)| *character == ':') {
                    found.push(text[start + 1..end].to_owned());
                }
            }
            _ => {}
        }
    }
    found
}

#[actix_web::test]
async fn a_session_has_the_documented_members() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let body = json!({ "fps": 20, "width": 640, "height": 480, "metadata": { "caller": "42" } });
    let created = answer(served.request(&customer, Method::POST, "/v1/sessions").json(&body)).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let documented = [
        "id",
        "state",
        "pause_reasons",
        "end_reason",
        "product",
        "model",
        "surface",
        "avatar",
        "fps",
        "width",
        "height",
        "rate_credits_per_minute",
        "active_ms",
        "frames",
        "stalls",
        "credits_used",
        "node",
        "created_at",
    ];
    assert_eq!(members(&created.text)[..documented.len()], documented);
    let session = created.json();
    assert_eq!(session["product"], "essence_cloud");
    assert_eq!((&session["model"], &session["surface"]), (&json!("essence"), &json!("cloud")));
    assert_eq!((&session["fps"], &session["width"], &session["height"]), (&json!(20), &json!(640), &json!(480)));
    assert_eq!(session["rate_credits_per_minute"], json!(2), "whole credits are integers");
    assert_eq!(session["metadata"], json!({ "caller": "42" }));
    assert_eq!(session["node"], "test-node");
    assert!(session["created_at"].as_str().is_some_and(|at| at.len() == 24 && at.ends_with('Z')), "{session}");
    assert!(session.get("account").is_none(), "an account does not need to be told its own name");

    let id = session["id"].as_str().expect("an id");
    let read = served.call(&customer, Method::GET, &format!("/v1/sessions/{id}")).await;
    assert_eq!(members(&read.text), members(&created.text));
}

#[actix_web::test]
async fn the_credit_summary_has_the_shape_that_existing_clients_read() {
    let served = serve().await;
    let customer = served.customer("98.5").await;
    let user_id = uuid::Uuid::try_parse(customer.id.trim_start_matches("acc_")).expect("a UUID");
    let summary = served.call(&customer, Method::GET, "/v2/credit-summaries").await;
    assert_eq!(
        summary.text,
        format!(
            "{{\"success\":true,\"data\":{{\"user_id\":\"{user_id}\",\"balance\":98.5,\"plan_credits\":0,\
             \"topup_credits\":98.5,\"is_enterprise\":false,\"minutes_estimate\":{{\"voice_chat\":9,\"camera_chat\":3,\
             \"essence_cloud\":49,\"essence_self_hosted\":98,\"expression_cloud\":24,\"expression_self_hosted\":49}}}}}}"
        )
    );
}

#[actix_web::test]
async fn plan_credits_and_bought_ones_are_told_apart() {
    let served = serve().await;
    let opened = served.operate(Method::POST, "/admin/v1/accounts", json!({ "plan": "enterprise" })).await.json();
    let customer = crate::harness::Customer {
        id: opened["id"].as_str().expect("an id").to_owned(),
        secret: opened["api_secret"].as_str().expect("a secret").to_owned(),
    };
    let promo = json!({ "kind": "promo", "credits": 0.000001, "expires_at": "2999-01-01T00:00:00+01:00" });
    let given = served.operate(Method::POST, &format!("/admin/v1/accounts/{}/grants", customer.id), promo).await;
    assert_eq!(given.status, StatusCode::CREATED, "{}", given.text);
    assert_eq!(given.json()["expires_at"], "2998-12-31T23:00:00.000Z");
    let summary = served.call(&customer, Method::GET, "/v2/credit-summaries").await;
    for part in [
        "\"balance\":250000.000001",
        "\"plan_credits\":250000,",
        "\"topup_credits\":0.000001",
        "\"is_enterprise\":true",
    ] {
        assert!(summary.text.contains(part), "{part}: {}", summary.text);
    }
}

#[actix_web::test]
async fn lists_come_in_pages_without_gaps_or_repeats() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let mut created = Vec::new();
    for _ in 0..5 {
        created.push(served.create(&customer, json!({})).await);
    }
    created.reverse();
    let (mut listed, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = served.call(&customer, Method::GET, &format!("/v1/sessions?limit=2{cursor}")).await.json();
        listed.extend(
            page["data"]
                .as_array()
                .expect("data")
                .iter()
                .map(|session| session["id"].as_str().expect("an id").to_owned()),
        );
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((listed, pages), (created, 3), "newest first");
    served.call(&customer, Method::GET, "/v1/sessions?limit=0").await.problem(422, "invalid_field");
    served.call(&customer, Method::GET, "/v1/sessions?cursor=elsewhere").await.problem(422, "invalid_field");
    served.call(&customer, Method::GET, "/v1/sessions?colour=blue").await.problem(400, "invalid_query");
}

#[actix_web::test]
async fn everything_else_that_is_read_has_its_members() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let me = served.call(&customer, Method::GET, "/v1/me").await.json();
    assert_eq!((&me["id"], &me["status"], &me["plan"]), (&json!(customer.id), &json!("open"), &json!(null)));

    let pricing = served.call(&customer, Method::GET, "/v1/pricing").await.json();
    let essence = &pricing["products"].as_array().expect("products")[0];
    assert_eq!((&essence["product"], &essence["rate_credits_per_minute"]), (&json!("essence_cloud"), &json!(2)));
    assert_eq!(pricing["plans"].as_array().map(Vec::len), Some(5));

    let avatars = served.call(&customer, Method::GET, "/v1/avatars").await.json();
    let names: Vec<_> = avatars["data"].as_array().expect("data").iter().map(|avatar| avatar["name"].clone()).collect();
    assert_eq!(names, [json!("ada"), json!("clapper"), json!("miles")]);

    let journal = served.call(&customer, Method::GET, "/v1/journal").await.json();
    let granted = &journal["data"][0];
    assert_eq!((&granted["number"], &granted["kind"], &granted["credits"]), (&json!(0), &json!("granted"), &json!(10)));

    let usage = served.call(&customer, Method::GET, "/v1/usage").await.json();
    assert_eq!((&usage["data"], &usage["next_cursor"]), (&json!([]), &json!(null)));
}

#[actix_web::test]
async fn usage_tells_what_was_spoken_to_the_frame() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({ "fps": 50 })).await;
    let _viewer = crate::stream::connect(&served, &customer, &id, "").await;
    let speech = served.request(&customer, Method::POST, &format!("/v1/sessions/{id}/audio")).body(wav(1.0, 16_000));
    let accepted = answer(speech).await;
    assert_eq!(
        (accepted.status, &accepted.json()["duration_ms"]),
        (StatusCode::ACCEPTED, &json!(1000)),
        "{}",
        accepted.text
    );
    served.wait_for(&customer, &id, |session| session["frames"] == 50 && session["state"] == "idle").await;
    let stopped = served.call(&customer, Method::DELETE, &format!("/v1/sessions/{id}")).await;
    assert_eq!(stopped.status, StatusCode::OK, "{}", stopped.text);
    let ended = served.wait_for(&customer, &id, |session| session["credits_used"] == json!(0.033333)).await;
    assert_eq!((&ended["end_reason"], &ended["active_ms"]), (&json!("stopped"), &json!(1000)));
    // 50 frames of 2 credits a minute at 3 000 frames a minute: the millionths that do not come out even stay.
    let usage = served.call(&customer, Method::GET, "/v1/usage").await.json();
    assert_eq!(usage["data"][0]["credits"], json!(0.033333), "{usage}");
    assert_eq!((&usage["data"][0]["units"], &usage["data"][0]["session_id"]), (&json!(50), &json!(id)));
}

#[actix_web::test]
async fn the_documents_and_the_page_are_served_without_a_secret() {
    let served = serve().await;
    for (listener, title) in [(&served.public, "Footlight"), (&served.admin, "Footlight, for operators")] {
        let document = answer(served.http.get(format!("{listener}/openapi.json"))).await.json();
        assert_eq!((&document["openapi"], &document["info"]["title"]), (&json!("3.1.0"), &json!(title)));
        let page = answer(served.http.get(format!("{listener}/docs"))).await;
        assert!(page.text.starts_with("<!doctype html>") && page.header("content-security-policy").contains("'none'"));
        assert!(!page.text.contains("https://"), "the page needs nothing from elsewhere");
    }
}
