//! Promises about moving everything from store to store.

use std::sync::Arc;
use std::time::Duration;

use footlight_ledger::{AccountId, BootId, Command, EndReason, JobId, Microcredits, Outcome, SecretId, Timestamp};
use footlight_session::SessionRecord;
use uuid::Uuid;

use super::directory::record;
use super::given::{apply, begin, commit_of, created, desk_on, funded, new_session, now, speak, top_up, write};
use super::nodes::node;
use crate::faulty::{Faults, FaultyStore};
use crate::nodes::Renewed;
use crate::transfer::{Kind, MigrateError, Mode, Part, Report, Tally, migrate, unfinished};
use crate::{
    CommitOutcome, Due, Expected, Owner, RecordBatch, RecordKey, RecordOp, RecordOutcome, RecordVersion, SecretRecord,
    SessionPut, SqliteStore, Store, trim_journal,
};

const SOURCE: &str = "the source";

/// Steps of a migration that fails on purpose; each try gets further.
const TRIES_MAX: u32 = 400;

fn in_memory() -> Arc<dyn Store> {
    Arc::new(SqliteStore::in_memory().expect("opens"))
}

async fn put(store: &dyn Store, owner: Owner, collection: &'static str, id: &str, due: Option<Due>, body: &[u8]) {
    let next = RecordVersion(Uuid::now_v7().as_u128());
    let op =
        RecordOp::Put { key: RecordKey::new(collection, id), expected: Expected::Any, next, due, body: body.to_vec() };
    let outcome = store.write_records(vec![RecordBatch { owner, ops: vec![op] }]).await.pop().expect("one result");
    assert_eq!(outcome, Ok(RecordOutcome::Written));
}

async fn put_session(store: &dyn Store, record: SessionRecord) {
    assert_eq!(store.put_session(record).await, Ok(SessionPut::Written));
}

fn ended(account: AccountId, at: Timestamp) -> SessionRecord {
    let mut record = record(account, "node-1", BootId(Uuid::nil()));
    record.end(at, EndReason::Stopped);
    record
}

/// An account with a bit of everything.
async fn furnish(store: &Arc<dyn Store>, number: u8) -> AccountId {
    let desk = desk_on(store);
    let account = funded(&desk, Microcredits(100_000_000)).await;
    let session = new_session();
    speak(&desk, account, session, 3_000, 750).await;
    for (job, ends) in [(JobId(Uuid::now_v7()), true), (JobId(Uuid::now_v7()), false)] {
        desk.submit(account, Command::HoldJob { job, amount: Microcredits(5) }).await.expect("holds");
        if ends {
            desk.submit(account, Command::SettleJob { job }).await.expect("settles");
        }
    }
    if number.is_multiple_of(2) {
        trim_journal(&**store, account, now().plus_ms(1_000)).await.expect("trims");
    }
    desk.submit(account, top_up("second", Microcredits(7))).await.expect("grants");
    for name in ["first", "second"] {
        let secret = SecretRecord {
            id: SecretId(Uuid::now_v7()),
            account,
            hash: *Uuid::now_v7().as_bytes().repeat(2).first_chunk().expect("32 bytes"),
            name: name.to_owned(),
            hint: "fl_abcd".to_owned(),
            created_at: now(),
            revoked_at: (name == "first").then(now),
        };
        store.put_secret(secret).await.expect("writes");
    }
    let one = SessionRecord { id: session, epoch: 2, ..ended(account, now()) };
    put_session(&**store, one).await;
    let owner = Owner::Account(account);
    for at in 0..70 {
        let due = (at % 3 == 0).then(|| Due { queue: format!("line-{}", at % 2), at: Timestamp(at) });
        put(&**store, owner, "things", &format!("thing-{at}"), due, &[number; 3]).await;
    }
    put(&**store, owner, "others", "one", None, b"").await;
    for (id, len) in [("empty", 0), ("small", 10), ("large", (1 << 20) + 7)] {
        let bytes = (0..len).map(|at: usize| (at % 251) as u8 ^ number).collect();
        store.put_blob(owner, id, bytes).await.expect("writes");
    }
    account
}

