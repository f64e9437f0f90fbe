//! One-time jobs.

use footlight_jobs::{Job, JobKind, JobState};
use footlight_ledger::{AccountId, JobId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Credits, Instant};

/// A job that is to be done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateJob, example = json!({"kind": "book", "input": {"title": "A book"}}))]
pub struct CreateJobJson {
    /// `agent`, `dynamics` or `book`.
    #[schema(value_type = String, example = "book")]
    pub kind: JobKind,
    /// What the work needs: any object, at most 32 KiB.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub input: Option<Box<RawValue>>,
}

/// One piece of one-time work.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobJson {
    /// Its name.
    #[schema(value_type = String, example = "job_0193b5f2a7c87d1e8f3a9b2c4d5e6f70")]
    pub id: JobId,
    /// `agent`, `dynamics` or `book`.
    #[schema(value_type = String, example = "book")]
    pub kind: JobKind,
    /// `queued`, `running`, `done`, `failed` or `cancelled`.
    #[schema(example = "running")]
    pub state: String,
    /// How far it is, of a hundred.
    pub percent: u8,
    /// What its worker is at.
    pub note: String,
    /// What the work needs; null once the job is over and was not done.
    #[schema(value_type = Option<Object>)]
    pub input: Box<RawValue>,
    /// What came of it; null until it is done.
    #[schema(value_type = Option<Object>)]
    pub result: Option<Box<RawValue>>,
    /// Why it failed; null unless it did.
    pub error: Option<String>,
    /// How often a worker began with it.
    pub attempts: u32,
    /// What is set aside for it.
    pub price: Credits,
    /// What it cost: its price once it is done, nothing otherwise.
    pub credits_used: Credits,
    /// When it was asked for.
    pub created_at: Instant,
    /// When it must be over.
    pub deadline: Instant,
    /// When it was over; null until then.
    pub finished_at: Option<Instant>,
}

impl JobJson {
    /// A job, as everybody sees it.
    #[must_use]
    pub fn of(job: Job) -> Self {
        let state = match job.state {
            JobState::Queued => "queued",
            // How it ends is decided, but not done.
            JobState::Running | JobState::Closing(_) => "running",
            JobState::Over(end) => end.as_str(),
        };
        Self {
            id: job.id,
            kind: job.kind,
            state: state.to_owned(),
            percent: job.percent,
            note: job.note,
            input: raw(job.input),
            result: job.result.map(raw),
            error: job.error,
            attempts: job.attempts,
            price: job.price.into(),
            credits_used: job.charged.into(),
            created_at: job.created_at.into(),
            deadline: job.deadline.into(),
            finished_at: job.finished_at.map(Instant),
        }
    }

    /// The same without what the work needs.
    #[must_use]
    pub(crate) fn without_input(self) -> Self {
        Self { input: RawValue::NULL.to_owned(), ..self }
    }
}

/// It came in as JSON, so it goes out as such.
fn raw(text: String) -> Box<RawValue> {
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// What a worker can do.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClaimJob, example = json!({"kinds": ["book"], "worker": "press-1"}))]
pub struct ClaimJobJson {
    /// Kinds of jobs that it takes.
    #[schema(value_type = Vec<String>)]
    pub kinds: Vec<JobKind>,
    /// What to call it in the log: 1 to 100 bytes.
    pub worker: String,
}

/// A job that a worker has claimed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClaimedJob)]
pub struct ClaimedJobJson {
    /// The job.
    #[serde(flatten)]
    pub job: JobJson,
    /// Whose it is.
    #[schema(value_type = String)]
    pub account: AccountId,
    /// What its reports must carry.
    #[schema(example = "clm_…")]
    pub claim: String,
    /// How long the worker may be silent before another gets the job, in seconds.
    pub lease_s: u64,
}

/// How far a claimed job is.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JobProgress)]
pub struct JobProgressJson {
    /// From the claim.
    pub claim: String,
    /// How far it is, of a hundred.
    #[serde(default)]
    pub percent: u8,
    /// What the worker is at: at most 200 bytes.
    #[serde(default)]
    pub note: String,
}

/// What came of a job.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CompleteJob)]
pub struct CompleteJobJson {
    /// From the claim.
    pub claim: String,
    /// Any object, at most 32 KiB.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub result: Option<Box<RawValue>>,
}

/// Why a job cannot be done.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FailJob)]
pub struct FailJobJson {
    /// From the claim.
    pub claim: String,
    /// For the job's owner: 1 to 500 bytes.
    pub error: String,
}
