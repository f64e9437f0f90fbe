//! Knowing where you stand: the balance in full, usage summed up, the journal by what it tells of.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Customer, Served, answer, serve, wav};

#[actix_web::test]
async fn the_estimates_of_5240_credits_are_those_of_the_price_list() {
    let served = serve().await;
    let customer = served.customer("5240").await;
    let user_id = uuid::Uuid::try_parse(customer.id.trim_start_matches("acc_")).expect("a UUID");
    let summary = served.call(&customer, Method::GET, "/v2/credit-summaries").await;
    assert_eq!(
        summary.text,
        format!(
            "{{\"success\":true,\"data\":{{\"user_id\":\"{user_id}\",\"balance\":5240,\"plan_credits\":0,\
             \"topup_credits\":5240,\"is_enterprise\":false,\"minutes_estimate\":{{\"voice_chat\":524,\"camera_chat\":174,\
             \"essence_cloud\":2620,\"essence_self_hosted\":5240,\"expression_cloud\":1310,\
             \"expression_self_hosted\":2620}}}}}}"
        )
    );
}

#[actix_web::test]
async fn the_price_list_is_told_whole() {
    let served = serve().await;
    let customer = served.customer("0").await;
    let pricing = served.call(&customer, Method::GET, "/v1/pricing").await.json();
    let row = |product: &str, rate: i64, counting: &str, model: Value, surface: Value| {
        json!({
            "product": product, "model": model, "surface": surface, "rate_credits_per_minute": rate,
            "counting": counting, "rounding": "exact",
        })
    };
    let (essence, expression) = (json!("essence"), json!("expression"));
    assert_eq!(
        pricing["products"],
        json!([
            row("essence_cloud", 2, "frames", essence.clone(), json!("cloud")),
            row("essence_self_hosted", 1, "frames", essence, json!("self_hosted")),
            row("expression_cloud", 4, "frames", expression.clone(), json!("cloud")),
            row("expression_self_hosted", 2, "frames", expression.clone(), json!("self_hosted")),
            row("expression_on_device", 2, "connected", expression, json!("on_device")),
            row("voice_chat", 10, "connected", json!(null), json!(null)),
            row("camera_chat", 30, "connected", json!(null), json!(null)),
            row("audio_only", 0, "frames", json!(null), json!(null)),
        ])
    );
    let plan = |name: &str, credits: i64, max_sessions: u32, month: u32, year: Option<u32>| {
        let annual = year.map(|price_usd| json!({ "credits": 12 * credits, "price_usd": price_usd }));
        json!({
            "name": name, "credits": credits, "months": 1, "max_sessions": max_sessions, "price_usd": month,
            "annual": annual,
        })
    };
    assert_eq!(
        pricing["plans"],
        json!([
            plan("free", 99, 3, 0, None),
            plan("creator", 1_800, 5, 20, Some(204)),
            plan("pro", 10_000, 10, 99, Some(1_010)),
            plan("business", 50_000, 50, 299, Some(2_990)),
            plan("enterprise", 250_000, 200, 999, Some(9_990)),
        ])
    );
    assert_eq!(pricing["top_up_credits_per_usd"], json!(100));
}

/// Speaks one second in a session of its own and stops it.
async fn speak_a_second(served: &Served, customer: &Customer) -> String {
    let id = served.create(customer, json!({ "fps": 50 })).await;
    let _viewer = crate::stream::connect(served, customer, &id, "").await;
    let audio = served.request(customer, Method::POST, &format!("/v1/sessions/{id}/audio")).body(wav(1.0, 16_000));
    assert_eq!(answer(audio).await.status, StatusCode::ACCEPTED);
    served.wait_for(customer, &id, |session| session["frames"] == 50 && session["state"] == "idle").await;
    served.call(customer, Method::DELETE, &format!("/v1/sessions/{id}")).await;
    served.wait_for(customer, &id, |session| session["credits_used"] == json!(0.033333)).await;
    id
}

