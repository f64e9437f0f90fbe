//! The journal: everything that changed an account.

use actix_web::web;
use footlight_ledger::{AccountId, Entry, EntryKind, GrantId, SecretId, SessionId};
use serde::Deserialize;
use utoipa::IntoParams;

use super::scan;
use crate::auth::Authenticated;
use crate::body::QueryOf;
use crate::json::journal::{KINDS, is_about_grant, kind_word};
use crate::json::{EntryJson, Instant, Page, page};
use crate::problem::Problem;
use crate::state::ApiState;

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct JournalQuery {
    /// Only entries written at this instant or later.
    #[param(value_type = Option<String>, example = "2026-11-01T00:00:00Z")]
    pub from: Option<Instant>,
    /// Only entries written before this instant.
    #[param(value_type = Option<String>, example = "2026-12-01T00:00:00Z")]
    pub to: Option<Instant>,
    /// Only entries of these kinds, separated by commas.
    #[param(example = "granted,expired,voided")]
    pub kind: Option<String>,
    /// Only entries that move credits of this grant.
    #[param(value_type = Option<String>)]
    pub grant: Option<GrantId>,
    /// Only usage of this session.
    #[param(value_type = Option<String>)]
    pub session: Option<SessionId>,
    /// Only what has to do with this secret: usage of what was opened with it, and its spending limits.
    #[param(value_type = Option<String>)]
    pub secret: Option<SecretId>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Entries on the page, 1 to 200.
    #[param(example = 50, minimum = 1, maximum = 200)]
    pub limit: Option<usize>,
}

impl JournalQuery {
    /// The kinds asked for; none asked for is all.
    fn kinds(&self) -> Result<Vec<&str>, Problem> {
        let kinds: Vec<&str> = self.kind.iter().flat_map(|kinds| kinds.split(',')).collect();
        match kinds.iter().find(|kind| !KINDS.contains(kind)) {
            Some(unknown) => {
                let unknown: String = unknown.chars().take(64).collect();
                Err(Problem::field("kind", format!("has no `{unknown}`; there are {}", KINDS.join(", "))))
            }
            None => Ok(kinds),
        }
    }

    fn wants(&self, kinds: &[&str], entry: &Entry) -> bool {
        let of_session = |id| matches!(&entry.kind, EntryKind::Usage { session, .. } if *session == id);
        let of_secret = |id| match &entry.kind {
            EntryKind::Usage { secret, .. } => *secret == Some(id),
            EntryKind::SpendingLimitSet { secret, .. } => *secret == id,
            _ => false,
        };
        (kinds.is_empty() || kinds.contains(&kind_word(&entry.kind)))
            && self.from.is_none_or(|from| entry.at >= from.0)
            && self.grant.is_none_or(|grant| is_about_grant(&entry.kind, grant))
            && self.session.is_none_or(of_session)
            && self.secret.is_none_or(of_secret)
    }
}

/// List the journal
///
/// Everything that changed the account, entry by entry, oldest first. Entries never change. With a filter a page may be
/// shorter than its limit and still have a `next_cursor`.
#[utoipa::path(
    get, path = "/v1/journal", tag = "credits", operation_id = "journal", params(JournalQuery),
    responses((status = 200, description = "One page", body = Page<EntryJson>)),
)]
pub(crate) async fn list(
    state: web::Data<ApiState>,
    caller: Authenticated,
    query: QueryOf<JournalQuery>,
) -> Result<web::Json<Page<EntryJson>>, Problem> {
    journal_page(&state, caller.account, &query.0).await
}

/// One page of an account's journal.
pub(crate) async fn journal_page(
    state: &ApiState,
    account: AccountId,
    query: &JournalQuery,
) -> Result<web::Json<Page<EntryJson>>, Problem> {
    let (limit, kinds) = (page::limit(query.limit)?, query.kinds()?);
    let _turn = state.searches.take(account).await?;
    let mut from: u64 = match page::cursor(query.cursor.as_deref())? {
        Some(number) => number,
        None => scan::first_from(state, account, query.from).await?,
    };
    let mut data = Vec::new();
    for _ in 0..scan::PAGE_MAX / scan::BLOCK {
        let entries = state.node.store().list_entries(account, from, scan::BLOCK).await?;
        let at_the_end = entries.len() < scan::BLOCK;
        for entry in entries {
            if query.to.is_some_and(|to| entry.at >= to.0) {
                return Ok(web::Json(Page { data, next_cursor: None }));
            }
            from = entry.number + 1;
            if !query.wants(&kinds, &entry) {
                continue;
            }
            if data.len() == limit {
                return Ok(web::Json(Page { data, next_cursor: Some(entry.number.to_string()) }));
            }
            data.push(EntryJson::from(entry));
        }
        if at_the_end {
            return Ok(web::Json(Page { data, next_cursor: None }));
        }
    }
    Ok(web::Json(Page { data, next_cursor: Some(from.to_string()) }))
}
