//! What tokens open, and what they do not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use footlight_api::openapi;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::harness::{Answer, Customer, Served, answer, operations, serve, serve_with};

async fn runtime_token(served: &Served, customer: &Customer, body: Value) -> String {
    let made = answer(served.request(customer, Method::POST, "/v1/runtime-tokens").json(&body)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.json()["token"].as_str().expect("a token").to_owned()
}

async fn client_token(served: &Served, customer: &Customer, session: &str, body: Value) -> String {
    let path = format!("/v1/sessions/{session}/client-tokens");
    let made = answer(served.request(customer, Method::POST, &path).json(&body)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.json()["token"].as_str().expect("a token").to_owned()
}

fn with(served: &Served, token: &str, method: Method, path: &str) -> RequestBuilder {
    served.http.request(method, format!("{}{path}", served.public)).bearer_auth(token)
}

async fn beat(served: &Served, token: &str, session: &str, beat: Value) -> Answer {
    answer(with(served, token, Method::POST, &format!("/v1/sessions/{session}/heartbeats")).json(&beat)).await
}

/// A session of an engine elsewhere, begun by a token; its id and its own token.
async fn engine(served: &Served, token: &str) -> (String, String) {
    let body = json!({"product": "essence_self_hosted"});
    let begun = answer(with(served, token, Method::POST, "/v1/sessions").json(&body)).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.text);
    let begun = begun.json();
    assert_eq!((&begun["state"], &begun["engine"]["epoch"]), (&json!("idle"), &json!(1)));
    assert_eq!((&begun["engine"]["counting"], &begun["engine"]["units_per_minute"]), (&json!("frames"), &json!(1_500)));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    (text(&begun["id"]), text(&begun["engine"]["token"]["token"]))
}

#[actix_web::test]
async fn an_engine_begins_reports_and_ends_with_nothing_but_tokens() {
    let served = serve().await;
    let customer = served.customer("0.1").await;
    let token = runtime_token(&served, &customer, json!({"surface": "self_hosted"})).await;
    let (session, own) = engine(&served, &token).await;
    let granted = beat(&served, &own, &session, json!({"epoch": 1, "request_number": 1, "units": 0})).await.json();
    // 0.1 credits at one a minute: six seconds, and no more.
    assert_eq!(
        (&granted["verdict"], &granted["slice_end"], &granted["final"]),
        (&json!("final"), &json!(150), &json!(true))
    );
    let again = beat(&served, &own, &session, json!({"epoch": 1, "request_number": 1, "units": 99})).await.json();
    assert_eq!((&again["slice_end"], &again["settled_units"]), (&json!(150), &json!(0)), "a number is answered once");
    let spent = beat(&served, &own, &session, json!({"epoch": 1, "request_number": 2, "units": 150})).await.json();
    assert_eq!((&spent["verdict"], &spent["pause_reasons"]), (&json!("refused"), &json!(["credits_exhausted"])));
    assert_eq!(spent["credits_used"], json!(0.1));
    let stale = beat(&served, &own, &session, json!({"epoch": 1, "request_number": 1, "units": 0})).await;
    assert_eq!(stale.problem(409, "stale_request")["last"], 2);
    beat(&served, &own, &session, json!({"epoch": 2, "request_number": 3, "units": 150})).await.problem(409, "fenced");
    let shown = served.call(&customer, Method::GET, &format!("/v1/sessions/{session}")).await.json();
    assert_eq!(
        (&shown["state"], &shown["frames"], &shown["surface"]),
        (&json!("paused"), &json!(150), &json!("self_hosted"))
    );
    let last = json!({"epoch": 1, "request_number": 3, "units": 150, "end": true});
    let ended = beat(&served, &own, &session, last.clone()).await.json();
    assert_eq!(
        (&ended["verdict"], &ended["end_reason"], &ended["token"]),
        (&json!("ended"), &json!("stopped"), &json!(null))
    );
    assert_eq!(
        beat(&served, &own, &session, last).await.json()["verdict"],
        "ended",
        "a lost answer is asked for again"
    );
    let more = json!({"epoch": 1, "request_number": 4, "units": 151});
    beat(&served, &own, &session, more).await.problem(409, "session_ended");
}

#[actix_web::test]
async fn a_session_that_a_person_ended_takes_its_engines_last_report() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let token = runtime_token(&served, &customer, json!({"surface": "self_hosted"})).await;
    let (session, own) = engine(&served, &token).await;
    beat(&served, &own, &session, json!({"epoch": 1, "request_number": 1, "units": 0})).await;
    let stopped = served.call(&customer, Method::DELETE, &format!("/v1/sessions/{session}")).await.json();
    assert_eq!((&stopped["state"], &stopped["frames"]), (&json!("ended"), &json!(0)));
    let late = beat(&served, &own, &session, json!({"epoch": 1, "request_number": 2, "units": 75})).await.json();
    assert_eq!((&late["verdict"], &late["late"], &late["credits_used"]), (&json!("ended"), &json!(true), &json!(0.05)));
    assert_eq!(late["end_reason"], "stopped");
    let shown = served.call(&customer, Method::GET, &format!("/v1/sessions/{session}")).await.json();
    assert_eq!(shown["credits_used"], json!(0.05));
}

