//! One-time jobs, for those who want them done.

use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use footlight_jobs::{JobError, Jobs, NewJob};
use footlight_ledger::{AccountId, JobId};
use futures_util::{StreamExt as _, stream};
use serde_json::value::RawValue;

use crate::auth::{self, Authenticated};
use crate::body::{JsonBody, QueryOf, path_id};
use crate::idempotency::{self, Answer};
use crate::json::{CreateJobJson, JobJson, Page, PageQuery};
use crate::problem::{Code, Problem, ProblemSchema};
use crate::state::ApiState;
use crate::stream::Follower;

/// The largest input or result, in bytes. What is larger is uploaded apart.
pub(crate) const JSON_LEN_MAX: usize = 32 << 10;

/// How often a job that somebody follows is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often at least, while nothing happens.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(4);

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        let detail = error.to_string();
        match error {
            JobError::NotTaken => Self::field("/kind", "is not taken here: it has no price"),
            JobError::Refused(refusal) => refusal.into(),
            JobError::NotFound => Self::new(Code::UnknownJob, detail),
            JobError::ClaimLost => Self::new(Code::ClaimLost, detail),
            JobError::Store(error) => error.into(),
        }
    }
}

/// Ask for a job
///
/// Its price is set aside now, spent when it is done, and given back when it fails, is cancelled or takes too long.
#[utoipa::path(
    post, path = "/v1/jobs", tag = "jobs", operation_id = "create_job",
    request_body = CreateJobJson,
    params(("idempotency-key" = Option<String>, Header, description = "The same key asks once, for 24 hours; repeated answers are without the input")),
    responses(
        (status = 201, description = "The job, queued", body = JobJson),
        (status = 402, description = "`credits_exhausted`, `debt`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_field`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Authenticated,
    body: JsonBody<CreateJobJson>,
) -> Result<HttpResponse, Problem> {
    let CreateJobJson { kind, input } = body.value;
    let input = text_of("/input", input)?;
    let (jobs, workshop) = (state.jobs.clone(), state.workshop.clone());
    idempotency::once(&state, &request, &caller.account.to_string(), body.digest, async move {
        if let Err(fault) = workshop.look_at(caller.account, kind, &input).await? {
            return Err(Problem::field(format!("/input{}", fault.pointer), fault.detail));
        }
        let job = jobs.create(caller.account, NewJob { kind, input }).await?;
        workshop.knock();
        let job = JobJson::of(job);
        // Who repeats this has the input, and memories are kept for a day though the job is cancelled at once.
        Answer::json(StatusCode::CREATED, &job)?.remember(&job.without_input())
    })
    .await
}

/// List jobs
///
/// Newest first; those that are over are shown for some weeks. A page may hold fewer than its limit, about 1 MB, and still have a
/// `next_cursor`.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "jobs", operation_id = "list_jobs", params(PageQuery),
    responses((status = 200, description = "One page", body = Page<JobJson>)),
)]
pub(crate) async fn list(
    state: web::Data<ApiState>,
    caller: Authenticated,
    query: QueryOf<PageQuery>,
) -> Result<web::Json<Page<JobJson>>, Problem> {
    let (before, limit) = (query.0.cursor::<JobId>()?, query.0.limit()?);
    let page = state.jobs.list(caller.account, before, limit).await?;
    let next_cursor = page.next.map(|next| next.to_string());
    Ok(web::Json(Page { data: page.jobs.into_iter().map(JobJson::of).collect(), next_cursor }))
}

