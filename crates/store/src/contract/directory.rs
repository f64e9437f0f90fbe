//! Promises about secrets, sessions, idempotency keys and progress blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use footlight_ledger::{AccountId, BootId, EndReason, Microcredits, PauseReason, Product, SecretId, SessionId};
use footlight_session::{SessionRecord, SessionState, WhenUnwatched};
use uuid::Uuid;

use super::given::{PRICING, new_account, new_session, now};
use crate::{Remembered, SecretRecord, SessionPut, Store};

/// Only the hash opens; revoking is a change of the record, and what comes later neither undoes it nor puts it off.
pub async fn secrets_are_found_by_hash_until_revoked(store: Arc<dyn Store>) {
    let secret = |name: &str, hash| SecretRecord {
        id: SecretId(Uuid::now_v7()),
        account: AccountId(Uuid::nil()),
        hash: [hash; 32],
        name: name.to_owned(),
        hint: "fl_abcd".to_owned(),
        created_at: now(),
        revoked_at: None,
    };
    let (first, mut second) = (secret("first", 1), secret("second", 2));
    for record in [&first, &second] {
        store.put_secret(record.clone()).await.expect("writes");
    }
    assert_eq!(store.find_secret(&[1; 32]).await.expect("reads"), Some(first.clone()));
    assert_eq!(store.find_secret(&[3; 32]).await.expect("reads"), None);
    second.revoked_at = Some(now());
    store.put_secret(second.clone()).await.expect("writes");
    assert_eq!(store.find_secret(&[2; 32]).await.expect("reads"), Some(second.clone()));
    for later in [None, Some(now().plus_ms(3_600_000))] {
        store.put_secret(SecretRecord { revoked_at: later, ..second.clone() }).await.expect("writes");
        assert_eq!(store.find_secret(&[2; 32]).await.expect("reads"), Some(second.clone()), "{later:?}");
    }
    assert_eq!(store.list_secrets(first.account).await.expect("lists"), [first.clone(), second.clone()]);
    second.revoked_at = second.revoked_at.map(|at| at.plus_ms(-1));
    store.put_secret(second.clone()).await.expect("writes");
    assert_eq!(store.find_secret(&[2; 32]).await.expect("reads"), Some(second.clone()));
    assert_eq!(store.list_secrets(first.account).await.expect("lists"), [first, second]);
    assert_eq!(store.list_secrets(new_account()).await.expect("lists"), []);
}

pub(super) fn record(account: AccountId, node: &str, boot: BootId) -> SessionRecord {
    SessionRecord {
        id: new_session(),
        account,
        secret: Some(SecretId(Uuid::now_v7())),
        state: SessionState::Paused,
        pause_reasons: BTreeSet::from([PauseReason::ByRequest, PauseReason::CreditsExhausted]),
        end_reason: None,
        product: Product::EssenceCloud,
        pricing: PRICING,
        avatar: "ada".to_owned(),
        fps: 25,
        width: 512,
        height: 512,
        background: None,
        when_unwatched: WhenUnwatched::Wait,
        idle_timeout_s: 300,
        max_duration_s: 3_600,
        units: 75,
        stalls: 0,
        credits_used: Microcredits(100_000),
        epoch: 1,
        node: node.to_owned(),
        boot,
        created_at: now(),
        ended_at: None,
        metadata: BTreeMap::from([("order".to_owned(), "42".to_owned())]),
        labels: BTreeMap::from([("zone".to_owned(), "a".to_owned())]),
    }
}

async fn put(store: &Arc<dyn Store>, record: &SessionRecord) {
    assert_eq!(store.put_session(record.clone()).await, Ok(SessionPut::Written));
}

/// Of one account or of all, page by page; a changed record replaces the former.
pub async fn sessions_are_listed_newest_first(store: Arc<dyn Store>) {
    let (ours, theirs) = (new_account(), new_account());
    let boot = BootId(Uuid::now_v7());
    let mut records: Vec<_> = [ours, theirs, ours, ours].map(|account| record(account, "a", boot)).into();
    records.sort_by_key(|record| record.id);
    for record in &records {
        put(&store, record).await;
    }
    records[0].units = 1_500;
    put(&store, &records[0]).await;
    assert_eq!(store.get_session(records[0].id).await.expect("reads"), Some(records[0].clone()));
    assert_eq!(store.get_session(new_session()).await.expect("reads"), None);

    let ids = |records: Vec<SessionRecord>| records.into_iter().map(|record| record.id).collect::<Vec<SessionId>>();
    let newest: Vec<_> = records.iter().rev().map(|record| record.id).collect();
    assert_eq!(ids(store.list_sessions(None, None, 10).await.expect("lists")), newest);
    assert_eq!(ids(store.list_sessions(None, Some(newest[1]), 1).await.expect("lists")), [newest[2]]);
    let of_ours: Vec<_> =
        records.iter().rev().filter(|record| record.account == ours).map(|record| record.id).collect();
    assert_eq!(ids(store.list_sessions(Some(ours), None, 2).await.expect("lists")), of_ours[..2]);
    assert_eq!(ids(store.list_sessions(Some(ours), Some(of_ours[1]), 9).await.expect("lists")), of_ours[2..]);
}