/// Some accounts, what the service keeps, and what belongs to nobody.
async fn furnished() -> (Arc<dyn Store>, Vec<AccountId>) {
    let store = in_memory();
    let mut accounts = Vec::new();
    for number in 0..3 {
        accounts.push(furnish(&store, number).await);
    }
    accounts.sort();
    put(&*store, Owner::Service, "admin_log", "0001", None, b"an act").await;
    let stray = Owner::Account(AccountId(Uuid::now_v7()));
    put(&*store, stray, "things", "left", None, b"behind").await;
    store.put_blob(stray, "left", vec![1, 2, 3]).await.expect("writes");
    (store, accounts)
}

async fn run(source: &Arc<dyn Store>, target: &Arc<dyn Store>, mode: Mode) -> Result<Report, MigrateError> {
    migrate(source, target, SOURCE, mode, |_| {}).await
}

fn assert_moved(tally: &Tally) {
    assert!(tally.is_moved(), "{tally:?}");
    assert_eq!(tally.unbalanced, 0);
    for (kind, count) in &tally.counts {
        assert_eq!(count.target(), count.source, "{kind:?}: {tally:?}");
    }
}

fn refusal(outcome: Result<Report, MigrateError>) -> String {
    match outcome {
        Err(error @ MigrateError::Refused { .. }) => error.to_string(),
        other => panic!("a refusal was expected, not {other:?}"),
    }
}

/// Into this store and out of it again: the same, and found by all the ways that nodes look for it.
pub async fn everything_is_moved_there_and_back(store: Arc<dyn Store>) {
    let (source, accounts) = furnished().await;
    let there = run(&source, &store, Mode::Run).await.expect("moves");
    let verified = there.verified.expect("it was verified");
    assert_moved(&verified);
    for (kind, count) in [
        (Kind::Accounts, 3),
        (Kind::Tabs, 3),
        (Kind::Names, 6),
        (Kind::JobHolds, 6),
        (Kind::Secrets, 6),
        (Kind::Sessions, 3),
        (Kind::Records, 3 * 71 + 2),
        (Kind::Blobs, 10),
    ] {
        assert_eq!(verified.get(kind).source, count, "{kind:?}");
    }
    assert_eq!(unfinished(&*store).await, Ok(None));

    assert_eq!(store.list_accounts(None, 10).await, Ok(accounts.clone()));
    let in_a_year = now().plus_ms(365 * 24 * 3_600_000);
    assert_eq!(store.list_overdue(in_a_year, 10).await.expect("lists").len(), 3, "tabs are found when they are due");
    assert_eq!(store.list_overdue_jobs(in_a_year, 10).await.expect("lists").len(), 3, "and jobs that are held");
    let lines = store.due_queues("things", now(), 100).await.expect("lists");
    assert_eq!(lines.len(), 6, "and lines of records: {lines:?}");
    for line in lines {
        assert!(!store.list_due(line.owner, "things", &line.queue, now(), 100).await.expect("lists").is_empty());
    }
    let again = run(&source, &store, Mode::Run).await.expect("has nothing to do");
    assert_moved(&again.verified.expect("it was verified"));
    assert!(again.moved.expect("it looked").counts.values().all(|count| count.missing == 0), "nothing was written");

    let back = in_memory();
    assert_moved(&run(&store, &back, Mode::Run).await.expect("moves back").verified.expect("it was verified"));
    assert_moved(&run(&source, &back, Mode::VerifyOnly).await.expect("compares").verified.expect("it was verified"));

    // Who owned a session before its last owner is refused there as well.
    let ended = store.list_sessions(Some(accounts[0]), None, 1).await.expect("lists").pop().expect("one");
    assert_eq!(store.put_session(SessionRecord { epoch: 1, ..ended }).await, Ok(SessionPut::Fenced));

    // The account goes on where it was, and knows what was done before.
    let known = desk_on(&store).submit(accounts[0], top_up("second", Microcredits(7))).await;
    assert!(matches!(known, Ok(Outcome::Granted { replayed: true, .. })), "{known:?}");
}

