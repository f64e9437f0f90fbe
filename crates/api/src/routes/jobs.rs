//! One-time jobs, for those who want them done.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use footlight_jobs::{JobError, NewJob};
use footlight_ledger::JobId;
use serde_json::value::RawValue;

use crate::auth::Authenticated;
use crate::body::{JsonBody, QueryOf, path_id};
use crate::idempotency::{self, Answer};
use crate::json::{CreateJobJson, JobJson, Page, PageQuery};
use crate::problem::{Code, Problem, ProblemSchema};
use crate::state::ApiState;

/// The largest input or result, in bytes. What is larger is uploaded apart.
pub(crate) const JSON_LEN_MAX: usize = 32 << 10;

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
    params(("idempotency-key" = Option<String>, Header, description = "The same key asks once, for 24 hours")),
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
    let jobs = state.jobs.clone();
    idempotency::once(&state, &request, &caller.account.to_string(), body.digest, async move {
        let job = jobs.create(caller.account, NewJob { kind, input }).await?;
        Answer::json(StatusCode::CREATED, &JobJson::of(job))
    })
    .await
}

/// List jobs
///
/// Newest first; those that are over are shown for some weeks.
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
    Ok(text)
}
