//! What strangers, mistakes and mischief send: a clear problem, and everything else goes on.

use footlight_api::openapi;
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Answer, answer, operations, serve, serve_with, wav};

#[actix_web::test]
async fn random_bytes_on_every_route_are_refused_and_break_nothing() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let session = served.create(&customer, json!({})).await;
    let seed = rand::random();
    println!("seed {seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let public = operations(&openapi::public()).into_iter().map(|operation| (true, operation));
    let admin = operations(&openapi::admin()).into_iter().map(|operation| (false, operation));
    for (is_public, (method, path, id)) in public.chain(admin) {
        // An event stream does not end, and a drain is what was asked for.
        if matches!(id.as_str(), "session_events" | "drain" | "drain_node") {
            continue;
        }
        for _ in 0..20 {
            let mut body = vec![0; chance.random_range(1..3_000)];
            chance.fill_bytes(&mut body);
            let lasting =
                ["stop_session", "stop_any_session", "suspend_account", "close_account"].contains(&id.as_str());
            let known = !lasting && chance.random_bool(0.5);
            let noise: String =
                (0..chance.random_range(1..40)).map(|_| format!("%{:02x}", chance.random::<u8>())).collect();
            let path = path
                .replace("{id}", if known { &session } else { &noise })
                .replace("{account}", if known { &customer.id } else { &noise })
                .replace("{secret}", &noise);
            let query = if chance.random_bool(0.3) { format!("?{noise}={noise}") } else { String::new() };
            let request = if is_public {
                served.request(&customer, method.clone(), &format!("{path}{query}"))
            } else {
                served.operator(method.clone(), &format!("{path}{query}"))
            };
            let answer = answer(request.body(body)).await;
            assert!(!answer.status.is_server_error(), "{method} {path}{query}: {} {}", answer.status, answer.text);
            if !answer.status.is_success() {
                answer.any_problem();
            }
        }
    }
    let alive = served.call(&customer, Method::GET, &format!("/v1/sessions/{session}")).await;
    assert_eq!(alive.status, StatusCode::OK, "{}", alive.text);
    served.create(&customer, json!({})).await;
}

#[actix_web::test]
async fn random_bytes_on_the_socket_break_nothing() {
    let served = serve().await;
    let mut chance = StdRng::seed_from_u64(7);
    for listener in [&served.public, &served.admin] {
        for _ in 0..50 {
            let address = listener.trim_start_matches("http://");
            let mut socket = tokio::net::TcpStream::connect(address).await.expect("a connection");
            let mut noise = vec![0; chance.random_range(1..5_000)];
            chance.fill_bytes(&mut noise);
            // The node may hang up at any byte.
            let _ = socket.write_all(&noise).await;
        }
    }
    served.customer("1").await;
}

