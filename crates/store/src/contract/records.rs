//! Promises about records and blobs.

use std::sync::Arc;

use footlight_ledger::Timestamp;
use uuid::Uuid;

use super::given::{new_account, now};
use crate::blobs::{BLOB_MAX, BlobInfo};
use crate::records::{BODY_MAX, get_record, write_surely};
use crate::{
    Due, DueQueue, Expected, Owner, RecordBatch, RecordKey, RecordOp, RecordOutcome, RecordRange, RecordVersion, Store,
    StoreError,
};

const THINGS: &str = "things";
const OTHERS: &str = "others";

fn fresh() -> RecordVersion {
    RecordVersion(Uuid::now_v7().as_u128())
}

fn owner() -> Owner {
    Owner::Account(new_account())
}

fn at(queue: &str, at: Timestamp) -> Option<Due> {
    Some(Due { queue: queue.to_owned(), at })
}

fn put(id: &str, expected: Expected, due: Option<Due>, body: &[u8]) -> (RecordVersion, RecordOp) {
    let next = fresh();
    (next, RecordOp::Put { key: RecordKey::new(THINGS, id), expected, next, due, body: body.to_vec() })
}

async fn write(store: &dyn Store, owner: Owner, ops: Vec<RecordOp>) -> RecordOutcome {
    let mut outcomes = store.write_records(vec![RecordBatch { owner, ops }]).await;
    outcomes.pop().expect("one result").expect("the store works")
}

async fn body(store: &dyn Store, owner: Owner, id: &str) -> Option<Vec<u8>> {
    let record = get_record(store, owner, &RecordKey::new(THINGS, id)).await.expect("reads");
    record.map(|record| record.body)
}

/// Read back as it was written; another owner's, another collection's and another name's are others.
pub async fn a_record_is_read_back_as_it_was_written(store: Arc<dyn Store>) {
    let (ours, theirs) = (owner(), owner());
    let due = at("line", Timestamp(77));
    let (version, op) = put("one", Expected::Absent, due.clone(), b"\x00\xffbody");
    assert_eq!(write(&*store, ours, vec![op]).await, RecordOutcome::Written);
    let (_, op) = put("one", Expected::Absent, None, b"service");
    assert_eq!(write(&*store, Owner::Service, vec![op]).await, RecordOutcome::Written);
    let found = store.get_records(ours, THINGS, &["two".to_owned(), "one".to_owned()]).await.expect("reads");
    let record = found[1].as_ref().expect("is there");
    assert_eq!(found[0], None);
    assert_eq!((record.id.as_str(), record.version, &record.due), ("one", version, &due));
    assert_eq!(record.body, b"\x00\xffbody");
    assert_eq!(body(&*store, Owner::Service, "one").await.as_deref(), Some(&b"service"[..]));
    assert_eq!(body(&*store, theirs, "one").await, None);
    assert_eq!(store.get_records(ours, OTHERS, &["one".to_owned()]).await.expect("reads"), [None]);
}

