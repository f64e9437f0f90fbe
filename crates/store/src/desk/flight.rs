//! One call of the store: batches of several accounts, from reading what is missing to answering the callers.

use std::collections::{BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use footlight_ledger::{AccountId, Command, Outcome, Refusal, TabState, Touched};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::figures::Moved;
use super::types::{Ground, Group, Known, Landing};
use crate::{
    Commit, CommitOutcome, DueMove, Loaded, REMEMBERED_COMMITS, Rise, StoreError, Version, due_at, due_bucket,
};

/// Accounts read at once within a flight.
const LOADS: usize = 64;

/// One account's batch on its way.
pub(super) struct Passage {
    account: AccountId,
    groups: Vec<Group>,
    touched: Touched,
    known: Option<Known>,
    /// All that is touched was read just now.
    is_fresh: bool,
    /// Commits that may have been written: an answer for each, by its id.
    attempts: Vec<Attempt>,
    /// Errors of the store so far.
    errors: u32,
    /// Changes of other nodes met so far.
    conflicts: u32,
}

/// What a commit would have meant, had we seen its reply.
struct Attempt {
    commit: u128,
    outcomes: Vec<Outcome>,
    available_rose: bool,
    durable: bool,
    moved: Moved,
}

/// What happens to a passage next.
enum Next {
    /// It is written: this attempt's outcomes are the answers.
    Arrived(usize),
    /// The callers get this.
    Failed(StoreError),
    /// Try again, after a while.
    Later,
    /// Try again while what is known is fresh.
    AtOnce,
}

impl Passage {
    pub(super) fn new(account: AccountId, groups: Vec<Group>, known: Option<Known>) -> Self {
        let touched = union(groups.iter().flat_map(|group| &group.commands).map(|(_, command)| command));
        Self { account, groups, touched, known, is_fresh: false, attempts: Vec::new(), errors: 0, conflicts: 0 }
    }

    /// Whether nothing needs to be read first. Names and jobs are seldom asked for twice, so they are not kept.
    pub(super) fn knows_all(&self) -> bool {
        let Touched { sessions, names, jobs } = &self.touched;
        names.is_empty()
            && jobs.is_empty()
            && self.known.as_ref().is_some_and(|known| sessions.iter().all(|id| known.books.tabs.contains_key(id)))
    }

    pub(super) fn commands(&self) -> impl Iterator<Item = &Command> {
        self.groups.iter().flat_map(|group| &group.commands).map(|(_, command)| command)
    }

    /// Takes over what the store has. Other tabs known before stay known only if nobody changed the account since.
    fn adopt(&mut self, loaded: Loaded) -> Option<usize> {
        let arrived = self.attempts.iter().position(|attempt| loaded.has_commit(attempt.commit));
        let Loaded { mut books, version, recent } = loaded;
        if let Some(before) = self.known.take().filter(|before| before.version == version) {
            for (session, tab) in before.books.tabs {
                books.tabs.entry(session).or_insert(tab);
            }
        }
        self.known = Some(Known { books, version, recent });
        self.is_fresh = true;
        arrived
    }

    /// Applies the commands to the known state and makes the commit of it.
    fn apply(&mut self, ground: &Ground) -> Result<Commit, StoreError> {
        let mut known = self.known.take().expect("what was missing has been read");
        self.is_fresh = false;
        let before: Vec<_> = self
            .touched
            .sessions
            .iter()
            .map(|id| known.books.tabs.get(id).map(|tab| due_bucket(due_at(tab))))
            .collect();
        let now = (ground.clock)();
        let mut outcomes = Vec::with_capacity(self.groups.len());
        let mut available_rose = false;
        let mut moved = Moved::default();
        let changes = guarded(ground, self.account, || {
            for command in self.commands() {
                let before = known.books.account.totals;
                let applied = known.books.apply(&ground.terms, now, command);
                moved.add(&before, &known.books.account.totals);
                available_rose |= applied.available_rose;
                outcomes.push(applied.outcome);
            }
            known.books.take_changes()
        })?;
        moved.add_grants(&changes.entries);
        let due = changes
            .tabs
            .iter()
            .filter_map(|(session, tab)| {
                let place = self.touched.sessions.binary_search(session).ok();
                DueMove::between(*session, place.and_then(|place| before[place]), tab.as_ref())
            })
            .collect();
        let next = Version { counter: known.version.counter + 1, commit: (ground.commit_ids)() };
        let durable = self.commands().any(Command::is_money);
        let commit = Commit {
            expected: Some(known.version),
            next,
            recent: remembered(&known),
            now,
            changes,
            touched: self.touched.clone(),
            due,
            durable,
            available_rose,
        };
        self.attempts.push(Attempt { commit: next.commit, outcomes, available_rose, durable, moved });
        self.known = Some(known);
        Ok(commit)
    }

    /// The commit that was just made is written: what is known becomes that version.
    fn advance(&mut self, next: Version, recent: Vec<u128>) {
        if let Some(known) = &mut self.known {
            known.version = next;
            known.recent = recent;
        }
    }

    /// Forgets what is not worth keeping: ended sessions, names and jobs are seldom asked for again.
    fn tidy(&mut self) {
        if let Some(Known { books, .. }) = &mut self.known {
            for session in &self.touched.sessions {
                if books.tabs.get(session).is_some_and(|tab| matches!(tab.state, TabState::Ended { .. })) {
                    books.tabs.remove(session);
                }
            }
            books.names.clear();
            books.jobs.clear();
        }
    }

    /// What an error of the store means for the batch.
    fn failed(&mut self, error: StoreError, ground: &Ground) -> Next {
        self.known = None;
        self.is_fresh = false;
        self.errors += 1;
        // A skew may be our own doing: the batch waited too long for its turn. The next try has a fresh time.
        let worth_it = error.is_transport() || matches!(error, StoreError::ClockSkew { .. });
        if worth_it && self.errors < ground.options.tries_max { Next::Later } else { Next::Failed(error) }
    }
}

/// Flies: tries until every passage has arrived or failed, a bounded number of times. Sends landings as they happen, and
/// an empty list when its slot is free.
pub(super) async fn fly(ground: Arc<Ground>, mut passages: Vec<Passage>, landed: mpsc::UnboundedSender<Vec<Landing>>) {
    let mut aloft = Aloft { accounts: passages.iter().map(|passage| passage.account).collect(), in_slot: true, landed };
    let mut later = Vec::new();
    let mut pauses = 0;
    while !passages.is_empty() {
        let mut decided = Vec::with_capacity(passages.len());
        let ready = load_missing(&ground, passages, &mut decided).await;
        commit(&ground, ready, &mut decided).await;
        passages = Vec::new();
        let mut landings = Vec::with_capacity(decided.len());
        for (passage, next) in decided {
            match next {
                Next::AtOnce => passages.push(passage),
                Next::Later => later.push(passage),
                Next::Arrived(attempt) => landings.push(arrive(&ground, passage, attempt)),
                Next::Failed(error) => landings.push(fail(&ground, passage, &error)),
            }
        }
        if !landings.is_empty() {
            aloft.land(landings);
        }
        if passages.is_empty() && !later.is_empty() {
            aloft.leave_slot();
            let full = ground.options.backoff.saturating_mul(1 << pauses.min(6));
            tokio::time::sleep(ground.jittered(full)).await;
            pauses += 1;
            passages.append(&mut later);
        }
    }
}

/// The accounts of a flight that have not landed. A flight that panics lands them too, so that a bug costs one batch and
/// not the account.
struct Aloft {
    accounts: HashSet<AccountId>,
    /// It counts among the flights that may be under way at once.
    in_slot: bool,
    landed: mpsc::UnboundedSender<Vec<Landing>>,
}

impl Aloft {
    fn land(&mut self, landings: Vec<Landing>) {
        for landing in &landings {
            self.accounts.remove(&landing.account);
        }
        // The queue outlives its flights, but not the runtime's end.
        let _ = self.landed.send(landings);
    }

    /// From now on others may fly beside this one, which waits more than it does: a contended account, or one that cannot be
    /// reached, must not slow down the others. There is still one flight per account at most.
    fn leave_slot(&mut self) {
        if std::mem::take(&mut self.in_slot) {
            let _ = self.landed.send(Vec::new());
        }
    }
}

impl Drop for Aloft {
    fn drop(&mut self) {
        let lost: Vec<_> =
            self.accounts.drain().map(|account| Landing { account, known: None, conflicts: 0 }).collect();
        if !lost.is_empty() {
            let _ = self.landed.send(lost);
        }
        self.leave_slot();
    }
}

/// Reads what passages lack; returns those that are ready to be applied.
async fn load_missing(
    ground: &Arc<Ground>,
    passages: Vec<Passage>,
    decided: &mut Vec<(Passage, Next)>,
) -> Vec<Passage> {
    let mut ready = Vec::with_capacity(passages.len());
    let mut loads = JoinSet::new();
    let mut missing = passages.into_iter();
    loop {
        while loads.len() < LOADS
            && let Some(passage) = missing.next()
        {
            if passage.attempts.is_empty() && (passage.is_fresh || passage.knows_all()) {
                ready.push(passage);
            } else {
                ground.counters.loads.fetch_add(1, Relaxed);
                let ground = Arc::clone(ground);
                loads.spawn(async move { load(&ground, passage).await });
            }
        }
        match loads.join_next().await {
            None => return ready,
            Some(Ok((passage, None))) => ready.push(passage),
            Some(Ok((passage, Some(next)))) => decided.push((passage, next)),
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// Reads one account. If an earlier attempt turns out to be written, the passage has arrived.
async fn load(ground: &Ground, mut passage: Passage) -> (Passage, Option<Next>) {
    let next = match ground.store.load_account(passage.account, &passage.touched).await {
        Ok(None) => Some(Next::Failed(StoreError::NoAccount { account: passage.account })),
        Ok(Some(loaded)) => match passage.adopt(loaded) {
            None => None,
            Some(attempt) => Some(recovered(ground, &mut passage, attempt).await),
        },
        Err(error) => Some(passage.failed(error, ground)),
    };
    (passage, next)
}

/// A commit whose reply got lost was found. Money is acknowledged only once it is known to be durable.
async fn recovered(ground: &Ground, passage: &mut Passage, attempt: usize) -> Next {
    let Attempt { commit, durable, .. } = passage.attempts[attempt];
    if durable && let Err(error) = ground.store.confirm_durable(passage.account, commit).await {
        return passage.failed(error, ground);
    }
    ground.counters.recovered.fetch_add(1, Relaxed);
    Next::Arrived(attempt)
}

/// Applies and commits all that are ready, in one call of the store.
async fn commit(ground: &Ground, ready: Vec<Passage>, decided: &mut Vec<(Passage, Next)>) {
    let mut commits = Vec::with_capacity(ready.len());
    let mut flying = Vec::with_capacity(ready.len());
    for mut passage in ready {
        match passage.apply(ground) {
            Ok(commit) => {
                flying.push((passage, commit.next, commit.recent.clone()));
                commits.push(commit);
            }
            Err(error) => decided.push((passage, Next::Failed(error))),
        }
    }
    if commits.is_empty() {
        return;
    }
    let started = Instant::now();
    let results = ground.store.commit(commits).await;
    ground.counters.observe_commit(started.elapsed());
    assert_eq!(results.len(), flying.len(), "one result per commit");
    for ((mut passage, version, recent), result) in flying.into_iter().zip(results) {
        let newest = passage.attempts.len() - 1;
        let next = match result {
            Ok(CommitOutcome::Committed(_)) => {
                passage.advance(version, recent);
                Next::Arrived(newest)
            }
            Ok(CommitOutcome::Conflict(fresh)) => conflicted(ground, &mut passage, *fresh).await,
            Ok(CommitOutcome::NoAccount) => Next::Failed(StoreError::NoAccount { account: passage.account }),
            Err(error) => {
                if error.is_outcome_unknown() {
                    ground.counters.unknown.fetch_add(1, Relaxed);
                } else {
                    passage.attempts.pop();
                }
                passage.failed(error, ground)
            }
        };
        decided.push((passage, next));
    }
}

/// Somebody else was faster, or we were: a command sent twice meets itself.
async fn conflicted(ground: &Ground, passage: &mut Passage, fresh: Loaded) -> Next {
    // What was applied is not what is there.
    passage.known = None;
    if let Some(attempt) = passage.adopt(fresh) {
        return recovered(ground, passage, attempt).await;
    }
    ground.counters.conflicts.fetch_add(1, Relaxed);
    // The store compared and wrote nothing; but an earlier attempt may still be on its way.
    passage.attempts.pop();
    passage.conflicts += 1;
    if passage.conflicts >= ground.options.conflicts_max {
        return Next::Failed(StoreError::Contended { account: passage.account, tries: passage.conflicts });
    }
    // After a pause the state that came with the conflict would be old again: it is tried first.
    if passage.conflicts % 2 == 1 { Next::AtOnce } else { Next::Later }
}

fn arrive(ground: &Ground, mut passage: Passage, attempt: usize) -> Landing {
    let Attempt { outcomes, available_rose, moved, .. } = passage.attempts.swap_remove(attempt);
    ground.counters.moved(&moved);
    let fenced = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Refused(Refusal::Fenced { .. })));
    ground.counters.fenced.fetch_add(fenced.count() as u64, Relaxed);
    ground.counters.commits.fetch_add(1, Relaxed);
    ground.counters.commands.fetch_add(outcomes.len() as u64, Relaxed);
    passage.tidy();
    let mut outcomes = outcomes.into_iter();
    for group in passage.groups {
        let answers = group.commands.iter().zip(&mut outcomes).map(|((index, _), outcome)| (*index, Ok(outcome)));
        // The caller may have gone away; what is written stays written.
        let _ = group.reply.send(answers.collect());
    }
    // Nobody may listen to either.
    let _ = ground.written.send(passage.account);
    if available_rose {
        let _ = ground.rises.send(Rise::Of(passage.account));
    }
    Landing { account: passage.account, known: passage.known, conflicts: passage.conflicts }
}

fn fail(ground: &Ground, passage: Passage, error: &StoreError) -> Landing {
    ground.counters.failures.fetch_add(1, Relaxed);
    for group in passage.groups {
        let _ = group.reply.send(group.commands.iter().map(|(index, _)| (*index, Err(error.clone()))).collect());
    }
    Landing { account: passage.account, known: None, conflicts: passage.conflicts }
}

/// The commit ids that the next version remembers, newest first.
fn remembered(known: &Known) -> Vec<u128> {
    let former = known.recent.iter().copied();
    std::iter::once(known.version.commit).chain(former).take(REMEMBERED_COMMITS - 1).collect()
}

/// Everything that some commands touch, each once, in order.
fn union<'a>(commands: impl Iterator<Item = &'a Command>) -> Touched {
    let (mut sessions, mut names, mut jobs) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for command in commands {
        let touched = command.touched();
        sessions.extend(touched.sessions);
        names.extend(touched.names);
        jobs.extend(touched.jobs);
    }
    Touched {
        sessions: sessions.into_iter().collect(),
        names: names.into_iter().collect(),
        jobs: jobs.into_iter().collect(),
    }
}

/// Does something to an account's books. The ledger asserts the sum rule: books that break it must not be written, and must not
/// stop other accounts.
pub(super) fn guarded<T>(ground: &Ground, account: AccountId, work: impl FnOnce() -> T) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        ground.counters.sum_rule_failures.fetch_add(1, Relaxed);
        StoreError::Corrupt {
            place: account.to_string(),
            detail: format!("the ledger refuses these books: {}", panic_text(panic.as_ref())),
        }
    })
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it panicked")
}
