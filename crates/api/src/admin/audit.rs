//! Do the books balance?

use actix_web::web;
use footlight_ledger::AccountId;
use footlight_store::{AccountAudit, audit_account};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::body::QueryOf;
use crate::json::{TotalsJson, page};
use crate::problem::{Code, Problem};
use crate::state::ApiState;

/// Which accounts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Only this account.
    #[param(value_type = Option<String>)]
    pub account: Option<AccountId>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Accounts on the page, 1 to 200; 200 unless named.
    #[param(example = 200, minimum = 1, maximum = 200)]
    pub limit: Option<usize>,
}

/// One page of the audit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Audit)]
pub(crate) struct AuditJson {
    /// Whether every account on this page balances.
    pub balanced: bool,
    /// The accounts.
    pub data: Vec<AccountAuditJson>,
    /// Send this as `cursor` to audit on; null when all accounts were looked at.
    pub next_cursor: Option<String>,
}

/// One account, told again from its journal.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountAudit)]
pub(crate) struct AccountAuditJson {
    /// The account.
    #[schema(value_type = String)]
    pub account: AccountId,
    /// Whether everything comes out the same.
    pub balanced: bool,
    /// Every figure that comes out differently, in words.
    pub differences: Vec<String>,
    /// Journal entries that were folded.
    pub entries: u64,
    /// Sessions that were looked at.
    pub sessions: u64,
    /// The account's sums.
    pub totals: TotalsJson,
}

impl From<AccountAudit> for AccountAuditJson {
    fn from(audit: AccountAudit) -> Self {
        Self {
            account: audit.account,
            balanced: audit.is_balanced(),
            entries: audit.entries,
            sessions: audit.sessions,
            totals: TotalsJson::of(&audit.totals),
            differences: audit.differences,
        }
    }
}

/// Audit accounts
///
/// Every account is told again from its journal, its sessions and its work, and compared with its sums.
#[utoipa::path(
    get, path = "/admin/v1/audit", tag = "accounts", operation_id = "audit", params(AuditQuery),
    responses((status = 200, description = "One page", body = AuditJson)),
)]
pub(crate) async fn audit(
    state: web::Data<ApiState>,
    query: QueryOf<AuditQuery>,
) -> Result<web::Json<AuditJson>, Problem> {
    let store = state.node.store();
    let limit = page::limit(query.0.limit.or(Some(page::LIMIT_MAX)))?;
    let (accounts, next_cursor) = match query.0.account {
        Some(account) => (vec![account], None),
        None => {
            let after = page::cursor(query.0.cursor.as_deref())?;
            let ids = store.list_accounts(after, limit + 1).await?;
            let page = page::Page::cut(ids, limit, ToString::to_string, |id| id);
            (page.data, page.next_cursor)
        }
    };
    let mut data = Vec::with_capacity(accounts.len());
    for account in accounts {
        match audit_account(store.as_ref(), account).await? {
            Some(audit) => data.push(AccountAuditJson::from(audit)),
            None if query.0.account.is_some() => {
                return Err(Problem::new(Code::UnknownAccount, format!("there is no account {account}")));
            }
            None => {}
        }
    }
    Ok(web::Json(AuditJson { balanced: data.iter().all(|audit| audit.balanced), data, next_cursor }))
}
