//! What accounts and workers ask of jobs.

use footlight_ledger::{AccountId, Command, JobId, Microcredits, Outcome};
use footlight_store::records::{get_record, write_surely};
use footlight_store::{Due, Expected, Owner, Record, RecordBatch, RecordOutcome, RecordRange, StoreError, codec};
use rand::seq::SliceRandom as _;
use uuid::Uuid;

use crate::job::{Claim, Job, JobEnd, JobKind, JobState};
use crate::options::ms;
use crate::{CLOSING, Found, Inner, JOBS, JobError, Jobs, key, put};

/// Lines looked at for one claim.
const LINES_MAX: usize = 4_096;

/// Jobs of one line looked at for one claim: more than one, since others claim too.
const LOOKED_AT: usize = 4;

/// Bytes of jobs on one page: inputs and results may be 32 KiB each.
const PAGE_BYTES_MAX: usize = 1 << 20;

/// Jobs read at once for a page.
const BLOCK: usize = 16;

/// How often a change of a job is tried that others change too.
const TRIES_MAX: u32 = 8;

/// A job to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// What.
    pub kind: JobKind,
    /// What the work needs, as JSON.
    pub input: String,
}

/// A job that a worker has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The job.
    pub job: Job,
    /// What its reports must carry.
    pub claim: Claim,
}

/// Jobs of an account, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// Ask for those before this one; `None` when there are no more.
    pub next: Option<JobId>,
}

impl Jobs {
    /// Sets a job's credits aside and queues it.
    ///
    /// # Errors
    /// [`JobError::NotTaken`], [`JobError::Refused`]; what the store said.
    pub async fn create(&self, account: AccountId, new: NewJob) -> Result<Job, JobError> {
        let inner = &self.inner;
        let options = &inner.parts.options;
        let price = *options.prices.get(&new.kind).ok_or(JobError::NotTaken)?;
        let now = inner.now();
        let job = Job {
            id: JobId(Uuid::now_v7()),
            account,
            kind: new.kind,
            state: JobState::Queued,
            input: new.input,
            result: None,
            error: None,
            percent: 0,
            note: String::new(),
            attempts: 0,
            worker: None,
            claim: 0,
            price,
            charged: Microcredits::ZERO,
            created_at: now,
            deadline: now.plus_ms(ms(options.timeout)),
            finished_at: None,
        };
        // Held first: a job that nobody hears of is given back by the sweeper, one that is worked on is paid for.
        if !price.is_zero() {
            match inner.parts.desk.submit(account, Command::HoldJob { job: job.id, amount: price }).await? {
                Outcome::Refused(refusal) => return Err(refusal.into()),
                _ => tracing::debug!(job = %job.id, "credits were set aside"),
            }
        }
        let due = Due { queue: job.kind.to_string(), at: now };
        let batch = RecordBatch { owner: Owner::Account(account), ops: vec![put(&job, Expected::Absent, due)] };
        match write_surely(inner.store(), batch).await {
            Ok(_) => Ok(job),
            Err(error) => {
                if !error.is_outcome_unknown() {
                    // Nobody will work on it. If this fails too, the sweeper gives the credits back.
                    let _ = inner.parts.desk.submit(account, Command::ReleaseJob { job: job.id }).await;
                }
                Err(error.into())
            }
        }
    }

    /// How long a worker may be silent.
    #[must_use]
    pub fn lease(&self) -> std::time::Duration {
        self.inner.parts.options.lease
    }

    /// One job of an account.
    ///
    /// # Errors
    /// [`JobError::NotFound`]; what the store said.
    pub async fn get(&self, account: AccountId, job: JobId) -> Result<Job, JobError> {
        Ok(self.inner.find(account, job).await?.ok_or(JobError::NotFound)?.job)
    }