/// What a crash left: not what runs now, not what ended, not what others own.
pub async fn orphans_are_the_unended_sessions_of_a_former_boot(store: Arc<dyn Store>) {
    let account = new_account();
    let (former, present) = (BootId(Uuid::now_v7()), BootId(Uuid::now_v7()));
    let orphan = record(account, "a", former);
    let mut ended = record(account, "a", former);
    let (alive, elsewhere) = (record(account, "a", present), record(account, "b", former));
    for record in [&orphan, &ended, &alive, &elsewhere] {
        put(&store, record).await;
    }
    ended.state = SessionState::Ended;
    ended.end_reason = Some(EndReason::Stopped);
    ended.ended_at = Some(now());
    put(&store, &ended).await;
    assert_eq!(store.list_orphans("a", present).await.expect("lists"), [orphan]);
    assert_eq!(store.list_orphans("c", present).await.expect("lists"), []);
}

/// A former owner that writes late changes nothing; the heir's record moves the session to its own list.
pub async fn a_former_owner_writes_no_record(store: Arc<dyn Store>) {
    let account = new_account();
    let (former, next) = (BootId(Uuid::now_v7()), BootId(Uuid::now_v7()));
    let of_former = record(account, "a", former);
    put(&store, &of_former).await;
    let owned = async |node: &str, boot| store.list_owned(node, boot).await.expect("lists");
    assert_eq!(owned("a", former).await, std::slice::from_ref(&of_former));
    assert_eq!(owned("a", next).await, []);

    let of_heir = SessionRecord { epoch: 2, node: "b".to_owned(), boot: next, units: 90, ..of_former.clone() };
    put(&store, &of_heir).await;
    let mut late = SessionRecord { units: 99, ..of_former.clone() };
    for ends in [false, true] {
        if ends {
            late.end(now(), EndReason::IdleTimeout);
        }
        assert_eq!(store.put_session(late.clone()).await, Ok(SessionPut::Fenced));
        assert_eq!(store.get_session(late.id).await.expect("reads"), Some(of_heir.clone()));
        assert_eq!(owned("a", former).await, []);
        assert_eq!(owned("b", next).await, std::slice::from_ref(&of_heir));
        assert_eq!(store.list_orphans("b", former).await.expect("lists"), std::slice::from_ref(&of_heir));
    }
    // Back to where it was, in another run of that node, and to its end.
    let again = BootId(Uuid::now_v7());
    let mut of_third = SessionRecord { epoch: 3, boot: again, ..of_former };
    put(&store, &of_third).await;
    assert_eq!((owned("b", next).await.len(), owned("a", again).await.len()), (0, 1));
    let alive = of_third.clone();
    of_third.end(now(), EndReason::Stopped);
    put(&store, &of_third).await;
    assert_eq!(owned("a", again).await, []);
    // One that was late on its way does not bring it back to life.
    assert_eq!(store.put_session(alive).await, Ok(SessionPut::Fenced));
    assert_eq!(store.get_session(of_third.id).await.expect("reads"), Some(of_third.clone()));
    assert_eq!(owned("a", again).await, []);
    of_third.units += 1;
    put(&store, &of_third).await;
}

/// The same key is the same request; another body under it is refused.
pub async fn an_idempotency_key_is_answered_once(store: Arc<dyn Store>) {
    let scope = format!("{} POST /v1/sessions key", new_account());
    let begin = |body: u8| {
        let (store, scope) = (Arc::clone(&store), scope.clone());
        async move { store.begin_request(&scope, &[body; 32], now()).await.expect("works") }
    };
    assert_eq!(begin(1).await, Remembered::Fresh);
    assert_eq!(begin(1).await, Remembered::InProgress);
    assert_eq!(begin(2).await, Remembered::Mismatch);
    // Its work takes long.
    store.renew_request(&scope, now().plus_ms(50_000)).await.expect("works");
    let later = store.begin_request(&scope, &[1; 32], now().plus_ms(100_000)).await.expect("works");
    assert_eq!(later, Remembered::InProgress);
    store.finish_request(&scope, Some((201, b"{}".to_vec())), now()).await.expect("works");
    store.renew_request(&scope, now()).await.expect("works");
    assert_eq!(begin(1).await, Remembered::Done(201, b"{}".to_vec()));
    assert_eq!(begin(2).await, Remembered::Mismatch);
}

/// A claim that is given up is free at once.
pub async fn a_request_that_failed_may_be_made_again(store: Arc<dyn Store>) {
    let scope = format!("{} POST /v1/sessions key", new_account());
    for _ in 0..2 {
        assert_eq!(store.begin_request(&scope, &[1; 32], now()).await.expect("works"), Remembered::Fresh);
        store.finish_request(&scope, None, now()).await.expect("works");
    }
    assert_eq!(store.begin_request(&scope, &[2; 32], now()).await.expect("works"), Remembered::Fresh);
}

/// One value per block and boot.
pub async fn progress_blocks_are_replaced_and_deleted(store: Arc<dyn Store>) {
    let (boot, other) = (BootId(Uuid::now_v7()), BootId(Uuid::now_v7()));
    store.put_progress(boot, vec![(0, vec![1, 0, 255]), (7, vec![2])]).await.expect("writes");
    store.put_progress(other, vec![(0, vec![9])]).await.expect("writes");
    store.put_progress(boot, vec![(7, vec![3])]).await.expect("writes");
    assert_eq!(store.load_progress(boot).await.expect("reads"), [(0, vec![1, 0, 255]), (7, vec![3])]);
    store.delete_progress(boot).await.expect("deletes");
    assert_eq!(store.load_progress(boot).await.expect("reads"), []);
    assert_eq!(store.load_progress(other).await.expect("reads"), [(0, vec![9])]);
}
