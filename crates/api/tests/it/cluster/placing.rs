//! Creating sessions where there is room.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use footlight_cluster::{Peer, Place, PlaceError, Placed, Placement, Reservation, Wish};
use footlight_ledger::BootId;
use parking_lot::Mutex;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::pair::{Pair, pair_with};
use crate::harness::{Answer, Customer, answer};

/// A placement that goes by a list; when that is used up, everything is full.
#[derive(Default)]
struct Script {
    /// Another node, or this one.
    places: Mutex<VecDeque<Option<Peer>>>,
    wishes: Mutex<Vec<Wish>>,
    settled: Mutex<Vec<Placed>>,
    own: Mutex<Option<BootId>>,
}

#[async_trait]
impl Placement for Script {
    async fn place(&self, wish: &Wish) -> Result<Place, PlaceError> {
        self.wishes.lock().push(wish.clone());
        let place = self.places.lock().pop_front();
        let reservation = |boot| Reservation { session: wish.session, boot, weight_milli: wish.weight_milli };
        match place {
            None => Err(PlaceError::Full { used: 59, total: 60, retry_after_s: 3 }),
            Some(None) => Ok(Place::Here { reservation: reservation(self.own.lock().expect("it was told")) }),
            Some(Some(peer)) => {
                let reservation = reservation(peer.boot);
                Ok(Place::At { peer, reservation })
            }
        }
    }

    async fn settle(&self, _: Reservation, placed: Placed) {
        self.settled.lock().push(placed);
    }
}

async fn scripted() -> (Pair, Arc<Script>, Customer) {
    let script = Arc::new(Script::default());
    let kept = Arc::clone(&script);
    let pair = pair_with(
        |_| {},
        |own| {
            *kept.own.lock() = Some(own);
            kept
        },
    )
    .await;
    let customer = pair.near.customer("10").await;
    (pair, script, customer)
}

async fn create(pair: &Pair, customer: &Customer, key: &str) -> Answer {
    let request = pair.near.request(customer, Method::POST, "/v1/sessions").json(&json!({"avatar": "miles"}));
    answer(request.header("idempotency-key", key)).await
}

#[actix_web::test]
async fn a_session_is_created_where_it_was_placed_and_answered_as_if_it_were_here() {
    let (pair, script, customer) = scripted().await;
    script.places.lock().extend([Some(pair.far_peer()), None]);
    let created = create(&pair, &customer, "k1").await;
    assert_eq!((created.status, &created.json()["node"]), (StatusCode::CREATED, &json!("far")), "{}", created.text);
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    let again = create(&pair, &customer, "k1").await;
    assert_eq!((again.header("idempotent-replayed"), &again.text), ("true", &created.text));
    assert_eq!(script.wishes.lock().len(), 1, "a repeat is not placed");
    let wish = script.wishes.lock()[0].clone();
    assert_eq!(
        (wish.session.to_string(), wish.weight_milli, wish.avatar.as_deref()),
        (id.clone(), 1000, Some("miles"))
    );
    assert_eq!(pair.near.call(&customer, Method::GET, &format!("/v1/sessions/{id}")).await.json()["node"], "far");
    assert_eq!(create(&pair, &customer, "k2").await.json()["node"], "near");
    assert_eq!(*script.settled.lock(), [Placed::Taken, Placed::Taken]);

    let full = create(&pair, &customer, "k3").await;
    let problem = full.problem(503, "capacity");
    assert_eq!((full.header("retry-after"), &problem["used"]), ("3", &json!(59)));
    assert_eq!((&problem["total"], &problem["available"]), (&json!(60), &json!(1)));
    let bad = pair.near.request(&customer, Method::POST, "/v1/sessions").json(&json!({"fps": 24}));
    answer(bad).await.problem(422, "invalid_field");
    assert_eq!(script.wishes.lock().len(), 3, "what no node would take is not placed");
}