/// Whatever fails in the middle, the same again goes on, and nodes are told meanwhile.
pub async fn a_stopped_migration_goes_on(store: Arc<dyn Store>) {
    let (source, accounts) = furnished().await;
    let faults = Faults { seed: 11, before: 20, after: 20, instead: 20, late: 0, load: 0 };
    let faulty: Arc<dyn Store> = Arc::new(FaultyStore::new(Arc::clone(&store), faults));
    let mut stopped = 0;
    let report = loop {
        match run(&source, &faulty, Mode::Run).await {
            Ok(report) => break report,
            Err(MigrateError::Stopped(_)) => stopped += 1,
            Err(error) => panic!("{error}"),
        }
        assert!(stopped < TRIES_MAX, "it gets no further");
        if unfinished(&*store).await.expect("reads").is_some() {
            let other = migrate(&in_memory(), &store, "another source", Mode::DryRun, |_| {}).await;
            assert!(refusal(other).contains(SOURCE), "only the same source goes on");
        }
        // A node on the source goes on meanwhile: what was moved is moved again.
        if stopped == 1 {
            let desk = desk_on(&source);
            for account in &accounts {
                desk.submit(*account, top_up("meanwhile", Microcredits(1))).await.expect("grants");
            }
            source.delete_blob(Owner::Account(accounts[0]), "small").await.expect("deletes");
            put(&*source, Owner::Account(accounts[1]), "things", "thing-3", None, b"changed").await;
        }
    };
    assert!(stopped > 1, "nothing failed");
    assert!(report.continued);
    assert_moved(&report.verified.expect("it was verified"));
    assert_moved(&run(&source, &store, Mode::VerifyOnly).await.expect("compares").verified.expect("it was verified"));
    assert_eq!(unfinished(&*store).await, Ok(None));
}

/// What is there already stays, unless it is the same.
pub async fn a_target_with_something_else_is_refused(store: Arc<dyn Store>) {
    let (source, accounts) = furnished().await;
    let stranger = created(&*store).await.books.account.id;
    let detail = refusal(run(&source, &store, Mode::Run).await);
    assert!(detail.contains(&stranger.to_string()), "{detail}");
    assert!(unfinished(&*store).await.expect("reads").is_none(), "nothing was written");
    assert_eq!(store.list_accounts(None, 10).await, Ok(vec![stranger]));

    let target = in_memory();
    run(&source, &target, Mode::Run).await.expect("moves");
    desk_on(&target).submit(accounts[1], top_up("there", Microcredits(1))).await.expect("grants");
    let detail = refusal(run(&source, &target, Mode::DryRun).await);
    assert!(detail.contains(&accounts[1].to_string()), "{detail}");
    // And the other way round, with this store as the one that is moved.
    let detail = refusal(run(&store, &source, Mode::Run).await);
    assert!(detail.contains(&accounts[0].to_string()), "{detail}");
    assert!(refusal(migrate(&source, &source, SOURCE, Mode::Run, |_| {}).await).contains("the same store"));
    assert!(refusal(migrate(&store, &store, SOURCE, Mode::Run, |_| {}).await).contains("the same store"));
}

/// Who holds a lease may write at any moment: the refusal names the node.
pub async fn a_store_with_a_living_node_is_refused(store: Arc<dyn Store>) {
    let (source, _) = furnished().await;
    let living = node("stage-7", 4, Duration::from_secs(600));
    assert_eq!(store.renew_node(living.clone()).await, Ok(Renewed::Held));
    for mode in [Mode::DryRun, Mode::Run, Mode::VerifyOnly] {
        for (from, to, which) in [(&source, &store, "in the target"), (&store, &source, "in the source")] {
            let detail = refusal(run(from, to, mode).await);
            assert!(detail.contains(which) && detail.contains("stage-7"), "{detail}");
        }
    }
    store.leave_node(living.card.boot).await.expect("leaves");
    assert_moved(&run(&source, &store, Mode::Run).await.expect("moves").verified.expect("it was verified"));
}

