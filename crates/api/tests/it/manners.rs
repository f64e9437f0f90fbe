//! Rate limits, guesses, operators' roles, and the log of what operators do.

use footlight_api::{AdminToken, OperatorToken, Role};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{answer, serve, serve_with};

#[actix_web::test]
async fn an_account_that_asks_too_much_is_told_when_to_come_back_and_heartbeats_go_on() {
    let served = serve_with(|options| options.account_units_per_minute = 30).await;
    let (greedy, other) = (served.customer("10").await, served.customer("10").await);
    let body = json!({"product": "essence_self_hosted"});
    let created = answer(served.request(&greedy, Method::POST, "/v1/sessions").json(&body)).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    assert_eq!(created.header("ratelimit-policy"), "\"account\";q=30;w=60");
    assert_eq!(created.header("ratelimit"), "\"account\";r=25;t=10");
    let session = created.json()["id"].as_str().expect("an id").to_owned();
    let refused = loop {
        let asked = served.call(&greedy, Method::GET, "/v1/me").await;
        if asked.status != StatusCode::OK {
            break asked;
        }
    };
    let problem = refused.problem(429, "rate_limited");
    assert!(problem["retry_after_s"].as_u64().is_some_and(|wait| (1..=3).contains(&wait)), "{problem}");
    assert!(!refused.header("retry-after").is_empty() && refused.header("ratelimit").contains("r="));
    for number in 1..=20 {
        let beat = json!({"epoch": 1, "request_number": number, "units": 0});
        let path = format!("/v1/sessions/{session}/heartbeats");
        let answered = answer(served.request(&greedy, Method::POST, &path).json(&beat)).await;
        assert_eq!(answered.status, StatusCode::OK, "{}", answered.text);
    }
    assert_eq!(served.call(&other, Method::GET, "/v1/me").await.status, StatusCode::OK, "others have their own");
}

#[actix_web::test]
async fn an_address_that_guesses_is_stopped_and_those_who_are_known_pass() {
    let served = serve_with(|options| options.failures_per_minute = 5).await;
    let customer = served.customer("1").await;
    assert_eq!(served.call(&customer, Method::GET, "/v1/me").await.status, StatusCode::OK);
    let guess = |secret: &str| served.http.get(format!("{}/v1/me", served.public)).header("api-secret", secret);
    for _ in 0..5 {
        answer(guess("fl_live_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")).await.problem(401, "api_secret_invalid");
    }
    let stopped = answer(guess("fl_live_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB")).await;
    stopped.problem(429, "too_many_failures");
    assert!(!stopped.header("retry-after").is_empty());
    let token = served.http.get(format!("{}/v1/me", served.public)).bearer_auth("flt1.e30.e30");
    answer(token).await.problem(429, "too_many_failures");
    let operator = served.http.get(format!("{}/admin/v1/accounts", served.admin)).bearer_auth("guess");
    answer(operator).await.problem(429, "too_many_failures");
    assert_eq!(served.call(&customer, Method::GET, "/v1/me").await.status, StatusCode::OK, "it is known");
    let listed = served.operate(Method::GET, "/admin/v1/accounts", json!({})).await;
    assert_eq!(listed.status, StatusCode::OK, "so is the operator");
}

