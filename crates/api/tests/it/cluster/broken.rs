//! What clients see when the session's node is gone, or stands still, or never was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use footlight_cluster::Peer;
use footlight_ledger::BootId;
use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use super::pair::{Pair, pair};
use crate::harness::{Customer, answer, wav};
use crate::stream::{Viewer, connect};

/// How the WebSocket ends: the close's code and reason, if there was one.
async fn end_of(viewer: &mut Viewer) -> Option<(u16, String)> {
    loop {
        match tokio::time::timeout(Duration::from_secs(5), viewer.0.next()).await.expect("an end") {
            Some(Ok(Message::Close(frame))) => return frame.map(|it| (it.code.into(), it.reason.to_string())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    }
}

/// A session at the far node.
async fn far_session(pair: &Pair) -> (Customer, String) {
    let customer = pair.far.customer("10").await;
    let id = pair.far.create(&customer, json!({})).await;
    (customer, id)
}

#[actix_web::test]
async fn a_node_that_is_gone_closes_its_websockets_as_moved_and_breaks_its_events() {
    let pair = pair().await;
    let (customer, id) = far_session(&pair).await;
    let mut viewer = connect(&pair.near, &customer, &id, "").await;
    viewer.text(|text| text["type"] == "state").await;
    let events = pair.near.request(&customer, Method::GET, &format!("/v1/sessions/{id}/events")).send().await;
    let mut events = events.expect("an answer").bytes_stream();
    events.next().await.expect("an event").expect("no break");
    pair.cable.cut();
    let cut = Instant::now();
    assert_eq!(end_of(&mut viewer).await, Some((1012, "moved".to_owned())));
    let broken = tokio::time::timeout(Duration::from_secs(5), async {
        while let Some(piece) = events.next().await {
            if piece.is_err() {
                return true;
            }
        }
        false
    });
    assert!(broken.await.expect("an end"), "half a stream is not taken for a whole one");
    assert!(cut.elapsed() < Duration::from_secs(2));

    let path = format!("/v1/sessions/{id}");
    let moving = pair.near.call(&customer, Method::GET, &path).await;
    moving.problem(503, "session_moving");
    assert_eq!(moving.header("retry-after"), "1");
    let upload = pair.near.request(&customer, Method::POST, &format!("{path}/audio")).body(wav(10.0, 16_000));
    answer(upload).await.problem(503, "session_moving");
    assert!(pair.passed("unreachable") >= 2);
    pair.peers.remove(pair.far.node.boot());
    pair.near.call(&customer, Method::GET, &path).await.problem(503, "session_moving");
    assert_eq!(pair.passed("no_owner"), 1);
}

#[actix_web::test]
async fn a_node_that_stands_still_is_waited_for_until_it_is_lost() {
    let pair = pair().await;
    let (customer, id) = far_session(&pair).await;
    // Without media nothing is sent for as long as nothing happens.
    let mut viewer = connect(&pair.near, &customer, &id, "?media=none").await;
    viewer.text(|text| text["type"] == "state").await;
    pair.cable.freeze();
    let path = format!("/v1/sessions/{id}");
    let lost = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        pair.peers.remove(pair.far.node.boot());
    };
    let (asked, ()) = tokio::join!(pair.near.call(&customer, Method::GET, &path), lost);
    asked.problem(503, "session_moving");
    assert_eq!(end_of(&mut viewer).await, Some((1012, "moved".to_owned())));
}

/// A node that says what it is told to.
async fn puppet(pair: &Pair, says: Vec<u8>) -> Peer {
    let socket = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = socket.local_addr().expect("it is bound").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                asked.push(byte);
            }
            let _ = stream.write_all(&says).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let peer = Peer { boot: BootId(Uuid::now_v7()), name: "puppet".to_owned(), address };
    pair.peers.add(peer.clone());
    peer
}

/// Lets the directory say that a session lives there.
async fn give_to(pair: &Pair, id: &str, boot: BootId) {
    let mut record = pair.store.get_session(id.parse().expect("an id")).await.expect("a store").expect("a session");
    record.boot = boot;
    assert_eq!(pair.store.put_session(record).await.expect("a store"), footlight_store::SessionPut::Written);
}

/// A WebSocket whose frames nobody reads for us.
async fn upgrade_by_hand(pair: &Pair, customer: &Customer, id: &str) -> TcpStream {
    let address = pair.near.public.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!(
        "GET /v1/sessions/{id}/stream HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: x3JJHMbDL1EzLkh9GBhXDw==\r\napi-secret: {}\r\n\r\n",
        customer.secret
    );
    stream.write_all(request.as_bytes()).await.expect("it is open");
    stream
}