/// Versions are compared; a batch is written whole or not at all; sent twice it is written once.
pub async fn a_batch_is_written_whole_if_all_is_as_expected(store: Arc<dyn Store>) {
    let owner = owner();
    let (first, op) = put("one", Expected::Absent, None, b"1");
    assert_eq!(write(&*store, owner, vec![op.clone()]).await, RecordOutcome::Written);
    assert_eq!(write(&*store, owner, vec![op]).await, RecordOutcome::Written, "sent twice");
    let (_, again) = put("one", Expected::Absent, None, b"2");
    assert_eq!(write(&*store, owner, vec![again]).await, RecordOutcome::Conflict);

    let (_, beside) = put("two", Expected::Absent, None, b"two");
    let (_, stale) = put("one", Expected::Version(fresh()), None, b"2");
    assert_eq!(write(&*store, owner, vec![beside.clone(), stale]).await, RecordOutcome::Conflict);
    assert_eq!(body(&*store, owner, "two").await, None, "nothing of it was written");

    let (second, right) = put("one", Expected::Version(first), None, b"2");
    let batch = vec![beside, right, RecordOp::Absent { key: RecordKey::new(OTHERS, "one") }];
    assert_eq!(write(&*store, owner, batch.clone()).await, RecordOutcome::Written);
    assert_eq!(write(&*store, owner, batch).await, RecordOutcome::Written, "sent twice");
    assert_eq!(body(&*store, owner, "one").await.as_deref(), Some(&b"2"[..]));
    assert_eq!(body(&*store, owner, "two").await.as_deref(), Some(&b"two"[..]));

    let delete = |expected| RecordOp::Delete { key: RecordKey::new(THINGS, "one"), expected };
    assert_eq!(write(&*store, owner, vec![delete(Expected::Version(first))]).await, RecordOutcome::Conflict);
    let blocked = vec![RecordOp::Absent { key: RecordKey::new(THINGS, "two") }, delete(Expected::Any)];
    assert_eq!(write(&*store, owner, blocked).await, RecordOutcome::Conflict);
    assert_eq!(write(&*store, owner, vec![delete(Expected::Version(second))]).await, RecordOutcome::Written);
    assert_eq!(write(&*store, owner, vec![delete(Expected::Any)]).await, RecordOutcome::Written, "gone already");
    assert_eq!(body(&*store, owner, "one").await, None);
    let (_, anew) = put("one", Expected::Any, None, b"3");
    assert_eq!(write(&*store, owner, vec![anew]).await, RecordOutcome::Written);
}

/// What is there gets a new version and is otherwise left alone.
pub async fn ensuring_makes_a_record_or_touches_it(store: Arc<dyn Store>) {
    let owner = owner();
    let ensure = |due: Option<Due>, body: &[u8]| {
        let next = fresh();
        (next, RecordOp::Ensure { key: RecordKey::new(THINGS, "one"), next, due, body: body.to_vec() })
    };
    let (first, op) = ensure(at("line", Timestamp(5)), b"first");
    assert_eq!(write(&*store, owner, vec![op]).await, RecordOutcome::Written);
    let (second, op) = ensure(at("line", Timestamp(1)), b"second");
    assert_eq!(write(&*store, owner, vec![op]).await, RecordOutcome::Written);
    let record = get_record(&*store, owner, &RecordKey::new(THINGS, "one")).await.expect("reads").expect("is there");
    assert_eq!((record.version, record.body.as_slice()), (second, &b"first"[..]));
    assert_eq!(record.due, at("line", Timestamp(5)));
    let late = RecordOp::Delete { key: RecordKey::new(THINGS, "one"), expected: Expected::Version(first) };
    assert_eq!(write(&*store, owner, vec![late]).await, RecordOutcome::Conflict, "somebody came meanwhile");
}

