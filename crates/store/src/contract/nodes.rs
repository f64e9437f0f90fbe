//! Promises about leases, placement and claims.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use footlight_ledger::BootId;
use uuid::Uuid;

use super::given::new_session;
use crate::Store;
use crate::nodes::{Claimed, NodeCard, NodeEntry, NodeRoom, NodeUse, Placed, Renewal, Renewed, Strategy, Wish};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);
/// Over as soon as it is given.
const OVER: Duration = Duration::ZERO;

pub(super) fn node(name: &str, sessions: u64, lease: Duration) -> Renewal {
    Renewal {
        card: NodeCard {
            boot: BootId(Uuid::now_v7()),
            name: name.to_owned(),
            address: format!("{name}:7080"),
            version: "1.0".to_owned(),
            draining: false,
            labels: BTreeMap::from([("zone".to_owned(), name.to_owned())]),
            avatars: BTreeSet::new(),
        },
        room: NodeRoom { sessions_total: sessions, slots_milli_total: sessions * 1_000, ..NodeRoom::default() },
        absorbed: Vec::new(),
        begins: true,
        lease,
    }
}

fn wish() -> Wish {
    Wish {
        session: new_session(),
        weight_milli: 1_000,
        labels: BTreeMap::new(),
        avatar: "ada".to_owned(),
        strategy: Strategy::TwoChoice,
        only: None,
        not: Vec::new(),
        // The low half of an id of version 7 is random but for its first two bits.
        dice: Uuid::now_v7().as_u64_pair().1 << 2,
    }
}

async fn renew(store: &Arc<dyn Store>, renewal: &Renewal) -> Renewed {
    store.renew_node(renewal.clone()).await.expect("works")
}

async fn place(store: &Arc<dyn Store>, wish: Wish) -> Option<String> {
    match store.place(wish).await.expect("works") {
        Placed::At(card) => Some(card.name),
        Placed::Full { .. } => None,
    }
}

async fn list(store: &Arc<dyn Store>) -> Vec<NodeEntry> {
    let mut nodes = store.list_nodes().await.expect("lists");
    nodes.sort_by(|a, b| a.card.name.cmp(&b.card.name));
    nodes
}

/// What a node says of itself is what the others read; one that goes down in order is gone.
pub async fn a_lease_is_held_while_it_is_renewed(store: Arc<dyn Store>) {
    let mut a = node("a", 4, LONG);
    assert_eq!(renew(&store, &a).await, Renewed::Held);
    (a.begins, a.card.draining, a.room.sessions_used) = (false, true, 2);
    a.card.avatars.insert("miles".to_owned());
    assert_eq!(renew(&store, &a).await, Renewed::Held);
    let listed = list(&store).await;
    let [entry] = listed.as_slice() else { panic!("one node, not {listed:?}") };
    assert_eq!((&entry.card, entry.room, entry.reserved), (&a.card, a.room, (0, 0)));
    assert!(!entry.is_lost() && entry.lease_left_ms > 500_000 && entry.heir.is_none() && !entry.given_up);
    store.leave_node(a.card.boot).await.expect("leaves");
    assert_eq!(list(&store).await, []);
    assert_eq!(renew(&store, &a).await, Renewed::Gone, "it has to begin anew");
}