/// A path with `id` in every place that takes one.
fn filled(path: &str, id: &str) -> String {
    let steps = path.split('/').map(|step| if step.starts_with('{') { id } else { step });
    steps.collect::<Vec<_>>().join("/")
}

#[actix_web::test]
async fn tokens_open_what_they_are_for_and_nothing_else() {
    let served = serve().await;
    let (customer, stranger) = (served.customer("10").await, served.customer("10").await);
    let free = runtime_token(&served, &customer, json!({"surface": "self_hosted"})).await;
    let (session, bound) = engine(&served, &free).await;
    let (other, _) = engine(&served, &free).await;
    let viewer = client_token(&served, &customer, &session, json!({})).await;
    let strange = runtime_token(&served, &stranger, json!({"surface": "self_hosted"})).await;
    let (_, strange_bound) = engine(&served, &strange).await;
    let number_one = json!({"epoch": 1, "request_number": 1, "units": 0});

    // Another's token finds nothing, and neither does one of another session.
    for token in [&strange, &strange_bound] {
        beat(&served, token, &session, number_one.clone()).await.problem(404, "unknown_session");
    }
    beat(&served, &bound, &other, number_one.clone()).await.problem(404, "unknown_session");
    let path = format!("/v1/sessions/{other}/events");
    answer(with(&served, &viewer, Method::GET, &path)).await.problem(404, "unknown_session");

    // Tokens begin their own surface alone, and one that is bound begins nothing.
    let device = json!({"product": "expression_on_device"});
    for (token, body) in [(&free, device), (&free, json!({})), (&bound, json!({"product": "essence_self_hosted"}))] {
        let refused = answer(with(&served, token, Method::POST, "/v1/sessions").json(&body)).await;
        refused.problem(403, "token_not_enough");
    }
    let bind = |surface: &str, session: &str| json!({"surface": surface, "session": session});
    let asked = served.request(&customer, Method::POST, "/v1/runtime-tokens").json(&bind("on_device", &session));
    answer(asked).await.problem(422, "invalid_field");
    let asked = served.request(&stranger, Method::POST, "/v1/runtime-tokens").json(&bind("self_hosted", &session));
    answer(asked).await.problem(404, "unknown_session");

    // Every call that does not think of tokens is closed to them.
    let for_tokens = ["create_session", "get_session", "stop_session", "heartbeat", "session_events", "stream"];
    // Payments are believed by their signature alone.
    let operations =
        operations(&openapi::public()).into_iter().filter(|(_, path, _)| !path.starts_with("/v1/payments/"));
    for (method, path, id) in operations {
        let path = filled(&path, &session);
        for token in [&free, &bound, &viewer] {
            if for_tokens.contains(&id.as_str()) && token != &viewer {
                continue;
            }
            // Streams have a test of their own; a payment provider's call is known by its signature.
            if ["session_events", "stream"].contains(&id.as_str()) || path.starts_with("/v1/payments/") {
                continue;
            }
            let request = with(&served, token, method.clone(), &path);
            let request = match path.rsplit('/').next() {
                Some("heartbeats") => request.json(&number_one),
                Some("runtime-tokens") => request.json(&json!({"surface": "self_hosted"})),
                _ => request.json(&json!({})),
            };
            answer(request).await.problem(403, "token_not_enough");
        }
    }
}