#[actix_web::test]
async fn orders_that_cannot_be_filled_say_which_field() {
    let served = serve().await;
    let customer = served.customer("10").await;
    for (body, pointer) in [
        (json!({ "fps": 24 }), "/fps"),
        (json!({ "fps": "fast" }), "/fps"),
        (json!({ "fps": -1 }), "/fps"),
        (json!({ "width": 511 }), "/width"),
        (json!({ "width": 1_000_000, "height": 1_000_000 }), "/width"),
        (json!({ "height": 0 }), "/height"),
        (json!({ "product": "a_pony" }), "/product"),
        (json!({ "background": "blue" }), "/background"),
        (json!({ "when_unwatched": "sleep" }), "/when_unwatched"),
        (json!({ "idle_timeout_s": 0 }), "/idle_timeout_s"),
        (json!({ "max_duration_s": 4_000_000_000_u32 }), "/max_duration_s"),
        (json!({ "metadata": { "key": 1 } }), "/metadata/key"),
        (json!({ "metadata": { "key": "x".repeat(600) } }), "/metadata"),
        (json!({ "colour": "blue" }), "/colour"),
    ] {
        let answer = answer(served.request(&customer, Method::POST, "/v1/sessions").json(&body)).await;
        let problem = answer.problem(422, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    let unknown =
        answer(served.request(&customer, Method::POST, "/v1/sessions").json(&json!({ "avatar": "nobody" }))).await;
    assert_eq!(unknown.problem(422, "unknown_avatar")["known"], json!(["ada", "clapper", "miles"]));
    for text in ["{", "[1,", "{\"fps\":25} {}", "nonsense", "\u{0}"] {
        answer(served.request(&customer, Method::POST, "/v1/sessions").body(text)).await.problem(400, "invalid_body");
    }
    for list in ["[]", " [\"essence_cloud\"]"] {
        answer(served.request(&customer, Method::POST, "/v1/sessions").body(list)).await.problem(422, "invalid_field");
    }
    let large = format!("{{\"avatar\":\"{}\"}}", "x".repeat(70_000));
    answer(served.request(&customer, Method::POST, "/v1/sessions").body(large)).await.problem(413, "body_too_large");
    let plain = answer(served.request(&customer, Method::POST, "/v1/sessions")).await;
    assert_eq!(plain.status, StatusCode::CREATED, "an empty body is a good order: {}", plain.text);
}

#[actix_web::test]
async fn wrong_paths_and_methods_are_problems_too() {
    let served = serve().await;
    let customer = served.customer("10").await;
    served.call(&customer, Method::GET, "/no/such/place").await.problem(404, "route_not_found");
    served.call(&customer, Method::GET, "/v1/no/such/place").await.problem(404, "route_not_found");
    served.call(&customer, Method::GET, "/v1/sessions/ses_x").await.problem(404, "unknown_session");
    let wrong = served.call(&customer, Method::PATCH, "/v1/sessions").await;
    wrong.problem(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), "GET, POST");
}

#[actix_web::test]
async fn what_finds_no_room_is_refused_before_it_is_decoded() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({})).await;
    let speak = |body: Vec<u8>, content_type: &'static str, mode: &str| {
        let path = format!("/v1/sessions/{id}/audio?mode={mode}");
        let request = served.request(&customer, Method::POST, &path).header("content-type", content_type);
        answer(request.body(body))
    };
    let full = speak(vec![0; 96_000 * 600], "audio/pcm;rate=48000", "append").await;
    assert_eq!(full.status, StatusCode::ACCEPTED, "{}", full.text);
    // Whoever looks into it finds that it is no audio.
    speak(b"no audio".to_vec(), "audio/wav", "append").await.problem(429, "audio_queue_full");
    speak(b"no audio".to_vec(), "audio/wav", "replace").await.problem(415, "audio_unsupported");
}

#[actix_web::test]
async fn bad_audio_is_named_for_what_it_is() {
    let served = serve_with(|options| options.max_utterance_s = 20).await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({})).await;
    let audio = format!("/v1/sessions/{id}/audio");
    let speak = async |body: Vec<u8>, kind: &'static str| -> Answer {
        answer(served.request(&customer, Method::POST, &audio).header("content-type", kind).body(body)).await
    };
    let whole = wav(2.0, 16_000);
    speak(Vec::new(), "audio/wav").await.problem(422, "audio_empty");
    speak(wav(0.0, 16_000), "audio/wav").await.problem(422, "audio_empty");
    let cut = speak(whole[..whole.len() / 2].to_vec(), "audio/wav").await.problem(422, "audio_damaged");
    assert!(cut["detail"].as_str().is_some_and(|detail| detail.contains("64000")), "{cut}");
    speak(b"this is no audio at all, only words".to_vec(), "audio/wav").await.problem(415, "audio_unsupported");
    let long = speak(wav(21.0, 8_000), "audio/wav").await.problem(422, "audio_too_long");
    assert_eq!((&long["seconds"], &long["max_seconds"]), (&json!(21), &json!(20)), "{long}");
    speak(vec![0; 7], "audio/pcm;rate=16000").await.problem(422, "audio_damaged");
    speak(vec![0; 8], "audio/pcm;rate=1").await.problem(415, "audio_unsupported");
    speak(vec![0; 18], "audio/pcm;rate=16000;channels=9").await.problem(415, "audio_unsupported");
    speak(vec![0; 8], "audio/pcm;rate=loud").await.problem(422, "invalid_field");
    served.call(&customer, Method::POST, &format!("{audio}?mode=sing")).await.problem(400, "invalid_query");
    // What works goes on working, whatever it is called.
    assert_eq!(speak(whole.clone(), "audio/mpeg").await.status, StatusCode::ACCEPTED);
    assert_eq!(speak(vec![0; 32_000], "audio/pcm;rate=8000;channels=2").await.json()["duration_ms"], json!(1000));
    assert_eq!(served.wait_for(&customer, &id, |_| true).await["credits_used"], json!(0));
}

