//! What strangers, mistakes and mischief send: a clear problem, and nothing else stops.

use std::time::Duration;

use anyhow::{Context, ensure};
use footlight_tests::{Client, Node, NodeSetup, speech, tools};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A node with one session that is watched all the while: whatever else happens, it must go on.
struct Bystander {
    node: Node,
    customer: Client,
    id: String,
    watcher: footlight_tests::Watcher,
}

impl Bystander {
    async fn start() -> anyhow::Result<Self> {
        Self::start_as(NodeSetup::embedded().without_pictures(), json!({})).await
    }

    async fn start_as(setup: NodeSetup, session: Value) -> anyhow::Result<Self> {
        let node = setup.start().await?;
        let customer = node.customer("100").await?;
        let id = customer.create(session).await?;
        let watcher = customer.watch(&id).await?;
        Ok(Self { node, customer, id, watcher })
    }

    /// It still speaks, to the frame.
    async fn still_speaks(&mut self) -> anyhow::Result<()> {
        ensure!(self.node.is_alive());
        let before = self.watcher.seen().active_frames();
        self.customer.speak(&self.id, speech::buzz(1.0, 16_000)).await?;
        self.watcher.wait_until(Duration::from_secs(10), |seen| seen.active_frames() == before + 25).await?;
        self.node.operator().expect_balanced().await?;
        Ok(())
    }
}

fn is_problem(status: StatusCode, problem: &Value, expected: StatusCode) -> anyhow::Result<()> {
    ensure!(status == expected, "{status} instead of {expected}: {problem}");
    for field in ["code", "title", "detail"] {
        ensure!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "no `{field}`: {problem}");
    }
    Ok(())
}