#[actix_web::test]
async fn forged_expired_and_revoked_tokens_open_nothing() {
    let served = serve_with(|options| (options.runtime_token_s, options.secret_cache_s) = (1, 0)).await;
    let customer = served.customer("10").await;
    let token = runtime_token(&served, &customer, json!({"surface": "self_hosted"})).await;
    let (session, bound) = engine(&served, &token).await;
    let number_one = json!({"epoch": 1, "request_number": 1, "units": 0});
    let said = token.split('.').nth(1).expect("a payload");
    let header = |alg: &str| URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#));
    for forged in [
        format!("flt1.{said}."),
        format!("flt1.{said}"),
        format!("{}.{said}.", header("none")),
        format!("{}.{said}.{}", header("HS256"), URL_SAFE_NO_PAD.encode([0; 32])),
        format!("{token}A"),
        token.to_uppercase(),
        "flt1".to_owned(),
    ] {
        beat(&served, &forged, &session, number_one.clone()).await.problem(401, "token_invalid");
    }
    let told = beat(&served, &customer.secret, &session, number_one.clone()).await.problem(401, "token_invalid");
    assert!(told["detail"].as_str().is_some_and(|detail| detail.contains("`api-secret`")), "{told}");
    // The account is in the token: a changed one is not signed.
    let theirs = URL_SAFE_NO_PAD.decode(said).expect("base64");
    let changed = String::from_utf8(theirs).expect("text").replacen("self_hosted", "on_device", 1);
    let signature = token.rsplit('.').next().expect("a signature");
    let changed = format!("flt1.{}.{signature}", URL_SAFE_NO_PAD.encode(changed));
    beat(&served, &changed, &session, number_one.clone()).await.problem(401, "token_invalid");

    // The secret behind it is revoked: it reports, is held back, and gets no other token.
    let (_, secrets) = {
        let listed =
            served.operate(Method::GET, &format!("/admin/v1/accounts/{}/secrets", customer.id), json!({})).await;
        (listed.status, listed.json())
    };
    let secret = secrets["data"][0]["id"].as_str().expect("a secret");
    let path = format!("/admin/v1/accounts/{}/secrets/{secret}", customer.id);
    assert_eq!(served.operate(Method::DELETE, &path, json!({})).await.status, StatusCode::OK);
    let reported = beat(&served, &bound, &session, number_one.clone()).await;
    if reported.status == StatusCode::OK {
        let reported = reported.json();
        assert_eq!(reported["pause_reasons"], json!(["key_revoked"]), "{reported}");
        assert_eq!((&reported["verdict"], &reported["token"]), (&json!("refused"), &json!(null)));
        let begin =
            with(&served, &token, Method::POST, "/v1/sessions").json(&json!({"product": "essence_self_hosted"}));
        let refused = answer(begin).await.any_problem();
        assert!(
            ["api_secret_invalid", "token_expired"].contains(&refused["code"].as_str().expect("a code")),
            "{refused}"
        );
    }
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    beat(&served, &bound, &session, number_one).await.problem(401, "token_expired");
}

