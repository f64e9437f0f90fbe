//! How jobs end: their credits are spent or given back, their owner is told, and what is old is removed.

use std::sync::Weak;
use std::time::Duration;

use footlight_hooks::News;
use footlight_ledger::{AccountId, Command, JobId, Microcredits, Outcome, Refusal};
use footlight_store::records::write_surely;
use footlight_store::{Due, Expected, Owner, Record, RecordBatch, RecordOp, RecordOutcome, RecordRange, StoreError};

use crate::desk::{contended, read};
use crate::job::{Job, JobEnd, JobState};
use crate::options::ms;
use crate::{CLOSING, Found, Inner, JOBS, JobError, REMOVAL, key, put};

/// How often jobs are looked for that nobody ends: their deciders crashed, their workers never came back.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Lines looked at in one round, and jobs of each.
const LINES_MAX: usize = 4_096;
const JOBS_MAX: usize = 100;

/// How often a job's end is written that somebody else writes too.
const TRIES_MAX: u32 = 4;

/// Jobs read in one step when old ones are forgotten.
const PAGE: usize = 100;

/// Old jobs are looked for at one end of so many, of as many as are kept: each look reads them all.
const LOOKS_AMONG_KEPT: usize = 16;

/// How long a job's end waits until it is told.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

impl Inner {
    /// Ends a job whose end is decided. May be done by several at once: settling is idempotent by the job's id, and telling
    /// by its name.
    pub(crate) async fn finish(&self, account: AccountId, job: JobId) -> Result<Job, JobError> {
        for _ in 0..TRIES_MAX {
            let Found { mut job, version } = self.find(account, job).await?.ok_or(JobError::NotFound)?;
            let JobState::Closing(decided) = job.state else { return Ok(job) };
            let (end, charged) = self.pay(&job, decided).await?;
            if end != decided {
                job.error = Some("its credits had been given back before it was done".to_owned());
            }
            let now = self.now();
            (job.state, job.charged, job.finished_at) = (JobState::Over(end), charged, Some(now));
            if end != JobEnd::Done {
                // Nobody has paid for keeping it, and asking and cancelling can be repeated for ever.
                "null".clone_into(&mut job.input);
            }
            self.parts.hooks.tell(
                account,
                now,
                News::JobFinished {
                    job: job.id,
                    kind: job.kind.to_string(),
                    state: end.as_str().to_owned(),
                    charged,
                    error: job.error.clone(),
                },
            );
            // Told before the record says it, so that no crash comes between.
            let _ = tokio::time::timeout(TOLD_WITHIN, self.parts.hooks.written()).await;
            let due = Due { queue: REMOVAL.to_owned(), at: now.plus_ms(ms(self.parts.options.kept)) };
            let ops = vec![put(&job, Expected::Version(version), due)];
            let batch = RecordBatch { owner: Owner::Account(account), ops };
            if write_surely(self.store(), batch).await? == RecordOutcome::Written {
                let between = (self.parts.options.kept_max / LOOKS_AMONG_KEPT).max(1);
                if rand::random_range(0..between) == 0
                    && let Err(error) = self.forget_old(account).await
                {
                    tracing::debug!(%error, %account, "old jobs are forgotten another time");
                }
                return Ok(job);
            }
        }
        Err(contended(account))
    }

    /// Removes the oldest of an account's jobs that are over, if there are more than are kept.
    async fn forget_old(&self, account: AccountId) -> Result<(), JobError> {
        let owner = Owner::Account(account);
        let (mut seen, mut after) = (0, None);
        // Every step is further on in what the account has.
        loop {
            let range = RecordRange { after, backwards: true, limit: PAGE, ..RecordRange::default() };
            let records = self.store().list_records(owner, JOBS, range).await?;
            let Some(last) = records.last() else { return Ok(()) };
            after = Some(last.id.clone());
            let mut ops = Vec::new();
            for record in &records {
                let job = read(record)?;
                if !matches!(job.state, JobState::Over(_)) {
                    continue;
                }
                seen += 1;
                if seen > self.parts.options.kept_max {
                    ops.push(RecordOp::Delete { key: key(job.id), expected: Expected::Version(record.version) });
                }
            }
            if !ops.is_empty() {
                // If another has removed one of them first, the next look removes the others.
                write_surely(self.store(), RecordBatch { owner, ops }).await?;
            }
        }
    }

    /// Spends or gives back what is set aside. Credits that were given back while the work went on (a day is over) are not
    /// asked for again: then the job has failed.
    async fn pay(&self, job: &Job, decided: JobEnd) -> Result<(JobEnd, Microcredits), JobError> {
        if job.price.is_zero() {
            return Ok((decided, Microcredits::ZERO));
        }
        let command = match decided {
            JobEnd::Done => Command::SettleJob { job: job.id },
            JobEnd::Failed | JobEnd::Cancelled => Command::ReleaseJob { job: job.id },
        };
        match self.parts.desk.submit(job.account, command).await? {
            Outcome::JobSettled { amount } => Ok((decided, amount)),
            Outcome::JobReleased { .. } => Ok((decided, Microcredits::ZERO)),
            Outcome::Refused(Refusal::JobClosed { .. } | Refusal::UnknownJob) if decided == JobEnd::Done => {
                Ok((JobEnd::Failed, Microcredits::ZERO))
            }
            Outcome::Refused(refusal) => Err(refusal.into()),
            outcome => {
                let detail = format!("the end of a job was answered by {outcome:?}");
                Err(StoreError::Corrupt { place: job.id.to_string(), detail }.into())
            }
        }
    }
}

/// Ends what nobody ends, until the jobs are gone.
pub(crate) async fn run(inner: Weak<Inner>) {
    loop {
        let Some(jobs) = inner.upgrade() else { return };
        if let Err(error) = round(&jobs).await {
            tracing::debug!(%error, "jobs that nobody ends wait for now");
        }
        drop(jobs);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn round(jobs: &Inner) -> Result<(), JobError> {
    for line in jobs.store().due_queues(JOBS, jobs.now(), LINES_MAX).await? {
        let Some(account) = line.owner.account() else { continue };
        for record in jobs.store().list_due(line.owner, JOBS, &line.queue, jobs.now(), JOBS_MAX).await? {
            match end_one(jobs, account, &line.queue, &record).await {
                Err(JobError::Store(error)) if error.is_transport() => return Err(error.into()),
                // What is wrong with one job is wrong with it alone.
                Err(error) => tracing::error!(%error, %account, job = record.id, "a job cannot be ended"),
                Ok(()) => {}
            }
        }
    }
    Ok(())
}

async fn end_one(jobs: &Inner, account: AccountId, queue: &str, record: &Record) -> Result<(), JobError> {
    let job = read(record)?;
    match queue {
        REMOVAL => {
            let gone = RecordOp::Delete { key: key(job.id), expected: Expected::Version(record.version) };
            let batch = RecordBatch { owner: Owner::Account(account), ops: vec![gone] };
            write_surely(jobs.store(), batch).await?;
            Ok(())
        }
        CLOSING => jobs.finish(account, job.id).await.map(drop),
        _ if jobs.is_hopeless(&job) => jobs.give_up(account, job.id).await,
        // It waits for a worker.
        _ => Ok(()),
    }
}
