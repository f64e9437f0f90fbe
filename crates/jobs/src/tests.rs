//! What is kept of jobs that are over, on the embedded store.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use footlight_hooks::{HookOptions, HookParts, Hooks};
use footlight_ledger::{AccountId, Command, GrantId, GrantKind, GrantName, Limits, Microcredits, Terms, Timestamp};
use footlight_store::{LedgerDesk, SqliteStore, Store};
use uuid::Uuid;

use crate::{Job, JobEnd, JobKind, JobOptions, JobParts, JobState, Jobs, NewJob};

const ACCOUNT: AccountId = AccountId(Uuid::from_u128(1));

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap())
}

/// Jobs, and an account that can pay four of them.
async fn desk_of_jobs(options: JobOptions) -> Jobs {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory().unwrap());
    let desk = LedgerDesk::new(Arc::clone(&store), Terms::default(), Arc::new(now), Arc::new(rand::random));
    desk.open_account(ACCOUNT, Limits::default()).await.unwrap();
    let grant = Command::Grant {
        id: GrantId(Uuid::from_u128(2)),
        name: GrantName("test".to_owned()),
        kind: GrantKind::TopUp,
        amount: Microcredits::from_credits(1_000),
        expires_at: None,
    };
    desk.submit(ACCOUNT, grant).await.unwrap();
    let hooks = Hooks::start(HookParts {
        store: Arc::clone(&store),
        desk: desk.clone(),
        clock: Arc::new(now),
        encode: Arc::new(|_| Vec::new()),
        options: HookOptions::default(),
        registry: prometheus::Registry::new(),
    })
    .unwrap();
    Jobs::start(JobParts { store, desk, clock: Arc::new(now), hooks, options })
}

async fn ask(jobs: &Jobs) -> Job {
    let input = r#"{"title":"A book"}"#.to_owned();
    jobs.create(ACCOUNT, NewJob { kind: JobKind::Book, input }).await.unwrap()
}

#[tokio::test]
async fn what_was_not_done_keeps_no_input() {
    let jobs = desk_of_jobs(JobOptions::default()).await;
    let [cancelled, failed, done] = [ask(&jobs).await, ask(&jobs).await, ask(&jobs).await];
    jobs.cancel(ACCOUNT, cancelled.id).await.unwrap();
    for _ in 0..2 {
        let claimed = jobs.claim(&[JobKind::Book], "worker").await.unwrap().expect("there is one");
        assert_eq!(claimed.job.input, done.input, "workers see it");
        if claimed.job.id == done.id {
            jobs.complete(done.id, claimed.claim, "{}".to_owned()).await.unwrap();
        } else {
            jobs.fail(failed.id, claimed.claim, "no paper".to_owned()).await.unwrap();
        }
    }
    for (job, end, input) in [
        (&cancelled, JobEnd::Cancelled, "null"),
        (&failed, JobEnd::Failed, "null"),
        (&done, JobEnd::Done, done.input.as_str()),
    ] {
        let kept = jobs.get(ACCOUNT, job.id).await.unwrap();
        assert_eq!((kept.state, kept.input.as_str()), (JobState::Over(end), input));
    }
}

#[tokio::test]
async fn the_oldest_jobs_that_are_over_are_forgotten_and_none_that_waits() {
    let jobs = desk_of_jobs(JobOptions { kept_max: 3, ..JobOptions::default() }).await;
    let waiting = ask(&jobs).await;
    let mut ended = Vec::new();
    for _ in 0..5 {
        let job = ask(&jobs).await;
        jobs.cancel(ACCOUNT, job.id).await.unwrap();
        ended.push(job.id);
    }
    let kept: Vec<_> = jobs.list(ACCOUNT, None, 100).await.unwrap().jobs.into_iter().map(|job| job.id).collect();
    assert_eq!(kept, [ended[4], ended[3], ended[2], waiting.id]);
}