#[actix_web::test]
async fn a_body_of_a_gigabyte_is_refused_before_it_is_read() {
    let served = serve().await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({})).await;
    let host = served.public.trim_start_matches("http://");
    let mut socket = tokio::net::TcpStream::connect(host).await.expect("a connection");
    let head = format!(
        "POST /v1/sessions/{id}/audio HTTP/1.1\r\nhost: {host}\r\napi-secret: {}\r\ncontent-length: 1073741824\r\n\r\n",
        customer.secret
    );
    socket.write_all(head.as_bytes()).await.expect("the head is taken");
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(std::time::Duration::from_secs(5), socket.read(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer[..read.expect("at once").expect("an answer")]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("1073741824"), "{answer}");
}

#[actix_web::test]
async fn a_body_that_never_says_its_length_is_cut_off_at_the_limit() {
    let served = serve_with(|options| options.max_upload_bytes = 100_000).await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({})).await;
    let chunks = futures_util::stream::iter((0..50).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 10_000])));
    let request = served.request(&customer, Method::POST, &format!("/v1/sessions/{id}/audio"));
    answer(request.body(reqwest::Body::wrap_stream(chunks))).await.problem(413, "body_too_large");
}

#[actix_web::test]
async fn a_body_that_stops_arriving_is_given_up() {
    let served = serve_with(|options| options.body_timeout_s = 1).await;
    let customer = served.customer("10").await;
    let host = served.public.trim_start_matches("http://");
    let mut socket = tokio::net::TcpStream::connect(host).await.expect("a connection");
    let head = format!(
        "POST /v1/sessions HTTP/1.1\r\nhost: {host}\r\napi-secret: {}\r\ncontent-length: 100\r\n\r\n{{",
        customer.secret
    );
    socket.write_all(head.as_bytes()).await.expect("the head is taken");
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(std::time::Duration::from_secs(5), socket.read(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer[..read.expect("within patience").expect("an answer")]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("body_timeout"), "{answer}");
}

#[actix_web::test]
async fn uploads_together_stay_within_their_memory() {
    let served = serve_with(|options| {
        options.max_upload_bytes = 4 << 20;
        options.max_upload_memory_bytes = 4 << 20;
    })
    .await;
    let customer = served.customer("10").await;
    let id = served.create(&customer, json!({})).await;
    let host = served.public.trim_start_matches("http://").to_owned();
    // One upload fills three quarters of it and does not finish.
    let mut slow = tokio::net::TcpStream::connect(&host).await.expect("a connection");
    let head = format!(
        "POST /v1/sessions/{id}/audio HTTP/1.1\r\nhost: {host}\r\napi-secret: {}\r\ncontent-length: {}\r\n\r\n",
        customer.secret,
        4 << 20
    );
    slow.write_all(head.as_bytes()).await.expect("the head is taken");
    slow.write_all(&vec![0; 3 << 20]).await.expect("some of the body is taken");
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let audio = format!("/v1/sessions/{id}/audio");
    let second = answer(served.request(&customer, Method::POST, &audio).body(vec![0; 2 << 20])).await;
    second.problem(503, "capacity");
    assert!(!second.header("retry-after").is_empty());
    drop(slow);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let third = answer(served.request(&customer, Method::POST, &audio).body(wav(1.0, 48_000))).await;
    assert_eq!(third.status, StatusCode::ACCEPTED, "{}", third.text);
}