/// A lease that is over may be renewed as long as nobody has claimed it, and never after.
pub async fn a_lost_node_is_claimed_once_and_never_renewed(store: Arc<dyn Store>) {
    let (mut lost, mut heir, other) = (node("lost", 4, OVER), node("heir", 4, LONG), node("other", 4, LONG));
    for renewal in [&lost, &heir, &other] {
        assert_eq!(renew(&store, renewal).await, Renewed::Held);
    }
    lost.begins = false;
    let [lost_boot, heir_boot, other_boot] = [&lost, &heir, &other].map(|renewal| renewal.card.boot);
    let claim = |who, by, lasts| {
        let store = Arc::clone(&store);
        async move { store.claim_node(who, by, lasts).await.expect("works") }
    };
    assert_eq!(claim(other_boot, heir_boot, LONG).await, Claimed::NotLost);
    assert_eq!(claim(BootId(Uuid::now_v7()), heir_boot, LONG).await, Claimed::NotLost, "nobody");
    assert_eq!(renew(&store, &Renewal { lease: LONG, ..lost.clone() }).await, Renewed::Held, "late, and not too late");
    assert_eq!(claim(lost_boot, heir_boot, LONG).await, Claimed::NotLost);
    assert_eq!(renew(&store, &lost).await, Renewed::Held);
    assert_eq!(claim(lost_boot, lost_boot, LONG).await, Claimed::NotAlive);
    assert_eq!(claim(lost_boot, heir_boot, LONG).await, Claimed::Yes);
    assert_eq!(claim(lost_boot, heir_boot, LONG).await, Claimed::Yes, "the same heir again");
    assert_eq!(claim(lost_boot, other_boot, LONG).await, Claimed::Taken);
    assert_eq!(renew(&store, &lost).await, Renewed::Claimed);
    assert_eq!(place(&store, Wish { only: Some(lost_boot), ..wish() }).await, None);
    assert_eq!(list(&store).await[1].heir, Some(heir_boot));
    store.leave_node(lost_boot).await.expect("works");
    store.bury_node(lost_boot, other_boot).await.expect("works");
    assert_eq!(list(&store).await.len(), 3, "only its heir buries it");

    // An heir that dies in the middle is followed by another.
    assert_eq!(claim(lost_boot, heir_boot, OVER).await, Claimed::Yes);
    assert_eq!(claim(lost_boot, other_boot, LONG).await, Claimed::Yes);
    store.bury_node(lost_boot, heir_boot).await.expect("works");
    assert_eq!(list(&store).await.len(), 3);
    store.bury_node(lost_boot, other_boot).await.expect("works");
    assert_eq!(renew(&store, &lost).await, Renewed::Gone);
    lost.begins = true;
    assert_eq!(renew(&store, &lost).await, Renewed::Held);

    assert!(store.give_up_node(lost_boot).await.expect("works") && list(&store).await[1].given_up);
    assert!(!store.give_up_node(BootId(Uuid::now_v7())).await.expect("works"));
    (heir.begins, heir.lease) = (false, OVER);
    assert_eq!(renew(&store, &heir).await, Renewed::Held);
    assert_eq!(claim(lost_boot, heir_boot, LONG).await, Claimed::NotAlive, "an heir must live itself");
}

/// Two that live do not share a name; a new run at the same address follows the former at once.
pub async fn one_run_has_a_name(store: Arc<dyn Store>) {
    let former = node("a", 1, LONG);
    assert_eq!(renew(&store, &former).await, Renewed::Held);
    let mut elsewhere = node("a", 1, LONG);
    elsewhere.card.address = "elsewhere:7080".to_owned();
    assert_eq!(renew(&store, &elsewhere).await, Renewed::NameTaken { address: former.card.address.clone() });
    let again = node("a", 1, LONG);
    assert_eq!(renew(&store, &again).await, Renewed::Held);
    let claimed = store.claim_node(former.card.boot, again.card.boot, LONG).await.expect("works");
    assert_eq!(claimed, Claimed::Yes, "what ran there before is to be taken over at once");
    store.bury_node(former.card.boot, again.card.boot).await.expect("works");
    assert_eq!(renew(&store, &elsewhere).await, Renewed::NameTaken { address: again.card.address.clone() });
    assert_eq!(renew(&store, &Renewal { begins: false, lease: OVER, ..again }).await, Renewed::Held);
    assert_eq!(renew(&store, &elsewhere).await, Renewed::Held, "its lease is over");
}