#[tokio::test]
async fn audio_that_is_none_is_refused_by_name() -> anyhow::Result<()> {
    let mut bystander = Bystander::start().await?;
    let good = speech::buzz(2.0, 16_000);
    let bad: [(&str, Vec<u8>); 5] = [
        ("nothing at all", Vec::new()),
        ("a WAV without samples", speech::wav(16_000, 1, &[])),
        ("a truncated WAV", good[..good.len() / 2].to_vec()),
        ("half a header", good[..20].to_vec()),
        ("random bytes", (0..5_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
    ];
    for (what, body) in bad {
        let (status, problem) = bystander.customer.upload(&bystander.id, body, "audio/wav", "append").await?;
        ensure!(status.is_client_error(), "{what}: {status} {problem}");
        is_problem(status, &problem, status)?;
        eprintln!("{what}: {status} {}", problem["detail"]);
    }
    bystander.still_speaks().await
}

#[tokio::test]
async fn every_usual_kind_of_audio_is_spoken() -> anyhow::Result<()> {
    let bystander = Bystander::start().await?;
    let stereo: Vec<i16> = (0..48_000_i32).flat_map(|n| [(n % 200 * 50) as i16, (n % 150 * 50) as i16]).collect();
    let second = speech::buzz(1.0, 16_000);
    let kinds = [
        ("8 kHz", speech::buzz(1.0, 8_000)),
        ("44.1 kHz", speech::buzz(1.0, 44_100)),
        ("48 kHz", speech::buzz(1.0, 48_000)),
        ("stereo", speech::wav(48_000, 2, &stereo)),
        ("float", tools::convert(&second, &["-c:a", "pcm_f32le", "-f", "wav"])?),
        ("24 bits", tools::convert(&second, &["-c:a", "pcm_s24le", "-f", "wav"])?),
        ("FLAC", tools::convert(&second, &["-f", "flac"])?),
        // Sent as audio/wav like all of these: what it is decides, not what it is called.
        ("MP3 named WAV", tools::convert(&second, &["-ar", "44100", "-f", "mp3"])?),
        ("Opus in Ogg", tools::convert(&second, &["-ar", "48000", "-c:a", "libopus", "-f", "ogg"])?),
        ("Vorbis in Ogg", tools::convert(&second, &["-c:a", "libvorbis", "-ar", "44100", "-f", "ogg"])?),
    ];
    let mut frames = 0;
    for (what, body) in kinds {
        bystander.customer.speak(&bystander.id, body).await?;
        // Coders pad: a frame or two more than was put in.
        let spoken = bystander.watcher.wait_until(Duration::from_secs(10), |seen| seen.active_frames() >= frames + 25);
        spoken.await.with_context(|| what)?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = bystander.watcher.seen().active_frames();
        ensure!((25..=28).contains(&(now - frames)), "{what}: {} frames", now - frames);
        frames = now;
    }
    Ok(())
}

#[tokio::test]
async fn three_hours_in_a_small_file_are_refused_by_their_length() -> anyhow::Result<()> {
    let mut bystander = Bystander::start().await?;
    let silence = ["-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono", "-t", "10800", "-f", "flac"];
    let file = tools::generate(&silence)?;
    let (status, problem) = bystander.customer.upload(&bystander.id, file, "audio/wav", "append").await?;
    is_problem(status, &problem, StatusCode::UNPROCESSABLE_ENTITY)?;
    ensure!(problem["code"] == "audio_too_long", "{problem}");
    eprintln!("{}", problem["detail"]);
    bystander.still_speaks().await
}

#[tokio::test]
async fn wrong_requests_are_refused_by_field() -> anyhow::Result<()> {
    let mut bystander = Bystander::start().await?;
    let wrong = [
        (json!({ "avatar": "nobody" }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "width": 511 }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "width": 100_000, "height": 100_000 }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "fps": 0 }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "product": "a_pony" }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "colour": "blue" }), StatusCode::UNPROCESSABLE_ENTITY),
    ];
    for (body, expected) in wrong {
        let (status, problem) = bystander.customer.call(Method::POST, "/v1/sessions", Some(body.clone())).await?;
        ensure!(status.is_client_error(), "{body}: {status}");
        is_problem(status, &problem, expected).map_err(|error| error.context(body.to_string()))?;
        eprintln!("{body}: {}", problem["detail"]);
    }
    let (status, problem) = bystander.customer.call(Method::GET, "/v1/sessions/ses_x", None).await?;
    is_problem(status, &problem, StatusCode::NOT_FOUND)?;
    let (status, problem) = bystander.customer.call(Method::GET, "/no/such/place", None).await?;
    is_problem(status, &problem, StatusCode::NOT_FOUND)?;
    bystander.still_speaks().await
}

#[tokio::test]
async fn a_huge_body_is_refused_before_it_is_read() -> anyhow::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut bystander = Bystander::start().await?;
    let host = bystander.node.url.trim_start_matches("http://").to_owned();
    let mut socket = tokio::net::TcpStream::connect(&host).await?;
    let head = format!(
        "POST /v1/sessions/{}/audio HTTP/1.1\r\nhost: {host}\r\napi-secret: {}\r\ncontent-type: audio/wav\r\ncontent-length: 1073741824\r\n\r\n",
        bystander.id, bystander.customer.secret
    );
    socket.write_all(head.as_bytes()).await?;
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(5), socket.read(&mut answer)).await??;
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    ensure!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    bystander.still_speaks().await
}

#[tokio::test]
async fn another_accounts_session_is_not_there() -> anyhow::Result<()> {
    let mut bystander = Bystander::start().await?;
    let other = bystander.node.customer("1").await?;
    let session = format!("/v1/sessions/{}", bystander.id);
    for (method, path) in [
        (Method::GET, session.clone()),
        (Method::DELETE, session.clone()),
        (Method::POST, format!("{session}/pause")),
        (Method::POST, format!("{session}/resume")),
        (Method::POST, format!("{session}/interrupt")),
        (Method::GET, format!("{session}/events")),
    ] {
        let (status, problem) = other.call(method.clone(), &path, None).await?;
        is_problem(status, &problem, StatusCode::NOT_FOUND)
            .map_err(|error| error.context(format!("{method} {path}")))?;
    }
    ensure!(other.watch(&bystander.id).await.is_err(), "another account watches");
    let (status, _) = other.upload(&bystander.id, speech::buzz(1.0, 16_000), "audio/wav", "append").await?;
    ensure!(status == StatusCode::NOT_FOUND, "{status}");
    let listed = other.expect(Method::GET, "/v1/sessions", None).await?;
    ensure!(listed["data"] == json!([]), "{listed}");
    bystander.still_speaks().await
}

