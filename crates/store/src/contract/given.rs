//! What the promises start from.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use footlight_ledger::{
    Account, AccountId, Ask, Books, BootId, Command, GrantId, GrantKind, GrantName, Limits, Microcredits, Outcome,
    Pricing, Product, Rounding, SessionId, SliceAnswer, Terms, Timestamp, Touched, Units, Verdict,
};
use uuid::Uuid;

use crate::desk::{Clock, CommitIds};
use crate::{
    Commit, CommitOutcome, DeskOptions, DueMove, LedgerDesk, Loaded, Store, StoreError, Version, audit_account,
};

/// Two credits a minute at 25 frames a second.
pub(super) const PRICING: Pricing =
    Pricing { rate: Microcredits(2_000_000), units_per_minute: 1_500, rounding: Rounding::Exact };

pub(super) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp(i64::try_from(since_epoch.as_millis()).expect("before the year 292 000 000"))
}

pub(super) fn new_commit_id() -> u128 {
    Uuid::now_v7().as_u128()
}

pub(super) fn new_account() -> AccountId {
    AccountId(Uuid::now_v7())
}

pub(super) fn new_session() -> SessionId {
    SessionId(Uuid::now_v7())
}

pub(super) fn desk_on(store: &Arc<dyn Store>) -> LedgerDesk {
    desk_with(store, DeskOptions::default())
}

pub(super) fn desk_with(store: &Arc<dyn Store>, options: DeskOptions) -> LedgerDesk {
    let clock: Clock = Arc::new(now);
    let commit_ids: CommitIds = Arc::new(new_commit_id);
    LedgerDesk::with_options(Arc::clone(store), Terms::default(), clock, commit_ids, options)
}

pub(super) fn top_up(name: &str, amount: Microcredits) -> Command {
    Command::Grant {
        id: GrantId(Uuid::now_v7()),
        name: GrantName(name.to_owned()),
        kind: GrantKind::TopUp,
        amount,
        expires_at: None,
    }
}

pub(super) fn begin(session: SessionId) -> Command {
    Command::BeginSession {
        session,
        product: Product::EssenceCloud,
        pricing: PRICING,
        secret: None,
        owner: BootId(Uuid::nil()),
    }
}

pub(super) fn beat(session: SessionId, number: u64, units: Units, ask: Ask) -> Command {
    Command::Heartbeat { session, epoch: 1, number, units, ask }
}

/// Opens an account with this much on it.
pub(super) async fn funded(desk: &LedgerDesk, amount: Microcredits) -> AccountId {
    let account = new_account();
    desk.open_account(account, Limits::default()).await.expect("opens");
    let outcome = desk.submit(account, top_up("first", amount)).await.expect("grants");
    assert!(matches!(outcome, Outcome::Granted { replayed: false, .. }), "{outcome:?}");
    account
}

pub(super) fn slice(outcome: Outcome) -> SliceAnswer {
    match outcome {
        Outcome::Heartbeat(answer) | Outcome::Ended(answer) => answer,
        other => panic!("a slice answer was expected, not {other:?}"),
    }
}

/// Submits until the store answers, as a meter does: the same command under the same name.
pub(super) async fn persist(desk: &LedgerDesk, account: AccountId, command: Command) -> Outcome {
    let mut last = None;
    for _ in 0..60 {
        match desk.submit(account, command.clone()).await {
            Ok(outcome) => return outcome,
            Err(error @ (StoreError::Unreachable { .. } | StoreError::Contended { .. })) => last = Some(error),
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the store never answered: {last:?}");
}

/// Speaks `total` units as fast as slices come, asking for each; ends early when the credits do. Returns the units used.
pub(super) async fn speak(
    desk: &LedgerDesk,
    account: AccountId,
    session: SessionId,
    total: Units,
    step: Units,
) -> Units {
    let begun = persist(desk, account, begin(session)).await;
    assert!(matches!(begun, Outcome::Begun { epoch: 1 }), "{begun:?}");
    let (mut used, mut number) = (0, 0);
    while used < total {
        number += 1;
        let answer = slice(persist(desk, account, beat(session, number, used, Ask::Slice)).await);
        match answer.verdict {
            Verdict::Granted | Verdict::Final => used = answer.slice_end.min(used + step).min(total),
            Verdict::Refused(_) => break,
            other => panic!("it asked, and got {other:?}"),
        }
    }
    let end = Command::EndSession {
        session,
        epoch: 1,
        number: number + 1,
        units: used,
        reason: footlight_ledger::EndReason::Stopped,
    };
    let ended = slice(persist(desk, account, end).await);
    assert_eq!(ended.settled_units, used, "everything used is settled");
    assert_eq!(ended.charged, PRICING.cost(used), "charged exactly what was used");
    used
}

/// The account's books balance, and this much was spent and is available.
pub(super) async fn assert_sums(store: &dyn Store, account: AccountId, spent: Microcredits, available: Microcredits) {
    let audit = audit_account(store, account).await.expect("reads").expect("is there");
    assert_eq!(audit.differences, Vec::<String>::new());
    assert_eq!(audit.totals.spent, spent);
    assert_eq!(audit.totals.available, available);
    assert_eq!(audit.totals.held, Microcredits::ZERO, "nothing stays held");
}

/// Applies commands to books as a desk does, and makes the commit.
pub(super) fn commit_of(loaded: &mut Loaded, commands: &[Command]) -> Commit {
    let mut touched = Touched::default();
    for command in commands {
        let more = command.touched();
        touched.sessions.extend(more.sessions);
        touched.names.extend(more.names);
        touched.jobs.extend(more.jobs);
        let outcome = loaded.books.apply(&Terms::default(), now(), command).outcome;
        assert!(!matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    }
    let changes = loaded.books.take_changes();
    let due = changes.tabs.iter().filter_map(|(id, tab)| DueMove::between(*id, None, tab.as_ref())).collect();
    let expected = loaded.version;
    let mut recent = vec![expected.commit];
    recent.extend(loaded.recent.iter().take(crate::REMEMBERED_COMMITS - 2));
    let next = Version { counter: expected.counter + 1, commit: new_commit_id() };
    Commit {
        expected: Some(expected),
        next,
        recent,
        now: now(),
        changes,
        touched,
        due,
        durable: false,
        available_rose: false,
    }
}

/// A commit that creates an account.
pub(super) fn creation(account: AccountId) -> Commit {
    Commit {
        expected: None,
        next: Version { counter: 1, commit: new_commit_id() },
        recent: Vec::new(),
        now: now(),
        changes: Books::new(Account::open(account, now(), Limits::default())).take_changes(),
        touched: Touched::default(),
        due: Vec::new(),
        durable: true,
        available_rose: false,
    }
}

pub(super) async fn write(store: &dyn Store, commit: Commit) -> CommitOutcome {
    store.commit(vec![commit]).await.pop().expect("one result").expect("the store works")
}

/// Creates an account and reads it back.
pub(super) async fn created(store: &dyn Store) -> Loaded {
    let account = new_account();
    let outcome = write(store, creation(account)).await;
    assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    reload(store, account, &Touched::default()).await
}

pub(super) async fn reload(store: &dyn Store, account: AccountId, touched: &Touched) -> Loaded {
    store.load_account(account, touched).await.expect("reads").expect("is there")
}

/// Applies commands and commits them without anybody in the way.
pub(super) async fn apply(store: &dyn Store, loaded: &mut Loaded, commands: &[Command]) {
    let commit = commit_of(loaded, commands);
    let (version, recent) = (commit.next, commit.recent.clone());
    let outcome = write(store, commit).await;
    assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    loaded.version = version;
    loaded.recent = recent;
}
