//! Looking at accounts: after their commits, and when something is due.
//!
//! The journal is the truth: what an account was told is kept with how far its journal was read, and both change in the
//! step that writes the events. So a grant is told once whatever crashes, and whichever node looks.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use footlight_ledger::{AccountId, AccountStatus, Command, EventId, Timestamp, Touched};
use footlight_store::records::{get_record, write_surely};
use footlight_store::{Due, Expected, Owner, RecordBatch, RecordKey, RecordOp, RecordOutcome, StoreError, codec};
use tokio::sync::broadcast::error::TryRecvError;
use uuid::Uuid;

use crate::documents::{ALERTS, Alerts, LOOK, ONLY, WATCH, fresh, put, read};
use crate::event::Event;
use crate::look::{Looked, Watch, look};
use crate::{Inner, outbox};

/// How often accounts that changed are looked at: bounds how often each one is.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How often the store is asked whose time has come.
const POLL_EVERY: u32 = 8;

/// Accounts looked at in one round because their time has come.
const DUE_MAX: usize = 1_024;

/// Journal entries read in one look.
const ENTRIES_MAX: usize = 200;

/// How often a look is tried that another node's comes before.
const TRIES_MAX: u32 = 4;

/// Looks until the hooks are gone.
pub(crate) async fn run(inner: Weak<Inner>) {
    let Some(mut commits) = inner.upgrade().map(|hooks| hooks.desk.on_commit()) else { return };
    let mut rounds = 0_u32;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(hooks) = inner.upgrade() else { return };
        let mut changed = BTreeSet::new();
        loop {
            match commits.try_recv() {
                Ok(account) => drop(changed.insert(account)),
                // Those that were missed are looked at when their time comes.
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Closed) => return,
            }
        }
        rounds = rounds.wrapping_add(1);
        if rounds.is_multiple_of(POLL_EVERY) {
            match due(&hooks).await {
                Ok(accounts) => changed.extend(accounts),
                Err(error) => tracing::debug!(%error, "whose credits to look at is not known for now"),
            }
        }
        for account in changed {
            if let Err(error) = look_at(&hooks, account).await {
                // Its time comes again.
                tracing::debug!(%error, %account, "an account's credits could not be looked at");
            }
        }
    }
}

async fn due(hooks: &Inner) -> Result<Vec<AccountId>, StoreError> {
    let mut accounts = Vec::new();
    for line in hooks.store.due_queues(WATCH, hooks.now(), DUE_MAX).await? {
        match hooks.store.list_due(line.owner, WATCH, &line.queue, hooks.now(), 1).await {
            Ok(due) => accounts.extend(line.owner.account().filter(|_| !due.is_empty())),
            Err(error) if error.is_transport() => return Err(error),
            // What is wrong with one account's records is wrong with those alone.
            Err(error) => tracing::error!(%error, owner = %line.owner, "an account cannot be looked at"),
        }
    }
    Ok(accounts)
}

/// Looks at one account and writes down what it is to be told.
pub(crate) async fn look_at(hooks: &Arc<Inner>, account: AccountId) -> Result<(), StoreError> {
    let (owner, key) = (Owner::Account(account), RecordKey::new(WATCH, ONLY));
    for _ in 0..TRIES_MAX {
        let endpoints = hooks.book.of(account).await?;
        if endpoints.is_empty() {
            return give_up(hooks, account, &key).await;
        }
        let Some(record) = get_record(&*hooks.store, owner, &key).await? else { return Ok(()) };
        let before: Watch = read(&record)?;
        let Some(mut books) = hooks.desk.inspect(account, Touched::default()).await? else { return Ok(()) };
        let now = hooks.now();
        let is_over = books.account.period.is_some_and(|period| period.ends_at <= now);
        if is_over && books.account.status != AccountStatus::Closed {
            // Nobody has used the account since its period ended: using it is what rolls it.
            hooks.desk.submit(account, Command::Touch).await?;
            let Some(rolled) = hooks.desk.inspect(account, Touched::default()).await? else { return Ok(()) };
            books = rolled;
        }
        let entries = hooks.store.list_entries(account, before.next_entry, ENTRIES_MAX).await?;
        let alerts = alerts(hooks, account).await?;
        let request = format!("top_{}", Uuid::now_v7().simple());
        let Looked { news, watch, again_at } = look(&before, &books.account, &entries, &alerts, request, now);
        let is_early = record.due.as_ref().is_some_and(|due| due.at > now && due.at <= again_at);
        if news.is_empty() && watch == before && is_early {
            return Ok(());
        }
        let event = |news| Event { id: EventId(Uuid::now_v7()), account, at: now, news };
        let events: Vec<Event> = news.into_iter().map(event).collect();
        let again = Some(Due { queue: LOOK.to_owned(), at: again_at });
        let mut ops = vec![put(key.clone(), Expected::Version(record.version), again, &watch).1];
        ops.extend(outbox::ops(&events, &endpoints, now, &hooks.options, &hooks.encode).unwrap_or_default());
        if write_surely(&*hooks.store, RecordBatch { owner, ops }).await? == RecordOutcome::Written {
            hooks.metrics.told(&events);
            hooks.courier.wake();
            if entries.len() < ENTRIES_MAX {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Nobody wants to be told any more. Who makes an endpoint touches the watch in the same step: so it is read first, and
/// the endpoints after that from the store itself.
async fn give_up(hooks: &Inner, account: AccountId, key: &RecordKey) -> Result<(), StoreError> {
    let owner = Owner::Account(account);
    let Some(record) = get_record(&*hooks.store, owner, key).await? else { return Ok(()) };
    if !hooks.book.reread(account).await?.is_empty() {
        return Ok(());
    }
    let ops = vec![RecordOp::Delete { key: key.clone(), expected: Expected::Version(record.version) }];
    write_surely(&*hooks.store, RecordBatch { owner, ops }).await.map(drop)
}

/// The step that has an account looked at from now on, as it is `watch`ed; one that is looked at already goes on as it is.
pub(crate) fn ensure_watch(watch: &Watch, now: Timestamp) -> RecordOp {
    RecordOp::Ensure {
        key: RecordKey::new(WATCH, ONLY),
        next: fresh(),
        due: Some(Due { queue: LOOK.to_owned(), at: now }),
        body: codec::encode_named(watch),
    }
}

/// What an account wants to be told of its credits.
pub(crate) async fn alerts(hooks: &Inner, account: AccountId) -> Result<Alerts, StoreError> {
    let found = get_record(&*hooks.store, Owner::Account(account), &RecordKey::new(ALERTS, ONLY)).await?;
    found.as_ref().map_or_else(|| Ok(Alerts::default()), read)
}
