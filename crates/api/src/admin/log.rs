//! What operators did: one line for each call that may change something, written before it is done.

use actix_web::http::{Method, StatusCode};
use actix_web::web;
use footlight_ledger::Timestamp;
use footlight_store::records::{Expected, RecordOp, RecordRange, RecordVersion, write_surely};
use footlight_store::{Owner, RecordBatch, RecordKey, codec};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::body::QueryOf;
use crate::json::{Instant, Page, PageQuery, page};
use crate::problem::Problem;
use crate::state::ApiState;

/// The collection of these lines. Their ids are in the order of time.
const LOG: &str = "admin_log";
/// How long a line is kept, in milliseconds: 400 days.
const KEPT_MS: i64 = 400 * 24 * 3600 * 1000;
/// Old lines removed with each new one: more than come.
const REMOVED_AT_ONCE: usize = 4;

/// One action of an operator.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = AdminAction)]
pub(crate) struct ActionJson {
    /// Its name, in the order of time.
    pub id: String,
    /// When it was asked for.
    pub at: Instant,
    /// Whose token it came with: `admin`, or a name of `admin_tokens`.
    #[schema(example = "admin")]
    pub operator: String,
    /// From which address.
    #[schema(example = "127.0.0.1")]
    pub address: Option<String>,
    /// The call.
    #[schema(example = "POST")]
    pub method: String,
    /// On what.
    #[schema(example = "/admin/v1/accounts/acc_0193b5f2a7c87d1e8f3a9b2c4d5e6f70/grants")]
    pub path: String,
    /// What it was answered; null if the node went down, or the operator hung up, before it was.
    #[schema(example = 201)]
    pub status: Option<u16>,
    /// The answer's `x-request-id`, by which the node's own log has more.
    pub request_id: Option<String>,
}

/// Whether a call belongs in the log: whatever may change something.
pub(crate) fn is_logged(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Writes down what is about to be done. An action that cannot be written down is not done.
///
/// # Errors
/// What the store said.
pub(crate) async fn begin(state: &ApiState, action: &ActionJson) -> Result<(), Problem> {
    write(state, action).await?;
    if let Err(problem) = remove_old(state, action.at.0).await {
        tracing::warn!(%problem, "old lines of the log of operators' actions could not be removed");
    }
    Ok(())
}

async fn remove_old(state: &ApiState, now: Timestamp) -> Result<(), Problem> {
    // A moment in which somebody works is as good as any for cleaning up.
    let range = RecordRange { limit: REMOVED_AT_ONCE, ..RecordRange::default() };
    let oldest = state.node.store().list_records(Owner::Service, LOG, range).await?;
    let old: Vec<RecordOp> = oldest
        .into_iter()
        .filter(|record| is_old(&record.id, now))
        .map(|record| RecordOp::Delete { key: RecordKey::new(LOG, record.id), expected: Expected::Any })
        .collect();
    if !old.is_empty() {
        write_surely(state.node.store().as_ref(), RecordBatch { owner: Owner::Service, ops: old }).await?;
    }
    Ok(())
}

/// Writes down how it was answered. That it was asked for is there already, so a failure is only logged.
pub(crate) async fn end(state: &ApiState, mut action: ActionJson, status: StatusCode) {
    action.status = Some(status.as_u16());
    if let Err(problem) = write(state, &action).await {
        tracing::warn!(%problem, id = action.id, "the answer of an operator's action could not be written down");
    }
}

async fn write(state: &ApiState, action: &ActionJson) -> Result<(), Problem> {
    let put = RecordOp::Put {
        key: RecordKey::new(LOG, action.id.clone()),
        expected: Expected::Any,
        next: RecordVersion(Uuid::now_v7().as_u128()),
        due: None,
        body: codec::encode_named(action),
    };
    write_surely(state.node.store().as_ref(), RecordBatch { owner: Owner::Service, ops: vec![put] }).await?;
    Ok(())
}

/// Ids are of version 7: they begin with the time.
fn is_old(id: &str, now: Timestamp) -> bool {
    let made = Uuid::parse_str(id).ok().and_then(|id| id.get_timestamp()).map(|at| at.to_unix());
    made.is_some_and(|(seconds, _)| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000) < now.0 - KEPT_MS)
}

/// List operators' actions
///
/// Newest first: every call that may have changed something, kept for 400 days. Bodies are not kept.
#[utoipa::path(
    get, path = "/admin/v1/log", tag = "node", operation_id = "list_actions", params(PageQuery),
    responses((status = 200, description = "One page", body = Page<ActionJson>)),
)]
pub(crate) async fn list(
    state: web::Data<ApiState>,
    query: QueryOf<PageQuery>,
) -> Result<web::Json<Page<ActionJson>>, Problem> {
    let limit = page::limit(query.0.limit)?;
    let after: Option<Uuid> = page::cursor(query.0.cursor.as_deref())?;
    let range = RecordRange {
        after: after.map(|id| id.to_string()),
        backwards: true,
        limit: limit + 1,
        ..RecordRange::default()
    };
    let records = state.node.store().list_records(Owner::Service, LOG, range).await?;
    let page = Page::cut(records, limit, |record| record.id.clone(), |record| record);
    // One line that cannot be read must not hide the others.
    let readable = page.data.into_iter().filter_map(|record| {
        let read = codec::decode::<ActionJson>(&record.body, || format!("{LOG} {}", record.id));
        read.inspect_err(|error| tracing::error!(%error, "a line of the log of operators' actions cannot be read")).ok()
    });
    Ok(web::Json(Page { data: readable.collect(), next_cursor: page.next_cursor }))
}
