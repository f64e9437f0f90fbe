//! Usage, hour by hour.

use actix_web::web;
use footlight_actors::node::SessionFilter;
use footlight_ledger::{EntryKind, Product, SecretId, SessionId, Touched};
use footlight_session::SessionState;
use serde::Deserialize;
use utoipa::IntoParams;

use super::scan;
use crate::auth::Authenticated;
use crate::body::QueryOf;
use crate::json::{Instant, Page, UsageJson, page};
use crate::problem::Problem;
use crate::state::ApiState;

/// Sessions read at once in search of those that are not over.
const OPEN_PAGE: usize = 1_000;
/// How many of these pages are read at most: 20 000 sessions that are over may be newer than one that is not.
const OPEN_PAGES_MAX: usize = 20;

/// Which usage.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageQuery {
    /// Only hours that begin at this instant or later.
    #[param(value_type = Option<String>, example = "2026-11-01T00:00:00Z")]
    pub from: Option<Instant>,
    /// Only hours that begin before this instant.
    #[param(value_type = Option<String>, example = "2026-12-01T00:00:00Z")]
    pub to: Option<Instant>,
    /// Only this session.
    #[param(value_type = Option<String>)]
    pub session: Option<SessionId>,
    /// Only this product.
    #[param(value_type = Option<String>, example = "essence_cloud")]
    pub product: Option<Product>,
    /// Only what was opened with this secret.
    #[param(value_type = Option<String>)]
    pub secret: Option<SecretId>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Entries on the page, 1 to 200.
    #[param(example = 50, minimum = 1, maximum = 200)]
    pub limit: Option<usize>,
}

impl UsageQuery {
    fn wants(&self, usage: &UsageJson) -> bool {
        self.from.is_none_or(|from| usage.hour >= from)
            && self.to.is_none_or(|to| usage.hour < to)
            && self.session.is_none_or(|session| usage.session_id == session)
            && self.product.is_none_or(|product| usage.product == product)
            && self.secret.is_none_or(|secret| usage.secret == Some(secret))
    }
}

/// List usage
///
/// By session and clock hour, oldest first; what may still grow comes last and is marked `open`. A page may be shorter
/// than its limit and still have a `next_cursor`.
#[utoipa::path(
    get, path = "/v1/usage", tag = "credits", operation_id = "usage", params(UsageQuery),
    responses((status = 200, description = "One page", body = Page<UsageJson>)),
)]
pub(crate) async fn list(
    state: web::Data<ApiState>,
    caller: Authenticated,
    query: QueryOf<UsageQuery>,
) -> Result<web::Json<Page<UsageJson>>, Problem> {
    let query = query.0;
    let _turn = state.searches.take(caller.account).await?;
    let limit = page::limit(query.limit)?;
    let mut from: u64 = match page::cursor(query.cursor.as_deref())? {
        Some(number) => number,
        None => scan::first_from(&state, caller.account, query.from).await?,
    };
    let mut data = Vec::new();
    let mut open: Option<OpenUsage> = None;
    for _ in 0..scan::PAGE_MAX / scan::BLOCK {
        let entries = state.node.store().list_entries(caller.account, from, scan::BLOCK).await?;
        let mut at_the_end = entries.len() < scan::BLOCK;
        for entry in entries {
            if open.as_ref().is_some_and(|open| entry.number >= open.journal_end) {
                at_the_end = true;
                break;
            }
            if data.len() == limit {
                return Ok(web::Json(Page { data, next_cursor: Some(entry.number.to_string()) }));
            }
            from = entry.number + 1;
            if let EntryKind::Usage { session, product, secret, usage, late } = &entry.kind {
                data.push(UsageJson::sealed(*session, *product, *secret, usage, *late));
                if !query.wants(data.last().expect("just pushed")) {
                    data.pop();
                }
            }
        }
        if at_the_end {
            let Some(open) = open.take() else {
                // The end is read once more, for what was sealed before this: every hour is in one of the two.
                open = Some(open_usage(&state, caller).await?);
                continue;
            };
            data.extend(open.rows.into_iter().filter(|usage| query.wants(usage)));
            return Ok(web::Json(Page { data, next_cursor: None }));
        }
    }
    Ok(web::Json(Page { data, next_cursor: Some(from.to_string()) }))
}

/// What is in no entry yet.
pub(super) struct OpenUsage {
    pub rows: Vec<UsageJson>,
    /// The number of the first entry that was not written when the rows were read.
    pub journal_end: u64,
}

/// Sessions that are not over, as many as the account has; those that a thousand newer ones lie before are found as well.
async fn open_sessions(state: &ApiState, caller: Authenticated) -> Result<Vec<SessionId>, Problem> {
    let books = state.node.desk().inspect(caller.account, Touched::default()).await?;
    let count = books.map_or(0, |books| books.account.open_sessions) as usize;
    let (mut open, mut before) = (Vec::new(), None);
    for _ in 0..OPEN_PAGES_MAX {
        if open.len() >= count {
            break;
        }
        let page = state.node.list_sessions(caller.into(), before, OPEN_PAGE, SessionFilter::default()).await?;
        let alive = page.records.iter().filter(|record| record.state != SessionState::Ended);
        open.extend(alive.map(|record| record.id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    Ok(open)
}

/// Usage since each session's last sealed entry.
pub(super) async fn open_usage(state: &ApiState, caller: Authenticated) -> Result<OpenUsage, Problem> {
    let touched = Touched { sessions: open_sessions(state, caller).await?, ..Touched::default() };
    let Some(books) = state.node.desk().inspect(caller.account, touched).await? else {
        return Ok(OpenUsage { rows: Vec::new(), journal_end: 0 });
    };
    let tabs = books.tabs.into_values();
    let mut rows: Vec<UsageJson> =
        tabs.filter(|tab| tab.open_usage.units > 0).map(|tab| UsageJson::open(&tab)).collect();
    rows.sort_by_key(|usage| (usage.hour, usage.session_id));
    Ok(OpenUsage { rows, journal_end: books.account.next_entry })
}