/// Promised, then in use, or given back; never both, never neither.
pub async fn a_place_is_reserved_until_it_is_taken(store: Arc<dyn Store>) {
    let mut a = node("a", 2, LONG);
    renew(&store, &a).await;
    let (first, second) = (wish(), wish());
    assert!(place(&store, first.clone()).await.is_some() && place(&store, first.clone()).await.is_some(), "once");
    assert!(place(&store, second.clone()).await.is_some());
    assert_eq!(list(&store).await[0].reserved, (2, 2_000));
    assert_eq!(
        store.place(wish()).await.expect("works"),
        Placed::Full {
            used: NodeUse { sessions: 2, slots_milli: 2_000 },
            total: NodeUse { sessions: 2, slots_milli: 2_000 }
        }
    );
    store.give_back(second.session).await.expect("works");
    store.give_back(second.session).await.expect("twice is once");
    assert_eq!(list(&store).await[0].reserved, (1, 1_000));
    (a.begins, a.absorbed) = (false, vec![first.session, second.session]);
    (a.room.sessions_used, a.room.slots_milli_used) = (1, 1_000);
    renew(&store, &a).await;
    assert_eq!(list(&store).await[0].reserved, (0, 0));
    assert!(place(&store, wish()).await.is_some());
    assert!(place(&store, wish()).await.is_none());
}

/// Neither full ones, nor those that drain, nor those whose lease is over.
pub async fn nodes_without_room_are_not_chosen(store: Arc<dyn Store>) {
    let (mut full, mut drains, lost, free) =
        (node("full", 1, LONG), node("drains", 9, LONG), node("lost", 9, OVER), node("free", 9, LONG));
    full.room.slots_milli_used = 1_000;
    drains.card.draining = true;
    for renewal in [&full, &drains, &lost, &free] {
        renew(&store, renewal).await;
    }
    for strategy in [Strategy::TwoChoice, Strategy::Packed] {
        for _ in 0..4 {
            assert_eq!(place(&store, Wish { strategy, ..wish() }).await.as_deref(), Some("free"));
        }
    }
    assert_eq!(place(&store, Wish { not: vec![free.card.boot], ..wish() }).await, None);
}

/// Labels are a must, avatars a preference, and packing goes to the fullest.
pub async fn a_wish_finds_what_it_asks_for(store: Arc<dyn Store>) {
    let (mut a, mut b) = (node("a", 100, LONG), node("b", 100, LONG));
    (a.room.sessions_used, b.room.sessions_used) = (50, 10);
    a.card.avatars.insert("ada".to_owned());
    renew(&store, &a).await;
    renew(&store, &b).await;
    let zone = |zone: &str| BTreeMap::from([("zone".to_owned(), zone.to_owned())]);
    assert_eq!(place(&store, Wish { labels: zone("a"), ..wish() }).await.as_deref(), Some("a"));
    assert_eq!(place(&store, Wish { labels: zone("c"), ..wish() }).await, None);
    assert_eq!(place(&store, wish()).await.as_deref(), Some("b"), "the emptier of two");
    assert_eq!(place(&store, Wish { strategy: Strategy::Packed, ..wish() }).await.as_deref(), Some("a"));
    (a.begins, a.room.sessions_used) = (false, 15);
    renew(&store, &a).await;
    assert_eq!(place(&store, wish()).await.as_deref(), Some("a"), "nearly as empty, and has the avatar");
    assert_eq!(place(&store, Wish { avatar: "miles".to_owned(), ..wish() }).await.as_deref(), Some("b"));
}

/// Choosing and reserving are one step.
pub async fn many_who_choose_at_once_never_overfill(store: Arc<dyn Store>) {
    for name in ["a", "b", "c"] {
        renew(&store, &node(name, 20, LONG)).await;
    }
    let tasks = (0..100).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { place(&store, wish()).await.is_some() })
    });
    let mut placed = 0;
    for task in tasks.collect::<Vec<_>>() {
        placed += u64::from(task.await.expect("no panic"));
    }
    let nodes = list(&store).await;
    assert_eq!(placed, 60);
    assert!(nodes.iter().all(|node| node.reserved == (20, 20_000)), "{nodes:?}");
}
