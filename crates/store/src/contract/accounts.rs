//! Promises about accounts: compare and swap, read-back, lists.

use std::sync::Arc;

use footlight_ledger::{Ask, Command, EndReason, JobId, Microcredits, Touched};
use uuid::Uuid;

use super::given::{
    apply, beat, begin, commit_of, created, creation, new_account, new_session, now, reload, top_up, write,
};
use crate::{CommitOutcome, REMEMBERED_COMMITS, Store, audit_account, trim_journal};

/// What a commit wrote is what a reader gets, with names and jobs and tabs.
pub async fn an_account_is_read_back_as_it_was_committed(store: Arc<dyn Store>) {
    let mut loaded = created(&*store).await;
    let (session, job) = (new_session(), JobId(Uuid::now_v7()));
    let commands = [
        top_up("a name with spaces, ünicode and 'quotes'", Microcredits(7_000_000)),
        begin(session),
        beat(session, 1, 0, Ask::Slice),
        Command::HoldJob { job, amount: Microcredits(1_000_000) },
    ];
    apply(&*store, &mut loaded, &commands).await;
    let mut touched = Touched { sessions: vec![session], jobs: vec![job], ..Touched::default() };
    touched.names.extend(loaded.books.names.keys().cloned());
    let again = reload(&*store, loaded.books.account.id, &touched).await;
    assert_eq!(again.books, loaded.books);
    assert_eq!(again.version, loaded.version);
    assert_eq!(again.recent, loaded.recent);
    let entries = store.list_entries(loaded.books.account.id, 0, 100).await.expect("lists");
    assert_eq!(entries.len(), 2, "a grant and a job: {entries:?}");
}

/// Unknown accounts and unknown keys are no errors.
pub async fn what_is_not_there_is_left_out(store: Arc<dyn Store>) {
    let nothing = store.load_account(new_account(), &Touched::default()).await.expect("reads");
    assert!(nothing.is_none());
    let loaded = created(&*store).await;
    let account = loaded.books.account.id;
    let touched = Touched { sessions: vec![new_session()], jobs: vec![JobId(Uuid::now_v7())], ..Touched::default() };
    assert_eq!(reload(&*store, account, &touched).await.books, loaded.books);
    let mut stranger = loaded;
    stranger.books.account.id = new_account();
    let outcome = write(&*store, commit_of(&mut stranger, &[Command::Touch])).await;
    assert!(matches!(outcome, CommitOutcome::NoAccount), "{outcome:?}");
}

/// Who was slower writes nothing, and learns how things stand, tabs included.
pub async fn a_stale_commit_conflicts_and_gets_the_fresh_state(store: Arc<dyn Store>) {
    let mut first = created(&*store).await;
    let mut second = first.clone();
    let session = new_session();
    apply(&*store, &mut first, &[top_up("first", Microcredits(5_000_000)), begin(session)]).await;
    let late = commit_of(&mut second, &[top_up("second", Microcredits(1))]);
    let mut touching = late.clone();
    touching.touched.sessions.push(session);
    let CommitOutcome::Conflict(fresh) = write(&*store, touching).await else { panic!("it was stale") };
    assert_eq!(fresh.version, first.version);
    assert_eq!(fresh.books.account, first.books.account);
    assert_eq!(fresh.books.tabs, first.books.tabs);
    let again = reload(&*store, first.books.account.id, &late.touched).await;
    assert!(again.books.names.is_empty(), "the slower one wrote nothing");
    let recreated = write(&*store, creation(first.books.account.id)).await;
    assert!(matches!(recreated, CommitOutcome::Conflict(_)), "{recreated:?}");
}

/// A connection may resend what it does not know to have arrived.
pub async fn a_commit_sent_twice_is_written_once(store: Arc<dyn Store>) {
    let mut loaded = created(&*store).await;
    let commit = commit_of(&mut loaded, &[top_up("once", Microcredits(3))]);
    for _ in 0..2 {
        let outcome = write(&*store, commit.clone()).await;
        assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    }
    let entries = store.list_entries(loaded.books.account.id, 0, 10).await.expect("lists");
    assert_eq!(entries.len(), 1);
}