    /// An account's jobs, newest first, before `before`, at most `limit`; fewer when these are many bytes.
    ///
    /// # Errors
    /// What the store said.
    pub async fn list(&self, account: AccountId, before: Option<JobId>, limit: usize) -> Result<JobPage, JobError> {
        let (mut jobs, mut bytes): (Vec<Job>, usize) = (Vec::new(), 0);
        let mut after = before.map(|before| key(before).id);
        loop {
            // One more than the page holds tells that there is a next one.
            let wanted = (limit + 1 - jobs.len()).min(BLOCK);
            let range = RecordRange { after, backwards: true, limit: wanted, ..RecordRange::default() };
            let records = self.inner.store().list_records(Owner::Account(account), JOBS, range).await?;
            for record in &records {
                bytes += record.body.len();
                if jobs.len() == limit || (bytes > PAGE_BYTES_MAX && !jobs.is_empty()) {
                    return Ok(JobPage { next: jobs.last().map(|last| last.id), jobs });
                }
                jobs.push(read(record)?);
            }
            if records.len() < wanted {
                return Ok(JobPage { jobs, next: None });
            }
            after = records.last().map(|last| last.id.clone());
        }
    }

    /// Ends a job that its owner wants no more; one that is over stays as it ended.
    ///
    /// # Errors
    /// [`JobError::NotFound`]; what the store said.
    pub async fn cancel(&self, account: AccountId, job: JobId) -> Result<Job, JobError> {
        self.inner.decide(account, job, |_| Ok(JobEnd::Cancelled)).await
    }

    /// Gives a worker the next job of one of these kinds, for the lease; `None` when there is none.
    ///
    /// # Errors
    /// What the store said.
    pub async fn claim(&self, kinds: &[JobKind], worker: &str) -> Result<Option<Claimed>, JobError> {
        let inner = &self.inner;
        let mut lines = inner.store().due_queues(JOBS, inner.now(), LINES_MAX).await?;
        lines.retain(|line| kinds.iter().any(|kind| kind.as_str() == line.queue));
        // No account comes first for ever.
        lines.shuffle(&mut rand::rng());
        for line in lines {
            let Some(account) = line.owner.account() else { continue };
            for record in inner.store().list_due(line.owner, JOBS, &line.queue, inner.now(), LOOKED_AT).await? {
                let mut job: Job = read(&record)?;
                if inner.is_hopeless(&job) {
                    inner.give_up(account, job.id).await?;
                    continue;
                }
                let claim = Claim { account, number: rand::random() };
                job.state = JobState::Running;
                job.attempts += 1;
                (job.percent, job.note) = (0, String::new());
                (job.worker, job.claim) = (Some(worker.to_owned()), claim.number);
                let op = put(&job, Expected::Version(record.version), inner.leased(&job));
                let batch = RecordBatch { owner: line.owner, ops: vec![op] };
                if write_surely(inner.store(), batch).await? == RecordOutcome::Written {
                    return Ok(Some(Claimed { job, claim }));
                }
            }
        }
        Ok(None)
    }

    /// Says how far a claimed job is, and keeps it for another lease.
    ///
    /// # Errors
    /// [`JobError::ClaimLost`]; what the store said.
    pub async fn progress(&self, job: JobId, claim: Claim, percent: u8, note: &str) -> Result<Job, JobError> {
        let inner = &self.inner;
        for _ in 0..TRIES_MAX {
            let Found { mut job, version } = inner.find(claim.account, job).await?.ok_or(JobError::ClaimLost)?;
            if job.state != JobState::Running || job.claim != claim.number || inner.now() >= job.deadline {
                return Err(JobError::ClaimLost);
            }
            (job.percent, job.note) = (percent.min(100), note.to_owned());
            let op = put(&job, Expected::Version(version), inner.leased(&job));
            let batch = RecordBatch { owner: Owner::Account(claim.account), ops: vec![op] };
            if write_surely(inner.store(), batch).await? == RecordOutcome::Written {
                return Ok(job);
            }
        }
        Err(contended(claim.account))
    }

    /// The work is done: its credits are spent. Said twice it is done once.
    ///
    /// # Errors
    /// [`JobError::ClaimLost`]; what the store said.
    pub async fn complete(&self, job: JobId, claim: Claim, result: String) -> Result<Job, JobError> {
        let decide = |job: &mut Job| {
            check(job, claim)?;
            (job.result, job.percent, job.note) = (Some(result.clone()), 100, String::new());
            Ok(JobEnd::Done)
        };
        self.inner.decide_claimed(job, claim, JobEnd::Done, decide).await
    }