#[actix_web::test]
async fn usage_is_summed_up_by_whatever_is_asked() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let sessions = [speak_a_second(&served, &customer).await, speak_a_second(&served, &customer).await];
    let sum = async |query: &str| served.call(&customer, Method::GET, &format!("/v1/usage/summary{query}")).await;

    for query in ["", "?group_by=model", "?group_by=surface,product", "?group_by=secret"] {
        let summary = sum(query).await.json();
        // The clock may strike midnight between the two.
        let rows = summary["data"].as_array().expect("data");
        let units: u64 = rows.iter().map(|row| row["units"].as_u64().expect("a count")).sum();
        assert_eq!((units, &summary["total_credits"]), (100, &json!(0.066666)), "{query}: {summary}");
        assert!(rows.len() == 1 || query.is_empty(), "{query}: {summary}");
    }
    let by_model = sum("?group_by=model,surface").await.json();
    let row = &by_model["data"][0];
    assert_eq!((&row["model"], &row["surface"], &row["day"]), (&json!("essence"), &json!("cloud"), &json!(null)));
    let by_session = sum("?group_by=session").await.json();
    let rows = by_session["data"].as_array().expect("data");
    let told: Vec<_> = rows.iter().map(|row| (row["session_id"].clone(), row["credits"].clone())).collect();
    assert_eq!(told, sessions.each_ref().map(|id| (json!(id), json!(0.033333))), "in the order of their making");

    let csv = sum("?group_by=session,model&format=csv").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    // Columns come in one order, whatever order they were asked for in.
    let expected = format!(
        "model,session,units,credits,debt,overage\r\nessence,{},50,0.033333,0,0\r\nessence,{},50,0.033333,0,0\r\n",
        sessions[0], sessions[1]
    );
    assert_eq!(csv.text, expected);

    let nothing = sum("?to=2020-01-01T00:00:00Z").await.json();
    assert_eq!(nothing, json!({ "data": [], "total_credits": 0 }));
    assert_eq!(sum(&format!("?session={}", sessions[1])).await.json()["total_credits"], json!(0.033333));
    let later = sum("?from=2999-01-01T00:00:00Z").await.json();
    assert_eq!(later["total_credits"], json!(0));
    assert_eq!(sum("?group_by=colour").await.problem(422, "invalid_field")["errors"][0]["pointer"], "group_by");
    sum("?format=xml").await.problem(400, "invalid_query");
    let stranger = served.customer("1").await;
    let of_stranger = served.call(&stranger, Method::GET, "/v1/usage/summary").await.json();
    assert_eq!(of_stranger["data"], json!([]), "nobody sees another's");
}

#[actix_web::test]
async fn the_balance_says_how_long_it_lasts() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let idle = served.call(&customer, Method::GET, "/v1/balance").await.json();
    assert_eq!((&idle["balance"], &idle["top_up_credits"]), (&json!(10), &json!(10)), "{idle}");
    let still = (&idle["burn_rate_credits_per_minute"], &idle["minutes_left"], &idle["runs_out_at"]);
    assert_eq!(still, (&json!(0), &json!(null), &json!(null)), "{idle}");

    let id = served.create(&customer, json!({})).await;
    let _viewer = crate::stream::connect(&served, &customer, &id, "").await;
    let audio = served.request(&customer, Method::POST, &format!("/v1/sessions/{id}/audio")).body(wav(60.0, 16_000));
    assert_eq!(answer(audio).await.status, StatusCode::ACCEPTED);
    served.wait_for(&customer, &id, |session| session["frames"].as_u64() > Some(0)).await;
    let speaking = served.call(&customer, Method::GET, "/v1/balance").await.json();
    // 10 credits at 2 a minute; nothing of the first slice is settled yet.
    let told = (&speaking["burn_rate_credits_per_minute"], &speaking["minutes_left"], &speaking["held"]);
    assert_eq!(told, (&json!(2), &json!(5), &json!(2)), "{speaking}");
    assert!(speaking["runs_out_at"].is_string());

    let promo = json!({ "kind": "promo", "credits": 3, "expires_at": "2999-01-01T00:00:00Z" });
    served.operate(Method::POST, &format!("/admin/v1/accounts/{}/grants", customer.id), promo).await;
    let with_promo = served.call(&customer, Method::GET, "/v1/balance").await.json();
    assert_eq!(with_promo["next_expiry"], json!({ "credits": 3, "at": "2999-01-01T00:00:00.000Z" }), "{with_promo}");
}

#[actix_web::test]
async fn the_journal_is_read_by_what_it_tells_of() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let session = speak_a_second(&served, &customer).await;
    let account = format!("/admin/v1/accounts/{}", customer.id);
    served.operate(Method::POST, &format!("{account}/suspend"), json!({})).await;
    let kinds = async |query: &str| -> Vec<Value> {
        let page = served.call(&customer, Method::GET, &format!("/v1/journal{query}")).await.json();
        page["data"].as_array().expect("data").iter().map(|entry| entry["kind"].clone()).collect()
    };
    assert_eq!(kinds("").await, ["granted", "usage", "status_set"]);
    assert_eq!(kinds("?kind=status_set,granted").await, ["granted", "status_set"]);
    assert_eq!(kinds(&format!("?session={session}")).await, ["usage"]);
    assert_eq!(kinds("?from=2999-01-01T00:00:00Z").await, [json!(null); 0]);
    assert_eq!(kinds("?to=2020-01-01T00:00:00Z").await, [json!(null); 0]);
    let all = served.call(&customer, Method::GET, "/v1/journal").await.json();
    let of_usage = all["data"][1]["at"].as_str().expect("an instant");
    assert_eq!(kinds(&format!("?from={of_usage}&kind=usage,status_set")).await, ["usage", "status_set"]);
    let first = served.call(&customer, Method::GET, "/v1/journal?kind=usage,status_set&limit=1").await.json();
    let next = first["next_cursor"].as_str().expect("another page").to_owned();
    assert_eq!(kinds(&format!("?kind=usage,status_set&limit=1&cursor={next}")).await, ["status_set"]);
    let unknown = served.call(&customer, Method::GET, "/v1/journal?kind=gift").await.problem(422, "invalid_field");
    assert_eq!(unknown["errors"][0]["pointer"], "kind");
}