#[actix_web::test]
async fn a_browser_watches_with_its_token_from_its_origin_alone() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let session = served.create(&customer, json!({})).await;
    let token = client_token(&served, &customer, &session, json!({"origin": "https://example.org"})).await;
    let url = format!("{}/v1/sessions/{session}", served.public.replace("http://", "ws://"));
    let open = |path: &str, origin: Option<&str>, offered: Option<String>| {
        let mut request = format!("{url}{path}").into_client_request().expect("a request");
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().expect("header text"));
        }
        if let Some(offered) = offered {
            request.headers_mut().insert("sec-websocket-protocol", offered.parse().expect("header text"));
        }
        tokio_tungstenite::connect_async(request)
    };
    let home = Some("https://example.org");
    let (_socket, answered) = open(&format!("/stream?token={token}"), home, None).await.expect("opens by the query");
    assert_eq!(answered.headers().get("sec-websocket-protocol"), None);
    let offered = format!("footlight, footlight.token.{token}");
    let (_socket, answered) = open("/stream", home, Some(offered)).await.expect("opens by the subprotocol");
    assert_eq!(answered.headers()["sec-websocket-protocol"], "footlight", "and its own word is not repeated");
    for origin in [None, Some("https://example.com"), Some("https://example.org.evil.example")] {
        assert!(open(&format!("/stream?token={token}"), origin, None).await.is_err(), "{origin:?}");
    }
    let events = served.http.get(format!("{}/v1/sessions/{session}/events?token={token}", served.public));
    let followed = events.header("origin", "https://example.org").send().await.expect("an answer");
    assert_eq!(followed.status(), StatusCode::OK);
    assert_eq!(followed.headers()["access-control-allow-origin"], "https://example.org");
    let follow = async |token: &str, origin: Option<&str>| {
        let request = served.http.get(format!("{}/v1/sessions/{session}/events?token={token}", served.public));
        let request = origin.into_iter().fold(request, |request, origin| request.header("origin", origin));
        request.send().await.expect("an answer")
    };
    assert_eq!(follow(&token, None).await.status(), StatusCode::OK, "a page of the API's own origin says none");
    assert_eq!(follow(&token, Some("https://example.com")).await.status(), StatusCode::FORBIDDEN);
    let token = client_token(&served, &customer, &session, json!({"origin": "HTTPS://Example.org:443"})).await;
    assert_eq!(follow(&token, Some("https://example.org")).await.status(), StatusCode::OK, "browsers say it like this");
    let token = client_token(&served, &customer, &session, json!({})).await;
    let followed = follow(&token, Some("https://example.com")).await;
    assert_eq!(followed.headers()["access-control-allow-origin"], "*", "it is bound to no origin");
    let elsewhere = with(&served, &token, Method::DELETE, &format!("/v1/sessions/{session}"));
    answer(elsewhere.header("origin", "https://example.org")).await.problem(403, "token_not_enough");
    for origin in
        ["example.org", "ftp://example.org", "https://example.org/", "https://a@example.org", "https://x/y", ""]
    {
        let path = format!("/v1/sessions/{session}/client-tokens");
        let asked = served.request(&customer, Method::POST, &path).json(&json!({ "origin": origin }));
        answer(asked).await.problem(422, "invalid_field");
    }
}

#[actix_web::test]
async fn a_repeated_beginning_is_the_same_session_and_no_token_is_kept_for_it() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let begin = || {
        let request = served.request(&customer, Method::POST, "/v1/sessions").header("idempotency-key", "one");
        answer(request.json(&json!({"product": "expression_on_device"})))
    };
    let (first, again) = (begin().await.json(), begin().await.json());
    assert_eq!(first["id"], again["id"]);
    assert!(first["engine"]["token"]["token"].is_string());
    assert_eq!(again["engine"]["token"], json!(null));
    assert_eq!(
        (&again["engine"]["counting"], &again["engine"]["units_per_minute"]),
        (&json!("connected"), &json!(60_000))
    );
}

#[actix_web::test]
async fn viewers_shut_neither_the_account_nor_its_engine_out_of_a_session() {
    let served = serve_with(|options| {
        options.max_streams_per_session = 4;
        options.account_units_per_minute = 60;
    })
    .await;
    let customer = served.customer("10").await;
    let token = runtime_token(&served, &customer, json!({"surface": "self_hosted"})).await;
    let (session, bound) = engine(&served, &token).await;
    let viewer = client_token(&served, &customer, &session, json!({})).await;
    let path = format!("/v1/sessions/{session}");
    let follow = async |token: &str| {
        let events = with(&served, token, Method::GET, &format!("{path}/events")).send().await.expect("an answer");
        (events.status(), events)
    };
    let mut following = Vec::new();
    for _ in 0..3 {
        let (status, events) = follow(&viewer).await;
        assert_eq!(status, StatusCode::OK);
        following.push(events);
    }
    let refused = answer(with(&served, &viewer, Method::GET, &format!("{path}/events"))).await;
    assert_eq!(refused.problem(429, "too_many_streams")["limit"], 3);
    assert_eq!(follow(&bound).await.0, StatusCode::OK, "the last place is the engine's or the account's");

    // Whatever they ask, and be it refused, is theirs to pay.
    let limited = loop {
        let asked = answer(with(&served, &viewer, Method::GET, &path)).await;
        if asked.status == StatusCode::TOO_MANY_REQUESTS {
            break asked;
        }
    };
    limited.problem(429, "rate_limited");
    assert_eq!(answer(with(&served, &bound, Method::GET, &path)).await.status, StatusCode::OK);
    assert_eq!(served.call(&customer, Method::GET, &path).await.status, StatusCode::OK);
}