#[tokio::test]
async fn a_viewer_who_never_reads_costs_no_memory_and_stops_nobody() -> anyhow::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    // Real pictures, and readers in whose sockets hardly any of them fit: what nobody reads must wait at the node or go.
    let mut bystander = Bystander::start_as(NodeSetup::embedded(), json!({ "width": 768, "height": 768 })).await?;
    let host = bystander.node.url.trim_start_matches("http://").to_owned();
    let mut sockets = Vec::new();
    for _ in 0..20 {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(2_048)?;
        let mut socket = socket.connect(host.parse()?).await?;
        let head = format!(
            "GET /v1/sessions/{}/stream HTTP/1.1\r\nhost: {host}\r\napi-secret: {}\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            bystander.id, bystander.customer.secret
        );
        socket.write_all(head.as_bytes()).await?;
        sockets.push(socket);
    }
    let before = bystander.node.resident_bytes();
    for _ in 0..8 {
        bystander.still_speaks().await?;
    }
    let seen: usize = bystander.watcher.seen().units.iter().map(|unit| unit.body.len()).sum();
    let after = bystander.node.resident_bytes();
    if let (Some(before), Some(after)) = (before, after) {
        ensure!(after < before + 64 * 1024 * 1024, "{before} bytes grew to {after}");
    }
    // One of them reads what was kept for it, and a second of what is new: much less than was sent to who reads.
    let (mut kept, mut chunk) = (0, vec![0; 65_536]);
    let until = tokio::time::Instant::now() + Duration::from_secs(1);
    while let Ok(read) = tokio::time::timeout_at(until, sockets[0].read(&mut chunk)).await {
        kept += read?;
    }
    eprintln!("{kept} bytes were kept for who read nothing, of {seen}");
    ensure!(kept > 0 && kept < seen * 3 / 4, "{kept} of {seen} bytes were kept for a reader who reads nothing");
    Ok(())
}

#[tokio::test]
async fn wrong_settings_and_a_directory_in_use_are_named() -> anyhow::Result<()> {
    let setup = NodeSetup::embedded().without_pictures();
    let node = setup.start().await?;
    let second = setup.command(&["serve"]).output().await?;
    let said = String::from_utf8_lossy(&second.stderr);
    ensure!(!second.status.success() && said.contains("in use"), "{said}");

    // The audit does not need the directory then: it asks the node.
    let audit = setup.command(&["audit"]).env("FOOTLIGHT_ADMIN_URL", &node.admin_url).output().await?;
    let said = String::from_utf8_lossy(&audit.stdout);
    ensure!(audit.status.success() && said.contains("Balanced"), "{said} {}", String::from_utf8_lossy(&audit.stderr));
    let mut audit = setup.command(&["audit"]);
    let audit = audit.env_remove("FOOTLIGHT_ADMIN_TOKEN").output().await?;
    let said = String::from_utf8_lossy(&audit.stderr);
    ensure!(audit.status.code() == Some(4) && said.contains("FOOTLIGHT_ADMIN_TOKEN"), "{said}");

    let unknown = NodeSetup::embedded().set("metering.hartbeat", "1s").command(&["config"]).output().await?;
    let said = String::from_utf8_lossy(&unknown.stderr);
    ensure!(unknown.status.code() == Some(2) && said.contains("hartbeat"), "{said}");

    let out_of_range = NodeSetup::embedded().set("metering.heartbeat", "1ms").command(&["config"]).output().await?;
    let said = String::from_utf8_lossy(&out_of_range.stderr);
    ensure!(out_of_range.status.code() == Some(2) && said.contains("metering.heartbeat"), "{said}");
    Ok(())
}