#[actix_web::test]
async fn who_does_not_read_is_waited_for_at_both_ends() {
    const FRAME: u64 = 16 * 1024;
    let pair = pair().await;
    let (customer, id) = far_session(&pair).await;
    pair.far.wait_for(&customer, &id, |it| it["state"] == "idle").await;
    let socket = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = socket.local_addr().expect("it is bound").to_string();
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    // A node that sends for ever, and reads nothing but the head.
    tokio::spawn(async move {
        let (mut stream, _) = socket.accept().await.expect("a connection");
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(stream.read_u8().await.expect("it is open"));
        }
        let head = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        stream.write_all(head).await.expect("it is open");
        let mut frame = vec![0x82, 126];
        frame.extend_from_slice(&(FRAME as u16).to_be_bytes());
        frame.resize(frame.len() + FRAME as usize, 7);
        while stream.write_all(&frame).await.is_ok() {
            counted.fetch_add(FRAME, Ordering::Relaxed);
        }
    });
    let peer = Peer { boot: BootId(Uuid::now_v7()), name: "endless".to_owned(), address };
    pair.peers.add(peer.clone());
    give_to(&pair, &id, peer.boot).await;
    let mut stream = upgrade_by_hand(&pair, &customer, &id).await;
    let settled = async || {
        let mut before = u64::MAX;
        while before != sent.load(Ordering::Relaxed) {
            before = sent.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        before
    };
    let before = settled().await;
    assert!(before < 6 << 20, "{before} bytes wait for a client that reads nothing");
    // It reads again, and gets everything in order.
    let mut read = vec![0; 8 << 20];
    stream.read_exact(&mut read).await.expect("it is open");
    assert!(sent.load(Ordering::Relaxed) >= 8 << 20);
    let body = read.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let whole = read[body..].chunks_exact(FRAME as usize + 4);
    assert!(whole.clone().count() > 400 && whole.into_iter().all(|it| it.starts_with(&[0x82, 126, 0x40, 0])));
    // And the other way round.
    let said = tokio::time::timeout(Duration::from_secs(3), async {
        let mut said = 0_u64;
        while said < 256 << 20 {
            said += stream.write(&[9; 64 * 1024]).await.expect("it is open") as u64;
        }
    });
    assert!(said.await.is_err(), "what a node does not read is not taken from the client");
}

#[actix_web::test]
async fn a_close_frame_is_never_written_into_another_frame() {
    let pair = pair().await;
    let (customer, id) = far_session(&pair).await;
    pair.far.wait_for(&customer, &id, |it| it["state"] == "idle").await;
    // The key of the WebSocket is the client's own, so that only one that checks nothing gets on.
    let head = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-accept: x\r\n\r\n";
    for (frames, expected) in [
        (&b"\x82\x03abc\x82\x7e\x01\x00only the beginning"[..], &b"\x82\x03abc\x82\x7e\x01\x00only the beginning"[..]),
        (b"\x82\x03abc\x82", b"\x82\x03abc\x82"),
        (b"\x82\x03abc", b"\x82\x03abc\x88\x07\x03\xf4moved"),
        (b"\x88\x02\x03\xe8", b"\x88\x02\x03\xe8"),
    ] {
        let peer = puppet(&pair, [&head[..], frames].concat()).await;
        give_to(&pair, &id, peer.boot).await;
        // The directory is asked once a second.
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        let mut stream = upgrade_by_hand(&pair, &customer, &id).await;
        let mut got = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut got)).await;
        let _ = read.expect("an end");
        let text = String::from_utf8_lossy(&got).to_ascii_lowercase();
        assert!(text.starts_with("http/1.1 101") && text.contains("sec-websocket-accept: x\r\n"), "{text}");
        let body = got.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        assert_eq!(&got[body..], expected, "{text}");
    }
}

#[actix_web::test]
async fn a_call_is_passed_on_once_and_by_nobody_twice() {
    let pair = pair().await;
    let (customer, id) = far_session(&pair).await;
    pair.far.wait_for(&customer, &id, |it| it["state"] == "idle").await;
    let path = format!("/v1/sessions/{id}");
    // Everybody believes in a node that answers at the far node's address, and that is not it.
    let ghost = Peer { boot: BootId(Uuid::now_v7()), ..pair.far_peer() };
    pair.peers.add(ghost.clone());
    let customer_2 = pair.far.customer("10").await;
    let other = pair.far.create(&customer_2, json!({})).await;
    pair.far.wait_for(&customer_2, &other, |it| it["state"] == "idle").await;
    give_to(&pair, &other, ghost.boot).await;
    let refused = pair.near.call(&customer_2, Method::GET, &format!("/v1/sessions/{other}")).await;
    let problem = refused.problem(503, "session_moving");
    assert!(problem["detail"].as_str().expect("text").contains("nothing was done"), "{problem}");

    // The directory knows better than what was known a moment ago, and the call is sent once more.
    pair.near.call(&customer, Method::GET, &path).await;
    let third = pair_of_puppets(&pair).await;
    assert_eq!(pair.near.call(&customer, Method::GET, &path).await.json()["node"], "far", "{third}");
}

/// A further node that has nothing.
async fn pair_of_puppets(pair: &Pair) -> String {
    let says = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nfootlight-note: not_here\r\n\r\n";
    puppet(pair, says.to_vec()).await.address
}

#[actix_web::test]
async fn a_node_that_has_it_no_more_says_so_and_the_directory_is_asked_again() {
    let pair = pair().await;
    let (customer, id) = far_session(&pair).await;
    pair.far.wait_for(&customer, &id, |it| it["state"] == "idle").await;
    let says = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nfootlight-note: not_here\r\n\r\n";
    let former = puppet(&pair, says.to_vec()).await;
    give_to(&pair, &id, former.boot).await;
    let path = format!("/v1/sessions/{id}");
    // It is not there, and the directory still says so: somebody has to inherit it.
    pair.near.call(&customer, Method::GET, &path).await.problem(503, "session_moving");
    // It has moved to the far node, which the near one does not know yet.
    give_to(&pair, &id, pair.far.node.boot()).await;
    assert_eq!(pair.near.call(&customer, Method::GET, &path).await.json()["node"], "far");
    let paused = answer(pair.near.request(&customer, Method::POST, &format!("{path}/pause"))).await;
    assert_eq!(paused.json()["state"], "paused");
}