/// So that a lost outcome can be told after others have committed too.
pub async fn the_last_sixteen_commits_are_remembered(store: Arc<dyn Store>) {
    let mut loaded = created(&*store).await;
    let mut ids = vec![loaded.version.commit];
    for _ in 0..REMEMBERED_COMMITS {
        apply(&*store, &mut loaded, &[Command::Touch]).await;
        ids.push(loaded.version.commit);
    }
    let again = reload(&*store, loaded.books.account.id, &Touched::default()).await;
    assert!(!again.has_commit(ids[0]), "the seventeenth is forgotten");
    assert!(ids[1..].iter().all(|id| again.has_commit(*id)));
}

/// A conflict of one account is no concern of another's in the same call.
pub async fn commits_of_one_call_stand_each_on_their_own(store: Arc<dyn Store>) {
    let (mut good, mut stale) = (created(&*store).await, created(&*store).await);
    let mut faster = stale.clone();
    apply(&*store, &mut faster, &[Command::Touch]).await;
    let mut nobody = stale.clone();
    nobody.books.account.id = new_account();
    let commits = vec![
        commit_of(&mut stale, &[Command::Touch]),
        commit_of(&mut good, &[top_up("good", Microcredits(9))]),
        commit_of(&mut nobody, &[Command::Touch]),
    ];
    let outcomes: Vec<_> = store.commit(commits).await.into_iter().map(|outcome| outcome.expect("works")).collect();
    assert!(
        matches!(outcomes[..], [CommitOutcome::Conflict(_), CommitOutcome::Committed(_), CommitOutcome::NoAccount]),
        "{outcomes:?}"
    );
    let good = reload(&*store, good.books.account.id, &Touched::default()).await;
    assert_eq!(good.books.account.totals.granted, Microcredits(9));
}

/// Lists are in order, start after what was seen, and end.
pub async fn accounts_and_tabs_and_entries_come_in_pages(store: Arc<dyn Store>) {
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.push(created(&*store).await.books.account.id);
    }
    let mut loaded = created(&*store).await;
    let account = loaded.books.account.id;
    expected.push(account);
    expected.sort();
    let mut listed = Vec::new();
    loop {
        let page = store.list_accounts(listed.last().copied(), 4).await.expect("lists");
        assert!(page.len() <= 4);
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }
    assert_eq!(listed, expected);

    let sessions: Vec<_> = (0..5).map(|_| new_session()).collect();
    let mut commands = vec![top_up("plenty", Microcredits(100_000_000))];
    commands.extend(sessions.iter().map(|session| begin(*session)));
    commands.extend((0..6).map(|number| top_up(&format!("{number}"), Microcredits(1))));
    apply(&*store, &mut loaded, &commands).await;
    let first = store.list_tabs(account, None, 3).await.expect("lists");
    let rest = store.list_tabs(account, Some(first[2].session), 3).await.expect("lists");
    let mut by_id = sessions;
    by_id.sort();
    assert_eq!(first.iter().chain(&rest).map(|tab| tab.session).collect::<Vec<_>>(), by_id);
    let entries = store.list_entries(account, 2, 3).await.expect("lists");
    assert_eq!(entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [2, 3, 4]);
}