/// By prefix and page, forwards and backwards.
pub async fn records_are_listed_in_the_order_of_their_ids(store: Arc<dyn Store>) {
    let owner = owner();
    let ids = ["a/1", "a/2", "a/3", "b/1", "a0", "a"];
    let ops = ids.iter().map(|id| put(id, Expected::Absent, None, id.as_bytes()).1).collect();
    assert_eq!(write(&*store, owner, ops).await, RecordOutcome::Written);
    let list = |prefix: &str, after: Option<&str>, backwards, limit| {
        let range = RecordRange { prefix: prefix.to_owned(), after: after.map(str::to_owned), backwards, limit };
        let store = Arc::clone(&store);
        async move {
            let records = store.list_records(owner, THINGS, range).await.expect("lists");
            records.into_iter().map(|record| record.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(list("", None, false, usize::MAX).await, ["a", "a/1", "a/2", "a/3", "a0", "b/1"]);
    assert_eq!(list("a/", None, false, 2).await, ["a/1", "a/2"]);
    assert_eq!(list("a/", Some("a/2"), false, 9).await, ["a/3"]);
    assert_eq!(list("a/", None, true, 2).await, ["a/3", "a/2"]);
    assert_eq!(list("a/", Some("a/2"), true, 9).await, ["a/1"]);
    assert_eq!(list("c", None, false, 9).await, Vec::<String>::new());
}

/// Each line for itself, what has waited longest first; what is moved, taken out or deleted is not due any more.
pub async fn what_is_due_is_found_in_its_line(store: Arc<dyn Store>) {
    let (ours, theirs) = (owner(), owner());
    let (past, soon, later) = (now().plus_ms(-2_000), now().plus_ms(-1_000), now().plus_ms(60_000));
    let (two, op) = put("two", Expected::Absent, at("line", past), b"");
    let ops = vec![
        put("one", Expected::Absent, at("line", soon), b"").1,
        op,
        put("three", Expected::Absent, at("line", later), b"").1,
        put("four", Expected::Absent, at("other", soon), b"").1,
        put("five", Expected::Absent, None, b"").1,
    ];
    assert_eq!(write(&*store, ours, ops).await, RecordOutcome::Written);
    assert_eq!(
        write(&*store, theirs, vec![put("six", Expected::Absent, at("line", later), b"").1]).await,
        RecordOutcome::Written
    );
    let due = |owner, queue: &'static str, at: Timestamp| {
        let store = Arc::clone(&store);
        async move {
            let records = store.list_due(owner, THINGS, queue, at, 9).await.expect("lists");
            records.into_iter().map(|record| record.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(due(ours, "line", now()).await, ["two", "one"]);
    assert_eq!(due(ours, "line", later).await, ["two", "one", "three"]);
    assert_eq!(due(ours, "other", now()).await, ["four"]);
    assert_eq!(store.list_due(ours, THINGS, "line", now(), usize::MAX).await.expect("lists").len(), 2);
    assert_eq!(due(theirs, "line", now()).await, Vec::<String>::new());
    let lines = store.due_queues(THINGS, now(), 9).await.expect("lists");
    for queue in ["line", "other"] {
        assert!(lines.contains(&DueQueue { owner: ours, queue: queue.to_owned() }), "{lines:?}");
    }
    assert_eq!(store.due_queues(OTHERS, now(), 9).await.expect("lists"), []);

    let key = |id| RecordKey::new(THINGS, id);
    let moves = vec![
        put("two", Expected::Version(two), at("other", past), b"").1,
        RecordOp::Delete { key: key("one"), expected: Expected::Any },
        put("three", Expected::Any, at("line", past), b"").1,
        put("four", Expected::Any, None, b"").1,
    ];
    assert_eq!(write(&*store, ours, moves).await, RecordOutcome::Written);
    assert_eq!(due(ours, "line", now()).await, ["three"]);
    assert_eq!(due(ours, "other", now()).await, ["two"]);
    // Looking and finding nothing must not hide what comes later.
    assert_eq!(due(theirs, "line", later).await, ["six"]);
    let lines = store.due_queues(THINGS, later, 9).await.expect("lists");
    assert!(lines.contains(&DueQueue { owner: theirs, queue: "line".to_owned() }), "{lines:?}");
}

/// Two who claim the same records get each once.
pub async fn a_due_record_is_claimed_by_one(store: Arc<dyn Store>) {
    let owner = owner();
    let ops = (0..40).map(|n| put(&format!("{n:02}"), Expected::Absent, at("line", Timestamp(n)), b"").1).collect();
    assert_eq!(write(&*store, owner, ops).await, RecordOutcome::Written);
    let claim = || {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut claimed = Vec::new();
            loop {
                let due = store.list_due(owner, THINGS, "line", now(), 5).await.expect("lists");
                if due.is_empty() {
                    return claimed;
                }
                for record in due {
                    let later = at("line", now().plus_ms(60_000));
                    let (_, op) = put(&record.id, Expected::Version(record.version), later, b"claimed");
                    if write(&*store, owner, vec![op]).await == RecordOutcome::Written {
                        claimed.push(record.id);
                    }
                }
            }
        })
    };
    let (one, other) = (claim(), claim());
    let mut all = one.await.expect("runs");
    all.extend(other.await.expect("runs"));
    all.sort();
    assert_eq!(all, (0..40).map(|n| format!("{n:02}")).collect::<Vec<_>>());
}

/// What no store takes.
pub async fn names_and_sizes_are_bounded(store: Arc<dyn Store>) {
    let owner = owner();
    let sized = |id: &str, len: usize| put(id, Expected::Any, None, &vec![1; len]).1;
    let refused = [sized("", 1), sized("with space", 1), sized(&"x".repeat(200), 1), sized("large", BODY_MAX + 1)];
    let batches = refused.into_iter().map(|op| RecordBatch { owner, ops: vec![op] });
    let sound = RecordBatch { owner, ops: vec![sized("large", BODY_MAX)] };
    let mut results = store.write_records(batches.chain([sound]).collect()).await;
    assert_eq!(results.pop(), Some(Ok(RecordOutcome::Written)), "each on its own");
    assert_eq!(results.len(), 4);
    for result in results {
        assert!(matches!(result, Err(StoreError::Refused { .. })), "{result:?}");
    }
}

/// Whole, replaced as a whole, each owner's for itself.
pub async fn blobs_are_read_back_replaced_and_deleted(store: Arc<dyn Store>) {
    let (ours, theirs) = (owner(), owner());
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    store.put_blob(ours, "portrait.png", large.clone()).await.expect("writes");
    store.put_blob(ours, "empty", Vec::new()).await.expect("writes");
    store.put_blob(theirs, "portrait.png", vec![9]).await.expect("writes");
    assert!(store.get_blob(ours, "portrait.png").await.expect("reads") == Some(large));
    assert_eq!(store.get_blob(ours, "empty").await.expect("reads"), Some(Vec::new()));
    assert_eq!(store.get_blob(Owner::Service, "portrait.png").await.expect("reads"), None);
    store.put_blob(ours, "portrait.png", vec![1, 2]).await.expect("writes");
    assert_eq!(store.get_blob(ours, "portrait.png").await.expect("reads"), Some(vec![1, 2]));
    let info = |id: &str, len| BlobInfo { id: id.to_owned(), len };
    assert_eq!(store.list_blobs(ours).await.expect("lists"), [info("empty", 0), info("portrait.png", 2)]);
    for _ in 0..2 {
        store.delete_blob(ours, "portrait.png").await.expect("deletes");
    }
    assert_eq!(store.get_blob(ours, "portrait.png").await.expect("reads"), None);
    assert_eq!(store.list_blobs(ours).await.expect("lists"), [info("empty", 0)]);
    assert_eq!(store.get_blob(theirs, "portrait.png").await.expect("reads"), Some(vec![9]));
    for id in ["../up", ".hidden", "a/b", ""] {
        assert!(matches!(store.put_blob(ours, id, vec![1]).await, Err(StoreError::Refused { .. })), "{id}");
    }
    let too_large = store.put_blob(ours, "large", vec![0; BLOB_MAX + 1]).await;
    assert!(matches!(too_large, Err(StoreError::Refused { .. })), "{too_large:?}");
}

/// A counter that many raise at once, while replies, requests and whole writes get lost, comes out exact.
pub async fn a_lost_reply_is_found_out(store: Arc<dyn Store>) {
    use crate::faulty::{Faults, FaultyStore};

    let owner = owner();
    let (_, op) = put("counter", Expected::Absent, None, &0_u32.to_be_bytes());
    assert_eq!(write(&*store, owner, vec![op]).await, RecordOutcome::Written);
    let seed = u64::from(std::process::id());
    println!("faults of seed {seed}");
    let faults = Faults { seed, before: 0, after: 400, instead: 0, late: 0, load: 0 };
    let faulty: Arc<dyn Store> = Arc::new(FaultyStore::new(Arc::clone(&store), faults));
    let mut raised = 0;
    while raised < 50 {
        let key = RecordKey::new(THINGS, "counter");
        let record = get_record(&*faulty, owner, &key).await.expect("reads").expect("is there");
        let count = u32::from_be_bytes(record.body.as_slice().try_into().expect("four bytes"));
        let (_, op) = put("counter", Expected::Version(record.version), None, &(count + 1).to_be_bytes());
        match write_surely(&*faulty, RecordBatch { owner, ops: vec![op] }).await {
            Ok(RecordOutcome::Written) => raised += 1,
            Ok(RecordOutcome::Conflict) => panic!("nobody else writes"),
            // All tries lost their replies: the next look tells.
            Err(error) => {
                assert!(error.is_outcome_unknown(), "{error}");
                raised += 1;
            }
        }
    }
    assert_eq!(body(&*store, owner, "counter").await.as_deref(), Some(&50_u32.to_be_bytes()[..]), "seed {seed}");
}