#[actix_web::test]
async fn what_the_other_node_refuses_is_passed_back_and_may_be_tried_again() {
    let (pair, script, customer) = scripted().await;
    script.places.lock().extend([Some(pair.far_peer()), Some(pair.far_peer())]);
    let order = json!({"avatar": "nobody"});
    let ask = async || {
        let request = pair.near.request(&customer, Method::POST, "/v1/sessions").json(&order);
        answer(request.header("idempotency-key", "k")).await
    };
    let refused = ask().await;
    assert_eq!(refused.problem(422, "unknown_avatar")["known"], json!(["ada", "clapper", "miles"]));
    ask().await.problem(422, "unknown_avatar");
    assert_eq!(*script.settled.lock(), [Placed::GivenBack, Placed::GivenBack], "the key was not used up");
}

#[actix_web::test]
async fn a_node_that_is_full_or_gone_is_left_out_and_the_next_is_tried() {
    let (pair, script, customer) = scripted().await;
    let gone = Peer { boot: BootId(Uuid::now_v7()), name: "gone".to_owned(), address: "127.0.0.1:1".to_owned() };
    pair.far.node.drain(Duration::ZERO).await;
    script.places.lock().extend([Some(pair.far_peer()), Some(gone.clone()), None]);
    let created = create(&pair, &customer, "k").await;
    assert_eq!(created.json()["node"], "near", "{}", created.text);
    assert_eq!(script.wishes.lock()[2].except, [pair.far.node.boot(), gone.boot]);
    assert_eq!(*script.settled.lock(), [Placed::GivenBack, Placed::GivenBack, Placed::Taken]);
    script.places.lock().extend([Some(gone.clone()), Some(gone.clone()), Some(gone)]);
    create(&pair, &customer, "k2").await.problem(503, "capacity");
    assert_eq!(script.settled.lock().len(), 6, "three tries at most");
}

#[actix_web::test]
async fn when_an_answer_is_lost_the_session_is_looked_up() {
    let (pair, script, customer) = scripted().await;
    // Passes the question on to the far node, and loses the answer.
    let socket = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = socket.local_addr().expect("it is bound").to_string();
    let far = pair.far.cluster.clone();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = socket.accept().await {
            let mut far = tokio::net::TcpStream::connect(&far).await.expect("it is there");
            let (mut near_in, _near_out) = near.split();
            let (mut far_in, mut far_out) = far.split();
            let mut first = [0; 1];
            tokio::select! {
                _ = tokio::io::copy(&mut near_in, &mut far_out) => {}
                _ = far_in.read(&mut first) => {}
            }
        }
    });
    let lossy = Peer { address, ..pair.far_peer() };
    script.places.lock().extend([Some(lossy)]);
    let created = create(&pair, &customer, "k").await;
    assert_eq!((created.status, &created.json()["node"]), (StatusCode::CREATED, &json!("far")), "{}", created.text);
    assert_eq!(*script.settled.lock(), [Placed::Taken]);

    // A node that takes the question and is gone: nothing was created, and another is tried.
    let socket = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = socket.local_addr().expect("it is bound").to_string();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = socket.accept().await {
            let _ = near.read(&mut [0; 64]).await;
        }
    });
    script.places.lock().extend([Some(Peer { address, ..pair.far_peer() }), None]);
    assert_eq!(create(&pair, &customer, "k2").await.json()["node"], "near");
    assert_eq!(*script.settled.lock(), [Placed::Taken, Placed::Unclear, Placed::Taken]);
}

#[actix_web::test]
async fn labels_are_of_nodes_among_others() {
    let (pair, script, customer) = scripted().await;
    script.places.lock().push_back(None);
    let ask = async |order| answer(pair.near.request(&customer, Method::POST, "/v1/sessions").json(&order)).await;
    assert_eq!(ask(json!({"labels": {"zone": "a"}})).await.status, StatusCode::CREATED);
    assert_eq!(script.wishes.lock()[0].labels["zone"], "a");
    let many: serde_json::Map<_, _> = (0..9).map(|n| (n.to_string(), json!("x"))).collect();
    ask(json!({"labels": many})).await.problem(422, "invalid_field");
    let alone = crate::harness::serve().await;
    let customer = alone.customer("10").await;
    let request = alone.request(&customer, Method::POST, "/v1/sessions").json(&json!({"labels": {"zone": "a"}}));
    answer(request).await.problem(422, "invalid_field");
}
