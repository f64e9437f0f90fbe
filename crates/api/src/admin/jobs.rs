//! One-time jobs, for those who do them: claim, say how far, complete or fail.

use actix_web::{HttpRequest, HttpResponse, web};
use footlight_jobs::Claim;

use crate::body::JsonBody;
use crate::json::{ClaimJobJson, ClaimedJobJson, CompleteJobJson, FailJobJson, JobJson, JobProgressJson};
use crate::problem::{Problem, ProblemSchema};
use crate::routes::jobs::{job, text_of};
use crate::state::ApiState;

/// The longest name of a worker, note and error, in bytes.
const WORKER_LEN_MAX: usize = 100;
const NOTE_LEN_MAX: usize = 200;
const ERROR_LEN_MAX: usize = 500;

/// Claim a job
///
/// The worker has it for the lease; each report of progress begins another. 204 when there is nothing to do.
#[utoipa::path(
    post, path = "/admin/v1/jobs/claim", tag = "jobs", operation_id = "claim_job", request_body = ClaimJobJson,
    responses(
        (status = 200, description = "A job and its claim", body = ClaimedJobJson),
        (status = 204, description = "Nothing to do"),
    ),
)]
pub(crate) async fn claim(state: web::Data<ApiState>, body: JsonBody<ClaimJobJson>) -> Result<HttpResponse, Problem> {
    let ClaimJobJson { kinds, worker } = body.value;
    check_len("/worker", &worker, 1, WORKER_LEN_MAX)?;
    let Some(claimed) = state.jobs.claim(&kinds, &worker).await? else {
        return Ok(HttpResponse::NoContent().finish());
    };
    Ok(HttpResponse::Ok().json(ClaimedJobJson {
        account: claimed.job.account,
        claim: claimed.claim.to_string(),
        lease_s: state.jobs.lease().as_secs(),
        job: JobJson::of(claimed.job),
    }))
}

/// Report progress
///
/// Keeps the claim for another lease.
#[utoipa::path(
    post, path = "/admin/v1/jobs/{job}/progress", tag = "jobs", operation_id = "report_progress",
    request_body = JobProgressJson, params(("job" = String, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job", body = JobJson),
        (status = 409, description = "`claim_lost`: stop working on it", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn progress(
    state: web::Data<ApiState>,
    request: HttpRequest,
    body: JsonBody<JobProgressJson>,
) -> Result<web::Json<JobJson>, Problem> {
    let JobProgressJson { claim, percent, note } = body.value;
    check_len("/note", &note, 0, NOTE_LEN_MAX)?;
    if percent > 100 {
        return Err(Problem::field("/percent", format!("is {percent}; it must be 0 to 100")));
    }
    let job = state.jobs.progress(job(&request)?, read(&claim)?, percent, &note).await?;
    Ok(web::Json(JobJson::of(job)))
}

/// Complete a job
///
/// Its credits are spent, once, however often this is said.
#[utoipa::path(
    post, path = "/admin/v1/jobs/{job}/complete", tag = "jobs", operation_id = "complete_job",
    request_body = CompleteJobJson, params(("job" = String, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job, done", body = JobJson),
        (status = 409, description = "`claim_lost`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn complete(
    state: web::Data<ApiState>,
    request: HttpRequest,
    body: JsonBody<CompleteJobJson>,
) -> Result<web::Json<JobJson>, Problem> {
    let CompleteJobJson { claim, result } = body.value;
    let result = text_of("/result", result)?;
    Ok(web::Json(JobJson::of(state.jobs.complete(job(&request)?, read(&claim)?, result).await?)))
}

/// Fail a job
///
/// Its credits are given back.
#[utoipa::path(
    post, path = "/admin/v1/jobs/{job}/fail", tag = "jobs", operation_id = "fail_job",
    request_body = FailJobJson, params(("job" = String, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job, failed", body = JobJson),
        (status = 409, description = "`claim_lost`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn fail(
    state: web::Data<ApiState>,
    request: HttpRequest,
    body: JsonBody<FailJobJson>,
) -> Result<web::Json<JobJson>, Problem> {
    let FailJobJson { claim, error } = body.value;
    check_len("/error", &error, 1, ERROR_LEN_MAX)?;
    Ok(web::Json(JobJson::of(state.jobs.fail(job(&request)?, read(&claim)?, error).await?)))
}

fn read(claim: &str) -> Result<Claim, Problem> {
    claim.parse().map_err(|why| Problem::field("/claim", why))
}

fn check_len(pointer: &str, text: &str, least: usize, most: usize) -> Result<(), Problem> {
    if (least..=most).contains(&text.len()) {
        return Ok(());
    }
    Err(Problem::field(pointer, format!("must be {least} to {most} bytes, not {}", text.len())))
}