/// The sweeper's list has a tab from its deadline on, and no longer once it is forgotten.
pub async fn a_tab_is_overdue_from_its_deadline_on(store: Arc<dyn Store>) {
    let mut loaded = created(&*store).await;
    let account = loaded.books.account.id;
    let (heard, silent) = (new_session(), new_session());
    let commands = [top_up("plenty", Microcredits(100_000_000)), begin(heard), begin(silent)];
    apply(&*store, &mut loaded, &commands).await;
    let deadline = loaded.books.tabs[&silent].sweep_at;
    assert_eq!(store.list_overdue(deadline.plus_ms(-1), 10).await.expect("lists"), []);
    let overdue = store.list_overdue(deadline.plus_ms(1_000), 10).await.expect("lists");
    assert_eq!(overdue.len(), 2, "{overdue:?}");
    assert_eq!(store.list_overdue(deadline.plus_ms(1_000), 1).await.expect("lists").len(), 1);

    // One was heard of an hour later; the other is forgotten.
    let mut commit = commit_of(&mut loaded, &[beat(heard, 1, 0, Ask::Keep)]);
    let tab = commit.changes.tabs.get_mut(&heard).expect("it changed").as_mut().expect("it is there");
    tab.sweep_at = deadline.plus_ms(3_600_000);
    let moved = crate::DueMove::between(heard, None, Some(tab)).expect("it moved");
    commit.changes.tabs.insert(silent, None);
    commit.due = vec![moved, crate::DueMove { session: silent, bucket: None }];
    assert!(matches!(write(&*store, commit).await, CommitOutcome::Committed(_)));
    assert_eq!(store.list_overdue(deadline.plus_ms(3_599_000), 10).await.expect("lists"), []);
    assert_eq!(store.list_overdue(deadline.plus_ms(3_600_000), 10).await.expect("lists"), [(account, heard)]);
    assert_eq!(store.list_tabs(account, None, 10).await.expect("lists").len(), 1);
}

/// A job whose worker vanished is found.
pub async fn a_job_is_overdue_until_it_is_settled(store: Arc<dyn Store>) {
    let mut loaded = created(&*store).await;
    let account = loaded.books.account.id;
    let job = JobId(Uuid::now_v7());
    let hold = Command::HoldJob { job, amount: Microcredits(1) };
    apply(&*store, &mut loaded, &[top_up("some", Microcredits(5)), hold]).await;
    assert_eq!(store.list_overdue_jobs(now(), 10).await.expect("lists"), []);
    let in_a_year = now().plus_ms(365 * 24 * 3_600_000);
    assert_eq!(store.list_overdue_jobs(in_a_year, 10).await.expect("lists"), [(account, job)]);
    apply(&*store, &mut loaded, &[Command::SettleJob { job }]).await;
    assert_eq!(store.list_overdue_jobs(in_a_year, 10).await.expect("lists"), []);
}

/// What was exported may go; the audit closes all the same, and an entry that goes missing shows.
pub async fn a_trimmed_journal_still_audits(store: Arc<dyn Store>) {
    let mut loaded = created(&*store).await;
    let account = loaded.books.account.id;
    let session = new_session();
    let stop = Command::EndSession { session, epoch: 1, number: 2, units: 75, reason: EndReason::Stopped };
    let commands = [top_up("some", Microcredits(50_000_000)), begin(session), beat(session, 1, 0, Ask::Slice), stop];
    apply(&*store, &mut loaded, &commands).await;
    let before = audit_account(&*store, account).await.expect("audits").expect("is there");
    assert_eq!(before.differences, Vec::<String>::new());
    assert_eq!(trim_journal(&*store, account, now().plus_ms(-3_600_000)).await.expect("trims"), 0);
    assert_eq!(trim_journal(&*store, account, now().plus_ms(1_000)).await.expect("trims"), before.entries);
    assert_eq!(store.list_entries(account, 0, 10).await.expect("lists"), []);
    apply(&*store, &mut loaded, &[top_up("more", Microcredits(1))]).await;
    let after = audit_account(&*store, account).await.expect("audits").expect("is there");
    assert_eq!(after.differences, Vec::<String>::new());
    assert_eq!(after.entries, before.entries + 1);
    assert!(!store.trim_entries(account, 0, &before_checkpoint(&*store, account).await).await.expect("compares"));
}

async fn before_checkpoint(store: &dyn Store, account: footlight_ledger::AccountId) -> footlight_ledger::Checkpoint {
    store.load_checkpoint(account).await.expect("reads")
}
