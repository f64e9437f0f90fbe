//! Who is let in on the cluster listener.

use footlight_cluster::http::Line;
use footlight_cluster::{Peer, PeerClient};
use footlight_ledger::BootId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::pair::{Pair, client, pair, pass};
use crate::harness::{Answer, answer, now};

const PULSE: &str = "/cluster/v1/pulse";

async fn call(pair: &Pair, path: &str, pass: Option<&str>) -> Answer {
    let mut request = pair.near.http.get(format!("http://{}{path}", pair.far.cluster));
    if let Some(pass) = pass {
        request = request.header("footlight-peer", pass);
    }
    answer(request).await
}

#[actix_web::test]
async fn without_a_good_pass_nothing_is_answered() {
    let pair = pair().await;
    let (near, far) = (pair.near.node.boot(), pair.far.node.boot());
    let good = pass(near, far, "GET", PULSE, now(), 1);
    let pulse = call(&pair, PULSE, Some(&good)).await;
    assert_eq!(pulse.status, StatusCode::OK, "{}", pulse.text);
    assert_eq!((&pulse.json()["boot"], &pulse.json()["store_up"]), (&json!(far.to_string()), &json!(true)));

    let forged = pass(near, far, "GET", PULSE, now(), 2).replace(";-;", ";10.0.0.1;");
    let old = pass(near, far, "GET", PULSE, now().plus_ms(-31_000), 3);
    let of_another_call = pass(near, far, "GET", "/cluster/v1/records", now(), 4);
    let to_another_node = pass(far, near, "GET", PULSE, now(), 5);
    for (what, bad) in [
        ("none", None),
        ("used", Some(good.as_str())),
        ("forged", Some(&forged)),
        ("old", Some(&old)),
        ("of another call", Some(&of_another_call)),
        ("to another node", Some(&to_another_node)),
        ("nonsense", Some("v1;x")),
    ] {
        let refused = call(&pair, PULSE, bad).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{what}");
        refused.problem(401, "pass_invalid");
    }
    for path in ["/v1/sessions", "/metrics", "/", "/admin/v1/accounts"] {
        call(&pair, path, None).await.problem(401, "pass_invalid");
    }
}

#[actix_web::test]
async fn a_pass_opens_the_door_and_no_account() {
    let pair = pair().await;
    let (near, far) = (pair.near.node.boot(), pair.far.node.boot());
    let customer = pair.far.customer("10").await;
    let id = pair.far.create(&customer, json!({})).await;
    let path = format!("/v1/sessions/{id}");
    let good = |nonce| pass(near, far, "GET", &path, now(), nonce);
    call(&pair, &path, Some(&good(1))).await.problem(401, "api_secret_missing");
    let url = format!("http://{}{path}", pair.far.cluster);
    let request = pair.near.http.get(url).header("footlight-peer", good(2)).header("api-secret", &customer.secret);
    assert_eq!(answer(request).await.json()["id"], json!(id));
    // Lists and accounts are every node's own.
    for path in ["/v1/sessions", "/v1/me", "/admin/v1/accounts", "/admin/v1/log"] {
        let good = pass(near, far, "GET", path, now(), Uuid::now_v7().as_u128());
        let url = format!("http://{}{path}", pair.far.cluster);
        let request = pair.near.http.get(url).header("footlight-peer", good).header("api-secret", &customer.secret);
        answer(request).await.problem(404, "route_not_found");
    }
    // A pass on the public listener is worth nothing.
    let good = pass(near, far, "GET", "/admin/v1/sessions", now(), 9);
    let url = format!("{}/admin/v1/sessions", pair.far.admin);
    answer(pair.near.http.get(url).header("footlight-peer", good)).await.problem(401, "admin_token_missing");
}

#[actix_web::test]
async fn guesses_count_against_the_client_and_not_against_the_node_that_passes_them_on() {
    let pair = super::pair::pair_with(
        |options| options.failures_per_minute = 3,
        |_, own| std::sync::Arc::new(footlight_cluster::HereAlone(own)),
    )
    .await;
    let far = pair.far.node.boot();
    let guess = async |from: &str| {
        let target = "/v1/sessions/ses_0193b5f2a7c87d1e8f3a9b2c4d5e6f70";
        let pass = footlight_cluster::Pass {
            from: BootId(Uuid::now_v7()),
            client: Some(from.parse().expect("an address")),
            operator: None,
        };
        let nonce = Uuid::now_v7().as_u128();
        let key = super::pair::key();
        let signed = footlight_cluster::pass::sign(&key, &pass, ("GET", target, far), now(), nonce);
        let request = pair.near.http.get(format!("http://{}{target}", pair.far.cluster));
        let refused = answer(request.header("footlight-peer", signed).bearer_auth("flt1.x.y")).await;
        refused.any_problem()["code"].as_str().expect("a code").to_owned()
    };
    for _ in 0..3 {
        assert_eq!(guess("10.0.0.1").await, "token_invalid");
    }
    assert_eq!(guess("10.0.0.1").await, "too_many_failures");
    assert_eq!(guess("10.0.0.2").await, "token_invalid");
}

#[actix_web::test]
async fn nodes_ask_each_other_plainly() {
    let pair = pair().await;
    let own = client(pair.near.node.boot());
    let patience = std::time::Duration::from_secs(5);
    let ask = async |client: PeerClient, peer: Peer, target: &str| {
        client.ask::<Value>(&peer, Line::Nodes, (hyper::Method::GET, target), None::<&()>, patience).await
    };
    let pulse = ask(own.clone(), pair.far_peer(), PULSE).await.expect("an answer");
    assert_eq!(pulse["name"], "far");
    let wrong = ask(own.clone(), pair.far_peer(), "/cluster/v1/nothing").await;
    assert!(matches!(wrong, Err(footlight_cluster::PeerError::Answered { status, .. }) if status == 404));
    // Another run at the same address: nothing is done there.
    let other = footlight_cluster::Peer { boot: BootId(Uuid::now_v7()), ..pair.far_peer() };
    let refused = ask(own, other, PULSE).await.expect_err("another run");
    assert!(matches!(refused, footlight_cluster::PeerError::Refused { .. }) && refused.is_undone(), "{refused}");
    pair.cable.cut();
    let gone = ask(client(pair.near.node.boot()), pair.far_peer(), PULSE).await;
    assert!(gone.expect_err("nobody is there").is_undone());
    let drained = pass(pair.near.node.boot(), pair.far.node.boot(), "POST", "/admin/v1/drain", now(), 77);
    let request = pair.near.http.request(Method::POST, format!("http://{}/admin/v1/drain", pair.far.cluster));
    let report = answer(request.header("footlight-peer", drained).json(&json!({"deadline_s": 1}))).await;
    assert_eq!(report.json()["still_speaking"], 0, "{}", report.text);
    assert!(pair.far.node.readiness().reasons.contains(&footlight_actors::UnreadyReason::Draining));
}