    /// The work cannot be done: its credits are given back.
    ///
    /// # Errors
    /// [`JobError::ClaimLost`]; what the store said.
    pub async fn fail(&self, job: JobId, claim: Claim, error: String) -> Result<Job, JobError> {
        let decide = |job: &mut Job| {
            check(job, claim)?;
            job.error = Some(error.clone());
            Ok(JobEnd::Failed)
        };
        self.inner.decide_claimed(job, claim, JobEnd::Failed, decide).await
    }
}

fn check(job: &Job, claim: Claim) -> Result<(), JobError> {
    if job.state == JobState::Running && job.claim == claim.number { Ok(()) } else { Err(JobError::ClaimLost) }
}

impl Inner {
    pub(crate) async fn find(&self, account: AccountId, job: JobId) -> Result<Option<Found>, StoreError> {
        let record = get_record(self.store(), Owner::Account(account), &key(job)).await?;
        record.map(|record| Ok(Found { version: record.version, job: read(&record)? })).transpose()
    }

    /// Whether nobody should begin with it any more.
    pub(crate) fn is_hopeless(&self, job: &Job) -> bool {
        self.now() >= job.deadline || job.attempts >= self.parts.options.attempts_max
    }

    /// Ends a hopeless job.
    pub(crate) async fn give_up(&self, account: AccountId, job: JobId) -> Result<(), JobError> {
        let decide = |job: &mut Job| {
            let why = if self.now() >= job.deadline { "it took too long" } else { "no worker came back with it" };
            job.error = Some(why.to_owned());
            Ok(JobEnd::Failed)
        };
        self.decide(account, job, decide).await.map(drop)
    }

    /// A worker's word is the last one if it is its own word that it finds: the answer to its first one got lost.
    async fn decide_claimed(
        &self,
        job: JobId,
        claim: Claim,
        end: JobEnd,
        decide: impl Fn(&mut Job) -> Result<JobEnd, JobError> + Send + Sync,
    ) -> Result<Job, JobError> {
        let found = self.find(claim.account, job).await?.ok_or(JobError::ClaimLost)?.job;
        let is_said = matches!(found.state, JobState::Closing(said) | JobState::Over(said) if said == end);
        match found.state {
            JobState::Over(_) if is_said && found.claim == claim.number => Ok(found),
            JobState::Closing(_) if is_said && found.claim == claim.number => self.finish(claim.account, job).await,
            JobState::Running => {
                let ended = self.decide(claim.account, job, decide).await?;
                // Its owner may have been faster.
                if ended.state == JobState::Over(JobEnd::Cancelled) { Err(JobError::ClaimLost) } else { Ok(ended) }
            }
            _ => Err(JobError::ClaimLost),
        }
    }

    /// Decides how a job ends, once, and ends it. One that is decided already ends as it was decided.
    async fn decide(
        &self,
        account: AccountId,
        job: JobId,
        decide: impl Fn(&mut Job) -> Result<JobEnd, JobError> + Send + Sync,
    ) -> Result<Job, JobError> {
        for _ in 0..TRIES_MAX {
            let Found { job: mut found, version } = self.find(account, job).await?.ok_or(JobError::NotFound)?;
            match found.state {
                JobState::Over(_) => return Ok(found),
                JobState::Closing(_) => return self.finish(account, job).await,
                JobState::Queued | JobState::Running => {}
            }
            found.state = JobState::Closing(decide(&mut found)?);
            let due = Due { queue: CLOSING.to_owned(), at: self.now() };
            let ops = vec![put(&found, Expected::Version(version), due)];
            let batch = RecordBatch { owner: Owner::Account(account), ops };
            if write_surely(self.store(), batch).await? == RecordOutcome::Written {
                return self.finish(account, job).await;
            }
        }
        Err(contended(account))
    }

    fn leased(&self, job: &Job) -> Due {
        Due { queue: job.kind.to_string(), at: self.now().plus_ms(ms(self.parts.options.lease)) }
    }
}

pub(crate) fn read(record: &Record) -> Result<Job, StoreError> {
    codec::decode(&record.body, || record.id.clone())
}

pub(crate) const fn contended(account: AccountId) -> JobError {
    JobError::Store(StoreError::Contended { account, tries: TRIES_MAX })
}