#[actix_web::test]
async fn who_guesses_through_a_trusted_proxy_locks_out_nobody_else() {
    let served = serve_with(|options| {
        options.failures_per_minute = 3;
        options.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a range")];
    })
    .await;
    let customer = served.customer("1").await;
    let from = |chain: &str, secret: &str| {
        let request = served.http.get(format!("{}/v1/me", served.public));
        answer(request.header("x-forwarded-for", chain).header("api-secret", secret))
    };
    let wrong = "fl_live_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for made_up in 1..=3 {
        let chain = format!("192.0.2.{made_up}, 203.0.113.9");
        from(&chain, wrong).await.problem(401, "api_secret_invalid");
    }
    from("192.0.2.4, 203.0.113.9", wrong).await.problem(429, "too_many_failures");
    // This node has not seen the secret before: it is looked up.
    assert_eq!(from("198.51.100.1", &customer.secret).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn what_a_caller_says_of_its_address_is_not_believed() {
    let served = serve_with(|options| options.failures_per_minute = 3).await;
    let guess = |number: u32| {
        let request = served.http.get(format!("{}/v1/me", served.public));
        answer(request.header("x-forwarded-for", format!("192.0.2.{number}")).bearer_auth("flt1.e30.e30"))
    };
    for number in 1..=3 {
        guess(number).await.problem(401, "token_invalid");
    }
    guess(4).await.problem(429, "too_many_failures");
}

#[actix_web::test]
async fn each_operator_does_what_its_roles_say_and_the_log_tells_who_did_what() {
    let operator = |name: &str, roles: &[Role]| OperatorToken {
        name: name.to_owned(),
        token: AdminToken::new(format!("{name}-token")),
        roles: roles.iter().copied().collect(),
    };
    let served = serve_with(|options| {
        options.operators = vec![
            operator("reader", &[Role::Read]),
            operator("till", &[Role::Money]),
            operator("shift", &[Role::Operate]),
        ];
    })
    .await;
    let customer = served.customer("1").await;
    let account = format!("/admin/v1/accounts/{}", customer.id);
    let call = |name: &str, method: Method, path: String| {
        let request = served.http.request(method.clone(), format!("{}{path}", served.admin));
        let request = request.bearer_auth(format!("{name}-token"));
        answer(if method == Method::GET { request } else { request.json(&json!({"kind": "promo", "credits": 1})) })
    };
    assert_eq!(call("reader", Method::GET, account.clone()).await.status, StatusCode::OK);
    for (name, method, path, role) in [
        ("reader", Method::POST, format!("{account}/grants"), "money"),
        ("reader", Method::POST, format!("{account}/suspend"), "operate"),
        ("till", Method::GET, account.clone(), "read"),
        ("till", Method::POST, format!("{account}/suspend"), "operate"),
        ("shift", Method::POST, format!("{account}/grants"), "money"),
        ("shift", Method::POST, format!("{account}/grants/"), "money"),
    ] {
        assert_eq!(call(name, method, path).await.problem(403, "role_missing")["role"], role);
    }
    for escaped in ["%67rants", "grant%73"] {
        call("shift", Method::POST, format!("{account}/{escaped}")).await.problem(404, "route_not_found");
    }
    let open = |name: &str, body: serde_json::Value| {
        let request = served.http.post(format!("{}/admin/v1/accounts", served.admin));
        answer(request.bearer_auth(format!("{name}-token")).json(&body))
    };
    let refused = open("shift", json!({"plan": "enterprise"})).await;
    assert_eq!(refused.problem(403, "role_missing")["role"], "money", "a plan is money");
    assert_eq!(call("till", Method::POST, format!("{account}/grants")).await.status, StatusCode::CREATED);
    assert_eq!(call("shift", Method::POST, format!("{account}/suspend")).await.status, StatusCode::OK);

    let log = served.operate(Method::GET, "/admin/v1/log", json!({})).await.json();
    let lines: Vec<_> = log["data"].as_array().expect("lines").iter().collect();
    let line = |at: usize| (lines[at]["operator"].clone(), lines[at]["path"].clone(), lines[at]["status"].clone());
    assert_eq!(line(0), (json!("shift"), json!(format!("{account}/suspend")), json!(200)));
    assert_eq!(line(1), (json!("till"), json!(format!("{account}/grants")), json!(201)));
    assert_eq!(lines.len(), 5, "what was refused by its path changed nothing, and what was read: {log}");
    assert!(lines.iter().all(|line| line["address"] == "127.0.0.1" && line["request_id"].is_string()), "{log}");
    let page = served.operate(Method::GET, "/admin/v1/log?limit=3", json!({})).await.json();
    let cursor = page["next_cursor"].as_str().expect("more");
    let rest = served.operate(Method::GET, &format!("/admin/v1/log?limit=3&cursor={cursor}"), json!({})).await.json();
    assert_eq!(rest["data"], json!([lines[3], lines[4]]));
}

#[actix_web::test]
async fn without_limits_nobody_is_told_of_any() {
    let served = serve_with(|options| options.account_units_per_minute = 0).await;
    let customer = served.customer("1").await;
    let answered = served.call(&customer, Method::GET, "/v1/me").await;
    assert_eq!((answered.status, answered.header("ratelimit")), (StatusCode::OK, ""));
    drop(serve().await);
}