/// Get a job
#[utoipa::path(
    get, path = "/v1/jobs/{job}", tag = "jobs", operation_id = "get_job",
    params(("job" = String, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job", body = JobJson),
        (status = 404, description = "`unknown_job`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Authenticated,
) -> Result<web::Json<JobJson>, Problem> {
    Ok(web::Json(JobJson::of(state.jobs.get(caller.account, job(&request)?).await?)))
}

/// Follow a job
///
/// Server-sent events, one whenever it is further than before; the first tells the present state. The stream ends with the
/// job.
#[utoipa::path(
    get, path = "/v1/jobs/{job}/events", tag = "jobs", operation_id = "job_events",
    params(("job" = String, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job, until it is over", body = JobJson, content_type = "text/event-stream"),
        (status = 404, description = "`unknown_job`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_streams`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn follow(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Authenticated,
) -> Result<HttpResponse, Problem> {
    let id = job(&request)?;
    state.jobs.get(caller.account, id).await?;
    let seat = state.seats.take(id.0, Follower::Own, state.options.max_streams_per_session)?;
    let watch = Watch { jobs: state.jobs.clone(), account: caller.account, job: id, told: None, is_over: false };
    let keep_alive = state.options.keep_alive();
    let revoked = auth::until_revoked(state.clone(), caller.into());
    let lines = stream::unfold((watch, seat), move |(mut watch, seat)| async move {
        let line = watch.next(keep_alive).await?;
        Some((Ok::<_, Problem>(line), (watch, seat)))
    });
    let lines = lines.take_until(Box::pin(revoked));
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Proxies that gather answers would gather this one for ever.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(lines))
}

/// Somebody who waits for news of a job. Its worker may be anywhere, so the record is looked at.
struct Watch {
    jobs: Jobs,
    account: AccountId,
    job: JobId,
    told: Option<String>,
    is_over: bool,
}

impl Watch {
    /// The next line for the client, at the latest after `keep_alive`; `None` at the end.
    async fn next(&mut self, keep_alive: Duration) -> Option<Bytes> {
        let deadline = tokio::time::Instant::now() + keep_alive;
        let mut pause = LOOK_EVERY;
        while !self.is_over {
            // A store that is away is asked again; a job that is gone is over.
            let found = self.jobs.get(self.account, self.job).await;
            if matches!(found, Err(JobError::NotFound)) {
                return None;
            }
            if let Ok(job) = found {
                self.is_over = job.finished_at.is_some();
                let text = serde_json::to_string(&JobJson::of(job)).expect("jobs are strings and numbers");
                // Inputs and results are as they were sent: between their values there may be line breaks, which would end
                // the event. Within strings JSON has none.
                let text = text.replace(['\n', '\r'], " ");
                if self.told.as_ref() != Some(&text) {
                    let line = format!("event: job\ndata: {text}\n\n").into();
                    self.told = Some(text);
                    return Some(line);
                }
            }
            if tokio::time::Instant::now() >= deadline {
                return Some(Bytes::from_static(b": still here\n\n"));
            }
            tokio::time::sleep(pause).await;
            // Where nothing happens it is looked at more seldom.
            pause = (pause * 2).min(LOOK_EVERY_MAX);
        }
        None
    }
}

/// Cancel a job
///
/// Its credits are given back. One that is over stays as it ended.
#[utoipa::path(
    delete, path = "/v1/jobs/{job}", tag = "jobs", operation_id = "cancel_job",
    params(("job" = String, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job, over", body = JobJson),
        (status = 404, description = "`unknown_job`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn cancel(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Authenticated,
) -> Result<web::Json<JobJson>, Problem> {
    Ok(web::Json(JobJson::of(state.jobs.cancel(caller.account, job(&request)?).await?)))
}

pub(crate) fn job(request: &HttpRequest) -> Result<JobId, Problem> {
    path_id(request, "job", Code::UnknownJob)
}

/// A part of a body that is kept as it came.
pub(crate) fn text_of(pointer: &str, json: Option<Box<RawValue>>) -> Result<String, Problem> {
    let text = json.map_or_else(|| "null".to_owned(), |json| json.get().to_owned());
    if text.len() > JSON_LEN_MAX {
        let detail = format!("has {} bytes; at most {JSON_LEN_MAX} fit", text.len());
        return Err(Problem::field(pointer, detail));
    }
    if !text.starts_with('{') && text != "null" {
        return Err(Problem::field(pointer, "must be an object"));
    }
    Ok(text)
}