/// A session that has not ended is somebody's: it is not moved under their feet.
pub async fn open_sessions_are_not_moved(store: Arc<dyn Store>) {
    let mut loaded = created(&*store).await;
    let account = loaded.books.account.id;
    let session = new_session();
    apply(&*store, &mut loaded, &[top_up("some", Microcredits(50_000_000)), begin(session)]).await;
    let target = in_memory();
    assert!(refusal(run(&store, &target, Mode::Run).await).contains("not ended: 1"), "the tab alone is enough");
    let mut open = record(account, "node-1", BootId(Uuid::nil()));
    open.id = session;
    put_session(&*store, open.clone()).await;
    let detail = refusal(run(&store, &target, Mode::DryRun).await);
    assert!(detail.contains(&session.to_string()), "{detail}");

    let stop = Command::EndSession { session, epoch: 1, number: 1, units: 0, reason: EndReason::Stopped };
    let commit = commit_of(&mut loaded, &[stop]);
    assert!(matches!(write(&*store, commit).await, CommitOutcome::Committed(_)));
    assert!(refusal(run(&store, &target, Mode::Run).await).contains("not ended: 1"), "the record alone is enough");
    open.end(now(), EndReason::Stopped);
    put_session(&*store, open).await;
    assert_moved(&run(&store, &target, Mode::Run).await.expect("moves").verified.expect("it was verified"));
}

/// Sessions that ended so long ago that this store would have removed them are left out, and said to be.
pub async fn what_would_be_gone_is_left_out(store: Arc<dyn Store>) {
    let source = in_memory();
    let account = created(&*source).await.books.account.id;
    let day_ms = 24 * 3_600_000;
    let (recent, old) = (ended(account, now().plus_ms(-29 * day_ms)), ended(account, now().plus_ms(-31 * day_ms)));
    for record in [&recent, &old] {
        put_session(&*source, record.clone()).await;
    }
    let report = run(&source, &store, Mode::Run).await.expect("moves");
    let count = report.verified.expect("it was verified").get(Kind::Sessions);
    let is_kept = store.sessions_kept().is_none_or(|kept| kept > Duration::from_secs(31 * 24 * 3_600));
    assert_eq!((count.source, count.left_out), (2, u64::from(!is_kept)));
    assert_eq!(store.get_session(recent.id).await, Ok(Some(recent)));
    assert_eq!(store.get_session(old.id).await.expect("reads").is_some(), is_kept);
    assert_eq!(store.list_sessions(Some(account), None, 10).await.expect("lists").len(), 1 + usize::from(is_kept));
}

/// Pages of any size, and the same page again.
pub async fn documents_come_in_pages_and_are_loaded_once(store: Arc<dyn Store>) {
    let (source, accounts) = furnished().await;
    let account = accounts[0];
    let head = source.dump_head(account).await.expect("reads").expect("is there");
    for part in Part::ALL {
        let all = source.dump_part(account, part, None, 1_000).await.expect("reads");
        assert!(!all.is_empty(), "{part:?}");
        for page in all.chunks(2) {
            for _ in 0..2 {
                store.load_part(account, part, page.to_vec()).await.expect("loads");
            }
        }
        let mut read = Vec::new();
        loop {
            let after = read.last().map(|item: &crate::transfer::Item| item.key.clone());
            let page = store.dump_part(account, part, after, 1).await.expect("reads");
            if page.is_empty() {
                break;
            }
            read.extend(page);
        }
        assert_eq!(read, all, "{part:?}");
    }
    assert_eq!(store.dump_head(account).await, Ok(None), "without a head there is no account");
    for _ in 0..2 {
        assert_eq!(store.load_head(head.clone()).await, Ok(true));
    }
    assert_eq!(store.dump_head(account).await, Ok(Some(head.clone())));
    let mut other = head.clone();
    other.version.commit ^= 1;
    assert_eq!(store.load_head(other).await, Ok(false));
    assert_eq!(store.dump_head(account).await, Ok(Some(head)));
    store.clear_account(account).await.expect("clears");
    assert_eq!(store.dump_head(account).await, Ok(None));
    assert_eq!(store.dump_part(account, Part::Entries, None, 10).await, Ok(vec![]));
    assert_eq!(store.count_others().await, Ok(0));
}
